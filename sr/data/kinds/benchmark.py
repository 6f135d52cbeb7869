"""The classic test sets in the layouts in which they are passed around, with given or made low-resolution pictures."""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal

from sr.data.contract import OnMessage, OnProgress
from sr.data.kinds.listed import Listed, pictures_in, top_left
from sr.data.kinds.matching import header_size, match_names
from sr.errors import UserError
from sr.image.depth import to_uint8
from sr.image.io import read_visible
from sr.image.resize import imresize
from sr.models.scales import EVERY_SCALE
from sr.types import Picture

Part = Literal["hr", "lr"]
LowResolution = Literal["auto", "given", "made", "degraded"]

NAMES = {
    "Set5": (),
    "Set14": (),
    "BSD100": ("B100", "BSDS100"),
    "Urban100": (),
    "Manga109": (),
    "DIV2K-val": ("DIV2K_val", "DIV2K_valid", "DIV2K_valid_HR", "DIV2K100", "DIV2K"),
}
"""The sets, and other names of their folders; a folder of any other name may be given as well."""

COUNTS = {"Set5": 5, "Set14": 14, "BSD100": 100, "Urban100": 100, "Manga109": 109, "DIV2K-val": 100}

HR_FOLDERS = ("HR", "GTmod12", "GTmod{scale}", "GTmod2", "original", "DIV2K_valid_HR", "image_SRF_{scale}", "")
LR_FOLDERS = (
    *("LR_bicubic/X{scale}", "LRbicx{scale}", "LR/X{scale}", "X{scale}/LR", "LR_X{scale}", "LR_x{scale}"),
    *("DIV2K_valid_LR_bicubic/X{scale}", "../DIV2K_valid_LR_bicubic/X{scale}", "image_SRF_{scale}"),
)
"""Below a set's folder, in the order of search; upper and lower case count as equal."""

_BOTH = "image_srf"  # begins the names of folders that hold both sides


class Benchmark(Listed):
    """One side of a test set.

    Args:
        set: Set5, Set14, BSD100 (B100, BSDS100), Urban100, Manga109, DIV2K-val, or any folder below the root. In it,
            high resolution lies in HR, GTmod12, original, image_SRF_2 (``*_HR``) or the folder itself; low resolution
            in LR_bicubic/X2, LRbicx2, X2/LR, image_SRF_2 (``*_LR``) and the like.
        scale: between the sides.
        root: folder of the sets; None takes ``SR_BENCHMARKS``.
        part: ``hr``, or ``lr``: the twins.
        lr: ``given`` files, ``made`` by MATLAB's bicubic from the picture cut to a multiple of the scale, or
            ``auto``: given where every picture has one, else made.

    Raises:
        UserError: neither root nor SR_BENCHMARKS is set.
    """

    def __init__(
        self, set: str, scale: int, root: str | None = None, part: Part = "hr", lr: LowResolution = "auto"
    ) -> None:
        super().__init__()
        if root is None and not os.environ.get("SR_BENCHMARKS"):
            raise UserError(
                "where the test sets lie is not set; give data.root=DIR, or set SR_BENCHMARKS to the folder that "
                "holds Set5, Set14, …"
            )
        if scale < 1:
            raise ValueError(f"scale={scale} must be at least 1")
        self.root = Path(root if root is not None else os.environ["SR_BENCHMARKS"]).expanduser()
        self.set, self.scale, self.part, self.lr = set, scale, part, lr
        self._made = False

    def found(self, on_progress: OnProgress, on_message: OnMessage) -> list[Path]:
        """The files of this side; made pictures stand under the name of what they are made from."""
        folder = set_folder(self.root, self.set)
        hr = hr_pictures(folder, self.scale)
        expected = COUNTS.get(official_name(self.set))
        if self.part == "hr":
            if expected is not None and len(hr) != expected:
                on_message(f"{folder} holds {len(hr)} pictures; {official_name(self.set)} has {expected}")
            return hr
        given = [] if self.lr == "made" else lr_pictures(folder, hr, self.scale)
        self._made = not given
        if not given and self.lr == "given":
            raise UserError(
                f"{folder} holds no low-resolution twin (HR // scale) of every picture at x{self.scale}; put them into "
                f"LR_bicubic/X{self.scale}, or set data.lr=made"
            )
        how = "made by MATLAB's bicubic" if self._made else f"those in {given[0].parent}"
        on_message(f"low-resolution pictures of {self.set}: {how}")
        return given or hr

    def stamp(self) -> str:
        """Of the files, and how low resolution is made."""
        files = super().stamp()
        return f"{files} bicubic x{self.scale}" if self._made else files

    def read(self, index: int) -> Picture:
        """Decode one file, and reduce it where low resolution is made."""
        picture = read_visible(self.paths[index])
        if not self._made:
            return picture
        height, width = (side // self.scale * self.scale for side in picture.pixels.shape[:2])
        if min(height, width) == 0:
            raise UserError(f"{self.paths[index]} is too small for scale={self.scale}")
        pixels = to_uint8(top_left(picture, height, width).pixels)
        return Picture(imresize(pixels, Fraction(1, self.scale)), gray=picture.gray)


def benchmark_lr(set: str, scale: int, root: str | None = None, lr: LowResolution = "auto") -> Benchmark | None:
    """The twins of `Benchmark` with the same settings; None with ``lr=degraded``: the run's degradation makes them."""
    return None if lr == "degraded" else Benchmark(set, scale, root, "lr", lr)


def official_name(name: str) -> str:
    """The set's usual name; a name that is not known stays as it is."""
    for official, others in NAMES.items():
        if name.lower() in (official.lower(), *(other.lower() for other in others)):
            return official
    return name


def set_folder(root: Path, name: str) -> Path:
    """The folder of a set below the root, by any of its names.

    Raises:
        UserError: there is no such root or set.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder of test sets '{root}'; give data.root=DIR, or set SR_BENCHMARKS")
    found = existing_set(root, name)
    if found is not None:
        return found
    official = official_name(name)
    there = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    near = get_close_matches(name.lower(), [other.lower() for other in (*there, *NAMES)], 1)
    meant = next((other for other in (*there, *NAMES) if near and other.lower() == near[0]), None)
    if meant in there:
        advice = f"; did you mean {meant}?"
    elif meant is not None and official not in NAMES:
        advice = f"; did you mean {meant}? It is not there either"
    else:
        advice = ""
    raise UserError(f"there is no test set {name} in {root}, which holds {', '.join(there) or 'no folder'}{advice}")


def existing_set(root: Path, name: str) -> Path | None:
    """The folder of a set below the root, by any of its names; None where there is none."""
    official = official_name(name)
    folders = (_below(root, wanted) for wanted in (name, official, *NAMES.get(official, ())))
    return next((folder for folder in folders if folder is not None), None)


def hr_pictures(folder: Path, scale: int) -> list[Path]:
    """The high-resolution files of a set, sorted by name.

    Raises:
        UserError: none are found in any of the usual places.
    """
    for place in _places(folder, HR_FOLDERS, scale):
        found = pictures_in(place)
        if place.name.lower().startswith(_BOTH):
            found = [path for path in found if path.stem.lower().endswith("_hr")]
        if found:
            return found
    usual = ", ".join(name.format(scale=scale) for name in HR_FOLDERS if name)
    raise UserError(f"{folder} holds no pictures, neither itself nor in {usual}")


def has_layout(folder: Path) -> bool:
    """Whether a folder is that of a test set, so that what lies in it is of several kinds, for one scale or another."""
    below = [pattern for pattern in (*HR_FOLDERS, *LR_FOLDERS) if pattern and not pattern.startswith("..")]
    layouts = any(True for scale in EVERY_SCALE for _ in _places(folder, below, scale))
    return layouts or folder.name.lower().startswith(_BOTH)


def lr_pictures(folder: Path, hr: list[Path], scale: int) -> list[Path]:
    """The low-resolution twin of each high-resolution file, in the same order; none where one has no twin that fits."""
    for place in _places(folder, LR_FOLDERS, scale):
        names = [path.name for path in pictures_in(place) if not path.stem.lower().endswith("_hr")]
        partner = match_names([path.name for path in hr], names, scale)
        found = [place / partner[path.name] for path in hr if path.name in partner]
        if len(found) == len(hr) and all(map(partial(_fits, scale), hr, found)):
            return found
    return []


def _fits(scale: int, hr: Path, lr: Path) -> bool:
    """Whether the sizes belong together, by the files' headers: a copy may have been made from another cut of HR."""
    large, small = header_size(hr), header_size(lr)
    return large is None or small is None or small == (large[0] // scale, large[1] // scale)


def _places(folder: Path, patterns: Sequence[str], scale: int) -> Iterator[Path]:
    for pattern in patterns:
        place: Path | None = folder
        for part in filter(None, pattern.format(scale=scale).split("/")):
            place = None if place is None else _below(place, part)
        if place is not None:
            yield place


def _below(folder: Path, name: str) -> Path | None:
    """A folder's subfolder whatever the case of its name."""
    if name == "..":
        return folder.parent
    if (folder / name).is_dir():
        return folder / name
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((entry for entry in entries if entry.name.lower() == name.lower() and entry.is_dir()), None)
