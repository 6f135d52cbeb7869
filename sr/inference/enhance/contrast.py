"""Automatic contrast: the log's, with its fault, and one that leaves the brightness where it is.

Both look at the range of the luma that is left when some percent of the pixels, half at each end, do not count. The
log's turns about 127, wherever the picture's own middle is, by a slope that grows without limit as the range shrinks,
and lifts the brightness by no more than 64 levels: a dark picture of a small range becomes black, a film blinks. Ours
turns about the middle of the range, ends where black or white is reached, and leaves pictures of no range alone.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sr.image.color import KB, KG, KR
from sr.types import Image

LOG_STRENGTH = 5.0
"""Of the log's, as its command had it."""
MOST = 2.0
"""Largest slope of ours."""

_SOFTNESS, _LIFT = 64.0, 0.5  # the log's t and k
_EMPTY, _FULL = 0.05, 0.25  # ranges between which our change grows from nothing to all of it
_KEPT = 0.9  # share of the last frames in what a frame is changed by
_CUT = 0.1  # a jump of the range from one frame to the next that only another scene makes
_FEW = 1 << 20  # pixels that are looked at; of larger pictures, every second, third, … along each side


@dataclass(frozen=True)
class Limits:
    """Where the luma of a picture lies, in [0, 1].

    Attributes:
        low: below it are half of the pixels that do not count.
        high: above it are the others.
    """

    low: float
    high: float


def limits(image: Image, percent: float) -> Limits:
    """The range of the luma (BT.601 weights), between levels where need be, so that it moves as smoothly as the film.

    Args:
        image: (n, 3, height, width) in [0, 1]; a batch has one range.
        percent: of the pixels that do not count, 0 to 100.
    """
    step = max(1, math.isqrt(image.shape[-2] * image.shape[-1] // _FEW))
    red, green, blue = image[..., ::step, ::step].detach().float().cpu().unbind(1)
    luma = (KR * red + KG * green + KB * blue).clamp(0, 1).flatten().sort().values
    return Limits(*(_quantile(luma, share) for share in (percent / 200, 1 - percent / 200)))


def stretched(image: Image, of: Limits) -> Image:
    """Our contrast: the slope of `slope` about the middle of the range.

    Args:
        image: of any shape, in [0, 1].
        of: its range.

    Returns:
        The same shape, in [0, 1].
    """
    middle = (of.low + of.high) / 2
    return (middle + slope(of) * (image - middle)).clamp(0, 1)


def slope(of: Limits) -> float:
    """How much the contrast grows: until an end of the range is black or white, `MOST` at most, never less than 1.

    The middle stays where it is, so a dark scene stays dark; and the slope is a continuous function of the range, so
    that a fade makes no jump.
    """
    spread, middle = of.high - of.low, (of.low + of.high) / 2
    room = 2 * min(middle, 1 - middle)
    fullest = min(room / spread, MOST) if spread > 0 else MOST
    share = min(max((spread - _EMPTY) / (_FULL - _EMPTY), 0.0), 1.0)
    return 1 + share * max(fullest - 1, 0.0)


def steadied(frame: Limits, last: Limits | None) -> Limits:
    """By which range a film's frame is changed: mostly that of the frames before, except after a cut.

    Args:
        frame: its own range.
        last: what this gave for the frame before; None for the first.
    """
    if last is None or max(abs(frame.low - last.low), abs(frame.high - last.high)) > _CUT:
        return frame
    low, high = (_KEPT * a + (1 - _KEPT) * b for a, b in ((last.low, frame.low), (last.high, frame.high)))
    return Limits(low, high)


def log_amounts(of: Limits) -> tuple[int, int]:
    """The log's contrast and brightness, each in -64..64.

    Args:
        of: the range; the log has whole levels of 255, at least one apart.
    """
    low, high = round(255 * of.low), round(255 * of.high)
    high = max(high, low + 1)
    contrast = round(_saturated(LOG_STRENGTH * 255 / (high - low)))
    middle = (low + high) // 2
    return contrast, round(_saturated(_LIFT * LOG_STRENGTH * contrast * (127 - middle) / 128))


def log_contrast(image: Image, of: Limits) -> Image:
    """The log's automatic contrast, as it was: dark pictures of a small range become black.

    Args:
        image: of any shape, in [0, 1].
        of: its range.

    Returns:
        The same shape, in [0, 1].
    """
    contrast, brightness = log_amounts(of)
    lifted = image * 255 * ((255 - abs(brightness)) / 255) + max(brightness, 0)
    factor = 131 * (contrast + 127) / (127 * (131 - contrast))
    return ((factor * lifted + 127 * (1 - factor)) / 255).clamp(0, 1)


def _saturated(value: float) -> float:
    """Towards plus and minus 64."""
    return math.copysign(_SOFTNESS * (1 - math.exp(-abs(value) / _SOFTNESS)), value)


def _quantile(ordered: Tensor, share: float) -> float:
    """The value below which a share of the ordered ones lies, between two of them by a straight line."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    pair = ordered[torch.tensor([below, min(below + 1, len(ordered) - 1)])].tolist()
    return pair[0] + (place - below) * (pair[1] - pair[0])
