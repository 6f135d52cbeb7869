"""From runs to the object that the page shows: see `REPORT` in the page's scripts."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sr.errors import UserError
from sr.experiments.groups import Group, compared, groups
from sr.experiments.report.curves import curves, no_curves, rounded
from sr.experiments.report.films import FILMS, Film
from sr.experiments.report.shown import Say, Shown
from sr.experiments.settings import SEED, differing
from sr.experiments.table import Row
from sr.pasted import verb
from sr.plain_yaml import LARGEST_FILE
from sr.printable import printable
from sr.training.columns import (
    CONSISTENCY,
    CYCLE,
    IDENTITY,
    INPUT,
    METRICS,
    OTHERS,
    PERCEPTUAL,
    SHIFT,
    WATCHED,
    better,
    metric_of,
)
from sr.training.keeping.run_folder import CHANGED
from sr.training.keeping.tables import read_table

VERSION = 1
_ORDER = (*METRICS, *PERCEPTUAL, *CYCLE, *OTHERS, *WATCHED, CONSISTENCY, IDENTITY, SHIFT, *INPUT)
_DIGITS = {
    "psnr_y": 2,
    "psnr_rgb": 2,
    "cycle_psnr": 2,
    "input_psnr": 2,
    "colour_shift": 5,
    "sharpness": 3,
    "colour_error": 5,
    "checkerboard": 5,
    "checkerboard_local": 5,
}
_BUG = re.compile(r"update_(\d{1,15})_.*")


@dataclass(frozen=True)
class Wanted:
    """What the report is to be called, and hold.

    Attributes:
        title: over the page.
        command: that makes it again.
        made: the day.
        film: kind of films of the histories.
    """

    title: str
    command: str
    made: date
    film: Film = "none"


def build(
    wanted: Wanted, rows: Sequence[Row], pictures: Sequence[Sequence[Shown]], films: Mapping[str, str], say: Say
) -> dict[str, Any]:
    """The whole object, as plain values without infinite numbers.

    Args:
        wanted: title and the like.
        rows: the runs.
        pictures: of each run.
        films: where a film is, without its ending, by `film_key`.
        say: told of what is left out.
    """
    on = _comparable(rows)
    settings = [{key: value for key, value in one.items() if key != SEED} for one in differing(rows)]
    found = groups(rows, settings)
    runs = [_run(number, row, found, on[number], settings[number], say) for number, row in enumerate(rows)]
    return {
        "version": VERSION,
        "title": printable(wanted.title),
        "made": wanted.made.isoformat(),
        "command": wanted.command,
        "films": list(FILMS[wanted.film]),
        "metrics": metrics(rows),
        "runs": runs,
        "groups": [{"name": group.name, "runs": list(group.runs)} for group in found],
        "pictures": _pictures(rows, pictures, on, films),
        "comparisons": compared(rows, found, say),
    }


def metrics(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The columns that any run has, those of the main set first, each with what is better.

    Args:
        rows: the runs.
    """
    names = dict.fromkeys(name for row in rows for values in (row.final, row.best, row.bicubic) for name in values)
    sets = list(dict.fromkeys(name.rpartition("/")[0] for name in names))

    def place(name: str) -> tuple[bool, int, int, str]:
        metric = metric_of(name)
        known = _ORDER.index(metric) if metric in _ORDER else len(_ORDER)
        return "/" in name, sets.index(name.rpartition("/")[0]), known, metric

    return [
        {
            "name": printable(name),
            "better": _better(metric_of(name)),
            "digits": _DIGITS.get(metric_of(name), 4),
            "unit": "dB" if "psnr" in metric_of(name) else "",
        }
        for name in sorted(names, key=place)
    ]


def _better(metric: str) -> int:
    return {"max": 1, "min": -1, None: 0}[better(metric)]


def _comparable(rows: Sequence[Row]) -> list[int]:
    """A number for each run; those with the same one are measured on the same pictures."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(row.judged_on, len(numbers)) for row in rows]


def _run(
    number: int, row: Row, found: Sequence[Group], on: int, settings: Mapping[str, str], say: Say
) -> dict[str, Any]:
    try:
        drawn = curves(row.run)
    except UserError as error:
        say(f"{row.name}: {error}")
        drawn = no_curves()
    seed = row.run.seed
    return {
        "id": number,
        "name": printable(row.name),
        "folder": printable(row.folder),
        "state": row.state,
        "sentence": printable(row.sentence),
        "group": next(index for index, group in enumerate(found) if number in group.runs),
        "seed": None if seed < 0 else seed,
        "scale": row.scale,
        "updates": row.updates,
        "seconds": rounded(row.seconds),
        "pictures_per_second": rounded(row.pictures_per_second),
        "parameters": row.parameters,
        "recoveries": row.recoveries,
        "on": on,
        "settings": dict(settings),
        "config": _config(row, say),
        "command": printable(row.command.line),
        "best": _values(row.best),
        "best_updates": row.best_updates if row.best_updates >= 0 else None,
        "final": _values(row.final),
        "bicubic": _values(row.bicubic),
        "curves": drawn,
        "events": _events(row),
        "changes": _changes(row, say),
    }


def _values(values: Mapping[str, float]) -> dict[str, float]:
    return {printable(name): float(f"{value:.8g}") for name, value in values.items() if math.isfinite(value)}


def _config(row: Row, say: Say) -> str:
    """The text of its config.yaml, its line breaks and nothing else of what a screen obeys."""
    path = row.run.folder.config
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            return ""
        return printable(path.read_text(encoding="utf-8", errors="replace"), keep="\n")
    except OSError as error:
        say(f"{row.name}: {printable(path)} cannot be read: {error.strerror or error}")
        return ""


def _changes(row: Row, say: Say) -> list[dict[str, Any]]:
    """What was changed when it went on."""
    try:
        rows = read_table(row.run.folder.changes)[1]
    except (UserError, OSError) as error:
        say(f"{row.name}: {error}")
        return []
    told = {name: [printable(line.get(name, "")) for line in rows] for name in CHANGED[1:]}
    return [
        {"updates": int(line["updates"])} | {name: values[number] for name, values in told.items()}
        for number, line in enumerate(rows)
    ]


def _events(row: Row) -> list[dict[str, Any]]:
    """What exploded, by its bundles; later ones of a run leave none."""
    found = []
    for path in row.run.folder.bugs.glob("*.bug"):
        update = _BUG.fullmatch(path.stem)
        if update and path.is_file():
            what = f"exploded at update {int(update[1])}"
            found.append({"updates": int(update[1]), "what": what, "replay": printable(verb("replay", path))})
    return sorted(found, key=lambda event: (event["updates"], event["replay"]))


def film_key(run: int, picture: Shown) -> str:
    """What tells one film from another.

    Args:
        run: number of the run.
        picture: whose history it is.
    """
    return f"{run}:{picture.set}:{picture.number}:{picture.measured.name}"


def _pictures(
    rows: Sequence[Row], pictures: Sequence[Sequence[Shown]], on: Sequence[int], films: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Each picture with the runs that show it; the same part of the same picture is one."""
    found: dict[Any, dict[str, Any]] = {}
    for number, (row, own) in enumerate(zip(rows, pictures, strict=True)):
        for one in own:
            same = (
                on[number],
                row.scale,
                one.set,
                one.number,
                one.measured.name,
                one.size,
                one.hr or one.bicubic or one.lr,
            )
            entry = found.setdefault(same, _picture(len(found), one, on[number], row.scale))
            entry["lr"] = entry["lr"] or one.lr
            entry["bicubic"] = entry["bicubic"] or one.bicubic
            entry["bicubic_metrics"] = entry["bicubic_metrics"] or _values(one.bicubic_metrics)
            entry["runs"][str(number)] = {
                "sr": one.sr,
                "back": one.back,
                "updates": one.measured.updates,
                "metrics": _values(one.measured.metrics),
                "history": [[updates, name] for updates, name, _ in one.history],
                "film": films.get(film_key(number, one)),
            }
    return list(found.values())


def _picture(number: int, one: Shown, on: int, scale: int | None) -> dict[str, Any]:
    return {
        "id": number,
        "set": printable(one.set),
        "name": one.measured.name,
        "on": on,
        "scale": scale,
        "width": one.size[0],
        "height": one.size[1],
        "lr": one.lr,
        "bicubic": one.bicubic,
        "hr": one.hr,
        "bicubic_metrics": _values(one.bicubic_metrics),
        "runs": {},
    }
