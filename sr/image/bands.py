"""The weights of a resize along one axis as dense blocks, and their products with pictures."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Bands = tuple[tuple[int, int, Tensor], ...]
"""Of each block of output pixels: first input pixel, one past the last, and the weights (inputs, outputs)."""

BLOCK = 128
"""Output pixels per matrix product: small enough that few weights are zero, large enough to be fast."""


def bands_of(
    index: Int[np.ndarray, "out taps"], weight: Float[np.ndarray, "out taps"], dtype: torch.dtype, device: torch.device
) -> Bands:
    """Blocks of `BLOCK` output pixels.

    Args:
        index: input pixels of each output pixel; where one is there twice, its weights add up.
        weight: their weights.
        dtype: of the blocks.
        device: where they are.
    """
    bands = []
    with torch.inference_mode(False):  # else a later training step could not save them for its backward pass
        for start in range(0, len(index), BLOCK):
            near, share = index[start : start + BLOCK], weight[start : start + BLOCK]
            low, high = int(near.min()), int(near.max()) + 1
            dense = np.zeros((high - low, len(near)))
            np.add.at(dense, (near - low, np.arange(len(near))[:, None]), share)
            bands.append((low, high, torch.as_tensor(dense, dtype=dtype, device=device)))
    return tuple(bands)


def along(
    image: Float[Tensor, "batch channel height width"], axis: int, bands: Bands
) -> Float[Tensor, "batch channel out_height out_width"]:
    """Resize one axis, in the dtype of picture and blocks.

    Args:
        image: pictures.
        axis: -1 along the rows, -2 along the columns.
        bands: of this axis.
    """
    if axis == -1:
        blocks = [image[..., low:high] @ weight for low, high, weight in bands]
    else:
        blocks = [weight.T @ image[..., low:high, :] for low, high, weight in bands]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=axis)
