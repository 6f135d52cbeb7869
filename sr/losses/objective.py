"""What the generator minimises apart from adversaries: a weighted sum of named losses."""

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr.types import Image, LowResolution

Views = Literal["sr,hr"]
"""The pair of pictures that a term compares, as (prediction, target)."""


class Term(nn.Module):
    """One loss of an objective.

    Args:
        weight: factor in the sum. 0 keeps the term in the log, without gradient or cost in the backward pass.
        loss: module (prediction, target) -> scalar.
        views: which pictures it compares; ``"sr,hr"`` is the network's output against the ground truth.

    Raises:
        ValueError: a weight that is not finite, or views that do not exist.
    """

    def __init__(self, weight: float, loss: nn.Module, views: Views = "sr,hr") -> None:
        super().__init__()
        if not math.isfinite(weight):
            raise ValueError(f"a loss weight must be a finite number, not {weight}.")
        if views not in get_args(Views):
            choices = ", ".join(map(repr, get_args(Views)))
            raise ValueError(f"a loss cannot compare the views {views!r}; choose from {choices}.")
        self.weight = weight
        self.loss = loss
        self.views = views

    def forward(self, views: Mapping[str, Image]) -> Float[Tensor, ""]:
        """Unweighted loss of the pictures in ``views`` (by name) that this term compares."""
        prediction, target = self.views.split(",")
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.weight != 0):
            return self.loss(views[prediction], views[target])


class Objective(nn.Module):
    """Weighted sum of named terms. Never waits for the device: values come back as tensors.

    Args:
        terms: the terms by the name under which they are logged; at least one.

    Raises:
        ValueError: no terms.
    """

    def __init__(self, terms: Mapping[str, Term]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("an objective needs at least one term, for instance l1.")
        self.terms = nn.ModuleDict(dict(terms))

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each term by name, to log weighted values."""
        return {name: term.weight for name, term in self._items()}

    def forward(self, sr: Image, hr: Image, lr: LowResolution) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compare the network's output with the ground truth.

        Args:
            sr: output, (batch, 3, scale*h, scale*w) in [0, 1].
            hr: ground truth, the same shape and range.
            lr: input, (batch, 3, h, w) in [0, 1].

        Returns:
            The sum to minimise, a float32 scalar, and every term's own value before its weight, detached.
        """
        views = {"sr": sr, "hr": hr, "lr": lr}
        total = torch.zeros((), device=sr.device)
        raw = {}
        for name, term in self._items():
            value = term(views)
            raw[name] = value.detach()
            if term.weight != 0:  # 0 * NaN is NaN: a term that only watches must not spoil the sum
                total = total + term.weight * value
        return total, raw

    def _items(self) -> list[tuple[str, Term]]:
        """The terms with their type, which ModuleDict forgets."""
        return [(name, term) for name, term in self.terms.items() if isinstance(term, Term)]
