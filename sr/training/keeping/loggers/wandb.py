"""Weights & Biases: offline without a key, never with a prompt."""

import argparse
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from sr.files import write_atomically
from sr.printable import first_line
from sr.training.columns import better
from sr.training.keeping.loggers.about import About, about_run
from sr.training.keeping.loggers.marker import read_marker
from sr.training.keeping.loggers.results import flat_result, last_by_picture
from sr.training.keeping.loggers.uploading import sync_line
from sr.training.keeping.loggers.wandb_key import wandb_mode
from sr.training.keeping.run_folder import RunFolder
from sr.types import UserError

MARKER = "wandb_id.txt"


class Wandb(Logger):
    """Weights & Biases, offline unless a key is there, never with a prompt.

    W&B's own step is the number of updates: sliders of pictures and axes mean the same in every run. It never falls,
    so what a run that goes on computes again is not told twice.

    Args:
        run_dir: the run's folder; W&B writes below it.
        config: the whole configuration, shown with the run.
        project: where the run appears.
        entity: team or user; None takes the account's default.
        name: of the run; None takes the folder's name.
        mode: ``auto`` is online with a key and offline without; ``WANDB_MODE`` wins over ``auto``.
        system_metrics: CPU, memory, GPU and network every 15 s too.
        artifact: upload ``best.safetensors`` at the end, as an artifact of type ``model``.
        alert: send an alert when training explodes.
        finish_seconds: how long the end waits for what is not uploaded yet; it stays on disk. 0 waits for ever.

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
        system_metrics: bool = False,
        artifact: bool = False,
        alert: bool = False,
        finish_seconds: float = 300.0,
    ) -> None:
        super().__init__()
        if finish_seconds < 0:
            raise UserError(f"logger.wandb.finish_seconds={finish_seconds:g} must be at least 0; 0 waits for ever")
        self._folder, self.mode = Path(run_dir), wandb_mode(mode)
        self._artifact, self._alert = artifact, alert
        marker = self._folder / MARKER
        known = read_marker(marker)
        self._continued = known is not None
        run_id = known or secrets.token_hex(4)
        about = about_run(run_dir, config)
        self._run = self._started(about, config, run_id, (project, entity, name), system_metrics, finish_seconds)
        write_atomically(marker, f"{run_id}\n".encode())
        self._run.define_metric("updates")
        self._run.define_metric("*", step_metric="updates")
        self._told_of: set[str] = set()

    def _started(
        self,
        about: About,
        config: dict[str, Any],
        run_id: str,
        place: tuple[str, str | None, str | None],
        system_metrics: bool,
        finish_seconds: float,
    ) -> Any:
        import wandb

        project, entity, name = place
        mode: Any = self.mode
        settings = wandb.Settings(
            silent=True,
            console="off",
            x_disable_stats=not system_metrics,
            finish_timeout=finish_seconds,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=1.0,  # what a killed run loses of its file
        )
        try:
            return wandb.init(
                project=project,
                entity=entity,
                name=name or about.name,
                group=about.group,
                job_type="train",
                tags=about.tags,
                dir=str(self._folder),
                id=run_id,
                resume="allow",
                mode=mode,
                config=config,
                settings=settings,
            )
        except (wandb.Error, OSError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"W&B did not start ({reason}); logger.wandb.mode=offline works without it") from error

    @property
    def announcement(self) -> str:
        """One line for the user: where the run can be seen."""
        if self.mode == "offline":
            return f"W&B is offline; upload the run later with: {sync_line([self._folder])}"
        return f"W&B: {self._run.url or self.mode}"

    @property
    def name(self) -> str:
        """Of the logger."""
        return "wandb"

    @property
    def version(self) -> str:
        """The run's identifier in W&B."""
        return str(self._run.id)

    def go_on_from(self, updates: int, told: int) -> int:
        """Values cannot be taken back. The last row is W&B's only when the next begins, so a crash has lost it."""
        return told - 1 if self._continued else -1

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over ``updates``; W&B's summary keeps the best of what a validation measures, not the last."""
        for name in metrics.keys() - self._told_of:
            self._told_of.add(name)
            best = better(name) if name.startswith("val/") and not name.startswith("val/bicubic/") else None
            if best is not None:
                self._run.define_metric(name, step_metric="updates", summary=f"{best},last")
        self._run.log({**metrics, "updates": step or 0}, step=step or 0)

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Log validation strips, each under a name that stays."""
        import wandb

        images = {f"val/pictures/{name}": wandb.Image(pixels) for name, pixels in pictures.items()}
        self._run.log({**images, "updates": updates}, step=updates)

    @rank_zero_only
    def log_explosion(self, text: str, updates: int, recovered: bool) -> None:
        """Send an alert, where that was asked for."""
        if not self._alert:
            return
        title = "training exploded and went back" if recovered else "training has exploded"
        level = "WARN" if recovered else "ERROR"
        self._run.alert(title, f"{self._folder.resolve().name}: {text}", level)

    @rank_zero_only
    def log_result(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        """Keep the best metrics, the exit reason and so on; the table of every picture; the network, where asked."""
        import wandb

        values = flat_result(summary)
        columns, rows = last_by_picture(folder)
        if rows:
            table = wandb.Table(columns=[*columns], data=rows)
            updates = int(summary["updates"])
            self._run.log({"val/by_picture": table, "updates": updates}, step=updates)
        self._run.summary.update(values)
        if self._artifact and folder.best.exists():
            artifact = wandb.Artifact(f"network-{self.version}", type="model", metadata=values)
            artifact.add_file(str(folder.best))
            self._run.log_artifact(artifact, aliases=["best"])

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration was given at the start."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Flush and close the run.

        Raises:
            UserError: the server did not take everything in time; it is kept on disk.
        """
        try:
            self._run.finish(exit_code=0 if status in ("success", "finished") else 1)
        except TimeoutError as error:
            line = sync_line([self._folder], online=True)
            raise UserError(f"{first_line(error)}; upload the rest later with: {line}") from error
