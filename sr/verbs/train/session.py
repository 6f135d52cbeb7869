"""What `train.py` runs: check the command line, let Hydra compose, train once or once per combination."""

import io
import os
import sys
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sr.config.experiments import named_choices
from sr.config.folder import CONF, conf_folders
from sr.config.overrides import as_hydra_takes, first_run
from sr.config.parsed import given, swept_keys
from sr.config.schema import register_schema
from sr.config.sweeps import deferred, listed, parents_first, sweep_faults
from sr.errors import USER_ERROR, UserError
from sr.pasted import setting, training
from sr.printable import printable
from sr.training.keeping.command import Command
from sr.training.signals import Signals
from sr.verbs.current_folder import see_current_folder
from sr.verbs.screen.errors import print_error
from sr.verbs.train.arguments import Arguments, split_arguments
from sr.verbs.train.threads import wait_passively_if_busy


@dataclass
class Outcome:
    """How one run of a sweep ended.

    Attributes:
        name: the overrides that tell it apart.
        summary: what the run wrote, or None where it failed.
        error: one sentence, where it failed.
        experiment: that it was, or None.
    """

    name: str
    summary: dict[str, Any] | None = None
    error: str = ""
    experiment: str | None = None


@dataclass
class Session:
    """The runs of one command.

    Attributes:
        swept: names of the settings that a sweep varies.
        signals: that end it.
        several: it is a sweep.
        own: the user's folder of choices beside conf/, or None.
        place: folder of a sweep, or None.
        outcomes: one per run, in order.
    """

    swept: set[str]
    signals: Signals
    several: bool = False
    own: Path | None = None
    place: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, config: DictConfig) -> None:
        """Train one combination; in a sweep a failure does not keep the others from running.

        Raises:
            KeyboardInterrupt: a signal came; the run is saved where it had begun.
        """
        self.signals.check()
        from sr.verbs.train.place import SweptRun, run_name
        from sr.verbs.train.run import train

        choices = HydraConfig.get()
        sweep = choices.mode == RunMode.MULTIRUN
        overrides = list(choices.overrides.task)
        chosen = named_choices(overrides, choices.runtime.choices)
        config.experiment = chosen.get("experiment")
        varied = [o for o in overrides if o.split("=")[0].lstrip("+") in self.swept]
        outcome = Outcome(",".join(varied) if sweep else chosen["model"], experiment=config.experiment)
        self.outcomes.append(outcome)
        swept = None
        if sweep:
            exact = bool(self.swept & {"trainer.max_updates", "trainer.max_time", "trainer.default_time"})
            swept = SweptRun(self.place, run_name(choices.job.num, varied), exact)
            print(f"\n=== run {len(self.outcomes)}: {printable(outcome.name)} ===", flush=True)
        try:
            outcome.summary = train(config, self._command(overrides, chosen), swept, self.signals, self.own)
        except UserError as error:
            _check_raised(self.signals)
            outcome.error = str(error)
            _print_error(error)
        except Exception as error:
            _check_raised(self.signals)
            if not sweep:
                raise
            outcome.error = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        if sweep:
            self.signals.check()

    def _command(self, overrides: list[str], chosen: dict[str, str]) -> Command:
        own = [] if self.own is None else ["--config-dir", str(self.own)]
        known = [one for one in overrides if one.split("=")[0] not in ("resume", "run_dir")]
        sweep = None if self.place is None else self.place.name
        return Command(training(*own, *known), overrides, chosen, sweep)


def main(signals: Signals) -> int:
    """Run `train.py`; the result is the exit code.

    Args:
        signals: that end it.

    Raises:
        KeyboardInterrupt: a signal came before there was anything to save.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text at all
        sys.stdout.reconfigure(errors="backslashreplace")
    see_current_folder()
    try:
        typed = split_arguments(sys.argv[1:])
        overrides = typed.overrides if typed.only_shows else _completed(typed)
    except UserError as error:
        _check_raised(signals)
        _print_error(error)
        return USER_ERROR
    several = typed.several and not typed.only_shows
    taken = deferred(conf_folders(typed.own), overrides) if several else overrides
    sys.argv[1:] = [*typed.flags, *taken]  # Hydra's parser wants its flags before the overrides
    register_schema()
    session = Session(swept_keys(overrides), signals, several, typed.own)
    try:
        return _sweep(session, typed, overrides) if several else _run(session)
    except UserError as error:
        _check_raised(signals)
        _print_error(error)
        return USER_ERROR


def _check_raised(signals: Signals) -> None:
    """An error may be what something has made of the signal's KeyboardInterrupt.

    Raises:
        KeyboardInterrupt: there was one.
    """
    if signals.raised:
        raise KeyboardInterrupt


def _run(session: Session) -> int:
    """Let Hydra compose the configuration of each run and train it."""
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(session.run)()
    except KeyboardInterrupt:
        if not any(outcome.summary or outcome.error for outcome in session.outcomes):
            raise
    return _finish(session)


def _completed(typed: Arguments) -> list[str]:
    """The overrides, checked, as Hydra takes them: those of a run that goes on, and those of classes of the user's.

    Raises:
        UserError: a line per fault.
    """
    folders = conf_folders(typed.own)
    told = [wait_passively_if_busy()]  # before a class of the user's imports torch
    written = listed(folders, typed.overrides) if typed.several else typed.overrides
    overrides, left_out = as_hydra_takes(folders, written)
    overrides = parents_first(folders, overrides) if typed.several else overrides
    faults = [] if typed.several else [*sweep_faults(folders, overrides)]
    if faults:
        raise UserError(*faults)
    for line in (*told, *left_out):
        if line is not None:
            print(line, flush=True)
    return overrides


def _sweep(session: Session, typed: Arguments, overrides: list[str]) -> int:
    """The runs of a sweep, in a folder that is this process's alone.

    Raises:
        UserError: the folder holds other runs, or is in use.
    """
    from sr.verbs.train.place import sweep_place

    config = first_run(conf_folders(typed.own), overrides)
    own = "run_dir" in session.swept or config.resume not in (None, "auto")  # each run has a folder given
    place = given(overrides, "hydra.sweep.dir") if config.run_dir is None else str(config.run_dir)
    with nullcontext() if own else sweep_place(config, place) as folder:
        session.place = folder
        sys.argv[1:] += [] if folder is None else [setting("hydra.sweep.dir", folder)]
        code = _run(session)
    if session.signals.received is not None and folder is not None:
        known = [override for override in typed.overrides if override.split("=")[0] not in ("resume", "run_dir")]
        again = [*typed.flags, *known, "resume=auto", setting("run_dir", folder)]
        print(f"go on with the sweep: {training(*again)}")
    return code


def _finish(session: Session) -> int:
    if len(session.outcomes) > 1:
        from sr.verbs.screen.tables import print_sweep

        print_sweep([(o.name, o.summary, o.error) for o in session.outcomes])
    experiments = [outcome.experiment for outcome in session.outcomes if outcome.experiment is not None]
    if session.place is not None and session.signals.received is None and len(experiments) > 1:
        from sr.verbs.log.log import show_verdicts

        show_verdicts(session.place, experiments)
    if not session.several and any(outcome.error for outcome in session.outcomes):
        return USER_ERROR  # also after a signal: the run did not end as that asked for
    interrupted = any(o.summary and o.summary["exit_reason"] == "interrupted" for o in session.outcomes)
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # which says how the run ended
    if first and (interrupted or session.signals.received is not None):
        return session.signals.exit_code
    return USER_ERROR if any(outcome.error for outcome in session.outcomes) else 0


def _print_error(error: UserError) -> None:
    process = os.environ.get("LOCAL_RANK", "0")  # of several that train together
    where = "" if process == "0" else f"process {process}: "
    print_error(error, where)
