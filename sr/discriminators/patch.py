"""The photo notes' discriminators: convolutions at full size and halvings, written as a list of words."""

import re
from collections.abc import Sequence
from math import prod
from typing import Literal, NamedTuple

from torch import nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_dropout, check_shown
from sr.discriminators.norms import norm_layers
from sr.types import Image, Logits

Norm = Literal["batch", "none", "group"]
Downsample = Literal["pool", "stride", "strided_conv"]
POOL = "pool"
_UNIT = re.compile(r"(\d+)x(\d+)(?:d(\d+))?")


class Unit(NamedTuple):
    """One convolution: ``3x256d2`` is kernel 3, 256 channels, dilation 2."""

    kernel: int
    channels: int
    dilation: int
    stride: int = 1


class Patch(nn.Module):
    """A fully convolutional judge of patches (PatchGAN, Isola et al. 2017, arXiv 1611.07004), as in the photo notes.

    Every word of ``layers`` such as ``3x64`` is a convolution at unchanged size, norm, LeakyReLU and dropout; a word
    ``pool`` halves it, by a 2x2 max pool in the notes. A 1x1 convolution to one channel ends the list. The notes prefer
    pools to both kinds of strides, dilation to a fourth pool, and LeakyReLU so that gradients reach the generator.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        layers: words ``KERNELxCHANNELS`` (kernel odd), ``KERNELxCHANNELSdDILATION`` or ``pool``.
        norm: ``batch``, ``none`` or ``group`` (8 groups). Convolutions have a bias only with ``none``, as a norm would
            take it out again.
        dropout: probability of dropping a value after each LeakyReLU; 0 leaves the layer out.
        negative_slope: of LeakyReLU.
        trim: cells cut off each side of the map, where the network has seen mostly padding. 0 for none.
        downsample: what ``pool`` stands for: a max ``pool``; ``stride``, the convolution before it does every second
            place only; or ``strided_conv``, one more 3x3 unit of that kind, with as many channels as there are.

    Raises:
        ValueError: a word that cannot be read, a number or a downsample that does not exist, or with ``stride`` a
            ``pool`` without a convolution of its own before it.
    """

    side: int | None = None

    def __init__(
        self,
        in_channels: int,
        layers: Sequence[str],
        norm: Norm = "batch",
        dropout: float = 0.0,
        negative_slope: float = 0.1,
        trim: int = 0,
        downsample: Downsample = "pool",
    ) -> None:
        super().__init__()
        check_counts("Patch", {"in_channels": in_channels})
        check_choice("norm", norm, Norm)
        check_dropout("Patch", dropout)
        if trim < 0:
            raise ValueError(f"Patch cannot trim {trim} cells; choose trim=0 for none.")
        check_choice("downsample", downsample, Downsample)
        units = _halved([None if word == POOL else _unit(word) for word in layers], in_channels, downsample)
        self.in_channels = in_channels
        self.trim = trim
        self.cell = prod(2 if unit is None else unit.stride for unit in units)
        # A pool's cell begins with the first pixel; the first place of a strided convolution is that pixel.
        self.margin = trim * self.cell - (0 if downsample == "pool" else self.cell // 2)
        self.smallest_side = _smallest_side(units, norm, trim)
        body: list[nn.Module] = []
        channels = in_channels
        for unit in units:
            if unit is None:
                body.append(nn.MaxPool2d(2))
                continue
            body += _convolution(channels, unit, norm, negative_slope, dropout)
            channels = unit.channels
        self.layers = nn.Sequential(*body, nn.Conv2d(channels, 1, 1))

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1] by a map of logits.

        Each side of the map is that of the picture, halved by every pool (rounding down; by strides up), less twice
        ``trim``.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        verdict = self.layers(shown)
        height, width = verdict.shape[-2:]
        return verdict[..., self.trim : height - self.trim, self.trim : width - self.trim]


def _unit(word: str) -> Unit:
    """Read ``3x64`` or ``3x64d2``."""
    match = _UNIT.fullmatch(word)
    if match is None:
        raise ValueError(
            f"Patch cannot read the layer {word!r}; write kernel x channels as in '3x64', with dilation '3x64d2', "
            f"or {POOL!r}."
        )
    kernel, channels, dilation = (int(part or 1) for part in match.groups())
    if kernel % 2 == 0:
        raise ValueError(
            f"Patch cannot keep the size with the even kernel of {word!r}; choose an odd one, such as "
            f"{word.replace(match[1], str(kernel + 1), 1)!r}."
        )
    check_counts("Patch", {f"channels in {word!r}": channels, f"dilation in {word!r}": dilation})
    return Unit(kernel, channels, dilation)


def _halved(units: list[Unit | None], in_channels: int, downsample: Downsample) -> list[Unit | None]:
    """The units with strides in the place of pools, where those are wanted; None is a pool."""
    if downsample == "pool":
        return units
    made: list[Unit | None] = []
    for unit in units:
        before = made[-1] if made else None
        if unit is not None:
            made.append(unit)
        elif downsample == "strided_conv":
            made.append(Unit(3, before.channels if before else in_channels, 1, 2))
        elif before is None or before.stride > 1:
            raise ValueError(
                f"Patch with downsample=stride lets the convolution before each {POOL!r} halve, and one of them has "
                "none of its own; choose downsample=strided_conv."
            )
        else:
            made[-1] = before._replace(stride=2)
    return made


def _smallest_side(units: Sequence[Unit | None], norm: str, trim: int) -> int:
    """Side from which on the trimmed map has a cell and the last norm a 2x2 map."""
    factor, factor_of_last_unit = 1, 1
    for unit in units:
        factor *= 2 if unit is None else unit.stride
        if unit is not None:
            factor_of_last_unit = factor
    normed = norm != "none" and any(units)
    return max(factor * (2 * trim + 1), 2 * factor_of_last_unit if normed else 1)


def _convolution(channels: int, unit: Unit, norm: str, negative_slope: float, dropout: float) -> list[nn.Module]:
    """Convolution at unchanged size, norm, LeakyReLU, dropout."""
    padding = unit.kernel // 2 * unit.dilation
    conv = nn.Conv2d(
        channels, unit.channels, unit.kernel, unit.stride, padding, dilation=unit.dilation, bias=norm == "none"
    )
    layers = [conv, *norm_layers("Patch", norm, unit.channels), nn.LeakyReLU(negative_slope, inplace=True)]
    return [*layers, nn.Dropout(dropout)] if dropout else layers
