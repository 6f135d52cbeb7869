"""End a run of a search that falls behind the others: what it reaches is told to the search after each validation."""

from functools import cached_property
from pathlib import Path
from typing import Any

import lightning

from sr.training.callbacks.clocked import UpdateCallback
from sr.training.callbacks.validation import Validation, validates
from sr.training.columns import gain
from sr.training.contract import Trainable
from sr.training.keeping.run_folder import PRUNED
from sr.training.search import study_in
from sr.types import UserError


class Pruning(UpdateCallback):
    """Tells a search what a trial reaches, and ends the run where the search gives it up.

    Args:
        storage: file of the search.
        trial: its number there.
    """

    def __init__(self, storage: str, trial: int) -> None:
        self.storage, self.trial = Path(storage), trial

    @cached_property
    def _trial(self) -> Any:
        import optuna

        study = study_in(self.storage)
        trials = [one for one in study.get_trials(deepcopy=False) if one.number == self.trial]
        if not trials:
            raise UserError(f"{self.storage} has no trial {self.trial}; the search that this run was part of is gone")
        return optuna.trial.Trial(study, trials[0]._trial_id)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Refuse to watch what is never measured.

        Raises:
            UserError: the run has no validation pictures, or the search is gone.
        """
        if not validates(trainer):
            raise UserError("a search watches the validation, and there is none: set data.val or data.shown")
        if trainer.is_global_zero:
            _ = self._trial

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Tell the newest validation."""
        validation = next(c for c in trainer.callbacks if isinstance(c, Validation))  # type: ignore[attr-defined]
        if validation.validated_at != module.updates:
            return
        behind = trainer.is_global_zero and self._behind(validation, module.updates)
        if trainer.world_size > 1:
            behind = trainer.strategy.reduce_boolean_decision(behind, all=False)
        if behind:
            module.exit_reason = PRUNED
            trainer.should_stop = True

    def _behind(self, validation: Validation, updates: int) -> bool:
        own = self._trial.study.get_trials(deepcopy=False)[self.trial]
        if own.state.is_finished():  # the search has closed it; the run is made longer
            return False
        if updates not in own.intermediate_values:  # else told before an interruption
            self._trial.report(gain(validation.monitor, validation.latest[validation.monitor]), updates)
        return bool(self._trial.should_prune())
