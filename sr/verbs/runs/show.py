"""`sr runs` on the screen."""

import math
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sr.errors import UserError
from sr.experiments.comparing import Comparison, compare
from sr.experiments.groups import Group, groups, side
from sr.experiments.table import At, Row, rows_of
from sr.pasted import verb
from sr.printable import printable
from sr.training.columns import OTHERS, PERCEPTUAL
from sr.verbs.report import check_roots
from sr.verbs.runs.asked import Listed, listed, ordered, sign_of, where
from sr.verbs.runs.files import check_outputs, entries, write_csv, write_json
from sr.verbs.screen.runs import COLUMNS, over, print_runs
from sr.verbs.screen.tables import console_for_tables, number, print_numbers, say

_COUNTS = ("parameters", "updates", "updates/s")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def show_runs(
    folders: Sequence[Path],
    by: str | None,
    conditions: Sequence[str],
    baseline: str | None,
    each: bool,
    at: str,
    csv: Path | None,
    json: Path | None,
) -> None:
    """Print the table of runs, and write it on request.

    Args:
        folders: run folders, or folders with runs.
        by: column to order by, or None.
        conditions: ``key=value`` that all hold for the runs that are shown.
        baseline: a condition, or a run's name, for the runs that all others are compared with; None compares none.
        each: a line for each run, also where several differ in their seed alone.
        at: best or final.
        csv: file, or None.
        json: likewise.

    Raises:
        UserError: a folder is missing or has no runs, a word is no condition or column, or a file cannot be written.
    """
    check_roots(folders)
    moment = _at(at)
    check_outputs([path for path in (csv, json) if path is not None])
    runs = ordered(where(listed(rows_of(folders), moment), conditions), by)
    rows = [run.row for run in runs]
    found = groups(rows, [run.differing for run in runs])
    names = {place: group.name for group in found for place in group.runs}
    if csv is not None or json is not None:
        told = entries(runs, names)
        for path, write in ((csv, write_csv), (json, write_json)):
            if path is not None:
                write(path, told)
    several = any(len(group.runs) > 1 for group in found)
    if several and not each:
        _print_groups(runs, _ordered(runs, found, by), moment)
    else:
        labels = _labels(runs)
        print_runs(
            list(zip(labels, rows, strict=True)),
            f"{len(rows)} runs: {moment} validation, gain over {over(rows)}",
            moment,
        )
    _tell_unlike(runs)
    if baseline is not None:
        _print_compared(runs, found, _baseline(runs, found, baseline, folders), moment)


def _at(word: str) -> At:
    if word == "best":
        return "best"
    if word == "final":
        return "final"
    raise UserError(f"--at {printable(word)} is neither best nor final; take one of the two")


def _labels(runs: Sequence[Listed]) -> list[str]:
    """A run's name; with a letter where runs are measured on other pictures, which are not to be compared."""
    marks = _marks([run.row for run in runs])
    return [printable(run.row.name) + (f" ({mark})" if mark else "") for run, mark in zip(runs, marks, strict=True)]


def _marks(rows: Sequence[Row]) -> list[str]:
    kinds = list(dict.fromkeys(row.measured_by for row in rows if row.final))
    if len(kinds) < 2:
        return ["" for _ in rows]
    return [_LETTERS[kinds.index(row.measured_by) % len(_LETTERS)] if row.final else "" for row in rows]


def _tell_unlike(runs: Sequence[Listed]) -> None:
    if any(_marks([run.row for run in runs])):
        print("runs with other letters are measured on other pictures, or at another scale: not to be compared")


def _ordered(runs: Sequence[Listed], found: Sequence[Group], by: str | None) -> list[Group]:
    """Groups by the means of a column, the best first; those without a value last."""
    if by is None or by == "name":
        return list(found)

    def place(group: Group) -> tuple[bool, float]:
        values = [runs[number].numbers[by] for number in group.runs if by in runs[number].numbers]
        return not values, sign_of(by) * statistics.fmean(values) if values else 0.0

    return sorted(found, key=place)


def _print_groups(runs: Sequence[Listed], found: Sequence[Group], at: At) -> None:
    """A line for each group: of its finished runs the mean over seeds ± the sample standard deviation."""
    marks = _marks([run.row for run in runs])
    lines = []
    for group in found:
        own = [runs[place] for place in group.runs]
        mark = f" ({marks[group.runs[0]]})" if marks[group.runs[0]] else ""
        ended = [run for run in own if run.row.state == "finished"] or own
        count = f"{len(ended)} of {len(own)}" if len(ended) < len(own) else str(len(own))
        lines.append((printable(group.name) + mark, {"runs": count} | _spreads(ended)))
    columns = ["runs", *(c for c in COLUMNS if c not in OTHERS + PERCEPTUAL or any(c in cells for _, cells in lines))]
    table = [(name, [cells.get(column, "") for column in columns]) for name, cells in lines]
    title = f"{len(runs)} runs: {at} validation, mean ± standard deviation over seeds"
    print_numbers(console_for_tables(), "settings", columns, table, title)
    for run in runs:
        if run.row.state != "finished":
            sentence = f": {printable(run.row.sentence, keep=chr(10))}" if run.row.sentence else ""
            print(f"{printable(run.row.name)}: {run.row.state}{sentence}")


def _spreads(runs: Sequence[Listed]) -> dict[str, str]:
    cells = {}
    for column in COLUMNS:
        by_seed: dict[int, list[float]] = {}  # the same seed again is no other chance
        for run in runs:
            if column in run.numbers:
                by_seed.setdefault(run.row.run.seed, []).append(run.numbers[column])
        if by_seed:
            cells[column] = _spread(column, [statistics.fmean(values) for values in by_seed.values()])
    return cells


def _spread(column: str, values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    if column in _COUNTS:
        return f"{mean:,.0f}" if column == "parameters" else f"{mean:.1f}" if column == "updates/s" else f"{mean:.0f}"
    kind = "psnr_y" if column == "gain" else column
    shown = f"{mean:+z.2f}" if column == "gain" else number(kind, mean)
    return shown if len(values) < 2 else f"{shown} ±{number(kind, statistics.stdev(values))}"


def _print_compared(runs: Sequence[Listed], found: Sequence[Group], base: Group, at: At) -> None:
    """How each group differs from the baseline, metric by metric."""
    console = console_for_tables()
    against = side([runs[place].row for place in base.runs])
    tell = partial(say, console)
    if len(found) == 1:
        tell(f"{printable(base.name)} is all there is: nothing to compare it with")
    for group in found:
        own = side([runs[place].row for place in group.runs])
        if group is base:
            continue
        if not own or not against:
            tell(f"{printable(group.name)}: nothing to compare, as {'it' if not own else 'the baseline'} has no values")
            continue
        try:
            compared = compare(against, own, at)
        except UserError as error:
            tell(f"{printable(group.name)}: not compared: {error}")
            continue
        title = f"{printable(group.name)} minus {printable(base.name)} ({at}; 95 % interval)"
        lines = [(one.metric, _compared_cells(one)) for one in compared]
        print_numbers(console, "metric", ("difference", "from", "to", "pictures", "seeds", "is"), lines, title)


def _compared_cells(one: Comparison) -> list[str]:
    values = [f"{value:+z.3g}" if math.isfinite(value) else "" for value in (one.difference, one.low, one.high)]
    return [*values, str(one.pictures), f"{one.seeds[1]} and {one.seeds[0]}", one.words]


def _baseline(runs: Sequence[Listed], found: Sequence[Group], asked: str, folders: Sequence[Path]) -> Group:
    named = [place for place, run in enumerate(runs) if run.row.name == asked]
    named = named or [place for group in found if group.name == asked for place in group.runs]
    if not named:
        chosen = where(runs, [asked] if "=" in asked else [f"name={asked}"], "--baseline")
        named = [place for place, run in enumerate(runs) if run in chosen]
    own = [group for group in found if set(group.runs) & set(named)]
    if len(own) > 1:
        names = "; ".join(printable(group.name) for group in own[:4]) + ("; …" if len(own) > 4 else "")
        raise UserError(
            f"--baseline {printable(asked)} is true of {len(own)} groups of runs ({names}); name one: "
            f"{verb('runs', *folders, '--baseline', own[0].name)}"
        )
    return own[0]
