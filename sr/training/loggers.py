"""Loggers with `updates` on the x-axis: a CSV file always, Weights & Biases on request."""

import argparse
import csv
import io
import netrc
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import lightning
import numpy as np
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from sr.files import write_atomically


@runtime_checkable
class PictureLogger(Protocol):
    """A logger that can show pictures."""

    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Show (height, width, 3) uint8 pictures by name."""


def publish(trainer: lightning.Trainer, metrics: Mapping[str, float], updates: int) -> None:
    """Give values to every logger. Lightning's own `log` would put its optimiser-step count on the x-axis."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(metrics), step=updates)


class CsvLog(Logger):
    """One row per number of updates; the columns grow when new values appear.

    Args:
        path: the file. Rows of an earlier sitting are kept up to the update that the run resumes from.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._columns = ["updates"]
        self._rows: dict[int, dict[str, str]] = {}
        self._written = 0

    @property
    def name(self) -> str:
        """Of the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """There is one file."""
        return ""

    def resume_from(self, updates: int) -> None:
        """Keep the rows up to ``updates``: what came after is about to be computed again."""
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            reader = csv.DictReader(file)
            self._columns = list(reader.fieldnames or ["updates"])
            rows = [row for row in reader if row["updates"].isdigit() and int(row["updates"]) <= updates]
        self._rows = {int(row["updates"]): {k: v or "" for k, v in row.items()} for row in rows}
        self._rewrite()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of ``step`` updates."""
        updates = step or 0
        row = self._rows.setdefault(updates, {"updates": str(updates)})
        changed_old = len(row) > 1
        row.update({name: f"{value:.8g}" for name, value in metrics.items()})
        new = [name for name in metrics if name not in self._columns]
        self._columns += new
        if new or changed_old or not self.path.exists():
            self._rewrite()
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns, restval="").writerow(row)

    def _rewrite(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="")
        writer.writeheader()
        writer.writerows(self._rows[updates] for updates in sorted(self._rows))
        write_atomically(self.path, text.getvalue().encode())

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration has its own file."""


def has_wandb_key() -> bool:
    """Whether this machine is logged in to Weights & Biases: by ``WANDB_API_KEY`` or by the netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    path = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").removeprefix("https://").split("/")[0]
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


class Wandb(Logger):
    """Weights & Biases, offline unless a key is there, never with a prompt.

    Args:
        run_dir: the run's folder; W&B writes below it.
        config: the whole configuration, shown with the run.
        project: where the run appears.
        entity: team or user; None takes the account's default.
        name: of the run; None takes the folder's name.
        mode: ``auto`` is online with a key and offline without; ``WANDB_MODE`` wins over ``auto``.
    """

    def __init__(
        self,
        run_dir: str,
        config: dict[str, Any],
        project: str = "sr",
        entity: str | None = None,
        name: str | None = None,
        mode: Literal["auto", "online", "offline", "disabled"] = "auto",
    ) -> None:
        super().__init__()
        import wandb

        chosen: Any = mode
        if mode == "auto":
            chosen = os.environ.get("WANDB_MODE", "online" if has_wandb_key() else "offline")
        self.mode = chosen
        marker = Path(run_dir) / "wandb_id.txt"
        run_id = marker.read_text().strip() if marker.exists() else secrets.token_hex(4)
        self._run = wandb.init(
            project=project,
            entity=entity,
            name=name or Path(run_dir).resolve().name,
            dir=run_dir,
            id=run_id,
            resume="allow",
            mode=chosen,
            config=config,
            settings=wandb.Settings(silent=True, console="off"),
        )
        marker.write_text(run_id + "\n")
        self._run.define_metric("updates")
        self._run.define_metric("*", step_metric="updates")

    @property
    def name(self) -> str:
        """Of the logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """The run's identifier in W&B."""
        return str(self._run.id)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over ``updates``."""
        self._run.log({**metrics, "updates": step or 0})

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Log validation strips."""
        import wandb

        images = {f"val/pictures/{name}": wandb.Image(pixels) for name, pixels in pictures.items()}
        self._run.log({**images, "updates": updates})

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration was given at the start."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Flush and close the run."""
        self._run.finish(exit_code=0 if status in ("success", "finished") else 1)
