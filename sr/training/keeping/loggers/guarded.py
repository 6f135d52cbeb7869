"""A service that fails, in the middle of the night, does not end the training."""

import argparse
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger

from sr.printable import first_line
from sr.training.keeping.loggers.contract import (
    ContinuedLogger,
    ExplosionLogger,
    PictureLogger,
    ResultLogger,
)
from sr.training.keeping.run_folder import RunFolder


class Guarded(Logger):
    """A logger whose first error is said, once, and which is then left alone.

    A run that goes on computes again what came after its checkpoint; a service that has been told already, and
    cannot take anything back, is not told twice.

    Args:
        logger: of a service.
        say: told when it fails.
    """

    def __init__(self, logger: Logger, say: Callable[[str], None]) -> None:
        super().__init__()
        self.logger, self._say = logger, say
        self.failed = False
        self._told = -1

    @property
    def name(self) -> str | None:
        """Of the logger."""
        return type(self.logger).__name__

    @property
    def version(self) -> str:
        """None of its own."""
        return ""

    def go_on_from(self, updates: int, told: int) -> int:
        """Take up an earlier sitting."""
        if isinstance(self.logger, ContinuedLogger):
            known = self._attempt(self.logger.go_on_from, updates, told)
            self._told = -1 if known is None else known
        return self._told

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log scalars over ``updates``, unless they have been."""
        if (step or 0) > self._told:
            self._attempt(self.logger.log_metrics, dict(metrics), step)

    def log_pictures(self, pictures: Mapping[str, np.ndarray], updates: int) -> None:
        """Show pictures, where the logger can."""
        if updates > self._told and isinstance(self.logger, PictureLogger):
            self._attempt(self.logger.log_pictures, pictures, updates)

    def log_explosion(self, text: str, updates: int, recovered: bool) -> None:
        """Tell of an explosion, where the logger does."""
        if isinstance(self.logger, ExplosionLogger):
            self._attempt(self.logger.log_explosion, text, updates, recovered)

    def log_result(self, summary: Mapping[str, Any], folder: RunFolder) -> None:
        """Keep what came out, where the logger does."""
        if isinstance(self.logger, ResultLogger):
            self._attempt(self.logger.log_result, summary, folder)

    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration was given at the start."""

    def finalize(self, status: str) -> None:
        """Close the run; one that has failed as well as it can be."""
        if self.failed:
            with suppress(Exception):
                self.logger.finalize(status)
        self._attempt(self.logger.finalize, status)

    def _attempt(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if self.failed:
            return None
        try:
            return call(*arguments)
        except Exception as error:  # whatever a library of others raises; an interruption is none of these
            self.failed = True
            reason = f"{type(error).__name__}: {first_line(error)}".removesuffix(": ")
            self._say(
                f"{self.name} has failed ({reason}) and is told nothing more; training goes on, and metrics.csv has "
                "everything"
            )
            return None
