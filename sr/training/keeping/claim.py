"""A run's folder belongs to one process: made and locked before anything else, gone again where nothing began."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sr.errors import UserError
from sr.files import sweep_up
from sr.locks import InUseError, alone
from sr.printable import printable
from sr.training.keeping.run_folder import RUN_FOLDERS

LOCK = ".lock"
_LITTER = (LOCK, "multirun.yaml")
"""What is in a folder where nothing began; Hydra writes the second for every sweep."""


@contextmanager
def claimed(path: Path, name: str, anew: bool = False, trust: bool = False) -> Iterator[Path]:
    """A folder for this process alone, without what a killed one left half written.

    Args:
        path: of the folder; made if missing. Where nothing was put into it, it is gone afterwards.
        name: of the setting that names it, for messages.
        anew: take another name, with a number, where there is such a folder already.
        trust: the user knows who made the folder: links in it may lead out of it.

    Yields:
        The folder.

    Raises:
        UserError: another process works there, it cannot be written, a link in it leads out of it, or it is
            a link to nothing.
    """
    out = None if anew or trust else leading_out(path)
    if out is not None:
        raise UserError(
            f"{name}{path}: {printable(out)} is a link to {printable(os.path.realpath(out))}, outside of the folder, "
            "where the run would write; delete it, or add trust=true if it is yours"
        )
    with ExitStack() as held:
        try:
            if not anew and path.is_symlink() and not path.exists():
                gone = path.readlink()
                raise UserError(f"{name}{path} is a link to {gone}, which does not exist; make that folder first")
            above, new = _missing(path.parent), anew or not path.exists()
            folder = _unused(path) if anew else path
            made = [folder, *above] if new else []
            held.enter_context(alone(folder / LOCK))
        except InUseError as error:
            raise UserError(
                f"{name}{path} is being written by {error}; wait until it has ended, or take another run_dir"
            ) from None
        except OSError as error:
            raise UserError(f"could not write {path}: {error.strerror or error}; choose another run_dir") from error
        sweep_up(folder, below=True)
        try:
            yield folder
        finally:
            _leave(folder, made)


def leading_out(folder: Path) -> Path | None:
    """A link in a run's folder that leads out of it, or None: what a stranger has planted there is written through.

    Args:
        folder: may itself be reached by a link, and may be missing.
    """
    inside = Path(os.path.realpath(folder))
    for place, folders, files in os.walk(folder):
        for entry in (Path(place, name) for name in sorted([*folders, *files])):
            if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(inside):
                return entry
        if Path(place) == folder:  # others are no part of a run, such as an environment beside it
            folders[:] = [name for name in folders if name in RUN_FOLDERS]
    return None


def _missing(path: Path) -> list[Path]:
    """The folder and those above it, as far as they do not exist yet, innermost first."""
    return [place for place in (path, *path.parents) if not place.exists()]


def _unused(path: Path) -> Path:
    """Make a folder that nobody had: two runs may start in the same second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate, number = path, 2
    while True:
        try:
            candidate.mkdir()
        except FileExistsError:
            candidate, number = path.with_name(f"{path.name}_{number}"), number + 1
        else:
            return candidate


def _leave(folder: Path, made: Sequence[Path]) -> None:
    """Take the lock's file away, and the folders that were made where nothing else is in them."""
    with suppress(OSError):
        inside = {entry.name for entry in folder.iterdir()}
        litter = _LITTER if folder in made and inside <= set(_LITTER) else (LOCK,)
        for name in litter:
            (folder / name).unlink(missing_ok=True)
        for place in made:
            place.rmdir()
