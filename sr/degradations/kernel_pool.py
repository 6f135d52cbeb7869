"""Kernels measured on real pictures: read from files, and applied one per sample.

Where a kernel sits: tap k // 2 of a kernel is its origin, as in SciPy, OpenCV and PyTorch. With a stride s the pixel
(i, j) of the result looks at the pixel (s i, s j) of the picture, while a grid without shift would look at the middle
of the s x s pixels, (s - 1) / 2 further on. KernelGAN (Bell-Kligler et al. 2019, arXiv 1909.06581) stores its odd
kernels with their centre of mass already there, at k // 2 + (s - 1) / 2: use those as they are. For kernels that are
centred on their origin (a Gaussian, say) set ``centred``, or low resolution lies half a pixel aside.
"""

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.ndimage
from scipy.io.matlab import MatReadError

from sr.degradations.filters import filtered
from sr.degradations.pictures import Pictures, to_device
from sr.draws import Draws
from sr.errors import UserError
from sr.files import write_atomically
from sr.printable import first_line, printable

MATRICES = (".txt", ".mat")
"""Files with one kernel each."""

SELECTION_SEED = 7
"""Decides which kernels a ``count`` keeps. SR_base used 7 too, but shuffled in the order of its file system."""

_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    NotImplementedError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    KeyError,
    MemoryError,
    OverflowError,
    MatReadError,
)
"""What NumPy and SciPy raise for files that are not what their suffix says."""

_LARGEST_FILE = 1 << 24  # bytes of one kernel; KernelGAN's have some 2000
_LARGEST_STACK = 1 << 28  # bytes of all kernels of a pool
_LARGEST_SIDE = 255

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


def read_kernels(path: str) -> list[tuple[str, np.ndarray]]:
    """Every kernel below a path, in the order of the names.

    Args:
        path: see `KernelPool`.

    Returns:
        Names, and float64 matrices with the sum 1, of any size.

    Raises:
        UserError: there is none, or one cannot be used; the message names the file.
    """
    root = Path(path).expanduser()
    if root.is_dir():
        files = [file for file in root.rglob("*") if file.suffix.lower() in (*MATRICES, ".npz")]
        singles = [file for file in files if file.suffix.lower() in MATRICES]
        files = sorted(singles or files, key=lambda file: file.relative_to(root).as_posix())
        if not files:
            raise UserError(f"{path} has no kernels; give a folder with .txt, .mat or .npz files")
        return [pair for file in files for pair in _from_file(file, file.relative_to(root).as_posix())]
    if not root.is_file():
        raise UserError(f"{path} does not exist; give a file or folder of kernels")
    return _from_file(root, root.name)


def write_kernels(folder: Path | str, kernels: Sequence[np.ndarray] | np.ndarray, names: Sequence[str]) -> Path:
    """Write kernels as text matrices NAME.txt, and all together as kernels.npz (``kernels`` and ``names``).

    Args:
        folder: made where it is missing.
        kernels: matrices, written as float32 without loss; in the .npz on one canvas with the sum 1.
        names: one for each, all different.

    Returns:
        The .npz file.

    Raises:
        UserError: a kernel cannot be used, or the folder cannot be written.
        ValueError: names do not fit.
    """
    if len(names) != len(kernels) or len(set(names)) != len(names):
        raise ValueError(f"{len(kernels)} kernels need as many different names, not {len(set(names))}")
    target = Path(folder)
    usable = [_usable(kernel, str(target / f"{name}.txt")) for name, kernel in zip(names, kernels, strict=True)]
    for name, kernel in zip(names, kernels, strict=True):
        text = io.StringIO()
        np.savetxt(text, np.asarray(kernel, dtype=np.float32).astype(np.float64), fmt="%.17g")
        write_atomically(target / f"{name}.txt", text.getvalue().encode())
    together = io.BytesIO()
    np.savez(together, kernels=on_one_canvas(usable), names=np.array(names, dtype=np.str_))
    write_atomically(target / "kernels.npz", together.getvalue())
    return target / "kernels.npz"


def on_one_canvas(kernels: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Matrices of any sizes on one odd canvas with their origins (tap k // 2) together.

    Returns:
        float32 (count, k, k), each with the sum 1.
    """
    reach = max(side // 2 for kernel in kernels for side in kernel.shape)
    made = np.zeros((len(kernels), 2 * reach + 1, 2 * reach + 1))
    for place, kernel in zip(made, kernels, strict=True):
        height, width = kernel.shape
        top, left = reach - height // 2, reach - width // 2
        place[top : top + height, left : left + width] = kernel / kernel.sum(dtype=np.float64)
    return made.astype(np.float32)


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


def _from_file(file: Path, name: str) -> list[tuple[str, np.ndarray]]:
    try:
        suffix = file.suffix.lower()
        if suffix == ".npz":
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                return _from_stack(_of_npz(archive, file), name, file)
        if file.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"larger than {_LARGEST_FILE >> 20} MiB, which no kernel is")
        if suffix == ".mat":
            return [(name, _usable(_of_mat(file), str(file)))]
        text = file.read_text()
        matrix = np.loadtxt(io.StringIO(text)) if text.strip() else np.empty(0)
        return [(name, _usable(matrix, str(file)))]
    except _UNREADABLE as error:
        raise UserError(
            f"{printable(file)} cannot be read as a kernel ({first_line(error)}); mend or remove it"
        ) from error


def _of_npz(archive: Any, file: Path) -> np.ndarray:
    """The entry ``kernels``, after making sure that it is no larger than kernels are, and as large as it says."""
    _check_entry(archive.files, "kernels", file)
    entry = archive.zip.getinfo("kernels.npy")
    with archive.zip.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = reader(stream)
    if max(entry.file_size, math.prod(shape) * kind.itemsize) > _LARGEST_STACK:
        raise ValueError(f"an array of {'x'.join(map(str, shape))}, which no pool of kernels is")
    return np.asarray(archive["kernels"])


def _of_mat(file: Path) -> np.ndarray:
    shapes = {name: shape for name, shape, _ in scipy.io.whosmat(file)}
    _check_entry(shapes, "Kernel", file)
    if math.prod(shapes["Kernel"]) > _LARGEST_FILE:
        raise ValueError(f"an array of {'x'.join(map(str, shapes['Kernel']))}, which no kernel is")
    return np.asarray(scipy.io.loadmat(file, variable_names=["Kernel"])["Kernel"])


def _from_stack(stack: np.ndarray, name: str, file: Path) -> list[tuple[str, np.ndarray]]:
    matrices = stack[None] if stack.ndim == 2 else stack
    if len(matrices) == 0:
        raise ValueError("it has none")
    return [(f"{name}[{i}]", _usable(matrix, f"{file}[{i}]")) for i, matrix in enumerate(matrices)]


def _check_entry(held: Iterable[str], key: str, file: Path) -> None:
    if key not in held:
        names = ", ".join(sorted(printable(name)[:40] for name in held if not name.startswith("__"))[:5]) or "nothing"
        raise UserError(f"{printable(file)} holds {names} but no {key}; store the kernel under {key}")


def _usable(kernel: np.ndarray, file: str) -> np.ndarray:
    file = printable(file)
    if np.iscomplexobj(kernel):
        raise UserError(f"{file} holds complex numbers; make the kernel anew or remove it")
    kernel = np.asarray(kernel, dtype=np.float64)
    if kernel.ndim != 2 or kernel.size == 0:
        shape = _shape(kernel) if kernel.size else "nothing"
        raise UserError(f"{file} holds {shape} instead of a matrix with several rows and columns; mend or remove it")
    if not np.isfinite(kernel).all():
        raise UserError(f"{file} holds values that are not finite; make the kernel anew or remove it")
    if max(kernel.shape) > _LARGEST_SIDE:
        raise UserError(
            f"{file} holds {_shape(kernel)} values; a kernel has {_LARGEST_SIDE} at most in a row or column"
        )
    total = kernel.sum()
    if total <= 1e-3 * np.abs(kernel).sum():
        raise UserError(f"{file} sums to {total:.3g}, so that it cannot be scaled to 1; make it anew or remove it")
    return kernel / total


def _shape(kernel: np.ndarray) -> str:
    return "x".join(map(str, kernel.shape))
