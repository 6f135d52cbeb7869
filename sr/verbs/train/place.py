"""Where a run lies: a folder of its own, that of the run it goes on with, or that of a run which is finished."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sr.config.resumable import folder_fault
from sr.errors import UserError
from sr.pasted import pasted, setting
from sr.printable import printable
from sr.training.keeping.claim import claimed
from sr.training.keeping.command import Command
from sr.training.keeping.run_folder import RunFolder
from sr.verbs.train.resume import Resumed, differing, finished, going_on, is_run_of, newest, read_resumed

_LONGEST = 100
"""Letters of a run's name in a sweep: file systems take 255 bytes, and Windows 260 for the whole path."""
_LONGEST_VALUE = 30


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep.

    Attributes:
        folder: of the run.
        place: folder of the whole sweep, in which ``resume=auto`` looks.
        told: folder in that of the sweep in which it is kept why the run failed; that of the run, if it has no other.
        exact: limits are swept, so that they tell runs apart.
    """

    folder: Path
    place: Path
    told: Path
    exact: bool


@dataclass(frozen=True)
class Place:
    """Where a run lies.

    Attributes:
        folder: this process's alone.
        resumed: what is there to go on from, or None.
        finished: summary of the run that is there and has come to its end, or None.
    """

    folder: RunFolder
    resumed: Resumed | None = None
    finished: dict[str, Any] | None = None


def run_name(number: int, varied: Sequence[str]) -> str:
    """A run's name in a sweep: no shell needs quotes for it and every file system takes it.

    Args:
        number: of the run, which makes it unique.
        varied: ``key=value`` that tell it apart.
    """
    text = unicodedata.normalize("NFKD", "_".join(map(_short, varied))).encode("ascii", "ignore").decode()
    name = f"{number}_{re.sub(r'[^A-Za-z0-9._]+', '-', text).strip('-.')}".rstrip("_")
    if len(name) <= _LONGEST:
        return name
    digest = blake2b("_".join(varied).encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{name[: _LONGEST - 9]}-{digest}"


def _short(override: str) -> str:
    """The end of a long value tells more than its beginning."""
    key, _, value = override.partition("=")
    return f"{key}={value[-_LONGEST_VALUE:]}"


@contextmanager
def placed(config: Any, command: Command, swept: SweptRun | None, say: Callable[[str], None]) -> Iterator[Place]:
    """The run's place, locked for this process.

    Args:
        config: as composed from this command line.
        command: that was typed for this run.
        swept: the run's part of a sweep, or None.
        say: told what is found.

    Raises:
        UserError: the place holds another run, is in use, or there is nothing to go on from; or it cannot be shown.
    """
    check_shown(config.run_dir)
    if config.resume not in (None, "auto"):
        fault = folder_fault(config.resume)
        if fault is not None:
            raise UserError(fault)
        with claimed(Path(config.resume), "resume=", trust=config.trust) as path:
            yield Place(RunFolder(path), read_resumed(RunFolder(path), config, command.overrides))
        return
    found = newest(config, _searched(config, swept), swept is not None and swept.exact, say) if config.resume else None
    if found is not None:
        with claimed(found.path, "", trust=config.trust) as path:
            yield _again(RunFolder(path), config, command.overrides, say)
        return
    own, anew = _own(config, command.choices["model"], swept)
    name = "run_dir=" if swept is None and not anew else ""
    with claimed(own, name, anew, config.trust) as path:
        folder = RunFolder(path)
        if swept is not None and is_run_of(folder, config):
            yield _again(folder, config, command.overrides, say)
            return
        if folder.holds_run:
            raise UserError(_taken(folder, config) if swept is None else of_another(folder, config))
        if swept is None and (runs := runs_below(path)):
            raise UserError(f"run_dir={path} holds runs of its own ({runs[0]}), as of a sweep; choose another run_dir")
        yield Place(folder)


def runs_below(folder: Path) -> list[str]:
    """Names of the folders directly in this one that hold a run."""
    return sorted(child.name for child in folder.iterdir() if child.is_dir() and RunFolder(child).holds_run)


def _searched(config: Any, swept: SweptRun | None) -> list[RunFolder] | None:
    """Folders in which ``resume=auto`` looks; None for all below ``outputs/``."""
    if swept is not None:
        return [RunFolder(path.parent) for path in sorted(swept.place.glob("*/config.yaml"))]
    if config.run_dir is None:
        return None
    return [RunFolder(Path(config.run_dir))]


def _again(folder: RunFolder, config: Any, overrides: Sequence[str], say: Callable[[str], None]) -> Place:
    """What ``resume=auto`` does with a run of this configuration."""
    if not folder.checkpoint.exists():
        over = finished(folder, config)
        if over is not None and folder.last.exists():
            return Place(folder, finished=over)
        why = "that run ended before its first one" if over is None else "nor the network that it ended with"
        say(f"{folder.path} has no checkpoint: {why}; starting it over")
        folder.clear()
        return Place(folder)
    resumed = read_resumed(folder, config, overrides)
    over = finished(folder, resumed.config)
    if over is not None and folder.last.exists():
        return Place(folder, finished=over)
    if over is not None:
        say(f"{folder.path} has lost the network that it ended with; its checkpoint brings it back")
        folder.summary.unlink()  # until it has ended again
    return Place(folder, resumed)


def _own(config: Any, model_name: str, swept: SweptRun | None) -> tuple[Path, bool]:
    """A new run's folder, and whether it gets another name where there is one of that name already."""
    if swept is not None:
        return swept.folder, False
    if config.run_dir is not None:
        return Path(config.run_dir), False
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    return Path("outputs") / f"{now}_{model_name}_x{config.scale}", True


def of_another(folder: RunFolder, config: Any) -> str:
    """What to say of a run that lies where one of a sweep would.

    Args:
        folder: of the run.
        config: of that of the sweep.
    """
    other = differing(folder, config)
    what = f"of another configuration ({other})" if other else "that this program did not write"
    return f"{folder.path} holds a run {what}; choose another run_dir for the sweep"


def _taken(folder: RunFolder, config: Any) -> str:
    again, place = going_on(folder), f"run_dir={config.run_dir}"
    if config.resume == "auto":
        other = differing(folder, config)
        what = f"of another configuration ({other})" if other else "that this program did not write"
        return f"{place} holds a run {what}; choose another run_dir" + (
            f", or go on with it: {again}" if folder.checkpoint.exists() else ""
        )
    if folder.checkpoint.exists():
        return f"{place} already holds a run; {again} goes on with it, or choose another run_dir"
    if not folder.config.exists():  # nothing of a run but what bears its names, as the folders inside one
        return f"{place} holds {folder.left[0].name}, which the run would overwrite; choose another run_dir"
    auto = f"resume=auto {setting('run_dir', config.run_dir)} starts it over"
    return f"{place} already holds a run, which has no checkpoint; {auto}, or choose another run_dir"


def check_shown(run_dir: str | None) -> None:
    """Refuse a folder whose name lines that we print to be pasted would not say.

    Raises:
        UserError: it has characters that no terminal shows.
    """
    shown = "".join(letter if printable(letter) == letter else "_" for letter in run_dir or "")
    if run_dir is not None and shown != run_dir:
        raise UserError(
            f"run_dir={run_dir} holds a character that no terminal shows, so that no printed line could name it; "
            f"write {pasted(setting('run_dir', shown))}"
        )
