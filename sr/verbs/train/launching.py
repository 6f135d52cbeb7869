"""Launch the runs of a sweep: one after the other, several processes on this machine, or jobs of a cluster."""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from sr.config.nearest import did_you_mean
from sr.config.parsed import is_hydra, parsed_overrides, values_of
from sr.errors import UserError
from sr.pasted import extra_command, setting
from sr.training.machine import cores
from sr.verbs.train.sweep import Sweep
from sr.verbs.train.sweep_record import GRID, SweptJob, read_record

IN_SEQUENCE = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
LAUNCHERS = {
    "basic": ("", "", ""),
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "joblib", "hydra-joblib-launcher"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "slurm", "hydra-submitit-launcher"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "slurm", "hydra-submitit-launcher"),
    "ray": ("hydra_plugins.hydra_ray_launcher", "ray", "hydra-ray-launcher"),
}
"""Module, extra and package of each launcher that is known to work."""
SWEEPERS = {GRID: ("", "", ""), "optuna": ("optuna", "optuna", "optuna")}
_LARGEST = 10**6
TRIALS = 20
"""Runs of a search, as hydra_plugins/sr_sweepers.py has it."""
_ELSEWHERE = "SlurmLauncher"
"""Its jobs have machines of their own."""


@dataclass(frozen=True)
class Launching:
    """How the runs of a sweep are chosen and launched.

    Attributes:
        sweeper: grid, or a search.
        launcher: Hydra's name of it.
        trials: runs of a search.
    """

    sweeper: str
    launcher: str
    trials: int

    @property
    def in_sequence(self) -> bool:
        """One after the other, in this process."""
        return self.launcher == "basic"


def launcher_of(overrides: Sequence[str]) -> Launching:
    """How a command line asks its runs to be chosen and launched.

    Args:
        overrides: without faults.

    Raises:
        UserError: there is no such launcher or sweeper, or its package is missing.
    """
    chosen = {str(o.key_or_group): values_of(o)[0] for o in parsed_overrides(overrides)[0] if is_hydra(o)}
    sweeper, launcher = str(chosen.get("hydra/sweeper", GRID)), str(chosen.get("hydra/launcher", "basic"))
    for kind, name, known in (("sweeper", sweeper, SWEEPERS), ("launcher", launcher, LAUNCHERS)):
        if name not in known:
            raise UserError(f"hydra/{kind}={name}: there is no such {kind}{_near(name, known)}")
        module, extra, package = known[name]
        if module and find_spec(module) is None:
            raise UserError(
                f"hydra/{kind}={name} needs a package that is not installed: {extra_command(extra, package)}"
            )
    for name, least in (("trials", 1), ("together", 1), ("seed", 0)):
        value = chosen.get(f"hydra.sweeper.{name}", least)
        if type(value) is not int or not least <= value <= _LARGEST:
            raise UserError(f"hydra.sweeper.{name}={value} must be a whole number of at least {least}")
    prune = chosen.get("hydra.sweeper.prune", True)
    if type(prune) is not bool:
        raise UserError(f"hydra.sweeper.prune={prune} must be true or false")
    return Launching(sweeper, launcher, int(chosen.get("hydra.sweeper.trials", TRIALS)))


def _near(name: str, known: Collection[str]) -> str:
    alike = [one for one in known if one.startswith(name)]
    return f"; did you mean {' or '.join(alike)}?" if alike else did_you_mean(name, known)


def launch_pending(launcher: Launcher, config: DictConfig) -> None:
    """Launch the runs that are neither there nor given up; those that start from others after these.

    Args:
        launcher: of Hydra, which composes each run's configuration anew.
        config: of the sweep.
    """
    folder = Path(config.hydra.sweep.dir)
    record = read_record(folder)
    pending = [] if record is None else Sweep(folder, record).pending()
    divide_cores(config.hydra.launcher, len(pending))
    if pending and not in_this_process(config.hydra.launcher):
        print(f"{len(pending)} runs are launched; what each prints is in {folder / 'NAME.txt'}", flush=True)
    for _, jobs in groupby(sorted(pending, key=lambda job: job.level), key=lambda job: job.level):
        launcher.launch([overrides_of(job) for job in jobs], initial_job_idx=0)


def overrides_of(job: SweptJob) -> list[str]:
    """What a launcher is told of a run: its overrides, and the name by which it finds its folder."""
    return [*job.overrides, setting("hydra.job.name", job.name)]


def in_this_process(launcher: Any) -> bool:
    """Whether the runs are trained here, one after the other.

    Args:
        launcher: its configuration.
    """
    return str(launcher.get("_target_")) == IN_SEQUENCE


def divide_cores(launcher: Any, runs: int) -> None:
    """Give each of the processes that train side by side its share of the cores, unless the user has.

    Threads that spin while they wait would otherwise hold the cores that the others need.

    Args:
        launcher: its configuration.
        runs: to launch.
    """
    if in_this_process(launcher) or str(launcher.get("_target_")).endswith(_ELSEWHERE):
        return
    asked = launcher.get("n_jobs", -1) or 1
    together = min(max(1, asked if asked > 0 else cores() + 1 + asked), max(1, runs))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // together)))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def stop_children(number: int) -> None:
    """Pass a signal on to the processes that train: each saves and ends.

    Args:
        number: of the signal.
    """
    import psutil

    children: Sequence[psutil.Process] = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.Error):  # gone, or of somebody else
            child.send_signal(number)
