"""Colour spaces: studio-range BT.601, in which the super-resolution literature measures luma.

Source: ITU-R BT.601-7, section 2.5 (E'_Y = 0.299 E'_R + 0.587 E'_G + 0.114 E'_B, quantised to 16..235 and
16..240 in 8 bits). The matrices below are that definition written out for pictures in [0, 1].
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sr.types import Image

Luma = Float[Tensor, "batch 1 height width"]

KR, KG, KB = 0.299, 0.587, 0.114
"""Luma weights of BT.601."""

BLACK, LUMA_SPAN, CHROMA_SPAN, CHROMA_ZERO = 16 / 255, 219 / 255, 224 / 255, 128 / 255
"""Studio range of 8-bit video: Y in 16..235, Cb and Cr in 16..240 around 128."""


def luma(image: Float[Tensor, "batch 3 height width"]) -> Luma:
    """Studio-range BT.601 luma.

    Args:
        image: RGB in [0, 1].

    Returns:
        Y in [16/255, 235/255], shape (batch, 1, height, width), in the image's dtype.
    """
    red, green, blue = image.unbind(1)
    return (BLACK + LUMA_SPAN * (KR * red + KG * green + KB * blue)).unsqueeze(1)


def rgb_to_ycbcr(image: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 3 height width"]:
    """Studio-range BT.601 Y, Cb, Cr.

    Args:
        image: RGB in [0, 1].

    Returns:
        Y in [16/255, 235/255], Cb and Cr in [16/255, 240/255], of the same shape.
    """
    red, _, blue = image.unbind(1)
    y = luma(image).squeeze(1)
    full = (y - BLACK) / LUMA_SPAN
    cb = CHROMA_ZERO + CHROMA_SPAN * (blue - full) / (2 * (1 - KB))
    cr = CHROMA_ZERO + CHROMA_SPAN * (red - full) / (2 * (1 - KR))
    return torch.stack((y, cb, cr), dim=1)


def gray_again(image: Image) -> Image:
    """The mean of the three channels in all three: what a network made of a gray picture, gray.

    Before anything is rounded: a mean of rounded channels that is rounded again is another level now and then.

    Args:
        image: (batch, 3, height, width), clipped to [0, 1].
    """
    return image.mean(dim=1, keepdim=True).expand_as(image)
