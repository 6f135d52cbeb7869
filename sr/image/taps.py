"""Which input pixels make each output pixel of a resize, and with what weight: one axis at a time, in float64."""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from sr.image.resize import cubic
from sr.image.resize import taps as matlab_taps

Mode = Literal[
    "nearest", "area", "bilinear", "bilinear_aa", "bicubic", "bicubic_aa", "bicubic_aligned", "lanczos", "matlab"
]
"""How to resize. All but `nearest` and `bicubic_aligned` keep every point of the picture at its relative place.

- `nearest`: the pixel at floor(i * input / output), as PyTorch and OpenCV have it; shifts by up to half a pixel.
- `area`: average over the output pixel's exact footprint, OpenCV's INTER_AREA. Enlarging, that repeats pixels and
  blends where a footprint lies on two. PyTorch's `area` is the same at whole factors only.
- `bilinear`, `bicubic`: 2 and 4 neighbours however small the result, so shrinking aliases; bicubic with
  a = -0.75. OpenCV's INTER_LINEAR and INTER_CUBIC, PyTorch with align_corners=False.
- `bilinear_aa`, `bicubic_aa`, `lanczos`: the kernel (bicubic with a = -0.5, Lanczos with 3 lobes) stretched when
  shrinking and cut off at the border, as Pillow and PyTorch's antialias=True.
- `bicubic_aligned`: as `bicubic`, but the centres of the corner pixels stay: PyTorch's align_corners=True.
- `matlab`: MATLAB's imresize: as `bicubic_aa`, but the picture is mirrored beyond its border.
"""

Taps = tuple[Int[np.ndarray, "out"], Float[np.ndarray, "out taps"]]
"""First input pixel of each output pixel, and the weights of it and its successors."""

Raw = tuple[np.ndarray, np.ndarray]
"""Input positions, possibly outside the picture, and their weights; both (out, taps)."""

Kernel = Callable[[np.ndarray], np.ndarray]


def triangle(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear interpolation: 1 - |x| within 1."""
    return np.maximum(1 - np.abs(x), 0.0)


def sharp_cubic(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Keys' cubic kernel with a = -0.75 (Keys 1981, eq. 4 with his a free), as OpenCV and PyTorch have it."""
    x = np.abs(x)
    near = (1.25 * x - 2.25) * x * x + 1
    far = ((-0.75 * x + 3.75) * x - 6) * x + 3
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def lanczos3(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """sinc(x) sinc(x / 3) within 3 (Duchon 1979, "Lanczos filtering in one and two dimensions")."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


@lru_cache(maxsize=1024)
def taps(length: int, out: int, mode: Mode) -> Taps:
    """The weights of one axis.

    Args:
        length: input pixels along the axis.
        out: output pixels along the axis.
        mode: see :data:`Mode`.

    Returns:
        First input pixel (out,) and weights (out, taps); each row of weights sums to 1, and
        first + taps <= length.
    """
    position, weight = _RAW[mode](length, out)
    return _compact(position.clip(0, length - 1), weight, length)


def _compact(position: np.ndarray, weight: np.ndarray, length: int) -> Taps:
    """Positions inside the picture, in any order and repeated, as runs of neighbours."""
    used = weight != 0
    first = np.where(used, position, length).min(axis=1)
    run = int((np.where(used, position, -1).max(axis=1) - first).max()) + 1
    first = np.minimum(first, length - run)
    rows = np.broadcast_to(np.arange(len(weight))[:, None], weight.shape)
    runs = np.zeros((len(weight), run))
    np.add.at(runs, (rows[used], (position - first[:, None])[used]), weight[used])
    return first, runs


def _nearest(length: int, out: int) -> Raw:
    return (np.arange(out) * length // out)[:, None], np.ones((out, 1))


def _area(length: int, out: int) -> Raw:
    edge = (np.arange(out + 1) * length / out)[:, None]
    left, right = edge[:-1], edge[1:]
    position = np.floor(left).astype(np.int64) + np.arange(math.ceil(length / out) + 1)
    covered = np.maximum(np.minimum(right, position + 1) - np.maximum(left, position), 0)
    return position, covered / covered.sum(axis=1, keepdims=True)


def _interpolated(length: int, out: int, kernel: Kernel, reach: int, aligned: bool = False) -> Raw:
    """Neighbours of the point that an output pixel's centre comes from; beyond the border its pixel repeats."""
    i = np.arange(out)[:, None]
    centre = i * ((length - 1) / max(out - 1, 1)) if aligned else (i + 0.5) * length / out - 0.5
    position = np.floor(centre).astype(np.int64) + np.arange(1 - reach, reach + 1)
    return position, kernel(centre - position)


def _antialiased(length: int, out: int, kernel: Kernel, reach: int) -> Raw:
    stretch = max(length / out, 1.0)
    centre = (np.arange(out)[:, None] + 0.5) * length / out - 0.5
    first = np.floor(centre - reach * stretch).astype(np.int64)
    position = first + np.arange(2 * math.ceil(reach * stretch) + 2)
    weight = kernel((position - centre) / stretch) * ((position >= 0) & (position < length))
    return position, weight / weight.sum(axis=1, keepdims=True)


def _matlab(length: int, out: int) -> Raw:
    return matlab_taps(length, out, out / length, "mirror")


_RAW: dict[Mode, Callable[[int, int], Raw]] = {
    "nearest": _nearest,
    "area": _area,
    "bilinear": partial(_interpolated, kernel=triangle, reach=1),
    "bilinear_aa": partial(_antialiased, kernel=triangle, reach=1),
    "bicubic": partial(_interpolated, kernel=sharp_cubic, reach=2),
    "bicubic_aa": partial(_antialiased, kernel=cubic, reach=2),
    "bicubic_aligned": partial(_interpolated, kernel=sharp_cubic, reach=2, aligned=True),
    "lanczos": partial(_antialiased, kernel=lanczos3, reach=3),
    "matlab": _matlab,
}
