"""The report's folder: claimed, filled so that an interrupted report leaves the one before, and swept."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sr.errors import UserError
from sr.experiments.report import films
from sr.experiments.report.building import Wanted, build, film_key
from sr.experiments.report.pictures import PictureFiles
from sr.experiments.report.shown import Say, Shown, shown
from sr.experiments.table import Row
from sr.files import check_writable, real_path, sweep_up, write_atomically
from sr.locks import InUseError, alone
from sr.printable import printable
from sr.training.keeping.run_folder import RunFolder

PAGE = Path(__file__).parent / "page"
"""What every report has: index.html, styles and scripts."""
INDEX, DATA, PLOTLY, MARK = "index.html", "data.js", "plotly.min.js", ".sr-report"
_LOCK = ".lock"
_NOTHING = {_LOCK, ".DS_Store", "Thumbs.db", "desktop.ini"}
"""What a folder may hold that is taken for empty."""

OnProgress = Callable[[str, int, int], None]
"""Told (what, done, of how many)."""


def write_report(
    rows: Sequence[Row], target: Path, wanted: Wanted, say: Say, on_progress: OnProgress, page: Path | None = None
) -> dict[str, Any]:
    """Write the report, or write it again: what it held before stays whole until the new one is.

    Args:
        rows: the runs.
        target: its folder; made if missing.
        wanted: title and the like.
        say: told of what is left out.
        on_progress: told how far it is.
        page: folder of the page's own files; None is `PAGE`.

    Returns:
        What the page shows.

    Raises:
        UserError: the folder holds something else, belongs to a run, or cannot be written.
    """
    page = PAGE if page is None else page
    if not (page / INDEX).is_file():
        raise UserError(f"{printable(page / INDEX)} is missing: this installation is not whole; install it again")
    with _claimed(target, rows):
        pictures = []
        with PictureFiles(target) as files:
            for number, row in enumerate(rows):
                on_progress("reading runs", number, len(rows))
                pictures.append(shown(row, files, say))
        on_progress("reading runs", len(rows), len(rows))
        made = _films(target / films.FOLDER, rows, pictures, wanted, on_progress)
        report = build(wanted, rows, pictures, made, say)
        _write_page(target, page)
        write_atomically(target / DATA, as_script(report))
        write_atomically(target / INDEX, (page / INDEX).read_bytes())
        files.delete_others()
        kinds = films.FILMS[wanted.film]
        films.delete_others(
            target / films.FOLDER, [f"{Path(name).name}{kind}" for name in made.values() for kind in kinds]
        )
    return report


def as_script(report: Any) -> bytes:
    r"""The object as a script. It is ASCII, and ``<`` is written ``\u003c``: no name ends a script or begins a tag.

    Args:
        report: plain values.
    """
    text = json.dumps(report, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.REPORT = {text};\n".encode()


def _films(
    folder: Path, rows: Sequence[Row], pictures: Sequence[Sequence[Shown]], wanted: Wanted, on_progress: OnProgress
) -> dict[str, str]:
    """Films of all histories, where they are wanted; where each is, by `film_key`."""
    kinds = films.FILMS[wanted.film]
    todo = [(number, one) for number, own in enumerate(pictures) for one in own if kinds and one.history]
    found = {}
    for done, (number, one) in enumerate(todo):
        on_progress("making films", done, len(todo))
        name = films.film_name(rows[number].name, one.measured.name, one.history)
        if films.write_film(folder, name, one.history, kinds):
            found[film_key(number, one)] = f"{films.FOLDER}/{name}"
    if todo:
        on_progress("making films", len(todo), len(todo))
    return found


def _write_page(target: Path, page: Path) -> None:
    from plotly.offline import get_plotlyjs  # half a second, which other verbs need not wait for

    write_atomically(target / PLOTLY, get_plotlyjs().encode())
    for path in sorted(page.rglob("*")):
        own = path.relative_to(page)
        if path.is_file() and own != Path(INDEX) and not any(part.startswith((".", "_")) for part in own.parts):
            write_atomically(target / own, path.read_bytes())


@contextmanager
def _claimed(target: Path, rows: Sequence[Row]) -> Iterator[None]:
    """The folder for this process alone, with the mark of a report.

    Raises:
        UserError: it is not ours to write.
    """
    _check_no_run(target, rows)
    _check_ours(target)
    check_writable(target)
    try:
        with alone(target / _LOCK):
            try:
                write_atomically(target / MARK, b"")
                sweep_up(target, below=True)
                yield
            finally:
                with suppress(OSError):
                    (target / _LOCK).unlink(missing_ok=True)
    except InUseError as error:
        raise UserError(f"{printable(target)} is being written by {error}; wait until it has ended") from None
    except OSError as error:
        raise UserError(f"could not write into {printable(target)}: {error.strerror or error}") from error


def _check_no_run(target: Path, rows: Sequence[Row]) -> None:
    """Refuse the folder of a run, and folders inside one, where a run writes itself.

    Raises:
        UserError: it is one.
    """
    runs = {real_path(row.folder) for row in rows}
    whole = real_path(target)
    for place in (whole, *whole.parents):
        run = RunFolder(place)
        if place in runs or (run.config.is_file() and run.holds_run):
            where = "is" if place == whole else f"lies in {printable(place)}, which is"
            raise UserError(
                f"{printable(target)} {where} the folder of a run, and a report is no part of it; name another folder, "
                "such as report"
            )


def _check_ours(target: Path) -> None:
    """Refuse a folder that holds something else than a report, and links by which a report would write elsewhere.

    Raises:
        UserError: it does.
    """
    name = printable(target)
    if target.is_symlink() and not target.exists():
        raise UserError(f"{name} is a link to nothing; name a folder, such as report")
    if target.exists() and not target.is_dir():
        raise UserError(f"{name} is a file; name a folder for the report, such as {_free(target)}")
    try:
        inside = sorted(path.name for path in target.iterdir()) if target.exists() else []
    except OSError as error:
        raise UserError(f"could not read {name}: {error.strerror or error}") from error
    others = [one for one in inside if one not in _NOTHING and not one.endswith(".tmp")]
    if others and MARK not in inside:
        some = ", ".join(map(printable, others[:3])) + (", …" if len(others) > 3 else "")
        raise UserError(
            f"{name} holds something else than a report ({some}); name a new folder, such as {_free(target)}"
        )
    for folder, below, entries in os.walk(target):
        link = next((path for one in (*below, *entries) if (path := Path(folder, one)).is_symlink()), None)
        if link is not None:
            raise UserError(f"{printable(link)} is a link, through which a report would write elsewhere; delete it")


def _free(target: Path) -> str:
    """The nearest name that nobody has."""
    names = (f"{real_path(target).name}_report{number}" for number in ("", *range(2, 1000)))
    places = [target / "report", *map(real_path(target).with_name, names if real_path(target).name else ())]
    return printable(next((place for place in places if not os.path.lexists(place) and target.is_dir()), "report"))
