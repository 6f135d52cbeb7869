"""Kill trainings at random moments, go on with the same command line, and compare with a run that nobody disturbed.

    uv run python tools/kill_campaign.py --kills 12 --seed 0

For each setting one run is left alone. Then the same command line with ``resume=auto run_dir=D`` is started and killed
(SIGKILL; now and then SIGTERM or SIGINT; of two processes either one) until it has had its kills, and started once more
to the end. Networks, checkpoint and ``metrics.csv`` must be those of the first run, bit for bit. The moments are drawn
from ``--seed``: four of five in rows of ``metrics.csv``, plus a share of an update, the others in the run's start.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import psutil
from PIL import Image
from same_run import difference
from trainings import LIMIT, Training, how, lines_in

COMMON = [
    "data=folder",
    "data.val_pictures=2",
    "data.crop=12",
    "data.batch_size=2",
    "model.features=8",
    "trainer.accelerator=cpu",
    "trainer.log_every=1",
    "trainer.val_every=20",
    "trainer.checkpoint_every=5",
]
GAN = [
    "loss.terms.l1.weight={_target_:sr.losses.weights.Linear,start:1.0,end:0.5,updates:100}",
    "adversary=[lsgan_conditional,stepper,instance_noise,batch_store]",
    "discriminator=rev",
    "adversary.d.replay.share=0.5",
    "adversary.d.policy.stepper.rest_below=0.98",
    "adversary.d.policy.stepper.learn_above=0.99",
    "trainer.max_updates=120",
]
SETTINGS = {
    "gan: stepper, batch_store": GAN,
    "bf16, channels_last": [
        "trainer.precision=bf16",
        "trainer.channels_last=on",
        "trainer.accumulate=2",
        "trainer.max_updates=300",
    ],
    "workers": ["data.crops=workers", "augmentation=[flips,contrast]", "trainer.max_updates=300"],
    "wandb offline": ["logger=wandb", "logger.wandb.mode=offline", "trainer.max_updates=200"],
    "ddp: 2 processes": ["trainer=ddp", "trainer.precision=32", "trainer.max_updates=150"],
}
SIGNALS = [signal.SIGKILL] * 7 + [signal.SIGTERM, signal.SIGINT, signal.SIGINT]
SHARE = 0.6
"""Of the rows that are left, how many a kill may wait for: so that a run has more than one."""
OUTLIVE = 10.0
"""Seconds that a process may live on after another one of its run was killed."""


@dataclass(frozen=True)
class Whole:
    """What the moments of kills are drawn from: a run that nobody disturbed."""

    rows: int
    """Lines of its metrics.csv."""
    start: float
    """Seconds until its first row."""
    row: float
    """Seconds per row from there on, its end included."""


@dataclass
class Tally:
    """What happened in one setting."""

    kills: Counter[str] = field(default_factory=Counter)
    in_training: int = 0
    late: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    failures: list[str] = field(default_factory=list)


class Campaign:
    """Runs below one folder, with pictures that are drawn here.

    Args:
        work: an empty folder.
        seed: of the moments, signals and victims.
    """

    def __init__(self, work: Path, seed: int) -> None:
        self.work, self.random, self.started = work, random.Random(seed), 0
        self.pictures = work / "pictures"
        _draw(self.pictures)
        self.environment = {k: v for k, v in os.environ.items() if k not in ("LOCAL_RANK", "WANDB_MODE")} | {
            "OMP_NUM_THREADS": "1",
            "SR_CACHE": str(work / "cache"),
        }

    def start(self, folder: str, overrides: list[str]) -> Training:
        """Start the training of a folder, or go on with it."""
        own = [*COMMON, *overrides, f"run_dir={folder}", "resume=auto"]
        places = [f"data.train={self.pictures}", f"data.val={self.pictures}"]
        self.started += 1
        output = self.work / f"output_{self.started}.txt"
        return Training([*own, *places], self.work, self.environment, output)

    def setting(self, name: str, overrides: list[str], kills: int, in_a_row: int) -> Tally:
        """Kill so often, and compare after every ``in_a_row`` kills."""
        tally, slug = Tally(), name.split(":")[0].split(",")[0].replace(" ", "_")
        whole, trial = self.undisturbed(f"{slug}_whole", overrides, tally), 0
        if whole is None:
            return tally
        while sum(tally.kills.values()) < kills and trial < 3 * kills:
            folder, trial, before = f"{slug}_{trial}", trial + 1, sum(tally.kills.values())
            for _ in range(min(in_a_row, kills - sum(tally.kills.values()))):
                if not self.kill_once(folder, overrides, whole, tally):
                    break
            if sum(tally.kills.values()) == before:
                continue  # over before its first kill, so that it would show nothing
            outcome = self.finish(folder, overrides, f"{slug}_whole")
            tally.outcomes["same" if not outcome else "failed"] += 1
            tally.failures += [f"{folder}: {outcome}"] if outcome else []
            print(f"  {folder}: {outcome or 'same'}", flush=True)
        return tally

    def undisturbed(self, folder: str, overrides: list[str], tally: Tally) -> Whole | None:
        """The run that the others are compared with."""
        training, begun, first = self.start(folder, overrides), monotonic(), 0.0
        metrics = self.work / folder / "metrics.csv"
        while training.running and not metrics.exists() and monotonic() - begun < LIMIT:
            sleep(0.002)
        first = monotonic() - begun
        code = training.ended()
        if code != 0:
            tally.failures.append(f"the undisturbed run {how(code)}: {training.said[-500:]}")
            return None
        rows = lines_in(metrics)
        return Whole(rows, first, (monotonic() - begun - first) / rows)

    def kill_once(self, folder: str, overrides: list[str], whole: Whole, tally: Tally) -> bool:
        """Start, and kill at a random moment; False where the run was over before."""
        place, number = self.random.random(), self.random.choice(SIGNALS)
        in_training, other, between = self.random.random() < 0.8, self.random.random() < 0.5, self.random.random()
        training = self.start(folder, overrides)
        begun = monotonic()
        if in_training:
            metrics = self.work / folder / "metrics.csv"
            before = metrics.stat().st_mtime_ns if metrics.exists() else 0
            while training.running and not (metrics.exists() and metrics.stat().st_mtime_ns > before):
                if monotonic() - begun > LIMIT:
                    tally.failures.append(f"{folder}: no row after {LIMIT:.0f} s: {training.said[-500:]}")
                    training.kill()
                    return False
                sleep(0.002)
            first = lines_in(metrics)
            wanted = first + place * SHARE * (whole.rows - first)
            while training.running and lines_in(metrics) < wanted and monotonic() - begun < LIMIT:
                sleep(0.002)
            sleep(between * whole.row)  # anywhere in an update, not only behind a row
        else:
            sleep(place * whole.start)
        if not training.running:
            tally.late += 1
            training.ended()
            return False
        victim = self.victim(training.process.pid, other)
        tally.kills[signal.Signals(number).name] += 1
        tally.in_training += in_training
        with suppress(psutil.Error):  # it may have ended by itself
            victim.send_signal(number)
        tally.longest = max(tally.longest, self.wait_for_all(training, number, tally))
        return True

    def victim(self, first: int, other: bool) -> psutil.Process:
        """The first process, or one that trains beside it."""
        process = psutil.Process(first)
        with suppress(psutil.Error):  # it may have ended by itself
            beside = [child for child in process.children() if child.environ().get("LOCAL_RANK", "0") != "0"]
            return beside[0] if beside and other else process
        return process

    def wait_for_all(self, training: Training, number: int, tally: Tally) -> float:
        """Seconds until no process of the run is left; 0 where it was asked to save first."""
        killed = number == signal.SIGKILL
        begun, limit = monotonic(), OUTLIVE if killed else LIMIT
        while training.left:
            if monotonic() - begun >= limit:
                left = [" ".join(p.cmdline()[:4]) for p in training.left]
                name = signal.Signals(number).name
                tally.failures.append(f"still running after {limit:.0f} s ({name}): {left}: {training.said[-500:]}")
                training.kill()
                return limit
            sleep(0.05)
        seconds = monotonic() - begun
        if "Traceback" in training.said and not killed:
            tally.failures.append(f"a traceback after {signal.Signals(number).name}: {training.said[-1500:]}")
        return seconds if killed else 0.0

    def finish(self, folder: str, overrides: list[str], whole: str) -> str:
        """Go on to the end; what differs from the undisturbed run, empty where nothing does."""
        training = self.start(folder, overrides)
        code = training.ended()
        if code != 0:
            return f"dead end: {how(code)}: {training.said[-500:]}"
        litter = [
            path.name for path in (self.work / folder).rglob(".*") if path.suffix == ".tmp" or path.name == ".lock"
        ]
        return f"litter: {litter}" if litter else difference(self.work / whole, self.work / folder)


def _draw(folder: Path) -> None:
    """Six small pictures with edges."""
    folder.mkdir(parents=True)
    for index in range(6):
        rng = np.random.default_rng(index)
        y, x = np.mgrid[: 64 + 4 * index, :80]
        picture = np.stack([60 + x, 80 + y, 120 + 0 * x], axis=2)
        for _ in range(12):
            centre, radius = rng.uniform(0, 80, 2), rng.uniform(3, 25)
            picture[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2] = rng.integers(0, 255, 3)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{index}.png")


def row(name: str, tally: Tally) -> str:
    """Of the table."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.kills.items()))
    same, runs = tally.outcomes["same"], sum(tally.outcomes.values())
    count = sum(tally.kills.values())
    return f"| {name} | {count} ({kinds}) | {tally.in_training} | {same} of {runs} | {tally.longest:.1f} s |"


def main() -> int:
    """Run the campaign and print its table; the exit code says whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=12, help="for each setting")
    parser.add_argument("--in-a-row", type=int, default=3, help="kills of one run before it is compared")
    parser.add_argument("--seed", type=int, default=0, help="of the moments, signals and victims")
    parser.add_argument("--only", default="", help="settings whose names contain this")
    parser.add_argument("--work", type=Path, default=None, help="a new folder to keep; else a temporary one")
    given = parser.parse_args()
    # A script's background job ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work = Path(tempfile.mkdtemp(prefix="kills_")) if given.work is None else given.work
    rows, failures = [], []
    try:
        campaign = Campaign(work.resolve(), given.seed)
        for name in (name for name in SETTINGS if given.only in name):
            print(name, flush=True)
            tally = campaign.setting(name, SETTINGS[name], given.kills, given.in_a_row)
            rows.append(row(name, tally))
            print(rows[-1], flush=True)
            failures += [f"{name}: {failure}" for failure in tally.failures]
    finally:
        if given.work is None:
            shutil.rmtree(work, ignore_errors=True)
    print("\n| setting | kills | after the first row | runs that ended the same, bit for bit | longest after SIGKILL |")
    print("|---|---|---|---|---|", *rows, *failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
