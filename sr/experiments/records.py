"""Records of runs: what a verdict is made of, without networks and checkpoints, small enough to be published.

A record is a run's folder with little in it, so that it is found, checked and judged as any run is.
"""

from pathlib import Path

from sr.experiments import measuring
from sr.experiments.runs import Run
from sr.files import write_atomically
from sr.training.keeping.run_folder import RunFolder


def write_record(run: Run, folder: Path, shown: bool) -> None:
    """Write the record of a run; one that is its own record stays as it is.

    Args:
        run: that was measured.
        folder: of the record.
        shown: with the picture, where there is one.

    Raises:
        UserError: the disk is full or not writable.
    """
    if folder.resolve() == run.folder.path.resolve():
        return
    own = run.folder
    write_atomically(RunFolder(folder).config, _without_home(own.config))
    write_atomically(RunFolder(folder).summary, _without_home(own.summary))
    for name in (measuring.FILE, *([measuring.PICTURE] if shown else [])):
        if (own.path / name).exists():
            write_atomically(folder / name, (own.path / name).read_bytes())


def _without_home(path: Path) -> bytes:
    """Whose home it was is nobody's business, and no part of the run."""
    return path.read_bytes().replace(f"{Path.home()}/".encode(), b"~/")
