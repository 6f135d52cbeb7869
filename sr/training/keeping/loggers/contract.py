"""What a logger can do beside taking numbers; each is a choice of the logger's."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sr.training.keeping.run_folder import RunFolder


@runtime_checkable
class PictureLogger(Protocol):
    """A logger that can show pictures."""

    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Show (height, width, 3) uint8 pictures by name."""


@runtime_checkable
class ExplosionLogger(Protocol):
    """A logger that tells somebody of explosions."""

    def log_explosion(self, text: str, updates: int, recovered: bool) -> None:
        """Tell what happened; ``recovered`` where training goes on, at ``updates``."""


@runtime_checkable
class ResultLogger(Protocol):
    """A logger that keeps what came out."""

    def log_result(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        """Keep the run's summary, as `RunFolder.write_summary` takes it, and what else is wanted of the folder."""


@runtime_checkable
class ContinuedLogger(Protocol):
    """A logger that must know where a run goes on."""

    def go_on_from(self, updates: int, told: int) -> int:
        """What came after ``updates`` is about to be computed again; loggers were told values up to ``told``.

        Returns:
            Up to which updates the service has what it was told and cannot take it back, so that it is not told
            twice; -1 where it takes everything.
        """


@runtime_checkable
class Announced(Protocol):
    """A logger that says where its run can be seen."""

    @property
    def announcement(self) -> str:
        """One line for the user."""
