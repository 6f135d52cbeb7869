"""Sub-pixel networks: everything is computed at the LR size, a pixel shuffle makes the SR image."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import nn

from sr.models.bicubic import Bicubic
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image

MIN_SHUFFLED = 16  # fewest channels right after a shuffle of the "refine" and "progressive" tails
STAGE = 5  # layers of each stage of the "refine" and "progressive" tails
CORRECTION_GAIN = 0.1  # of the last convolution when it only corrects bicubic: training starts near bicubic


def subpixel(channels: int, shuffled: int, factor: int, slope: float, icnr: bool) -> list[nn.Module]:
    """3x3 convolution, LeakyReLU, PixelShuffle: (channels, h, w) -> (shuffled, factor*h, factor*w)."""
    conv = nn.Conv2d(channels, shuffled * factor**2, 3, padding=1)
    return [_icnr(conv, factor, icnr), nn.LeakyReLU(slope, inplace=True), nn.PixelShuffle(factor)]


def _icnr(conv: nn.Conv2d, factor: int, wanted: bool) -> nn.Conv2d:
    """The convolution, started without checkerboard where that is wanted."""
    for parameter in conv.parameters() if wanted else ():
        icnr_(parameter, factor)
    return conv


class Espcn(nn.Module):
    """Efficient sub-pixel CNN (Shi et al. 2016, arXiv 1609.05158) with LeakyReLU, and its descendants.

    ``head``: 5x5 convolution 3 -> features. ``trunk``: one 3x3 convolution per entry of ``dilations``. Then
    one of:

    * ``direct``: 3x3 convolution to 3 * scale**2 channels, shuffle. Cheapest: nothing runs at the SR size.
    * ``refine``: one shuffle by ``scale`` to feature channels, then two 3x3 convolutions at the SR size.
    * ``progressive``: a shuffle for each factor of the scale (8 = 2, 2, 2; 3 in one), each followed by a
      convolution.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of head and trunk.
        dilations: of the trunk's convolutions, one each; empty for no trunk.
        tail: see above.
        refine_features: channels after each shuffle of the ``refine`` and ``progressive`` tails.
        negative_slope: of LeakyReLU.
        global_skip: add the bicubic enlargement of the input, so the network learns a correction to it only.
        icnr: start the convolutions before a shuffle without checkerboard (see ``icnr_``).
        gain: what weights are multiplied by before training begins. At PyTorch's own (1) each layer passes on about
            0.4 of what it gets, so that deep tails learn brightness long before they learn colours; 2.45, the square
            root of 6, makes Kaiming's of it, which passes on all.
        padding: what convolutions see beyond the border: ``zeros``, ``reflect`` or ``replicate``.

    Raises:
        ValueError: a scale, tail, width, dilation, gain or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 48,
        dilations: Sequence[int] = (1, 1, 1),
        tail: Literal["direct", "refine", "progressive"] = "direct",
        refine_features: int = 64,
        negative_slope: float = 0.1,
        global_skip: bool = True,
        icnr: bool = True,
        gain: float = 1.0,
        padding: Padding = "zeros",
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if not gain > 0:
            raise ValueError(f"Espcn needs a gain above 0, not {gain}; PyTorch's own is 1.")
        if min(features, refine_features, *dilations) < 1:
            raise ValueError(
                f"Espcn needs features, refine_features and dilations of at least 1, not {features}, "
                f"{refine_features} and {list(dilations)}."
            )
        self.head = nn.Sequential(nn.Conv2d(3, features, 5, padding=2), nn.LeakyReLU(negative_slope, inplace=True))
        trunk: list[nn.Module] = []
        for dilation in dilations:
            conv = nn.Conv2d(features, features, 3, padding=dilation, dilation=dilation)
            trunk += [conv, nn.LeakyReLU(negative_slope, inplace=True)]
        self.trunk = nn.Sequential(*trunk)
        self.tail = nn.Sequential(*_tail(tail, scale, features, refine_features, negative_slope, icnr))
        self.skip = Bicubic(scale) if global_skip else None
        _multiply_weights(self, gain)
        if global_skip:
            _start_small(self.tail)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        sr = self.tail(self.trunk(self.head(lr)))
        return sr if self.skip is None else self.skip(lr) + sr

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`.

        Raises:
            ValueError: the tail has no chain of stages.
        """
        stages = len(self.tail) // STAGE
        if 2**stages != self.scale:
            raise ValueError("Espcn grows with model.tail=progressive only, which has a stage for each doubling")
        last = f"tail.{STAGE * (stages - 1)}."
        return f"tail.{STAGE * stages}.{name.removeprefix(last)}" if name.startswith(last) else name


def _tail(kind: str, scale: int, features: int, refine_features: int, slope: float, icnr: bool) -> list[nn.Module]:
    """Layers from the trunk's features to the SR image."""
    if kind == "direct":
        conv = ExactConv2d(features, 3 * scale**2, 3, padding=1)
        return [_icnr(conv, scale, icnr), nn.PixelShuffle(scale)]
    if kind not in ("refine", "progressive"):
        raise ValueError(f"Espcn has no tail {kind!r}; choose from direct, refine, progressive.")
    stages = doubling_stages(scale) if kind == "progressive" else (scale,)
    layers: list[nn.Module] = []
    channels = features
    for factor in stages or (1,):
        shuffled = max(MIN_SHUFFLED, channels // factor**2)
        layers += subpixel(channels, shuffled, factor, slope, icnr)
        layers += [nn.Conv2d(shuffled, refine_features, 3, padding=1), nn.LeakyReLU(slope, inplace=True)]
        channels = refine_features
    return [*layers, ExactConv2d(channels, 3, 3, padding=1)]


@torch.no_grad()
def _multiply_weights(network: nn.Module, gain: float) -> None:
    """Multiply the weights of all convolutions; biases stay."""
    for layer in network.modules() if gain != 1 else ():
        if isinstance(layer, nn.Conv2d):
            layer.weight.mul_(gain)


@torch.no_grad()
def _start_small(tail: nn.Sequential) -> None:
    """Scale the last convolution down; not to zero, which would stop the first gradients of all others."""
    last = [layer for layer in tail if isinstance(layer, nn.Conv2d)][-1]
    last.weight.mul_(CORRECTION_GAIN)
    if last.bias is not None:
        last.bias.zero_()
