"""Entries and verdicts on the screen, and the page docs/LOG.md with its data and pictures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sr.config.folder import CONF
from sr.experiments import measuring
from sr.experiments.judging import Judged
from sr.experiments.log_page import Entry, as_json, as_markdown, grouped, header_of, made_of, value_of
from sr.experiments.runs import Run
from sr.files import write_atomically
from sr.pasted import pasted
from sr.verbs.log.asked import Question, short_name
from sr.verbs.screen.tables import say

PAGE, DATA, PICTURES = "LOG.md", "log.json", "log"


def pictures_of(runs: Mapping[str, Mapping[int, Run]]) -> dict[str, Path]:
    """The picture of each entry that has one: of its first seed that does.

    Args:
        runs: by entry and seed.
    """
    found = {}
    for entry, by_seed in runs.items():
        paths = (by_seed[seed].folder.path / measuring.PICTURE for seed in sorted(by_seed))
        path = next((path for path in paths if path.exists()), None)
        if path is not None:
            found[entry] = path
    return found


def entries_of(judged: Sequence[Judged], size: str, pictures: Mapping[str, Path]) -> list[Entry]:
    """Entries as the page shows them, in the order of their names.

    Args:
        judged: all claims.
        size: of the runs.
        pictures: from `pictures_of`.
    """
    return [
        Entry(
            name,
            header_of(CONF / "experiment" / f"{name}.yaml"),
            pasted("uv", "run", "python", "train.py", f"experiment={name}", f"size={size}"),
            claims,
            _beside_the_page(name) if name in pictures else None,
        )
        for name, claims in grouped(judged).items()
    ]


def _beside_the_page(name: str) -> str:
    return f"{PICTURES}/{short_name(name)}.png"


def print_entries(console: Console, entries: Sequence[Entry]) -> None:
    """A row per claim, then the command of each entry."""
    table = Table()
    for column in ("entry", "claim", "verdict", "difference", "seeds"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        for one in entry.judged:
            reason = f" ({one.reason})" if one.reason else ""
            seeds = ", ".join(map(str, one.seeds))
            table.add_row(entry.name, one.claim.says, one.verdict + reason, value_of(one), seeds)
    console.print(table)
    for entry in entries:
        say(console, entry.command)


def write_page(
    folder: Path,
    entries: Sequence[Entry],
    runs: Iterable[Run],
    pictures: Mapping[str, Path],
    question: Question,
    console: Console,
) -> None:
    """Write the page, its data and its pictures.

    Args:
        folder: where to.
        entries: from `entries_of`.
        runs: that it is made of.
        pictures: from `pictures_of`.
        question: what was asked.
        console: told of it.

    Raises:
        UserError: the disk is full or not writable.
    """
    only = [f"--only={','.join(question.only)}"] if question.only else []
    seeds, size = f"--seeds={len(question.seeds)}", f"--size={question.size}"
    command = pasted("uv", "run", "sr", "log", *only, "--run", seeds, size)
    made = made_of([dict(run.summary or {}) for run in runs], question.size, command)
    write_atomically(folder / PAGE, as_markdown(entries, made, DATA).encode())
    write_atomically(folder / DATA, as_json(entries, question.size).encode())
    for entry in entries:
        if entry.picture is not None:
            write_atomically(folder / entry.picture, pictures[entry.name].read_bytes())
    say(console, f"written: {folder / PAGE}, {folder / DATA}")
