"""What the discriminators of the lessons learned share: blocks, the U-Net's two ways, padding, and the joint map."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.discriminators.norms import norm_layers
from sr.types import Image, Logits

Norm = Literal["group", "none"]
Features = Float[Tensor, "batch _ _ _"]
STAGES = 5  # that halve the sides, in all
UNET_WIDTHS = (1, 2, 4, 8, 8)  # of the U-Nets' stages, in features
UNET_UP = (8, 4, 2)  # of their blocks on the way up, in features
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


def unet_stages(name: str, in_channels: int, features: int, norm: Norm) -> nn.ModuleList:
    """A U-Net's way down: stages of two 3x3 convolutions, the second halves the sides.

    The very first convolution has a bias and no activation.

    Args:
        name: of the network, for messages.
        in_channels: of what is shown.
        features: of the first stage.
        norm: after the convolutions.
    """
    widths = [in_channels, *(multiple * features for multiple in UNET_WIDTHS)]
    return nn.ModuleList(
        nn.Sequential(
            block(name, channels, width, bias=number == 0, norm=norm, active=number > 0),
            block(name, width, width, stride=2, norm=norm),
        )
        for number, (channels, width) in enumerate(pairwise(widths))
    )


class Up(nn.Module):
    """A U-Net's block on the way up: twice as large, joined with what the way down had at this size.

    Args:
        name: of the network, for messages.
        channels: that come from below.
        width: channels of the stage of this size, and of the result.
        norm: after the convolutions.
    """

    def __init__(self, name: str, channels: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.reduce = block(name, channels, width, kernel=1, norm=norm, active=False)
        self.skip = block(name, width, width, bias=True, norm=norm, active=False)
        self.merge = nn.Sequential(block(name, 2 * width, width, norm="none"), block(name, width, width, norm=norm))

    def forward(self, x: Features, skip: Features) -> Features:
        """Map (batch, channels, h, w) and (batch, width, 2 h, 2 w) to the shape of the second."""
        joined: Features = self.merge(torch.cat([self.reduce(enlarged(x)), self.skip(skip)], dim=1))
        return joined


def unet_verdict(name: str, width: int, norm: Norm) -> nn.Sequential:
    """Two convolutions, from ``width`` channels to one map."""
    return nn.Sequential(
        block(name, width, width, norm=norm), block(name, width, 1, bias=True, norm="none", active=False)
    )


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
        maps: from coarse to fine, (batch, 1, height, width) each; the next has twice the sides, on which
            `sr.training.adversary.floor` relies.
        shown: the picture before it was padded.
        cell: pixels per cell of the finest.
    """
    finest = maps[-1].shape[-2:]
    whole = torch.cat([F.interpolate(one, size=finest, mode="nearest") for one in maps], dim=1)
    rows, columns = (math.ceil(side / cell) for side in shown.shape[-2:])
    return whole[..., :rows, :columns]


def descended(stages: Iterable[nn.Module], shown: Image) -> list[Features]:
    """What each stage makes of the picture, padded to a multiple of 32, the largest first."""
    x: Features = padded(shown)
    found = []
    for stage in stages:
        x = stage(x)
        found.append(x)
    return found
