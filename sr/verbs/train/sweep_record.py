"""What a sweep is: kept in its folder, so that the same command, or ``resume=SWEEP``, goes on with it."""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from sr.config.parsed import group_of, is_hydra, key_of, parsed_overrides
from sr.errors import UserError
from sr.experiments.runs import SWEEP
from sr.files import write_atomically
from sr.printable import printable
from sr.verbs.train.place import run_name

FILE = SWEEP
GRID = "grid"
"""The sweeper of every combination."""
STORAGE = "search.log"
"""What a search has learned, beside it."""
_LARGEST = 1 << 24  # bytes; a thousand runs have 500 thousand
_OF_SEARCH = re.compile(r"hydra\.sweeper\.(trials|together|sampler|prune|seed)=[A-Za-z0-9]+")
"""Settings of a search that a file may have."""
_NAME = re.compile(r"\d{1,9}[A-Za-z0-9._-]{0,150}")
"""Of a run's folder, as `run_name` makes them."""
PLACE = ("run_dir", "resume", "trust", "report")
"""Settings that say where a sweep lies and how it ends, not what it is."""


@dataclass(frozen=True)
class SweptJob:
    """One run of a sweep.

    Attributes:
        name: of its folder in that of the sweep.
        overrides: ``key=value`` of the run.
        varied: those that tell it apart.
        level: it begins when those of lower levels have ended, from whose weights it may start.
    """

    name: str
    overrides: tuple[str, ...]
    varied: tuple[str, ...]
    level: int = 0


@dataclass(frozen=True)
class SweepRecord:
    """A sweep.

    Attributes:
        typed: what was typed, without where it lies.
        own: the user's folder of choices beside conf/, or None.
        first: configuration of its first run, plain values.
        jobs: its runs, in order.
        planned: so many will they be in the end; a search chooses them one after the other.
        sweeper: that chooses them.
        search: ``hydra.sweeper.…`` as typed.
    """

    typed: tuple[str, ...]
    own: str | None
    first: Mapping[str, Any]
    jobs: tuple[SweptJob, ...]
    planned: int
    sweeper: str
    search: tuple[str, ...] = ()


def what_it_is(overrides: Sequence[str]) -> tuple[str, ...]:
    """The overrides that say what a sweep is; the others say where it lies, how it is launched, and how it ends.

    Args:
        overrides: without faults.
    """
    parsed = parsed_overrides(overrides)[0]
    kept = [o for o in parsed if not is_hydra(o) and (o.key_or_group not in PLACE or o.is_sweep_override())]
    return tuple(str(o.input_line) for o in kept)


def jobs_of(overrides: Sequence[str], swept: Collection[str], levels: Mapping[str, int]) -> tuple[SweptJob, ...]:
    """A run per combination, in the order in which Hydra's own sweeper has them: the last setting varies fastest.

    Args:
        overrides: without faults.
        swept: names of the settings with several values.
        levels: of experiments that start from others of the sweep; the others are of level 0.
    """
    parsed = [o for o in parsed_overrides(overrides)[0] if not is_hydra(o)]
    parsed = [o for o in parsed if o.key_or_group != "run_dir" or o.is_sweep_override()]  # else it is the sweep's
    columns = {override.get_key_element(): list(_each(override)) for override in parsed}  # the later of two wins
    jobs = []
    for number, combination in enumerate(itertools.product(*columns.values())):
        varied = [one for one in combination if key_of(one) in swept]
        names = [one.partition("=")[2] for one in varied if group_of(parsed_overrides([one])[0][0]) == "experiment"]
        level = max((levels.get(name, 0) for name in names), default=0)
        jobs.append(SweptJob(run_name(number, varied), tuple(combination), tuple(varied), level))
    return tuple(jobs)


def _each(override: Override) -> Iterator[str]:
    key = override.get_key_element()
    if override.is_sweep_override():
        if not override.is_discrete_sweep():
            raise UserError(
                f"{override.input_line} is a range without steps; write values, or choose them by hydra/sweeper=optuna"
            )
        yield from (f"{key}={value}" for value in override.sweep_string_iterator())
    elif override.is_delete():
        yield str(override.input_line)
    else:
        yield f"{key}={override.get_value_element_as_str()}"


def write_record(folder: Path, record: SweepRecord) -> None:
    """Keep it in the sweep's folder.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_atomically(folder / FILE, (json.dumps(asdict(record), indent=1, default=str) + "\n").encode())


def read_record(folder: Path) -> SweepRecord | None:
    """The sweep that a folder says it is; None where it says nothing, or nothing that can be read."""
    path = folder / FILE
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        told = json.loads(path.read_text())
        jobs = tuple(
            SweptJob(str(job["name"]), tuple(map(str, job["overrides"])), tuple(map(str, job["varied"])), job["level"])
            for job in told["jobs"]
        )
        record = SweepRecord(
            typed=tuple(map(str, told["typed"])),
            own=None if told["own"] is None else str(told["own"]),
            first=dict(told["first"]),
            jobs=jobs,
            planned=int(told["planned"]),
            sweeper=str(told["sweeper"]),
            search=tuple(one for one in map(str, told.get("search", ())) if _OF_SEARCH.fullmatch(one)),
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, OverflowError):
        return None
    return record if all(map(_is_ours, jobs)) else None


def _is_ours(job: SweptJob) -> bool:
    """A name is a folder in that of the sweep, and a level a number, whoever wrote the file."""
    return _NAME.fullmatch(job.name) is not None and type(job.level) is int


def unlike(record: SweepRecord, other: SweepRecord) -> str:
    """In what another sweep differs from the one in a folder, in one line; empty where nothing does.

    Args:
        record: of the folder.
        other: that is asked for.
    """
    new = " ".join(one for one in other.typed if one not in record.typed)
    old = " ".join(one for one in record.typed if one not in other.typed)
    if new or old:
        found = f"{new[:300]} (was {old[:300]})" if new and old else f"{new or old} is {'new' if new else 'gone'}"
        return printable(found)
    if record.typed != other.typed:
        return printable(f"{' '.join(other.typed)} in another order, by which the runs are numbered")
    if record.sweeper != other.sweeper:
        return printable(f"hydra/sweeper={other.sweeper} (was {record.sweeper[:80]})")
    return "" if record.own == other.own else printable(f"--config-dir {other.own} (was {record.own})")
