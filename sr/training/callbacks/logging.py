"""Log training values on the updates clock."""

from dataclasses import dataclass

import lightning

from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.contract import Trainable
from sr.training.keeping.loggers.publishing import publish
from sr.training.processes import average_over_processes
from sr.training.steps import learning_rates
from sr.types import UserError


@dataclass
class Speed:
    """Rates over some stretch of training.

    Attributes:
        updates_per_second: generator updates.
        pictures_per_second: crops of all processes.
        waiting: share of the time spent waiting for data, 0..1.
    """

    updates_per_second: float = 0.0
    pictures_per_second: float = 0.0
    waiting: float = 0.0


@dataclass
class _Marks:
    updates: int
    samples: int
    seconds: float
    waited: float

    def speed_since(self, earlier: "_Marks") -> Speed:
        seconds = self.seconds - earlier.seconds
        if seconds <= 0:
            return Speed()
        return Speed(
            (self.updates - earlier.updates) / seconds,
            (self.samples - earlier.samples) / seconds,
            (self.waited - earlier.waited) / seconds,
        )


class TrainingLog(UpdateCallback):
    """Publishes means of the losses since the last row, the learning rate and the speed.

    Args:
        every: updates between rows. Only then are values read from the device.
    """

    def __init__(self, every: int) -> None:
        if every < 1:
            raise UserError(f"trainer.log_every={every} must be at least 1 (updates)")
        self.every = every
        self.latest: dict[str, float] = {}
        self.speed = Speed()
        self._start = self._last = _Marks(0, 0, 0.0, 0.0)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to measure speed."""
        module = training_module(pl_module)
        module.stopwatch.start()
        self._start = self._last = self._marks(trainer, module)

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Write a row when it is due."""
        if module.updates % self.every == 0:
            self.write(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write what has gathered since the last row."""
        module = training_module(pl_module)
        if module.updates != self._last.updates:
            self.write(trainer, module)

    def write(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Publish one row; nothing where nothing was trained since the last."""
        values = module.means.take(average_over_processes)
        if not values:
            return
        now = self._marks(trainer, module)
        self.speed = now.speed_since(self._last)
        self._last = now
        self.latest = values | learning_rates(module)
        rates = {
            "train/updates_per_second": self.speed.updates_per_second,
            "train/pictures_per_second": self.speed.pictures_per_second,
            "train/waiting_share": self.speed.waiting,
            "train/seconds": module.clock.elapsed,
        }
        publish(trainer, self.latest | rates, module.updates)

    def overall(self, trainer: lightning.Trainer, module: Trainable) -> Speed:
        """Rates since this sitting began."""
        return self._marks(trainer, module).speed_since(self._start)

    @staticmethod
    def _marks(trainer: lightning.Trainer, module: Trainable) -> _Marks:
        waited = trainer.datamodule.stream.waited  # type: ignore[attr-defined]
        return _Marks(module.updates, module.samples, module.stopwatch.seconds, waited)
