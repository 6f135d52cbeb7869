"""Apply a network to decoded pictures."""

import numpy as np
import torch
from torch import nn

from sr.image.autocast import full_float32
from sr.image.color import gray_again
from sr.image.io import to_image, to_pixels
from sr.models.outputs import picture_of
from sr.types import UserError


class NotFiniteError(UserError):
    """A network made something that is no picture."""


def upscale_pixels(network: nn.Module, pixels: np.ndarray, device: torch.device, gray: bool = False) -> np.ndarray:
    """Upscale one picture as a whole.

    Args:
        network: a generator with attribute ``scale``; call it in evaluation mode.
        pixels: (height, width, 3) uint8 or uint16.
        device: where the network lies.
        gray: the picture is gray, and stays so.

    Returns:
        (scale*height, scale*width, 3) of the same dtype, rounded.

    Raises:
        NotFiniteError: the network's output is not finite; rounded it would be a black picture.
    """
    with torch.inference_mode(), full_float32():
        result = picture_of(network(to_image(pixels).to(device))).float()
        if not bool(result.isfinite().all()):
            raise NotFiniteError("what the network makes of this picture is infinite or not a number")
    return to_pixels(gray_again(result.clamp(0, 1)) if gray else result, deep=pixels.dtype == np.uint16)
