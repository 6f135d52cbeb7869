"""What the two discriminators with maps of several levels share: blocks, padding, and the joint map."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.discriminators.norms import norm_layers
from sr.types import Image, Logits

Norm = Literal["group", "none"]
Features = Float[Tensor, "batch _ _ _"]
STAGES = 5  # that halve the sides, in both
SLOPE = 0.1


def block(
    name: str, channels: int, width: int, kernel: int = 3, stride: int = 1, bias: bool = False, norm: Norm = "group",
    active: bool = True,
) -> nn.Sequential:  # fmt: skip
    """DL-Art-School's convolution, then a norm, then LeakyReLU 0.1; weights start as `kaiming_normal_` with fan_out.

    Args:
        name: of the network, for messages.
        channels: that come in.
        width: channels that go out.
        kernel: odd side of the convolution, padded so that a stride of 1 keeps the size.
        stride: of the convolution.
        bias: of the convolution.
        norm: after it.
        active: LeakyReLU at the end; a block without starts with the gain of a linear one.

    Raises:
        ValueError: the channels cannot be grouped.
    """
    conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=bias)
    nn.init.kaiming_normal_(conv.weight, SLOPE, "fan_out", "leaky_relu" if active else "linear")
    activation = [nn.LeakyReLU(SLOPE, inplace=True)] if active else []
    return nn.Sequential(conv, *norm_layers(name, norm, width), *activation)


def padded(shown: Image) -> Features:
    """Repeat the last rows and columns up to a multiple of what all stages together halve the sides by: 32."""
    step = 2**STAGES
    below, right = (-side % step for side in shown.shape[-2:])
    return F.pad(shown, (0, right, 0, below), mode="replicate") if below or right else shown


def enlarged(x: Features) -> Features:
    """Nearest neighbour, twice as large."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def joint(maps: Sequence[Features], shown: Image, cell: int) -> Logits:
    """Maps of several levels as one, (batch, levels, height, width): each enlarged to the last and finest.

    So each level weighs the same in a mean over cells. Cells that lie in the padding alone are cut off.

    Args:
        maps: from coarse to fine, (batch, 1, height, width) each.
        shown: the picture before it was padded.
        cell: pixels per cell of the finest.
    """
    finest = maps[-1].shape[-2:]
    whole = torch.cat([F.interpolate(one, size=finest, mode="nearest") for one in maps], dim=1)
    rows, columns = (math.ceil(side / cell) for side in shown.shape[-2:])
    return whole[..., :rows, :columns]
