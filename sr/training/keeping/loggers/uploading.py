"""One command that uploads what W&B kept on disk, of a run or of a whole sweep."""

import os
from collections.abc import Sequence
from pathlib import Path

from sr.pasted import in_environment, pasted

PLACE = "wandb"
"""W&B's folder inside a run's."""


def upload_line(run_folders: Sequence[Path]) -> str | None:
    """The command line that uploads these runs; None where nothing of them waits for it.

    `wandb sync` takes W&B's folders, passes over what it has uploaded, and joins the parts of a run that went on, in
    the order of their start. All runs of one sweep are named by a pattern, which the shell fills in.

    Args:
        run_folders: of the runs, of which some may have nothing of W&B.
    """
    waiting = [folder for folder in run_folders if _waits(folder / PLACE)]
    if not waiting:
        return None
    parent = _of_all(waiting, run_folders)
    return sync_line(waiting) if parent is None else f"{in_environment('wandb', 'sync')} {pasted(parent)}/*/{PLACE}"


def sync_line(run_folders: Sequence[Path], online: bool = False) -> str:
    """The command line that uploads these runs, each by its folder.

    Args:
        run_folders: of the runs.
        online: also what was sent to a server that did not take everything.
    """
    flags = ["--include-online"] if online else []
    return in_environment("wandb", "sync", *flags, *(folder / PLACE for folder in run_folders))


def _waits(folder: Path) -> bool:
    files = folder.glob("offline-run-*/*.wandb")
    return any(not file.with_suffix(".wandb.synced").exists() for file in files)


def _of_all(waiting: Sequence[Path], told: Sequence[Path]) -> Path | None:
    """The folder of which all runs are meant; None for one run, and for Windows, whose shell fills in no pattern."""
    parents = {folder.parent for folder in waiting}
    if len(waiting) < 2 or len(parents) > 1 or os.name == "nt":
        return None
    parent = parents.pop()
    meant = {place.parent for place in parent.glob(f"*/{PLACE}") if not place.parent.name.startswith(".")}
    return parent if meant <= set(told) else None
