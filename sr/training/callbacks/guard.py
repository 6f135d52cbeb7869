"""After an explosion: back to the last good state, and a file with which it can be seen again."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch

from sr.pasted import verb
from sr.training.adversary.agreement import gan_term
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.contract import Trainable
from sr.training.keeping.bundle import Bundle, write_bundle
from sr.training.keeping.checkpoint import random_states
from sr.training.keeping.loggers.publishing import publish_explosion
from sr.training.keeping.run_folder import RunFolder
from sr.training.keeping.state import copied, load_trained_state, moved_on, trained_state
from sr.training.steps import is_finite
from sr.types import UserError

KEPT_BUNDLES = 3
"""Later explosions of a run leave none: they would fill the disk."""


class ExplodedError(UserError):
    """A run has ended of an explosion."""


@dataclass(frozen=True)
class Trouble:
    """An explosion.

    Attributes:
        text: what is wrong.
        update: since when.
        advice: what to do about it.
    """

    text: str
    update: int
    advice: str


class Guard(UpdateCallback):
    """Looks for explosions whenever values are read from the device anyway, and undoes them.

    An explosion is a loss, a gradient norm or a weight that is no finite number, or a mean loss of the generator above
    the threshold. Networks, optimisers, averages and updates go back to the last good state; time, the data, the random
    generators and what validations have told schedules go on, so that the same batch does not come again. Place it
    before every other callback.

    Args:
        recover: go back; otherwise an explosion ends the run.
        threshold: mean of train/g/total since the last row of the log.
        rate_factor: all learning rates are multiplied by it after each explosion.
        limit: so many explosions in a row are undone; the next one ends the run.
        every: updates between looks, several numbers: the intervals of logging, validation and saving.
        folder: where bundles go.
        config: the whole configuration as plain values, for the bundle.
        trust: out of a file, the configuration is taken with the user's word only.
        say: told what happened.

    Raises:
        UserError: a number out of range.
    """

    def __init__(
        self,
        recover: bool,
        threshold: float,
        rate_factor: float,
        limit: int,
        every: Sequence[int],
        folder: RunFolder,
        config: Any,
        trust: bool,
        say: Callable[[str], None],
    ) -> None:
        if not threshold > 0:
            raise UserError(
                f"trainer.guard.threshold={threshold:g} must be positive; inf minds only what is not finite"
            )
        if not 0 < rate_factor <= 1:
            raise UserError(f"trainer.guard.rate_factor={rate_factor:g} must be above 0 and at most 1")
        if limit < 1:
            raise UserError(
                f"trainer.guard.limit={limit} must be at least 1; trainer.guard.recover=false undoes nothing"
            )
        self.recover, self.threshold, self.rate_factor, self.limit = recover, threshold, rate_factor, limit
        self.every, self.folder, self.config, self.trust, self.say = tuple(every), folder, config, trust, say
        self.recoveries = 0
        self.in_a_row = 0
        self._good: dict[str, Any] = {}
        self._good_random: dict[str, Any] = {}
        self._since = 0  # first batch after the good state, which is a later one after each recovery

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """The state at the start is the first good one."""
        self._keep(training_module(pl_module))

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Look when it is due."""
        if any(module.updates % every == 0 for every in self.every) or module.clock.reached() is not None:
            self._look(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Whatever is validated and saved last must be good."""
        module = training_module(pl_module)
        if module.updates != self._good["clock"]["updates"]:
            self._look(trainer, module)

    def _look(self, trainer: lightning.Trainer, module: Trainable) -> None:
        trouble = self._trouble(module)
        if (
            trainer.world_size > 1
            and trainer.strategy.reduce_boolean_decision(trouble is not None, all=False)
            and trouble is None
        ):
            trouble = Trouble("another process has seen an explosion", module.updates, _lower("g"))
        if trouble is None:
            self._keep(module)
            self.in_a_row = 0
            return
        bundle = self._write(trainer, module, trouble)
        if not self.recover or self.in_a_row >= self.limit:
            end = self._end(trouble, bundle)
            publish_explosion(trainer, end, module.updates, recovered=False)
            raise ExplodedError(end)
        self._go_back(module)
        rate = f", learning rates x{module.rate:g}" if self.rate_factor < 1 else ""
        text = (
            f"update {trouble.update}: {trouble.text}; back to update {module.updates}{rate} "
            f"({self.in_a_row} of {self.limit} in a row){bundle}"
        )
        self.say(text)
        publish_explosion(trainer, text, module.updates, recovered=True)

    def _trouble(self, module: Trainable) -> Trouble | None:
        alert = module.alarm.read()
        if alert.bad is not None and alert.who is not None:
            of = "" if alert.who == "g" else f" of adversary.{alert.who}"
            return Trouble(f"a loss or a gradient{of} is infinite or not a number", alert.bad, _lower(alert.who))
        if not is_finite(module):
            return Trouble("a weight is infinite or not a number", module.updates, _lower("g"))
        mean = module.means.peek("train/g/total")
        if mean is None or mean <= self.threshold:
            return None
        text = f"train/g/total is {mean:.4g}, above trainer.guard.threshold={self.threshold:g}"
        term = _largest_term(module)
        weight = f"loss.terms.{term}.weight"
        for name in module.adversaries:
            weight = f"adversary.{name}.weight" if term == gan_term(name) else weight
        return Trouble(
            f"{text} (most of it train/g/{term})",
            alert.over or module.updates,
            f"lower {weight}, optimizer.lr, or raise trainer.guard.threshold",
        )

    def _keep(self, module: Trainable) -> None:
        # What is not gone back to is for the bundle alone, and need not lie in the device's memory.
        self._good = copied(trained_state(module), None if self.recover else torch.device("cpu"))
        self._good_random, self._since = random_states(), module.batches
        module.alarm.clear()

    def _go_back(self, module: Trainable) -> None:
        self.recoveries += 1
        self.in_a_row += 1
        load_trained_state(module, moved_on(module, copied(self._good)))
        module.rate *= self.rate_factor
        self._good_random, self._since = random_states(), module.batches
        module.means.clear()
        module.alarm.clear()
        module.rolled_back = True

    def _write(self, trainer: lightning.Trainer, module: Trainable, trouble: Trouble) -> str:
        """The bundle, and what to say of it."""
        kept = list(self.folder.bugs.glob("*.bug"))
        if not trainer.is_global_zero or len(kept) >= KEPT_BUNDLES:
            return ""
        first = self._since
        per_update = module.accumulate * module.g_every
        count = max(1, trouble.update - int(self._good["clock"]["updates"])) * per_update
        source = trainer.datamodule.stream.batches  # type: ignore[attr-defined]
        path = self.folder.bugs / f"update_{trouble.update}_batch_{first + count}.bug"
        batches = [source[number] for number in range(first, first + count)]
        bundle = Bundle(self.config, self._good, self._good_random, batches, trouble.update, trouble.text)
        try:
            write_bundle(path, bundle)
        except UserError as error:  # a full disk keeps nobody from recovering
            return f"; {error}"
        trust = ["--trust"] if self.trust else []
        return f"; see it again with: {verb('replay', path, *trust)}"

    def _end(self, trouble: Trouble, bundle: str) -> str:
        again = f" again, after {self.limit} recoveries in a row" if self.recover else ""
        kept = "The last checkpoint is kept" if self.folder.checkpoint.exists() else "There is no checkpoint yet"
        help_ = "" if self.recover else ", or let the run recover with trainer.guard.recover=true"
        what = f"{trouble.text} at update {trouble.update}: training has exploded{again}"
        return f"{what}; {trouble.advice}{help_}. {kept}{bundle}"

    def state_dict(self) -> dict[str, Any]:
        """Counts."""
        return {"recoveries": self.recoveries, "in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
        self.recoveries, self.in_a_row = int(state_dict["recoveries"]), int(state_dict["in_a_row"])


def _lower(who: str) -> str:
    """What to lower where a network's values are no finite numbers."""
    of = "" if who == "g" else f"adversary.{who}."
    return f"lower {of}optimizer.lr, set {of or 'trainer.'}clip=1.0"


def _largest_term(module: Trainable) -> str:
    """The term that makes most of the generator's loss, by its name in the log."""
    terms = [*module.objective.terms, *(gan_term(name) for name in module.adversaries)]
    found = dict[str, float]()
    for term in terms:
        value = module.means.peek(f"train/g/{term}_weighted")
        value = module.means.peek(f"train/g/{term}") if value is None else value
        found[term] = -math.inf if value is None else value
    return max(found, key=lambda term: found[term])
