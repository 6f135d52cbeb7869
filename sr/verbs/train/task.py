"""One run as Hydra calls it: in this process, or in one that a launcher has started."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sr.config.composer import composed_with_choices
from sr.config.experiments import named_choices
from sr.config.folder import CONF, conf_folders
from sr.config.parsed import key_of
from sr.config.schema import register_schema
from sr.errors import UserError
from sr.experiments.failure import write_failure
from sr.locks import in_use
from sr.pasted import training
from sr.printable import printable
from sr.training.keeping.claim import LOCK
from sr.training.keeping.command import Command
from sr.training.keeping.run_folder import ENDED, RunFolder
from sr.training.signals import Signals
from sr.verbs.screen.errors import print_own_error
from sr.verbs.train.place import SweptRun
from sr.verbs.train.sweep_record import read_record

_PLACE = ("resume", "run_dir", "trust")
TRIAL = "callbacks.pruning."
"""Beginning of the settings by which a run knows that it is a trial of a search."""
STOP = "stop"
"""File in a sweep's folder that keeps runs from beginning: the sweep was interrupted."""


def hydra_runs(task: "Task") -> None:
    """Let Hydra compose the configuration of each run of this process's command line, and run it."""
    register_schema()
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(task.run)()


@dataclass
class Task:
    """What is done for each configuration that Hydra composes; it can be sent to another process.

    Attributes:
        own: the user's folder of choices beside conf/, or None.
        exact: a sweep varies limits, so that they tell runs apart.
        signals: that end a run of this process; None in another one, which listens itself.
        failed: a run of this process ended with an error.
        summary: of the last run of this process, or None.
    """

    own: Path | None
    exact: bool = False
    signals: Signals | None = None
    failed: bool = False
    summary: dict[str, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"signals": None}

    def alone(self, overrides: Sequence[str]) -> None:
        """Train what a command line says that asks nothing of Hydra itself, which would compose it twice once more.

        Args:
            overrides: ``key=value``, checked.

        Raises:
            KeyboardInterrupt: a signal came; the run is saved where it had begun.
        """
        assert self.signals is not None
        config, choices = composed_with_choices(conf_folders(self.own), overrides)
        self._run(config, overrides, choices, None, self.signals)

    def run(self, config: DictConfig) -> None:
        """Train one configuration that Hydra gives; in a sweep a failure does not keep the others from running.

        Raises:
            KeyboardInterrupt: a signal came; the run is saved where it had begun.
        """
        settings = HydraConfig.get()
        overrides, choices = list(settings.overrides.task), settings.runtime.choices
        swept = self._swept(settings, config) if settings.mode == RunMode.MULTIRUN else None
        if self.signals is not None:
            self._run(config, overrides, choices, swept, self.signals)
            return
        place = Path(settings.sweep.dir)
        name = str(settings.job.name)
        if (place / STOP).exists():
            return
        output = place / f"{name}.txt"
        print(f"{printable(name)} begins; what it prints is in {output}", flush=True)
        with Signals() as signals, _output_in(output), suppress(KeyboardInterrupt):  # the others end in their own time
            self._run(config, overrides, choices, swept, signals)
        print(f"{printable(name)} {'failed' if self.failed else 'ended'}", flush=True)

    def _run(
        self,
        config: DictConfig,
        overrides: Sequence[str],
        choices: Mapping[Any, Any],
        swept: SweptRun | None,
        signals: Signals,
    ) -> None:
        signals.check()
        from sr.verbs.train.process import train

        chosen = named_choices(overrides, choices)
        config.experiment = chosen.get("experiment")
        command = self._command(overrides, chosen, swept)
        if swept is not None:
            print(f"\n=== run {_numbered(swept.place, swept.told.name)} ===", flush=True)
        try:
            self.summary = train(config, command, swept, signals, self.own)
        except UserError as error:
            self._fail(error, swept, signals)
        except Exception as error:
            if swept is None and not signals.raised:
                raise
            self._fail(error, swept, signals)
        finally:
            if swept is not None:
                with suppress(OSError):  # where nothing began
                    swept.folder.rmdir()
        if swept is not None:
            signals.check()

    def _swept(self, settings: Any, config: DictConfig) -> SweptRun:
        name, place = str(settings.job.name), Path(settings.sweep.dir)
        own = place / name
        return SweptRun(own if config.run_dir is None else Path(config.run_dir), place, own, self.exact)

    def _command(self, overrides: Sequence[str], chosen: dict[str, str], swept: SweptRun | None) -> Command:
        own = [] if self.own is None else ["--config-dir", str(self.own)]
        known = [one for one in overrides if key_of(one) not in _PLACE and not key_of(one).startswith(TRIAL)]
        return Command(training(*own, *known), list(overrides), chosen, None if swept is None else swept.place.name)

    def _fail(self, error: Exception, swept: SweptRun | None, signals: Signals) -> None:
        """Tell an error, in a sweep also the run's folder.

        Raises:
            KeyboardInterrupt: the error is what something has made of a signal's.
        """
        if signals.raised:
            raise KeyboardInterrupt
        self.failed = True
        if isinstance(error, UserError):
            print_own_error(error)
        else:
            traceback.print_exc()
        if swept is not None:
            sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            _keep_failure(swept, sentence)


def _numbered(place: Path, name: str) -> str:
    """Which run of its sweep this is, and what tells it apart."""
    record = read_record(place)
    names = [] if record is None else [job.name for job in record.jobs]
    if record is None or name not in names:
        return printable(name)
    number = names.index(name)
    return f"{number + 1} of {record.planned}: {printable(','.join(record.jobs[number].varied))}"


def _keep_failure(swept: SweptRun, sentence: str) -> None:
    """In the run's folder of the sweep, unless a run has ended there, or is being trained by somebody else."""
    summary = RunFolder(swept.told).read_summary()
    ended = summary is not None and summary["exit_reason"] in ENDED
    if not ended and not in_use(swept.told / LOCK):
        with suppress(UserError):  # a full disk, say, which is what the sentence tells
            write_failure(swept.told, sentence)


@contextmanager
def _output_in(path: Path) -> Iterator[None]:
    """What this process prints goes to a file: several at once would print into each other's lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        kept = [(stream, os.dup(stream.fileno())) for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
        try:
            for stream, _ in kept:
                stream.flush()
                os.dup2(file.fileno(), stream.fileno())
            yield
        finally:
            for stream, descriptor in kept:
                stream.flush()
                os.dup2(descriptor, stream.fileno())
                os.close(descriptor)
