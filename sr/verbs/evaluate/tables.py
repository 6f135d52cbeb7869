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
            **(self.borders[who.scale].row(one.label) if self.borders else {}),
            "seconds": sum(seconds),
            "seconds_per_megapixel": sum(seconds) / sum(pixels) * 1e6 if pixels else math.nan,
            "parameters": who.parameters,
            **{f"published_{name}": known.values.get(name, "") for name in METRICS},
            "published_by": known.source,
        }


def published(one: Found) -> Published:
    """What others published of this network on this set; empty where nothing is known."""
    who = one.contestant
    place = (who.kind, who.parameters, who.scale, one.pairs.official or "")
    return published_values().get(place, _NOTHING)


def print_table(console: Console, table: Table) -> None:
    """The table, and below it where published numbers come from."""
    scales = dict.fromkeys(one.contestant.scale for one in table.found)
    who = ", ".join(dict.fromkeys(one.contestant.label for one in table.found))
    cropped = ", ".join(f"x{scale}: {scale} px" for scale in scales)
    say(console, f"{printable(who)}; PSNR in dB, border cropped ({cropped}); s/MP: seconds per megapixel made")
    shown = ["images", *table.yardsticks.columns, "seconds_per_megapixel", "parameters", "published"]
    lines = [
        (printable(one.label), [_shown(name, row) for name in shown])
        for one, row in zip(table.found, table.rows, strict=True)
    ]
    headings = ["s/MP" if name == "seconds_per_megapixel" else name for name in shown]
    print_numbers(console, "set, scale, network", headings, lines)
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
    names = ["images", *table.yardsticks.columns, "seconds_per_megapixel", "parameters", "published"]
    head = ["set", "scale", "network", *("s/MP" if name == "seconds_per_megapixel" else name for name in names)]
    lines = [_line(head), _line(["---"] * 3 + ["---:"] * len(names))]
    for one, row in zip(table.found, table.rows, strict=True):
        start = [one.set, f"x{one.contestant.scale}", one.contestant.label]
        lines.append(_line([*start, *(_shown(name, row) for name in names)]))
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


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(printable(text).replace('|', '&#124;') for text in cells)} |"


def _shown(column: str, row: Mapping[str, Any]) -> str:
    if column == "published":
        pairs = [[row[f"published_{name}_{kind}"] for name in ("psnr", "ssim")] for kind in ("y", "rgb")]
        texts = ["/".join(value.removeprefix("0") for value in pair if value) for pair in pairs]
        return texts[0] or (f"RGB {texts[1]}" if texts[1] else "")
    value = row[column]
    if isinstance(value, float) and math.isnan(value) and column not in METRICS:
        return ""  # no picture is large enough for it, or there is no truth
    if column.startswith("psnr") or column in OTHERS:
        return f"{value:.2f}"
    if column.startswith("ssim") or column in DISTANCES or isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}"


def _exact(value: Any) -> Any:
    """As a CSV file holds it."""
    if isinstance(value, float):
        return f"{value:.6f}" if math.isfinite(value) else ""
    return cell(value)
