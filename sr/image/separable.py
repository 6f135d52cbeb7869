"""Resizing in any mode, as two products with weights: ``W_y @ x @ W_x.T``."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr.image.autocast import without_autocast
from sr.image.resize import BLOCK, Band
from sr.image.taps import Mode, taps
from sr.types import Image

GAMMA = 2.2
"""Of linear light: a display's, roughly."""

DARKEST = 1e-6
"""Lower bound in linear light: the root's slope is infinite at 0."""


@torch.compiler.disable
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
            made = _along(made, axis, size[axis], mode)
    made = made if gamma is None else made.clamp(DARKEST, 1).pow(1 / gamma)
    return made.to(image.dtype)


def _along(image: Tensor, axis: int, out: int, mode: Mode) -> Tensor:
    """Resize one axis, -1 or -2."""
    bands = _bands(image.shape[axis], out, mode, image.device, image.dtype)
    if axis == -1:
        blocks = [image[..., low:high] @ weight for low, high, weight in bands]
    else:
        blocks = [weight.T @ image[..., low:high, :] for low, high, weight in bands]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=axis)


@lru_cache(maxsize=128)
def _bands(length: int, out: int, mode: Mode, device: torch.device, dtype: torch.dtype) -> tuple[Band, ...]:
    """First input pixel, one past the last, and weights (inputs, outputs) of each block of output pixels."""
    first, weights = taps(length, out, mode)
    bands = []
    with torch.inference_mode(False):  # else a later training step could not save them for its backward pass
        for start in range(0, out, BLOCK):
            here, share = first[start : start + BLOCK], weights[start : start + BLOCK]
            low, high = int(here.min()), int(here.max()) + share.shape[1]
            dense = np.zeros((high - low, len(here)))
            dense[here[:, None] - low + np.arange(share.shape[1]), np.arange(len(here))[:, None]] = share
            bands.append((low, high, torch.as_tensor(dense, dtype=dtype, device=device)))
    return tuple(bands)
