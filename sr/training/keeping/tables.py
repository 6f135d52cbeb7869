"""Tables of a run whose first column is ``updates``: read back, appended to; among them that of every picture."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sr.files import write_atomically
from sr.printable import cell
from sr.types import UserError

Row = dict[str, str]


def read_table(path: Path) -> tuple[list[str], list[Row]]:
    """The columns and the whole rows of a table; only ``updates`` where the file is empty or not there.

    Raises:
        UserError: another program has rewritten the file.
    """
    if not path.exists():
        return ["updates"], []
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file, restkey="")
            columns = list(reader.fieldnames or ["updates"])
            rows = [{str(cell(name)): str(cell(row[name])) for name in columns} for row in reader if _whole(row)]
    except csv.Error as error:
        raise UserError(f"{path} is no table ({error}); move it away and resume again") from error
    if columns[0] != "updates":
        raise UserError(
            f"{path} is no longer the table that this program wrote: it begins with "
            f"{columns[0][:20]!r} instead of 'updates'. Move it away and resume again"
        )
    return [str(cell(name)) for name in columns], rows


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Replace a table.

    Raises:
        UserError: the disk is full or not writable; the old file is kept.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def append_rows(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Add rows to a table that is there, in one piece.

    Raises:
        UserError: the disk is full or not writable.
    """
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, restval="").writerows(rows)
    try:
        with path.open("a", newline="", encoding="utf-8") as file:
            file.write(text.getvalue())
    except OSError as error:
        raise UserError(f"could not write {path}: {error.strerror or error}") from error


def _whole(row: dict[str, str]) -> bool:
    """A power cut may leave part of a row, whose last values are None."""
    number = row.get("updates") or ""
    return None not in row.values() and number.isascii() and number.isdigit() and len(number) < 16


class PictureTable:
    """What each validation measured of each picture: ``updates``, ``set``, ``picture``, then the metrics.

    Rows are not kept in memory: there are as many as pictures times validations.

    Args:
        path: the file. Rows of an earlier sitting are kept up to the update that the run resumes from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns = ["updates", "set", "picture"]
        self._newest = -1

    def resume_from(self, updates: int) -> None:
        """Keep the rows up to ``updates``: what came after is about to be computed again.

        Raises:
            UserError: another program has rewritten the file.
        """
        if not self.path.exists():
            return
        columns, rows = read_table(self.path)
        self._columns += [name for name in columns if name not in self._columns]
        kept = [row for row in rows if int(row["updates"]) <= updates]
        self._newest = max((int(row["updates"]) for row in kept), default=-1)
        write_table(self.path, self._columns, kept)

    def add(self, updates: int, values: Mapping[str, Iterable[tuple[str, Mapping[str, float]]]]) -> None:
        """Add a validation; what one found after as many updates before, as a guarded run may, is replaced.

        Args:
            updates: so far.
            values: (picture, its metrics) by the name of the set.

        Raises:
            UserError: the disk is full or not writable.
        """
        rows = [
            {"updates": str(updates), "set": str(cell(name)), "picture": str(cell(picture))}
            | {metric: f"{value:.8g}" for metric, value in metrics.items() if math.isfinite(value)}
            for name, pictures in values.items()
            for picture, metrics in pictures
        ]
        new = list(dict.fromkeys(name for row in rows for name in row if name not in self._columns))
        self._columns += new
        if not new and updates > self._newest and self.path.exists():
            append_rows(self.path, self._columns, rows)
        else:
            kept = [row for row in read_table(self.path)[1] if int(row["updates"]) != updates]
            write_table(self.path, self._columns, sorted([*kept, *rows], key=lambda row: int(row["updates"])))
        self._newest = max(self._newest, updates)
