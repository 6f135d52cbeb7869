"""The switch: at each pixel a mixture of what several branches make, by weights that a multiplexer gives."""

from collections.abc import Callable, Iterable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr.image.autocast import without_autocast
from sr.switches.attention_norm import AttentionNorm
from sr.switches.temperature import Annealing

WINNERS = 2
"""How many branches of a pixel its specificity counts."""


class Attention(nn.Module):
    """Logits to weights: a softmax over the branches at the temperature of the update (SwitchedConvolutions 83c688b).

    The temperature is a buffer, so that a file of the network has it: its branches were trained for those weights.

    Args:
        branches: T, at least 2.
        annealing: of the temperature.
        norm: with `AttentionNorm`.

    Attributes:
        measured: what the newest pass in training showed, see `specificity` and `busiest`.

    Raises:
        ValueError: fewer than two branches.
    """

    copied_buffers: ClassVar[tuple[str, ...]] = ("temperature",)

    def __init__(self, branches: int, annealing: Annealing, norm: bool) -> None:
        super().__init__()
        if branches < 2:
            raise ValueError(f"a switch needs at least 2 branches, not {branches}; choose 8.")
        self.branches, self.annealing = branches, annealing
        self.temperature: Tensor
        self.register_buffer("temperature", torch.tensor(annealing(0)))
        self.norm = AttentionNorm(branches) if norm else None
        self.measured: dict[str, Tensor] = {}

    def forward(
        self, logits: Float[Tensor, "batch branches height width"]
    ) -> Float[Tensor, "batch branches height width"]:
        """Weights in float32 that sum to 1 over the branches."""
        with without_autocast(logits.device):
            exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
            attention = torch.softmax(exact / self.temperature.to(exact.dtype), dim=1)
            if self.norm is not None:
                attention = self.norm(attention)
        if self.training:
            shown = attention.detach()
            self.measured = {"specificity": specificity(shown), "busiest": busiest(shown)}
        return attention

    def at_update(self, updates: int) -> None:
        """Take the temperature of the update that begins.

        Args:
            updates: so far.
        """
        self.temperature.fill_(self.annealing(updates))
        if self.norm is not None:
            self.norm.at_update()


def mixed(attention: Tensor, branches: Iterable[Callable[[], Tensor]]) -> Tensor:
    """Sum over g of a_g times u_g at each pixel, in the format of the weights, float32.

    Branches are computed one after the other, so that without gradient the memory of one is enough.

    Args:
        attention: (batch, branches, height, width).
        branches: as many, each gives its u_g (batch, channels, height, width).
    """
    total: Tensor | None = None
    for number, branch in enumerate(branches):
        part = attention[:, number : number + 1] * branch()
        total = part if total is None else total + part
    assert total is not None
    return total


def specificity(attention: Float[Tensor, "batch branches height width"]) -> Float[Tensor, ""]:
    """Mean over pixels of the weights of their two strongest branches: 2/T where all are alike, 1 where one wins."""
    return attention.topk(WINNERS, dim=1).values.sum(dim=1).mean()


def busiest(attention: Float[Tensor, "batch branches height width"]) -> Float[Tensor, ""]:
    """Share of the pixels that the branch with the most of them wins: 1/T where all have as many, 1 with one for all.

    The largest bar of the histogram that the original logs.
    """
    winners = attention.argmax(dim=1, keepdim=True)
    wins = torch.zeros_like(attention).scatter_(1, winners, 1.0)
    return wins.mean(dim=(0, 2, 3)).max()
