"""Runs on disk: what their folders say, whether they ended or were cut off."""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr.errors import UserError
from sr.files import real_path
from sr.plain_yaml import read_plain_yaml
from sr.training.keeping.run_folder import EXPLODED, FINISHED, RUN_FOLDERS, RunFolder

CONFIG = "config.yaml"
"""What tells a run's folder."""
SWEEP = "sweep.json"
"""What tells a sweep's."""


@dataclass(frozen=True)
class Run:
    """One run's folder.

    Attributes:
        folder: where it is.
        config: its configuration, plain values.
        summary: how it ended; None where it has not, or was cut off.
    """

    folder: RunFolder
    config: Mapping[str, Any]
    summary: Mapping[str, Any] | None

    @property
    def experiment(self) -> str | None:
        """The experiment's name, such as ``log/31_alias``."""
        name = self.config.get("experiment")
        return name if isinstance(name, str) else None

    @property
    def size(self) -> str | None:
        """Name of its size: full, mini or smoke."""
        size = self.config.get("size")
        name = size.get("name") if isinstance(size, Mapping) else None
        return name if isinstance(name, str) else None

    @property
    def seed(self) -> int:
        """Of its data and its networks; -1 where the configuration has none."""
        seed = self.config.get("seed")
        return seed if type(seed) is int else -1  # true is an int, too

    @property
    def reason(self) -> str | None:
        """Why it ended; None where it has not, or was cut off."""
        return None if self.summary is None else str(self.summary["exit_reason"])

    @property
    def updates(self) -> int:
        """So many it made; 0 where that is not known."""
        return int((self.summary or {}).get("updates", 0))

    @property
    def finished(self) -> bool:
        """It came to its own end; one that exploded, was interrupted, or is running, did not."""
        return self.reason in FINISHED

    @property
    def usable(self) -> bool:
        """Another run may start from its networks, generator and discriminators."""
        return self.finished and self.folder.last.exists() and self.folder.checkpoint.exists()

    @property
    def exploded(self) -> bool:
        """Its values were undone at least once, or it ended of that."""
        return bool((self.summary or {}).get("recoveries")) or self.reason == EXPLODED

    @property
    def ended(self) -> float:
        """When, in seconds since the epoch; the larger, the newer."""
        for file in (*([] if self.summary is None else [self.folder.summary]), self.folder.config):
            if file.exists():  # a summary goes away where its run goes on at this moment
                return file.stat().st_mtime
        return 0.0


def find_runs(roots: Iterable[Path]) -> list[Run]:
    """All run folders below some folders, in the order of their paths; what cannot be read is no run.

    Args:
        roots: searched through all levels; missing ones have no runs.
    """
    found = {real_path(run.folder.path): run for folder in folders_with(roots, (CONFIG,)) for run in _read(folder)}
    return [found[path] for path in sorted(found)]


def runs_in(folder: Path) -> list[Run]:
    """Run folders that lie directly in a folder, which may be any: nothing below them is searched."""
    return [run for config in sorted(folder.glob(f"*/{CONFIG}")) for run in _read(config.parent)]


def _read(path: Path) -> Iterator[Run]:
    folder = RunFolder(path)
    with suppress(UserError):  # of another program, or damaged
        yield Run(folder, read_plain_yaml(folder.config), folder.read_summary())


def folders_with(roots: Iterable[Path], names: Sequence[str]) -> Iterator[Path]:
    """Folders that hold a file of one of these names, in no order; folders inside such are not searched.

    Args:
        roots: searched through all levels; missing ones have none.
        names: of files.
    """
    waiting = list(roots)  # no recursion: folders may be deeper than Python's stack
    while waiting:
        folder = waiting.pop()
        with suppress(OSError):  # not there, not ours to read, or under a name too long to open
            if any((folder / name).is_file() for name in names):
                yield folder
                continue
            with os.scandir(folder) as below:
                folders = [entry for entry in below if entry.is_dir(follow_symlinks=False)]
            waiting += [Path(entry.path) for entry in folders if entry.name not in RUN_FOLDERS]


def columns(run: Run) -> dict[str, list[float]]:
    """The run's metrics.csv by column; what is empty is NaN.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        if not run.folder.metrics.is_file():  # a pipe would be waited for
            raise FileNotFoundError("there is no such file")
        with run.folder.metrics.open(newline="") as file:
            reader = csv.DictReader(file, restkey="")
            rows = list(reader)
        if any("" in row for row in rows):
            raise ValueError("a row is longer than the first")
        if len(set(reader.fieldnames or ())) < len(reader.fieldnames or ()):
            raise ValueError("two columns have one name")
        return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UserError(f"{run.folder.metrics} cannot be read ({error}); train the run anew") from error


def _number(text: str | None) -> float:
    return float(text) if text else math.nan


def read_json(path: Path) -> Any:
    """The content of a JSON file; None where it is missing or damaged."""
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
