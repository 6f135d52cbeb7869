"""One training run: build everything from the configuration, fit, and sum up."""

import logging
import random
import sys
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import nn

from sr.app.checks import checked
from sr.app.preparing import StoreProgress
from sr.app.resume import Resumed, find_resumed
from sr.app.tables import print_result
from sr.files import write_atomically
from sr.training.callbacks.logging import TrainingLog
from sr.training.callbacks.progress import ProgressBar
from sr.training.callbacks.saving import Saving
from sr.training.callbacks.stopping import Stopping
from sr.training.callbacks.validation import Validation
from sr.training.clock import Clock, parse_duration
from sr.training.ema import Ema
from sr.training.loggers import CsvLog
from sr.training.memory import check_batch_fits
from sr.training.module import SuperResolution
from sr.training.precision import Compute, choose_compute, choose_device
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
    resumed = find_resumed(config, overrides)
    if resumed is not None:
        config = checked(resumed.config)
    elif config.resume == "auto":
        console.print("resume=auto: no unfinished run of this configuration; starting a new one")
    folder = _run_folder(config, resumed, model_name, sweep_folder)
    if sweep_folder is not None and config.run_dir is not None:
        folder = RunFolder(Path(config.run_dir) / sweep_folder.name)
    run = Run(config, folder, console, resumed)
    return run.fit()


class Run:
    """Everything one run is made of.

    Args:
        config: checked configuration.
        folder: where results go.
        console: where messages go.
        resumed: the run to go on from, or None.
    """

    def __init__(self, config: Any, folder: RunFolder, console: Console, resumed: Resumed | None) -> None:
        self.config, self.folder, self.console, self.resumed = config, folder, console, resumed
        config.run_dir = str(folder.path)
        config.resume = None
        _seed_everything(config.seed)
        self.compute = choose(config)
        self.clock = make_clock(config, self.say)
        self.module = build_module(config, self.compute, self.clock)
        self.data = build("data", config.data)
        self.plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]

    def say(self, text: str) -> None:
        """One line for the user."""
        self.console.print(text, highlight=False, markup=False)

    def fit(self) -> dict[str, Any]:
        """Train to the end and write the summary."""
        trainer_config = self.config.trainer
        validation = Validation(
            trainer_config.val_every, trainer_config.monitor, self.folder, trainer_config.val_images
        )
        log = TrainingLog(trainer_config.log_every)
        parameters = sum(p.numel() for p in self.module.network.parameters())
        self.say(f"network: {type(self.module.network).__name__} x{self.config.scale}, {parameters:,} parameters")
        self.say(f"compute: {self.compute.device.type}, {self.compute.reason}")
        lr_shape = (self.config.data.batch_size, 3, self.config.data.crop, self.config.data.crop)
        check_batch_fits(self.module.network, lr_shape, self.compute)
        with StoreProgress(self.console) as progress:
            self.data.prepare(self.module.degradation, self.compute.device, progress.update, self.say)
        self._open_folder()
        state = None if self.resumed is None else self.resumed.state
        saving = Saving(trainer_config.checkpoint_every, self.folder, self.plain, validation, state)
        extra = list(build("callbacks", self.config.callbacks).values())
        callbacks = [validation, log, saving, *extra, Stopping(), ProgressBar(self.console, log, validation)]
        trainer = self._trainer(callbacks)
        self._fit(trainer)
        summary = self._summary(trainer, validation, log)
        self.folder.write_summary(summary)
        print_result(self.console, summary, self.folder)
        return summary

    def _open_folder(self) -> None:
        if self.resumed is not None:
            self.say(f"going on from {self.folder.checkpoint}")
            self.folder.summary.unlink(missing_ok=True)
        self.say(f"run folder: {self.folder.path}")
        write_atomically(self.folder.config, OmegaConf.to_yaml(OmegaConf.create(self.plain)).encode())

    def _trainer(self, callbacks: list[lightning.Callback]) -> lightning.Trainer:
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        made = build("logger", self.config.logger)
        loggers = [factory(run_dir=str(self.folder.path), config=self.plain) for factory in made.values()]
        return lightning.Trainer(
            accelerator={"cuda": "gpu"}.get(self.compute.device.type, self.compute.device.type),
            devices=1,
            max_epochs=-1,  # the clock's limits end the run
            logger=[CsvLog(self.folder.metrics), *loggers],
            callbacks=callbacks,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
            use_distributed_sampler=False,
        )

    def _fit(self, trainer: lightning.Trainer) -> None:
        with warnings.catch_warnings():
            # Lightning wants a number of epochs and its own checkpoint format; the clock and Saving replace both.
            warnings.filterwarnings("ignore", module="lightning")
            try:
                trainer.fit(self.module, datamodule=self.data)
            except (MemoryError, torch.OutOfMemoryError) as error:
                raise UserError(_no_memory(self.config)) from error
            except RuntimeError as error:
                if "can't allocate memory" in str(error) or "not enough memory" in str(error):
                    raise UserError(_no_memory(self.config)) from error
                raise

    def _summary(self, trainer: lightning.Trainer, validation: Validation, log: TrainingLog) -> dict[str, Any]:
        speed = log.overall(trainer, self.module)
        return {
            "exit_reason": self.module.exit_reason,
            "updates": self.module.updates,
            "seconds": round(self.clock.elapsed, 2),
            "updates_per_second": round(speed.updates_per_second, 3),
            "pictures_per_second": round(speed.pictures_per_second, 2),
            "waiting_share": round(speed.waiting, 5),
            "scale": self.config.scale,
            "parameters": sum(p.numel() for p in self.module.network.parameters()),
            "monitor": validation.monitor,
            "bicubic": validation.baseline,
            "final": validation.latest,
            "best": validation.best | {"updates": validation.best_updates} if validation.best else {},
            "run_dir": str(self.folder.path),
        }


def build(name: str, node: Any) -> Any:
    """Instantiate a node; a constructor's refusal becomes a message that names the setting.

    Raises:
        UserError: the constructor refused its arguments.
    """
    try:
        return instantiate(node)
    except InstantiationException as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ValueError):
            raise UserError(f"{name}: {cause}") from error
        raise


def choose(config: Any) -> Compute:
    """Device, number format and layout."""
    trainer = config.trainer
    _one_of("trainer.precision", trainer.precision, ("auto", "32", "bf16"))
    _one_of("trainer.channels_last", trainer.channels_last, ("auto", "on", "off"))
    _one_of("trainer.accelerator", trainer.accelerator, ("auto", "cpu", "gpu", "mps"))
    try:
        device = choose_device(trainer.accelerator)
    except ValueError as error:
        raise UserError(str(error)) from error
    return choose_compute(device, trainer.precision, trainer.channels_last)


def make_clock(config: Any, say: Any) -> Clock:
    """The limits; where neither is set, the default time, announced."""
    updates, time = config.trainer.max_updates, config.trainer.max_time
    if updates is None and time is None:
        time = config.trainer.default_time
        say(f"stops after {time}; trainer.max_updates=N or trainer.max_time=HH:MM:SS sets another end")
    return Clock(updates, None if time is None else parse_duration(time))


def build_module(config: Any, compute: Compute, clock: Clock) -> SuperResolution:
    """The training module with all its parts."""
    network: nn.Module = build("model", config.model)
    ema = config.trainer.ema
    try:
        return SuperResolution(
            network=compute.place(network),
            objective=build("loss", config.loss),
            optimizer=build("optimizer", config.optimizer),
            schedule=build("schedule", config.schedule),
            degradation=build("degradation", config.degradation),
            augmentation=build("augmentation", config.augmentation),
            clock=clock,
            compute=compute,
            ema=None if ema is None else Ema(ema),
            accumulate=config.trainer.accumulate,
            clip=config.trainer.clip,
            seed=config.seed,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _run_folder(config: Any, resumed: Resumed | None, model_name: str, sweep_folder: Path | None) -> RunFolder:
    if resumed is not None:
        return resumed.folder
    if sweep_folder is not None:
        return RunFolder(sweep_folder)
    if config.run_dir is None:
        now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        return _unused(Path("outputs") / f"{now}_{model_name}_x{config.scale}")
    folder = RunFolder(Path(config.run_dir))
    if folder.config.exists() or folder.checkpoint.exists():
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


def _seed_everything(seed: int) -> None:
    """Initialisation and dropout; the data's draws have their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 (libraries draw from the global generator)
    torch.manual_seed(seed)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{name}={value} is not one of {', '.join(choices)}")


def _no_memory(config: Any) -> str:
    return (
        f"a batch of {config.data.batch_size} crops of {config.data.crop}x{config.data.crop} does not fit into "
        "memory; lower data.batch_size or data.crop, and keep the batch with trainer.accumulate=N"
    )
