"""Which runs, in which order: ``--where model=rdn``, ``--by psnr_y``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sr.config.nearest import did_you_mean
from sr.errors import UserError
from sr.experiments.settings import Flat, differing, flat
from sr.experiments.table import At, Row
from sr.printable import printable
from sr.training.columns import CYCLE, IDENTITY, METRICS, OTHERS, PERCEPTUAL, WATCHED, metric_of

GAIN = "gain"
"""Of ``psnr_y`` over bicubic's."""
_FALLING = (*METRICS, *CYCLE, GAIN, "updates", "updates/s", "pictures/s", "parameters", "seconds")
_RISING = (*PERCEPTUAL, *WATCHED, IDENTITY, "recoveries")


@dataclass(frozen=True)
class Listed:
    """A run with what can be asked of it.

    Attributes:
        row: the run.
        settings: all of its configuration by dotted key, and choices by group.
        differing: those that tell it from the other runs.
        at: whose values count: of the best or of the last validation.
    """

    row: Row
    settings: Flat
    differing: Flat
    at: At
    numbers: Mapping[str, float] = field(default_factory=dict)


def listed(rows: Sequence[Row], at: At) -> list[Listed]:
    """The runs with their settings and their numbers.

    Args:
        rows: the runs.
        at: whose values count.
    """
    told = differing(rows)
    return [Listed(row, _settings(row), own, at, numbers_of(row, at)) for row, own in zip(rows, told, strict=True)]


def _settings(row: Row) -> Flat:
    own = {"state": row.state, "name": printable(row.name), "experiment": printable(row.run.experiment or "null")}
    return {**flat(row.run.config), **{group: printable(name) for group, name in row.command.choices.items()}, **own}


def numbers_of(row: Row, at: At) -> dict[str, float]:
    """What runs are ordered by, and what tables show; what is not known is left out.

    Args:
        row: the run.
        at: whose values count.
    """
    measures = row.measures(at)
    found = {name: value for name, value in measures.items() if math.isfinite(value)}
    if "psnr_y" in found and math.isfinite(row.bicubic.get("psnr_y", math.nan)):
        found[GAIN] = found["psnr_y"] - row.bicubic["psnr_y"]
    others = {
        "parameters": math.nan if row.parameters is None else float(row.parameters),
        "updates": float(row.updates),
        "updates/s": row.updates_per_second,
        "pictures/s": row.pictures_per_second,
        "seconds": row.seconds,
        "recoveries": float(row.recoveries),
    }
    return found | {name: value for name, value in others.items() if math.isfinite(value)}


def where(runs: Sequence[Listed], conditions: Sequence[str], option: str = "--where") -> list[Listed]:
    """Runs that fulfil all conditions.

    Args:
        runs: to choose from.
        conditions: ``key=value`` each; a key is a setting, a group of choices, state, name, or experiment.
        option: that was typed, for messages.

    Raises:
        UserError: a condition is none, or no run fulfils it.
    """
    left = list(runs)
    for condition in conditions:
        key, is_pair, value = condition.partition("=")
        asked = f"{option} {printable(condition)}"
        if not is_pair or not key:
            raise UserError(f"{asked} is no condition; write NAME=VALUE, as in {option} model=rdn")
        known = {name for run in runs for name in run.settings}
        if key not in known:
            raise UserError(f"{asked}: no run has a setting {printable(key)}{_near(key, known)}")
        values = {run.settings[key] for run in left if key in run.settings}
        left = [run for run in left if _same(run.settings.get(key), value)]
        if not left:
            raise UserError(f"{asked}: no run has that{did_you_mean(value, values)}")
    return left


def _near(key: str, known: set[str]) -> str:
    """Among settings at the top and choices first: there are hundreds of dotted ones."""
    return did_you_mean(key, known) or did_you_mean(key, {name for name in known if "." not in name})


def _same(own: str | None, value: str) -> bool:
    """The same text, or the same number: 1e-4 is 0.0001."""
    if own is None or own == value:
        return own is not None
    try:
        return float(own) == float(value)
    except ValueError:
        return False


def ordered(runs: Sequence[Listed], by: str | None) -> list[Listed]:
    """The best first; runs without the number come last, in their own order.

    Args:
        runs: to order.
        by: a column, or None for the order of the folders.

    Raises:
        UserError: there is no such column.
    """
    if by is None:
        return list(runs)
    known = {*_FALLING, *_RISING, *OTHERS, "name", *(name for run in runs for name in run.numbers)}
    if by not in known:
        raise UserError(f"--by {printable(by)}: there is no such column{did_you_mean(by, known)}")
    if by == "name":
        return sorted(runs, key=lambda run: run.row.name)
    return sorted(runs, key=lambda run: (by not in run.numbers, sign_of(by) * run.numbers.get(by, 0.0)))


def sign_of(by: str) -> int:
    """-1 for a column of which more is better, so that the best comes first."""
    return 1 if metric_of(by) in _RISING else -1
