"""TensorBoard: event files in the run's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from lightning.pytorch.loggers import TensorBoardLogger

from sr.training.keeping.loggers.about import about_run
from sr.training.keeping.loggers.results import flat_result, numbers
from sr.training.keeping.run_folder import RunFolder
from sr.types import UserError

FOLDER = "tensorboard"


class TensorBoard(TensorBoardLogger):
    """TensorBoard's files in ``tensorboard/`` of the run's folder: ``tensorboard --logdir outputs`` shows all runs.

    A run that goes on writes beside its first files, and TensorBoard leaves out what came after the checkpoint.

    Args:
        run_dir: the run's folder.
        config: the whole configuration; its choices are the run's hyperparameters, it itself is shown as text.
        flush_seconds: what is logged reaches the disk within this time.

    Raises:
        UserError: a time that is not positive.
    """

    needs: ClassVar = ("tensorboard", "tensorboard")

    def __init__(self, run_dir: str, config: dict[str, Any], flush_seconds: int = 30) -> None:
        if flush_seconds < 1:
            raise UserError(f"logger.tensorboard.flush_seconds={flush_seconds} must be at least 1")
        super().__init__(save_dir=run_dir, name=FOLDER, version="", default_hp_metric=False, flush_secs=flush_seconds)
        self._place, self._config = Path(run_dir) / FOLDER, config
        self._described = self._place.exists()

    @property
    def log_dir(self) -> str:
        """Where the files are; Lightning's own would take a ``$`` or ``~`` in the path for something else."""
        return str(self._place)

    @property
    def announcement(self) -> str:
        """One line for the user: where the run can be seen."""
        return f"TensorBoard: files in {self._place}"

    def go_on_from(self, updates: int, told: int) -> int:
        """What was written of later updates is not shown any more."""
        self._kwargs["purge_step"] = updates + 1
        return -1

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over ``updates``."""
        self._describe()
        super().log_metrics(metrics, step)

    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Show validation strips, each under a name that stays."""
        self._describe()
        for name, pixels in pictures.items():
            self.experiment.add_image(f"val/pictures/{name}", pixels, updates, dataformats="HWC")

    def log_result(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        """The choices beside the best metrics, for the tab of hyperparameters."""
        about = about_run(str(folder.path), self._config)
        choices = dict(about.choices) | {"seed": self._config.get("seed"), "scale": self._config.get("scale")}
        best = {name: value for name, value in numbers(flat_result(summary)).items() if name.startswith("best/")}
        if best:
            self.log_hyperparams({"run": about.name, **choices}, best, int(summary["updates"]))

    def save(self) -> None:
        """Everything is in the event files: no file of hyperparameters beside them."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Close the files; of a run that logged nothing there are none."""
        if self._experiment is not None:
            self._experiment.flush()
            self._experiment.close()

    def _describe(self) -> None:
        if self._described:
            return
        self._described = True
        lines = (f"    {name}: {value}" for name, value in _flat(self._config))  # indented: text as it is, in Markdown
        self.experiment.add_text("config", "\n".join(lines), 0)


def _flat(node: Any, name: str = "") -> list[tuple[str, Any]]:
    """Dotted names and values of a configuration."""
    if isinstance(node, Mapping) and node:
        return [pair for key, child in node.items() for pair in _flat(child, f"{name}.{key}" if name else str(key))]
    return [(name, node)]
