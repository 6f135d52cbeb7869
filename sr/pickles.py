"""Files of PyTorch's own format, read without running anything in them, and without dying of them.

PyTorch's restricted reader runs no code, but it takes hashes of tuples: of deeply nested ones that overflows the stack
of the process, which then dies without a word, and of those that hold one another many times over it takes for ever.
"""

import pickletools
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch

PICKLED = (".pth", ".pt", ".ckpt", ".bin", ".pkl")
"""Endings of PyTorch's own format."""

DEEPEST = 64
"""Tuples within tuples; files of weights have about four."""

LARGEST = 100_000
"""Values of a tuple, counted again wherever a tuple in it is the same one."""

HUNGRY = "bytearray"
"""What the reader makes of any size that a number says; weights need none."""

_ARCHIVE = b"PK\x03\x04"
_PROGRAM = "constants.pkl"  # of TorchScript, which PyTorch refuses
_PICKLES = 5  # of the format before archives: its magic, its version, the machine, the content, keys of tensors
_VALUE = (0, 1)  # of what is no tuple, the depth and how many values it holds; lists and mappings have no hash
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_LEAVES = (
    *("NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "BININT", "BININT1"),
    *("BININT2", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "LONG1", "GLOBAL"),
)
_POPPED = {"BUILD": 1, "APPEND": 1, "SETITEM": 2, "REDUCE": 1, "NEWOBJ": 1}

Weight = tuple[int, int]


class HostileError(Exception):
    """The file is made to kill its reader."""


def unpickled(path: Path, times: int = 1) -> Any:
    """What a file of PyTorch's format holds: tensors on the CPU, containers, plain values.

    Args:
        path: the file.
        times: that an archive may grow when it is unpacked; PyTorch does not compress.

    Raises:
        HostileError: opening it would crash the process or fill the memory.
        Exception: of many kinds, it is damaged or holds other objects.
    """
    _check(path, times)
    return torch.load(path, map_location="cpu", weights_only=True)


def _check(path: Path, times: int) -> None:
    most = times * path.stat().st_size
    with path.open("rb") as file:
        archive = file.read(len(_ARCHIVE)) == _ARCHIVE  # as PyTorch tells them apart
        file.seek(0)
        if not archive:
            for _ in range(_PICKLES):
                check_pickle(file)
            return
        with zipfile.ZipFile(file) as entries:
            _check_unpacked(sum(entry.file_size for entry in entries.infolist()), most)
        file.seek(0)
        reader = torch._C.PyTorchFileReader(file)  # sees what will be read, however ambiguous the archive is
        names = reader.get_all_records()
        _check_unpacked(sum(reader.get_record_size(name) for name in names), most)
        if _PROGRAM not in names:
            check_pickle(BytesIO(reader.get_record("data.pkl")))


def _check_unpacked(unpacked: int, most: int) -> None:
    if unpacked > most:
        raise HostileError(f"it would unpack to {unpacked:,} bytes, and was made to fill the memory")


def check_pickle(file: BinaryIO | BytesIO) -> None:
    """Go through the next pickle of a file as PyTorch's restricted reader will, without building anything.

    Args:
        file: at the pickle's first byte; afterwards behind its last.

    Raises:
        HostileError: tuples nest deeper than `DEEPEST` or unfold to more than `LARGEST`, or `HUNGRY` is called for.
        ValueError: it is no pickle.
        IndexError, KeyError: likewise.
    """
    stack = _Stack()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL" and str(argument).endswith(f" {HUNGRY}"):
            raise HostileError(f"it asks for a {HUNGRY}, which may be of any size, and was made to fill the memory")
        if not stack.follow(opcode.name, argument):
            return  # PyTorch's reader stops there, too


class _Stack:
    """The reader's stack, with the weight of each value in its place."""

    def __init__(self) -> None:
        self._values: list[Weight] = []
        self._marked: list[list[Weight]] = []
        self._memo: dict[int, Weight] = {}

    def follow(self, name: str, argument: object) -> bool:
        """Do what an instruction does; False where the reader knows none such."""
        if name in _TUPLES:
            self._values.append(_tuple_of(self._taken(_TUPLES[name])))
        elif name == "TUPLE":
            items = self._since_mark()  # first: it changes what the values are
            self._values.append(_tuple_of(items))
        elif name in ("APPENDS", "SETITEMS"):
            self._since_mark()
        elif name in _POPPED:
            self._call(name)
        elif name == "MARK":
            self._marked.append(self._values)
            self._values = []
        elif isinstance(argument, int) and name in ("BINGET", "LONG_BINGET"):
            self._values.append(self._memo[argument])
        elif isinstance(argument, int) and name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._values[-1]
        elif name == "BINPERSID":
            self._values[-1] = _VALUE
        elif name in _LEAVES:
            self._values.append(_VALUE)
        else:
            return name == "PROTO"
        return True

    def _call(self, name: str) -> None:
        """What takes values away, and puts a result in place of what was called."""
        taken = self._taken(_POPPED[name])
        if name in ("REDUCE", "NEWOBJ"):
            self._values[-1] = taken[-1]  # at the worst a tuple of another kind

    def _taken(self, count: int) -> list[Weight]:
        return [self._values.pop() for _ in range(count)]

    def _since_mark(self) -> list[Weight]:
        items, self._values = self._values, self._marked.pop()
        return items


def _tuple_of(items: list[Weight]) -> Weight:
    depth = 1 + max((depth for depth, _ in items), default=0)
    size = 1 + sum(size for _, size in items)
    if depth > DEEPEST:
        raise HostileError(f"its tuples nest deeper than {DEEPEST}, which crashes readers")
    if size > LARGEST:
        raise HostileError(f"a tuple in it unfolds to more than {LARGEST:,} values, which stops readers")
    return depth, size
