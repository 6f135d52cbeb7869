"""PSNR by distance to the border of a picture, which the literature's protocol crops away."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from sr.metrics.functional import PSNR_LIMIT, Pictures, y_levels

ZONE_STARTS = (0, 2, 8)
"""Distances to the border in pixels at which a zone begins."""
ZONES = (*(f"{near} to {far - 1} px" for near, far in pairwise(ZONE_STARTS)), f"{ZONE_STARTS[-1]} px and more")


def border_psnr(sr: Pictures, hr: Pictures, gray: bool = False) -> list[float]:
    """PSNR on Y of each zone of one picture, whose pixels have that distance to the nearest border.

    Args:
        sr: a super-resolved picture, [0, 1] or uint8, a batch of one.
        hr: ground truth of the same size.
        gray: it comes from a gray file; the first channel is Y.

    Returns:
        Decibels in the order of `ZONES`, up to `PSNR_LIMIT`; NaN where the picture is too small to have the zone.
    """
    squared = (y_levels(sr, gray) - y_levels(hr, gray)).square()[0, 0]
    distance = _distance(*squared.shape)
    inside = [(distance >= near) & (distance < far) for near, far in pairwise((*ZONE_STARTS, math.inf))]
    return [_decibels(squared[zone]) for zone in inside]


def _distance(height: int, width: int) -> Float[Tensor, "{height} {width}"]:
    """Of each pixel to the nearest border, 0 for the outermost."""
    rows, columns = (torch.minimum(line, line.flip(0)) for line in (torch.arange(height), torch.arange(width)))
    return torch.minimum(rows[:, None], columns[None]).float()


def _decibels(squared: Tensor) -> float:
    if len(squared) == 0:
        return math.nan
    mean = float(squared.double().mean())
    return PSNR_LIMIT if mean == 0 else min(PSNR_LIMIT, 10 * math.log10(255**2 / mean))
