"""`sr log --run`: train the runs that claims lack, parents first, several side by side."""

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from sr.config.composing import composed, plain
from sr.config.experiments import at_size, parents_of
from sr.config.folder import CONF, config_groups
from sr.experiments.claims import Claim
from sr.experiments.runs import Run
from sr.pasted import setting, training
from sr.training.machine import cores
from sr.verbs.log.asked import Question, run_name
from sr.verbs.log.counting import counting

_LOOK = 0.2  # seconds between looks at what is running


@dataclass(frozen=True)
class Job:
    """One run to train.

    Attributes:
        entry: the experiment.
        seed: of the run.
        size: of the run.
        folder: where it goes.
        typed: further overrides.
    """

    entry: str
    seed: int
    size: str
    folder: Path
    typed: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """Of train.py."""
        place = setting("run_dir", str(self.folder))
        own = [f"experiment={self.entry}", f"size={self.size}", f"seed={self.seed}"]
        return [*own, *self.typed, place, "resume=auto"]


def train_missing(
    claims: Sequence[Claim], question: Question, jobs: int, typed: Sequence[str], tell: Callable[[str], None]
) -> list[Job]:
    """Train the runs that claims need and that are not there, with the runs that they start from.

    Args:
        claims: of interest.
        question: size and seeds of the runs, and the folders in which they are looked for; the first takes new ones.
        jobs: runs side by side.
        typed: overrides for all of them.
        tell: told what happens.

    Returns:
        Those that failed.

    Raises:
        UserError: what was typed is no override of a run.
    """
    needed = wanted(claims, question.seeds)
    parents = _parents([entry for entry, _ in needed], question.size)
    there = counting(parents.keys(), question, tell)
    ordered = with_parents(needed, parents, question.seeds[0])
    missing = _missing(ordered, parents, there)
    tell(f"{len(ordered)} runs are needed, {len(ordered) - len(missing)} are there")
    root, size = question.roots[0] / "log" / question.size, question.size
    make = [Job(entry, seed, size, root / run_name(entry, seed), tuple(typed)) for entry, seed in missing]
    for job in make[:1]:  # a mistake in what was typed would be one in every run
        composed([f"experiment={job.entry}", f"size={size}", *typed])
    return train_all(make, parents, jobs, tell)


def _missing(
    ordered: Sequence[tuple[str, int]], parents: Mapping[str, Sequence[str]], there: Mapping[str, Mapping[int, Run]]
) -> list[tuple[str, int]]:
    """Runs to train, in the same order: those that are not there, and those from which they start without networks.

    A parent that exploded would again, so that it is left as it is.
    """
    missing = set[tuple[str, int]]()
    started_from = set[tuple[str, int]]()
    for entry, seed in reversed(ordered):
        run = there.get(entry, {}).get(seed)
        if run is None or ((entry, seed) in started_from and run.finished and not run.usable):
            missing.add((entry, seed))
            for parent in parents.get(entry, ()):
                every = [one for one in ordered if one[0] == parent]
                started_from.add((parent, seed) if (parent, seed) in every else every[0])
    return [one for one in ordered if one in missing]


def _parents(entries: Sequence[str], size: str) -> dict[str, list[str]]:
    """What each entry starts from, those that they start from likewise."""
    experiments = config_groups(CONF)["experiment"]
    parents: dict[str, list[str]] = {}
    todo = list(entries)
    while todo:
        entry = todo.pop()
        if entry not in parents:
            needed = parents_of(plain(at_size(entry, size)), experiments)
            parents[entry] = [name for name in dict.fromkeys(needed) if name != entry]
            todo += parents[entry]
    return parents


def wanted(claims: Sequence[Claim], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Experiments and seeds that claims need: all seeds where something is compared, else the first.

    Args:
        claims: of interest.
        seeds: at least one.
    """
    found = []
    for claim in claims:
        found += [(claim.entry, seeds[0])]
        found += [(entry, seed) for entry in claim.entries for seed in seeds]
    return list(dict.fromkeys(found))


def with_parents(
    runs: Sequence[tuple[str, int]], parents: Mapping[str, Sequence[str]], first: int
) -> list[tuple[str, int]]:
    """The runs, each after those that it starts from.

    Args:
        runs: experiments and seeds.
        parents: of each experiment.
        first: seed of a parent that nobody asked for.
    """
    ordered: dict[tuple[str, int], None] = {}

    def add(entry: str, seed: int) -> None:
        for parent in parents.get(entry, ()):
            own = [one for name, one in runs if name == parent] or [first]
            for one in own:
                add(parent, one)
        ordered.setdefault((entry, seed))

    for entry, seed in runs:
        add(entry, seed)
    return list(ordered)


def train_all(
    jobs: Sequence[Job], parents: Mapping[str, Sequence[str]], side_by_side: int, say: Callable[[str], None]
) -> list[Job]:
    """Train them; a failure keeps only those from running that start from it.

    Args:
        jobs: in an order in which parents come first.
        parents: of each experiment.
        side_by_side: so many at a time; they share the cores.
        say: told of each run that begins, ends and fails.

    Returns:
        Those that failed, or could not begin.
    """
    waiting, failed = list(jobs), list[Job]()
    running: dict[Job, subprocess.Popen[bytes]] = {}
    try:  # a signal comes as a KeyboardInterrupt, whichever it is: sr.verbs.cli hears them
        while waiting or running:
            failed += _gone(running, say)
            failed += _hopeless(waiting, failed, parents, say)
            job = _next(waiting, running, parents) if len(running) < side_by_side else None
            if job is None:
                sleep(_LOOK)
                continue
            waiting.remove(job)
            running[job] = _begun(job, side_by_side)
            say(f"{len(jobs) - len(waiting)} of {len(jobs)}: {job.entry}, seed {job.seed}: {job.folder}")
    finally:
        _end(running.values(), say)
    return failed


def _end(running: Collection[subprocess.Popen[bytes]], say: Callable[[str], None]) -> None:
    """End what still runs, saved; Ctrl-C has reached them already, and two signals in one moment are one to them."""
    for process in running:
        process.terminate()
    if running:
        say(f"{len(running)} runs end after their update, and save; the same command goes on with them")
    for process in running:
        process.wait()


def _next(waiting: Sequence[Job], running: Iterable[Job], parents: Mapping[str, Sequence[str]]) -> Job | None:
    """The first run whose parents are all done."""
    undone = {job.entry for job in (*running, *waiting)}
    return next((job for job in waiting if not undone & set(parents.get(job.entry, ()))), None)


def _begun(job: Job, side_by_side: int) -> "subprocess.Popen[bytes]":
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    threads = str(max(1, cores() // side_by_side))
    with Path(f"{job.folder}.txt").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "sr.verbs.train", *job.arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": threads},
        )


def _gone(running: "dict[Job, subprocess.Popen[bytes]]", say: Callable[[str], None]) -> Iterator[Job]:
    for job, process in list(running.items()):
        code = process.poll()
        if code is None:
            continue
        del running[job]
        if code != 0:
            say(f"{job.entry}, seed {job.seed}: exit code {code}: {_last_line(Path(f'{job.folder}.txt'))}")
            yield job


def _hopeless(
    waiting: list[Job], failed: Sequence[Job], parents: Mapping[str, Sequence[str]], say: Callable[[str], None]
) -> Iterator[Job]:
    """Runs whose parents have all failed."""
    lost = {job.entry for job in failed}
    for job in list(waiting):
        missing = [parent for parent in parents.get(job.entry, ()) if parent in lost]
        if missing:
            waiting.remove(job)
            line = training(f"experiment={missing[0]}", f"size={job.size}")
            say(f"{job.entry}, seed {job.seed}: not begun, as {missing[0]} failed; try it: {line}")
            yield job


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or ["it printed nothing"])[-1][:300]
