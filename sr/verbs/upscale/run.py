"""The work of `sr upscale`: one job after the other, and what is said of them."""

import hashlib
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from rich.console import Console

from sr.console import plain_console, shares
from sr.errors import PARTLY_FAILED, UserError
from sr.files import check_place, check_writable, sweep_up
from sr.image.encode import QUALITY
from sr.inference.enhance.enhancer import Settings
from sr.inference.pictures import upscale_file
from sr.inference.upscaler import Upscaler
from sr.inference.video.options import VideoOptions
from sr.models.upscale import NotFiniteError
from sr.printable import printable
from sr.verbs.code import code_digest
from sr.verbs.screen.errors import print_error, unforeseen_of
from sr.verbs.screen.quiet import quiet_libraries
from sr.verbs.upscale.asked import How, network_files, ready_upscaler
from sr.verbs.upscale.jobs import STREAM, Inputs, Job, Naming, check_naming, find_inputs, jobs_of, status

_SHOWN = 3  # pictures named in a line


@dataclass(frozen=True)
class Asked:
    """What `sr upscale` is asked for.

    Attributes:
        inputs: files, folders, patterns, `STREAM`.
        naming: how outputs are called.
        how: how pictures are enlarged.
        quality: of lossy formats; None: the usual.
        force: make anew what is there.
        enhance: what else is done with pictures.
        video: how videos are written.
    """

    inputs: Sequence[str]
    naming: Naming
    how: How = field(default_factory=How)
    quality: int | None = None
    force: bool = False
    enhance: Settings = field(default_factory=Settings)
    video: VideoOptions = field(default_factory=VideoOptions)


def upscale(asked: Asked) -> int:
    """Enlarge files and folders. One that fails does not stop the others.

    Returns:
        0, or `PARTLY_FAILED` where some of several failed; what was wrong is printed at the end.

    Raises:
        UserError: nothing to read, nowhere to write, an original would be overwritten, or the only picture failed.
    """
    with _streams(asked) as (asked, to_stdout, names):
        console = plain_console(soft_wrap=True, file=sys.stderr if to_stdout else None)
        inputs = find_inputs(asked.inputs, asked.naming.output, console.print)
        if to_stdout and (len(inputs.files) > 1 or inputs.folders):
            raise UserError("-o - takes one picture; several need a folder")
        check_naming(asked.naming, asked.quality, len(inputs.files) > 1 or bool(inputs.folders))
        files = network_files(asked.how)
        upscaler = ready_upscaler(asked.how, files)
        for path in files:
            console.print(f"network: {printable(path)}")
        made_by = _digest(asked, files)
        to = asked.how.to
        words = ("upscaling", f"upscaled x{upscaler.scale:g}") if to is None else ("translating", f"translated to {to}")
        return Work(asked, upscaler, made_by, console, words, names).all(inputs)


@contextmanager
def _streams(asked: Asked) -> Iterator[tuple[Asked, bool, frozenset[Path]]]:
    """Files in place of the standard input and output; whether the picture goes to the latter; and which these are.

    Raises:
        UserError: a terminal is the standard output.
    """
    reads, output = STREAM in asked.inputs, asked.naming.output
    writes = output == STREAM or (reads and output is None)
    if not reads and not writes:
        yield asked, False, frozenset()
        return
    if writes and sys.stdout.isatty():
        raise UserError("a picture is no text for a terminal; end the line with > FILE, or give -o FILE")
    with TemporaryDirectory(prefix="sr_") as folder:
        source, target = Path(folder) / "stdin", Path(folder) / f"stdout{asked.naming.ending or '.png'}"
        if reads:
            with source.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        inputs = [str(source) if one == STREAM else one for one in asked.inputs]
        naming = replace(asked.naming, output=str(target)) if writes else asked.naming
        try:
            yield replace(asked, inputs=inputs, naming=naming), writes, frozenset((source, target))
        except UserError as error:  # says what was typed, and not where it lies meanwhile
            lines = (line.replace(str(source), STREAM).replace(str(target), STREAM) for line in error.args)
            raise UserError(*lines) from error
        if target.exists():
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


class Work:
    """All jobs of a call.

    Args:
        asked: what to do.
        upscaler: networks at work.
        made_by: stands for everything that frames of a video depend on.
        console: where to.
        words: for what is being done, and what was done.
        streams: files in place of the standard input and output, which are called `STREAM`.
    """

    def __init__(
        self,
        asked: Asked,
        upscaler: Upscaler,
        made_by: str,
        console: Console,
        words: tuple[str, str],
        streams: frozenset[Path] = frozenset(),
    ) -> None:
        self._asked, self._upscaler, self._made_by, self._console = asked, upscaler, made_by, console
        self._doing, self._did = words
        self._streams = streams
        self._failures: list[str] = []
        self._notes: dict[str, list[str]] = defaultdict(list)
        self._failed = 0
        upscaler.tell = console.print

    def all(self, inputs: Inputs) -> int:
        """Do them; the exit code.

        Raises:
            UserError: the only one failed.
        """
        jobs = jobs_of(inputs, self._asked.naming, self._upscaler.scale, self._asked.force)
        for note in inputs.notes:
            self._console.print(note)
        waiting = [job for job in jobs if self._asked.force or status(job.target) is None]
        self._say_skipped(len(jobs) - len(waiting))
        began = monotonic()
        for folder in {job.target.parent for job in waiting}:
            sweep_up(folder)
        self._upscaler.waiting = sum(not job.is_video for job in waiting)
        with quiet_libraries():
            for job, share in shares(waiting, self._doing, self._console):
                self._one(job, share)
        for note, sources in self._notes.items():
            self._console.print(f"{_listed(sources)}: {note}")
        self._say_done(waiting, monotonic() - began)
        if self._failures and len(jobs) == 1:
            raise UserError(*self._failures)
        for failure in self._failures:
            print_error(failure)
        return PARTLY_FAILED if self._failures else 0

    def _one(self, job: Job, share: Callable[[float], None]) -> None:
        """Enlarge one file, or remember why not."""
        try:
            check_place(job.target)
            check_writable(job.target.parent)
            for note in self._video(job, share) if job.is_video else self._picture(job, share):
                self._notes[note].append(self._shown(job.source))
        except NotFiniteError as error:
            self._fail(f"{printable(job.source)}: {error}")
        except UserError as error:
            self._fail(*error.args)  # a line for each fault
        except Exception as error:  # whatever one file brings up, the others have their turn
            # Networks have sizes that they cannot take.
            what = "the network fails on it" if isinstance(error, RuntimeError) else "it failed"
            self._fail(unforeseen_of(job.source, what, error))

    def _fail(self, *lines: str) -> None:
        self._failed += 1
        self._failures += lines

    def _picture(self, job: Job, share: Callable[[float], None]) -> Sequence[str]:
        quality = QUALITY if self._asked.quality is None else self._asked.quality
        return upscale_file(self._upscaler, job.source, job.target, quality, self._asked.enhance, share)

    def _video(self, job: Job, share: Callable[[float], None]) -> Sequence[str]:
        from sr.inference.video.job import upscale_video  # here: pictures need no FFmpeg

        def done(frames: int, total: int | None) -> None:
            share(min(frames / total, 1.0) if total else 0.0)

        upscaler, asked = self._upscaler, self._asked
        report = upscale_video(
            job.source,
            job.target,
            upscaler,
            asked.video,
            self._console.print,
            self._made_by,
            done,
            upscaler.device,
            asked.enhance,
        )
        return [f"{report.frames} frames of {report.width}x{report.height}, {report.repeated} of them repeated"]

    def _shown(self, path: Path) -> str:
        return STREAM if path in self._streams else printable(path)

    def _say_skipped(self, count: int) -> None:
        if count:
            what, these = ("1 is", "it") if count == 1 else (f"{count} are", "them")
            self._console.print(f"{what} there already, and passed over; --force makes {these} anew")

    def _say_done(self, jobs: Sequence[Job], seconds: float) -> None:
        done = len(jobs) - self._failed
        if done <= 0:
            return
        output = self._asked.naming.output
        where = self._shown(jobs[0].target) if len(jobs) == 1 else printable(output or "beside the originals")
        rate = f" ({len(jobs) / seconds:.2g} pictures/s)" if len(jobs) > 1 else ""
        self._console.print(f"{done} of {len(jobs)} {self._did}: {where}{rate}")


def _listed(sources: Sequence[str]) -> str:
    shown = ", ".join(sources[:_SHOWN])
    return shown if len(sources) <= _SHOWN else f"{len(sources)} pictures ({shown}, …)"


def _digest(asked: Asked, files: Sequence[Path]) -> str:
    """Stands for networks, code and how they are used; what computes them the upscaler says once it has chosen."""
    how = asked.how
    settings = (how.ensemble, how.scale, how.colour, how.to, code_digest())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files) + repr(settings).encode()).hexdigest()
