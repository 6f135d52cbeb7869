"""The index of a store: what lies where in its pixels. Every line carries a checksum that continues the one before it.

The lines are JSON. ``check`` always comes first and has eight hexadecimal digits: the CRC-32 of the rest of the line,
begun with that of the line before. So a flipped bit, a line that is missing or doubled, and pages of zeros after a
power cut are noticed, wherever they are. The first line holds the format and the settings, then comes a line per
picture, and the line with ``end`` says that nothing is missing.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, TextIO

_PREFIX, _DIGITS = '{"check": "', 8
_LARGEST = 2**31  # a side or a number beyond this is no picture's


@dataclass(frozen=True)
class Entry:
    """One line of the index: a picture (``reason`` empty) or a refused file (``height`` 0).

    Attributes:
        source: number of the file in its source, which may give several pictures.
        name: for messages and files.
        height: rows.
        width: columns.
        gray: the file has one channel.
        moving: the first frame of several.
        crc: CRC-32 of the pixels.
        reason: why the file cannot be used, or empty.
    """

    source: int
    name: str
    height: int
    width: int
    gray: bool
    moving: bool
    crc: int
    reason: str

    @property
    def size(self) -> int:
        """Bytes in ``pixels.bin``."""
        return self.height * self.width * 3


class Index(NamedTuple):
    """What an index says, as far as its checksums hold.

    Attributes:
        settings: of the store; None where the first line is damaged or missing.
        entries: of pictures and refused files, in order.
        complete: the last line is there, and no line is damaged.
    """

    settings: dict[str, Any] | None
    entries: list[Entry]
    complete: bool


class IndexWriter:
    """Writes an index line by line.

    Args:
        file: opened for writing, empty.
        settings: for the first line.
        entries: pictures that are there already.
    """

    def __init__(self, file: TextIO, settings: dict[str, Any], entries: Iterable[Entry] = ()) -> None:
        self.file = file
        self._crc, self._count = 0, 0
        self._line(settings)
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Write one picture."""
        self._line(vars(entry))
        self._count += 1

    def end(self) -> None:
        """Say that all pictures are there."""
        self._line({"end": self._count})

    def _line(self, content: dict[str, Any]) -> None:
        text = f'", {json.dumps(content)[1:]}\n'
        self._crc = zlib.crc32(text.encode(), self._crc)
        self.file.write(f"{_PREFIX}{self._crc:0{_DIGITS}x}{text}")


def read_index(path: Path) -> Index:
    """Read an index up to its first damaged line. Never raises because of what is in it.

    Args:
        path: of the index; need not exist.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes() if path.is_file() else b""
    lines = data.splitlines(keepends=True)
    contents: list[dict[str, Any]] = []
    crc, head = 0, len(_PREFIX)
    for line in lines:
        rest = line[head + _DIGITS :]
        crc = zlib.crc32(rest, crc)
        if line[: head + _DIGITS] != f"{_PREFIX}{crc:0{_DIGITS}x}".encode():
            break
        try:
            contents.append(json.loads(line))
        except (ValueError, RecursionError):  # by somebody who wrote the checksum too
            break
    return _parsed(contents, whole=len(contents) == len(lines))


def _parsed(lines: list[dict[str, Any]], whole: bool) -> Index:
    if not lines:
        return Index(None, [], complete=False)
    settings = {name: value for name, value in lines[0].items() if name != "check"}
    entries: list[Entry] = []
    for line in lines[1:]:
        if "end" in line:
            ended = line["end"] == len(entries) == len(lines) - 2
            return Index(settings, entries, complete=whole and ended)
        entry = _entry(line)
        if entry is None:
            break
        entries.append(entry)
    return Index(settings, entries, complete=False)


def _entry(line: dict[str, Any]) -> Entry | None:
    """A line as an entry; None where fields are missing, more, or of other types and ranges."""
    kinds = {field.name: field.type for field in fields(Entry)}
    values = {name: value for name, value in line.items() if name != "check"}
    if values.keys() != kinds.keys() or any(type(values[name]) is not kind for name, kind in kinds.items()):
        return None
    numbers = [value for value in values.values() if type(value) is int]
    sides = values["height"], values["width"]
    if min(numbers) < 0 or max(*sides, values["source"]) >= _LARGEST or (min(sides) == 0) != bool(values["reason"]):
        return None
    return Entry(**values)
