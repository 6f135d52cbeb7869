"""`hydra/sweeper=optuna`: a search over settings, in a study on disk, so that it goes on after an interruption."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from sr.config.nearest import did_you_mean
from sr.config.parsed import is_hydra, key_of, parsed_overrides
from sr.errors import UserError
from sr.experiments.table import Row
from sr.files import write_atomically
from sr.pasted import setting
from sr.printable import first_line, printable
from sr.training.columns import gain
from sr.training.search import study_in
from sr.verbs.train.launching import divide_cores, overrides_of
from sr.verbs.train.place import run_name
from sr.verbs.train.sweep import Sweep
from sr.verbs.train.sweep_record import FILE, PLACE, STORAGE, SweepRecord, SweptJob, read_record, write_record
from sr.verbs.train.task import STOP, TRIAL

_CALLBACK = "sr.training.callbacks.pruning.Pruning"
SAMPLERS = ("tpe", "random", "qmc")


@dataclass(frozen=True)
class Search:
    """How a search goes.

    Attributes:
        trials: runs in all.
        together: runs that are chosen before the first of them has ended.
        sampler: one of `SAMPLERS`.
        prune: runs that fall behind are given up.
        seed: of the sampler.
    """

    trials: int
    together: int
    sampler: str
    prune: bool
    seed: int

    def study(self, folder: Path) -> Any:
        """The study in a sweep's folder.

        Raises:
            UserError: a number out of range, or no such sampler.
        """
        import optuna

        for name, value in (("trials", self.trials), ("together", self.together)):
            if value < 1:
                raise UserError(f"hydra.sweeper.{name}={value} must be at least 1")
        samplers = optuna.samplers
        made: dict[str, Any] = {
            "tpe": lambda seed: samplers.TPESampler(seed=seed, constant_liar=self.together > 1),
            "random": lambda seed: samplers.RandomSampler(seed=seed),
            "qmc": lambda seed: samplers.QMCSampler(seed=seed),
        }
        if self.sampler not in made:
            raise UserError(f"hydra.sweeper.sampler={self.sampler} does not exist{did_you_mean(self.sampler, made)}")
        before = len(_opened(folder / STORAGE).get_trials(deepcopy=False))
        seed = 1000 * self.seed + before  # one that goes on does not choose the same values again
        return study_in(folder / STORAGE, made[self.sampler](seed), optuna.pruners.MedianPruner())


def _opened(storage: Path) -> Any:
    """The study, without what a power cut has left of a last line.

    Raises:
        UserError: the file is damaged.
    """
    content = storage.read_bytes() if storage.is_file() else b""
    if content and not content.endswith(b"\n"):
        write_atomically(storage, content[: content.rfind(b"\n") + 1])
    try:
        return study_in(storage)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{printable(storage)} is damaged ({first_line(error)}); delete the sweep's folder, or take another run_dir"
        ) from error


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        fixed: overrides of every run.
        distributions: of Optuna, by setting.
    """

    fixed: tuple[str, ...]
    distributions: Mapping[str, Any]


def probes(space: Space) -> list[SweptJob]:
    """A run at the ends and in the middle of each range, and with each choice, to be checked before any is trained.

    Args:
        space: what is searched.
    """
    ends = {key: _ends(distribution) for key, distribution in space.distributions.items()}
    middle = {key: values[0] for key, values in ends.items()}
    tried = [{**middle, key: value} for key, values in ends.items() for value in values]
    lines = [tuple(f"{key}={_written(value)}" for key, value in one.items()) for one in tried]
    return [SweptJob("0", (*space.fixed, *line), line) for line in lines]


def _ends(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high = distribution.low, distribution.high
    between = [math.sqrt(low * high) if distribution.log else (low + high) / 2] if isinstance(low, float) else []
    return [low, high, *between]


def launch_search(launcher: Launcher, config: DictConfig, search: Search, arguments: Sequence[str]) -> None:
    """Launch runs until there are enough, those first that an interruption has cut off.

    Args:
        launcher: of Hydra.
        config: of the sweep.
        search: how it goes.
        arguments: as typed.
    """
    folder = Path(config.hydra.sweep.dir)
    study = search.study(folder)
    space = space_of(arguments)
    divide_cores(config.hydra.launcher, search.together)
    launched: set[str] = set()  # once in a sitting, also where the disk is too full to keep why one failed
    while not (folder / STOP).exists():
        record = read_record(folder)
        assert record is not None, "the sweep's folder was made with its record"
        sweep = Sweep(folder, record)
        _check_jobs(record, space, study)
        _tell(study, sweep)
        batch = [job for job in sweep.pending() if job.name not in launched][: search.together]
        wanted = min(search.together - len(batch), search.trials - len(record.jobs))
        new = [_asked(study, space, search, folder) for _ in range(wanted)]
        write_record(folder, replace(record, jobs=(*record.jobs, *new)))
        if not batch and not new:
            return
        launched |= {job.name for job in (*batch, *new)}
        trial = [_pruning(folder, job) if search.prune else [] for job in (*batch, *new)]
        jobs = zip((*batch, *new), trial, strict=True)
        launcher.launch([[*overrides_of(job), *own] for job, own in jobs], initial_job_idx=0)


def _check_jobs(record: SweepRecord, space: Space, study: Any) -> None:
    """Refuse what the record has and the command line could not have chosen: the file may be anybody's."""
    largest = max((int(job.name.partition("_")[0]) for job in record.jobs), default=-1)
    trials = len(study.get_trials(deepcopy=False))
    if largest >= trials:
        raise UserError(
            f"{STORAGE} knows {trials} runs, and {FILE} has number {largest}: one of the two is another search's; take "
            "another run_dir"
        )
    keys = [key_of(f"{key}=x") for key in space.distributions]
    for job in record.jobs:
        fixed, chosen = job.overrides[: len(space.fixed)], job.overrides[len(space.fixed) :]
        if fixed != space.fixed or list(map(key_of, chosen)) != keys or any(map(_is_several, chosen)):
            made = printable(" ".join(job.overrides))[:200]
            raise UserError(f"{FILE} of this search has a run that its command does not make: {made}")


def _is_several(override: str) -> bool:
    return any(one.is_sweep_override() for one in parsed_overrides([override])[0])


def _pruning(folder: Path, job: SweptJob) -> list[str]:
    """What makes a run tell the search how it gets on."""
    number = job.name.partition("_")[0]
    node = {"_target_": _CALLBACK, "storage": setting("", folder / STORAGE)[1:], "trial": number}
    return [f"+{TRIAL}{key}={value}" for key, value in node.items()]


def space_of(arguments: Sequence[str]) -> Space:
    """What a command line fixes, and what it leaves to the search.

    Values with commas are choices; ``interval(1e-4,1e-2)`` is a range, ``tag(log,interval(1e-4,1e-2))`` one in which
    factors count alike, ``int(interval(1,8))`` and ``range(1,9)`` are whole numbers.

    Args:
        arguments: overrides without faults.

    Raises:
        UserError: nothing is left to the search, or a range is none.
    """
    fixed, found = list[str](), dict[str, Any]()
    for override in parsed_overrides(arguments)[0]:
        if is_hydra(override) or override.key_or_group in PLACE:
            if override.key_or_group in PLACE and override.is_sweep_override():
                raise UserError(f"{override.input_line} cannot be searched; give it one value")
            continue
        if override.is_sweep_override():
            found[override.get_key_element()] = _distribution(override)
        else:
            fixed.append(str(override.input_line))
    if not found:
        raise UserError(
            "hydra/sweeper=optuna needs something to search, such as 'optimizer.lr=tag(log,interval(1e-4,1e-2))' or "
            "loss=l1,charbonnier"
        )
    return Space(tuple(fixed), found)


def _distribution(override: Override) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value: Any = override.value()
    if isinstance(value, IntervalSweep):
        log = "log" in value.tags
        start, end = (math.nan if one is None else one for one in (value.start, value.end))
        if not math.isfinite(start + end) or not start < end or (log and start <= 0):
            raise UserError(f"{override.input_line} is no range to search: it must rise, and with log begin above 0")
        whole = isinstance(start, int) and isinstance(end, int)  # by int(interval(…)) only
        return IntDistribution(int(start), int(end), log) if whole else FloatDistribution(float(start), float(end), log)
    if isinstance(value, RangeSweep) and not value.shuffle and isinstance(value.step, int):
        values = sorted(value.range())
        if not values:
            raise UserError(f"{override.input_line} has no value; a range rises: range(1,9)")
        return IntDistribution(int(values[0]), int(values[-1]), step=abs(value.step))
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _asked(study: Any, space: Space, search: Search, folder: Path) -> SweptJob:
    """A new run, with the values that the search chooses."""
    trial = study.ask(dict(space.distributions))
    varied = tuple(f"{key}={_written(value)}" for key, value in trial.params.items())
    return SweptJob(run_name(trial.number, varied), (*space.fixed, *varied), varied)


def _tell(study: Any, sweep: Sweep) -> None:
    """Tell the study how the runs ended that it does not know of yet, this process's or those of one before it."""
    from optuna.trial import TrialState

    jobs = {int(job.name.partition("_")[0]): job for job in sweep.record.jobs}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        job = jobs.get(trial.number)
        row = None if job is None else sweep.row(job)
        if job is not None and (row is None or row.state not in ("finished", "pruned", "exploded", "failed")):
            continue  # it goes on
        value = reached(row)
        if row is not None and row.state == "finished" and value is not None:
            study.tell(trial.number, value)
        else:
            pruned = row is not None and row.state == "pruned"
            study.tell(trial.number, state=TrialState.PRUNED if pruned else TrialState.FAIL)


def reached(row: Row | None) -> float | None:
    """The best value of the metric that a finished run watches, so that more is better; None where there is none."""
    summary = {} if row is None else row.run.summary or {}
    monitor = summary.get("monitor")
    finished = row is not None and row.state == "finished"
    value = summary["best"].get(monitor) if finished and isinstance(monitor, str) else None
    return gain(str(monitor), value) if value is not None and math.isfinite(value) else None


def best_of(made: Sweep) -> tuple[SweptJob, float] | None:
    """The run of a search that has reached most, and what; None where none has ended."""
    found = [(job, reached(row)) for job in made.record.jobs if (row := made.row(job)) is not None]
    values = [(job, value) for job, value in found if value is not None]
    return max(values, key=lambda one: one[1], default=None)


def _written(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
