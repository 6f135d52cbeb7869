"""Photographs of flowers, cut to squares: Oxford 102 (downloaded), Oxford 17, or any folder of photographs.

M.-E. Nilsback, A. Zisserman, "Automated flower classification over a large number of classes", ICVGIP 2008.
Preparation of each photograph: EXIF orientation, RGB, left out if a side is shorter than ``size``, the square in the
middle, Pillow's bicubic to ``size`` x ``size``.
"""

import os
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image as pil

from sr.data.contract import OnMessage, OnProgress
from sr.data.fetch.download import Remote, fetch_archive, fetch_file
from sr.data.kinds.listed import Listed
from sr.data.kinds.split import held_out
from sr.degradations.mat_file import read_mat
from sr.errors import UserError
from sr.image.depth import to_uint8
from sr.image.io import find_pictures, read_visible
from sr.printable import first_line
from sr.types import Picture

Part = Literal["train", "val"]
SplitBy = Literal["none", "proper"]

URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
FOLDER = "flowers-102"
COUNT = 8189
DEMO = (0, 6, 7, 8)
"""Positions of the training pictures that the split ``none`` validates on."""

# Names and MD5 sums as in torchvision.datasets.Flowers102, whose folder layout this is.
PHOTOS = ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa")
TABLES = (
    ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
    ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
)


class Flowers(Listed):
    """One part of a set of photographs, each as a square.

    Args:
        part: ``train`` or ``val``.
        split: ``none`` trains on the 1020 photographs of torchvision's default part (of other folders, on all) and
            validates on four of them, as the toy experiment that it repeats did: its numbers say nothing about new
            pictures. ``proper`` trains on the official training and validation parts (2040) and validates on the
            test part (6149); of other folders it holds out ``val_share``.
        root: folder that holds flowers-102, or flowers-102 itself, or any folder of photographs, with or without
            subfolders; None takes ``SR_DATA``/flowers-102.
        download: whether to download Oxford 102 where the root holds no photographs.
        size: side of the squares in pixels.
        val_share: of the photographs, 0..1, with ``proper`` in other folders.
        url: where the archive and the tables are.
        verify: compare checksums; off for a mirror that packed the archive anew.

    Raises:
        ValueError: a setting is out of range.
        UserError: neither root nor SR_DATA is set.
    """

    def __init__(
        self,
        part: Part,
        split: SplitBy,
        root: str | None = None,
        download: bool = True,
        size: int = 256,
        val_share: float = 0.1,
        url: str = URL,
        verify: bool = True,
    ) -> None:
        super().__init__()
        if part not in ("train", "val"):
            raise ValueError(f"part={part} is not one of train, val")
        if split not in ("none", "proper"):
            raise ValueError(f"split={split} is not one of none, proper")
        if size < 1:
            raise ValueError(f"size={size} must be at least 1; 256 is usual")
        if not 0 < val_share < 1:
            raise ValueError(f"val_share={val_share} must be above 0 and below 1")
        if root is None and not os.environ.get("SR_DATA"):
            raise UserError(
                "where the flowers lie is not set; give data.root=DIR, or set SR_DATA to the folder that holds (or "
                f"shall hold) {FOLDER}"
            )
        self.root = Path(root if root is not None else os.environ["SR_DATA"]).expanduser()
        self.own_folder = root is not None  # SR_DATA holds other data sets too
        self.part, self.split, self.download = part, split, download
        self.size, self.val_share, self.url, self.verify = size, val_share, url, verify

    def found(self, on_progress: OnProgress, on_message: OnMessage) -> list[Path]:
        """The photographs of this part; downloads Oxford 102 where there are none."""
        oxford = self._oxford()
        others = [] if oxford is not None or not self.own_folder else _photographs(self.root)
        if oxford is None and not others:
            oxford = self._bring(on_progress, on_message)
        if oxford is None:
            return self._of_folder(others)
        self._tables(oxford, on_progress, on_message)
        count = sum(1 for _ in (oxford / "jpg").glob("image_*.jpg"))
        if count != COUNT and self.part == "train":
            on_message(
                f"{oxford / 'jpg'} holds {count} photographs; Oxford 102 has {COUNT}: to download it again, delete it"
            )
        return self._of_oxford(oxford)

    def stamp(self) -> str:
        """Of the files, and the size of the squares."""
        return f"{super().stamp()} size={self.size}"

    def read(self, index: int) -> Picture | list[Picture]:
        """Decode and prepare one photograph; an empty list where it is smaller than a square."""
        square = centre_square(read_visible(self.paths[index]), self.size)
        return [] if square is None else square

    def _oxford(self) -> Path | None:
        """The folder with Oxford 102's names and tables: ``jpg/image_00001.jpg`` has five digits, Oxford 17's four."""
        for folder in (self.root / FOLDER, self.root):
            if any((folder / "jpg").glob("image_0000[1-9].jpg")):
                return folder
        return None

    def _bring(self, on_progress: OnProgress, on_message: OnMessage) -> Path:
        folder = self.root / FOLDER
        remote = self._remote(*PHOTOS)
        if not self.download and not (folder / remote.name).exists():
            raise UserError(
                f"there are no photographs in {self.root if self.own_folder else folder}; name another folder with "
                "data.root=DIR, or set data.download=true"
            )
        fetch_archive(remote, folder, lambda: self._oxford() is not None, on_progress, on_message)
        if self._oxford() is None:
            raise UserError(
                f"{folder / remote.name} is unpacked, but holds no jpg/image_00001.jpg; is it the right one?"
            )
        return folder

    def _tables(self, folder: Path, on_progress: OnProgress, on_message: OnMessage) -> None:
        for name, checksum in TABLES:
            if not (folder / name).exists():
                if not self.download:
                    raise UserError(f"{folder / name} is missing; copy it there, or set data.download=true")
                fetch_file(self._remote(name, checksum), folder, on_progress, on_message)

    def _remote(self, name: str, md5: str) -> Remote:
        return Remote(f"{self.url.rstrip('/')}/{name}", None, (md5,) if self.verify else ())

    def _of_oxford(self, folder: Path) -> list[Path]:
        official = {key: _numbers(folder / "setid.mat", key) for key in ("trnid", "valid", "tstid")}
        if self.split == "none":
            chosen = official["trnid"]
            chosen = chosen if self.part == "train" else [chosen[i] for i in DEMO if i < len(chosen)]
        else:
            chosen = official["trnid"] + official["valid"] if self.part == "train" else official["tstid"]
        return [folder / "jpg" / f"image_{number:05d}.jpg" for number in chosen]

    def _of_folder(self, paths: list[Path]) -> list[Path]:
        if self.split == "none":
            return paths if self.part == "train" else [paths[i] for i in DEMO if i < len(paths)]
        names = [path.relative_to(self.root).as_posix() for path in paths]
        held = held_out(names, self.val_share)
        return [path for path, name in zip(paths, names, strict=True) if (name in held) == (self.part == "val")]


def _numbers(table: Path, name: str) -> list[int]:
    try:
        found = read_mat(table.read_bytes(), name).get(name)
        if found is None:
            raise ValueError(f"it holds no {name}")
        return [int(number) for number in found.ravel()]
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(f"{table} cannot be read ({first_line(error)}); copy it again") from error


def centre_square(picture: Picture, size: int) -> Picture | None:
    """The square in the middle of a picture, resized with Pillow's bicubic.

    Args:
        picture: of any size.
        size: side of the result in pixels.

    Returns:
        (size, size, 3) uint8 without alpha; None where a side of the picture is shorter than ``size``.
    """
    height, width = picture.pixels.shape[:2]
    side = min(height, width)
    if side < size:
        return None
    top, left = (height - side) // 2, (width - side) // 2
    square = pil.fromarray(to_uint8(picture.pixels[top : top + side, left : left + side]))
    return Picture(np.asarray(square.resize((size, size), pil.Resampling.BICUBIC)), gray=picture.gray)


def _photographs(root: Path) -> list[Path]:
    """All pictures below a folder; none where there are none or no folder yet."""
    if not root.is_dir() or not any(root.iterdir()):
        return []
    try:
        return find_pictures(root)
    except UserError:  # a folder with other files only, such as an archive put there by hand
        return []
