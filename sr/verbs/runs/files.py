"""The table of runs as a file: CSV for spreadsheets, JSON for programs."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sr.errors import UserError
from sr.experiments.runs import CONFIG, SWEEP
from sr.files import check_place, real_path, write_atomically
from sr.pickles import PICKLED
from sr.printable import cell, printable
from sr.verbs.runs.asked import Listed


def entries(runs: Sequence[Listed], group_of: Mapping[int, str]) -> list[dict[str, Any]]:
    """Everything that is known of each run, as plain values; numbers that are none are null.

    Args:
        runs: in their order.
        group_of: name of the group of runs that differ in nothing but the seed, by place in that order.
    """
    measured = {run.row.measured_by: number for number, run in reversed(list(enumerate(runs)))}
    places = {on: number for number, on in enumerate(sorted(measured, key=lambda one: measured[one]))}
    return [_entry(run, group_of[number], places[run.row.measured_by]) for number, run in enumerate(runs)]


def _entry(run: Listed, group: str, on: int) -> dict[str, Any]:
    row = run.row
    told: dict[str, Any] = {
        "name": row.name,
        "folder": str(row.folder),
        "group": group,
        "state": row.state,
        "exit_reason": row.run.reason,
        "sentence": row.sentence,
        "command": row.command.line,
        "experiment": row.run.experiment,
        "seed": row.run.seed if "seed" in row.run.config else None,
        "scale": row.scale,
        "measured_on": on,
        "settings": dict(run.differing),
        "updates": row.updates,
        "seconds": row.seconds,
        "updates_per_second": row.updates_per_second,
        "pictures_per_second": row.pictures_per_second,
        "parameters": row.parameters,
        "recoveries": row.recoveries,
        "best_updates": row.best_updates if row.best else None,
    }
    tables = {"best": row.best, "final": row.final, "bicubic": row.bicubic}
    return {key: _plain(value) for key, value in (told | {name: dict(of) for name, of in tables.items()}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return printable(value) if isinstance(value, str) else value


def check_outputs(paths: Sequence[Path]) -> None:
    """Refuse to write tables and pages where something else lies, or may lie.

    Args:
        paths: of the files that are asked for.

    Raises:
        UserError: one is called as a network, a file of a run or a sweep would be replaced, two are the same, or one
            cannot be written there.
    """
    for path in paths:
        if path.suffix.lower() in (".safetensors", *PICKLED):
            raise UserError(f"{printable(path)} is the name of a network; name another file")
        check_no_part(path)
    told = [real_path(path) for path in paths]
    twice = next((path for path, real in zip(paths, told, strict=True) if told.count(real) > 1), None)
    if twice is not None:
        raise UserError(f"{printable(twice)} cannot hold more than one table; name a file for each")


def check_no_part(path: Path) -> None:
    """Before long work: make sure that a file can be written, and that no part of a run is lost by that.

    Raises:
        UserError: it is a file of a run or a sweep, or cannot be written there.
    """
    check_place(path)
    inside = (p for p in real_path(path).parents if any((p / name).is_file() for name in (CONFIG, SWEEP)))
    if path.exists() and any(inside):
        raise UserError(f"{printable(path)} is part of a run or a sweep, and would be lost; name another file")


def write_json(path: Path, told: Sequence[Mapping[str, Any]]) -> None:
    """Write the entries.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomically(path, (json.dumps(list(told), indent=1, allow_nan=False) + "\n").encode())


def write_csv(path: Path, told: Sequence[Mapping[str, Any]]) -> None:
    """Write the entries, a row each; what they hold in tables has columns of its own, as ``best/psnr_y``.

    Raises:
        UserError: the file cannot be written.
    """
    rows = [_flat(entry) for entry in told]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [str(cell(name)) for name in columns], restval="")
    writer.writeheader()
    writer.writerows({str(cell(name)): cell(value) for name, value in row.items()} for row in rows)
    write_atomically(path, text.getvalue().encode())


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their own names, metrics by table and name; what is not known is an empty cell."""
    row: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, Mapping):
            row |= {f"{key}/{name}": child for name, child in value.items()}
        else:
            row[key] = value
    return {name: "" if value is None else value for name, value in row.items()}
