"""Decode-once store: pictures as raw uint8 in one memory-mapped file, so that a crop is a slice.

A store is a folder ``<cache>/<key>/`` with

- ``pixels.bin``: the pictures one after another, each (height, width, 3) uint8 RGB, row by row;
- ``index.jsonl``: a first line with the format and the settings, then one line per picture, in order. A picture
  that could not be read has a line with the reason instead of a size, and no pixels.

The key is a hash of the settings and of the stamp of the sources, so a changed source gives another store. The
folder is built under another name and renamed at the end: a store that exists is complete. A build that was
interrupted goes on where it stopped.
"""

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from sr.types import UserError

_CHECKED_ON_OPEN = 8  # pictures whose checksum is compared every time a store is opened


@dataclass(frozen=True)
class Entry:
    """One line of the index: a picture (``reason`` empty) or a refused file (``height`` 0).

    Attributes:
        source: number of the file in its source, which may give several pictures.
        name: for messages and files.
        height: rows.
        width: columns.
        gray: the file has one channel.
        crc: checksum of the pixels.
        reason: why the file cannot be used, or empty.
    """

    source: int
    name: str
    height: int
    width: int
    gray: bool
    crc: int
    reason: str

    @property
    def size(self) -> int:
        """Bytes in ``pixels.bin``."""
        return self.height * self.width * 3


class Store:
    """An open store. Pickles by path, so that loader processes map the same file.

    Args:
        folder: a complete store.

    Raises:
        UserError: the folder is no store, or its pixels do not fit its index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings, lines = read_index(folder / "index.jsonl")
        if settings is None:
            raise UserError(f"{folder} is not a complete store; delete it and it will be built again")
        self.settings = settings
        self.refused = [entry for entry in lines if entry.reason]
        self.entries = [entry for entry in lines if not entry.reason]
        sizes = np.array([entry.size for entry in self.entries], dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.heights = np.array([entry.height for entry in self.entries], dtype=np.int64)
        self.widths = np.array([entry.width for entry in self.entries], dtype=np.int64)
        self.pixels = self._map()
        self._pictures = [
            self.pixels[start : start + e.size].reshape(e.height, e.width, 3)
            for start, e in zip(self.offsets[:-1].tolist(), self.entries, strict=True)
        ]
        self._verify()

    def _map(self) -> np.ndarray:
        path = self.folder / "pixels.bin"
        expected, found = int(self.offsets[-1]), path.stat().st_size if path.exists() else -1
        if found != expected:
            raise UserError(f"{path} has {found} bytes where its index says {expected}; delete {self.folder}")
        if expected == 0:
            return np.empty(0, dtype=np.uint8)
        # A plain ndarray view: slicing np.memmap itself costs several times more per crop.
        return np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))

    def _verify(self) -> None:
        step = max(1, len(self.entries) // _CHECKED_ON_OPEN)
        for index in range(0, len(self.entries), step):
            if zlib.crc32(self._pictures[index].data) != self.entries[index].crc:
                raise UserError(f"{self.folder} is damaged at {self.entries[index].name}; delete the folder")

    def __len__(self) -> int:
        return len(self.entries)

    def __reduce__(self) -> tuple[type["Store"], tuple[Path]]:
        return Store, (self.folder,)

    @property
    def nbytes(self) -> int:
        """Size of all pixels."""
        return int(self.offsets[-1])

    @property
    def key(self) -> str:
        """The store's name in the cache."""
        return self.folder.name

    def picture(self, index: int) -> np.ndarray:
        """Read-only (height, width, 3) uint8 view of one picture."""
        return self._pictures[index]


def cache_root(cache: str | None) -> Path:
    """The folder that holds stores: the argument, else ``SR_CACHE``, else the user's cache folder."""
    if cache is not None:
        return Path(cache)
    if "SR_CACHE" in os.environ:
        return Path(os.environ["SR_CACHE"])
    return Path(platformdirs.user_cache_dir("sr-toolkit", appauthor=False))


def read_index(path: Path) -> tuple[dict[str, Any] | None, list[Entry]]:
    """The settings and the complete lines of an index; (None, []) where there is no valid first line."""
    if not path.exists():
        return None, []
    lines = path.read_text().splitlines(keepends=True)
    complete = [line for line in lines if line.endswith("\n")]
    try:
        settings = json.loads(complete[0])
        return settings, [Entry(**json.loads(line)) for line in complete[1:]]
    except (IndexError, ValueError, TypeError):
        return None, []
