"""How wide dark lines are drawn."""

import math

import torch

from sr.metrics.profiles import AWAY, STEP, Pictures, Plane, line_places, of_each, reached, sampled, top_after
from sr.types import PerPicture

_REACH = 8.0  # pixels
_DEEP = 0.1  # of lines in the truth, beside either side
_LEAST = 0.02  # of lines that are still there


def line_width(sr: Pictures, hr: Pictures) -> PerPicture:
    """Mean width of the dark lines of the true picture, as a picture draws them.

    A line is as wide as it is at half of its depth, on either side for itself: what lies left and right of it may be of
    different brightness. It may lie up to 2.5 pixels elsewhere. Direction, contrast and brightness do not count. Blur
    widens lines as soon as its reach is theirs: one with a Gaussian profile of sigma s has 2.355 s.

    Args:
        sr: super-resolved pictures, RGB or Y in [0, 1].
        hr: their truths; as ``sr`` they give the width of the truth's lines.

    Returns:
        Pixels, at most 16; NaN where the truth has no line that is darker than both of its sides by 0.1.

    Raises:
        UserError: the sizes differ.
    """
    return of_each(_width, sr, hr)


def _width(one: Plane, true: Plane) -> float:
    places = line_places(true, _REACH)
    _, deep = _across(sampled(true, places, _REACH), _DEEP)
    widths, there = _across(sampled(one, places, _REACH), _LEAST)
    found = widths[deep & there]
    return float(found.mean()) if len(found) else math.nan


def _across(profiles: torch.Tensor, least: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Width of each dip at half of its depth, in pixels, and whether it is so deep on both sides."""
    middle, away, last = profiles.shape[1] // 2, round(AWAY / STEP), profiles.shape[1] - 1
    bottom = profiles[:, middle - away : middle + away + 1].argmin(dim=1) + middle - away
    depth = profiles.gather(1, bottom[:, None])[:, 0]
    width, there = torch.zeros_like(depth), torch.ones_like(depth, dtype=torch.bool)
    for side, start in ((profiles, bottom), (profiles.flip(1), last - bottom)):
        top = top_after(side, start)
        width = width + reached(side, start, (top + depth) / 2) * STEP
        there = there & (top - depth > least)
    return width, there
