"""Kernels measured on real pictures: read from files, and applied one per sample.

Where a kernel sits: tap k // 2 of a kernel is its origin, as in SciPy, OpenCV and PyTorch. With a stride s the pixel
(i, j) of the result looks at the pixel (s i, s j) of the picture, while a grid without shift would look at the middle
of the s x s pixels, (s - 1) / 2 further on. KernelGAN (Bell-Kligler et al. 2019, arXiv 1909.06581) stores its odd
kernels with their centre of mass already there, at k // 2 + (s - 1) / 2: use those as they are. For kernels that are
centred on their origin (a Gaussian, say) set ``centred``, or low resolution lies half a pixel aside.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.ndimage

from sr.degradations.filters import filtered
from sr.degradations.kernel_files import on_one_canvas, read_kernels
from sr.degradations.pictures import Pictures, to_device
from sr.draws import Draws
from sr.errors import UserError

SELECTION_SEED = 7
"""Decides which kernels a ``count`` keeps. SR_base used 7 too, but shuffled in the order of its file system."""

_MARGIN = 3
"""Room for the ringing of an interpolated shift, pixels."""


@dataclass(frozen=True, repr=False)
class KernelPool:
    """Kernels from files, read when they are first needed.

    Attributes:
        path: a text matrix (one row per line), a .mat of KernelGAN or RealSR (key ``Kernel``), an .npz (key
            ``kernels``: (n, k, k) or (k, k)), or a folder that is searched for .txt and .mat through all levels.
            A folder's .npz files are read only where it has neither: `write_kernels` leaves both.
        count: use only so many of them, chosen by chance but the same on every machine; a larger count keeps the
            choice of a smaller one. None uses all.

    Raises:
        ValueError: ``count`` is not positive.
    """

    path: str
    count: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError(f"count={self.count} must be at least 1, or null for all kernels")

    def __repr__(self) -> str:
        count, k, _ = self.kernels.shape
        return f"KernelPool({count} of {k}x{k}, {digest(self.kernels)})"

    @property
    def kernels(self) -> np.ndarray:
        """float32 (count, k, k), k odd, each with the sum 1.

        Smaller kernels are centred in the largest; an even side gets an empty row or column at its end, so that tap
        k // 2 stays the origin.

        Raises:
            UserError: a file cannot be used, there is none, or fewer than ``count``.
        """
        return self._read[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Where each kernel came from.

        Raises:
            UserError: as for `kernels`.
        """
        return self._read[0]

    @cached_property
    def _read(self) -> tuple[tuple[str, ...], np.ndarray]:
        found = read_kernels(self.path)
        if self.count is not None:
            if self.count > len(found):
                raise UserError(
                    f"count={self.count} kernels are asked for, but {self.path} has {len(found)}; "
                    f"set count={len(found)}, or null for all"
                )
            order = np.argsort(Draws(SELECTION_SEED, np.arange(len(found))).uniform("kernels")[:, 0], kind="stable")
            found = [found[i] for i in order[: self.count]]
        return tuple(name for name, _ in found), on_one_canvas([kernel for _, kernel in found])


@dataclass(frozen=True, repr=False)
class PooledBlur:
    """Correlate each sample with a random kernel of a pool, all channels alike; borders are mirrored.

    With ``stride`` this is the downscaling of RealSR and of SR_base's experiments from 16 on; heights and widths
    become ceil(size / stride). Where the pixels lie: see the module's text.

    Attributes:
        pool: file or folder of kernels, see `KernelPool`.
        stride: keep every so many pixels, beginning with the first.
        count: see `KernelPool`.
        flips: mirror and transpose the kernels by chance, around the middle of the low-resolution pixel; for kernels
            with their centre of mass there.
        centred: move each kernel's centre of mass to where low resolution has no shift (cubic splines, as KernelGAN
            does). Changes nothing for kernels of KernelGAN made for this stride.

    Raises:
        ValueError: a setting is out of its range.
    """

    pool: str
    stride: int = 1
    count: int | None = None
    flips: bool = False
    centred: bool = False

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"stride={self.stride} must be at least 1")
        KernelPool(self.pool, self.count)

    def __repr__(self) -> str:
        return f"PooledBlur({self._pool!r}, stride={self.stride}, flips={self.flips}, centred={self.centred})"

    @cached_property
    def _pool(self) -> KernelPool:
        return KernelPool(self.pool, self.count)

    @cached_property
    def kernels(self) -> np.ndarray:
        """The pool as it is applied, but for flips: float32 (count, k, k).

        Raises:
            UserError: as for `KernelPool.kernels`.
        """
        kernels = self._pool.kernels
        if self.centred:
            kernels = on_one_canvas([shifted_to(kernel, (self.stride - 1) / 2) for kernel in kernels])
        if self.flips:
            kernels = np.pad(kernels, ((0, 0), (self.stride - 1,) * 2, (self.stride - 1,) * 2))
        return kernels

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Blur, and keep every ``stride``-th pixel."""
        chosen = draws.integers("kernel", len(self.kernels))
        draws.note("kernel", [self._pool.names[i] for i in chosen.tolist()])
        kernels = self.kernels[chosen]
        if self.flips:
            kernels = flipped(kernels, draws.uniform("flips", 3) < 0.5, self.stride)
        extended = pictures.mirrored(kernels.shape[-1] // 2)
        made = filtered(extended, to_device(kernels, extended.device), self.stride, pictures.together)
        heights, widths = -(-pictures.heights // self.stride), -(-pictures.widths // self.stride)
        return pictures.with_sizes(made, heights, widths)


def shifted_to(kernel: np.ndarray, offset: float) -> np.ndarray:
    """Move a kernel's centre of mass to ``offset`` pixels right of and below its origin, by cubic splines.

    Returns:
        float64, a larger matrix; the same one where the centre is there to a thousandth of a pixel.
    """
    kernel = np.asarray(kernel, dtype=np.float64)
    shift = [
        side // 2 + offset - centre
        for side, centre in zip(kernel.shape, scipy.ndimage.center_of_mass(kernel), strict=True)
    ]
    if max(map(abs, shift)) < 1e-3:
        return kernel
    room = int(np.ceil(max(map(abs, shift)))) + _MARGIN
    return scipy.ndimage.shift(np.pad(kernel, room), shift, order=3)


def flipped(kernels: np.ndarray, coins: np.ndarray, stride: int) -> np.ndarray:
    """Mirror (coins 0 and 1) and transpose (coin 2) around the point (stride - 1) / 2 beside the origin.

    Args:
        kernels: (batch, k, k), k odd, zero within ``stride - 1`` of the border.
        coins: (batch, 3) bool.
        stride: of the correlation.
    """
    # Tap o goes to (stride - 1) - o, counted from the origin.
    index = np.arange(kernels.shape[-1])[::-1] + (stride - 1)
    index = np.where(index < kernels.shape[-1], index, 0)
    made = np.where(coins[:, 0, None, None], kernels[:, index, :], kernels)
    made = np.where(coins[:, 1, None, None], made[:, :, index], made)
    return np.where(coins[:, 2, None, None], made.transpose(0, 2, 1), made)


def digest(kernels: np.ndarray) -> str:
    """Sixteen letters that stand for the values."""
    return hashlib.blake2b(repr(kernels.shape).encode() + kernels.tobytes(), digest_size=8).hexdigest()
