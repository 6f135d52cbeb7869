"""Give values, pictures and results to every logger of a run."""

from collections.abc import Iterable, Mapping
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.loggers import Logger

from sr.training.keeping.loggers.contract import ContinuedLogger, ExplosionLogger, PictureLogger, ResultLogger
from sr.training.keeping.loggers.csv import CsvLog
from sr.training.keeping.run_folder import RunFolder


def publish(trainer: lightning.Trainer, metrics: Mapping[str, float], updates: int) -> None:
    """Give values to every logger. Lightning's own `log` would put its optimiser-step count on the x-axis."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(metrics), step=updates)


def publish_pictures(trainer: lightning.Trainer, pictures: Mapping[str, np.ndarray], updates: int) -> None:
    """Give (height, width, 3) uint8 pictures, by name, to every logger that shows pictures."""
    for logger in trainer.loggers:
        if isinstance(logger, PictureLogger):
            logger.log_pictures(pictures, updates)


def publish_explosion(trainer: lightning.Trainer, text: str, updates: int, recovered: bool) -> None:
    """Tell every logger that tells of explosions.

    Args:
        trainer: has the loggers.
        text: what happened.
        updates: where training goes on, or ended.
        recovered: it goes on.
    """
    for logger in trainer.loggers:
        if isinstance(logger, ExplosionLogger):
            logger.log_explosion(text, updates, recovered)


def publish_result(trainer: lightning.Trainer, summary: Mapping[str, Any], folder: RunFolder) -> None:
    """Give a run's summary to every logger that keeps it."""
    for logger in trainer.loggers:
        if isinstance(logger, ResultLogger):
            logger.log_result(summary, folder)


def go_on(loggers: Iterable[Logger], updates: int) -> None:
    """Take up what the loggers have of an earlier sitting.

    Args:
        loggers: of the run that goes on, `CsvLog` before the others: its table says how far they were told.
        updates: at which the run goes on.

    Raises:
        UserError: another program has rewritten the table.
    """
    told = updates
    for logger in loggers:
        if isinstance(logger, CsvLog):
            told = max(told, logger.resume_from(updates))
        elif isinstance(logger, ContinuedLogger):
            logger.go_on_from(updates, told)
