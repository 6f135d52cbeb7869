"""Entries and verdicts on the screen, and the page docs/LOG.md with its data and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sr.config.folder import CONF
from sr.experiments import measuring
from sr.experiments.judging import Judged
from sr.experiments.log_page import NO_CLAIM, TRIAL, Entry, as_json, as_markdown, grouped, header_of, made_of, value_of
from sr.experiments.records import write_record
from sr.experiments.runs import Run
from sr.experiments.verdicts import NOT_RUN, UNDECIDED
from sr.files import write_atomically
from sr.pasted import pasted
from sr.verbs.log.asked import RECORDS, Question, run_name
from sr.verbs.screen.tables import say

PAGE, DATA = "LOG.md", "log.json"


def shown_of(runs: Mapping[str, Mapping[int, Run]]) -> dict[str, Run]:
    """The run of each entry whose picture is shown: of its first seed that has one.

    Args:
        runs: by entry and seed.
    """
    found = {}
    for entry, by_seed in runs.items():
        with_picture = (run for _, run in sorted(by_seed.items()) if (run.folder.path / measuring.PICTURE).exists())
        run = next(with_picture, None)
        if run is not None:
            found[entry] = run
    return found


def entries_of(judged: Sequence[Judged], question: Question, shown: Mapping[str, Run]) -> list[Entry]:
    """Entries as the page shows them, in the order of their names.

    Args:
        judged: all claims.
        question: what was asked.
        shown: from `shown_of`.
    """
    own = (f"size={question.size}", f"seed={question.seeds[0]}")
    return [
        Entry(
            name,
            header_of(CONF / "experiment" / f"{name}.yaml"),
            pasted("uv", "run", "python", "train.py", f"experiment={name}", *own),
            claims,
            f"{_record(shown[name])}/{measuring.PICTURE}" if name in shown else None,
        )
        for name, claims in grouped(judged).items()
    ]


def _record(run: Run) -> str:
    """Its place beside the page."""
    return f"{RECORDS}/{run_name(str(run.experiment), run.seed)}"


def print_entries(console: Console, entries: Sequence[Entry], question: Question) -> None:
    """A row per claim, then the command of each entry, and that which trains all that is not there."""
    table = Table()
    for column in ("entry", "claim", "verdict", "difference", "seeds"):
        table.add_column(column, overflow="fold", no_wrap=column == "entry")
    for entry in entries:
        for one in entry.judged:
            seeds = ", ".join(map(str, one.seeds))
            table.add_row(entry.name, one.claim.says, _verdict(one), value_of(one), seeds)
    console.print(table)
    if question.size == TRIAL:
        say(console, NO_CLAIM)
    say(console, "each entry's own run; what it starts from comes first, as with --run:")
    for entry in entries:
        say(console, f"  {entry.command}")
    if any(one.verdict == NOT_RUN for entry in entries for one in entry.judged):
        say(console, f"train what is not there, with what it is compared to: {_training(question)}")


def _verdict(one: Judged) -> str:
    """With its reason; a claim of no difference is undecided with one seed, however far the difference."""
    alone = one.verdict == UNDECIDED and one.claim.relation == "=" and len(one.seeds) == 1
    reasons = [one.reason, *(["one seed is too few for a claim of no difference"] if alone else [])]
    reasons = [reason for reason in reasons if reason]
    return f"{one.verdict} ({'; '.join(reasons)})" if reasons else one.verdict


def write_page(
    folder: Path,
    entries: Sequence[Entry],
    runs: Sequence[Run],
    shown: Mapping[str, Run],
    question: Question,
    console: Console,
) -> None:
    """Write the page, its data, and the records of its runs, from which both can be made again.

    Args:
        folder: where to.
        entries: from `entries_of`.
        runs: that it is made of.
        shown: from `shown_of`.
        question: what was asked.
        console: told of it.

    Raises:
        UserError: the disk is full or not writable.
    """
    made = made_of([dict(run.summary or {}) for run in runs], question.size, _training(question))
    write_atomically(folder / PAGE, as_markdown(entries, made, DATA).encode())
    write_atomically(folder / DATA, as_json(entries, question.size).encode())
    on_the_page = [shown[entry.name] for entry in entries if entry.name in shown]
    for run in runs:
        write_record(run, folder / _record(run), run in on_the_page)
    say(console, f"written: {folder / PAGE}, {folder / DATA}; records of its runs: {folder / RECORDS}")


def _training(question: Question) -> str:
    """The command that trains what the answer needs."""
    only = [f"--only={','.join(question.only)}"] if question.only else []
    return pasted("uv", "run", "sr", "log", *only, "--run", f"--seeds={len(question.seeds)}", f"--size={question.size}")
