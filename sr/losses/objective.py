"""What the generator minimises apart from adversaries: a weighted sum of named losses."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sr.draws import Draws
from sr.errors import UserError
from sr.image.autocast import without_autocast
from sr.losses.fixed_discriminator import FixedDiscriminator
from sr.losses.pixel import at_least_float32
from sr.losses.shift import shifted
from sr.losses.views import Pair, pair_of
from sr.losses.weights import Constant, Weight, check_weight
from sr.types import Image, Scalar


class Term(nn.Module):
    """One loss of an objective.

    Losses run in float32, outside autocast; one whose class says ``autocast = True`` (a network for features) runs in
    the number format of the run and answers in float32.

    Args:
        weight: factor in the sum, or a schedule of it (`sr.losses.weights`). While it is 0 the term stays in the log,
            without gradient or cost in the backward pass.
        loss: module (prediction, target) -> scalar.
        views: the two that it compares (`sr.losses.views`), what was made and what is wanted: ``"sr,hr"`` is the
            network's output against the ground truth, ``"sr,lr"`` against its input, ``"grad(sr),grad(hr)"`` compares
            gradient maps, ``"branch,grad(hr)"`` a side output of the network.
        shift: compare random windows that lack so many rows and columns, other ones for each sample; 0 compares whole
            pictures. Keeps a network for features from seeing everything on the same grid of its poolings.
        also: two more views that it compares, whose loss is added, such as ``again_b,real`` beside ``again_a,lr``; None
            for none.

    Raises:
        ValueError: a weight that is negative or not finite, views that are no two names, or a negative shift.
    """

    def __init__(
        self,
        weight: float | Weight,
        loss: nn.Module,
        views: str = "sr,hr",
        shift: int = 0,
        also: str | None = None,
    ) -> None:
        super().__init__()
        self.pairs = [pair_of(views)] if also is None else [pair_of(views), pair_of(also)]
        if shift < 0:
            raise ValueError(f"shift={shift} counts pixels; use 0 for none.")
        self.weight = weight_of(weight)
        self.loss = loss
        self.shift = shift

    def forward(self, views: Mapping[str, Image], wanted: bool, draws: Draws | None) -> Scalar:
        """Unweighted loss of the pictures in ``views`` (by name) that this term compares.

        Args:
            views: float32 pictures.
            wanted: whether gradient is.
            draws: of the samples, for the shift; a term without shift needs none.

        Raises:
            ValueError: the term shifts, and there are no draws.
            UserError: the pictures differ in shape, and the loss is none that changes it (``across_scales = True``).
        """
        first, *more = [self._compared(views, pair, wanted, draws) for pair in self.pairs]
        return sum(more, start=first)

    def _compared(self, views: Mapping[str, Image], pair: Pair, wanted: bool, draws: Draws | None) -> Scalar:
        prediction, target = (views[name] for name in pair)
        if prediction.shape != target.shape and (self.shift or not getattr(self.loss, "across_scales", False)):
            raise UserError(_shapes_differ(pair, self.shift, prediction, target))
        if self.shift:
            if draws is None:
                raise ValueError(f"a term with shift={self.shift} needs draws of the samples.")
            prediction, target = shifted(draws, self.shift, prediction, target)
        as_the_run = getattr(self.loss, "autocast", False)
        number_format = nullcontext() if as_the_run else without_autocast(prediction.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and wanted), number_format:
            value: Scalar = self.loss(prediction, target)
        return value


def _shapes_differ(pair: Pair, shift: int, *pictures: Tensor) -> str:
    """Broadcasting would compare some of them, and mean nothing."""
    sizes = ["x".join(map(str, picture.shape[1:])) for picture in pictures]
    shapes = " and ".join(f"{name} has {size}" for name, size in zip(pair, sizes, strict=True))
    windows = f" and shift={shift} cuts the same window out of both" if shift else ""
    return f"views={','.join(pair)} compares pictures of different shapes{windows}: {shapes}; name two of one shape"


def _of(name: str, term: Term, pictures: Mapping[str, Image], wanted: bool, draws: Draws | None) -> Scalar:
    """A term's value; what it refuses is told with its name."""
    try:
        value: Scalar = term(pictures, wanted, draws)
    except UserError as error:
        told = str(error)
        raise UserError(f"loss.terms.{name}{'.' if told.startswith('views=') else ': '}{told}") from error
    return value


def weight_of(weight: float | Weight) -> Weight:
    """A number as a schedule that never changes.

    Raises:
        ValueError: the number is negative or not finite.
    """
    return weight if isinstance(weight, Weight) else Constant(check_weight("weight", weight))


class Losses(NamedTuple):
    """Result of an objective.

    Attributes:
        total: the sum to minimise, a float32 scalar.
        raw: each term's own value before its weight, detached.
        weights: each term's weight at this update.
    """

    total: Tensor
    raw: dict[str, Tensor]
    weights: dict[str, float]


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
    def schedules(self) -> dict[str, Weight]:
        """The schedule of each term's weight by the name of its setting."""
        return {f"loss.terms.{name}.weight": term.weight for name, term in self._items()}

    def weights(self, updates: int) -> dict[str, float]:
        """Weight of each term by name after so many updates."""
        return {name: term.weight(updates) for name, term in self._items()}

    @property
    def views(self) -> dict[str, Pair]:
        """What each term compares by the name of its setting."""
        keyed = {name: zip(("views", "also"), term.pairs, strict=False) for name, term in self._items()}
        return {f"loss.terms.{name}.{key}": pair for name, pairs in keyed.items() for key, pair in pairs}

    def forward(self, views: Mapping[str, Tensor], updates: int = 0, draws: Draws | None = None) -> Losses:
        """Compare what the network made with what is wanted.

        Args:
            views: pictures by name, (batch, channels, height, width) each; ``sr``, ``hr`` and ``lr`` are in [0, 1].
            updates: so far; weights may follow it.
            draws: of the samples; terms that shift need them.
        """
        weights, pictures = self.weights(updates), self._compared(views)
        total = torch.zeros((), device=next(iter(pictures.values())).device)
        raw = {}
        for name, term in self._items():
            value = _of(name, term, pictures, weights[name] != 0, None if draws is None else draws.within(name))
            raw[name] = value.detach()
            if weights[name] != 0:  # 0 * NaN is NaN: a term that only watches must not spoil the sum
                total = total + weights[name] * value
        return Losses(total, raw, weights)

    def unweighted(self, views: Mapping[str, Tensor], draws: Draws) -> Tensor:
        """Sum of all terms with gradient, whatever their weights are now: to see what the objective may need."""
        pictures = self._compared(views)
        return torch.stack([_of(name, term, pictures, True, draws.within(name)) for name, term in self._items()]).sum()

    def _compared(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The views that any term compares, in float32."""
        names = dict.fromkeys(name for _, term in self._items() for pair in term.pairs for name in pair)
        return {name: at_least_float32(views[name]) for name in names}

    def observe(self, metric: float) -> None:
        """Tell the weights how a validation went; larger is better."""
        for _, term in self._items():
            term.weight.observe(metric)

    def weight_states(self) -> dict[str, dict[str, float | int]]:
        """Of the schedules that have a state, for checkpoints."""
        return {name: term.weight.state_dict() for name, term in self._items()}

    def load_weight_states(self, states: Mapping[str, Mapping[str, float | int]]) -> None:
        """Take back what `weight_states` gave; terms that the saved run did not have begin afresh."""
        for name, term in self._items():
            if name in states and states[name].keys() == term.weight.state_dict().keys():
                term.weight.load_state_dict(states[name])

    @property
    def about(self) -> dict[str, str]:
        """What a file of the network should say of the losses that it learned from."""
        return {key: value for _, term in self._items() for key, value in getattr(term.loss, "about", {}).items()}

    @property
    def fixed(self) -> dict[str, nn.Module]:
        """Discriminators of earlier runs that terms compare with, by the term's name."""
        return {name: term.loss.network for name, term in self._items() if isinstance(term.loss, FixedDiscriminator)}

    def load_fixed(self, states: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take back the weights of `fixed`, by the term's name.

        Raises:
            KeyError: there are none of a term.
        """
        for name, network in self.fixed.items():
            network.load_state_dict(states[name])

    def _items(self) -> list[tuple[str, Term]]:
        """The terms with their type, which ModuleDict forgets."""
        return [(name, term) for name, term in self.terms.items() if isinstance(term, Term)]
