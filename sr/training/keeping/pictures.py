"""Validation pictures in a run's folder: a strip of each to look at, and what a report compares and plays.

Of each picture that is shown, ``val/[SET/]NN_stem.png`` is the strip, and the folder ``val/pictures/[SET/]NN_stem/``
holds ``lr.png``, ``bicubic.png``, ``hr.png`` (where there is a truth) and ``sr.png`` of the newest validation, pixel
for pixel, and ``history/UPDATES.webp``: what the network made of it after so many updates.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from sr.errors import UserError
from sr.files import write_atomically
from sr.image.encode import encode
from sr.printable import printable
from sr.training import panels
from sr.training.keeping.run_folder import RunFolder
from sr.types import Picture

SIDE = 512
"""Of a larger picture the middle is kept: so many high-resolution pixels a side at most."""
FRAMES = 16
"""So many of a history are kept at most."""
_QUALITY = 90  # of WebP: a history is looked at in passing, and there are many frames


@dataclass(frozen=True)
class Views:
    """One picture at one validation.

    Attributes:
        lr: (height, width, 3) uint8, what the network is given.
        bicubic: (scale*height, scale*width, 3) uint8, that enlarged.
        sr: likewise, the network's result.
        hr: likewise, the truth; None where there is none.
        back: what a network that translates makes of its result again; None for others.
        translated: nothing was enlarged.
    """

    lr: np.ndarray
    bicubic: np.ndarray
    sr: np.ndarray
    hr: np.ndarray | None = None
    back: np.ndarray | None = None
    translated: bool = False

    def strip(self) -> np.ndarray:
        """Side by side, see `sr.training.panels`."""
        if self.back is not None:
            return panels.there_and_back(self.lr, self.sr, self.back)
        if self.hr is None:
            return panels.strip_without_truth(self.bicubic, self.sr)
        return panels.strip(self.bicubic, self.sr, self.hr, translated=self.translated)

    def middle(self, side: int) -> "Views":
        """The middle of a picture that is larger, the same region of every view.

        Args:
            side: at most so many high-resolution pixels a side; a multiple of the scale is taken.
        """
        scale = self.bicubic.shape[0] // self.lr.shape[0]
        rows, columns = (_middle(length, side // scale) for length in self.lr.shape[:2])
        large = tuple(slice(scale * part.start, scale * part.stop) for part in (rows, columns))
        hr, back = (None if picture is None else picture[large] for picture in (self.hr, self.back))
        return Views(self.lr[rows, columns], self.bicubic[large], self.sr[large], hr, back, self.translated)


def _middle(length: int, most: int) -> slice:
    kept = min(length, most)
    return slice((length - kept) // 2, (length - kept) // 2 + kept)


@dataclass(frozen=True)
class PicturePlace:
    """Where one picture is kept.

    Attributes:
        path: its folder.
    """

    path: Path

    @property
    def lr(self) -> Path:
        """What the network is given."""
        return self.path / "lr.png"

    @property
    def bicubic(self) -> Path:
        """That enlarged."""
        return self.path / "bicubic.png"

    @property
    def hr(self) -> Path:
        """The truth; not there where nobody knows it."""
        return self.path / "hr.png"

    @property
    def sr(self) -> Path:
        """The network's result at the newest validation."""
        return self.path / "sr.png"

    @property
    def back(self) -> Path:
        """What a network that translates makes of that again; not there of others."""
        return self.path / "back.png"

    def frame(self, updates: int) -> Path:
        """The network's result after so many updates."""
        return self.path / "history" / f"{updates:08d}.webp"

    def frames(self) -> dict[int, Path]:
        """The history by updates, in their order."""
        found = sorted((self.path / "history").glob("*.webp"), key=lambda path: (len(path.stem), path.stem))
        return {int(path.stem): path for path in found if path.stem.isascii() and path.stem.isdigit()}


def places(folder: Path) -> dict[str, PicturePlace]:
    """The kept pictures by their names, ``NN_stem`` or ``SET/NN_stem``.

    Args:
        folder: of all of them; may be missing.
    """
    patterns = [f"{depth}/{name}.png" for depth in ("*", "*/*") for name in ("lr", "sr")]
    found = {place.parent for pattern in patterns for place in folder.glob(pattern)}
    return {path.relative_to(folder).as_posix(): PicturePlace(path) for path in sorted(found)}


def spacing(updates: int, every: int) -> int:
    """Updates between the frames of a history that has come so far.

    The spacing doubles, so that what was left out once is never wanted again; and it depends on nothing but the number
    of updates, so that a run that was killed and went on keeps the same frames as one that was not.

    Args:
        updates: so far.
        every: updates between validations.
    """
    step = every
    while updates // step > FRAMES:
        step *= 2
    return step


class KeptPictures:
    """Writes both at each validation.

    Args:
        folder: the run's.
        every: updates between validations. A history has frames at multiples of it alone: where the run ends is
            ``sr.png``, and no part of the history of a run that goes on further.
    """

    def __init__(self, folder: RunFolder, every: int) -> None:
        self.folder, self.every = folder, every
        self._begun: set[str] = set()

    def resume_from(self, updates: int) -> None:
        """Take away the frames after ``updates``: they are about to be made again.

        Raises:
            UserError: the folder cannot be written.
        """
        for place in places(self.folder.kept_pictures).values():
            _delete([path for at, path in place.frames().items() if at > updates])

    def write(self, views: Mapping[str, Views], strips: Mapping[str, np.ndarray], updates: int) -> None:
        """Write a validation; it replaces the last one, as a long run must not fill the disk.

        Args:
            views: by the name of the picture, ``NN_stem`` or ``SET/NN_stem``.
            strips: of the same names.
            updates: so far.

        Raises:
            UserError: the disk is full or not writable.
        """
        for name, pixels in strips.items():
            _write_png(self.folder.pictures / f"{name}.png", pixels)
        for name, whole in views.items():
            self._keep(name, whole.middle(SIDE), updates)

    def _keep(self, name: str, views: Views, updates: int) -> None:
        place = PicturePlace(self.folder.kept_pictures / name)
        if name not in self._begun:  # in each sitting: validation pictures may be others when a run goes on
            _write_png(place.lr, views.lr)
            _write_png(place.bicubic, views.bicubic)
            if views.hr is not None:
                _write_png(place.hr, views.hr)
            self._begun.add(name)
        _write_png(place.sr, views.sr)
        if views.back is not None:
            _write_png(place.back, views.back)
        step = spacing(updates, self.every)
        if updates % step == 0:
            _write_frame(place.frame(updates), views.sr)
        _delete([path for at, path in place.frames().items() if at % step])


def _write_png(path: Path, pixels: np.ndarray) -> None:
    write_atomically(path, encode(Picture(np.ascontiguousarray(pixels)), ".png"))  # which makes its folder, too


def _write_frame(path: Path, pixels: np.ndarray) -> None:
    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels)).save(buffer, "WEBP", quality=_QUALITY)
    write_atomically(path, buffer.getvalue())


def _delete(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"could not delete {path}: {error.strerror or error}") from error


STEM = 200
"""Bytes of a picture's name that its file keeps: names have 255 at most, and `write_atomically` needs some."""


def picture_file(name: str, number: int, picture: str) -> str:
    """Where a picture of a set is shown, below the folder of validation pictures and without its ending."""
    stem = printable(Path(picture).stem).encode()[:STEM].decode(errors="ignore")
    own = f"{number:02d}_{stem}"
    return f"{name}/{own}" if name else own


def beside(name: str, what: str) -> str:
    """Where something of a picture is shown beside it, by a name that is no picture's: they begin with a number."""
    folder, slash, own = name.rpartition("/")
    return f"{folder}{slash}{what}_{own}"
