"""MATLAB's bicubic resizing of pictures that are read by rows."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from sr.image.bands import BLOCK, Bands, along, bands_of
from sr.image.resize import output_size, taps
from sr.inference.rows import Rows, StripRows

_DENOMINATOR = 1000
"""Of scales as fractions: 1.1 is 11/10, not the binary number next to it."""


def size_at(height: int, width: int, scale: float) -> tuple[int, int]:
    """Rows and columns of a picture enlarged by a scale, both rounded up as MATLAB does."""
    return output_size(height, width, Fraction(scale).limit_denominator(_DENOMINATOR))


def resized(source: Rows, size: tuple[int, int]) -> Rows:
    """A picture at another size, made as it is read; equal to `sr.image.resize.bicubic` of the whole, clipped.

    Args:
        source: the picture.
        size: (height, width).
    """
    if size == (source.height, source.width):
        return source
    return StripRows(*size, _strips(source, size))


def _strips(source: Rows, size: tuple[int, int]) -> Iterator[Tensor]:
    height, width = size
    index, weight = taps(source.height, height, height / source.height, "mirror")
    across = _bands(*taps(source.width, width, width / source.width, "mirror"))
    rows_first = height / source.height <= width / source.width
    for start in range(0, height, BLOCK):
        near, share = index[start : start + BLOCK], weight[start : start + BLOCK]
        low, high = int(near.min()), int(near.max()) + 1
        down = _bands(near - low, share)
        made = source.read(low, high).cpu().double()
        for axis, bands in ((-2, down), (-1, across)) if rows_first else ((-1, across), (-2, down)):
            made = along(made, axis, bands)
        yield made.float().clamp(0, 1)


def _bands(index: np.ndarray, weight: np.ndarray) -> Bands:
    return bands_of(index, weight, torch.float64, torch.device("cpu"))
