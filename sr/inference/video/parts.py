"""Finished parts of a video on disk, so that an interrupted job goes on.

They lie beside the result in a hidden folder, one file each, written in one step: a part is there whole or not at all.
Each kind of job (source, settings, networks) has a folder of its own in there, and in it what computes them (engines,
device, version of PyTorch), so that parts of two never mix, and none are lost where another has to take over.
A part is a line of JSON and then the packets one after the other.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sr.errors import UserError
from sr.files import check_writable, sweep_up, write_atomically
from sr.inference.enhance.contrast import Limits
from sr.inference.video.encoding import Coded
from sr.locks import InUseError, alone
from sr.printable import printable

_COMPUTED_BY = "computed_by"  # a text file among the parts


@dataclass(frozen=True)
class Part:
    """A finished part.

    Attributes:
        path: its file.
        times: ticks of its frames, rising.
        duration: ticks of its last frame.
        width: columns of the frames before those that colour samples need.
        height: rows likewise.
        headers: of the encoder, the same for all parts.
        limits: by which a steady contrast changed its last frame, or None.
    """

    path: Path
    times: tuple[int, ...]
    duration: int
    width: int
    height: int
    headers: bytes
    limits: Limits | None

    def packets(self) -> Iterator[Coded]:
        """Its frames, in the order of decoding."""
        with self.path.open("rb") as file:
            head = json.loads(file.readline())
            for size, pts, key in zip(head["sizes"], head["pts"], head["keys"], strict=True):
                yield Coded(file.read(size), pts, key)


class Parts:
    """The finished parts of one job, once `take` was told which.

    Args:
        folder: of the job.
    """

    def __init__(self, folder: Path) -> None:
        self._job = self.folder = folder

    def computed_by(self) -> list[str]:
        """What computed those that are there, in words: what made the most comes first."""
        begun: list[tuple[int, str]] = []
        for words in sorted(self._job.glob(f"*/{_COMPUTED_BY}")):
            with suppress(OSError, ValueError):
                begun.append((-len(list(words.parent.glob("*.part"))), words.read_text()))
        return [words for _, words in sorted(begun)]

    def take(self, computed_by: str) -> None:
        """Go on with those that the same computed; others stay as they are.

        Args:
            computed_by: what will compute, in words.

        Raises:
            UserError: the disk is full.
        """
        self.folder = self._job / _short(computed_by)
        sweep_up(self.folder)
        if not (self.folder / _COMPUTED_BY).is_file():
            write_atomically(self.folder / _COMPUTED_BY, computed_by.encode())

    def finished(self) -> list[Part]:
        """What there is, in order, up to the first that is missing or damaged."""
        found: list[Part] = []
        while (part := _read(self._path(len(found)))) is not None:
            found.append(part)
        return found

    def write(
        self,
        number: int,
        coded: Sequence[Coded],
        duration: int,
        size: tuple[int, int],
        headers: bytes,
        limits: Limits | None,
    ) -> Part:
        """Keep a part.

        Args:
            number: 0 for the first.
            coded: its frames in the order of decoding.
            duration: ticks of its last frame.
            size: (width, height) of the frames.
            headers: of the encoder.
            limits: see `Part`.

        Raises:
            UserError: the disk is full.
        """
        times = [one.pts for one in coded]
        head = {
            "sizes": [len(one.data) for one in coded],
            "pts": times,
            "keys": [one.key for one in coded],
            "duration": duration,
            "size": size,
            "headers": headers.hex(),
            "limits": None if limits is None else [limits.low, limits.high],
        }
        path = self._path(number)
        write_atomically(path, b"".join([json.dumps(head).encode(), b"\n", *(one.data for one in coded)]))
        return Part(path, tuple(sorted(times)), duration, *size, headers, limits)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.part"


@contextmanager
def parts_beside(target: Path, job: dict[str, object]) -> Iterator[Parts]:
    """The parts of a job, to which nobody else has access meanwhile; gone where the job comes to its end.

    Args:
        target: the result.
        job: everything that the frames depend on, as plain values.

    Raises:
        UserError: another process makes the same file, or the folder cannot be written.
    """
    check_writable(target.parent)
    home = target.parent / f".{target.name[:40]}.{_short(target.name)}.parts"
    folder = home / _short(json.dumps(job, sort_keys=True))
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(home / "lock"))
            folder.mkdir(exist_ok=True)
        except InUseError as error:
            raise UserError(
                f"{printable(target)} is being made by {error}; wait for it, or choose another name"
            ) from error
        except OSError as error:
            raise UserError(f"could not write into {printable(home)}: {error.strerror or error}") from error
        try:
            yield Parts(folder)
        except BaseException:
            if any(home.rglob("*.part")):  # to go on from
                raise
            shutil.rmtree(home, ignore_errors=True)
            raise
        shutil.rmtree(home, ignore_errors=True)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _read(path: Path) -> Part | None:
    """A part whose file is as long as it says; None where there is none."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            start = file.tell()
        if path.stat().st_size != start + sum(head["sizes"]):
            return None
        times = tuple(sorted(head["pts"]))
        width, height = head["size"]
        limits = None if head["limits"] is None else Limits(*head["limits"])
        return Part(path, times, head["duration"], width, height, bytes.fromhex(head["headers"]), limits)
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not ours
        return None
