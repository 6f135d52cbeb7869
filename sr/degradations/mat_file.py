"""MATLAB's level 5 files, as far as kernels need them: matrices of real numbers, by name.

Read here and not by SciPy, whose reader trusts the sizes that a file claims: a changed byte may end the process by a
signal, which no `except` hears.

Source: MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice

import numpy as np

_HEADER = 128  # bytes: text, offset, version, and two letters that tell the order of bytes
_VERSION = 0x0100  # MATLAB's version 7.3, a file of HDF5, bears the same letters
_HEAD = 512  # bytes of an unpacked matrix, in which its name lies
_LONGEST_NAME = 63  # letters, of MATLAB's
_MOST_SIDES = 8
_MATRIX, _COMPRESSED = 14, 15
_KINDS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's name of a data type by its number in the file."""
_NUMBERS = range(6, 16)  # classes: double, single, and whole numbers of 8 to 64 bits
_COMPLEX = 0x0800
_LARGEST = 1 << 24  # bytes that the wanted matrix may become

Element = tuple[int, bytes]
"""Data type and content."""


def read_mat(data: bytes, wanted: str) -> dict[str, np.ndarray | None]:
    """The names of all that the file holds, with the wanted matrix; None for others, and for one of no real numbers.

    Args:
        data: of the whole file.
        wanted: name of the matrix. Others are not kept: a small file may hold thousands of large ones.

    Raises:
        ValueError: it is damaged, or of another kind.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:_HEADER])
    if order is None or struct.unpack_from(f"{order}H", data, 124) != (_VERSION,):
        raise ValueError("it is no level 5 MAT file; save it with scipy.io.savemat or MATLAB's save -v7")
    found: dict[str, np.ndarray | None] = {}
    for kind, content in _elements(data, _HEADER, order):
        name, matrix = _named(kind, content, order, wanted)
        if name == wanted and name in found:
            raise ValueError(f"it holds {wanted} twice")
        if name is not None:
            found[name] = matrix
    return found


def _named(kind: int, content: bytes, order: str, wanted: str) -> tuple[str | None, np.ndarray | None]:
    """Name and matrix; a compressed one is unpacked as a whole only where it is the wanted one."""
    head = content
    if kind == _COMPRESSED:
        head = _unpacked(content, _HEAD)
        (kind,) = struct.unpack_from(f"{order}I", head.ljust(4, b"\0"))
        head = head[8:]
    if kind != _MATRIX:
        return None, None
    name = _parts(head, order, 3)[2][1][:_LONGEST_NAME].decode("latin-1")
    if name != wanted:
        return name, None
    if head is not content:
        _, content = next(_elements(_whole(content), 0, order))
    return name, _matrix(_parts(content, order, 4), order)


def _elements(data: bytes, start: int, order: str) -> Iterator[Element]:
    while start < len(data):
        if start + 8 > len(data):
            raise ValueError("it ends within an element")
        kind, size = struct.unpack_from(f"{order}II", data, start)
        begin = start + 8
        if kind >> 16:  # a small element: both numbers in one word, the content in the next
            kind, size, begin = kind & 0xFFFF, kind >> 16, start + 4
            if size > 4:
                raise ValueError(f"a small element of {size} bytes, where 4 are the most")
        if begin + size > len(data):
            raise ValueError(f"an element of {size} bytes, of which {len(data) - begin} are there")
        yield kind, data[begin : begin + size]
        end = start + 8 if begin == start + 4 else begin + size
        start = end if kind == _COMPRESSED else -(-end // 8) * 8


def _unpacked(content: bytes, most: int) -> bytes:
    """No more than the first bytes: a small file may become a thousand times as large."""
    try:
        return zlib.decompressobj().decompress(content, most)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _whole(content: bytes) -> bytes:
    unpacked = _unpacked(content, _LARGEST + 1)
    if len(unpacked) > _LARGEST:
        raise ValueError(f"it becomes larger than {_LARGEST >> 20} MiB, which no kernel is")
    return unpacked


def _parts(content: bytes, order: str, most: int) -> list[Element]:
    """Flags, sides, name and values of a matrix."""
    parts = list(islice(_elements(content, 0, order), most))
    if len(parts) < 3 or len(parts[0][1]) < 8:
        raise ValueError("a matrix without name or size")
    return parts


def _matrix(parts: list[Element], order: str) -> np.ndarray | None:
    """None for what is no matrix of real numbers."""
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    if flags & 0xFF not in _NUMBERS or flags & _COMPLEX or len(parts) < 4 or parts[3][0] not in _KINDS:
        return None
    if len(parts[1][1]) > 4 * _MOST_SIDES:
        raise ValueError(f"a matrix of {len(parts[1][1]) // 4} sides, where a kernel has 2")
    sides = _values((5, parts[1][1]), order).tolist()
    values = _values(parts[3], order)
    if min(sides, default=0) < 0 or math.prod(sides) != len(values):
        raise ValueError(f"a matrix of {'x'.join(map(str, sides))} with {len(values)} values")
    return values.reshape(sides, order="F").astype(np.float64)


def _values(element: Element, order: str) -> np.ndarray:
    """Raises a ValueError where the content is no whole number of values."""
    kind, content = element
    return np.frombuffer(content, f"{order}{_KINDS[kind]}")
