"""One training run: check, build, fit, sum up."""

from typing import Any

import lightning
from omegaconf import OmegaConf
from rich.console import Console

from sr.config.building import build, build_clock, build_module, seed_everything
from sr.config.growing import grow_from
from sr.config.opponents import doubts
from sr.config.starting import GENERATOR, GROWN, Start, start_from
from sr.config.stored import needs_trust
from sr.experiments.failure import FILE as FAILURE
from sr.files import write_atomically
from sr.models.parameters import parameters_of
from sr.models.translators import is_translator
from sr.training.callbacks.best_networks import BestNetworks
from sr.training.callbacks.guard import ExplodedError, Guard
from sr.training.callbacks.logging import TrainingLog
from sr.training.callbacks.progress import ProgressBar
from sr.training.callbacks.result import Result
from sr.training.callbacks.saving import Saving
from sr.training.callbacks.stopping import Stopping
from sr.training.callbacks.swapout import Swapout
from sr.training.callbacks.validation import Validation
from sr.training.colour_alarm import ColourAlarm
from sr.training.columns import better
from sr.training.company import company
from sr.training.fitting import fit, make_trainer
from sr.training.keeping.checkpoint import understood
from sr.training.keeping.command import Command, write_command
from sr.training.keeping.loggers.csv import CsvLog
from sr.training.keeping.loggers.starting import check_packages, started
from sr.training.keeping.run_folder import CHANGED, EXPLODED, RunFolder
from sr.training.keeping.tables import write_table
from sr.training.memory import check_batch_fits, kept_on_device
from sr.training.perceptual import Perceptual, build_distance
from sr.training.processes import rank
from sr.training.signals import Signals
from sr.training.trials import check_frozen, trials
from sr.types import UserError
from sr.verbs.screen.progress import StoreProgress
from sr.verbs.screen.tables import print_result, say
from sr.verbs.train.beginning import remember, with_files
from sr.verbs.train.preflight import (
    check_gradient,
    check_input,
    check_measurable,
    check_plateau,
    check_room,
    check_unpaired_data,
    smaller_than_crop,
    try_degradation,
)
from sr.verbs.train.resume import Resumed
from sr.verbs.train.summary import about_adversary, summary_of

FOLDER, RESUMED = "SR_RUN_FOLDER", "SR_RUN_RESUMED"
"""Environment variables by which the first process of a run tells the others where the run lies."""


class Run:
    """Everything one run is made of.

    Args:
        config: checked configuration.
        folder: where results go.
        command: that was typed.
        console: where messages go.
        resumed: the run to go on from, or None.
        start: what a new run starts from; None for one that goes on.
        signals: that end it.

    Raises:
        UserError: a constructor refused its arguments.
    """

    def __init__(
        self,
        config: Any,
        folder: RunFolder,
        command: Command,
        console: Console,
        resumed: Resumed | None,
        start: Start | None,
        signals: Signals,
    ) -> None:
        self.config, self.folder, self.console, self.resumed = config, folder, console, resumed
        self.loggers = build("logger", config.logger) if rank() == 0 else {}  # several would write into one run
        check_packages(self.loggers)
        self.command, self.signals = command, signals
        self.from_scratch = start is not None and GENERATOR not in start.places and GROWN not in start.places
        config.run_dir = str(folder.path)
        config.resume, config.trust = None, False
        seed_everything(config.seed)
        self.clock = build_clock(config, self.say)
        self.module = build_module(with_files(config), self.clock)
        if start is not None:
            start_from(self.module, start, self.say)
            remember(config, grow_from(self.module, start, config.model, self.say))
        self.compute = self.module.compute
        self.data = build("data", config.data)
        trainer = config.trainer
        plain: Any = OmegaConf.to_container(config, resolve=False)
        model = OmegaConf.to_container(config.model, resolve=True)
        lpips = build_distance("lpips", trainer.lpips, self.compute.device)
        sets = tuple(self.data.val_sides)
        self.validation = self._validation(lpips, sets)
        self.best_networks = BestNetworks(self.validation, model)
        check_plateau(self.validation.monitor, self.module)
        self.log = TrainingLog(trainer.log_every)
        every = (trainer.log_every, trainer.val_every, trainer.checkpoint_every)
        trust = needs_trust(plain)
        self.guard = Guard(**trainer.guard, every=every, folder=folder, config=plain, trust=trust, say=self.say)
        self.extra_callbacks: list[lightning.Callback] = list(build("callbacks", config.callbacks).values())
        self.swapouts = [callback for callback in self.extra_callbacks if isinstance(callback, Swapout)]
        self.saving = Saving(
            config.trainer.checkpoint_every,
            folder,
            plain,
            model,
            self.validation,
            self.guard,
            None if resumed is None else resumed.state,
            self.swapouts,
            () if resumed is None else resumed.record,
            self._write_settings,
        )

    def _validation(self, lpips: Perceptual | None, sets: tuple[str, ...]) -> Validation:
        trainer, alone = self.config.trainer, not sets and bool(self.data.shown_sources)
        alarm = ColourAlarm(trainer.colour_alarm, self.say)
        made = Validation(
            trainer.val_every,
            trainer.monitor,
            self.folder,
            trainer.val_images,
            lpips,
            alarm,
            sets,
            without_truth=alone,
            translates=is_translator(self.module.network),
            shown=self.data.two_sides or bool(self.data.shown_sources and trainer.val_images),
        )
        if made.monitor != trainer.monitor and alone:
            most = "most" if better(made.monitor) == "max" else "least"
            self.say(f"validation has no truth: the best network is the one of the {most} {made.monitor}")
        return made

    def say(self, text: str) -> None:
        """One line for the user."""
        say(self.console, text)

    def fit(self) -> dict[str, Any]:
        """Train to the end and write the summary."""
        self._prepare()
        # Processes that are started for the other devices run the same command line, in the same folder.
        told = {FOLDER: str(self.folder.path), RESUMED: "" if self.resumed is None else str(self.folder.path)}
        with company(self.config.trainer.devices, told) as others:
            others.arrive()
            with self.signals.heard():
                self._open_folder()
                trainer = self._trainer()
                others.begin()
                try:
                    fit(trainer, self.module, self.data)
                except ExplodedError:
                    if trainer.is_global_zero:  # an explosion is a result too
                        self.folder.write_summary(self._summary(trainer) | {"exit_reason": EXPLODED})
                    raise
                summary = self._summary(trainer)
                if trainer.is_global_zero:
                    self.folder.write_summary(summary)
                    print_result(self.console, summary, self.folder, self.guard.config)
        return summary

    def _trainer(self) -> lightning.Trainer:
        progress = ProgressBar(self.console, self.log, self.validation)
        others = [callback for callback in self.extra_callbacks if callback not in self.swapouts]
        kept, ends = [self.best_networks, self.saving], [*others, Stopping(self.signals)]
        result = Result(self._summary, self.folder)
        callbacks = [*self.swapouts, self.guard, self.validation, self.log, *kept, *ends, result, progress]
        config: Any = OmegaConf.to_container(self.config, resolve=True)
        loggers = started(self.loggers, str(self.folder.path), config, self.say)
        module, devices = self.module, self.config.trainer.devices
        resting = bool(module.adversaries or module.parts.freeze or module.side_outputs)
        return make_trainer(self.compute, callbacks, [CsvLog(self.folder.metrics), *loggers], devices, resting)

    def _prepare(self) -> None:
        if self.resumed is not None:
            with understood(self.folder.checkpoint):
                self.clock.load_state_dict(self.resumed.state["trained"]["clock"])
            reached = self.clock.reached()
            if reached is not None and self.folder.read_summary() is not None:
                raise UserError(
                    f"{self.folder.path} has already reached trainer.{reached} ({self.clock.updates} updates, "
                    f"{self.clock.elapsed:.0f} s); to train on, give a larger trainer.{reached}"
                )
        self._introduce()
        check_unpaired_data(self.module, self.data)
        lr_shape = (self.config.data.batch_size, 3, self.config.data.crop, self.config.data.crop)
        recover, devices = self.config.trainer.guard.recover, self.config.trainer.devices
        kept = kept_on_device(self.module, lr_shape, devices, recover, self.swapouts)
        steps, unpaired = trials(self.module, self.data.paired), self.data.real is not None
        try:
            check_batch_fits(self.module.network, lr_shape, self.compute, steps, unpaired, kept)
        except UserError as error:
            crop, told = self.config.data.crop, str(error)
            told += f" (data.crop={crop})" if f"{crop}x{crop}" in told and "data.crop" not in told else ""
            raise UserError(smaller_than_crop(self.data, self.config.scale) or told) from error
        with StoreProgress(self.console) as progress:
            self.data.make_pools(self.module.degradation, progress.update, self.say)
        try_degradation(self.module.degradation, self.config.data.crop, self.compute.device)
        check_gradient(self.module, self.config.data.crop)
        check_frozen(self.module, self.config.data.crop, self.data.paired)
        with StoreProgress(self.console) as progress:
            self.data.prepare(
                self.module.degradation,
                self.compute.device,
                progress.update,
                self.say,
                rank(),
                self.config.trainer.devices,
                self.config.trainer.val_images,
                getattr(self.module.network, "reference", None),
            )
        check_input(self.module.augmentation, self.data)
        translated = self.data.shown_pictures if self.validation.translates else ()
        check_measurable(self.data.sets, self.config.scale, translated)
        check_room(self.module.network, translated, self.compute.device)
        small = self.validation.about_small(self.data.sets)
        if small is not None:
            self.say(f"validation: {small}")

    def _introduce(self) -> None:
        """Say what is going to be trained, and where."""
        network = self.module.network
        self.say(f"network: {type(network).__name__} x{self.config.scale}, {parameters_of(network):,} parameters")
        for name, adversary in self.module.adversaries.items():
            about = about_adversary(adversary)
            self.say(
                f"adversary {name}: {about['discriminator']}, {about['parameters']:,} parameters, {about['objective']}"
            )
        for part in self.module.parts.told(network, self.clock):
            self.say(part)
        for doubt in doubts(self.module, self.config, self.swapouts, self.from_scratch):
            self.say(doubt)
        self.say(f"compute: {self.compute.device.type}, {self.compute.reason}")

    def _summary(self, trainer: lightning.Trainer) -> dict[str, Any]:
        speed = self.log.overall(trainer, self.module)
        return summary_of(self.config, self.folder, self.module, self.validation, self.guard, speed)

    def _open_folder(self) -> None:
        if rank() > 0:
            return
        if self.resumed is not None:
            if self.resumed.changes:
                self.say(f"changed since the checkpoint: {self.resumed.changes}")
            if self.resumed.ignored:
                self.say(
                    f"{self.folder.config} was changed, which does not count: {self.resumed.ignored}; changes belong "
                    "on the command line"
                )
            self.say(f"going on from {self.folder.checkpoint}")
        self.say(f"run folder: {self.folder.path}")
        (self.folder.path / FAILURE).unlink(missing_ok=True)  # of a sitting before this one
        if self.resumed is None:  # what made it, not what made it go on
            self._write_settings()
            write_command(self.folder.path, self.command)

    def _write_settings(self) -> bool:
        """The configuration and what was changed on the way; whether a run that goes on has changes of this sitting."""
        write_atomically(self.folder.config, OmegaConf.to_yaml(self.config, resolve=True).encode())
        if self.resumed is None or not self.resumed.record:
            self.folder.changes.unlink(missing_ok=True)
            return False
        write_table(self.folder.changes, CHANGED, self.resumed.record)
        return bool(self.resumed.changes)
