"""Write checkpoints and networks on the updates clock, and take a run up again."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import lightning

from sr.models.files import save_network
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.callbacks.guard import Guard
from sr.training.callbacks.swapout import Swapout
from sr.training.callbacks.validation import Validation
from sr.training.contract import Trainable
from sr.training.keeping.checkpoint import random_states, set_random_states, understood, write_checkpoint
from sr.training.keeping.loggers.publishing import go_on
from sr.training.keeping.run_folder import RunFolder
from sr.training.keeping.state import load_trained_state, trained_state
from sr.training.steps import is_finite
from sr.training.watch import QUIET
from sr.types import UserError

LONGEST_SECONDS = 300.0
"""A network so slow that `every` updates take longer is saved this often; saving does not change a run."""


class Saving(UpdateCallback):
    """Keeps ``checkpoints/last.ckpt``, ``last.safetensors`` and ``best.safetensors`` up to date.

    Place it behind `Validation`, whose result it stores.

    Args:
        every: updates between checkpoints; each validation, the end of a run and `LONGEST_SECONDS` save too.
        folder: the run's folder.
        config: the whole configuration as plain values, interpolations unresolved.
        model: the network's configuration, resolved.
        validation: tells which network is the best.
        guard: counts explosions.
        resume: state of a checkpoint to go on from, or None.
        swapouts: of the run, whose states are kept.
        changes: rows of `RunFolder.changes`.
        accepted: called once a checkpoint to go on from was taken, before anything is trained; it says whether the
            configuration is another one, which is kept at once: what lies in the folder is of one piece.
    """

    def __init__(
        self,
        every: int,
        folder: RunFolder,
        config: Any,
        model: Any,
        validation: Validation,
        guard: Guard,
        resume: dict[str, Any] | None = None,
        swapouts: Sequence[Swapout] = (),
        changes: Sequence[Mapping[str, str]] = (),
        accepted: Callable[[], bool] = lambda: False,
    ) -> None:
        if every < 1:
            raise UserError(f"trainer.checkpoint_every={every} must be at least 1 (updates)")
        self.every, self.folder, self.config, self.model = every, folder, config, model
        self.validation, self.guard = validation, guard
        self._accepted = accepted
        self._swapouts, self._changes = swapouts, [dict(row) for row in changes]
        self._resume = resume
        self._saved_at = -1
        self._saved_time = monotonic()

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Go on from the checkpoint, if there is one."""
        module = training_module(pl_module)
        if self._resume is None:
            return
        with understood(self.folder.checkpoint):
            load_trained_state(module, self._resume["trained"])
            self.validation.load_state_dict(self._resume["validation"])
            if "guard" in self._resume:
                self.guard.load_state_dict(self._resume["guard"])
            for swapout, state in zip(self._swapouts, self._resume.get("swapouts", []), strict=False):
                swapout.restore(state, module.compute.device)
        trainer.datamodule.stream.start = module.batches  # type: ignore[attr-defined]
        if trainer.is_global_zero:
            go_on(trainer.loggers, module.updates)
            self.validation.by_picture.resume_from(module.updates)
            self.validation.kept.resume_from(module.updates)
            self.folder.summary.unlink(missing_ok=True)  # once nothing can be refused any more
        with understood(self.folder.checkpoint):
            set_random_states(self._resume["random"])
        self._saved_at = module.updates
        self._resume = None  # the state is large
        if trainer.is_global_zero and self._accepted():
            self._saved_at = -1
            self.save(trainer, module)

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Save when it is due; never inside an accumulation, whose gradients a checkpoint does not hold."""
        validated = self.validation.validated_at == module.updates
        overdue = monotonic() - self._saved_time >= LONGEST_SECONDS
        if module.updates % self.every == 0 or validated or overdue:
            self.save(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the final state."""
        module = training_module(pl_module)
        self._saved_at = -1 if self.validation.validated_at == module.updates else self._saved_at
        self.save(trainer, module)

    def save(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Write the checkpoint and the networks; at most once per number of updates.

        Raises:
            UserError: the disk is full or not writable; the files of the last save are kept.
        """
        if self._saved_at == module.updates or not trainer.is_global_zero or not module.at_update:
            return
        with module.stopwatch.paused():
            # Between two looks of the guard, when this is overdue: what it is about to undo is not kept.
            if not is_finite(module) or module.alarm.read() != QUIET:
                return
            extra = {"updates": module.updates, "run": self.folder.path.resolve().name} | module.objective.about
            validated = self.validation.validated_at == module.updates
            if validated and self.validation.improved:
                best = {"metrics": self.validation.best, "bicubic": self.validation.baseline}
                save_network(self.folder.best, module.deliverable, self.model, extra | best)
            measured = self.validation.latest if validated else {}
            save_network(self.folder.last, module.deliverable, self.model, extra | {"metrics": measured})
            write_checkpoint(
                self.folder.checkpoint,
                {
                    "config": self.config,
                    "changes": self._changes,
                    "trained": trained_state(module),
                    "validation": self.validation.state_dict(),
                    "guard": self.guard.state_dict(),
                    "swapouts": [swapout.state_dict() for swapout in self._swapouts],
                    "random": random_states(),
                },
            )
        self._saved_at = module.updates
        self._saved_time = monotonic()
