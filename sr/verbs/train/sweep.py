"""The folder of a sweep: found again by the same command, refused to another one; which of its runs are to be made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sr.config.checks import checked
from sr.config.compose_faults import composed_or_fault
from sr.config.experiments import named_choices
from sr.config.folder import conf_folders
from sr.config.stored import opened
from sr.errors import UserError
from sr.experiments.failure import FILE as FAILURE
from sr.experiments.failure import read_failure, write_failure
from sr.locks import in_use
from sr.printable import printable
from sr.training.keeping.claim import LOCK, claimed
from sr.training.keeping.run_folder import ENDED, EXPLODED, FINISHED, PRUNED, RunFolder
from sr.verbs.train.place import check_shown, of_another, runs_below
from sr.verbs.train.resume import changes, is_run_of
from sr.verbs.train.sweep_record import FILE, STORAGE, SweepRecord, SweptJob, read_record, unlike, write_record
from sr.verbs.train.task import STOP

FREE = ("trainer.max_updates", "trainer.max_time", "trainer.default_time", "logger")
"""What ``resume=auto`` may change about a sweep: when its runs end, and what watches them."""


@dataclass(frozen=True)
class Sweep:
    """A sweep in its folder.

    Attributes:
        folder: this process's alone.
        record: what it is.
    """

    folder: Path
    record: SweepRecord

    def run_folder(self, job: SweptJob) -> Path:
        """Where a run lies: in the sweep's folder, or where it says itself."""
        return given_folder(job) or self.folder / job.name

    def pending(self) -> list[SweptJob]:
        """Runs to launch: all but those that came to their end, exploded, or were given up in this sitting.

        With ``resume=auto`` a run that has ended may have a longer way to go; it says itself whether it has.
        """
        return [job for job in self.record.jobs if not self._settled(job)]

    def there(self) -> int:
        """How many have come to their end."""
        return sum(_reason(self.run_folder(job)) in ENDED for job in self.record.jobs)

    def _settled(self, job: SweptJob) -> bool:
        folder = self.run_folder(job)
        reason = _reason(folder)
        if read_failure(folder) or reason in (EXPLODED, PRUNED):
            return True
        return reason in FINISHED and RunFolder(folder).last.exists() and "resume=auto" not in job.overrides


def given_folder(job: SweptJob) -> Path | None:
    """The folder that a run of a sweep names itself, by ``run_dir`` or ``resume``; None where it does not."""
    for override in job.overrides:
        key, _, value = override.partition("=")
        if key in ("run_dir", "resume") and value not in ("auto", "null"):
            return Path(value.strip("'\""))
    return None


def _reason(folder: Path) -> str | None:
    summary = RunFolder(folder).read_summary()
    return None if summary is None else str(summary["exit_reason"])


@contextmanager
def sweep_in(
    wanted: SweepRecord, place: str | None, config: Any, auto: bool, say: Callable[[str], None]
) -> Iterator[Sweep]:
    """The folder of a whole sweep, locked for this process, with the record of what it is.

    Args:
        wanted: the sweep of this command line.
        place: what ``run_dir`` or Hydra's own setting names; None for the unfinished sweep of the same command below
            ``outputs/``, or a new folder there.
        config: of the first run.
        auto: ``resume=auto`` was typed: the limits may be others than before.
        say: told what is found.

    Raises:
        UserError: it holds another sweep, or other runs; it is in use, or cannot be shown.
    """
    check_shown(place)
    found = _unfinished(wanted) if place is None else None
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    path = found or (Path("outputs") / f"{now}_sweep" if place is None else Path(place))
    anew = place is None and found is None
    with claimed(path, "" if place is None else "run_dir=", anew, config.trust) as folder:
        before = _of(folder, wanted, auto)
        sweep = Sweep(folder, wanted if before is None else replace(wanted, jobs=wanted.jobs or before.jobs))
        _prepare(sweep, say, before is not None)
        try:
            yield sweep
        finally:
            _leave(replace(sweep, record=read_record(folder) or sweep.record))


def _of(folder: Path, wanted: SweepRecord, auto: bool) -> SweepRecord | None:
    """The record of the same sweep in a folder; None where it holds none.

    Raises:
        UserError: it holds something else.
    """
    before = read_record(folder)
    if before is not None:
        other = unlike(_loosely(before), _loosely(wanted)) if auto else unlike(before, wanted)
        other = other or ("" if auto else changes(before.first, wanted.first))
        if other:
            raise UserError(f"run_dir={folder} holds another sweep: {other}; choose another run_dir")
        return before
    if RunFolder(folder).holds_run:
        raise UserError(f"run_dir={folder} holds a single run; choose another run_dir for a sweep")
    runs = runs_below(folder)
    if runs and not auto:
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        raise UserError(
            f"run_dir={folder} already holds runs ({runs[0]}{more}) of no recorded sweep; resume=auto goes on "
            "with those of the same configuration, or choose another run_dir"
        )
    return None


def _loosely(record: SweepRecord) -> SweepRecord:
    return replace(record, typed=tuple(one for one in record.typed if one.split("=")[0].lstrip("+") not in FREE))


def _unfinished(wanted: SweepRecord) -> Path | None:
    """The newest sweep of the same command below ``outputs/`` that has not ended, and that nobody goes on with."""
    folders = sorted((path.parent for path in Path("outputs").glob(f"*/{FILE}")), reverse=True)
    for folder in folders:
        record = read_record(folder)
        same = record is not None and not unlike(record, wanted) and not changes(record.first, wanted.first)
        if record is not None and same and not in_use(folder / LOCK):
            jobs = replace(wanted, jobs=record.jobs) if not wanted.jobs else wanted
            if Sweep(folder, jobs).there() < wanted.planned:
                return folder
    return None


def _prepare(sweep: Sweep, say: Callable[[str], None], again: bool) -> None:
    """Keep the record, forget what failed before, and say how much there is to do."""
    (sweep.folder / STOP).unlink(missing_ok=True)
    for job in sweep.record.jobs:
        (sweep.run_folder(job) / FAILURE).unlink(missing_ok=True)
    write_record(sweep.folder, sweep.record)
    if again and sweep.record.jobs:
        say(f"going on with {sweep.folder}: {sweep.there()} of {sweep.record.planned} runs are there")


def check_jobs(sweep: Sweep, own: Path | None, trust: bool, stranger: bool, say: Callable[[str], None]) -> None:
    """Compose and check each run that is to be made; those with a fault fail here, before hours of the others.

    Args:
        sweep: of the runs.
        own: the user's folder of choices beside conf/, or None.
        trust: the user knows who wrote the sweep's record.
        stranger: the overrides come from a file, not from the command line.
        say: told of each that fails.

    Raises:
        UserError: all fail, or one would overwrite a run of another configuration.
    """
    faults = {}
    for job in sweep.pending():
        try:
            config = _checked_job(job, sweep.folder / FILE if stranger else None, own, trust)
        except UserError as error:
            faults[job] = error
        else:
            _check_place(RunFolder(sweep.run_folder(job)), given_folder(job), config)
    if faults and len(faults) == sweep.record.planned:
        raise next(iter(faults.values()))
    for job, fault in faults.items():
        write_failure(sweep.run_folder(job), str(fault))
        say(f"{printable(job.name)} will not be trained: {printable(fault)}")


def _checked_job(job: SweptJob, source: Path | None, own: Path | None, trust: bool) -> Any:
    composed = composed_or_fault(conf_folders(own), list(job.overrides))
    if isinstance(composed, str):
        raise UserError(composed)
    composed.experiment = named_choices(job.overrides, {}).get("experiment")
    if source is not None:
        plain = OmegaConf.to_container(composed, resolve=False)
        opened(plain, source, trust)
    goes_on = composed.resume not in (None, "auto")
    return checked(composed, with_targets=not goes_on, own=own)


def _check_place(run: RunFolder, given: Path | None, config: Any) -> None:
    """Refuse to write over a run of another configuration, before any is trained."""
    if given is None and config.resume is None and run.holds_run and not is_run_of(run, config):
        raise UserError(of_another(run, config))


def _leave(sweep: Sweep) -> None:
    """Where no run has begun, nothing stays: what failed was said."""
    folders = [sweep.run_folder(job) for job in sweep.record.jobs if given_folder(job) is None]
    begun = any({path.name for path in folder.glob("*")} - {FAILURE} for folder in folders)
    if begun or any(sweep.folder.glob("*.txt")):
        return
    for folder in folders:
        (folder / FAILURE).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
    for name in (FILE, STORAGE):
        (sweep.folder / name).unlink(missing_ok=True)
