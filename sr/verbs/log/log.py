"""`sr log`: entries, commands, verdicts; the page docs/LOG.md."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sr.config.folder import CONF, config_groups
from sr.experiments import measuring
from sr.experiments.judging import judge
from sr.experiments.log_page import as_json
from sr.experiments.runs import Run, find_runs
from sr.files import check_writable
from sr.verbs.log.asked import Question, all_claims, chosen
from sr.verbs.log.counting import counting
from sr.verbs.log.features import with_features
from sr.verbs.log.measured import measures_of
from sr.verbs.log.page import entries_of, print_entries, shown_of, write_page
from sr.verbs.log.training import train_missing
from sr.verbs.screen.tables import console_for_tables, say


def show_log(
    question: Question, write: Path | None, json: bool, run: bool, jobs: int, accelerator: str, typed: Sequence[str]
) -> int:
    """Print entries and verdicts; train and write on request.

    Args:
        question: what is asked.
        write: folder of the page, or None.
        json: print the data instead of a table.
        run: train what is missing first.
        jobs: runs side by side.
        accelerator: for measuring: cpu, gpu, mps or auto.
        typed: overrides for all runs that are trained, such as data.cache=DIR.

    Returns:
        The exit code: 1 where a run failed.

    Raises:
        UserError: an entry is unknown, claims are faulty, or the page or the runs cannot be written.
    """
    console = console_for_tables(quiet=json)
    tell = partial(say, console)
    for folder in [*([write] if write else []), *(question.roots[:1] if run else [])]:
        check_writable(folder)
    claims = chosen(all_claims(), question.only)
    failed = train_missing(claims, question, jobs, typed, tell) if run else []
    runs = counting({entry for claim in claims for entry in (claim.entry, *claim.entries)}, question, tell)
    every_run = [one for by_seed in runs.values() for one in by_seed.values()]
    measured = measures_of(every_run, accelerator, console)

    def quantity(one: Run, name: str) -> float | None:
        found = measured.get(one.folder.path)
        return None if found is None else measuring.quantity(found, name)

    judged = [with_features(judge(claim, runs, quantity), question.size) for claim in claims]
    shown = shown_of(runs)
    entries = entries_of(judged, question, shown)
    if json:
        print(as_json(entries, question.size), end="")
    else:
        print_entries(console, entries, question)
    if write is not None:
        write_page(write, entries, every_run, shown, question, console)
    return 1 if failed else 0


def show_verdicts(folder: Path, experiments: Sequence[str]) -> None:
    """What ends a sweep of experiments: verdicts on their claims, where conf/claims.yaml has any.

    Args:
        folder: of the sweep.
        experiments: that were in it.
    """
    runs = [run for run in find_runs([folder]) if run.experiment in experiments]
    entries = sorted({claim.entry for claim in all_claims()} & {str(run.experiment) for run in runs})
    found = {run.size for run in runs}
    for size in config_groups(CONF)["size"] if entries else ():  # of a size of the user's own nothing is claimed
        if size not in found:
            continue
        seeds = sorted({run.seed for run in runs if run.size == size})
        show_log(Question(entries, size, seeds, [folder, Path("outputs")]), None, False, False, 1, "auto", [])
