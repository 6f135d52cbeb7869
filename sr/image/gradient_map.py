"""Gradient maps of pictures (SPSR: Ma et al. 2020, arXiv 2003.13081): where edges are and how high, without colours."""

from typing import Literal

import torch
from torch import Tensor

from sr.types import Image

Border = Literal["replicate", "zero"]
"""What lies beyond the border: the last pixel again, or black as in the source, which draws a frame of false edges."""

EPSILON = 1e-6
"""Under the root, as in the source: the root's slope is infinite at 0."""


def gradient_map(image: Image, border: Border = "replicate") -> Image:
    """M = sqrt(v^2 + h^2 + 1e-6) of every channel, where v and h are central differences without the factor 1/2.

    v = I(y + 1) - I(y - 1) and h = I(x + 1) - I(x - 1); M is the length of (v, h), as in the paper's "gradient branch".

    Args:
        image: (batch, channel, height, width).
        border: what lies beyond it, see :data:`Border`.

    Returns:
        The same shape, float32 or wider; in [0.001, about sqrt(2)] for pictures in [0, 1].
    """
    image = image.to(torch.promote_types(image.dtype, torch.float32))
    return (_difference(image, -2, border).square() + _difference(image, -1, border).square() + EPSILON).sqrt()


def _difference(image: Tensor, axis: int, border: Border) -> Tensor:
    """Next minus previous pixel along an axis."""
    length = image.shape[axis]
    first, last = image.narrow(axis, 0, 1), image.narrow(axis, length - 1, 1)
    if border == "zero":
        first, last = torch.zeros_like(first), torch.zeros_like(last)
    # Not F.pad(mode="replicate"): its backward pass sums in no fixed order on a GPU.
    wide = torch.cat((first, image, last), dim=axis)
    return wide.narrow(axis, 2, length) - wide.narrow(axis, 0, length)
