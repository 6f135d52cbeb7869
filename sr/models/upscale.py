"""Apply a network to decoded pictures."""

import numpy as np
import torch
from torch import nn

from sr.image.resize import bicubic
from sr.types import Picture


def upscale_pixels(network: nn.Module, pixels: np.ndarray, device: torch.device) -> np.ndarray:
    """Upscale one picture as a whole.

    Args:
        network: a generator with attribute ``scale``; call it in evaluation mode.
        pixels: (height, width, 3) uint8 or uint16.
        device: where the network lies.

    Returns:
        (scale*height, scale*width, 3) of the same dtype, rounded.
    """
    top = float(np.iinfo(pixels.dtype).max)
    image = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None].to(device) / top
    with torch.inference_mode():
        result = network(image)[0].float().mul(top).round().clamp(0, top)
    return result.permute(1, 2, 0).cpu().numpy().astype(pixels.dtype)


def upscale_picture(network: nn.Module, picture: Picture, device: torch.device) -> Picture:
    """Upscale a picture; bit depth, alpha (bicubic, since a network knows colours only) and grayness survive.

    Args:
        network: a generator with attribute ``scale``.
        picture: what `sr.image.io.read_picture` gave.
        device: where the network lies.
    """
    pixels = upscale_pixels(network, picture.pixels, device)
    alpha = None if picture.alpha is None else _upscale_alpha(picture.alpha, *pixels.shape[:2])
    if picture.gray:
        mean = np.rint(pixels.mean(axis=2, dtype=np.float64)).astype(pixels.dtype)
        pixels = np.repeat(mean[:, :, None], 3, axis=2)
    return Picture(pixels, alpha, picture.gray)


def _upscale_alpha(alpha: np.ndarray, height: int, width: int) -> np.ndarray:
    top = float(np.iinfo(alpha.dtype).max)
    image = torch.from_numpy(alpha.astype(np.float32))[None, None] / top
    result = bicubic(image, size=(height, width))[0, 0].mul(top).round().clamp(0, top)
    return result.numpy().astype(alpha.dtype)
