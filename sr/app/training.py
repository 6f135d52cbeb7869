"""One training run: check, build, fit, sum up."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sr.app.building import build, build_clock, build_compute, build_module, seed_everything
from sr.app.checks import checked
from sr.app.preparing import StoreProgress
from sr.app.resume import Resumed, find_resumed
from sr.app.tables import print_result
from sr.data.module import CropData
from sr.draws import Draws
from sr.files import write_atomically
from sr.training.callbacks.logging import TrainingLog
from sr.training.callbacks.progress import ProgressBar
from sr.training.callbacks.saving import Saving
from sr.training.callbacks.stopping import Stopping
from sr.training.callbacks.validation import Validation
from sr.training.fitting import fit, make_trainer
from sr.training.loggers import CsvLog, Wandb
from sr.training.memory import check_batch_fits, out_of_memory
from sr.training.run_folder import RunFolder
from sr.types import UserError


def train(composed: DictConfig, overrides: list[str], model_name: str, sweep_folder: Path | None) -> dict[str, Any]:
    """Train one combination.

    Args:
        composed: the configuration as Hydra composed it.
        overrides: ``key=value`` of the command line.
        model_name: choice of the group ``model``, for the run folder's name.
        sweep_folder: the run's folder inside a sweep, or None.

    Returns:
        The run's summary.

    Raises:
        UserError: a mistake in the configuration or the data, or a disk that is full.
    """
    console = Console(soft_wrap=not sys.stdout.isatty())
    config: Any = checked(composed)
    for key in ("run_dir", "resume"):
        if config[key] == "":
            raise UserError(f"{key}= has no value; give a folder, or leave {key} out")
    resumed = find_resumed(config, overrides, lambda text: console.print(text, highlight=False, markup=False))
    if resumed is not None:
        config = checked(resumed.config)
    folder = _run_folder(config, resumed, model_name, sweep_folder)
    run = Run(config, folder, console, resumed)
    try:
        return run.fit()
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(_no_memory(config)) from error


class Run:
    """Everything one run is made of.

    Args:
        config: checked configuration.
        folder: where results go.
        console: where messages go.
        resumed: the run to go on from, or None.

    Raises:
        UserError: a constructor refused its arguments.
    """

    def __init__(self, config: Any, folder: RunFolder, console: Console, resumed: Resumed | None) -> None:
        self.config, self.folder, self.console, self.resumed = config, folder, console, resumed
        config.run_dir = str(folder.path)
        config.resume = None
        seed_everything(config.seed)
        self.compute = build_compute(config)
        self.clock = build_clock(config, self.say)
        self.module = build_module(config, self.compute, self.clock)
        self.data = build("data", config.data)
        self.validation = Validation(
            config.trainer.val_every, config.trainer.monitor, folder, config.trainer.val_images
        )
        self.log = TrainingLog(config.trainer.log_every)
        self.extra_callbacks: list[lightning.Callback] = list(build("callbacks", config.callbacks).values())
        self.saving = Saving(
            config.trainer.checkpoint_every,
            folder,
            OmegaConf.to_container(config, resolve=False),
            OmegaConf.to_container(config.model, resolve=True),
            self.validation,
            None if resumed is None else resumed.state,
        )

    def say(self, text: str) -> None:
        """One line for the user."""
        self.console.print(text, highlight=False, markup=False)

    def fit(self) -> dict[str, Any]:
        """Train to the end and write the summary."""
        self._prepare()
        self._open_folder()
        progress = ProgressBar(self.console, self.log, self.validation)
        callbacks = [self.validation, self.log, self.saving, *self.extra_callbacks, Stopping(), progress]
        config = OmegaConf.to_container(self.config, resolve=True)
        made = build("logger", self.config.logger)
        loggers = [factory(run_dir=str(self.folder.path), config=config) for factory in made.values()]
        for logger in loggers:
            if isinstance(logger, Wandb):
                self.say(logger.announcement)
        trainer = make_trainer(self.compute, callbacks, [CsvLog(self.folder.metrics), *loggers])
        fit(trainer, self.module, self.data)
        summary = self._summary(trainer)
        self.folder.write_summary(summary)
        print_result(self.console, summary, self.folder)
        return summary

    def _prepare(self) -> None:
        if self.resumed is not None:
            self.clock.load_state_dict(self.resumed.state["trained"]["clock"])
            reached = self.clock.reached()
            if reached is not None and self.folder.read_summary() is not None:
                raise UserError(
                    f"{self.folder.path} has already reached trainer.{reached} ({self.clock.updates} updates, "
                    f"{self.clock.elapsed:.0f} s); to train on, give a larger trainer.{reached}"
                )
        self.folder.check_writable()
        self.say(f"network: {type(self.module.network).__name__} x{self.config.scale}, {self._parameters:,} parameters")
        self.say(f"compute: {self.compute.device.type}, {self.compute.reason}")
        lr_shape = (self.config.data.batch_size, 3, self.config.data.crop, self.config.data.crop)
        check_batch_fits(self.module.network, lr_shape, self.compute)
        try_degradation(self.module.degradation, self.config.data.crop, self.compute.device)
        with StoreProgress(self.console) as progress:
            self.data.prepare(self.module.degradation, self.compute.device, progress.update, self.say)
        check_input(self.module.augmentation, self.data)

    def _open_folder(self) -> None:
        if self.resumed is not None:
            self.say(f"going on from {self.folder.checkpoint}")
            self.folder.summary.unlink(missing_ok=True)
        self.say(f"run folder: {self.folder.path}")
        write_atomically(self.folder.config, OmegaConf.to_yaml(self.config, resolve=True).encode())

    @property
    def _parameters(self) -> int:
        return sum(p.numel() for p in self.module.network.parameters())

    def _summary(self, trainer: lightning.Trainer) -> dict[str, Any]:
        speed, validation = self.log.overall(trainer, self.module), self.validation
        return {
            "exit_reason": self.module.exit_reason,
            "updates": self.module.updates,
            "seconds": round(self.clock.elapsed, 2),
            "updates_per_second": round(speed.updates_per_second, 3),
            "pictures_per_second": round(speed.pictures_per_second, 2),
            "waiting_share": round(speed.waiting, 5),
            "scale": self.config.scale,
            "parameters": self._parameters,
            "monitor": validation.monitor,
            "bicubic": validation.baseline,
            "final": validation.latest,
            "best": validation.best | {"updates": validation.best_updates} if validation.best else {},
            "run_dir": str(self.folder.path),
        }


def try_degradation(degradation: Any, crop: int, device: torch.device) -> None:
    """Degrade a few gray crops, so that stages that do not fit together are told before a store is built.

    Raises:
        UserError: the stages end with another size, or a pool cannot be read.
    """
    side = crop * degradation.scale
    with torch.no_grad():
        degradation(torch.full((4, 3, side, side), 0.5, device=device), Draws(0, np.arange(4)))


def check_input(augmentation: Any, data: CropData) -> None:
    """An augmentation that changes what the degradation sees needs a degradation that has not run yet.

    Raises:
        UserError: low-resolution pictures are given or made in advance.
    """
    if augmentation.changes_input and data.stream.batches.lr is not None:
        names = ", ".join(name for name, step in augmentation.steps.items() if step.changes_input)
        raise UserError(
            f"augmentation {names} changes what the degradation sees, but low-resolution pictures are given or made in "
            "advance; set degradation.in_advance=false, or leave the augmentation out"
        )


def _run_folder(config: Any, resumed: Resumed | None, model_name: str, sweep_folder: Path | None) -> RunFolder:
    if resumed is not None:
        return resumed.folder
    if sweep_folder is not None:
        return RunFolder(sweep_folder if config.run_dir is None else Path(config.run_dir) / sweep_folder.name)
    if config.run_dir is None:
        now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        return _unused(Path("outputs") / f"{now}_{model_name}_x{config.scale}")
    folder = RunFolder(Path(config.run_dir))
    if any(file.exists() for file in (folder.checkpoint, folder.metrics, folder.summary, folder.best)):
        raise UserError(
            f"run_dir={config.run_dir} already holds a run; resume={config.run_dir} goes on with it, "
            "or choose another run_dir"
        )
    return folder


def _unused(path: Path) -> RunFolder:
    """Two runs may start in the same second."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}_{number}"), number + 1
    return RunFolder(candidate)


def _no_memory(config: Any) -> str:
    return (
        f"a batch of {config.data.batch_size} crops of {config.data.crop}x{config.data.crop} does not fit into "
        "memory; lower data.batch_size or data.crop, and keep the batch with trainer.accumulate=N"
    )
