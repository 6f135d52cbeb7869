"""Curves of a run: what its metrics.csv says over its updates and seconds, short enough for a page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sr.errors import UserError
from sr.experiments.runs import Run, columns
from sr.printable import printable

ROWS = 2000
"""More than a screen has pixels for."""
SECONDS = "train/seconds"
"""The column that tells them; runs of earlier versions have none."""
_DIGITS = 6


def curves(run: Run) -> dict[str, Any]:
    """``updates``, ``seconds`` (None where not known) and ``columns``, see the page's format.

    Args:
        run: whose table of values is read; empty where it has none.

    Raises:
        UserError: the table is damaged.
    """
    if not run.folder.metrics.exists():
        return no_curves()
    table = columns(run)
    updates = table.pop("updates", [])
    if not all(map(math.isfinite, updates)):
        raise UserError(f"{run.folder.metrics} has rows without a number of updates")
    kept = kept_rows([_validated(table, row) for row in range(len(updates))])
    seconds = table.pop(SECONDS, None)
    short = {printable(name): [rounded(values[row]) for row in kept] for name, values in table.items()}
    return {
        "updates": [int(updates[row]) for row in kept],
        "seconds": _filled(updates, seconds, kept),
        "columns": {name: values for name, values in short.items() if any(value is not None for value in values)},
    }


def no_curves() -> dict[str, Any]:
    """Of a run that has logged nothing."""
    return {"updates": [], "seconds": None, "columns": {}}


def kept_rows(validated: Sequence[bool], most: int = ROWS) -> list[int]:
    """Numbers of at most so many rows: the first and last, those with a validation, and others evenly between.

    Args:
        validated: whether each row has one; where these alone are too many, they are thinned too.
        most: at least 2.
    """
    count = len(validated)
    if count <= most:
        return list(range(count))
    fixed = sorted({0, count - 1, *(row for row in range(count) if validated[row])})
    if len(fixed) > most:
        return [fixed[at] for at in _evenly(len(fixed), most)]
    others = [row for row in range(count) if not validated[row] and row not in (0, count - 1)]
    return sorted({*fixed, *(others[at] for at in _evenly(len(others), most - len(fixed)))})


def _evenly(count: int, most: int) -> list[int]:
    return [] if most < 1 else sorted({round(at) for at in np.linspace(0, count - 1, min(count, most))})


def _validated(table: Mapping[str, Sequence[float]], row: int) -> bool:
    return any(math.isfinite(values[row]) for name, values in table.items() if name.startswith("val/"))


def _filled(
    updates: Sequence[float], seconds: Sequence[float] | None, kept: Sequence[int]
) -> list[float | None] | None:
    """Seconds of the kept rows; a validation between two rows of the log is placed between their seconds."""
    if seconds is None:
        return None
    known = [row for row in range(len(updates)) if math.isfinite(seconds[row])]
    if not known:
        return None
    at, values = [updates[row] for row in known], [seconds[row] for row in known]
    return [rounded(float(np.interp(updates[row], at, values))) for row in kept]


def rounded(value: float) -> float | None:
    """To six significant digits; None for what JSON has no number for."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
