"""Loggers with `updates` on the x-axis: a CSV file always, Weights & Biases on request."""

import argparse
import netrc
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable
from urllib.parse import urlsplit

import lightning
import numpy as np
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from sr.files import write_atomically
from sr.pasted import pasted
from sr.training.keeping.tables import append_rows, read_table, write_table
from sr.types import UserError


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
        """Keep the rows up to ``updates``: what came after is about to be computed again.

        Raises:
            UserError: another program has rewritten the file.
        """
        if not self.path.exists():
            return
        self._columns, rows = read_table(self.path)
        self._rows = {int(row["updates"]): row for row in rows if int(row["updates"]) <= updates}
        self._rewrite()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of ``step`` updates.

        Raises:
            UserError: the disk is full or not writable.
        """
        updates = step or 0
        row = self._rows.setdefault(updates, {"updates": str(updates)})
        changed_old = len(row) > 1
        row.update({name: f"{value:.8g}" for name, value in metrics.items()})
        new = [name for name in metrics if name not in self._columns]
        self._columns += new
        if new or changed_old or not self.path.exists():
            self._rewrite()
            return
        append_rows(self.path, self._columns, [row])

    def _rewrite(self) -> None:
        write_table(self.path, self._columns, [self._rows[updates] for updates in sorted(self._rows)])

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration has its own file."""


def has_wandb_key() -> bool:
    """Whether this machine is logged in to Weights & Biases: by ``WANDB_API_KEY`` or by the netrc file."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").netloc
    try:
        entry = netrc.netrc(_netrc_file()).authenticators(host)
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return False
    return entry is not None and bool(entry[2])


def _netrc_file() -> Path:
    """Where W&B looks: ``NETRC``, else ``.netrc``, else ``_netrc`` as on Windows."""
    if os.environ.get("NETRC"):
        return Path(os.environ["NETRC"]).expanduser()
    usual = Path("~/.netrc").expanduser()
    return usual if usual.exists() else Path("~/_netrc").expanduser()


def _wandb_mode(mode: str) -> str:
    """What ``auto`` means here; online is refused where W&B would ask for a key.

    Raises:
        UserError: a mode that does not exist, or online without a key.
    """
    source = f"logger.wandb.mode={mode}"
    if mode == "auto" and os.environ.get("WANDB_MODE"):
        mode = os.environ["WANDB_MODE"]
        source = f"WANDB_MODE={mode}"
    elif mode == "auto":
        return "online" if has_wandb_key() else "offline"
    if mode not in ("online", "offline", "disabled"):
        raise UserError(f"{source} is not one of online, offline, disabled")
    if mode == "online" and not has_wandb_key():
        raise UserError(f"{source} needs a key: run `wandb login` first, or set WANDB_API_KEY, or take offline")
    return mode


class Wandb(Logger):
    """Weights & Biases, offline unless a key is there, never with a prompt.

    Args:
        run_dir: the run's folder; W&B writes below it.
        config: the whole configuration, shown with the run.
        project: where the run appears.
        entity: team or user; None takes the account's default.
        name: of the run; None takes the folder's name.
        mode: ``auto`` is online with a key and offline without; ``WANDB_MODE`` wins over ``auto``.

    Raises:
        UserError: W&B cannot start: no key, no such mode, or the server does not answer.
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

        chosen: Any = _wandb_mode(mode)
        self.mode = chosen
        marker = Path(run_dir) / "wandb_id.txt"
        run_id = marker.read_text().strip() if marker.exists() else secrets.token_hex(4)
        try:
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
        except wandb.Error as error:
            reason = " ".join(str(error).split())
            raise UserError(f"W&B did not start ({reason}); logger.wandb.mode=offline works without it") from error
        write_atomically(marker, f"{run_id}\n".encode())
        self._run.define_metric("updates")
        self._run.define_metric("*", step_metric="updates")

    @property
    def announcement(self) -> str:
        """One line for the user: where the run can be seen."""
        if self.mode == "offline":
            # A run that went on has several parts of one id; `wandb sync` uploads them in the order of their start.
            here = Path(self._run.dir).parent
            parts = sorted(here.parent.glob(f"offline-run-*-{self.version}"))
            sync = pasted("uv", "run", "wandb", "sync", *(parts or [here]))
            return f"W&B is offline; upload the run later with: {sync}"
        return f"W&B: {self._run.url or self.mode}"

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
