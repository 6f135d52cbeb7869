"""Runs that differ in their seed alone, as groups, and these compared two by two."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sr.errors import UserError
from sr.experiments.comparing import compare
from sr.experiments.report.curves import rounded
from sr.experiments.report.shown import Say
from sr.experiments.settings import named, seed_groups
from sr.experiments.table import Row

MOST = 40
"""Groups that are compared; of more there would be a thousand pairs, and minutes."""
_LONGEST = 60  # characters of a name


@dataclass(frozen=True)
class Group:
    """Runs that are equal in everything but the seed.

    Attributes:
        name: what tells it from the other groups.
        runs: numbers of its rows.
    """

    name: str
    runs: tuple[int, ...]


def groups(rows: Sequence[Row], settings: Sequence[Mapping[str, str]]) -> list[Group]:
    """The groups, in the order of their first runs.

    Args:
        rows: the runs.
        settings: of each, what differs between them.
    """
    numbers = seed_groups(rows)
    names = [_name(rows[own[0]], settings[own[0]], len(own)) for own in numbers]
    often = Counter(names)
    unique = [name if often[name] == 1 else rows[own[0]].name for name, own in zip(names, numbers, strict=True)]
    return [Group(name, tuple(own)) for name, own in zip(unique, numbers, strict=True)]


def _name(row: Row, settings: Mapping[str, str], runs: int) -> str:
    short = {key.rpartition(".")[2]: value for key, value in settings.items()}
    for name in (named(settings), named(short) if len(short) == len(settings) else ""):
        if 0 < len(name) <= _LONGEST:
            return name
    if name and row.run.experiment:
        return row.run.experiment
    return row.name if name or runs == 1 else "all runs"


def compared(rows: Sequence[Row], found: Sequence[Group], say: Say) -> list[dict[str, Any]]:
    """The comparisons of every two groups that are measured on the same pictures, by their final validations.

    Args:
        rows: the runs.
        found: their groups.
        say: told where there are too many.
    """
    sides = [side([rows[number] for number in group.runs]) for group in found]
    usable = [number for number, side in enumerate(sides) if side]
    if len(usable) > MOST:
        say(f"{len(usable)} groups of runs are too many to compare two by two (at most {MOST}); report fewer at a time")
        return []
    return [one for a, b in combinations(usable, 2) for one in _pair(a, b, sides)]


def side(rows: Sequence[Row]) -> list[Row]:
    """Runs of a group that can be compared: those that came to their end, where any did, on the same pictures.

    Args:
        rows: of the group.
    """
    measured = [row for row in rows if row.final and row.pictures]
    ended = [row for row in measured if row.state == "finished"] or measured
    return [row for row in ended if row.judged_on == ended[0].judged_on]


def _pair(a: int, b: int, sides: Sequence[Sequence[Row]]) -> list[dict[str, Any]]:
    if sides[a][0].judged_on != sides[b][0].judged_on:
        return []
    try:
        told = compare(sides[a], sides[b])
    except UserError:  # one has no values of its pictures
        return []
    return [
        {
            "a": a,
            "b": b,
            "metric": one.metric,
            "difference": rounded(one.difference),
            "low": rounded(one.low),
            "high": rounded(one.high),
            "words": one.words,
        }
        for one in told
    ]
