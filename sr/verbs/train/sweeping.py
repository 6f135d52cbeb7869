"""`train.py -m`: the runs of a sweep, in a folder that is this process's alone, and what ends it."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sr.config.folder import conf_folders
from sr.config.overrides import first_run
from sr.config.parsed import given, key_of, parsed_overrides, swept_keys
from sr.config.sweeps import deferred
from sr.errors import USER_ERROR, UserError
from sr.experiments.table import Row
from sr.pasted import setting, training
from sr.printable import printable
from sr.training.columns import gain, metric_of
from sr.training.keeping.loggers.uploading import upload_line
from sr.training.signals import Signals
from sr.verbs.screen.runs import over, print_runs
from sr.verbs.screen.tables import console_for_tables, number, say
from sr.verbs.train.arguments import Arguments
from sr.verbs.train.launching import SWEEPERS, launcher_of, stop_children
from sr.verbs.train.searching import best_of, probes, space_of
from sr.verbs.train.sweep import FREE, Sweep, check_each, check_jobs, sweep_in
from sr.verbs.train.sweep_record import FILE, GRID, PLACE, STORAGE, SweepRecord, jobs_of, read_record, what_it_is
from sr.verbs.train.task import STOP, Task, hydra_runs

_LIMITS = {"trainer.max_updates", "trainer.max_time", "trainer.default_time"}
REPORT = "report"
"""Folder of the page, in that of the sweep."""
_NEVER = ("trust", "run_dir", "resume", "")
"""Not in what is kept of a command line; somebody has written it there."""
_SAVING = "the runs end after their update, and save; once more ends this program at once"


def of_sweep(typed: Arguments) -> tuple[Arguments, bool]:
    """What ``resume=SWEEP`` stands for: the command that made the sweep.

    Args:
        typed: on the command line.

    Returns:
        What to do, and whether it is from a sweep's file, which may be a stranger's.

    Raises:
        UserError: the sweep would become another one.
    """
    place = next((o.value() for o in parsed_overrides(typed.overrides)[0] if o.key_or_group == "resume"), None)
    record = read_record(Path(place)) if isinstance(place, str) and place else None
    if record is None or not isinstance(place, str):
        _check_undamaged(place)
        return typed, False
    if "trust=true" not in typed.overrides:
        _check_harmless(record, Path(place) / FILE, typed.own is not None)
    others = [one for one in typed.overrides if key_of(one) not in PLACE]
    _check_the_same(record, place, typed.overrides, others)
    limits = what_it_is(others)
    own = [one for one in record.typed if key_of(one) not in set(map(key_of, limits))]
    kept = [one for one in typed.overrides if key_of(one) not in ("resume", "run_dir")]
    auto = ["resume=auto"] if limits else []
    if record.sweeper in SWEEPERS and record.sweeper != GRID:
        search = [f"hydra/sweeper={record.sweeper}", *record.search]
        auto += [one for one in search if key_of(one) not in set(map(key_of, others))]
    overrides = [*own, *kept, *auto, setting("run_dir", str(place))]
    folder = None if record.own is None else Path(record.own)
    flags = [*typed.flags, *([] if typed.several else ["-m"])]
    flags += ["--config-dir", str(folder)] if folder is not None and typed.own is None else []
    return Arguments(flags, overrides, typed.own or folder), True


def _check_undamaged(place: Any) -> None:
    """Refuse the folder of a sweep whose record cannot be read.

    Raises:
        UserError: it is one.
    """
    if isinstance(place, str) and (Path(place) / FILE).exists():
        raise UserError(
            f"{printable(Path(place) / FILE)} is damaged; the command that made the sweep, with resume=auto "
            f"{setting('run_dir', place)}, goes on with its runs when that file is deleted"
        )


def _check_the_same(record: SweepRecord, place: str, typed: list[str], others: list[str]) -> None:
    """Refuse what would make another sweep of it; how long its runs are is free.

    Raises:
        UserError: something would.
    """
    swept = {key_of(one) for job in record.jobs for one in job.varied}  # whose values tell the runs apart
    free = set(FREE) - swept if record.sweeper == GRID else set[str]()  # what a search compares must be alike
    several = swept_keys(others)
    changed = [one for one in what_it_is(others) if key_of(one) not in free or key_of(one) in several]
    changed += [one for one in typed if key_of(one) == "run_dir"]
    if changed:
        raise UserError(
            f"resume={place} goes on with that sweep, and {printable(changed[0])} would make another; leave it out, "
            "or start the other by -m with a run_dir of its own"
        )


def _check_harmless(record: SweepRecord, source: Path, own: bool) -> None:
    """Refuse what a stranger's file may not ask for: modules, the environment, another folder's choices.

    Raises:
        UserError: it does.
    """
    asked = [*record.typed, *(one for job in record.jobs for one in job.overrides)]
    asking = next((one for one in asked if "_target_" in one or "${" in one), None)
    keys = {one: key_of(one) for one in record.typed}
    asking = asking or next((one for one, key in keys.items() if key in _NEVER or key.startswith("hydra")), None)
    if asking is None and record.own is not None and not own:
        asking = f"--config-dir {record.own}"
    if asking is not None:
        raise UserError(
            f"{printable(source)} asks for {printable(asking)[:200]}, which is not taken from a file; if you know who "
            "wrote it, add trust=true"
        )


def sweep(typed: Arguments, overrides: list[str], levels: dict[str, int], stranger: bool, signals: Signals) -> int:
    """Make the runs that are not there, and sum up; the result is the exit code.

    Args:
        typed: on the command line.
        overrides: the same, checked and completed for Hydra.
        levels: of experiments that start from each other.
        stranger: the overrides come from a sweep's file.
        signals: that end it.

    Raises:
        UserError: the folder holds something else, or is in use; or every run has a fault.
    """
    launcher = launcher_of(overrides)
    folders, swept = conf_folders(typed.own), swept_keys(overrides)
    config = first_run(folders, overrides)
    jobs = jobs_of(overrides, swept, levels) if launcher.sweeper == GRID else ()
    first: Any = json.loads(json.dumps(OmegaConf.to_container(config, resolve=False), default=str))
    own = None if typed.own is None else str(typed.own)
    search = tuple(one for one in typed.overrides if one.startswith("hydra.sweeper."))
    planned = len(jobs) or launcher.trials
    wanted = SweepRecord(what_it_is(overrides), own, first, jobs, planned, launcher.sweeper, search)
    place = given(overrides, "hydra.sweep.dir") if "run_dir" in swept or config.run_dir is None else str(config.run_dir)
    tell = partial(say, console_for_tables())
    with sweep_in(wanted, place, config, config.resume == "auto", tell) as made:
        check_jobs(made, typed.own, config.trust, stranger, tell)
        if launcher.sweeper != GRID:
            check_each(probes(space_of(overrides)), typed.own)
        task = Task(typed.own, bool(swept & _LIMITS), signals if launcher.in_sequence else None)
        taken = deferred(folders, [one for one in overrides if not one.startswith("run_dir=")])
        sys.argv[1:] = [*typed.flags, *taken, setting("hydra.sweep.dir", made.folder)]
        broken = _launched(task, made, signals)
        made = replace(made, record=read_record(made.folder) or made.record)
        return _ended(made, typed, broken, config.report, signals)


def _launched(task: Task, made: Sweep, signals: Signals) -> str:
    """Run Hydra; what its launcher could not do, in one sentence, or nothing."""

    def stop(number: int) -> None:
        with suppress(OSError):
            (made.folder / STOP).touch()
        stop_children(number)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra ends this program where its launcher fails
    try:
        if task.signals is not None:
            hydra_runs(task)
        else:
            with signals.heard(_SAVING, stop):
                hydra_runs(task)
    except KeyboardInterrupt:
        return ""
    except UserError:
        raise
    except Exception as error:  # a launcher's own: a killed worker, a cluster that is not there
        return f"{type(error).__name__}: {error}"
    return ""


def _ended(made: Sweep, typed: Arguments, broken: str, report: bool, signals: Signals) -> int:
    rows = [(job, made.row(job)) for job in made.record.jobs]
    labelled = [(printable(",".join(job.varied)) or job.name, row) for job, row in rows]
    print_runs(labelled, f"sweep: best network of each run, gain over {over(row for _, row in rows)}")
    stopped = signals.received is not None
    states = [None if row is None else row.state for _, row in rows]
    if broken:
        print(f"the launcher ended early: {printable(broken)[:500]}")
    if stopped or not {None, "interrupted", "cut off"}.isdisjoint(states):
        launched = [one for one in typed.overrides if one.startswith(("hydra/launcher=", "hydra.launcher."))]
        again = [setting("resume", made.folder), *launched, *(["trust=true"] if _needs_trust(made.record) else [])]
        print(f"go on with the sweep: {training(*again)}")
    upload = upload_line([row.folder for _, row in rows if row is not None])
    if upload is not None:
        print(f"upload all runs to W&B later with: {upload}")
    if (made.folder / STORAGE).exists():
        _tell_best(made)
    if report and any(row is not None and row.final for _, row in rows):
        _report(made, [row.folder for _, row in rows if row is not None])
    if not stopped:
        _verdicts(made, [row for _, row in rows if row is not None])
    if stopped or "interrupted" in states:  # by a second signal, or that of its own process
        return signals.exit_code
    return 0 if not broken and set(states) <= {"finished", "pruned"} else USER_ERROR


def _needs_trust(record: SweepRecord) -> bool:
    try:
        _check_harmless(record, Path(FILE), own=False)
    except UserError:
        return True
    return False


def _tell_best(made: Sweep) -> None:
    """The values that a search found best, to be pasted."""
    best = best_of(made)
    if best is not None:
        job, value = best
        row = made.row(job)
        monitor = str(((None if row is None else row.run.summary) or {}).get("monitor"))
        reached = number(metric_of(monitor), gain(monitor, value))
        print(f"best of {len(made.record.jobs)} runs: {job.name}, {monitor} {reached}")
        print(f"train with its values: {training(*job.overrides)}")


def _report(made: Sweep, folders: list[Path]) -> None:
    """The page that compares the runs; what keeps it from being written costs no run."""
    from sr.verbs.report import report

    try:
        inside = all(folder.is_relative_to(made.folder) for folder in folders)
        report([made.folder] if inside else folders, made.folder / REPORT, None, "none")
    except UserError as error:
        print(f"the page that compares the runs was not written: {printable(error)}")


def _verdicts(made: Sweep, rows: list[Row]) -> None:
    """On what the log claims of the experiments that were in it."""
    experiments = [row.run.experiment for row in rows if row.run.experiment is not None]
    if len(experiments) > 1:
        from sr.verbs.log.log import show_verdicts

        show_verdicts(made.folder, experiments)
