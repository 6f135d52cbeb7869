"""Pictures that show nearly the same: 64-bit perceptual hashes, compared by the bits in which they differ."""

from functools import cache

import numpy as np
from PIL import Image as pil

BITS = 64
SIDE, KEPT = 32, 8
"""The hash looks at a 32x32 gray picture and keeps its 8x8 lowest frequencies."""


@cache
def _cosines() -> np.ndarray:
    """First ``KEPT`` rows of the orthonormal DCT-II matrix of order ``SIDE``: (KEPT, SIDE) float64."""
    k, n = np.arange(KEPT)[:, None], np.arange(SIDE)[None]
    matrix = np.sqrt(2 / SIDE) * np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


def perceptual_hash(pixels: np.ndarray) -> int:
    """Signs of the lowest frequencies: survives small changes of noise, brightness, contrast and compression.

    The hash known as pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions",
    section 3.2.1): 32x32 gray, DCT-II, the 8x8 lowest coefficients compared with their median. The mean
    (coefficient 0, 0) is left out of the median, and its bit says only whether the picture is bright.

    Args:
        pixels: (height, width, 3) uint8 RGB.

    Returns:
        64 bits, row by row, the lowest frequency in the highest bit.
    """
    small = pil.fromarray(pixels).convert("L").resize((SIDE, SIDE), pil.Resampling.BOX)
    low = _cosines() @ np.asarray(small, np.float64) @ _cosines().T
    bits = low > np.median(low.ravel()[1:])
    bits[0, 0] = low[0, 0] > 127.5 * SIDE
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hamming(a: int, b: int) -> int:
    """Bits in which two hashes differ, 0..64."""
    return (a ^ b).bit_count()


class NearDuplicates:
    """Remembers what was admitted, and refuses what looks nearly the same.

    The answer depends on the order of the calls, so pictures must come in a fixed order.

    Args:
        distance: largest number of differing bits, 0..64, at which two pictures count as the same. Unrelated
            pictures differ in 32 bits on average.

    Raises:
        ValueError: a distance outside 0..64.
    """

    def __init__(self, distance: int) -> None:
        if not 0 <= distance <= BITS:
            nearest = min(max(distance, 0), BITS)
            raise ValueError(f"duplicates is a number of bits between 0 and {BITS}, got {distance}; give {nearest}")
        self.distance = distance
        self.count = 0
        self._hashes = np.zeros(1024, np.uint64)

    def admit(self, pixels: np.ndarray) -> bool:
        """Whether (height, width, 3) uint8 ``pixels`` differ from everything admitted so far; if so, remember them."""
        return self.admit_hash(perceptual_hash(pixels))

    def admit_hash(self, key: int) -> bool:
        """The same by the picture's hash."""
        seen = self._hashes[: self.count]
        if len(seen) and int(np.bitwise_count(seen ^ np.uint64(key)).min()) <= self.distance:
            return False
        self.remember(key)
        return True

    def remember(self, key: int) -> None:
        """Take a hash as admitted without a look, for work that goes on after an interruption."""
        if self.count == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[self.count] = key
        self.count += 1
