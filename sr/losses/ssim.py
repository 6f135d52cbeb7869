"""Structural similarity as a loss, at one scale and at several.

Sources: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
similarity" (SSIM, eq. 13); Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality
assessment" (MS-SSIM, eq. 7). The index of the metrics rounds to 8 bits and crops; this one does neither.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from sr.errors import UserError
from sr.image.ssim import WINDOW, PerChannel, similarity
from sr.losses.pixel import at_least_float32
from sr.types import Image, Scalar

LEVEL_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents from fine to coarse (Wang et al. 2003, section 3.2)."""

SMALLEST = 0.01
"""Below this an index that is to be raised to a fraction bends away from 0, see :func:`positive`."""


def positive(index: PerChannel) -> PerChannel:
    """The index itself from 0.01 up; below, a smooth positive tail that still falls when the index falls.

    A negative number has no fractional power, and near 0 the power's slope is infinite. Clamping would stop both, and
    the learning with them: a network that has not learned anything yet often gives negative structure.
    """
    tail = SMALLEST**2 / (2 * SMALLEST - index.clamp(max=SMALLEST))
    return torch.where(index >= SMALLEST, index, tail)


def ms_ssim(x: Image, y: Image, weights: Sequence[float]) -> PerChannel:
    """MS-SSIM of each channel of each picture: contrast and structure at every scale, luminance at the coarsest.

    Args:
        x: pictures in [0, 1], float32 or wider, both sides at least 11 * 2^(levels - 1).
        y: pictures of the same shape.
        weights: exponents from fine to coarse, one per level; their sum should be 1.

    Returns:
        In (0, 1]; equal to the paper's wherever none of its factors is below 0.01. Between levels 2 x 2 pixels are
        averaged, and an odd last row or column is left out.
    """
    index = x.new_ones(x.shape[:2])
    for level, weight in enumerate(weights):
        if level > 0:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        full, contrast = similarity(x, y, data_range=1.0)
        index = index * positive(full if level == len(weights) - 1 else contrast) ** weight
    return index


class Ssim(nn.Module):
    """1 - SSIM: 11 x 11 Gaussian window, valid region, mean over the channels of RGB."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, 2]; 0 where the pictures agree.

        Raises:
            UserError: a side is below 11 pixels.
        """
        if min(prediction.shape[-2:]) < WINDOW:
            raise UserError(
                f"SSIM needs pictures of at least {WINDOW} pixels a side, not {min(prediction.shape[-2:])}; "
                "take a larger data.crop."
            )
        return 1 - similarity(at_least_float32(prediction), at_least_float32(target), data_range=1.0)[0].mean()


class MsSsim(nn.Module):
    """1 - MS-SSIM, per channel of RGB and then averaged.

    Args:
        levels: scales, 1 to 5, each half as large as the one before. The paper has 5, which needs pictures of 176
            pixels; with fewer, the first weights are divided by their sum. 1 is SSIM.

    Raises:
        ValueError: ``levels`` out of range.
    """

    def __init__(self, levels: int = 4) -> None:
        super().__init__()
        if not 1 <= levels <= len(LEVEL_WEIGHTS):
            nearest = min(max(levels, 1), len(LEVEL_WEIGHTS))
            raise ValueError(f"levels={levels} must be from 1 to {len(LEVEL_WEIGHTS)}; take levels={nearest}.")
        first = LEVEL_WEIGHTS[:levels]
        self.weights = tuple(weight / sum(first) for weight in first)

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, 1); 0 where the pictures agree.

        Raises:
            UserError: a side is too small for the levels.
        """
        _check_side(min(prediction.shape[-2:]), len(self.weights))
        return 1 - ms_ssim(at_least_float32(prediction), at_least_float32(target), self.weights).mean()


def _check_side(side: int, levels: int) -> None:
    """The window must fit into the coarsest level."""
    least = WINDOW << (levels - 1)
    if side < least:
        fit = sum(side >= WINDOW << level for level in range(levels))
        remedy = f"take levels={fit}, or" if fit else "take"
        raise UserError(
            f"MS-SSIM with levels={levels} needs pictures of at least {least} pixels a side, not {side}; "
            f"{remedy} a data.crop of at least {least} / scale."
        )
