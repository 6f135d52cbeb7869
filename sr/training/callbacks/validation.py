"""Validate on the updates clock, keep the best result, write pictures."""

import math
from pathlib import Path
from typing import Any

import lightning
import numpy as np

from sr.image.io import write_picture
from sr.models.bicubic import Bicubic
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.loggers import PictureLogger, publish
from sr.training.module import SuperResolution
from sr.training.panels import strip
from sr.training.run_folder import RunFolder
from sr.training.validation import METRICS, PERCEPTUAL, Perceptual, evaluate, gain, network_upscaler
from sr.types import Picture, UserError


class Validation(UpdateCallback):
    """Measures the deliverable network every so many updates, beside bicubic.

    Args:
        every: updates between validations; the end of a run is validated too.
        monitor: metric that decides which network is the best: psnr_y, ssim_y, psnr_rgb, ssim_rgb or lpips.
        folder: where pictures are written.
        pictures: how many validation pictures are written and shown each time.
        lpips: measures that too, or None where its weights are not there.

    Raises:
        UserError: a number out of range, or a monitor that is no metric or cannot be measured.
    """

    def __init__(
        self, every: int, monitor: str, folder: RunFolder, pictures: int = 4, lpips: Perceptual | None = None
    ) -> None:
        if every < 1:
            raise UserError(f"trainer.val_every={every} must be at least 1 (updates)")
        if pictures < 0:
            raise UserError(f"trainer.val_images={pictures} must be at least 0")
        known = METRICS + PERCEPTUAL
        if monitor not in known:
            raise UserError(f"trainer.monitor={monitor} is not a metric; choose one of {', '.join(known)}")
        if monitor in PERCEPTUAL and lpips is None:
            raise UserError(
                f"trainer.monitor={monitor} cannot be measured: the weights of AlexNet are not on this machine; "
                "trainer.lpips=imagenet downloads them, trainer.lpips=FILE reads them"
            )
        self._lpips = lpips
        self.every, self.monitor, self.folder, self.pictures = every, monitor, folder, pictures
        self.baseline: dict[str, float] = {}
        """Bicubic's means."""
        self.latest: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.best_updates = -1
        self.validated_at = -1
        self._bicubic: list[np.ndarray] = []

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
        scale, compute = module.scale, module.compute
        kept: list[np.ndarray] = []
        self.baseline, _ = evaluate(
            network_upscaler(Bicubic(scale).to(compute.device), compute.device, compute.exact()),
            pairs,
            scale,
            lambda number, sr: kept.append(sr) if number < self.pictures else None,
            self._lpips,
        )
        self._bicubic = kept

    def after_update(self, trainer: lightning.Trainer, module: SuperResolution) -> None:
        """Validate when it is due."""
        if module.updates % self.every == 0:
            self.validate(trainer, module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate the final network, unless the user is waiting for an interrupted run to end."""
        module = training_module(pl_module)
        if module.exit_reason != "interrupted":
            self.validate(trainer, module)

    def validate(self, trainer: lightning.Trainer, module: SuperResolution) -> None:
        """Measure, log, and remember the best; at most once per number of updates.

        Raises:
            UserError: the disk is full.
        """
        if not _pairs(trainer) or self.validated_at == module.updates:
            return
        with module.stopwatch.paused():
            strips = self._measure(trainer, module) if trainer.is_global_zero else {}
            if trainer.world_size > 1:  # schedules listen to the result in every process
                self.latest = trainer.strategy.broadcast(self.latest)
            self.validated_at = module.updates
            self._remember()
            module.observe(self.monitor, self.latest[self.monitor])
            if trainer.is_global_zero:
                self._publish(trainer, module.updates)
                self._show(trainer, strips, module.updates)

    def _measure(self, trainer: lightning.Trainer, module: SuperResolution) -> dict[str, np.ndarray]:
        pairs, network, compute = _pairs(trainer), module.deliverable, module.compute
        training = network.training
        network.eval()
        strips: dict[str, np.ndarray] = {}

        def show(number: int, sr: np.ndarray) -> None:
            if number < len(self._bicubic):
                name = f"{number:02d}_{Path(pairs[number].name).stem}"
                strips[name] = strip(self._bicubic[number], sr, pairs[number].hr)

        upscale = network_upscaler(network, compute.device, compute.autocast())
        self.latest, _ = evaluate(upscale, pairs, module.scale, show, self._lpips)
        network.train(training)
        return strips

    def _remember(self) -> None:
        value = gain(self.monitor, self.latest[self.monitor])
        if not self.best or self.monitor not in self.best or value > gain(self.monitor, self.best[self.monitor]):
            self.best, self.best_updates = dict(self.latest), self.validated_at

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
            "best": self.best,
            "best_updates": self.best_updates,
            "validated_at": self.validated_at,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
        self.latest, self.best = dict(state_dict["latest"]), dict(state_dict["best"])
        self.best_updates, self.validated_at = state_dict["best_updates"], state_dict["validated_at"]


def _pairs(trainer: lightning.Trainer) -> list[Any]:
    return list(trainer.datamodule.pairs)  # type: ignore[attr-defined]
