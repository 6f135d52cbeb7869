"""Two runs, or two groups of runs, compared: the difference of each metric, its spread, and whether chance explains it.

Two things vary by chance: which pictures a network is measured on, and which seed it was trained with. Differences are
taken picture by picture, of means over seeds. Their interval is a bootstrap over pictures (bias-corrected and
accelerated, Efron 1987), widened to Student's t, as a bootstrap of few pictures is too narrow: of six normal
differences it leaves out the truth in 13 % of all cases. Where both sides have several seeds, an interval over seeds is
taken too: Student's t on paired differences where both have the same seeds, Welch's t (1947) elsewhere. A difference is
larger than chance where every interval that there is leaves out 0, so that the interval told is what spans them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from sr.errors import UserError
from sr.experiments.table import At, Pictures, Row
from sr.training.columns import CYCLE, METRICS, OTHERS, PERCEPTUAL, WATCHED

LEAST_PICTURES = 6
"""With fewer, even a difference of the same sign in each has a chance above 5 % (2 of 2^5)."""
LEVEL = 0.95
_RESAMPLES = 9999
LARGER, NOT_LARGER = "larger than chance", "not larger than chance"
TOO_FEW = "too few pictures to tell"


@dataclass(frozen=True)
class Comparison:
    """One metric of two sides.

    Attributes:
        metric: a column: ``psnr_y`` of the main set, ``NAME/psnr_y`` of another.
        difference: second side minus first, mean over pictures and seeds.
        low: of the interval that decides, 95 %; NaN where there is none.
        high: likewise.
        words: whether it is larger than chance, and what was not asked.
        pictures: on which it was measured.
        seeds: of the first and of the second side.
    """

    metric: str
    difference: float
    low: float
    high: float
    words: str
    pictures: int
    seeds: tuple[int, int]


_BOTH = "there and back"
"""Instead of a set's name: pictures of both sides of a translation."""


def compare(a: Sequence[Row], b: Sequence[Row], at: At = "final") -> list[Comparison]:
    """Compare two sides, metric by metric; what only one side has measured is left out.

    Args:
        a: runs of the first side: one, or several that differ in their seed.
        b: of the second.
        at: their last validations, or their best ones.

    Raises:
        UserError: they are measured on other pictures or at another scale, or one side has no values.
    """
    _check_same_pictures(a, b)
    sides = [[_there_and_back_alone(row.by_picture(at)) for row in side] for side in (a, b)]
    for side, rows in zip(sides, (a, b), strict=True):
        lacking = [row.name for row, values in zip(rows, side, strict=True) if not values]
        if lacking:
            raise UserError(f"{lacking[0]} has no values of its pictures (val/metrics.csv), so it cannot be compared")
    main = next(iter(sides[0][0]))[0]
    found = []
    for name in dict.fromkeys(name for name, _ in sides[0][0]):
        for metric in (*METRICS, *PERCEPTUAL, *CYCLE, *OTHERS, *WATCHED):
            tables = _tables(sides, name, metric)
            if tables is None:
                continue
            values = [_by_seed(rows, table) for rows, table in zip((a, b), tables, strict=True)]
            one = _compared(metric, *values)
            found.append(one if name in (main, _BOTH) else replace(one, metric=f"{name}/{metric}"))
    return sorted(found, key=lambda one: "/" in one.metric)


def _there_and_back_alone(pictures: Pictures) -> Pictures:
    """What is measured of both sides of a translation as one set: a run's column is the mean over both."""
    return {
        (_BOTH, f"{name}/{picture}") if CYCLE[0] in values else (name, picture): values
        for (name, picture), values in pictures.items()
    }


def _check_same_pictures(a: Sequence[Row], b: Sequence[Row]) -> None:
    first = a[0]
    for row in (*a, *b):
        if row.scale != first.scale:
            raise UserError(
                f"{first.name} is x{first.scale} and {row.name} is x{row.scale}: numbers of two scales are not compared"
            )
        if row.judged_on != first.judged_on:
            raise UserError(
                f"{first.name} and {row.name} are measured on other pictures, or these are degraded otherwise; `sr "
                "evaluate` measures both networks on the same"
            )


def _by_seed(rows: Sequence[Row], table: np.ndarray) -> dict[int, np.ndarray]:
    """The (pictures,) values of each seed: the mean of its runs, as the same seed again is no other chance."""
    seeds = [row.run.seed for row in rows]
    return {seed: table[[own == seed for own in seeds]].mean(axis=0) for seed in dict.fromkeys(seeds)}


def _tables(sides: Sequence[Sequence[Pictures]], name: str, metric: str) -> list[np.ndarray] | None:
    """(runs, pictures) of each side, of the pictures of one set that every run has a value of; None where none is."""
    every = [run for side in sides for run in side]
    shared = [key for key in every[0] if key[0] == name and all(metric in run.get(key, ()) for run in every)]
    return [np.array([[run[key][metric] for key in shared] for run in side]) for side in sides] if shared else None


def _compared(metric: str, a: Mapping[int, np.ndarray], b: Mapping[int, np.ndarray]) -> Comparison:
    """One metric of two sides, whose values are (pictures,) by seed."""
    differences = np.mean([*b.values()], axis=0) - np.mean([*a.values()], axis=0)
    pictures = pictures_interval(differences)
    means = [{seed: float(values.mean()) for seed, values in side.items()} for side in (a, b)]
    intervals = [one for one in (pictures, seeds_interval(*means)) if one is not None]
    low = min((low for low, _ in intervals), default=math.nan)
    high = max((high for _, high in intervals), default=math.nan)
    words = _words(pictures is not None, low, high, min(len(a), len(b)))
    return Comparison(metric, float(differences.mean()), low, high, words, len(differences), (len(a), len(b)))


def _words(told: bool, low: float, high: float, seeds: int) -> str:
    if not told:
        return TOO_FEW
    chance = LARGER if low > 0 or high < 0 else NOT_LARGER
    return chance if seeds > 1 else f"{chance} over pictures; one seed"


def pictures_interval(differences: np.ndarray) -> tuple[float, float] | None:
    """Interval of a mean over pictures, 95 %: what spans the bootstrap's and Student's t; None where they are too few.

    Args:
        differences: (pictures,), finite.
    """
    if len(differences) < LEAST_PICTURES:
        return None
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread <= 1e-9 * abs(mean) or spread == 0:  # nothing to resample
        return mean, mean
    low, high = _around(mean, spread / math.sqrt(len(differences)), len(differences) - 1)
    rng = np.random.default_rng(0)
    found = stats.bootstrap((differences,), np.mean, n_resamples=_RESAMPLES, confidence_level=LEVEL, rng=rng)
    lowest, highest = float(found.confidence_interval.low), float(found.confidence_interval.high)
    if not math.isfinite(lowest + highest):  # two values only, say
        return low, high
    return min(low, lowest), max(high, highest)


def seeds_interval(a: Mapping[int, float], b: Mapping[int, float]) -> tuple[float, float] | None:
    """Interval of the difference of two means over seeds, 95 %; None where one side has a single seed.

    Args:
        a: the mean over pictures by seed.
        b: likewise, of the second side.
    """
    if min(len(a), len(b)) < 2:
        return None
    if a.keys() == b.keys():
        differences = np.array([b[seed] - a[seed] for seed in a])
        spread = float(differences.std(ddof=1)) / math.sqrt(len(differences))
        return _around(float(differences.mean()), spread, len(differences) - 1)
    parts = [np.array([*side.values()]) for side in (a, b)]
    squares = [float(part.var(ddof=1)) / len(part) for part in parts]
    mean, total = float(parts[1].mean() - parts[0].mean()), sum(squares)
    if total == 0:
        return mean, mean
    freedom = total**2 / sum(square**2 / (len(part) - 1) for square, part in zip(squares, parts, strict=True))
    return _around(mean, math.sqrt(total), freedom)


def _around(mean: float, spread: float, freedom: float) -> tuple[float, float]:
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * spread
    return mean - half, mean + half
