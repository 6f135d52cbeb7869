"""Bicubic enlargement as a network: the baseline, and the skip of networks that learn a correction to it."""

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.image.autocast import without_autocast
from sr.image.resize import cubic
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.types import Image

REACH = 2  # taps to each side of the nearest LR pixel: the cubic reaches 2 pixels from an offset of at most 1/2


def polyphase_kernel(scale: int) -> Float[Tensor, "phases 1 taps taps"]:
    """The scale**2 small filters that, interleaved by a pixel shuffle, are bicubic enlargement by ``scale``.

    SR pixel i lies at (i + 1/2) / scale - 1/2 in LR pixels, so its offset from the LR pixel that it divides
    depends on i mod scale only.
    """
    offset = (np.arange(scale) + 0.5) / scale - 0.5
    line = cubic(offset[:, None] - np.arange(-REACH, REACH + 1))
    kernel = np.einsum("pi,qj->pqij", line, line).reshape(scale**2, 1, 2 * REACH + 1, 2 * REACH + 1)
    return torch.from_numpy(kernel).float()


def mirror_columns(image: Image) -> Float[Tensor, "batch channel height width+4"]:
    """Mirror the outermost two columns outwards, the edge pixel included (MATLAB's symmetric padding)."""
    # Slices, not indices, as a single column is its own neighbour; they also export for pictures of every width.
    left = [image[..., :2][..., -1:], image[..., :1]]
    right = [image[..., -1:], image[..., -2:][..., :1]]
    return torch.cat([*left, image, *right], dim=-1)


class Bicubic(nn.Module):
    """Bicubic enlargement, equal to MATLAB's ``imresize`` without its rounding. No parameters.

    It is written as one fixed convolution at the LR size and a pixel shuffle, so that it costs little inside
    other networks and exports as two plain operators. Always computed in float32 at least, outside autocast.

    Args:
        scale: 1, 2, 3, 4 or 8.

    Raises:
        ValueError: any other scale.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE
    kernel: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        self.register_buffer("kernel", polyphase_kernel(scale), persistent=False)

    def forward(self, lr: Image) -> Upscaled:
        """Enlarge (batch, channels, h, w) to (batch, channels, scale*h, scale*w); may overshoot [0, 1]."""
        with without_autocast(lr.device):
            image = lr.to(torch.promote_types(lr.dtype, torch.float32))
            planes = image.flatten(0, 1).unsqueeze(1)
            padded = mirror_columns(mirror_columns(planes).mT).mT
            phases = F.conv2d(padded, self.kernel.to(image.dtype))
            return F.pixel_shuffle(phases, self.scale).unflatten(0, lr.shape[:2]).squeeze(2)
