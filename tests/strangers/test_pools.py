"""Kernels and noise of strangers."""

import io
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
import scipy.io

from sr.degradations.kernel_pool import KernelPool
from sr.errors import UserError
from tests.strangers.mark import MARK
from tests.strangers.test_networks import Evil


def npy(shape, data=b"", kind="'<f8'"):
    """An array that claims a shape."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def npz(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def saved(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def mat(compress=False, **arrays):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, arrays, do_compression=compress)
    return buffer.getvalue()


def mat_of_claimed(shape):
    """A .mat whose matrix claims a shape and has one value."""
    dims = struct.pack("<ii", *shape)
    body = struct.pack("<II", 6, 8) + struct.pack("<II", 6, 0) + struct.pack("<II", 5, 8) + dims
    body += struct.pack("<II", 1, 6) + b"Kernel\0\0" + struct.pack("<II", 9, 8) + struct.pack("<d", 1.0)
    element = struct.pack("<II", 14, len(body)) + body
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + element


POOLS = {
    "objects.npz": saved(kernels=np.array([Evil()], dtype=object)),
    "claimed.npz": npz(kernels=npy((10**6, 10**6))),
    "claimed_more.npz": npz(kernels=npy((2**40, 2**40))),
    "negative.npz": npz(kernels=npy((-1, 3))),
    "bomb.npz": npz(kernels=npy((6000, 6000), bytes(6000 * 6000 * 8))),
    "code_in_header.npz": npz(kernels=npy(f"__import__('os').system('touch {MARK}')")),
    "no_array.npz": npz(kernels=b"text"),
    "python2_objects.npz": npz(kernels=npy((1,), b"cos\nsystem\n(S'x'\ntR.", "'|O'")),
    "text.npz": saved(kernels=np.array([["a", "b"]])),
    "complex.npz": saved(kernels=np.ones((3, 3)) * 1j),
    "nan.npz": saved(kernels=np.full((1, 3, 3), np.nan)),
    "large.npz": saved(kernels=np.ones((1, 300, 3))),
    "four.npz": saved(kernels=np.ones((1, 1, 3, 3))),
    "none.npz": saved(kernels=np.ones((0, 3, 3))),
    "other.npz": saved(**{"\x1b[2J": np.ones(3)}),
    "no_zip.npz": b"PK\x03\x04" + bytes(100),
    "a_pickle.npz": b"\x80\x04cos\nsystem\n.",
    "objects.mat": mat(Kernel=np.array([[np.ones(3), "x"]], dtype=object)),
    "struct.mat": mat(Kernel={"a": np.ones(3)}),
    "text.mat": mat(Kernel="os.system"),
    "claimed.mat": mat_of_claimed((2**30, 2**30)),
    "claimed_a_little.mat": mat_of_claimed((2**12, 2**11)),
    "negative.mat": mat_of_claimed((-1, 3)),
    "bomb.mat": mat(compress=True, Kernel=np.zeros((5000, 5000))),
    "large.mat": mat(Kernel=np.ones((300, 300))),
    "other.mat": mat(Other=np.ones(3)),
    "broken.mat": mat(compress=True, Kernel=np.ones((9, 9)))[:150],
    "zlib.mat": b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM" + struct.pack("<II", 15, 64) + zlib.compress(bytes(9)),
    "large.txt": b"1 " * (1 << 23) + b" ",
    "long.txt": b"1 " * 1000 + b"\n",
    "text.txt": f"__import__('os').system('touch {MARK}')".encode(),
    "binary.txt": bytes(range(256)),
    "huge.txt": b"1e400 1\n1 1\n",
    "empty.txt": b"",
}


@pytest.mark.parametrize("name", POOLS)
def test_kernels(name, tmp_path):
    (tmp_path / name).write_bytes(POOLS[name])
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as error:
        _ = KernelPool(str(tmp_path / name)).kernels
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500
    assert "allow_pickle" not in str(error.value), "NumPy's advice is to trust the file"


@pytest.fixture(autouse=True)
def nothing_runs():
    from pathlib import Path

    yield
    assert not Path(MARK).exists()


def test_a_pipe_among_kernels_is_not_waited_for(tmp_path):
    for name in ("p.txt", "p.mat", "p.npz"):
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        os.mkfifo(folder / name)
        with pytest.raises(UserError, match=rf"{name} cannot be read as a kernel \(it is no file\); mend or remove it"):
            _ = KernelPool(str(folder)).kernels
