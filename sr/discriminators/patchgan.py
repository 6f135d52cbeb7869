"""PatchGAN: strided 4x4 convolutions judge overlapping patches."""

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from operator import mul
from typing import Literal

from torch import nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_shown, check_strides
from sr.discriminators.norms import norm_layers
from sr.types import Image, Logits

Norm = Literal["instance", "batch", "none"]
Reduction = Literal["none", "mean"]
WIDEST = 8  # times features, as in pix2pix
SLOPE = 0.2
DEVIATION = 0.02  # of the normal distribution that the weights start from


class PatchGan(nn.Module):
    """PatchGAN (Isola et al. 2017, arXiv 1611.07004), as in CycleGAN (arXiv 1703.10593) and the fourth repository.

    4x4 convolutions with padding 1 and LeakyReLU 0.2, no norm after the first; channels double up to 8 times
    ``features``; one more 4x4 convolution of stride 1 makes the map. Strides 2, 2, 2 are the fourth repository's,
    2, 2, 2, 1 the papers' 70x70. Weights start from a normal distribution of deviation 0.02, biases from 0, as there.

    Pictures are moved to [-1, 1] inside, the range of the papers.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        features: channels of the first convolution.
        strides: of all convolutions but the last.
        norm: ``instance`` (without parameters), ``batch`` or ``none``. Convolutions before a norm have no bias, as it
            would take the bias out again.
        reduce: ``mean`` averages the map to one logit per picture, as the fourth repository's code does; its text, and
            the papers, judge every patch for itself: ``none``.

    Raises:
        ValueError: a width, stride, norm or reduction that does not exist.
    """

    side: int | None = None

    def __init__(
        self,
        in_channels: int,
        features: int = 64,
        strides: Sequence[int] = (2, 2, 2),
        norm: Norm = "instance",
        reduce: Reduction = "none",
    ) -> None:
        super().__init__()
        check_counts("PatchGan", {"in_channels": in_channels, "features": features})
        check_strides("PatchGan", strides, fewest=1)
        check_choice("norm", norm, Norm)
        check_choice("reduce", reduce, Reduction)
        self.in_channels = in_channels
        self.reduce = reduce
        self.smallest_side = _smallest_side(strides)
        self.cell = prod(strides) if reduce == "none" else None
        self.margin = _margin(strides) if reduce == "none" else 0
        layers: list[nn.Module] = []
        channels = in_channels
        for index, stride in enumerate(strides):
            width = features * min(2**index, WIDEST)
            norms = norm_layers("PatchGan", norm, width) if index else []
            layers.append(nn.Conv2d(channels, width, 4, stride=stride, padding=1, bias=not norms))
            layers += [*norms, nn.LeakyReLU(SLOPE, inplace=True)]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, padding=1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=DEVIATION)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1] by a map of logits, or by one each: (batch, 1, 1, 1).

        A convolution of stride 2 halves the sides, rounding down, one of stride 1 takes one cell off.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        verdict = self.layers(2 * shown - 1)
        return verdict.mean(dim=(2, 3), keepdim=True) if self.reduce == "mean" else verdict


def _margin(strides: Sequence[int]) -> int:
    """Pixels before the first cell. Each convolution sees 1 before a place and 2 behind: half its pixels further on."""
    pixels = accumulate(strides, mul, initial=1)  # between the places that each convolution looks at
    return (1 + sum(pixels) - prod(strides)) // 2


def _smallest_side(strides: Sequence[int]) -> int:
    """From one cell back to the picture. The last norm sees 2x2 cells then, enough for instance norm."""
    side = 1
    for stride in (1, *reversed(strides)):
        side = stride * (side - 1) + 2
    return side
