"""Give what came out to the loggers, before they are closed."""

from collections.abc import Callable, Mapping
from typing import Any

import lightning

from sr.training.callbacks.guard import ExplodedError
from sr.training.keeping.loggers.publishing import publish_result
from sr.training.keeping.run_folder import EXPLODED, RunFolder


class Result(lightning.Callback):
    """Tells the loggers a run's summary. Place it behind `Validation` and `Saving`, whose last work it is.

    Args:
        summary: of the run, given the trainer.
        folder: the run's.
    """

    def __init__(self, summary: Callable[[lightning.Trainer], Mapping[str, Any]], folder: RunFolder) -> None:
        self._summary, self._folder = summary, folder

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The run has come to its end, or saves because it was asked to."""
        if trainer.is_global_zero:
            publish_result(trainer, self._summary(trainer), self._folder)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """An explosion is a result too."""
        if trainer.is_global_zero and isinstance(exception, ExplodedError):
            publish_result(trainer, {**self._summary(trainer), "exit_reason": EXPLODED}, self._folder)
