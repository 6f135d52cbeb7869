"""Files with blur kernels: text matrices, KernelGAN's .mat, .npz; read with care, as strangers send them."""

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sr.degradations.mat_file import read_mat
from sr.errors import UserError
from sr.files import write_atomically
from sr.printable import first_line, printable

MATRICES = (".txt", ".mat")
"""Files with one kernel each."""

_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    KeyError,
    MemoryError,
    OverflowError,
    SyntaxError,
    RuntimeError,
    tokenize.TokenError,
)
"""What NumPy raises for files that are not what their suffix says."""

_LARGEST_FILE = 1 << 24  # bytes of one kernel; KernelGAN's have some 2000
_LARGEST_STACK = 1 << 28  # bytes of all kernels of a pool
_LARGEST_SIDE = 255


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


def _from_file(file: Path, name: str) -> list[tuple[str, np.ndarray]]:
    try:
        suffix = file.suffix.lower()
        if not file.is_file():  # a pipe would be waited for
            raise ValueError("it is no file")
        if suffix == ".npz":
            if not zipfile.is_zipfile(file):  # NumPy would advise to trust it
                raise ValueError("it is no .npz archive")
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
    if kind.hasobject:
        raise ValueError("an array of objects, not of numbers")
    if max(entry.file_size, math.prod(shape) * kind.itemsize) > _LARGEST_STACK:
        raise ValueError(f"an array of {'x'.join(map(str, shape))}, which no pool of kernels is")
    return np.asarray(archive["kernels"])


def _of_mat(file: Path) -> np.ndarray:
    found = read_mat(file.read_bytes(), "Kernel")
    _check_entry(found, "Kernel", file)
    if found["Kernel"] is None:
        raise ValueError("its Kernel is no matrix of real numbers")
    return found["Kernel"]


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
        shape = "nothing" if not kernel.size else _shape(kernel) if kernel.ndim else "one number"
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
