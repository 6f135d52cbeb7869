"""Resizing in any mode, as two products with weights: ``W_y @ x @ W_x.T``."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr.image.autocast import without_autocast
from sr.image.bands import Bands, along, bands_of
from sr.image.taps import Mode, taps
from sr.image.uncompiled import uncompiled
from sr.types import Image

GAMMA = 2.2
"""Of linear light: a display's, roughly."""

DARKEST = 1e-6
"""Lower bound in linear light: the root's slope is infinite at 0."""


@uncompiled
def resized(
    image: Image, size: tuple[int, int], mode: Mode = "bicubic", gamma: float | None = None
) -> Float[Tensor, "batch channel out_height out_width"]:
    """Resize a batch to one size; differentiable, on any device, in float32 or wider whatever surrounds it.

    Args:
        image: pictures, [0, 1] where ``gamma`` is given, any range otherwise.
        size: (height, width) of the result.
        mode: see :data:`sr.image.taps.Mode`.
        gamma: resize in linear light: clip to [1e-6, 1] and raise to this power before, to its inverse after.

    Returns:
        (batch, channel, height, width) in the image's dtype; bicubic, Lanczos and MATLAB's kernel overshoot at edges.

    Raises:
        ValueError: a side of the size is below 1.
    """
    if min(size) < 1:
        raise ValueError(f"size must be at least 1x1 (height, width), got {size}")
    made = image if image.dtype == torch.float64 else image.float()
    made = made if gamma is None else made.clamp(DARKEST, 1).pow(gamma)
    shrunk_first = sorted((-2, -1), key=lambda axis: size[axis] / image.shape[axis])
    with without_autocast(image.device):
        for axis in shrunk_first:
            made = along(made, axis, _bands(made.shape[axis], size[axis], mode, made.device, made.dtype))
    made = made if gamma is None else made.clamp(DARKEST, 1).pow(1 / gamma)
    return made.to(image.dtype)


@lru_cache(maxsize=128)
def _bands(length: int, out: int, mode: Mode, device: torch.device, dtype: torch.dtype) -> Bands:
    """The taps of one axis as dense blocks on a device."""
    first, weights = taps(length, out, mode)
    return bands_of(first[:, None] + np.arange(weights.shape[1]), weights, dtype, device)
