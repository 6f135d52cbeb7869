"""What `sr evaluate` prints and writes: a row per network and set, or a line per picture."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from sr.files import write_atomically
from sr.printable import cell, printable
from sr.training.columns import DISTANCES, METRICS, OTHERS
from sr.verbs.evaluate.border import COLUMNS, BorderTable
from sr.verbs.evaluate.measuring import Found, Yardsticks, means_of
from sr.verbs.evaluate.published import Published, published_values
from sr.verbs.screen.tables import print_numbers, say

_NOTHING = Published({}, "")
_HEADINGS = {"seconds_per_megapixel": "s/MP", "parameters": "params", "published": "published (architecture)"}


@dataclass(frozen=True)
class Table:
    """Everything that was measured.

    Attributes:
        found: by network and set, in the order of the rows.
        yardsticks: what was measured.
        borders: by scale, where they were asked for.
    """

    found: Sequence[Found]
    yardsticks: Yardsticks
    borders: Mapping[int, BorderTable]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row each, by the names of the CSV file's columns."""
        return [self._row(one) for one in self.found]

    @cached_property
    def columns(self) -> list[str]:
        """Of the CSV file."""
        published = [f"published_{name}" for name in METRICS]
        border = COLUMNS if self.borders else ()
        measured = (*self.yardsticks.columns, *border, "seconds", "seconds_per_megapixel", "parameters")
        return ["model", "set", "scale", "images", *measured, *published, "published_by"]

    def _row(self, one: Found) -> dict[str, Any]:
        who = one.contestant
        seconds = [row["seconds"] for row in one.rows if math.isfinite(row["seconds"])]
        pixels = [row["width"] * row["height"] for row in one.rows if math.isfinite(row["seconds"])]
        known = published(one)
        return {
            "model": who.label,
            "set": one.set,
            "scale": who.scale,
            "images": len(one.rows),
            **means_of(one.rows, self.yardsticks.columns),
            **({} if one.pairs.truth else dict.fromkeys((*METRICS, *OTHERS, *self.yardsticks.distances), "")),
            **(self.borders[who.scale].row(one.set_and_scale, who.label) if self.borders else {}),
            "seconds": sum(seconds) if seconds else math.nan,
            "seconds_per_megapixel": sum(seconds) / sum(pixels) * 1e6 if pixels else math.nan,
            "parameters": who.parameters,
            **{f"published_{name}": known.values.get(name, "") for name in METRICS},
            "published_by": known.source,
        }


def published(one: Found) -> Published:
    """What others published of this kind and size of network on this set; empty where that is unknown, or it is ours.

    Weights of other trainings have the same shapes, so that the tables say what is known: the architecture.
    """
    who = one.contestant
    if who.ours:
        return _NOTHING
    place = (who.kind, who.parameters, who.scale, one.pairs.official or "")
    return published_values().get(place, _NOTHING)


def print_table(console: Console, table: Table) -> None:
    """The table, and below it where published numbers come from."""
    scales = dict.fromkeys(one.contestant.scale for one in table.found)
    who = ", ".join(dict.fromkeys(one.contestant.label for one in table.found))
    cropped = ", ".join(f"x{scale}: {scale} px" for scale in scales)
    say(console, f"{printable(who)}; PSNR in dB, border cropped ({cropped}); s/MP: seconds per megapixel made")
    headings, cells = _cells(table)
    labels = [printable(one.label) for one in table.found]
    print_numbers(console, "set, scale, network", headings, list(zip(labels, cells, strict=True)))
    for source in sources(table):
        say(console, f"published: {source}")
    kept = sum(one.kept for one in table.found)
    if kept:
        say(console, f"{kept} of {len(table.found)} rows were measured before and kept; --again measures them anew")
    for border in table.borders.values():
        border.print(console)


def sources(table: Table) -> list[str]:
    """Where the published numbers of a table come from, by network."""
    told: dict[str, None] = {}
    for one in table.found:
        known = published(one)
        if known.source:
            told[f"{one.contestant.label} x{one.contestant.scale}: {known.source}"] = None
    return list(told)


def write_csv(path: Path, table: Table) -> None:
    """All digits that are worth something; a number that is none leaves its cell empty.

    Raises:
        UserError: the file cannot be written.
    """
    _write_csv(path, table.columns, table.rows)


def write_markdown(path: Path, table: Table) -> None:
    """The table as it is printed, for a document.

    Raises:
        UserError: the file cannot be written.
    """
    headings, cells = _cells(table)
    lines = [_line(["set", "scale", "network", *headings]), _line(["---"] * 3 + ["---:"] * len(headings))]
    for one, own in zip(table.found, cells, strict=True):
        lines.append(_line([one.set, f"x{one.contestant.scale}", one.contestant.label, *own]))
    notes = [f"- published: {printable(source)}" for source in sources(table)]
    text = "\n".join([*lines, *([""] if notes else []), *notes, ""])
    write_atomically(path, text.encode())


def write_pictures(path: Path, table: Table) -> None:
    """A line for each picture of each row.

    Raises:
        UserError: the file cannot be written.
    """
    columns = ["model", "set", "scale", "picture", "width", "height", *table.yardsticks.columns, "seconds"]
    rows = (
        {"model": one.contestant.label, "set": one.set, "scale": one.contestant.scale, **row}
        for one in table.found
        for row in one.rows
    )
    _write_csv(path, columns, rows)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({column: _exact(row[column]) for column in columns} for row in rows)
    write_atomically(path, text.getvalue().encode())


def _cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """Headings and rows as they are shown; a column in which nothing is known is left out."""
    names = ["images", *table.yardsticks.columns, "seconds_per_megapixel", "parameters", "published"]
    by_name = {name: [_shown(name, row) for row in table.rows] for name in names}
    by_name = {_HEADINGS.get(name, name): cells for name, cells in by_name.items() if any(cells)}
    return list(by_name), [list(row) for row in zip(*by_name.values(), strict=True)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(printable(text).replace('|', '&#124;') for text in cells)} |"


def _shown(column: str, row: Mapping[str, Any]) -> str:
    if column == "published":
        pairs = [[row[f"published_{name}_{kind}"] for name in ("psnr", "ssim")] for kind in ("y", "rgb")]
        texts = ["/".join(value.removeprefix("0") for value in pair if value) for pair in pairs]
        return texts[0] or (f"RGB {texts[1]}" if texts[1] else "")
    value = row[column]
    if value == "" or (isinstance(value, float) and math.isnan(value) and column not in METRICS):
        return ""  # there is no truth, or no picture is large enough for it
    if column == "parameters":
        return f"{value / 1e6:.3g}M" if value >= 1e6 else f"{value / 1e3:.3g}k" if value >= 1e3 else str(value)
    if column.startswith("psnr") or column in (*OTHERS, "seconds_per_megapixel"):
        return f"{value:.2f}"
    if column.startswith("ssim") or column in DISTANCES or isinstance(value, float):
        return f"{value:.4f}"
    return str(value)


def _exact(value: Any) -> Any:
    """As a CSV file holds it."""
    if isinstance(value, float):
        return f"{value:.6f}" if math.isfinite(value) else ""
    return cell(value)
