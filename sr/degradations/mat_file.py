"""MATLAB's level 5 files, as far as kernels need them: matrices of real numbers, by name.

Read here and not by SciPy, whose reader trusts the sizes that a file claims: a changed byte may end the process by a
signal, which no `except` hears.

Source: MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

_HEADER = 128  # bytes: text, offset, version, and two letters that tell the order of bytes
_MATRIX, _COMPRESSED = 14, 15
_KINDS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's name of a data type by its number in the file."""
_NUMBERS = range(6, 16)  # classes: double, single, and whole numbers of 8 to 64 bits
_COMPLEX = 0x0800
_LARGEST = 1 << 24  # bytes that a compressed matrix may become

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
    if order is None:
        raise ValueError("it is no level 5 MAT file; save it with scipy.io.savemat or MATLAB's save -v7")
    found: dict[str, np.ndarray | None] = {}
    for kind, content in _elements(data, _HEADER, order):
        if kind == _COMPRESSED:
            content = _unpacked(content)
            kind, content = next(_elements(content, 0, order), (0, b""))
        if kind == _MATRIX:
            name, matrix = _matrix(content, order, wanted)
            found[name] = matrix
    return found


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


def _unpacked(content: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(content, _LARGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if unpacker.unconsumed_tail:
        raise ValueError(f"it becomes larger than {_LARGEST >> 20} MiB, which no kernel is")
    if not unpacker.eof:
        raise ValueError("its compressed part is cut off")
    return unpacked


def _matrix(content: bytes, order: str, wanted: str) -> tuple[str, np.ndarray | None]:
    parts = list(_elements(content, 0, order))
    if len(parts) < 3 or len(parts[0][1]) < 8:
        raise ValueError("a matrix without name or size")
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    sides = _values((5, parts[1][1]), order).tolist()
    name = parts[2][1].decode("latin-1")
    if (
        name != wanted
        or flags & 0xFF not in _NUMBERS
        or flags & _COMPLEX
        or len(parts) < 4
        or parts[3][0] not in _KINDS
    ):
        return name, None
    values = _values(parts[3], order)
    if min(sides, default=0) < 0 or math.prod(sides) != len(values):
        raise ValueError(f"a matrix of {'x'.join(map(str, sides))} with {len(values)} values")
    return name, values.reshape(sides, order="F").astype(np.float64)


def _values(element: Element, order: str) -> np.ndarray:
    """Raises a ValueError where the content is no whole number of values."""
    kind, content = element
    return np.frombuffer(content, f"{order}{_KINDS[kind]}")
