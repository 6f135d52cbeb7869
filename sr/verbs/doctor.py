"""`sr doctor`: is it safe to train on these folders?"""

import json as json_format
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sr.console import plain_bar, plain_console
from sr.data.doctor.examine import Question, examine
from sr.data.doctor.guarded import Limits
from sr.data.doctor.verdict import VERDICTS, Judgement, Report
from sr.errors import UserError
from sr.files import write_atomically
from sr.image.io import check_no_picture
from sr.verbs.runs.files import check_outputs

SHOWN = 3
"""Files that are printed for each kind of finding, unless all are wanted."""


def doctor(
    folders: Sequence[Path],
    val: Sequence[Path] = (),
    lr: Path | None = None,
    scale: int | None = None,
    json: Path | None = None,
    crop_size: int = 48,
    workers: int = 2,
    refused: float = 0.1,
    seconds: float = 60.0,
    verbose: bool = False,
) -> int:
    """Look at every file, offline, and say whether training would be safe.

    Safe means: at most the share ``refused`` of the pictures of each part is unreadable; no picture for validation
    is trained on; every pair of ``lr`` fits; and at least one picture holds a whole crop. All else is a warning.

    Args:
        folders: high-resolution pictures to train on.
        val: pictures to validate on.
        lr: low-resolution twins of ``folders``, paired by name.
        scale: between them; also decides how large a crop is. None is 2, and not allowed with ``lr``.
        json: file for the verdict on every file.
        crop_size: side of a training crop in low-resolution pixels, as in ``data.crop``.
        workers: processes that read.
        refused: largest share of unreadable pictures, as in ``data.refused``.
        seconds: time per file, after which its process is killed and the file refused.
        verbose: print every problem, not the first `SHOWN` of each kind.

    Returns:
        0 where training would be safe, else 1.

    Raises:
        UserError: a folder is missing, a number is out of its range, or the JSON file cannot be written.
    """
    if not folders:
        raise UserError("no folder is given; name at least one, for instance: sr doctor PHOTOS")
    if lr is not None and scale is None:
        raise UserError(f"--lr {lr} needs --scale, the number of high-resolution pixels per low-resolution one")
    check_no_picture("--json", json)
    check_outputs([] if json is None else [json])
    lows = () if lr is None else (lr,)
    try:
        limits = Limits(seconds)
        question = Question(tuple(folders), tuple(val), lows, scale or 2, crop_size, refused, workers, limits)
    except ValueError as error:
        raise UserError(f"--{error}") from error
    console = plain_console()
    reports, judgement = _examined(question, console)
    if json is not None:
        write_atomically(json, _as_json(reports, judgement))
    _print(reports, judgement, console, verbose, json)
    return 0 if judgement.safe else 1


def _examined(question: Question, console: Console) -> tuple[list[Report], Judgement]:
    with plain_bar(console) as progress:
        tasks = {what: progress.add_task(what, total=None, visible=False) for what in ("files", "pairs")}

        def on_progress(what: str, done: int, total: int) -> None:
            progress.update(tasks[what], completed=done, total=total, visible=True)

        return examine(question, on_progress)


def _as_json(reports: Sequence[Report], judgement: Judgement) -> bytes:
    content = {
        "safe": judgement.safe,
        "faults": judgement.faults,
        "summary": judgement.counts,
        "files": [_entry(report) for report in reports],
    }
    return json_format.dumps(content, indent=1).encode()  # ASCII: a name need not be valid text


def _entry(report: Report) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": str(report.path),
        "role": report.role,
        "verdict": report.verdict,
        "reasons": [f"{kind}: {text}" for kind, text in report.findings],
    }
    if report.facts is not None:
        for name in (
            "width",
            "height",
            "format",
            "mode",
            "deep",
            "transparent",
            "animated",
            "quality",
            "profile",
            "upscaled",
        ):
            entry[name] = getattr(report.facts, name)
    return entry


def _print(reports: Sequence[Report], judgement: Judgement, console: Console, verbose: bool, json: Path | None) -> None:
    console.print(_table(reports))
    problems = [(report, kind, text) for report in reports for kind, text in report.findings if kind != "other"]
    problems.sort(key=lambda problem: list(VERDICTS).index(problem[1]))
    met: Counter[str] = Counter()
    for report, kind, text in problems:
        met[kind] += 1
        if verbose or met[kind] <= SHOWN:
            _line(console, f"{VERDICTS[kind]}: {report.path}: {text}")
    left = 0 if verbose else sum(max(0, count - SHOWN) for count in met.values())
    if left:
        where = f"they are in {json}" if json is not None else "--verbose shows them, --json FILE lists every file"
        _line(console, f"and {left} more; {where}")
    for fault in judgement.faults:
        _line(console, f"not safe: {fault}")
    _line(console, _conclusion(reports, judgement))


def _conclusion(reports: Sequence[Report], judgement: Judgement) -> str:
    if not judgement.safe:
        return "Training on this would not be safe: mend what stands above, and run sr doctor again."
    warned = sum(report.verdict in ("warning", "refused") for report in reports)
    look = f"; {warned} files deserve a look" if warned else ""
    return f"Training on this would be safe{look}."


def _table(reports: Sequence[Report]) -> Table:
    """One row per kind of finding, grave ones first."""
    examples: dict[str, list[Report]] = defaultdict(list)
    for report in reports:
        for kind in dict(report.findings) or {"ok": ""}:
            examples[kind].append(report)
    table = Table()
    for name, justify in (("verdict", "left"), ("finding", "left"), ("files", "right"), ("for instance", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for kind in ("ok", *VERDICTS):
        if examples[kind]:
            cells = (VERDICTS.get(kind, "ok"), kind, str(len(examples[kind])), examples[kind][0].path.name)
            table.add_row(*[_printable(cell) for cell in cells])
    return table


def _line(console: Console, text: str) -> None:
    console.print(_printable(text), soft_wrap=True)


def _printable(text: str) -> str:
    r"""A name need not be valid text: its bytes are shown as \xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
