"""The folder of a sweep: found again by the same command, refused to another one; which of its runs are to be made."""

from collections.abc import Callable, Iterator, Sequence
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
from sr.config.later_settings import with_later_settings
from sr.config.parsed import given, key_of
from sr.config.stored import opened
from sr.errors import UserError
from sr.experiments.failure import FILE as FAILURE
from sr.experiments.failure import read_failure, write_failure
from sr.experiments.table import Row, row_in
from sr.locks import in_use
from sr.pasted import setting
from sr.printable import printable
from sr.training.keeping.claim import LOCK, claimed
from sr.training.keeping.run_folder import ENDED, EXPLODED, FINISHED, PRUNED, RunFolder
from sr.verbs.train.place import check_shown, of_another, runs_below
from sr.verbs.train.resume import changes, flattened, is_run_of
from sr.verbs.train.sweep_record import FILE, GRID, STORAGE, SweepRecord, SweptJob, read_record, unlike, write_record
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
        return given_folder(job) or self.told(job)

    def told(self, job: SweptJob) -> Path:
        """Where it is kept why a run failed."""
        return self.folder / job.name

    def row(self, job: SweptJob) -> Row | None:
        """What has become of a run; None where it has not begun."""
        return row_in(self.told(job) if read_failure(self.told(job)) else self.run_folder(job))

    def pending(self) -> list[SweptJob]:
        """Runs to launch: all but those that came to their end, exploded, or were given up in this sitting.

        With ``resume=auto`` a run that has ended may have a longer way to go; it says itself whether it has.
        """
        return [job for job in self.record.jobs if not self._settled(job)]

    def there(self) -> int:
        """How many have come to their end."""
        return sum(_reason(self.run_folder(job)) in ENDED for job in self.record.jobs)

    def _settled(self, job: SweptJob) -> bool:
        if read_failure(self.told(job)):
            return True
        if _said(job, "resume") is not None:  # auto, or the folder of a run, which may have a longer way to go
            return _said(job, "resume") == "auto" and _reason(self.run_folder(job)) in (EXPLODED, PRUNED)
        reason = _reason(self.run_folder(job))
        return reason in (EXPLODED, PRUNED) or (reason in FINISHED and RunFolder(self.run_folder(job)).last.exists())


def given_folder(job: SweptJob) -> Path | None:
    """The folder that a run of a sweep names itself, by ``run_dir`` or ``resume``; None where it does not."""
    named = [place for key in ("run_dir", "resume") if (place := _said(job, key)) not in (None, "auto")]
    return Path(named[0]) if named and named[0] is not None else None


def _said(job: SweptJob, key: str) -> str | None:
    """The text that a run's overrides give a setting; None for none, or null."""
    return next((v for one in job.overrides if key_of(one) == key and (v := given([one], key)) != "None"), None)


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
            if before is None:  # else it is not this process's to take away
                _leave(replace(sweep, record=read_record(folder) or sweep.record))


def _of(folder: Path, wanted: SweepRecord, auto: bool) -> SweepRecord | None:
    """The record of the same sweep in a folder; None where it holds none.

    Raises:
        UserError: it holds something else.
    """
    before = read_record(folder)
    if before is not None:
        other = unlike(_loosely(before), _loosely(wanted)) if auto else unlike(before, wanted)
        other = other or ("" if auto else _changed(before, wanted))
        if other:
            raise UserError(
                f"run_dir={folder} holds another sweep: {other}; {setting('resume', folder)} goes on with that one, or "
                "choose another run_dir"
            )
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


def _changed(before: SweepRecord, now: SweepRecord) -> str:
    """What the choices of the same command have become since; settings that there were none of then do not count."""
    was = dict(flattened(with_later_settings(before.first)))
    return changes(was, {key: value for key, value in flattened(with_later_settings(now.first)) if key in was})


def _loosely(record: SweepRecord) -> SweepRecord:
    return replace(record, typed=tuple(one for one in record.typed if key_of(one) not in FREE))


def _unfinished(wanted: SweepRecord) -> Path | None:
    """The newest sweep of the same command below ``outputs/`` that has not ended, and that nobody goes on with."""
    folders = sorted((path.parent for path in Path("outputs").glob(f"*/{FILE}")), reverse=True)
    for folder in folders:
        record = read_record(folder)
        same = record is not None and not unlike(record, wanted) and not _changed(record, wanted)
        if record is not None and same and not in_use(folder / LOCK):
            jobs = replace(wanted, jobs=record.jobs) if not wanted.jobs else wanted
            if Sweep(folder, jobs).there() < wanted.planned:
                return folder
    return None


def _prepare(sweep: Sweep, say: Callable[[str], None], again: bool) -> None:
    """Keep the record, forget what failed before, and say how much there is to do."""
    (sweep.folder / STOP).unlink(missing_ok=True)
    if sweep.record.sweeper == GRID:  # what failed is tried again; in a search it is one of the trials
        for job in sweep.record.jobs:
            (sweep.told(job) / FAILURE).unlink(missing_ok=True)
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
    _check_apart(sweep)
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
        write_failure(sweep.told(job), str(fault))
        say(f"{printable(job.name)} will not be trained: {printable(fault)}")


def check_each(jobs: Sequence[SweptJob], own: Path | None) -> None:
    """Compose and check runs that are only tried out.

    Args:
        jobs: of a search, at the ends of what it may choose.
        own: the user's folder of choices beside conf/, or None.

    Raises:
        UserError: one has a fault.
    """
    for job in jobs:
        try:
            _checked_job(job, None, own, trust=False)
        except UserError as error:
            raise UserError(f"{printable(' '.join(job.varied))}: {error}") from error


def _check_apart(sweep: Sweep) -> None:
    """Refuse two runs in one folder."""
    own = [folder.resolve() for job in sweep.record.jobs if (folder := given_folder(job)) is not None]
    twice = next((folder for folder in own if own.count(folder) > 1), None)
    if twice is not None:
        raise UserError(
            f"two runs of this sweep would lie in {printable(twice)}; give run_dir or resume as many values"
        )


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
    begun = any({path.name for path in sweep.run_folder(job).glob("*")} - {FAILURE} for job in sweep.record.jobs)
    if begun or any(sweep.folder.glob("*.txt")):
        return
    for folder in map(sweep.told, sweep.record.jobs):
        (folder / FAILURE).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
    for name in (FILE, STORAGE):
        (sweep.folder / name).unlink(missing_ok=True)
