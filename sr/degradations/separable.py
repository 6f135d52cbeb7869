"""Resizing as two products with weights: ``W_y @ x @ W_x.T``, of whole batches or of every picture to its own size."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sr.degradations.pictures import Pictures, to_device
from sr.degradations.taps import Mode, taps
from sr.types import Image

DARKEST = 1e-6
"""Lower bound in linear light: the root's slope is infinite at 0."""

BLOCK = 128
"""Output pixels per matrix product: small enough that few weights are zero, large enough to be fast."""


@torch.compiler.disable
def resized(
    image: Image, size: tuple[int, int], mode: Mode = "bicubic", gamma: float | None = None
) -> Float[Tensor, "batch channel out_height out_width"]:
    """Resize a batch to one size; differentiable, on any device, in float32 or wider whatever surrounds it.

    Args:
        image: pictures, [0, 1] where ``gamma`` is given, any range otherwise.
        size: (height, width) of the result.
        mode: see :data:`sr.degradations.taps.Mode`.
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
    with torch.autocast(image.device.type, enabled=False):
        for axis in shrunk_first:
            made = _along(made, axis, size[axis], mode)
    made = made if gamma is None else made.clamp(DARKEST, 1).pow(1 / gamma)
    return made.to(image.dtype)


def resized_each(
    pictures: Pictures,
    heights: np.ndarray,
    widths: np.ndarray,
    modes: Sequence[str],
    canvas: tuple[int, int],
    gamma: float | None,
) -> Pictures:
    """Resize every picture to its own size in its own mode; one whose size stays keeps its values.

    A CPU works on one picture after the other, each on exactly its pixels: the fewest sums, and no bit of them
    depends on the batch. A GPU takes all in two products with dense weights.

    Args:
        pictures: of any sizes.
        heights: (batch,) rows of each result.
        widths: (batch,) columns of each result.
        modes: (batch,) of :data:`sr.degradations.taps.Mode`.
        canvas: (height, width) that a GPU gives the results; a CPU takes the smallest that holds them.
        gamma: see :func:`resized`.
    """
    make = _one_by_one if pictures.pixels.device.type == "cpu" else _together
    pixels = make(pictures, heights, widths, modes, canvas, gamma)
    return Pictures(pixels, heights, widths, pictures.lr_size)


def _one_by_one(
    pictures: Pictures,
    heights: np.ndarray,
    widths: np.ndarray,
    modes: Sequence[str],
    canvas: tuple[int, int],
    gamma: float | None,
) -> Tensor:
    shape = (len(pictures), pictures.pixels.shape[1], int(heights.max()), int(widths.max()))
    made = torch.zeros(shape) if heights.min() < shape[2] or widths.min() < shape[3] else torch.empty(shape)
    own = zip(pictures.heights.tolist(), pictures.widths.tolist(), strict=True)
    new = zip(heights.tolist(), widths.tolist(), strict=True)
    for i, (size, old, mode) in enumerate(zip(new, own, modes, strict=True)):
        picture = pictures.pixels[i : i + 1, :, : old[0], : old[1]]
        if size != old:
            # A copy, so that where the picture lay in memory cannot decide how its sums are vectorised.
            picture = resized(picture.clone(memory_format=torch.contiguous_format), size, mode, gamma)
        made[i : i + 1, :, : size[0], : size[1]] = picture
    return made


def _together(
    pictures: Pictures,
    heights: np.ndarray,
    widths: np.ndarray,
    modes: Sequence[str],
    canvas: tuple[int, int],
    gamma: float | None,
) -> Tensor:
    device, (rows, columns) = pictures.pixels.device, pictures.canvas
    made = pictures.pixels
    if not pictures.filled:  # the weights are zero there, but zero times an undefined value need not be
        inside = to_device(np.arange(rows)[None] < pictures.heights[:, None], device)[:, None, :, None]
        inside = inside & to_device(np.arange(columns)[None] < pictures.widths[:, None], device)[:, None, None, :]
        made = torch.where(inside, made, 0)
    made = made if gamma is None else made.clamp(DARKEST, 1).pow(gamma)
    down = _dense(pictures.heights, heights, modes, (rows, canvas[0]), device)
    across = _dense(pictures.widths, widths, modes, (columns, canvas[1]), device)
    with torch.autocast(device.type, enabled=False):
        made = torch.bmm(made.flatten(1, 2), across.mT).unflatten(1, (-1, rows))
        made = down[:, None] @ made
    return made if gamma is None else made.clamp(DARKEST, 1).pow(1 / gamma)


def _dense(
    lengths: np.ndarray, outs: np.ndarray, modes: Sequence[str], shape: tuple[int, int], device: torch.device
) -> Tensor:
    """(batch, largest out, largest length) weights on the device; only those that are not zero travel there."""
    found = [
        taps(length, out, "nearest" if length == out else mode)
        for length, out, mode in zip(lengths.tolist(), outs.tolist(), modes, strict=True)
    ]
    run = max(weight.shape[1] for _, weight in found)
    first, weights = np.zeros((len(found), shape[1]), np.int64), np.zeros((len(found), shape[1], run), np.float32)
    for i, (start, weight) in enumerate(found):
        first[i, : len(start)] = start
        weights[i, : len(start), : weight.shape[1]] = weight
    index = to_device(first, device)[:, :, None] + torch.arange(run, device=device)
    dense = torch.zeros(len(found), shape[1], shape[0], device=device)
    return dense.scatter_add_(2, index.clamp_(max=shape[0] - 1), to_device(weights, device))


def _along(image: Tensor, axis: int, out: int, mode: Mode) -> Tensor:
    """Resize one axis, -1 or -2."""
    bands = _bands(image.shape[axis], out, mode, image.device, image.dtype)
    if axis == -1:
        blocks = [image[..., low:high] @ weight for low, high, weight in bands]
    else:
        blocks = [weight.T @ image[..., low:high, :] for low, high, weight in bands]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=axis)


@lru_cache(maxsize=128)
def _bands(
    length: int, out: int, mode: Mode, device: torch.device, dtype: torch.dtype
) -> tuple[tuple[int, int, Tensor], ...]:
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
