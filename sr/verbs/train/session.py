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
from sr.config.overrides import joint_start, override_faults, with_run_settings
from sr.config.parsed import sweep_faults, swept_keys
from sr.config.schema import register_schema
from sr.errors import USER_ERROR, UserError
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
        outcomes: one per run, in order.
    """

    swept: set[str]
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
            outcome.summary = train(config, overrides, model, folder)
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
    arguments = joint_start(sorted(sys.argv[1:], key=lambda argument: argument not in ("-m", "--multirun")))
    only_shows = any(argument in ("-h", "--help", "--hydra-help", "--version", "--info") for argument in arguments)
    if not only_shows:
        arguments = _completed(arguments)
    sys.argv[1:] = arguments  # Hydra's parser wants its flags before the overrides
    overrides = [argument for argument in arguments if not argument.startswith("-")]
    faults = [] if only_shows else override_faults(CONF, overrides)
    if not only_shows and not faults and not {"-m", "--multirun"} & set(arguments):
        faults = [*sweep_faults(overrides)]
    if faults:
        _print_error(UserError("\n".join(faults)))
        return USER_ERROR
    register_schema()
    told = None if only_shows else wait_passively_if_busy()
    if told is not None:
        print(told, flush=True)
    session = Session(swept_keys(overrides))
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(session.run)()
    except KeyboardInterrupt:
        print("interrupted; a picture store that was being built goes on where it stopped", file=sys.stderr)
        return INTERRUPTED
    return _finish(session)


def _completed(arguments: list[str]) -> list[str]:
    """With ``resume=DIR``: settings that only that run has are written so that Hydra takes them."""
    written = iter(with_run_settings(CONF, [argument for argument in arguments if not argument.startswith("-")]))
    return [argument if argument.startswith("-") else next(written) for argument in arguments]


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
