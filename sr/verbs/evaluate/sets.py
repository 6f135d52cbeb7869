"""The pictures that networks are measured on, beside their low-resolution twins."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from sr.data.kinds.benchmark import COUNTS, official_name
from sr.data.kinds.matching import check_sizes, matched
from sr.data.kinds.sources import Folder, Photographs
from sr.data.pairs import ValidationPair, validation_pair
from sr.degradations.bicubic import Bicubic
from sr.errors import UserError
from sr.image.depth import to_uint8
from sr.types import Picture
from sr.verbs.evaluate.benchmarks import benchmark_paths


class Pairs(Protocol):
    """Pictures and their low-resolution twins, read one after another."""

    official: str | None
    """Name under which the literature knows pictures and twins; None where these are others."""
    truth: bool
    """Whether there is something to compare with; without, the pictures of the pairs are empty."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, number: int) -> str:
        """The file of one of them."""

    def read(self, number: int) -> ValidationPair:
        """One of them.

        Raises:
            UserError: it cannot be read, or is too small.
        """

    def content(self) -> str:
        """Hash over every file's bytes, and how the twins come about."""


class Degraded:
    """Pictures whose twins are made by MATLAB's bicubic.

    Args:
        name: a folder, a name below ``SR_BENCHMARKS``, or ``photographs``.
        scale: of the twins.

    Raises:
        UserError: there is no such set.
    """

    truth: bool = True

    def __init__(self, name: str, scale: int) -> None:
        known = name == "photographs"
        self._source = Photographs() if known else Folder([str(path) for path in benchmark_paths(name, scale)])
        self._degradation = Bicubic(scale)
        official = official_name(Path(name).name)
        self.official: str | None = official if len(self) == COUNTS.get(official) else None

    def __len__(self) -> int:
        return len(self._source)

    def name(self, number: int) -> str:
        """Path of one."""
        return self._source.name(number)

    def read(self, number: int) -> ValidationPair:
        """One picture and what the degradation makes of it."""
        name, scale = self._source.name(number), self._degradation.scale
        hr, gray = _read(self._source, number)
        if min(hr.shape[:2]) < scale:
            raise UserError(f"{name} is {hr.shape[1]}x{hr.shape[0]} pixels: too small for scale={scale}")
        return validation_pair(name, hr, self._degradation.picture(hr), gray, scale)

    def content(self) -> str:
        """Of the pictures."""
        return f"made {_hashed(self._source.paths)}"


class Given:
    """Two folders, matched by name.

    Args:
        hr: of the pictures.
        lr: of their twins.
        scale: between them.

    Raises:
        UserError: a picture has no twin, or one of another scale.
    """

    official: str | None = None
    truth: bool = True

    def __init__(self, hr: Path, lr: Path, scale: int) -> None:
        pairs = matched(hr, lr, scale, "--hr and --lr")
        cure = "cut both to what they share"
        check_sizes(pairs, scale, crop=False, what="--hr and --lr", on_progress=lambda *_: None, cure=cure)
        self._hr, self._lr = Folder([str(pair.hr) for pair in pairs]), Folder([str(pair.lr) for pair in pairs])
        self._scale = scale

    def __len__(self) -> int:
        return len(self._hr)

    def name(self, number: int) -> str:
        """Path of one."""
        return self._hr.name(number)

    def read(self, number: int) -> ValidationPair:
        """One pair."""
        (hr, gray), (lr, _) = _read(self._hr, number), _read(self._lr, number)
        if lr.shape[:2] != (hr.shape[0] // self._scale, hr.shape[1] // self._scale):
            raise UserError(f"{self._lr.name(number)} and {self._hr.name(number)} do not fit scale={self._scale}")
        return validation_pair(self._hr.name(number), hr, lr, gray, self._scale)

    def content(self) -> str:
        """Of both folders."""
        return f"given {_hashed(self._hr.paths)} {_hashed(self._lr.paths)}"


class Alone:
    """Low-resolution pictures of which nobody has the truth.

    Args:
        lr: their folder.

    Raises:
        UserError: it is missing, or holds no picture.
    """

    official: str | None = None
    truth: bool = False

    def __init__(self, lr: Path) -> None:
        self._lr = Folder(str(lr))

    def __len__(self) -> int:
        return len(self._lr)

    def name(self, number: int) -> str:
        """Path of one."""
        return self._lr.name(number)

    def read(self, number: int) -> ValidationPair:
        """One picture, beside none."""
        lr, gray = _read(self._lr, number)
        return ValidationPair(self._lr.name(number), lr, np.empty((0, 0, 3), np.uint8), gray)

    def content(self) -> str:
        """Of the pictures."""
        return f"alone {_hashed(self._lr.paths)}"


def asked_sets(names: Sequence[str], hr: Path | None, lr: Path | None, scale: int) -> dict[str, Pairs]:
    """Every set that the command names, by what the table calls it.

    Raises:
        UserError: one cannot be found, or its twins do not fit.
    """
    sets: dict[str, Pairs] = {name: Degraded(name, scale) for name in names}
    if lr is not None and hr is not None:
        sets[f"{hr} + {lr}"] = Given(hr, lr, scale)
    elif lr is not None:
        sets[str(lr)] = Alone(lr)
    return sets


def _read(source: Folder | Photographs, number: int) -> tuple[np.ndarray, bool]:
    picture = source.read(number)
    assert isinstance(picture, Picture)
    return to_uint8(np.asarray(picture.pixels)), picture.gray


def _hashed(paths: Sequence[Path]) -> str:
    """Of the files' bytes, in their order; of one that cannot be read its name, as it has nothing to be measured."""
    total = hashlib.sha256()
    for path in paths:
        try:
            total.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            total.update(str(path).encode(errors="surrogateescape"))
    return total.hexdigest()
