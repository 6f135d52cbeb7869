"""Correlation of each picture with a kernel of its own."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from sr.degradations.pictures import at_once, portions

_FFT_STEP = 32
"""Sides of Fourier transforms are multiples of this: fast on a CPU, and a GPU plans few different ones."""

_SMALL = 13
"""Up to this side a CPU is faster with the sums themselves than with Fourier transforms; times the stride.

Twice as fast at 13, equal at about 19: 16 pictures of 192x192, one core of an AMD EPYC with AVX512-BF16, 2026-11-29.
"""


def filtered(
    pixels: Float[Tensor, "batch channel extended_height extended_width"],
    kernels: Float[Tensor, "batch k k"],
    stride: int = 1,
    together: bool | None = None,
) -> Float[Tensor, "batch channel height width"]:
    """Correlate each picture with its own kernel, all channels alike.

    Args:
        pixels: pictures grown by k // 2 on all sides, float32 (batch, channels, height + k - 1, width + k - 1).
        kernels: float32 (batch, k, k) on the same device, k odd.
        stride: keep every so many pixels, beginning with the first.
        together: see `sr.degradations.pictures.Pictures`.

    Returns:
        (batch, channels, ceil(height / stride), ceil(width / stride)).
    """
    together = at_once(together, pixels.device)
    if not together and kernels.shape[-1] <= _SMALL * stride:
        return _directly(pixels, kernels[:, None], stride)
    parts = portions(len(pixels), together)
    made = [by_fourier(pixels[part], kernels[part])[..., ::stride, ::stride] for part in parts]
    return made[0] if len(made) == 1 else torch.cat(made)


def filtered_twice(
    pixels: Float[Tensor, "batch channel extended_height extended_width"],
    taps: Float[Tensor, "batch k"],
    together: bool | None = None,
) -> Float[Tensor, "batch channel height width"]:
    """As `filtered`, with the kernel taps^T taps.

    Args:
        pixels: pictures grown by k // 2 on all sides, float32.
        taps: float32 (batch, k), k odd.
        together: see `sr.degradations.pictures.Pictures`.

    Returns:
        (batch, channels, height, width).
    """
    return filtered(pixels, taps[:, :, None] * taps[:, None, :], together=together)


def _directly(pixels: Tensor, kernels: Tensor, stride: int = 1) -> Tensor:
    """Every channel of every picture as a group of one convolution: fast on a CPU, and each by itself to the bit."""
    batch, channels, height, width = pixels.shape
    weights = kernels.repeat_interleave(channels, dim=0)
    made = F.conv2d(pixels.reshape(1, batch * channels, height, width), weights, groups=batch * channels, stride=stride)
    return made.reshape(batch, channels, *made.shape[-2:])


def by_fourier(pixels: Tensor, kernels: Tensor) -> Tensor:
    """The picture's spectrum times the conjugate of the kernel's; what wraps around lies outside of what is kept."""
    height, width = pixels.shape[-2:]
    k = kernels.shape[-1]
    sides = tuple(-(-side // _FFT_STEP) * _FFT_STEP for side in (height, width))
    spectrum = torch.fft.rfft2(pixels, s=sides) * torch.fft.rfft2(kernels, s=sides).conj()[:, None]
    return torch.fft.irfft2(spectrum, s=sides)[..., : height - k + 1, : width - k + 1]
