"""Brightness, contrast, colour: one strength per picture of a batch."""

import torch
from jaxtyping import Float
from torch import Tensor

from sr.image.color import KB, KG, KR
from sr.types import Image

PerPicture = Float[Tensor, "batch 1 1 1"]
"""A number for each picture of a batch."""


def contrast(image: Image, brightness: PerPicture, contrast: PerPicture) -> Image:
    """clip(x (1 + contrast) + brightness).

    Args:
        image: RGB in [0, 1].
        brightness: what is added, in units of the whole range: 0.1 adds 25.5 of 255 levels; 0 adds nothing.
        contrast: 0 keeps the slope, 0.2 raises it by a fifth. Black stays black: the pivot is 0, not middle gray.

    Returns:
        The picture in [0, 1], of the same shape.
    """
    return (image * (1 + contrast) + brightness).clamp(0, 1)


def saturation(image: Float[Tensor, "batch 3 height width"], factor: PerPicture) -> Image:
    """Move every colour away from, or towards, the gray of its luma (BT.601 weights, full range), then clip.

    Args:
        image: RGB in [0, 1].
        factor: 0 makes gray, 1 changes nothing, 2 doubles the distance.

    Returns:
        The picture in [0, 1], of the same shape.
    """
    red, green, blue = image.unbind(1)
    gray = (KR * red + KG * green + KB * blue).unsqueeze(1)
    return (gray + (image - gray) * factor).clamp(0, 1)


def gamma(image: Image, exponent: PerPicture) -> Image:
    """x^exponent of the picture clipped to [0, 1].

    Args:
        image: RGB in [0, 1].
        exponent: positive; below 1 brightens, above 1 darkens.

    Returns:
        The picture in [0, 1], of the same shape.
    """
    return image.clamp(0, 1) ** exponent


def hue(image: Float[Tensor, "batch 3 height width"], degrees: PerPicture) -> Image:
    """Turn the hue of HSV (Smith 1978); value and saturation stay.

    Args:
        image: RGB, clipped to [0, 1] first.
        degrees: 120 takes red to green, green to blue and blue to red.

    Returns:
        The picture in [0, 1], of the same shape.
    """
    image = image.clamp(0, 1)
    red, green, blue = image.unbind(1)
    value, low = image.amax(1), image.amin(1)
    chroma = value - low
    divisor = torch.where(chroma > 0, chroma, 1)
    # Sixths of the circle from red, by the channel that is largest.
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sixths = sixths.unsqueeze(1) + degrees / 60
    # Each channel as a function of the hue: a trapezium that is 0 for a third of the circle and 1 for a third.
    start = 5 - 2 * torch.arange(3, device=image.device, dtype=image.dtype)[:, None, None]  # made where it is needed
    place = torch.remainder(start + sixths, 6)
    share = torch.minimum(place, 4 - place).clamp(0, 1)
    return value.unsqueeze(1) - chroma.unsqueeze(1) * share
