"""Gentle denoising in two stages: only what is fine in the noise that non-local means finds is taken away.

Non-local means alone smears lines: what it takes is noise and the soft part of edges. The soft part is what a box blur
of the residual keeps, and it is given back. Source: experiment log, `enhance` (see docs/use.md).
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from sr.data.preparation.noise_patches import SEARCH, denoised
from sr.types import Image

WINDOW, KERNEL = 5, 5
"""Sides of the template of non-local means and of the box, pixels, as in the log."""


def gentle_denoise(image: Image, strength: float, window: int = WINDOW, kernel: int = KERNEL) -> Image:
    """X - (r - blur(r)) with r = x - NLM(x).

    Non-local means works on 8 bits; what it takes is subtracted from the picture as it is, so that one of 16 bits keeps
    them.

    Args:
        image: (n, 3, height, width) float32 RGB in [0, 1].
        strength: h of non-local means, levels of 255; 0 changes nothing.
        window: side of the template, odd.
        kernel: side of the box, odd; 1 takes nothing, as the blur is then the residual itself.

    Returns:
        The same shape, on the same device, in [0, 1].
    """
    if strength == 0:
        return image
    pictures = image.detach().float().clamp(0, 1)
    taken = [_fine_noise(picture, strength, window, kernel) for picture in pictures.cpu()]
    return (pictures - torch.stack(taken).to(image.device)).clamp(0, 1)


def margin(window: int = WINDOW, kernel: int = KERNEL) -> int:
    """Pixels around a piece of a picture that its denoised pixels depend on."""
    return window // 2 + (SEARCH * window) // 2 + kernel // 2


def _fine_noise(picture: Tensor, strength: float, window: int, kernel: int) -> Tensor:
    """What one (3, height, width) picture loses, in units of [0, 1]."""
    pixels = picture.mul(255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    noise = pixels.astype(np.float32) - denoised(pixels, strength, window).astype(np.float32)
    fine = noise - cv2.blur(noise, (kernel, kernel))
    return torch.from_numpy(np.ascontiguousarray(fine.transpose(2, 0, 1))) / 255
