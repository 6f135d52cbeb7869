"""Decode-once store: pictures as raw uint8 in one memory-mapped file, so that a crop is a slice.

A store is a folder ``<cache>/<key>/`` with

- ``pixels.bin``: the pictures one after another, each (height, width, 3) uint8 RGB, row by row;
- ``index.jsonl``: what lies where (`sr.data.store.index`). A picture that could not be read has a line with the
  reason instead of a size, and no pixels.

The key is a hash of the settings and of the stamp of the sources, so a changed source gives another store. The
folder is built under another name and renamed at the end: a store that exists is complete. A build that was
interrupted goes on where it stopped. A picture's checksum is compared the first time it is used in a process, and a
damaged one is decoded again from its source.
"""

import os
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from sr.data.contract import OnMessage, PictureSource
from sr.data.store.index import Entry, read_index
from sr.data.store.mending import decoded_again, written_over
from sr.errors import UserError
from sr.printable import printable

_CHECKING = 4  # threads that compare the checksums of a whole store; zlib leaves Python's lock meanwhile


class Store:
    """An open store. Pickles by path, so that loader processes map the same file.

    Args:
        folder: a complete store.
        source: what it was built from, to decode a damaged picture again; None refuses damaged pictures.
        on_message: told about damage; None prints to the standard error.

    Raises:
        UserError: the folder is no store, its index is damaged, or its pixels do not fit its index.
        OSError: it cannot be read.
    """

    def __init__(self, folder: Path, source: PictureSource | None = None, on_message: OnMessage | None = None) -> None:
        self.folder, self.source = folder, source
        self._on_message = _to_stderr if on_message is None else on_message
        self.settings, lines = _complete_index(folder)
        self.refused = [entry for entry in lines if entry.reason]
        self.entries = [entry for entry in lines if not entry.reason]
        sizes = np.array([entry.size for entry in self.entries], dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.heights = np.array([entry.height for entry in self.entries], dtype=np.int64)
        self.widths = np.array([entry.width for entry in self.entries], dtype=np.int64)
        self._pixels = self._map()
        self._pictures = [
            self._pixels[start : start + e.size].reshape(e.height, e.width, 3)
            for start, e in zip(self.offsets[:-1].tolist(), self.entries, strict=True)
        ]
        self._unchecked = bytearray(b"\1" * len(self.entries))
        self._mended: dict[int, np.ndarray] = {}  # in memory alone: the store cannot be written

    def _map(self) -> np.ndarray:
        path = self.folder / "pixels.bin"
        expected, found = int(self.offsets[-1]), path.stat().st_size if path.is_file() else -1
        if found != expected:
            shown = f"has {found} bytes" if found >= 0 else "is missing"
            raise UserError(f"{path} {shown} where its index says {expected} bytes; delete {self.folder}")
        if expected == 0:
            return np.empty(0, dtype=np.uint8)
        # A plain ndarray view: slicing np.memmap itself costs several times more per crop.
        return np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))

    def __len__(self) -> int:
        return len(self.entries)

    def __reduce__(self) -> tuple[type["Store"], tuple[Path, PictureSource | None]]:
        return Store, (self.folder, self.source)

    @property
    def nbytes(self) -> int:
        """Size of all pixels."""
        return int(self.offsets[-1])

    @property
    def key(self) -> str:
        """The store's name in the cache."""
        return self.folder.name

    def picture(self, index: int) -> np.ndarray:
        """Read-only (height, width, 3) uint8 view of one picture.

        Raises:
            UserError: it is damaged and cannot be decoded again.
        """
        if self._unchecked[index]:
            self._check(index)
        return self._pictures[index]

    def all_pixels(self) -> np.ndarray:
        """A copy of all pixels, (nbytes,) uint8, every picture checked.

        Raises:
            UserError: a picture is damaged and cannot be decoded again.
        """
        with ThreadPoolExecutor(_CHECKING) as pool:
            list(pool.map(self.picture, range(len(self))))
        copy = np.array(self._pixels)
        for index, picture in self._mended.items():
            start = int(self.offsets[index])
            copy[start : start + picture.size] = picture.ravel()
        return copy

    def _check(self, index: int) -> None:
        if not self._whole(index):
            entry = self.entries[index]
            what = f"the picture {entry.name} is damaged in the store {self.folder}"
            again = None if self.source is None else decoded_again(self.source, entry)
            if again is None:
                raise UserError(
                    f"{what}, and its source is not there or has changed; delete {self.folder} to build it anew"
                )
            if written_over(self.folder / "pixels.bin", int(self.offsets[index]), again) and self._whole(index):
                self._on_message(f"{what}; it was decoded again")
            else:
                self._pictures[index] = self._mended[index] = again
                self._on_message(f"{what}; it was decoded again for this run, since the store cannot be written")
        self._unchecked[index] = 0

    def _whole(self, index: int) -> bool:
        return zlib.crc32(self._pictures[index].data) == self.entries[index].crc


def _complete_index(folder: Path) -> tuple[dict[str, Any], list[Entry]]:
    index = read_index(folder / "index.jsonl")
    if index.settings is None or not index.complete:
        raise UserError(f"{folder} is not a complete store; delete it and it will be built again")
    return index.settings, index.entries


def cache_root(cache: str | None) -> Path:
    """The folder that holds stores: the argument, else ``SR_CACHE``, else the user's cache folder."""
    if cache is not None:
        return Path(cache)
    if "SR_CACHE" in os.environ:
        return Path(os.environ["SR_CACHE"])
    return Path(platformdirs.user_cache_dir("sr-toolkit", appauthor=False))


def _to_stderr(text: str) -> None:
    """For loader processes, which have no console of their own."""
    print(printable(text), file=sys.stderr, flush=True)
