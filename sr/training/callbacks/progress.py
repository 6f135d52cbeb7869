"""The progress bar, or one line now and then where the output is no terminal."""

import math
from time import monotonic

import lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeRemainingColumn

from sr.console import plain_bar, text_column
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.callbacks.logging import TrainingLog
from sr.training.callbacks.validation import Validation
from sr.training.contract import Trainable

_SECONDS_BETWEEN_LINES = 15.0


class ProgressBar(UpdateCallback):
    """Shows the time left, updates, speed, share of time waiting for data, PSNR against bicubic, and losses.

    Place it behind `TrainingLog` and `Validation`, whose values it shows.

    Args:
        console: where to draw.
        log: the newest training values.
        validation: the newest validation.
    """

    def __init__(self, console: Console, log: TrainingLog, validation: Validation) -> None:
        self.console, self.training_log, self.validation = console, log, validation
        self._bar: Progress | None = None
        self._last_line = 0.0  # when something was shown last
        self._shown_validation = -1

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the bar."""
        if not trainer.is_global_zero:
            return
        self._last_line = monotonic()
        if self.console.is_terminal:
            self._bar = plain_bar(
                self.console,
                BarColumn(bar_width=12),
                text_column("{task.percentage:>3.0f}%"),
                TimeRemainingColumn(),
                text_column("{task.description}", rest=True),
            )
            # Of a run that goes on: what was done before says nothing of the speed now.
            done = training_module(pl_module).clock.progress
            self._bar.add_task("starting", total=1.0, completed=done)  # type: ignore[arg-type]  # a share
            self._bar.start()

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """Refresh after a logged row or a validation; where rows are far apart, show in between that it goes on."""
        if not trainer.is_global_zero:
            return
        validated = self.validation.validated_at == module.updates
        if validated and self._shown_validation != module.updates:
            self._shown_validation = module.updates
            self.console.print(f"update {module.updates}: {self._validation_text()}", highlight=False)
        waited = monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES
        if module.updates % self.training_log.every != 0 and not waited:
            return
        text = self._text(module)
        if self._bar is not None:
            self._last_line = monotonic()
            self._bar.update(self._bar.task_ids[0], completed=module.clock.progress, description=text)
        elif waited:
            self._last_line = monotonic()
            self.console.print(f"{module.clock.progress:4.0%} {text}", highlight=False, soft_wrap=True)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the bar away."""
        self._stop()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Take the bar away."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _text(self, module: Trainable) -> str:
        clock, speed = module.clock, self.training_log.speed
        losses = " ".join(
            f"{name.removeprefix('train/')} {value:.4g}"
            for name, value in self.training_log.latest.items()
            if _is_shown(name)
        )
        of = "" if clock.max_updates is None else f"/{clock.max_updates}"
        parts = [f"{clock.updates}{of} updates"]
        if not self.training_log.latest:  # before the first row
            return parts[0]
        parts += [
            f"{speed.updates_per_second:.1f}/s",
            f"{speed.pictures_per_second:.0f} pictures/s",
            f"data wait {speed.waiting:.1%}",
        ]
        if self.validation.latest:
            parts.append(self._validation_text())
        return " · ".join([*parts, losses])  # a narrow terminal has no room for the end

    def _validation_text(self) -> str:
        name = "psnr_y" if "psnr_y" in self.validation.latest else self.validation.monitor
        latest, baseline = self.validation.latest[name], self.validation.baseline.get(name, math.nan)
        if not math.isfinite(latest):
            return "what the network makes of the validation pictures is infinite or not a number"
        if "cycle_psnr" in self.validation.latest:
            truth = "" if math.isnan(baseline) else f", {name} {latest:.2f} dB (untranslated {latest - baseline:+z.2f})"
            return f"cycle_psnr {self.validation.latest['cycle_psnr']:.2f} dB{truth}"
        if name != "psnr_y":  # of pictures without a truth
            return f"{name} {latest:.4f} (bicubic {latest - baseline:+z.4f})"
        return f"psnr_y {latest:.2f} dB (bicubic {latest - baseline:+z.2f})"


def _is_shown(name: str) -> bool:
    """A line has room for losses; the rest is in metrics.csv."""
    if name.startswith("train/g/"):
        return not name.endswith(("_weighted", "/gradient"))
    return name.endswith("/total")
