"""Fill the disk of a training at three moments, make room again, go on, and compare with an undisturbed run.

    sudo uv run python tools/disk_full.py --trials 5        # or: unshare -rm uv run python tools/disk_full.py

The run's folder lies on a small file system in memory, which takes the right to mount one. A run that meets a full disk
must end with one sentence, and the same command line must reach the same end once there is room.
"""

import argparse
import errno
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep

from kill_campaign import Campaign
from same_run import difference
from trainings import LIMIT, how

UPDATES = 120
OVERRIDES = [f"trainer.max_updates={UPDATES}"]
MOMENTS = {"at the first save": 0, "in the middle": UPDATES // 2, "at the end": UPDATES}
"""The update whose row in ``metrics.csv`` is waited for."""
SIZE = 16 << 20
LEFT = 24_000
"""Bytes that are left for the first rows, too few for a network."""


def fill(path: Path, leave: int) -> None:
    """Take all room of a file system but ``leave`` bytes."""
    room = max(0, shutil.disk_usage(path.parent).free - leave)
    try:
        with path.open("ab", buffering=0) as file:
            while room > 0:
                room -= file.write(bytes(min(room, 1 << 16)))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def rows(metrics: Path) -> int:
    """The last update in a table; 0 without one."""
    lines = metrics.read_text(errors="replace").splitlines() if metrics.exists() else []
    last = lines[-1].split(",")[0] if len(lines) > 1 else "0"
    return int(last) if last.isdigit() else 0


def trial(campaign: Campaign, disk: Path, moment: str, whole: Path) -> str:
    """One full disk; what went wrong, "late" where the run was over before, empty where all is well."""
    folder, filler = disk / "run", disk / "filler"
    shutil.rmtree(folder, ignore_errors=True)
    training, latest = campaign.start(str(folder), OVERRIDES), monotonic() + LIMIT
    while training.running and monotonic() < latest:
        if (folder / "config.yaml").exists() and rows(folder / "metrics.csv") >= MOMENTS[moment]:
            break
        sleep(0.002)
    fill(filler, LEFT if MOMENTS[moment] == 0 else 0)
    code = training.ended()
    filler.unlink()
    if code == 0:
        return "late"
    if code != 2 or "Traceback" in training.said or "error: could not write" not in training.said:
        return f"{how(code)}: {training.said[-800:]}"
    again = campaign.start(str(folder), OVERRIDES)
    code = again.ended()
    return difference(whole, folder) if code == 0 else f"dead end: {how(code)}: {again.said[-800:]}"


def main() -> int:
    """Run the trials and print their table; the exit code says whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5, help="for each moment")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="full_"))
    disk = work / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)]).returncode:
        print("a file system cannot be mounted here; start with sudo, or with `unshare -rm`", file=sys.stderr)
        return 2
    table, failures = [], []
    try:
        campaign = Campaign(work, 0)
        whole = campaign.start("whole", OVERRIDES)
        code = whole.ended()
        if code != 0:
            print(f"the undisturbed run {how(code)}: {whole.said[-800:]}", file=sys.stderr)
            return 1
        for moment in MOMENTS:
            found = [trial(campaign, disk, moment, work / "whole") for _ in range(given.trials)]
            late, well = found.count("late"), found.count("")
            table.append(f"| {moment} | {given.trials - late} | {well} |")
            failures += [f"{moment}: {fault}" for fault in found if fault not in ("", "late")]
            print(table[-1], flush=True)
    finally:
        subprocess.run(["umount", str(disk)])
        shutil.rmtree(work, ignore_errors=True)
    print("\n| the disk is full | runs | one sentence, then the same end bit for bit |\n|---|---|---|")
    print(*table, *failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
