"""``init_from=log/20``: a run that starts from the newest finished run of an experiment, found by its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sr.config.experiments import beside, matching
from sr.config.nearest import did_you_mean, nearest
from sr.config.starting import GENERATOR, GROWN, Start, setting_of
from sr.errors import UserError
from sr.experiments.runs import Run, find_runs, runs_in
from sr.locks import in_use
from sr.pasted import setting, training
from sr.training.keeping.claim import LOCK
from sr.training.keeping.run_folder import RunFolder


@dataclass(frozen=True)
class Child:
    """The run that is to begin.

    Attributes:
        size: its ``size.name``.
        seed: its seed.
        folder: its own, beside which runs of the same sweep lie.
        experiments: names of all experiments.
        carried: overrides that a run which makes its parent needs too.
        data: its configuration's part of that name, as plain values: of several parents one that has learnt from the
            same pictures is taken.
    """

    size: str
    seed: int
    folder: Path
    experiments: Sequence[str]
    carried: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def from_experiments(start: Start, child: Child, say: Callable[[str], None]) -> tuple[Start, dict[str, dict[str, Any]]]:
    """Replace experiments' names by files of their runs.

    A run's networks are taken as they were at its end, so that generator and discriminator belong together.

    Args:
        start: of ``init_from`` or ``grow_from``.
        child: the run that is to begin.
        say: told which runs were taken.

    Returns:
        The places, and what is to be remembered of each run, by network.

    Raises:
        UserError: there is no such experiment, or it has no finished run of this size.
    """
    found = {name: _parent(name, place, child) for name, place in start.places.items() if _named(place, child)}
    for name, run in found.items():
        other = "" if run.seed == child.seed else f"; there is none of seed {child.seed}, so the newest of another"
        other += "" if _same_pictures(run, child) else "; it has learnt from other pictures than this run will"
        say(
            f"{setting_of(name)}={start.places[name]}: {run.experiment}, seed {run.seed}, {run.updates} updates, "
            f"in {run.folder.path}{other}"
        )
    files = {name: str(_file(name, run.folder)) for name, run in found.items()}
    told = {
        name: {"experiment": run.experiment, "run": str(run.folder.path), "seed": run.seed, "updates": run.updates}
        for name, run in found.items()
    }
    return replace(start, places={**start.places, **files}), told


def files_of_experiments(
    named: Mapping[str, str], child: Child, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """The networks of losses and degradations that come from experiments.

    Args:
        named: experiment by setting, from `sr.config.experiments.files_named`.
        child: the run that is to begin.
        say: told which runs were taken.

    Returns:
        What is to be remembered by setting, as in `from_experiments`, and ``file``, the network's.

    Raises:
        UserError: an experiment has no finished run of this size; the message has the command that makes one.
    """
    start, told = from_experiments(Start(dict(named), partial=False), child, say)
    return {name: {**told[name], "file": start.places[name]} for name in told}


def _named(place: str, child: Child) -> bool:
    """Whether a place names an experiment: something that exists is a place."""
    group = place.rpartition("/")[0]
    groups = {name.rpartition("/")[0] for name in child.experiments} - {""}
    return not Path(place).expanduser().exists() and (group in groups or place in child.experiments)


def _parent(name: str, place: str, child: Child) -> Run:
    candidates = matching(place, child.experiments)
    if len(candidates) != 1:
        raise UserError(_no_experiment(f"{setting_of(name)}={place}", place, candidates, child.experiments))
    runs = _runs(candidates[0], child.folder.parent)
    fitting = [run for run in runs if run.usable and run.size == child.size]
    if not fitting:
        raise UserError(_no_run(f"{setting_of(name)}={place}", candidates[0], child, runs))
    beside = child.folder.parent.resolve()
    return max(
        fitting,
        key=lambda run: (
            _same_pictures(run, child),
            run.seed == child.seed,
            run.folder.path.parent.resolve() == beside,
            run.ended,
        ),
    )


_PICTURES = ("train", "train_lr", "real")
"""Settings of ``data`` that say what is learned from."""


def _same_pictures(run: Run, child: Child) -> bool:
    data = run.config.get("data")
    if not isinstance(data, Mapping) or not child.data:
        return True
    return all(data.get(name) == child.data.get(name) for name in _PICTURES)


def _file(name: str, folder: RunFolder) -> Path:
    if name == GROWN:
        return folder.path
    return folder.last if name == GENERATOR or "." in name else folder.checkpoint


def _no_experiment(what: str, place: str, candidates: Sequence[str], experiments: Sequence[str]) -> str:
    if candidates:
        return f"{what} may be {' or '.join(candidates)}; give the whole name"
    is_number = place.rpartition("/")[2].isdecimal()
    near = (beside(place, experiments) if is_number else []) or nearest(place, experiments)
    hint = f"; did you mean {' or '.join(near[:2])}?" if near else did_you_mean(place, experiments)
    return f"{what}: there is no such experiment{hint}"


def _no_run(what: str, experiment: str, child: Child, runs: Sequence[Run]) -> str:
    words = [f"experiment={experiment}", f"size={child.size}", f"seed={child.seed}", *child.carried]
    command = training(*words)
    why = _why_not(child, runs)
    return f"{what}: there is no finished run of {experiment} at size={child.size}{why}; make one: {command}"


def _why_not(child: Child, runs: Sequence[Run]) -> str:
    """What there is instead: the newest of this size that has not finished, else one of another size."""
    newest = sorted(runs, key=lambda run: (run.size == child.size, run.seed == child.seed, run.ended))[-1:]
    for run in newest:
        path = run.folder.path
        if run.size != child.size:
            return f" ({path} is of size={run.size})" if run.usable else ""
        if run.finished:
            return f" ({path} has lost its networks)"
        if in_use(path / LOCK):
            return f" ({path} is being trained)"
        if run.reason is not None:
            return f" ({path} ended by {run.reason})"
        again = f"; {setting('resume', path)} goes on with it" if run.folder.checkpoint.exists() else ""
        return f" ({path} was cut off{again})"
    return ""


def _runs(experiment: str, beside: Path) -> list[Run]:
    """Runs of an experiment below ``outputs/`` and in the folder that the child lies in."""
    return [run for run in (*find_runs([Path("outputs")]), *runs_in(beside)) if run.experiment == experiment]
