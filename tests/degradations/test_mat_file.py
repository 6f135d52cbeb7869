"""MATLAB files: as SciPy writes them, and damaged ones, of which none may end the process."""

import io
import tracemalloc
import zlib

import numpy as np
import pytest
import scipy.io

from sr.degradations.kernel_files import read_kernels
from sr.degradations.mat_file import read_mat
from sr.errors import UserError


def saved(compressed=False, **held):
    file = io.BytesIO()
    scipy.io.savemat(file, held, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_matrices_as_scipy_writes_them(kind, compressed):
    matrix = np.random.default_rng(0).integers(0, 100, (13, 7)).astype(kind)
    held = {"Kernel": matrix, "A": np.eye(1), "text": "some", "complex": matrix + 1j, "cell": {"a": 1}}
    data = saved(compressed, **held)
    np.testing.assert_array_equal(read_mat(data, "Kernel")["Kernel"], matrix.astype(float))
    np.testing.assert_array_equal(read_mat(data, "A")["A"], [[1.0]])  # a small element
    for name in ("text", "complex", "cell", "none"):
        assert read_mat(data, name) == dict.fromkeys(held)


def test_the_other_order_of_bytes():
    parts = [(6, np.array([6, 0], ">u4")), (5, np.array([2, 3], ">i4")), (1, np.frombuffer(b"K", "i1"))]
    parts.append((9, np.arange(6, dtype=">f8")))
    matrix = b"".join(element(kind, content.tobytes(), ">") for kind, content in parts)
    found = read_mat(bytes(124) + b"\x01\x00MI" + element(14, matrix, ">"), "K")
    np.testing.assert_array_equal(found["K"], [[0, 2, 4], [1, 3, 5]])


def test_a_small_file_of_many_large_matrices_fills_no_memory(tmp_path):
    large = {f"m{number}": np.zeros((1000, 1000)) for number in range(100)}
    (tmp_path / "k.mat").write_bytes(saved(True, Kernel=np.eye(3), **large))
    tracemalloc.start()
    assert len(read_kernels(str(tmp_path))) == 1
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6  # of 800 MB


def element(kind, content, order="<"):
    return np.array([kind, len(content)], f"{order}u4").tobytes() + content + bytes(-len(content) % 8)


def matrix(name, sides, values=()):
    content = np.asarray(values, "<f8")
    parts = ((6, np.array([6, 0], "<u4")), (5, np.array(sides, "<i4")), (1, np.frombuffer(name, "i1")), (9, content))
    return element(14, b"".join(element(kind, np.asarray(content).tobytes()) for kind, content in parts))


def packed(content):
    content = zlib.compress(content)
    return np.array([15, len(content)], "<u4").tobytes() + content


HEAD = bytes(124) + b"\0\1IM"
KERNEL = matrix(b"Kernel", [3, 3], np.full(9, 1 / 9))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (packed(matrix(b"Kernel", np.full(200_000, 2**31 - 1))), "cannot be read as a kernel"),
        (matrix(b"Kernel", np.full(200_000, 2**31 - 1)), "a matrix of 200000 sides, where a kernel has 2"),
        (packed(matrix(b"n" * (1 << 24), [1, 1])) * 40 + KERNEL, "cannot be read as a kernel"),
        (matrix(b"n" * 10_000, [1, 1]) * 1000 + KERNEL, ""),
        (packed(element(14, bytes(16) * (1 << 19))) * 40, "a matrix without name or size"),
        (packed(matrix(b"other", [1, 1], np.zeros(1 << 21))) * 400 + KERNEL, ""),
        (packed(KERNEL) * 2, "it holds Kernel twice"),
        (KERNEL * 2, "it holds Kernel twice"),
    ],
)
def test_a_small_file_costs_little(tmp_path, data, says):
    """Neither memory nor, which a test that does not end would show, hours."""
    (tmp_path / "k.mat").write_bytes(HEAD + data)
    tracemalloc.start()
    if says:
        with pytest.raises(UserError, match=says):
            read_kernels(str(tmp_path))
    else:
        assert len(read_kernels(str(tmp_path))) == 1
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6


@pytest.mark.parametrize("compressed", [False, True])
def test_every_byte_changed_gives_a_kernel_or_a_sentence(tmp_path, compressed):
    data = saved(compressed, Kernel=np.full((3, 3), 1 / 9))
    path = tmp_path / "k.mat"
    refused = 0
    for place in range(len(data)):
        for value in (0, 8, 255):
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                read_kernels(str(path))
            except UserError as error:
                assert "k.mat" in str(error)  # noqa: PT017
                refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bytes(124) + b"\0\2IM" + bytes(384) + b"\x89HDF\r\n\x1a\n", "it is no level 5 MAT file; save it with"),
        (b"MATLAB", "it is no level 5 MAT file; save it with scipy.io.savemat"),
        (saved(Kernel=np.eye(3))[:-20], "of which"),
        (saved(True, Kernel=np.eye(3))[:-20], "of which"),
        (saved(Kernel="text"), "its Kernel is no matrix of real numbers"),
        (saved(True, Kernel=np.zeros((2000, 2000))), "it becomes larger than 16 MiB, which no kernel is"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, data, says):
    (tmp_path / "k.mat").write_bytes(data)
    with pytest.raises(UserError, match=says):
        read_kernels(str(tmp_path))
