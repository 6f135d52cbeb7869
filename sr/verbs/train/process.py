"""What a process does for one run: it finds the run's folder, and trains in it, alone or beside others."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from sr.config.checks import checked
from sr.devices import out_of_memory
from sr.pasted import training
from sr.training.keeping.command import Command
from sr.training.keeping.run_folder import RunFolder
from sr.training.processes import rank
from sr.training.signals import Signals
from sr.types import UserError
from sr.verbs.screen.tables import console_for_tables, print_finished, say
from sr.verbs.train.beginning import beginning
from sr.verbs.train.place import SweptRun, placed
from sr.verbs.train.preflight import check_devices, check_given
from sr.verbs.train.resume import Resumed, read_resumed
from sr.verbs.train.run import FOLDER, RESUMED, Run


def train(
    composed: DictConfig,
    command: Command,
    swept: SweptRun | None,
    signals: Signals,
    own: Path | None = None,
) -> dict[str, Any]:
    """Train one combination.

    Args:
        composed: the configuration as Hydra composed it.
        command: that was typed for this run.
        swept: the run's part of a sweep, or None.
        signals: that end it.
        own: the user's folder of choices beside conf/, or None.

    Returns:
        The run's summary.

    Raises:
        UserError: a mistake in the configuration or the data, a folder in use, or a disk that is full.
    """
    console = console_for_tables(quiet=rank() > 0)
    config: Any = checked(composed, with_targets=composed.resume in (None, "auto"), own=own)
    check_given(config, ("run_dir", "resume"))
    if rank() > 0:
        return _beside_the_first(config, command, console, signals, own)
    with placed(config, command, swept, partial(say, console)) as place:
        if place.finished is not None:
            plain: Any = OmegaConf.to_container(config, resolve=False)
            print_finished(console, place.finished, place.folder, plain)
            return place.finished
        config = config if place.resumed is None else checked(place.resumed.config, own=own)
        check_devices(config.trainer, swept is not None)
        return _fitted(config, place.folder, command, console, place.resumed, signals, own)


def _beside_the_first(
    config: Any, command: Command, console: Console, signals: Signals, own: Path | None
) -> dict[str, Any]:
    """What the other processes of a run do: they train in the folder that the first one holds.

    Raises:
        UserError: the first process was not started by this program.
    """
    if FOLDER not in os.environ:
        raise UserError(
            f"LOCAL_RANK={rank()} says that another program starts the processes; start one yourself, as in "
            f"`{training('trainer=ddp')}`: it starts the others"
        )
    folder = RunFolder(Path(os.environ[FOLDER]))
    config.resume = os.environ[RESUMED] or None
    resumed = None if config.resume is None else read_resumed(folder, config, command.overrides)
    config = config if resumed is None else checked(resumed.config, own=own)
    return _fitted(config, folder, command, console, resumed, signals, own)


def _fitted(
    config: Any,
    folder: RunFolder,
    command: Command,
    console: Console,
    resumed: Resumed | None,
    signals: Signals,
    own: Path | None,
) -> dict[str, Any]:
    start = None if resumed else beginning(config, folder, command.overrides, own, partial(say, console))
    run = Run(config, folder, command, console, resumed, start, signals)
    try:
        return run.fit()
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(_no_memory(run.config)) from error


def _no_memory(config: Any) -> str:
    return (
        f"a batch of {config.data.batch_size} crops of {config.data.crop}x{config.data.crop} does not fit into "
        "memory; lower data.batch_size or data.crop, and keep the batch with trainer.accumulate=N"
    )
