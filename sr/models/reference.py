"""What a generator may know of the whole photograph, and how it is joined to features: in branches only."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.models.multiplexer import started_
from sr.models.padding import Side
from sr.types import Image

CHANNELS = 4
"""Of a reference: the photograph small, RGB in [0, 1], and a mask that is 1 where the crop lies in it."""
SHRINKS = 8
"""By how much the vector's network shrinks a reference."""
SLOPE = 0.1

Reference = Float[Tensor, "batch 4 rows columns"]


class ReferenceJoinBlock(nn.Module):
    """out = LeakyReLU(conv(x + branch(x beside ref))): a reference reaches features through a branch that starts low.

    DL-Art-School, arch_util.py of commit 747ded2, without the norm that it lost an hour later (df59d6c). The branch is
    three convolutions without bias, 2C to 1.5C to 1.5C to C, times a learned number; its weights and that number
    begin at ``start`` (0.1 for noise and reference there, 0.2 between gradients and features).

    Args:
        channels: C, of the features and of what is joined.
        start: see above.

    Attributes:
        measured: the branch's deviation in the newest pass in training.
    """

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        wide = channels * 3 // 2
        widths = ((2 * channels, wide, "leaky_relu"), (wide, wide, "leaky_relu"), (wide, channels, "linear"))
        self.branch = nn.ModuleList(
            started_(
                nn.Conv2d(one, other, 3, padding=1, bias=False), "linear" if kind == "linear" else "leaky_relu", start
            )
            for one, other, kind in widths
        )
        self.scale = nn.Parameter(torch.tensor([start]))
        self.join = started_(nn.Conv2d(channels, channels, 3, padding=1, bias=False), "leaky_relu")
        self.measured: Tensor | None = None

    def forward(self, features: Image, ref: Image) -> Image:
        """Join (batch, C, h, w) and the same of the reference."""
        x: Tensor = torch.cat([features, ref], dim=1)
        *convs, last = self.branch
        for conv in convs:
            x = F.leaky_relu(conv(x), SLOPE)
        x = last(x) * self.scale
        if self.training:
            self.measured = x.detach().float().std()
        return F.leaky_relu(self.join(features + x), SLOPE)


class RefJoiner(nn.Module):
    """A vector for the whole crop, joined at each of its pixels: Linear to half, Linear to C, `ReferenceJoinBlock`.

    Args:
        vector: length of it.
        channels: C, of the features.
        start: see `ReferenceJoinBlock`.
    """

    def __init__(self, vector: int, channels: int, start: float = 0.1) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(vector, vector // 2), nn.Linear(vector // 2, channels))
        self.block = ReferenceJoinBlock(channels, start)

    def forward(self, features: Image, vector: Float[Tensor, "batch length"]) -> Image:
        """Join (batch, C, h, w) and a vector for each picture."""
        made: Tensor = self.project(vector)
        joined: Tensor = self.block(features, made[:, :, None, None].expand_as(features))
        return joined


class ReferenceImageBranch(nn.Module):
    """A reference to a vector of 8C: of the place of the crop, knowing what surrounds it (DL-Art-School, 747ded2).

    A convolution to C, three times half the size and twice the channels, four convolutions with group norm and SiLU;
    then the vector at the middle of the mask.

    Args:
        channels: C, a multiple of 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _unit(CHANNELS, channels)
        self.down = nn.ModuleList(
            nn.Sequential(_unit(width, 2 * width, stride=2, norm=False), _unit(2 * width, 2 * width))
            for width in (channels, 2 * channels, 4 * channels)
        )
        self.process = nn.Sequential(*(_unit(8 * channels, 8 * channels) for _ in range(4)))

    def forward(self, reference: Reference) -> Float[Tensor, "batch length"]:
        """The vector of each picture."""
        x: Tensor = self.first(reference)
        for block in self.down:
            x = block(x)
        x = self.process(x)
        rows, columns = (middle(reference[:, 3], dim) // SHRINKS for dim in (1, 2))
        place = (rows * x.shape[-1] + columns)[:, None, None].expand(-1, x.shape[1], 1)
        return x.flatten(2).gather(2, place)[:, :, 0]


def middle(mask: Float[Tensor, "batch rows columns"], dim: int) -> Tensor:
    """Row (``dim`` 1) or column (2) of the middle of each mask, whole: (batch,) int64; of all where it is empty."""
    along = mask.float().sum(dim=3 - dim)
    places = torch.arange(along.shape[1], device=mask.device) + 0.5
    total = along.sum(dim=1)
    mean = torch.where(total > 0, (along * places).sum(dim=1) / total.clamp(min=1e-6), along.shape[1] / 2)
    return mean.long().clamp(max=along.shape[1] - 1)


def own_reference(lr: Image, side: int) -> Reference:
    """A picture as its own reference: it is the whole photograph, and the mask is 1 everywhere.

    Args:
        lr: (batch, 3, height, width).
        side: of the reference, in pixels.
    """
    rows, columns = (_shares(length, side, lr) for length in lr.shape[-2:])
    small = rows @ lr @ columns.mT
    return torch.cat([small, torch.ones_like(small[:, :1])], dim=1)


def _shares(length: Side, side: int, like: Tensor) -> Float[Tensor, "side length"]:
    """How much of each of ``length`` pixels each of ``side`` covers, by area: exported, it fits any length."""
    pixel = torch.arange(length, device=like.device, dtype=like.dtype)
    begin = torch.arange(side, device=like.device, dtype=like.dtype)[:, None] * (length / side)
    end = begin + length / side
    return (torch.minimum(end, pixel + 1) - torch.maximum(begin, pixel)).clamp(min=0) / (length / side)


def _unit(channels: int, width: int, stride: int = 1, norm: bool = True) -> nn.Sequential:
    conv = started_(nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=not norm and stride == 1), "relu")
    return nn.Sequential(conv, *([nn.GroupNorm(8, width)] if norm else []), nn.SiLU())
