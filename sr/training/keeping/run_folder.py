"""What a run leaves on disk, and where."""

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr.errors import UserError
from sr.files import write_atomically

_LARGEST_NUMBER = 10**30
_LARGEST_SUMMARY = 1 << 20  # bytes; ours have two thousand

FINISHED = ("max_updates", "max_time", "no_improvement")
"""Exit reasons of a run that came to its end."""
PRUNED = "pruned"
"""Exit reason of a run that its search gave up."""
EXPLODED = "exploded"
"""Exit reason of a run that would end so again; what ended by none of these goes on by ``resume=auto``."""
ENDED = (*FINISHED, PRUNED, EXPLODED)
"""Exit reasons of a run that its sweep does not make again."""

CHANGED = ("updates", "setting", "before", "after")
"""Columns of what was changed when a run went on."""

RUN_FOLDERS = ("checkpoints", "val", "bugs", "tensorboard", "mlflow")
"""Folders inside a run's in which it writes itself. A tracker's own folder has links to its logs elsewhere."""

_METRICS = ("bicubic", "final", "best")
"""Tables of metrics in a summary, empty before the first validation."""


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run's folder.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def changes(self) -> Path:
        """What was changed when the run went on: `CHANGED`; not there where nothing was."""
        return self.path / "changes.csv"

    @property
    def metrics(self) -> Path:
        """Every logged value; the first column is ``updates``."""
        return self.path / "metrics.csv"

    @property
    def checkpoint(self) -> Path:
        """All that resuming needs."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The network with the best validation metric."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The network as of the last checkpoint."""
        return self.path / "last.safetensors"

    @property
    def pictures(self) -> Path:
        """Folder of validation pictures."""
        return self.path / "val"

    @property
    def kept_pictures(self) -> Path:
        """Folder of what a report shows of the first pictures of each set: see `sr.training.keeping.pictures`."""
        return self.pictures / "pictures"

    @property
    def by_picture(self) -> Path:
        """What each validation measured of each picture."""
        return self.pictures / "metrics.csv"

    @property
    def bicubic_by_picture(self) -> Path:
        """What bicubic reaches on each picture, as after 0 updates."""
        return self.pictures / "bicubic.csv"

    @property
    def bugs(self) -> Path:
        """Folder of bundles with which explosions can be seen again."""
        return self.path / "bugs"

    @property
    def summary(self) -> Path:
        """Final and best metrics, speed, and why the run ended."""
        return self.path / "summary.json"

    @property
    def holds_run(self) -> bool:
        """Whether a run has left anything here that a new one would overwrite."""
        return bool(self.left)

    @property
    def left(self) -> list[Path]:
        """What a run has left here that a new one would overwrite."""
        files = (self.checkpoint, self.metrics, self.summary, self.best, self.last)
        return [file for file in files if file.exists()]

    def clear(self) -> None:
        """Make room for the same run, started over: a network that lies here without a checkpoint gets another name.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            for network in (self.best, self.last):
                if network.exists():
                    network.replace(network.with_name(f"before_{network.name}"))
            for file in (self.metrics, self.by_picture, self.bicubic_by_picture, self.summary, self.changes):
                file.unlink(missing_ok=True)
            if self.kept_pictures.is_dir():  # their history would be of two runs
                shutil.rmtree(self.kept_pictures)
        except OSError as error:
            raise UserError(f"could not write {self.path}: {error.strerror or error}") from error

    def read_summary(self) -> dict[str, Any] | None:
        """The summary, or None while the run has not ended or where the file is not one of ours."""
        try:
            if not self.summary.is_file() or self.summary.stat().st_size > _LARGEST_SUMMARY:
                return None
            summary = json.loads(self.summary.read_text())
        except (ValueError, OSError, RecursionError):
            return None
        return _numbered(summary) if isinstance(summary, dict) and _is_ours(summary) else None

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the summary; what is infinite or not a number becomes null, as JSON has no such values."""
        text = json.dumps(_finite(summary), indent=2, allow_nan=False)
        write_atomically(self.summary, (text + "\n").encode())


def _is_ours(summary: dict[str, Any]) -> bool:
    """Whether what is read of a summary is there, and of its kind; tables are made of it."""
    counts = all(type(summary.get(key)) is int and _is_small(summary[key]) for key in ("updates", "parameters"))
    rates = all(_is_small(summary.get(key)) for key in ("seconds", "updates_per_second"))
    others = all(_is_small(summary.get(key, 0)) for key in ("pictures_per_second", "recoveries"))
    tables = (summary.get(key) for key in _METRICS)
    named = isinstance(summary.get("exit_reason"), str)
    return named and counts and rates and others and all(map(_is_table, tables))


def _is_small(value: Any) -> bool:
    """A number that is none, or infinite, is one that a run may have had; one of 400 digits is not."""
    return type(value) in (int, float) and not _LARGEST_NUMBER < abs(value) < math.inf


def _is_table(metrics: Any) -> bool:
    return isinstance(metrics, dict) and all(value is None or _is_small(value) for value in metrics.values())


def _numbered(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary with what is null in its tables, as JSON has no such value, not a number again."""
    tables = {key: {name: math.nan if v is None else v for name, v in summary[key].items()} for key in _METRICS}
    return summary | tables


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
