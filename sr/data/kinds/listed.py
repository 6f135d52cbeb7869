"""Sources whose pictures are files that are found, or downloaded, when `fetch` is called."""

import hashlib
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.errors import UserError
from sr.files import real_path
from sr.image.io import SUFFIXES, read_visible
from sr.image.names import order
from sr.types import Picture


class Listed(PictureSource):
    """A list of picture files; subclasses say in `found` which. Making one touches no disk."""

    def __init__(self) -> None:
        self._paths: list[Path] | None = None

    @abstractmethod
    def found(self, on_progress: OnProgress, on_message: OnMessage) -> list[Path]:
        """The files, in order; downloads what is missing.

        Raises:
            UserError: they are not there and cannot be downloaded.
        """

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Find the files."""
        self._paths = self.found(on_progress, on_message)

    @property
    def paths(self) -> list[Path]:
        """The files, in order."""
        if self._paths is None:
            self.fetch(lambda what, done, total: None, lambda line: None)
        assert self._paths is not None
        return self._paths

    def stamp(self) -> str:
        """Hash over path, size and modification time of each file."""
        return stamp_of(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self.paths[index])

    def read(self, index: int) -> Picture | list[Picture]:
        """Decode one file."""
        return read_visible(self.paths[index])


def stamp_of(paths: Sequence[Path]) -> str:
    """Hash over path, size and modification time of each file, cheap for a million; a missing one counts as empty."""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        try:
            stat = path.stat()
            size, modified = stat.st_size, stat.st_mtime_ns
        except OSError:  # a link that leads nowhere; reading it will say so
            size, modified = 0, 0
        digest.update(os.fsencode(f"{real_path(path)}\0{size}\0{modified}\n"))  # a name need not be UTF-8
    return digest.hexdigest()


def pictures_in(folder: Path) -> list[Path]:
    """Pictures directly in a folder, sorted by name; none where there is no such folder. Hidden files are left out."""
    if not folder.is_dir():
        return []
    found = (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    return sorted(found, key=order)


def data_root(root: str | None, below: str) -> Path:
    """The folder of a data set: as given, or ``below`` the folder that the variable SR_DATA names.

    Raises:
        UserError: neither is set.
    """
    if root is not None:
        return Path(root).expanduser()
    if not os.environ.get("SR_DATA"):
        raise UserError(
            f"where the data set {below} lies is not set; give data.root=DIR, or set SR_DATA to the folder that "
            f"holds (or shall hold) {below}"
        )
    return Path(os.environ["SR_DATA"]).expanduser() / below


def top_left(picture: Picture, height: int, width: int) -> Picture:
    """The first rows and columns of a picture."""
    alpha = None if picture.alpha is None else picture.alpha[:height, :width]
    return replace(picture, pixels=np.ascontiguousarray(picture.pixels[:height, :width]), alpha=alpha)
