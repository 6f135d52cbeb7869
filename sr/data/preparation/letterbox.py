"""Black bars around a frame: measure them, test for them, cut them off."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

DARK_MEAN, DARK_PEAK = 14.0, 32.0
"""A line belongs to a bar where its mean and its 98th percentile, in levels of 0..255, are at most these: black
with the noise of a lossy video, not a dark scene."""

BARS_BLACK = 0.012
"""Mean over the whole frame, in units of [-1, 1] with black at 0, below which what a crop removes counts as black."""


class Bars(NamedTuple):
    """Widths of the bars in pixels."""

    top: int
    bottom: int
    left: int
    right: int


NO_BARS = Bars(0, 0, 0, 0)


def letterbox(pixels: np.ndarray) -> Bars:
    """Bars of one frame; none where the frame is too dark to tell.

    Args:
        pixels: (height, width, 3) uint8 RGB.

    Returns:
        Rows at the top and bottom and columns at the left and right that are black. A scene that is dark at its
        border looks like a bar: over several frames `common_letterbox` tells them apart.
    """
    return _measured(pixels) or NO_BARS


def common_letterbox(frames: Iterable[np.ndarray]) -> Bars:
    """Bars that frames of one size share: of each side the width that most frames show.

    Frames too dark to tell are passed over; dark scenes and subtitles inside a bar are outvoted. Of two widths
    equally frequent the narrower is taken, because picture lost is worse than a line of black.

    Args:
        frames: (height, width, 3) uint8 RGB each, all of one size.

    Returns:
        The bars; none where no frame could tell.
    """
    seen = [bars for bars in map(_measured, frames) if bars is not None]
    if not seen:
        return NO_BARS
    return Bars(*(_most_frequent([bars[side] for bars in seen]) for side in range(4)))


def _most_frequent(values: list[int]) -> int:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _measured(pixels: np.ndarray) -> Bars | None:
    """The bars, or None where they would leave less than a third of the height or the width."""
    peak = pixels.max(axis=2)
    top, bottom = _dark_ends(peak)
    inside = peak[top : len(peak) - bottom]  # above and below the picture, columns are black anyway
    left, right = _dark_ends(inside.T)
    height, width = peak.shape
    if 3 * (top + bottom) > 2 * height or 3 * (left + right) > 2 * width:
        return None
    return Bars(top, bottom, left, right)


def _dark_ends(peak: np.ndarray) -> tuple[int, int]:
    """How many first and last rows of (rows, columns) are black; all rows where none is not."""
    if peak.size == 0:
        return len(peak), 0
    dark = (peak.mean(axis=1) <= DARK_MEAN) & (np.quantile(peak, 0.98, axis=1) <= DARK_PEAK)
    bright = np.flatnonzero(~dark)
    if len(bright) == 0:
        return len(peak), 0
    return int(bright[0]), int(len(peak) - 1 - bright[-1])


def centred(height: int, width: int, crop_height: int, crop_width: int) -> Bars:
    """What a centre crop removes; of an odd margin the smaller half lies at the top and the left.

    Raises:
        ValueError: the crop is empty or larger than the frame.
    """
    if not (1 <= crop_height <= height and 1 <= crop_width <= width):
        raise ValueError(f"a crop of {crop_width}x{crop_height} does not fit into a frame of {width}x{height}")
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return Bars(top, height - crop_height - top, left, width - crop_width - left)


def fitted(height: int, width: int, ratio: float) -> tuple[int, int]:
    """The largest (height, width) of an aspect ratio (width / height) that fits into a frame."""
    if width > height * ratio:
        return height, max(1, round(height * ratio))
    return max(1, round(width / ratio)), width


def without(pixels: np.ndarray, bars: Bars) -> np.ndarray:
    """The frame inside the bars, a view."""
    height, width = pixels.shape[:2]
    return pixels[bars.top : height - bars.bottom, bars.left : width - bars.right]


def bar_brightness(pixels: np.ndarray, bars: Bars) -> float:
    """How bright the bars are, as the mean over the whole frame.

    In units of [-1, 1] shifted so that black is 0: a bar of level v adds 2 v / 255 times its share of the frame's
    area. Compared with `BARS_BLACK`, as in the experiment log of the anime runs, a frame passes where bar
    brightness times area share is below about 1.5 levels.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        bars: what would be cut off.

    Returns:
        0 (black, or no bars) to 2.
    """
    # Whole numbers, so that the sum inside and the sum of all cancel exactly.
    outside = int(pixels.sum(dtype=np.int64)) - int(without(pixels, bars).sum(dtype=np.int64))
    return 2 / 255 * outside / pixels.size
