"""Runs as a table on the screen: what ends a sweep, and `sr runs`."""

import math
from collections.abc import Iterable, Sequence

from sr.experiments.table import At, Row
from sr.printable import printable
from sr.training.columns import CYCLE, OTHERS, PERCEPTUAL
from sr.verbs.screen.tables import console_for_tables, gain, number, print_numbers

COLUMNS = ("psnr_y", "gain", "ssim_y", "sharpness", "lpips", "cycle_psnr", "parameters", "updates", "updates/s")
"""Numbers of a run, which fit 100 columns; sharpness, LPIPS and the cycle where some run has them."""
NOT_BEGUN = "not begun"


def print_runs(rows: Sequence[tuple[str, Row | None]], title: str, at: At = "best") -> None:
    """One line per run, then what did not come to its own end.

    Args:
        rows: a name, and the run; None where it has not begun.
        title: above the table.
        at: whose values count.
    """
    if not rows:
        return
    cells = [{} if row is None else cells_of(row, at) for _, row in rows]
    columns = [c for c in COLUMNS if c not in OTHERS + PERCEPTUAL + CYCLE or any(c in own for own in cells)]
    labelled = [(name, [own.get(column, "") for column in columns]) for (name, _), own in zip(rows, cells, strict=True)]
    print_numbers(console_for_tables(), "run", columns, labelled, title)
    for name, row in rows:
        state, sentence = (NOT_BEGUN, "") if row is None else (row.state, row.sentence)
        if state != "finished":
            print(f"{printable(name)}: {state}" + (f": {printable(sentence, keep=chr(10))}" if sentence else ""))


def cells_of(row: Row, at: At = "best") -> dict[str, str]:
    """The numbers of a run as the table shows them; what is not known is left out.

    Args:
        row: the run.
        at: whose values count.
    """
    measures = row.measures(at)
    cells = {name: number(name, measures[name]) for name in COLUMNS if name in measures}
    cells["gain"] = gain(measures, row.bicubic) if measures else ""
    if row.parameters is not None:
        cells["parameters"] = f"{row.parameters:,}"
    if row.updates:
        cells["updates"] = str(row.updates)
    if math.isfinite(row.updates_per_second):
        cells["updates/s"] = f"{row.updates_per_second:.1f}"
    return cells


def over(rows: Iterable[Row | None]) -> str:
    """What gains of these runs are over: at x1 bicubic is the picture itself, which a translation begins with."""
    final = [row.final for row in rows if row is not None and row.final]
    return "the untranslated" if final and all(CYCLE[0] in values for values in final) else "bicubic"
