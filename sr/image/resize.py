"""Bicubic resizing as MATLAB's ``imresize`` defines it, once bit for bit and once fast and differentiable.

The low-resolution files of the classic test sets were made with MATLAB's ``imresize``. Its definition: Keys'
cubic kernel with a = -0.5 (R. Keys, "Cubic convolution interpolation for digital image processing", 1981,
eq. 15), stretched by 1/scale when shrinking (antialiasing), weights normalised per output pixel, one pass
per axis. On 8-bit pictures the result of each pass is rounded and clipped to 8 bits.
"""

import math
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sr.image.bands import Bands, along, bands_of
from sr.image.uncompiled import uncompiled
from sr.types import Image

Edge = Literal["mirror", "replicate"]
"""What lies beyond the border: newer MATLAB mirrors the picture, older MATLAB repeats its last pixel.

The two differ only within the kernel's reach of the border.
"""

Scale = int | float | Fraction
Taps = tuple[Int[np.ndarray, "out taps"], Float[np.ndarray, "out taps"]]

CACHED_AXES = 64


def cubic(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Keys' cubic convolution kernel with a = -0.5, zero beyond 2 (Keys 1981, eq. 15)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def taps(length: int, out: int, scale: float, edge: Edge, antialias: bool = True) -> Taps:
    """Which input pixels make each output pixel of one axis, and with what weight.

    Args:
        length: input pixels along the axis.
        out: output pixels along the axis.
        scale: output pixels per input pixel; need not equal out / length where the size was rounded up.
        edge: what lies beyond the border.
        antialias: stretch the kernel by 1/scale when shrinking.

    Returns:
        Input indices and float64 weights, both (out, taps); each row of weights sums to 1.
    """
    stretch = min(scale, 1.0) if antialias else 1.0
    width = 4 / stretch
    centre = (np.arange(1, out + 1) / scale) + 0.5 * (1 - 1 / scale)
    first = np.floor(centre - width / 2)
    position = first[:, None] + np.arange(math.ceil(width) + 2)
    weight = stretch * cubic(stretch * (centre[:, None] - position))
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.flatnonzero(weight.any(axis=0))
    position, weight = position[:, used].astype(np.int64) - 1, weight[:, used]
    if edge == "mirror":
        position %= 2 * length
        index = np.where(position < length, position, 2 * length - 1 - position)
    else:
        index = position.clip(0, length - 1)
    return index, weight


def output_size(height: int, width: int, scale: Scale) -> tuple[int, int]:
    """Size that MATLAB gives a picture resized by ``scale``: both sides rounded up.

    Args:
        height: input rows.
        width: input columns.
        scale: output pixels per input pixel. A Fraction is exact; a float rounds up its own binary error,
            as MATLAB does (1.1 times 10 pixels are 12).

    Returns:
        Output rows and columns.

    Raises:
        ValueError: the scale is not positive.
    """
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}; Fraction(1, 2) halves a picture")
    return math.ceil(height * scale), math.ceil(width * scale)


def _plan(height: int, width: int, scale: Scale | None, size: tuple[int, int] | None) -> list[tuple[int, int, float]]:
    """(axis from the front of height, output pixels, scale) of both passes, the stronger shrinking first."""
    if (scale is None) == (size is None):
        raise ValueError(f"give either scale or size, got scale={scale} and size={size}")
    if size is not None:
        if min(size) < 1:
            raise ValueError(f"size must be at least 1x1 (height, width), got {size}")
        passes = [(0, size[0], size[0] / height), (1, size[1], size[1] / width)]
    else:
        assert scale is not None
        rows, columns = output_size(height, width, scale)
        passes = [(0, rows, float(scale)), (1, columns, float(scale))]
    return sorted(passes, key=lambda one: one[2])


def imresize(
    pixels: UInt8[np.ndarray, "height width *channels"],
    scale: Scale | None = None,
    size: tuple[int, int] | None = None,
    edge: Edge = "mirror",
) -> UInt8[np.ndarray, "out_height out_width *channels"]:
    """MATLAB's ``imresize(pixels, scale, 'bicubic')`` of an 8-bit picture, bit for bit.

    Args:
        pixels: picture as a file holds it, 0..255.
        scale: output pixels per input pixel, such as Fraction(1, 3); the size is rounded up.
        size: (height, width) of the result, instead of ``scale``.
        edge: "mirror" as newer MATLAB does, "replicate" as older MATLAB did.

    Returns:
        The resized picture, each of the two passes rounded half up and clipped to 0..255.

    Raises:
        ValueError: neither or both of scale and size given, or one of them not positive.
    """
    for axis, out, ratio in _plan(pixels.shape[0], pixels.shape[1], scale, size):
        index, weight = taps(pixels.shape[axis], out, ratio, edge)
        lines = np.ascontiguousarray(pixels.swapaxes(0, axis))
        shape = (out,) + (1,) * (lines.ndim - 1)
        total = np.zeros((out, *lines.shape[1:]))
        for tap in range(index.shape[1]):  # one after the other: the order of the sum decides exact halves
            total += lines[index[:, tap]] * weight[:, tap].reshape(shape)
        pixels = (total + 0.5).clip(0, 255).astype(np.uint8).swapaxes(0, axis)
    return np.ascontiguousarray(pixels)


@lru_cache(maxsize=CACHED_AXES)
def _bands(length: int, out: int, scale: float, edge: Edge, antialias: bool, device: torch.device) -> Bands:
    """The taps of one axis as dense blocks on a device."""
    index, weight = taps(length, out, scale, edge, antialias)
    return bands_of(index, weight, torch.float32 if device.type == "mps" else torch.float64, device)


@uncompiled
def bicubic(
    image: Image,
    scale: Scale | None = None,
    size: tuple[int, int] | None = None,
    edge: Edge = "mirror",
    antialias: bool = True,
    clip: bool = False,
) -> Float[Tensor, "batch channel out_height out_width"]:
    """Bicubic resizing on any device, differentiable, equal to :func:`imresize` up to its roundings.

    The sums run in float64 (float32 on MPS, which has none): neither autocast nor TF32 touches them, and
    their rounding does not depend on the batch. ``torch.compile`` leaves it as it is; networks that are to be
    exported use :class:`sr.models.bicubic.Bicubic`.

    Args:
        image: pictures in [0, 1].
        scale: output pixels per input pixel; the size is rounded up.
        size: (height, width) of the result, instead of ``scale``.
        edge: what lies beyond the border, see :data:`Edge`.
        antialias: stretch the kernel when shrinking, as MATLAB does.
        clip: clip to [0, 1] after each pass, as MATLAB does with 8-bit pictures; no gradient flows where it
            clips. Without, bicubic overshoots at sharp edges.

    Returns:
        (batch, channel, out height, out width) in the image's dtype. With ``clip`` and rounded to 8 bits it
        lies within one gray level of :func:`imresize`; without, a few levels off at saturated edges.

    Raises:
        ValueError: neither or both of scale and size given, or one of them not positive.
    """
    wide = image.to(torch.float32 if image.device.type == "mps" else torch.float64)
    for axis, out, ratio in _plan(image.shape[-2], image.shape[-1], scale, size):
        bands = _bands(wide.shape[2 + axis], out, ratio, edge, antialias, wide.device)
        wide = along(wide, axis - 2, bands)
        wide = wide.clamp(0, 1) if clip else wide
    return wide.to(image.dtype)
