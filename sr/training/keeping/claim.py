"""A run's folder belongs to one process: made and locked before anything else, gone again where nothing began."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sr.errors import UserError
from sr.files import sweep_up
from sr.locks import InUseError, alone

LOCK = ".lock"
_LITTER = (LOCK, "multirun.yaml")
"""What is in a folder where nothing began; Hydra writes the second for every sweep."""


@contextmanager
def claimed(path: Path, name: str, anew: bool = False) -> Iterator[Path]:
    """A folder for this process alone, without what a killed one left half written.

    Args:
        path: of the folder; made if missing. Where nothing was put into it, it is gone afterwards.
        name: of the setting that names it, for messages.
        anew: take another name, with a number, where there is such a folder already.

    Yields:
        The folder.

    Raises:
        UserError: another process works there, or it cannot be written.
    """
    with ExitStack() as held:
        try:
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
