"""Photographs as training crops: each file gives several, near-duplicates and flat ones are left out."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from sr.data.contract import PictureSource
from sr.data.preparation.near_duplicates import NearDuplicates
from sr.data.preparation.photo_crops import NOISY_FACTOR, CropSettings, camera_model, is_noisy, photo_crops, shrunk
from sr.files import real_path
from sr.image.depth import to_uint8
from sr.image.io import find_pictures, read_visible
from sr.types import Picture

VERSION = 1  # raise when the same settings give other crops, so that older stores are not taken for current


class Photos(PictureSource):
    """Crops of every photograph below one or several folders.

    Args:
        root: a folder, or several; searched through all levels.
        side: of a crop in pixels.
        downscales: whole factors by which a photograph is shrunk before crops are taken.
        per_photo: most crops of one photograph; 0 takes all.
        overlap: share of its side that a crop has in common with the next, 0 to below 1.
        noisy_cameras: models (EXIF) whose photographs are first made half as large, so that a network does not
            learn to draw their noise. Case does not matter.
        flat: crops with a standard deviation below this, in levels of 0..255, are left out.
        duplicates: crops whose 64-bit hashes differ in at most so many bits count as the same, and the first is
            kept; null keeps all.
        seed: which crops are chosen.

    Raises:
        UserError: a folder is missing or holds no picture.
        ValueError: a setting outside its range.
    """

    heavy = True

    def __init__(
        self,
        root: str | Sequence[str],
        side: int = 256,
        downscales: Sequence[int] = (1, 2, 4, 8),
        per_photo: int = 40,
        overlap: float = 0.0,
        noisy_cameras: Sequence[str] = (),
        flat: float = 4.0,
        duplicates: int | None = 4,
        seed: int = 0,
    ) -> None:
        self.settings = CropSettings(side, tuple(downscales), per_photo, overlap, flat, seed)
        self.noisy_cameras = tuple(noisy_cameras)
        self.duplicates = duplicates
        self.sieve()  # a wrong distance is a mistake to tell now, not after an hour
        self.paths, self.names = photographs([root] if isinstance(root, str) else root)

    def stamp(self) -> str:
        """The settings, and path, size and modification time of every file."""
        digest = hashlib.blake2b(digest_size=16)
        for path in self.paths:
            stat = path.stat()
            digest.update(os.fsencode(f"{real_path(path)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"))
        cameras = sorted(camera.strip().casefold() for camera in self.noisy_cameras)
        return f"photos v{VERSION} {self.settings} {cameras} duplicates={self.duplicates} {digest.hexdigest()}"

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """The photograph's path below its folder."""
        return self.names[index]

    def read(self, index: int) -> list[Picture]:
        """The crops of one photograph, without the flat ones; none where it is smaller than a crop.

        Raises:
            UserError: the file cannot be read.
        """
        return [Picture(crop) for crop in self.crops(index)[0]]

    def crops(self, index: int) -> tuple[list, int]:
        """The crops of one photograph as (side, side, 3) uint8, and how many flat ones were left out."""
        path = self.paths[index]
        pixels = to_uint8(read_visible(path).pixels)
        if self.noisy_cameras and is_noisy(camera_model(path), self.noisy_cameras):
            pixels = shrunk(pixels, NOISY_FACTOR)
        return photo_crops(pixels, self.names[index], self.settings)

    def sieve(self) -> NearDuplicates | None:
        """What refuses a crop that nearly equals an earlier one."""
        return None if self.duplicates is None else NearDuplicates(self.duplicates)


def photographs(roots: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """Files below folders, each once, and their names relative to their folder, with slashes on every system."""
    found: dict[Path, tuple[Path, str]] = {}
    for root in (Path(folder).expanduser() for folder in roots):
        base = root if root.is_dir() else root.parent
        for path in find_pictures([root]):
            found.setdefault(real_path(path), (path, path.relative_to(base).as_posix()))
    return [path for path, _ in found.values()], [name for _, name in found.values()]
