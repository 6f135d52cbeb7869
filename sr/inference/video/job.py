"""A video in, a larger video out: decoding, network and encoding beside each other, in parts that survive a kill."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

import av
from jaxtyping import Float
from torch import Tensor

from sr.errors import UserError
from sr.files import check_writable
from sr.image.resize import bicubic
from sr.inference.video.encoding import Look, PartEncoder, look_of
from sr.inference.video.joining import FORMATS, join
from sr.inference.video.options import VideoOptions
from sr.inference.video.parts import Part, Parts, parts_beside
from sr.inference.video.reading import Facts, RawFrame, Reader, Stored, rgb_of, video_facts
from sr.inference.video.threads import ReadAhead, WriteBehind
from sr.inference.video.yuv import from_rgb
from sr.printable import printable

PART = 120
"""Frames of a part: what a kill costs at most, and the longest way to a frame where decoding can begin."""
_WAITING = 4
"""Frames that may wait on each side of the network."""


class Enlarger(Protocol):
    """What enlarges pictures that are in memory, as `sr.inference.upscaler.Upscaler`."""

    @property
    def scale(self) -> float:
        """Of the result."""

    def image(self, lr: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 H W"]:
        """Enlarged pictures in [0, 1]."""


@dataclass(frozen=True)
class VideoReport:
    """What was done.

    Attributes:
        frames: of the result.
        repeated: of those that were enlarged now, how many equal the one before and were not enlarged again.
        kept: frames that an interrupted job had left.
        width: of the result in columns.
        height: in rows.
        seconds: from beginning to end.
        network_seconds: of these, in the network.
        notes: a line each on what the user should know.
    """

    frames: int
    repeated: int
    kept: int
    width: int
    height: int
    seconds: float
    network_seconds: float
    notes: tuple[str, ...]


def upscale_video(
    source: Path,
    target: Path,
    upscaler: Enlarger,
    options: VideoOptions,
    say: Callable[[str], None],
    made_by: str = "",
    done: Callable[[int, int | None], None] = lambda frames, total: None,
) -> VideoReport:
    """Enlarge a video. Interrupted, even killed, the same call goes on after the last finished part.

    Args:
        source: the video.
        target: with a suffix of `FORMATS`; replaced where it is there.
        upscaler: the networks at work.
        options: how it is written.
        say: gets lines as they come up; the report has them too.
        made_by: stands for everything in ``upscaler`` that the frames depend on, such as digests of the networks and
            their settings; frames of another one are not taken over.
        done: gets the number of finished frames, and about how many there will be, where that is known.

    Returns:
        What was done.

    Raises:
        UserError: not a video, no frame in the span, a suffix or codec that is not written, a full disk, and so on.
    """
    began = monotonic()
    _check_target(source, target, options)
    facts = video_facts(source)
    job = _Job(upscaler, options, facts, say, done)
    status = source.stat()
    key = {
        "source": [status.st_size, status.st_mtime_ns],
        "options": asdict(options),
        "by": made_by,
        "scale": upscaler.scale,
        "frames": PART,
        "av": av.__version__,
    }
    with parts_beside(target, key) as parts:
        kept = sum(len(part.times) for part in parts.finished())
        if kept:
            say(f"{kept} frames are finished; going on after them")
        finished = job.run(source, parts)
        if not finished:
            raise UserError(_empty(source, facts, options))
        look = look_of(facts, options, finished[0].width, finished[0].height)
        for note in join(source, target, finished, facts, look, options):
            job.note(note)
    return VideoReport(
        frames=sum(len(part.times) for part in finished),
        repeated=job.repeated,
        kept=kept,
        width=look.width,
        height=look.height,
        seconds=monotonic() - began,
        network_seconds=job.network_seconds,
        notes=tuple(job.notes),
    )


class _Job:
    """The frames of one video on their way through the network."""

    def __init__(
        self,
        upscaler: Enlarger,
        options: VideoOptions,
        facts: Facts,
        say: Callable[[str], None],
        done: Callable[[int, int | None], None],
    ) -> None:
        self.upscaler, self.options, self.facts, self.say, self.done = upscaler, options, facts, say, done
        self.notes = list[str]()
        self.repeated = 0
        self.network_seconds = 0.0
        for note in facts.notes:
            self.note(note)

    def note(self, note: str) -> None:
        """Say a line, once."""
        if note not in self.notes:
            self.notes.append(note)
            self.say(note)

    def run(self, source: Path, parts: Parts) -> list[Part]:
        """Make the parts that are missing; all of them."""
        finished = parts.finished()
        first, end = _ticks(self.facts, self.options)
        if finished:
            first = finished[-1].times[-1] + 1
        reader = Reader(source, self.facts)
        writer = _PartWriter(parts, self.options, self.facts, finished)
        total = _expected(self.facts, self.options)
        with (
            ReadAhead(reader.frames(first, end), _WAITING) as frames,
            WriteBehind(writer.add, _WAITING) as behind,
        ):
            latest: _Planes | None = None
            count = sum(len(part.times) for part in finished)
            for group in grouped(frames, self.options.batch, PART):
                made = iter(self._enlarged([frame.planes for frame in group if frame.planes is not None]))
                for frame in group:
                    latest = latest if frame.planes is None else next(made)
                    self.repeated += frame.planes is None
                    assert latest is not None
                    behind.put((frame, latest))
                count += len(group)
                self.done(count, total)
        writer.close()
        for note in reader.notes:
            self.note(note)
        return writer.finished

    def _enlarged(self, frames: Sequence[Stored]) -> list["_Planes"]:
        """The planes of enlarged frames."""
        if not frames:
            return []
        pictures = rgb_of(frames, self.facts.layout)
        size = self._size()
        if size is not None:
            pictures = _brought_to(pictures, network_input(pictures.shape[-2:], size, self.upscaler.scale))
        began = monotonic()
        pictures = self.upscaler.image(pictures)
        self.network_seconds += monotonic() - began
        if size is not None:
            pictures = _brought_to(pictures, size)
        height, width = pictures.shape[-2:]
        look = look_of(self.facts, self.options, width, height)
        self._tell_of_odd_sides(look, width, height)
        coding = look.layout.coding
        planes = [plane.cpu().numpy().astype(coding.dtype) for plane in from_rgb(pictures, coding)]
        return [_Planes(tuple(frame), width, height) for frame in zip(*planes, strict=True)]

    def _size(self) -> tuple[int, int] | None:
        """(rows, columns) of the result as stored; a player turns it."""
        if self.options.size is None:
            return None
        width, height = self.options.size
        return (width, height) if self.facts.rotation in (90, 270) else (height, width)

    def _tell_of_odd_sides(self, look: Look, width: int, height: int) -> None:
        if (look.width, look.height) != (width, height):
            self.note(
                f"{width}x{height} has an odd side, which 4:2:0 colour does not allow; the last pixels are repeated: "
                f"{look.width}x{look.height}"
            )


@dataclass(frozen=True)
class _Planes:
    """An enlarged frame; width and height are those before colour samples needed even ones."""

    planes: Stored
    width: int
    height: int


class _PartWriter:
    """Encodes frames and keeps every `PART` of them as a part."""

    def __init__(self, parts: Parts, options: VideoOptions, facts: Facts, finished: list[Part]) -> None:
        self._parts, self._options, self._facts = parts, options, facts
        self.finished = finished
        self._encoder: PartEncoder | None = None
        self._count = 0
        self._last: tuple[RawFrame, _Planes] | None = None

    def add(self, item: tuple[RawFrame, _Planes]) -> None:
        """Encode a frame; write the part that it completes."""
        frame, made = item
        if self._encoder is None:
            self._encoder = PartEncoder(self._options, look_of(self._facts, self._options, made.width, made.height))
        self._encoder.add(made.planes, frame.pts)
        self._count, self._last = self._count + 1, item
        if self._count == PART:
            self.close()

    def close(self) -> None:
        """Write what there is."""
        if self._encoder is None or self._last is None:
            return
        frame, made = self._last
        coded = self._encoder.finish()
        if len(coded) != self._count:
            raise RuntimeError(f"the encoder gave {len(coded)} frames of {self._count}")
        size = (made.width, made.height)
        self.finished.append(self._parts.write(len(self.finished), coded, frame.duration, size, self._encoder.headers))
        self._encoder, self._count, self._last = None, 0, None


def grouped(frames: Iterator[RawFrame], batch: int, part: int) -> Iterator[list[RawFrame]]:
    """Frames for one run of the network: up to ``batch`` new ones with their repetitions, none beyond a part's end.

    So that a job that goes on gives the network the same batches as one that was never interrupted.
    """
    group: list[RawFrame] = []
    fresh = 0
    for count, frame in enumerate(frames, 1):
        group.append(frame)
        fresh += frame.planes is not None
        if fresh == batch or count % part == 0:
            yield group
            group, fresh = [], 0
    if group:
        yield group


def network_input(shape: Sequence[int], size: tuple[int, int], scale: float) -> tuple[int, int]:
    """What the network gets so that its result is at least as large as wanted, and no detail is thrown away before.

    A side that the network would leave too short is stretched before it, as the experiment log stretched 712x480 to
    960x540 for 1920x1080; one that it makes too long is shrunk after it.

    Args:
        shape: (rows, columns) of the source.
        size: (rows, columns) of the result.
        scale: the network's.
    """
    rows, columns = (max(have, math.ceil(want / scale)) for have, want in zip(shape, size, strict=True))
    return rows, columns


def _brought_to(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    return pictures if tuple(pictures.shape[-2:]) == size else bicubic(pictures, size=size).clamp(0, 1)


def _ticks(facts: Facts, options: VideoOptions) -> tuple[int | None, int | None]:
    """Ticks from which on, and before which, frames are wanted."""
    if options.start == 0 and options.length is None:
        return None, None
    begin = facts.origin + type(facts.origin)(str(options.start))
    first = math.ceil(begin / facts.time_base) if options.start else None
    if options.length is None:
        return first, None
    return first, math.ceil((begin + type(facts.origin)(str(options.length))) / facts.time_base)


def _expected(facts: Facts, options: VideoOptions) -> int | None:
    if options.start == 0 and options.length is None and facts.frames is not None:
        return facts.frames
    left = math.inf if facts.seconds is None else max(0.0, facts.seconds - options.start)
    seconds = min(left, math.inf if options.length is None else options.length)
    return None if math.isinf(seconds) else round(seconds * facts.rate)


def _check_target(source: Path, target: Path, options: VideoOptions) -> None:
    """Before long work: can the result be written at all?

    Raises:
        UserError: it cannot.
    """
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise UserError(
            f"{printable(target)}: no videos are written with the suffix {suffix or 'of none'}; "
            f"nearest is .mkv, all are {', '.join(FORMATS)}"
        )
    if suffix == ".webm" and options.codec != "av1":
        raise UserError(f"{printable(target)}: .webm does not hold {options.codec}; take .mkv, or the codec av1")
    if target.is_dir():
        raise UserError(f"{printable(target)} is a folder; name a file")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{printable(target)} would be overwritten by its enlargement; choose another name")
    check_writable(target.parent)


def _empty(source: Path, facts: Facts, options: VideoOptions) -> str:
    lasts = "" if facts.seconds is None else f"; it lasts {facts.seconds:.3f} seconds"
    length = "" if options.length is None else f" within {options.length:g} seconds"
    return f"the video '{printable(source)}' has no frame from second {options.start:g} on{length}{lasts}"
