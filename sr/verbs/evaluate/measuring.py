"""Measure one network on one set, picture by picture."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.console import Console

from sr.console import tracked
from sr.data.pairs import ValidationPair
from sr.errors import UserError
from sr.image.io import write_picture
from sr.image.names import distinct
from sr.inference.upscaler import TINY
from sr.metrics.side_by_side import side_by_side
from sr.models.upscale import NotFiniteError
from sr.training.columns import METRICS, OTHERS, means
from sr.training.machine import machine
from sr.training.perceptual import Perceptual
from sr.training.validation import compared, few_at_once
from sr.types import Picture
from sr.verbs.evaluate.border import BorderTable
from sr.verbs.evaluate.contestants import Contestant
from sr.verbs.evaluate.kept import Row, keep, key_of, read_kept
from sr.verbs.evaluate.no_reference import NoReference
from sr.verbs.evaluate.sets import Pairs
from sr.verbs.screen.errors import unforeseen_of

_WARM = TINY + 1
"""Side of the first picture that a network is measured for."""


@dataclass(frozen=True)
class Yardsticks:
    """What is measured beside PSNR, SSIM and sharpness.

    Attributes:
        distances: LPIPS and DISTS by their columns.
        strict: columns of them that every picture must be large enough for.
        no_reference: measures of pictures alone, by their columns.
        protocol: all of this, and the weights, in words: numbers of another protocol are others.
    """

    distances: dict[str, Perceptual]
    strict: frozenset[str]
    no_reference: dict[str, NoReference]
    protocol: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the table, in its order."""
        return (*METRICS, *OTHERS, *self.distances, *self.no_reference)


@dataclass
class Found:
    """What was measured of one network on one set.

    Attributes:
        contestant: the network.
        set: what the table calls the set.
        pairs: the pictures.
        rows: a picture each; those that failed have none.
        failures: why.
        kept: the rows come from the cache.
    """

    contestant: Contestant
    set: str
    pairs: Pairs
    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    kept: bool = False

    @property
    def label(self) -> str:
        """A name for the table's row."""
        return f"{self.set_and_scale} {self.contestant.label}"

    @property
    def set_and_scale(self) -> str:
        """What networks of that scale share."""
        return f"{self.set} x{self.contestant.scale}"


def from_cache(found: Found, key: str) -> bool:
    """Take what was measured before; whether there was anything, for every picture.

    Seconds are those of the machine that took them: where it was another, nobody knows them.
    """
    rows, here = read_kept(key), _timed_on()
    if rows is None or len(rows) != len(found.pairs):
        return False
    for number, row in enumerate(rows):
        seconds = row["seconds"] if row["timed_on"] == here else math.nan
        found.rows.append(row | {"picture": found.pairs.name(number), "seconds": seconds})
    found.kept = True
    return True


def cache_key(contestant: Contestant, content: str, yardsticks: Yardsticks, device: str) -> str:
    """Of one network on one set."""
    return key_of(
        network=f"{contestant.kind} {contestant.content}",
        scale=str(contestant.scale),
        pictures=content,
        protocol=yardsticks.protocol,
        device=device,
    )


def measure_set(
    found: Found, yardsticks: Yardsticks, console: Console, border: BorderTable | None, save: Path | None
) -> None:
    """Fill in the rows.

    Args:
        found: of which network and set.
        yardsticks: what is measured.
        console: shows how far it is.
        border: told of each picture, or None.
        save: folder for the enlarged pictures, or None.

    Raises:
        UserError: a picture cannot be written.
    """
    files = _files(found.pairs)
    _warm_up(found.contestant)
    for together in few_at_once(_read(found, console)):
        made = [(pair, *enlarged) for pair in together if (enlarged := _enlarged(found, pair)) is not None]
        judged = side_by_side(lambda one: _judged(one[0], one[1], found.contestant.scale, yardsticks), made)
        for (pair, sr, seconds), row in zip(made, judged, strict=True):
            if isinstance(row, UserError):
                found.failures += row.args  # a line for each fault
                continue
            if sr is not None:
                alone = _alone(pair, sr, yardsticks)
                if isinstance(alone, UserError):
                    found.failures += alone.args
                    continue
                row |= alone
                if border is not None and found.pairs.truth:
                    border.take(found.set_and_scale, found.contestant.label, sr, pair)
                if save is not None:
                    write_picture(save / files[pair.name], Picture(sr, None, pair.gray))
            found.rows.append({"picture": pair.name, **_sizes(found, pair), "seconds": seconds, **row})


def keep_found(found: Found, key: str) -> None:
    """Keep the rows, if every picture has one."""
    if found.contestant.keeps and len(found.rows) == len(found.pairs):
        keep(key, [row | {"timed_on": _timed_on()} for row in found.rows])


def _timed_on() -> str:
    return f"{machine()}, {torch.get_num_threads()} threads"


def means_of(rows: Sequence[Row], columns: Sequence[str]) -> dict[str, float]:
    """Mean of each column; a distance's over the pictures that are large enough for it."""
    return means([{column: row[column] for column in columns} for row in rows])


def _read(found: Found, console: Console) -> Iterator[ValidationPair]:
    for number in tracked(range(len(found.pairs)), found.label, console):
        try:
            yield found.pairs.read(number)
        except UserError as error:
            found.failures += error.args


def _warm_up(contestant: Contestant) -> None:
    """Let a network find out how to compute before the clock runs: its reach, its threads, kernels on a GPU."""
    with suppress(Exception):  # the pictures will tell
        contestant.upscale(np.zeros((_WARM, _WARM, 3), np.uint8), False)


def _enlarged(found: Found, pair: ValidationPair) -> tuple[np.ndarray | None, float] | None:
    """The picture, or None where it is not finite, and the seconds; None of both where memory ran out."""
    before = perf_counter()
    try:
        return found.contestant.upscale(pair.lr, pair.gray), perf_counter() - before
    except NotFiniteError:
        return None, math.nan
    except Exception as error:  # whatever one picture brings up, the others are measured
        found.failures.append(unforeseen_of(pair.name, "the network fails on it", error))
        return None


def _judged(pair: ValidationPair, sr: np.ndarray | None, scale: int, yardsticks: Yardsticks) -> Any:
    """The picture's row, or why it has none."""
    nothing = dict.fromkeys(yardsticks.columns, math.nan)
    if sr is None or pair.hr.size == 0:
        return nothing
    try:
        for name in yardsticks.strict:
            _check_large_enough(pair, name, yardsticks.distances[name].smallest)
        row = compared(sr, pair, scale)
        return nothing | row | {name: distance(sr, pair.hr) for name, distance in yardsticks.distances.items()}
    except UserError as error:
        return error
    except Exception as error:
        return UserError(unforeseen_of(pair.name, "it cannot be measured", error))


def _alone(pair: ValidationPair, sr: np.ndarray, yardsticks: Yardsticks) -> dict[str, float] | UserError:
    """What measures of pictures alone say, or why they say nothing."""
    try:
        return {name: score(sr) for name, score in yardsticks.no_reference.items()}
    except UserError as error:
        return error
    except Exception as error:
        return UserError(unforeseen_of(pair.name, "it cannot be measured", error))


def _check_large_enough(pair: ValidationPair, name: str, side: int) -> None:
    height, width = pair.hr.shape[:2]
    if min(height, width) < side:
        raise UserError(
            f"{pair.name} is {width}x{height} pixels, and {name.upper()} needs {side}x{side}; --{name} auto leaves "
            f"{name.upper()} out for such pictures, --{name} none for all"
        )


def _sizes(found: Found, pair: ValidationPair) -> dict[str, int]:
    height, width = (side * found.contestant.scale for side in pair.lr.shape[:2])
    return {"width": width, "height": height}


def _files(pairs: Pairs) -> dict[str, str]:
    """Name of a PNG file for each picture, none twice on any file system."""
    names = [pairs.name(number) for number in range(len(pairs))]
    return dict(zip(names, distinct([Path(name).stem for name in names], ".png"), strict=True))
