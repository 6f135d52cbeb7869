"""PSNR and SSIM per image, by the protocol of the super-resolution literature.

The protocol: both pictures are rounded to 8 bits; ``scale`` pixels are cropped at each border; ``_y`` means
studio-range BT.601 luma of the 8-bit RGB, ``_rgb`` the three channels. A gray picture is its own Y, unscaled:
turned into RGB first it would be squeezed into 16..235 and gain 1.3 dB.

Y is not rounded to 8 bits. MATLAB's ``rgb2ycbcr`` of a uint8 picture would round it, and that costs about
0.01 dB and 0.0008 SSIM: bicubic on Set14 at x2 gives 30.23 dB without and 30.22 with, published is 30.24.

A mean counts a picture's PSNR up to `PSNR_LIMIT`: a single picture that is reproduced exactly, a black frame say, would
otherwise make it infinite and hide all others. The functions themselves give what is there, infinity included.

torchmetrics is not used: its SSIM does not restrict the mean to the valid region, as Wang et al.'s code does, and its
PSNR, whose digits these are, takes seconds to import.
"""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sr.image.color import luma
from sr.image.ssim import WINDOW, similarity
from sr.types import PerPicture, UserError

Pictures = Float[Tensor, "_ _ _ _"] | UInt8[Tensor, "_ _ _ _"]
"""(batch, channel, height, width), RGB or gray, floating point in [0, 1] or uint8 in 0..255.

The axes are not bound by name: two pictures of different sizes get a message, not a type error.
"""

Levels = Float[Tensor, "batch channel height width"]
"""Gray levels in 0..255, float32."""


PSNR_LIMIT = 10 * math.log10(12 * 255**2)
"""58.92 dB: the error of rounding to 8 bits alone, 1/12 of a squared level in the mean. What lies above it depends on
which way roundings fall, not on the network; no picture of the literature's tables comes near."""


FAINT = 0.1
"""Gray levels per pixel: the mean gradient of photographs is above 1, that of a black frame 0."""


def psnr_y(sr: Pictures, hr: Pictures, scale: int, gray: bool = False) -> PerPicture:
    """PSNR on Y.

    Args:
        sr: super-resolved pictures, [0, 1] or uint8.
        hr: ground truth of the same size, [0, 1] or uint8.
        scale: pixels to crop at each border.
        gray: the pictures come from gray files; the first channel is Y.

    Returns:
        Decibels per image, shape (batch,); infinite where the 8-bit pictures are identical.

    Raises:
        UserError: the sizes differ, or nothing is left after cropping.
    """
    sr, hr = _cropped(sr, hr, scale, least=1)
    return _psnr(y_levels(sr, gray), y_levels(hr, gray))


def psnr_rgb(sr: Pictures, hr: Pictures, scale: int) -> PerPicture:
    """PSNR on RGB, the squared error averaged over all three channels.

    Args:
        sr: super-resolved pictures, [0, 1] or uint8.
        hr: ground truth of the same size, [0, 1] or uint8.
        scale: pixels to crop at each border.

    Returns:
        Decibels per image, shape (batch,); infinite where the 8-bit pictures are identical.

    Raises:
        UserError: the sizes differ, or nothing is left after cropping.
    """
    sr, hr = _cropped(sr, hr, scale, least=1)
    return _psnr(_levels(sr), _levels(hr))


def ssim_y(sr: Pictures, hr: Pictures, scale: int, gray: bool = False) -> PerPicture:
    """SSIM on Y (Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13), Gaussian window, valid region only.

    Args:
        sr: super-resolved pictures, [0, 1] or uint8.
        hr: ground truth of the same size, [0, 1] or uint8.
        scale: pixels to crop at each border.
        gray: the pictures come from gray files; the first channel is Y.

    Returns:
        Mean structural similarity per image, shape (batch,), at most 1.

    Raises:
        UserError: the sizes differ, or less than the 11x11 window is left after cropping.
    """
    sr, hr = _cropped(sr, hr, scale, least=WINDOW)
    return _ssim(y_levels(sr, gray), y_levels(hr, gray))


def ssim_rgb(sr: Pictures, hr: Pictures, scale: int) -> PerPicture:
    """SSIM as :func:`ssim_y`, per channel of RGB, then averaged over the channels.

    Args:
        sr: super-resolved pictures, [0, 1] or uint8.
        hr: ground truth of the same size, [0, 1] or uint8.
        scale: pixels to crop at each border.

    Returns:
        Mean structural similarity per image, shape (batch,), at most 1.

    Raises:
        UserError: the sizes differ, or less than the 11x11 window is left after cropping.
    """
    sr, hr = _cropped(sr, hr, scale, least=WINDOW)
    return _ssim(_levels(sr), _levels(hr))


def sharpness(sr: Pictures, hr: Pictures, scale: int, gray: bool = False) -> PerPicture:
    """How much edge a picture has beside its truth: mean gradient magnitude on Y, as a share of the truth's.

    The gradient is Sobel's (Sobel and Feldman 1968) where its 3x3 filters fit. 1 is as sharp as the truth; blur lies
    below, invented detail and noise above. It says nothing of whether edges are where they belong.

    Args:
        sr: super-resolved pictures, [0, 1] or uint8.
        hr: ground truth of the same size, [0, 1] or uint8.
        scale: pixels to crop at each border.
        gray: the pictures come from gray files; the first channel is Y.

    Returns:
        Ratio per image, shape (batch,); 1 where the truth has less edge than `FAINT`: beside nothing all is infinite.

    Raises:
        UserError: the sizes differ, or less than 3x3 pixels are left after cropping.
    """
    sr, hr = _cropped(sr, hr, scale, least=3)
    own, true = _edges(y_levels(sr, gray)), _edges(y_levels(hr, gray))
    return torch.where(true < FAINT, 1.0, own / true.clamp(min=FAINT))


def measure(sr: Pictures, hr: Pictures, scale: int, gray: bool = False) -> dict[str, float]:
    """All four measures, each the mean over the batch, of which a PSNR counts up to `PSNR_LIMIT`.

    Args:
        sr: super-resolved pictures, [0, 1] or uint8.
        hr: ground truth of the same size, [0, 1] or uint8.
        scale: pixels to crop at each border.
        gray: the pictures come from gray files.

    Returns:
        ``psnr_y`` in dB, ``ssim_y``, ``psnr_rgb`` in dB, ``ssim_rgb``, in this order.

    Raises:
        UserError: the sizes differ, or less than SSIM's 11x11 window is left after cropping.
    """
    _cropped(sr, hr, scale, least=WINDOW)  # first of all: a PSNR would be content with less, and advise less
    values = {
        "psnr_y": psnr_y(sr, hr, scale, gray).clamp(max=PSNR_LIMIT),
        "ssim_y": ssim_y(sr, hr, scale, gray),
        "psnr_rgb": psnr_rgb(sr, hr, scale).clamp(max=PSNR_LIMIT),
        "ssim_rgb": ssim_rgb(sr, hr, scale),
    }
    return {name: float(value.mean()) for name, value in values.items()}


def _edges(y: Float[Tensor, "batch 1 height width"]) -> PerPicture:
    """Mean magnitude of Sobel's gradient, an eighth of the filters' sums: gray levels per pixel."""
    across, down = y[..., 2:] - y[..., :-2], y[..., 2:, :] - y[..., :-2, :]
    x = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 8
    z = (down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]) / 8
    return (x.square() + z.square()).sqrt().mean(dim=(1, 2, 3))


def _levels(pictures: Pictures) -> Levels:
    """Whole gray levels 0..255, as a file would hold them."""
    if pictures.dtype == torch.uint8:
        return pictures.float()
    return pictures.float().mul(255).round().clamp(0, 255)


def y_levels(pictures: Pictures, gray: bool) -> Float[Tensor, "batch 1 height width"]:
    """Y of pictures as a file would hold them, 16..235, not rounded; of gray pictures their levels, 0..255."""
    levels = _levels(pictures)
    return levels[:, :1] if gray or levels.shape[1] == 1 else luma(levels / 255) * 255


def _cropped(sr: Pictures, hr: Pictures, scale: int, least: int) -> tuple[Pictures, Pictures]:
    if sr.shape != hr.shape:
        raise UserError(
            f"cannot compare pictures of {_size(sr)} and {_size(hr)} pixels (width x height x channels); "
            "crop the ground truth to a multiple of the scale before making its low-resolution copy"
        )
    height, width = hr.shape[-2] - 2 * scale, hr.shape[-1] - 2 * scale
    check_side(min(height, width) + 2 * scale, _size(hr), scale, least)
    inside = (..., slice(scale, scale + height), slice(scale, scale + width))
    return sr[inside], hr[inside]


def check_side(side: int, size: str, scale: int, least: int = WINDOW) -> None:
    """Make sure that a picture can be measured.

    Args:
        side: its shorter one in pixels.
        size: of it, for the message.
        scale: pixels to crop at each border; 0 for none.
        least: pixels that must be left.

    Raises:
        UserError: it is too small.
    """
    if scale == 0 and side < least:
        raise UserError(f"a picture of {size} pixels is too small to measure; at least {least}x{least} must be there")
    if side - 2 * scale < least:
        raise UserError(
            f"a picture of {size} pixels is too small to measure: after cropping {scale} pixels at each "
            f"border at least {least}x{least} must be left; use pictures of at least "
            f"{-(-least // scale) * scale + 2 * scale} pixels a side (they are cut to multiples of the scale)"
        )


def _size(pictures: Pictures) -> str:
    return f"{pictures.shape[-1]}x{pictures.shape[-2]}x{pictures.shape[-3]}"


def _psnr(sr: Levels, hr: Levels) -> PerPicture:
    mean = (sr - hr).square().sum(dim=(1, 2, 3)) / sr[0].numel()
    return (2 * math.log(255.0) - mean.log()) * (10 / math.log(10.0))


def _ssim(sr: Levels, hr: Levels) -> PerPicture:
    return similarity(sr, hr, data_range=255.0)[0].mean(dim=1)
