"""Trackio: a local data base and a local page, in the words of W&B."""

import argparse
import io
import secrets
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from lightning.pytorch.loggers import Logger

from sr.files import write_atomically
from sr.pasted import in_environment
from sr.printable import first_line
from sr.training.keeping.loggers.about import about_run
from sr.training.keeping.loggers.marker import as_name, read_marker
from sr.training.keeping.loggers.results import flat_result, numbers
from sr.training.keeping.run_folder import RunFolder
from sr.types import UserError

MARKER = "trackio_name.txt"


class Trackio(Logger):
    """A run in Trackio's own data base, which lies where Trackio has it (``TRACKIO_DIR``), for all runs of a project.

    Trackio finds a run that goes on by its name, so a few letters make that unique. It is not told twice what is
    computed again.

    Args:
        run_dir: the run's folder.
        config: the whole configuration, shown with the run.
        project: where the run appears.
        name: of the run, before those letters; None takes the folder's name.
        system_metrics: CPU, memory and GPU every 10 s too.
        alert: raise one of Trackio's alerts when training explodes.

    Raises:
        UserError: Trackio cannot start.
    """

    needs: ClassVar = ("trackio", "trackio")

    def __init__(
        self,
        run_dir: str,
        config: dict[str, Any],
        project: str = "sr",
        name: str | None = None,
        system_metrics: bool = False,
        alert: bool = False,
    ) -> None:
        super().__init__()
        marker = Path(run_dir) / MARKER
        known = read_marker(marker)
        about = about_run(run_dir, config)
        fresh = f"{as_name(name or about.name)}-{secrets.token_hex(2)}"
        self._name = known or fresh
        self._project, self._alert = project, alert
        try:
            self._run = self._started(about.group, config, system_metrics)
        except Exception as error:  # of Trackio, its data base or its HTTP client
            raise UserError(f"Trackio did not start ({first_line(error)}); logger=csv works without it") from error
        self._before = -1 if known is None else self._last_step()
        write_atomically(marker, f"{self._name}\n".encode())

    def _started(self, group: str | None, config: dict[str, Any], system_metrics: bool) -> Any:
        import trackio

        with redirect_stdout(io.StringIO()):  # it has its own words, and colours
            return trackio.init(
                self._project,
                name=self._name,
                group=group,
                config=config,
                resume="allow",
                embed=False,
                auto_log_gpu=system_metrics,
                auto_log_cpu=system_metrics,
            )

    @property
    def announcement(self) -> str:
        """One line for the user: where the run can be seen."""
        show = in_environment("trackio", "show", "--project", self._project)
        return f"Trackio: run {self._name}; look at it with: {show}"

    @property
    def name(self) -> str:
        """Of the logger."""
        return "trackio"

    @property
    def version(self) -> str:
        """The run's name in Trackio."""
        return self._name

    def go_on_from(self, updates: int, told: int) -> int:
        """Values cannot be taken back; the last ones before a crash may not have reached the data base."""
        return min(told, self._before)

    def _last_step(self) -> int:
        from trackio.sqlite_storage import SQLiteStorage

        found = SQLiteStorage.get_max_step_for_run(self._project, self._name)
        return -1 if found is None else int(found)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over ``updates``."""
        self._run.log(dict(metrics), step=step or 0)

    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Show validation strips, each under a name that stays."""
        import trackio

        images = {f"val/pictures/{name}": trackio.Image(pixels) for name, pixels in pictures.items()}
        self._run.log(images, step=updates)

    def log_explosion(self, text: str, updates: int, recovered: bool) -> None:
        """Raise an alert, where that was asked for."""
        if not self._alert:
            return
        import trackio

        title = "training exploded and went back" if recovered else "training has exploded"
        level = trackio.AlertLevel.WARN if recovered else trackio.AlertLevel.ERROR
        with redirect_stdout(io.StringIO()):
            self._run.alert(title, text, level)

    def log_result(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        """The best metrics and so on, as of the last update."""
        self._run.log(numbers(flat_result(summary)), step=int(summary["updates"]))

    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration was given at the start."""

    def finalize(self, status: str) -> None:
        """Write what is waiting, and close the run."""
        import trackio

        with redirect_stdout(io.StringIO()):
            trackio.finish()
