"""Resizing of every picture of a batch to its own size, in its own mode."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from sr.degradations.pictures import Pictures, to_device
from sr.image.autocast import without_autocast
from sr.image.separable import DARKEST, resized
from sr.image.taps import Mode, taps


def resized_each(
    pictures: Pictures,
    heights: np.ndarray,
    widths: np.ndarray,
    modes: Sequence[str],
    gamma: float | None,
) -> Pictures:
    """Resize every picture to its own size in its own mode; one whose size stays keeps its values.

    By itself each picture is computed on exactly its pixels: the fewest sums, and no bit of them depends on the batch.
    Together all are computed in two products with dense weights.

    Args:
        pictures: of any sizes.
        heights: (batch,) rows of each result.
        widths: (batch,) columns of each result.
        modes: (batch,) of :data:`sr.image.taps.Mode`.
        gamma: see :func:`sr.image.separable.resized`.

    Returns:
        On the smallest canvas that holds them all.
    """
    make = _together if pictures.together else _one_by_one
    return pictures.with_sizes(make(pictures, heights, widths, modes, gamma), heights, widths)


def _one_by_one(
    pictures: Pictures,
    heights: np.ndarray,
    widths: np.ndarray,
    modes: Sequence[str],
    gamma: float | None,
) -> Tensor:
    shape = (len(pictures), pictures.pixels.shape[1], int(heights.max()), int(widths.max()))
    full = heights.min() == shape[2] and widths.min() == shape[3]
    made = (torch.empty if full else torch.zeros)(shape, device=pictures.pixels.device)
    own = zip(pictures.heights.tolist(), pictures.widths.tolist(), strict=True)
    new = zip(heights.tolist(), widths.tolist(), strict=True)
    for i, (size, old, mode) in enumerate(zip(new, own, modes, strict=True)):
        picture = pictures.pixels[i : i + 1, :, : old[0], : old[1]]
        if size != old:
            # A copy, so that where the picture lay in memory cannot decide how its sums are vectorised.
            picture = resized(picture.clone(memory_format=torch.contiguous_format), size, cast(Mode, mode), gamma)
        made[i : i + 1, :, : size[0], : size[1]] = picture
    return made


def _together(
    pictures: Pictures,
    heights: np.ndarray,
    widths: np.ndarray,
    modes: Sequence[str],
    gamma: float | None,
) -> Tensor:
    device, (rows, columns) = pictures.pixels.device, pictures.canvas
    made = pictures.pixels
    if not pictures.filled:  # the weights are zero there, but zero times an undefined value need not be
        inside = to_device(np.arange(rows)[None] < pictures.heights[:, None], device)[:, None, :, None]
        inside = inside & to_device(np.arange(columns)[None] < pictures.widths[:, None], device)[:, None, None, :]
        made = torch.where(inside, made, 0)
    made = made if gamma is None else made.clamp(DARKEST, 1).pow(gamma)
    down = _dense(pictures.heights, heights, modes, (rows, int(heights.max())), device)
    across = _dense(pictures.widths, widths, modes, (columns, int(widths.max())), device)
    with without_autocast(device):
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
