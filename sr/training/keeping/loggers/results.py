"""A run's summary as services take it: names and single values."""

import math
from collections.abc import Mapping
from typing import Any

from sr.training.keeping.run_folder import RunFolder
from sr.training.keeping.tables import read_table

_SINGLE = (
    "exit_reason",
    "updates",
    "seconds",
    "updates_per_second",
    "pictures_per_second",
    "parameters",
    "recoveries",
    "monitor",
    "scale",
    "machine",
)
_TABLES = ("best", "bicubic", "final")


def flat_result(summary: Mapping[str, Any]) -> dict[str, str | int | float]:
    """``best/psnr_y``, ``best/updates``, ``bicubic/psnr_y``, ``exit_reason`` and so on; no value that is not finite.

    Args:
        summary: as `RunFolder.write_summary` takes it.
    """
    values = {name: summary[name] for name in _SINGLE if summary.get(name) is not None}
    for table in _TABLES:
        values |= {f"{table}/{name}": value for name, value in summary.get(table, {}).items()}
    return {name: v for name, v in values.items() if not isinstance(v, float) or math.isfinite(v)}


def numbers(values: Mapping[str, str | int | float]) -> dict[str, float]:
    """Those of the values that are numbers."""
    return {name: float(value) for name, value in values.items() if not isinstance(value, str)}


def last_by_picture(folder: RunFolder) -> tuple[list[str], list[list[str | int | float]]]:
    """What the last validation measured of each picture.

    Returns:
        Columns (``updates``, ``set``, ``picture``, metrics) and rows; no rows where there was no validation.

    Raises:
        UserError: another program has rewritten the file.
    """
    columns, rows = read_table(folder.by_picture)
    last = max((int(row["updates"]) for row in rows), default=-1)
    return columns, [[_value(name, row[name]) for name in columns] for row in rows if int(row["updates"]) == last]


def _value(name: str, text: str) -> str | int | float:
    if name in ("set", "picture"):
        return text
    try:
        return int(text) if name == "updates" else float(text)
    except ValueError:  # not measured: a picture that is too small for it
        return math.nan
