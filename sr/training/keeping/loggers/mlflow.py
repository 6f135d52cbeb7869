"""MLflow: a server, or a data base in the run's folder."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from lightning.pytorch.loggers import MLFlowLogger

from sr.files import write_atomically
from sr.printable import first_line
from sr.training.keeping.loggers.about import about_run
from sr.training.keeping.loggers.marker import read_marker
from sr.training.keeping.loggers.results import flat_result, numbers
from sr.training.keeping.run_folder import RunFolder
from sr.types import UserError

MARKER = "mlflow_run_id.txt"
_ADDRESS = "MLFLOW_TRACKING_URI"
STORE = "mlflow"
"""Folder of a run's own store: ``mlflow.db``, and pictures."""


class MLflow(MLFlowLogger):
    """An MLflow run; one that goes on stays the same run, and is not told twice what is computed again.

    Args:
        run_dir: the run's folder.
        config: the whole configuration, shown as parameters.
        experiment: MLflow's word for a project.
        tracking_uri: a server, or a data base; None takes ``MLFLOW_TRACKING_URI``, or a data base in the run's folder.
        artifact_location: where pictures go, where no server decides it; None is beside the data base.
        name: of the run; None takes the folder's name.

    Raises:
        UserError: MLflow cannot start: the server does not answer, or the run is not there any more.
    """

    needs: ClassVar = ("mlflow", "mlflow")

    def __init__(
        self,
        run_dir: str,
        config: dict[str, Any],
        experiment: str = "sr",
        tracking_uri: str | None = None,
        artifact_location: str | None = None,
        name: str | None = None,
    ) -> None:
        folder = Path(run_dir).resolve()
        marker = folder / MARKER
        known = read_marker(marker)
        self._continued = known is not None
        about = about_run(run_dir, config)
        uri = tracking_uri or os.environ.get(_ADDRESS) or _own_store(folder / STORE)
        words = {**about.choices, "seed": config.get("seed"), "sweep": about.group}
        super().__init__(
            experiment_name=experiment,
            run_name=name or about.name,
            tracking_uri=uri,
            tags={key: str(value) for key, value in words.items() if value is not None},
            artifact_location=artifact_location or _beside(uri),
            run_id=known,
        )
        self._uri = uri
        for chatty in ("mlflow", "alembic", "lightning.pytorch.loggers.mlflow"):  # new tables, a new experiment
            logging.getLogger(chatty).setLevel(logging.ERROR)
        try:
            with _own_environment():
                self._begin(config)
        except Exception as error:  # of MLflow, its data base or its HTTP client
            raise UserError(
                f"MLflow did not start with {uri} ({first_line(error)}); logger.mlflow.tracking_uri=… names another"
            ) from error
        write_atomically(marker, f"{self.run_id}\n".encode())

    def _begin(self, config: dict[str, Any]) -> None:
        run_id = self.run_id  # asks for the run, or makes it
        if self._continued:
            self.experiment.update_run(run_id, status="RUNNING")
        else:  # parameters cannot be changed later
            self.log_hyperparams({re.sub(r"[^\w./ :-]", "_", key): value for key, value in _flat(config)})

    @property
    def announcement(self) -> str:
        """One line for the user: where the run can be seen."""
        return f"MLflow: {self._uri}, experiment {self._experiment_name}"

    def go_on_from(self, updates: int, told: int) -> int:
        """Values cannot be taken back."""
        return told if self._continued else -1

    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Show validation strips, each under a name that stays."""
        for name, pixels in pictures.items():
            self.experiment.log_image(self.run_id, pixels, key=f"val/pictures/{name}", step=updates)

    def log_result(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        """The best metrics, the exit reason and so on, and the table of every picture."""
        values = flat_result(summary)
        self.log_metrics(numbers(values), int(summary["updates"]))
        for name, value in values.items():
            if isinstance(value, str):
                self.experiment.set_tag(self.run_id, name, value)
        if folder.by_picture.exists():
            self.experiment.log_artifact(self.run_id, str(folder.by_picture), "val")


@contextmanager
def _own_environment() -> Iterator[None]:
    """MLflow writes its address into the environment, where the next run of this process would find it."""
    before = os.environ.get(_ADDRESS)
    try:
        yield
    finally:
        os.environ.pop(_ADDRESS, None)
        if before is not None:
            os.environ[_ADDRESS] = before


_FILE = "sqlite:///"


def _own_store(folder: Path) -> str:
    """The address of a data base in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"{_FILE}{folder / 'mlflow.db'}"


def _beside(uri: str) -> str | None:
    """Where pictures go beside a data base that is a file; a server decides that itself."""
    if not uri.startswith(_FILE):
        return None
    return (Path(uri.removeprefix(_FILE)).resolve().parent / "artifacts").as_uri()


def _flat(node: Any, name: str = "") -> list[tuple[str, Any]]:
    """Names, as MLflow writes them, and values of a configuration."""
    if isinstance(node, Mapping) and node:
        return [pair for key, child in node.items() for pair in _flat(child, f"{name}/{key}" if name else str(key))]
    return [(name, node)]
