"""Every file below folders, also those that training passes over."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sr.image.io import SUFFIXES
from sr.image.names import order
from sr.types import UserError


@dataclass
class Listing:
    """What folders hold.

    Attributes:
        pictures: files that training reads, by their suffix; sorted folder by folder.
        others: files of other kinds.
        closed: (folder, reason) where a folder cannot be listed.
    """

    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    closed: list[tuple[Path, str]] = field(default_factory=list)


def list_files(folders: Iterable[Path]) -> Listing:
    """Walk folders as `sr.image.io.find_pictures` does: hidden files passed over, links followed, no loops.

    Args:
        folders: folders; a file stands for itself, whatever its suffix.

    Raises:
        UserError: there is no such folder.
    """
    listing, met = Listing(), set[str]()
    for root in folders:
        if root.is_file():
            _add([root], listing.pictures, met)
            continue
        if not root.is_dir():
            raise UserError(f"there is no folder '{root}'; check the name")
        files = sorted(_walk(root, listing), key=lambda path: order(path.relative_to(root)))
        _add([path for path in files if path.suffix.lower() in SUFFIXES], listing.pictures, met)
        _add([path for path in files if path.suffix.lower() not in SUFFIXES], listing.others, met)
    return listing


def _add(files: list[Path], to: list[Path], met: set[str]) -> None:
    for path in files:
        real = os.path.realpath(path)
        if real not in met:
            met.add(real)
            to.append(path)


def _walk(root: Path, listing: Listing) -> list[Path]:
    def closed(error: OSError) -> None:
        listing.closed.append((Path(error.filename), error.strerror or type(error).__name__))

    found, visited = [], set[str]()
    for folder, below, names in os.walk(root, followlinks=True, onerror=closed):
        visited.add(os.path.realpath(folder))
        shown = sorted(name for name in below if not name.startswith("."))
        below[:] = [name for name in shown if os.path.realpath(Path(folder, name)) not in visited]
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return found
