"""Data sets whose pictures are numbers: high resolution as 0001.png, low resolution of several tracks as 0001x2.png."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sr.data.contract import OnMessage, OnProgress
from sr.data.fetch.download import Remote, fetch_archive
from sr.data.kinds.listed import Listed, pictures_in, top_left
from sr.data.kinds.matching import header_size
from sr.errors import UserError
from sr.image.io import read_visible
from sr.types import Picture

Side = Literal["hr", "lr"]
Variants = Literal["all", "one"]
Numbers = dict[int, list[Path]]

_NAME = re.compile(r"(\d+)(?:x\d[a-z]?\d?)?")


@dataclass(frozen=True)
class Block:
    """One folder of a data set and the archive that brings it.

    Attributes:
        below: the folder below the data set's own, as the archive unpacks it.
        remote: the archive.
    """

    below: str
    remote: Remote


def by_number(folder: Path, numbers: range) -> Numbers:
    """The pictures of a folder by the number that begins their name: 0001.png, 0001x2.png, 0001x4w3.png.

    Args:
        folder: searched without its subfolders; need not exist.
        numbers: which to take.
    """
    found: Numbers = {}
    for path in pictures_in(folder):
        match = _NAME.fullmatch(path.stem.lower())
        if match and int(match[1]) in numbers:
            found.setdefault(int(match[1]), []).append(path)
    return found


class Numbered(Listed):
    """One side of a numbered data set.

    Args:
        base: the data set's folder, or one that holds it under its name, or the folder of its HR pictures.
        name: of the data set.
        into: where its archives unpack.
        numbers: of the pictures.
        hr: the high-resolution block.
        lr: the low-resolution block of the chosen track, or None where the degradation makes LR.
        scale: between the blocks.
        side: which pictures this source gives.
        download: whether to download what is missing.
        variants: where a track has several LR pictures per HR picture: ``all`` of them, the HR picture repeated, or
            ``one``: of n variants, the HR picture with number k meets the one at position k modulo n.
    """

    def __init__(
        self,
        base: Path,
        name: str,
        into: Path,
        numbers: range,
        hr: Block,
        lr: Block | None,
        scale: int,
        side: Side,
        download: bool,
        variants: Variants = "all",
    ) -> None:
        super().__init__()
        self.base, self.set_name, self.into = base, name, into
        self.numbers, self.hr, self.lr = numbers, hr, lr
        self.scale, self.side, self.download, self.variants = scale, side, download, variants
        self._partners: list[Path] = []

    def found(self, on_progress: OnProgress, on_message: OnMessage) -> list[Path]:
        """The files, in the order of their numbers; the high- and the low-resolution source agree in it."""
        hr = self._block(self.hr, on_progress, on_message)
        if self.lr is None:
            return [hr[number][0] for number in sorted(hr)]
        lr = self._block(self.lr, on_progress, on_message)
        both = sorted(set(hr) & set(lr))
        if len(both) < max(len(hr), len(lr)) and self.side == "hr":
            on_message(
                f"{self.hr.below} holds {len(hr)} pictures and {self.lr.below} {len(lr)}; "
                f"the {len(both)} that are in both are used"
            )
        if not both:
            raise UserError(f"no picture of {self.hr.below} has a twin in {self.lr.below}; are they of one data set?")
        pairs = [(hr[number][0], path) for number in both for path in self._chosen(number, lr[number])]
        self._partners = [pair[0] for pair in pairs]
        return [pair[self.side == "lr"] for pair in pairs]

    def read(self, index: int) -> Picture:
        """Decode one file.

        MATLAB rounds sizes up, so a low-resolution picture may be one pixel larger than HR // scale (DIV2K's sides
        are multiples of 12, not of 8); that row or column, of which HR holds only a part, is cut off.
        """
        picture = read_visible(self.paths[index])
        hr = header_size(self._partners[index]) if self.side == "lr" else None
        if hr is None:
            return picture
        floor = [side // self.scale for side in hr]
        over = [n - f for n, f in zip(picture.pixels.shape[:2], floor, strict=True)]
        return top_left(picture, *floor) if max(over) == 1 and min(over) >= 0 else picture

    def _chosen(self, number: int, paths: list[Path]) -> list[Path]:
        return paths if self.variants == "all" else [paths[number % len(paths)]]

    def _block(self, block: Block, on_progress: OnProgress, on_message: OnMessage) -> Numbers:
        found = self._search(block)
        if not found:
            self._bring(block, on_progress, on_message)
            found = self._search(block)
        if not found:
            raise UserError(
                f"{block.remote.name} is unpacked in {self.into}, but there is no {block.below} with pictures "
                f"{self.numbers[0]:04d} to {self.numbers[-1]:04d} in it; is it the right archive?"
            )
        missing = sorted(set(self.numbers) - set(found))
        if missing:
            shown = ", ".join(f"{number:04d}" for number in missing[:3]) + (", …" if len(missing) > 3 else "")
            on_message(
                f"{block.below} holds {len(found)} of {len(self.numbers)} pictures (missing: {shown}); to download it "
                "again, delete the folder"
            )
        return found

    def _search(self, block: Block) -> Numbers:
        """The pictures in the first folder that has any: as the archive unpacks, or in one more of the same name."""
        bases = [self.base / self.set_name, self.base]
        if self.base.name == self.hr.below:  # the tracks lie beside it
            bases.append(self.base.parent)
        places = [base / block.below for base in bases]
        places += [place / place.name for place in places]
        if block is self.hr:
            places += bases
        for folder in places:
            found = by_number(folder, self.numbers)
            if found:
                return found
        return {}

    def _bring(self, block: Block, on_progress: OnProgress, on_message: OnMessage) -> None:
        remote, base = block.remote, self.into
        if not self.download and not (base / remote.name).exists():
            raise UserError(
                f"there is no {block.below} in {base}; unpack {remote.url} there, put {remote.name} there, "
                "or set data.download=true"
            )
        fetch_archive(remote, base, lambda: bool(self._search(block)), on_progress, on_message)
