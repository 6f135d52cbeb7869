"""End a run: at its limits, on a signal, or when validation no longer improves."""

import lightning

from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.callbacks.validation import Validation, validates
from sr.training.contract import Trainable
from sr.training.signals import Signals
from sr.types import UserError


class Stopping(UpdateCallback):
    """Stops at the clock's limits, where the generator's schedule has ended, and, saving first, on a signal.

    Args:
        signals: that ask for it.
    """

    after_rollback = True  # a run that explodes again and again has an end too

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        module = training_module(pl_module)
        module.clock.start()
        self._signals.install()  # Lightning has taken SIGTERM
        self._signals.begun = True
        self._stop_if_due(trainer, module)

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Stop after an update; inside an accumulation the run could not be saved."""
        self._stop_if_due(trainer, module)

    def _stop_if_due(self, trainer: lightning.Trainer, module: Trainable) -> None:
        reason: str | None = "interrupted" if self._signals.received is not None else module.clock.reached()
        if reason is None and module.schedule.ended:
            reason = "no_improvement"
        # A signal may reach one process before the others; whoever went on alone would wait for them for ever.
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(reason is not None, all=False):
            reason = reason or "interrupted"
        if reason is not None:
            module.exit_reason = reason
            trainer.should_stop = True


class EarlyStop(UpdateCallback):
    """Stops when the monitored metric has not improved for some validations.

    Args:
        patience: validations without improvement that are tolerated; see `Validation.stale` for which count.
        min_updates: never stop before.
    """

    def __init__(self, patience: int, min_updates: int = 0) -> None:
        if patience < 1:
            raise UserError(f"patience={patience} must be at least 1 (validations)")
        self.patience, self.min_updates = patience, min_updates

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Refuse to watch what is never measured.

        Raises:
            UserError: the run has no validation pictures.
        """
        if not validates(trainer):
            raise UserError(
                "early_stop watches the validation, and there is none: set data.val or data.shown, or leave early_stop "
                "out"
            )

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Compare the newest validation with the best."""
        validation = next(c for c in trainer.callbacks if isinstance(c, Validation))  # type: ignore[attr-defined]
        enough = module.updates >= self.min_updates and validation.validated_at == module.updates
        if enough and validation.stale >= self.patience:
            module.exit_reason = "no_improvement"
            trainer.should_stop = True
