"""`sr report`: one page that compares runs."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from sr.config.nearest import did_you_mean, near_files, nearest, neighbours
from sr.errors import UserError
from sr.experiments.failure import FILE as FAILURE
from sr.experiments.report.building import Wanted
from sr.experiments.report.films import FILMS, Film
from sr.experiments.report.writing import INDEX, write_report
from sr.experiments.runs import CONFIG, folders_with
from sr.experiments.table import Row, rows_of
from sr.files import real_path
from sr.pasted import verb
from sr.printable import printable
from sr.verbs.screen.progress import StoreProgress
from sr.verbs.screen.tables import console_for_tables, say

_MOST_LINES = 8
"""Lines about what is left out; a disk that went bad would fill the screen."""


def report(runs: Sequence[Path], output: Path, title: str | None, film: str) -> None:
    """Write the page, and say how to open it.

    Args:
        runs: run folders, or folders with runs.
        output: folder of the page.
        title: over the page; None takes the sweep's or the folder's name.
        film: mp4, gif, both or none.

    Raises:
        UserError: a folder is missing or has no runs, or the report cannot be written.
    """
    kind = _film(film)
    check_roots(runs)
    rows = rows_of(runs)
    console = console_for_tables()
    words: list[str | Path] = [*runs, "-o", output, *([] if title is None else ["--title", title]), *_asked(kind)]
    wanted = Wanted(title_of(rows, runs) if title is None else title, verb("report", *words), date.today(), kind)
    left_out: list[str] = []
    with StoreProgress(console) as progress:
        shown = write_report(rows, output, wanted, left_out.append, progress.update)
    lines = list(dict.fromkeys(left_out))
    for line in lines[:_MOST_LINES]:
        say(console, f"left out: {line}")
    if len(lines) > _MOST_LINES:
        say(console, f"left out: {len(lines) - _MOST_LINES} more")
    say(console, f"{len(rows)} runs, {len(shown['pictures'])} pictures; open {printable(output / INDEX)}")


def _film(word: str) -> Film:
    for kind in FILMS:
        if kind == word:
            return kind
    raise UserError(f"--film {printable(word)} is no kind of film{did_you_mean(word, FILMS)}")


def _asked(kind: Film) -> list[str]:
    return [] if kind == "none" else ["--film", kind]


def title_of(rows: Sequence[Row], roots: Sequence[Path]) -> str:
    """The sweep's name, or that of the only folder, or how many runs there are.

    Args:
        rows: the runs.
        roots: folders that were asked for.
    """
    sweeps = {row.command.sweep for row in rows}
    sweep = sweeps.pop() if len(sweeps) == 1 else None
    if sweep:
        return sweep
    return roots[0].resolve().name if len(roots) == 1 else f"{len(rows)} runs"


def check_roots(roots: Sequence[Path]) -> None:
    """Refuse folders that are missing, or have no runs: something else was meant.

    Args:
        roots: as typed.

    Raises:
        UserError: a line for each.
    """
    faults = [fault for root in roots if (fault := _fault(root))]
    if faults:
        raise UserError(*faults)


def _fault(root: Path) -> str:
    name = printable(root)
    if not root.exists():
        return f"there is no folder {name}{neighbours(near_files(root))}"
    if not root.is_dir():
        near = root.parent if (root.parent / CONFIG).is_file() else None
        return f"{name} is a file; name a folder of a run, or one with runs{neighbours([str(near)] if near else [])}"
    if next(folders_with([root], (CONFIG, FAILURE)), None) is not None:
        return ""
    near_by = _nearest_with_runs(root)
    hint = f"; the nearest that has is {printable(near_by)}" if near_by else "; train.py makes one: python train.py"
    return f"{name} has no runs: no folder with a {CONFIG} in it{hint}"


def _nearest_with_runs(root: Path) -> Path | None:
    """The run that a folder lies in, or a folder beside it with runs, the one with the most similar name first."""
    whole = real_path(root)
    inside = next((place for place in whole.parents if (place / CONFIG).is_file()), None)
    if inside is not None:
        return inside
    beside = {path.name: path for path in root.parent.iterdir() if path.is_dir() and path.name != root.name}
    similar = [beside[name] for name in nearest(root.name, beside)]
    usual = [Path("outputs")] if Path("outputs").is_dir() else []
    return next((path for path in (*similar, *usual, *sorted(beside.values())) if _has_runs(path)), None)


def _has_runs(folder: Path) -> bool:
    """Whether runs lie in a folder or two levels below; all of a disk is not searched for a hint."""
    return any(next(folder.glob(f"{levels}{CONFIG}"), None) is not None for levels in ("", "*/", "*/*/"))
