"""What `train.py` runs: check the command line, let Hydra compose, train once or once per combination."""

import io
import os
import sys

from sr.config.folder import conf_folders
from sr.config.overrides import as_hydra_takes, asks_hydra
from sr.config.sweeps import check_values, listed, parents_first, sweep_faults
from sr.errors import USER_ERROR, UserError
from sr.training.signals import Signals
from sr.verbs.current_folder import see_current_folder
from sr.verbs.screen.errors import print_own_error
from sr.verbs.train.arguments import Arguments, split_arguments
from sr.verbs.train.sweeping import of_sweep, sweep
from sr.verbs.train.task import Task, hydra_runs
from sr.verbs.train.threads import wait_passively_if_busy


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
        if typed.only_shows:
            return _shown(typed)
        return _trained(*of_sweep(typed), signals)
    except UserError as error:
        if signals.raised:  # the error is what something has made of the signal's KeyboardInterrupt
            raise KeyboardInterrupt from None
        print_own_error(error)
        return USER_ERROR


def _shown(typed: Arguments) -> int:
    """``--help``, ``--info`` and the like are Hydra's.

    Raises:
        UserError: a line per fault of the overrides.
    """
    as_hydra_takes(conf_folders(typed.own), typed.overrides)
    sys.argv[1:] = [*typed.flags, *typed.overrides]
    hydra_runs(Task(typed.own))
    return 0


def _completed(typed: Arguments) -> tuple[list[str], dict[str, int]]:
    """The overrides, checked, as Hydra takes them: those of a run that goes on, and those of classes of the user's.

    Returns:
        The overrides, and the levels of experiments that start from each other.

    Raises:
        UserError: a line per fault.
    """
    folders = conf_folders(typed.own)
    told = [wait_passively_if_busy()]  # before a class of the user's imports torch
    check_values(typed.overrides)
    written = listed(folders, typed.overrides) if typed.several else typed.overrides
    overrides, left_out = as_hydra_takes(folders, written)
    levels = dict[str, int]()
    if typed.several:
        overrides, levels = parents_first(folders, overrides)
    elif faults := [*sweep_faults(folders, overrides)]:
        raise UserError(*faults)
    for line in (*told, *left_out):
        if line is not None:
            print(line, flush=True)
    return overrides, levels


def _trained(typed: Arguments, stranger: bool, signals: Signals) -> int:
    overrides, levels = _completed(typed)
    return sweep(typed, overrides, levels, stranger, signals) if typed.several else _single(typed, overrides, signals)


def _single(typed: Arguments, overrides: list[str], signals: Signals) -> int:
    sys.argv[1:] = [*typed.flags, *overrides]  # Hydra's parser wants its flags before the overrides
    task = Task(typed.own, signals=signals)
    try:
        if typed.flags_of_hydra or asks_hydra(conf_folders(typed.own), overrides):
            hydra_runs(task)
        else:
            task.alone(overrides)
    except KeyboardInterrupt:
        if task.summary is None and not task.failed:
            raise
    if task.failed:
        return USER_ERROR  # also after a signal: the run did not end as that asked for
    interrupted = signals.received is not None or (task.summary or {}).get("exit_reason") == "interrupted"
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # which says how the run ended
    return signals.exit_code if first and interrupted else 0
