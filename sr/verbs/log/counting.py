"""Which runs count: the newest of each entry and seed that came to its end with the settings of today."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sr.config.composing import plain
from sr.config.experiments import at_size
from sr.config.later_settings import with_later_settings
from sr.experiments.places import without_places
from sr.experiments.runs import Run, find_runs
from sr.training.keeping.run_folder import EXPLODED
from sr.verbs.log.asked import Question
from sr.verbs.train.resume import changes

_FREE_GROUPS = ("experiment", "init_from", "grow_from", "started_from", "logger")
_FREE_SETTINGS = {"data": ("cache", "workers"), "trainer": ("lpips", "devices")}
"""In what a run of an entry may differ from its file: where it lies, how fast it is, where its parent lay."""


def counting(entries: Collection[str], question: Question, tell: Callable[[str], None]) -> dict[str, dict[int, Run]]:
    """The newest run of each entry and seed that counts; one that has its network before a record of one.

    Args:
        entries: whose runs are looked for.
        question: their size, their seeds, and where they lie.
        tell: told which runs do not count, and why.

    Raises:
        UserError: there is no such size.
    """
    found: dict[str, dict[int, Run]] = {}
    others = set[int]()
    for run in sorted(find_runs(question.roots), key=lambda run: (run.folder.last.exists(), run.ended)):
        name = run.experiment
        if name is None or name not in entries or run.size != question.size:
            continue
        if run.seed not in question.seeds:
            others.add(run.seed)
            continue
        fault = _fault(run, name, question.size)
        if fault:
            tell(f"{run.folder.path} does not count: {fault}")
        else:
            found.setdefault(name, {})[run.seed] = run
    if others:
        seeds = ", ".join(map(str, sorted(others)))
        tell(f"runs of seed {seeds} are not looked at; --seeds {len(question.seeds)} takes 1 to {len(question.seeds)}")
    return found


def _fault(run: Run, entry: str, size: str) -> str:
    """Why a run is none of its entry's; empty where it is."""
    if run.reason is None:
        return "it is running or was cut off; resume=auto goes on with it"
    if not run.finished and run.reason != EXPLODED:
        return f"it was ended before its time ({run.reason}); resume=auto goes on with it"
    wants = at_size(entry, size)
    wants.seed = run.seed
    differs = changes(_compared(with_later_settings(run.config)), _compared(with_later_settings(plain(wants))))
    return f"its settings are others than those of {entry}: {differs}" if differs else ""


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without what may differ; of its size the name: what it feeds is compared where it arrives."""
    groups = [group for group in config if group not in _FREE_GROUPS]
    kept = {group: without_places(config[group], _FREE_SETTINGS.get(group, ())) for group in groups}
    size = kept.get("size")
    return kept | {"size": size.get("name") if isinstance(size, Mapping) else size}
