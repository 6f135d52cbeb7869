"""Files with the same picture: a perceptual hash finds candidates, a small copy of the picture decides."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

SIDE = 32
"""Side of the small copy in pixels."""

_BITS = 8  # an 8x8 block of cosine coefficients gives 64 bits
_TABLE = 2**21  # hashes compared at a time

NEAR_BITS = 12
"""Hashes that differ in more of their 64 bits are of different pictures."""

SAME_SHAPE = 0.99
"""Correlation above which two small copies show the same picture."""

SAME_DETAIL = 0.9
"""The same for what remains of them above the lowest frequencies, which many photographs share."""

_FLAT = 2.0  # standard deviation in gray levels of 255 below which a picture has nothing to recognise


def small_copy(pixels: np.ndarray) -> np.ndarray:
    """The luma of a picture, shrunk to `SIDE` x `SIDE` by averaging whatever its shape.

    Args:
        pixels: (height, width, 3) uint8 RGB.

    Returns:
        (`SIDE`, `SIDE`) uint8.
    """
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))


def perceptual_hash(small: np.ndarray) -> int:
    """64 bits that change little when a picture is resized, recompressed or made a little brighter.

    The signs of the 8x8 lowest cosine coefficients (without the constant one) about their median, as in
    "pHash" (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, 3.2.1).

    Args:
        small: what `small_copy` gives.
    """
    block = cv2.dct(small.astype(np.float32))[1 : _BITS + 1, 1 : _BITS + 1].ravel()
    return int.from_bytes(np.packbits(block > np.median(block)).tobytes(), "big")


def same_picture(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two small copies show one picture: correlated as they are, and in their detail too.

    Args:
        first: what `small_copy` gives.
        second: likewise.
    """
    one, two = first.astype(np.float32), second.astype(np.float32)
    if min(one.std(), two.std()) < _FLAT or _correlation(one, two) < SAME_SHAPE:
        return False
    return _correlation(_detail(one), _detail(two)) >= SAME_DETAIL


def near_pairs(hashes: Sequence[int], most: int = NEAR_BITS) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, whose hashes differ in at most ``most`` bits.

    Compares all with all: exact, 6 s on one core for 50,000 pictures and four times that for twice as many. Needs a
    few tens of MiB whatever their number.
    """
    values = np.array(hashes, dtype=np.uint64)
    step = max(1, _TABLE // max(1, len(values)))
    for start in range(0, len(values), step):
        rows, rest = values[start : start + step, None], values[None, start:]
        near = np.bitwise_count(rows ^ rest) <= most
        for i, j in np.argwhere(near).tolist():
            if i < j:
                yield start + i, start + j


def _detail(small: np.ndarray) -> np.ndarray:
    return small - cv2.GaussianBlur(small, (0, 0), 2.0)


def _correlation(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one - one.mean(), two - two.mean()
    norm = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / norm if norm > 0 else 0.0
