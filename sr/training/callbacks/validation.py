"""Validate on the updates clock, keep the best results, write pictures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np

from sr.image.io import write_picture
from sr.models.bicubic import Bicubic
from sr.models.files import save_network
from sr.models.scales import scale_of
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.contract import Trainable
from sr.training.keeping.loggers import PictureLogger, publish
from sr.training.keeping.run_folder import RunFolder
from sr.training.panels import strip
from sr.training.steps import observe
from sr.training.validation import (
    Best,
    ColourAlarm,
    Perceptual,
    as_exported,
    evaluate,
    means,
    monitored,
    network_upscaler,
    watched,
)
from sr.types import Picture, UserError


class Validation(UpdateCallback):
    """Measures the deliverable network every so many updates, beside bicubic, as `sr evaluate` measures its file.

    Args:
        every: updates between validations; the end of a run is validated too.
        monitor: metric that decides which network is the best: psnr_y, ssim_y, psnr_rgb, ssim_rgb or lpips. Of several
            the first is what schedules are told; `BestNetworks` keeps the best network by each of the others.
        folder: where pictures are written.
        pictures: how many validation pictures are written and shown each time.
        lpips: measures that too, or None where its weights are not there.
        alarm: told the colour error, or None.

    Raises:
        UserError: a number out of range, or a monitor that is no metric or cannot be measured.
    """

    def __init__(
        self,
        every: int,
        monitor: str | Sequence[str],
        folder: RunFolder,
        pictures: int = 4,
        lpips: Perceptual | None = None,
        alarm: ColourAlarm | None = None,
    ) -> None:
        if every < 1:
            raise UserError(f"trainer.val_every={every} must be at least 1 (updates)")
        if pictures < 0:
            raise UserError(f"trainer.val_images={pictures} must be at least 0")
        first, *others = monitored(monitor, lpips is not None)
        self._lpips = lpips
        self.every, self.monitor, self.folder, self.pictures = every, first, folder, pictures
        self.alarm = alarm
        self.baseline: dict[str, float] = {}
        """Bicubic's means."""
        self.latest: dict[str, float] = {}
        self._best = Best(first)
        self.others = [Best(metric) for metric in others]
        """The best by each further metric."""
        self.validated_at = -1
        self.stale = 0
        """Validations since the best one, without those between which the generator did not learn."""
        self._bicubic: list[np.ndarray] = []

    @property
    def best(self) -> dict[str, float]:
        """What the best validation measured; empty before the first."""
        return self._best.values

    @property
    def best_updates(self) -> int:
        """When that was, or -1."""
        return self._best.updates

    @property
    def improved(self) -> bool:
        """Whether the newest validation is the best so far."""
        return self.best_updates == self.validated_at >= 0

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure bicubic once."""
        module = training_module(pl_module)
        pairs = _pairs(trainer)
        if not pairs or not trainer.is_global_zero:
            return
        scale, compute = scale_of(module.deliverable), module.compute
        kept: list[np.ndarray] = []
        self.baseline, _ = evaluate(
            network_upscaler(Bicubic(scale).to(compute.device), compute.device, compute.exact()),
            pairs,
            scale,
            lambda number, sr: kept.append(sr) if number < self.pictures else None,
            self._lpips,
        )
        self._bicubic = kept
        if self.alarm is not None:
            self.alarm.truth = means(watched(pair.hr, pair.lr, scale) for pair in pairs)["colour_error"]

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Validate when it is due."""
        if module.updates % self.every == 0:
            self.validate(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate the final network, unless the user is waiting for an interrupted run to end."""
        module = training_module(pl_module)
        if module.exit_reason != "interrupted":
            self.validate(trainer, module)

    def validate(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Measure, log, and remember the best; at most once per number of updates.

        Raises:
            UserError: the disk is full.
        """
        if not _pairs(trainer) or self.validated_at == module.updates:
            return
        before = self.latest.get(self.monitor)
        with module.stopwatch.paused():
            strips = self._measure(trainer, module) if trainer.is_global_zero else {}
            if trainer.world_size > 1:  # schedules listen to the result in every process
                self.latest = trainer.strategy.broadcast(self.latest)
            self.validated_at = module.updates
            if self._remember(before):
                observe(module, self.monitor, self.latest[self.monitor])
            if trainer.is_global_zero:
                if self.alarm is not None:
                    error, progress = self.latest["colour_error"], module.clock.progress
                    self.alarm.judge(error, module.updates, progress, module.adversaries)
                self._publish(trainer, module.updates)
                self._show(trainer, strips, module.updates)

    def _measure(self, trainer: lightning.Trainer, module: Trainable) -> dict[str, np.ndarray]:
        pairs, compute = _pairs(trainer), module.compute
        strips: dict[str, np.ndarray] = {}

        def show(number: int, sr: np.ndarray) -> None:
            if number < len(self._bicubic):
                name = f"{number:02d}_{Path(pairs[number].name).stem}"
                strips[name] = strip(self._bicubic[number], sr, pairs[number].hr)

        upscale = network_upscaler(as_exported(module.deliverable), compute.device, compute.exact())
        self.latest, _ = evaluate(upscale, pairs, scale_of(module.deliverable), show, self._lpips)
        return strips

    def _remember(self, before: float | None) -> bool:
        """Compare with the best; whether schedules and `EarlyStop` should hear of the result.

        The very same result as ``before`` means that the generator has not learned in between, as while the
        discriminator learns alone: nothing that they should take for a standstill.
        """
        for best in (self._best, *self.others):
            best.take(self.latest, self.validated_at)
        learned = self.latest[self.monitor] != before
        if learned:
            self.stale = 0 if self.improved else self.stale + 1
        return learned

    def _publish(self, trainer: lightning.Trainer, updates: int) -> None:
        values = {f"val/{name}": value for name, value in self.latest.items()}
        values |= {f"val/bicubic/{name}": value for name, value in self.baseline.items()}
        publish(trainer, {name: value for name, value in values.items() if math.isfinite(value)}, updates)

    def _show(self, trainer: lightning.Trainer, strips: dict[str, np.ndarray], updates: int) -> None:
        self.folder.pictures.mkdir(parents=True, exist_ok=True)
        for name, pixels in strips.items():
            # The newest validation replaces the last: a long run must not fill the disk.
            write_picture(self.folder.pictures / f"{name}.png", Picture(pixels))
        for logger in trainer.loggers:
            if isinstance(logger, PictureLogger):
                logger.log_pictures(strips, updates)

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far."""
        return {
            "latest": self.latest,
            "monitor": self.monitor,
            "best": self.best,
            "best_updates": self.best_updates,
            "others": {best.metric: {"values": best.values, "updates": best.updates} for best in self.others},
            "validated_at": self.validated_at,
            "stale": self.stale,
            "alarm": None if self.alarm is None else self.alarm.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave; a further metric that the saved run did not have begins afresh.

        Raises:
            UserError: the saved run's ``best.safetensors`` is the best by another metric.
        """
        before = state_dict.get("monitor", self.monitor)
        if before != self.monitor:
            raise UserError(
                f"trainer.monitor={self.monitor}, but best.safetensors of this run is the best by {before}; put that "
                f"first: trainer.monitor=[{before},{self.monitor}]"
            )
        self.latest, self.validated_at = _numbers(state_dict["latest"]), int(state_dict["validated_at"])
        self._best = _best(self.monitor, state_dict["best"], state_dict["best_updates"])
        saved = state_dict.get("others", {})
        states = [(best.metric, saved.get(best.metric, {})) for best in self.others]
        self.others = [_best(metric, of.get("values", {}), of.get("updates", -1)) for metric, of in states]
        # Runs of before it was counted say only how many updates ago the best was.
        self.stale = int(state_dict.get("stale", (self.validated_at - self.best_updates) // self.every))
        if self.alarm is not None and state_dict.get("alarm") is not None:
            self.alarm.load_state_dict(state_dict["alarm"])


def _best(metric: str, values: Any, updates: Any) -> Best:
    best = Best(metric, _numbers(values), int(updates))
    if best.values and metric not in best.values:
        raise KeyError(metric)
    return best


def _numbers(state: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in state.items()}


class BestNetworks(UpdateCallback):
    """Keeps ``best_METRIC.safetensors`` up to date for each further metric of ``trainer.monitor``.

    Place it behind `Validation`, whose result it stores, and before `Saving`: whatever a checkpoint says is the best
    must be on the disk.

    Args:
        validation: tells which network is the best.
        model: the network's configuration, resolved.
    """

    def __init__(self, validation: Validation, model: Any) -> None:
        self.validation, self.model = validation, model

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Save after a validation that was the best."""
        self._save(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save after the last validation."""
        self._save(trainer, training_module(pl_module))

    def _save(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Write what the newest validation found to be the best.

        Raises:
            UserError: the disk is full or not writable; the files of the last save are kept.
        """
        validation = self.validation
        new = [best for best in validation.others if best.updates == validation.validated_at == module.updates]
        if not new or not trainer.is_global_zero:
            return
        with module.stopwatch.paused():
            for best in new:
                about = {
                    "updates": module.updates,
                    "run": validation.folder.path.resolve().name,
                    "metrics": best.values,
                    "bicubic": validation.baseline,
                }
                save_network(best_file(validation.folder, best.metric), module.deliverable, self.model, about)


def best_file(folder: RunFolder, metric: str) -> Path:
    """Of the best network by a further metric."""
    return folder.path / f"best_{metric}.safetensors"


def _pairs(trainer: lightning.Trainer) -> list[Any]:
    return list(trainer.datamodule.pairs)  # type: ignore[attr-defined]
