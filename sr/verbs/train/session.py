"""What `train.py` runs: check the command line, let Hydra compose, train once or once per combination."""

import io
import os
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sr.config.folder import CONF
from sr.config.overrides import joint_start, override_faults, with_run_settings, with_targets
from sr.config.parsed import sweep_faults, swept_keys
from sr.config.schema import register_schema
from sr.errors import USER_ERROR, UserError
from sr.verbs.current_folder import see_current_folder
from sr.verbs.train.arguments import Arguments, split_arguments
from sr.verbs.train.threads import wait_passively_if_busy

INTERRUPTED = 130
"""Exit code of a run that was interrupted and saved."""


@dataclass
class Outcome:
    """How one run of a sweep ended.

    Attributes:
        name: the overrides that tell it apart.
        summary: what the run wrote, or None where it failed.
        error: one sentence, where it failed.
    """

    name: str
    summary: dict[str, Any] | None = None
    error: str = ""


@dataclass
class Session:
    """The runs of one command.

    Attributes:
        swept: names of the settings that a sweep varies.
        own: the user's folder of choices beside conf/, or None.
        outcomes: one per run, in order.
    """

    swept: set[str]
    own: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, config: DictConfig) -> None:
        """Train one combination; in a sweep a failure does not keep the others from running."""
        from sr.verbs.train.run import train

        choices = HydraConfig.get()
        sweep = choices.mode == RunMode.MULTIRUN
        overrides, model = list(choices.overrides.task), str(choices.runtime.choices["model"])
        name = ",".join(o for o in overrides if o.split("=")[0].lstrip("+") in self.swept) if sweep else model
        outcome = Outcome(name)
        self.outcomes.append(outcome)
        folder = Path(choices.sweep.dir) / f"{choices.job.num}_{name.replace('/', '_')}" if sweep else None
        if sweep:
            print(f"\n=== run {len(self.outcomes)}: {name} ===", flush=True)
        try:
            outcome.summary = train(config, overrides, model, folder, self.own)
        except UserError as error:
            outcome.error = str(error)
            _print_error(error)
        except Exception as error:
            if not sweep:
                raise
            outcome.error = f"{type(error).__name__}: {error}"
            traceback.print_exc()


def main() -> int:
    """Run `train.py`; the result is the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text at all
        sys.stdout.reconfigure(errors="backslashreplace")
    see_current_folder()
    try:
        typed = split_arguments(sys.argv[1:])
        overrides = typed.overrides if typed.only_shows else _completed(typed)
    except UserError as error:
        _print_error(error)
        return USER_ERROR
    sys.argv[1:] = [*typed.flags, *overrides]  # Hydra's parser wants its flags before the overrides
    register_schema()
    session = Session(swept_keys(overrides), typed.own)
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(session.run)()
    except KeyboardInterrupt:
        print("interrupted; a picture store that was being built goes on where it stopped", file=sys.stderr)
        return INTERRUPTED
    return _finish(session)


def _completed(typed: Arguments) -> list[str]:
    """The overrides, checked, as Hydra takes them: those of a run that goes on, and those of classes of the user's.

    Raises:
        UserError: a line per fault.
    """
    folders = [CONF] if typed.own is None else [CONF, typed.own]
    told = [wait_passively_if_busy()]  # before a class of the user's imports torch
    overrides, left_out = with_targets(folders, with_run_settings(folders, joint_start(typed.overrides)))
    faults = override_faults(folders, overrides)
    if not faults and not typed.several:
        faults = [*sweep_faults(overrides)]
    if faults:
        raise UserError("\n".join(faults))
    for line in (*told, *left_out):
        if line is not None:
            print(line, flush=True)
    return overrides


def _finish(session: Session) -> int:
    if len(session.outcomes) > 1:
        from sr.verbs.screen.tables import print_sweep

        print_sweep([(o.name, o.summary, o.error) for o in session.outcomes])
    if any(outcome.error for outcome in session.outcomes):
        return USER_ERROR
    interrupted = any(o.summary and o.summary["exit_reason"] == "interrupted" for o in session.outcomes)
    return INTERRUPTED if interrupted else 0


def _print_error(error: UserError) -> None:
    process = os.environ.get("LOCAL_RANK", "0")  # of several that train together
    where = "" if process == "0" else f"process {process}: "
    for line in str(error).splitlines():
        print(f"error: {where}{line}", file=sys.stderr, flush=True)
