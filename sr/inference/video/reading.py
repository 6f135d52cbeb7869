"""Decoded frames with their times: each exactly once, whatever the file is like, from any time on."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from sr.data.preparation.frames import FULL_RANGE, opened
from sr.errors import UserError
from sr.inference.video.clock import STARTS_ANYWHERE, Clock, Restart, restarts_of
from sr.inference.video.layout import Layout, Stored, layout_of
from sr.printable import printable

_CENTRED = ("mjpeg", "mpeg1video", "h261", "h263", "flv", "theora")
"""Codecs whose colour samples lie between the brightness samples in width too; their files do not say so."""
_LIMITED = re.compile(r"h26.*|hevc|vvc|mpeg.*|msmpeg.*|wmv.|vc1.*|vp\d.*|av1|flv.*|theora|lib.*")
"""Codecs that have gray in limited range where nobody says, as colour: those of ITU, MPEG and films in the web."""
_JUMP_BEFORE = 2.0
"""Seconds before the wanted frame that are decoded: the first ones after a jump may lack what they refer to."""


@dataclass(frozen=True)
class Facts:
    """What is known of a video once its first frame is decoded.

    Attributes:
        width: stored columns.
        height: stored rows.
        layout: of the planes.
        range: tag of the range, as the colour tags in FFmpeg's numbering.
        primaries: tag of the primaries.
        transfer: tag of the transfer curve.
        aspect: width of a pixel over its height, or None where nobody says.
        rotation: degrees counterclockwise that a player turns it.
        time_base: seconds of a tick of its clock.
        rate: mean frames per second.
        origin: seconds on its clock where the file begins.
        shift: seconds to take off all times so that the file begins at 0; 0 where its clock does so anyway.
        seconds: how long it is, or None.
        frames: how many it promises, or None.
        notes: a line each on what does not come along.
        restarts: where the clock begins anew.
    """

    width: int
    height: int
    layout: Layout
    range: int
    primaries: int
    transfer: int
    aspect: Fraction | None
    rotation: int
    time_base: Fraction
    rate: Fraction
    origin: Fraction
    shift: Fraction
    seconds: float | None
    frames: int | None
    notes: tuple[str, ...]
    restarts: tuple[Restart, ...] = ()


@dataclass(frozen=True)
class RawFrame:
    """A decoded frame.

    Attributes:
        pts: time in ticks of the video's clock, larger than that of the frame before.
        duration: ticks.
        planes: None where they equal those of the frame before.
    """

    pts: int
    duration: int
    planes: Stored | None


def video_facts(path: Path) -> Facts:
    """What a video is like.

    Raises:
        UserError: it is missing, no video, damaged at its beginning, or has no frame.
    """
    with opened(path) as (container, stream):
        first = next(_decoded(container, stream, []), None)
        if first is None:
            raise UserError(f"the video '{printable(path)}' holds no frame that can be decoded; copy it again")
        facts = _facts(container, stream, first)
    with opened(path) as (container, stream):
        return replace(facts, restarts=restarts_of(container, stream, 1 / facts.rate))


def _facts(container: InputContainer, stream: VideoStream, first: av.VideoFrame) -> Facts:
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    start = Fraction(container.start_time or 0, av.time_base)
    seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    if seconds is None and container.duration:
        seconds = container.duration / av.time_base
    notes = []
    if first.interlaced_frame:
        notes.append("it is interlaced, and both fields of a frame are enlarged as one picture; deinterlace it first")
    if any(component.is_alpha for component in first.format.components) and not first.format.has_palette:
        notes.append("its transparency is left out")
    codec = stream.codec_context.name
    layout = layout_of(first, codec in _CENTRED, _LIMITED.fullmatch(codec) is not None)
    return Facts(
        width=first.width,
        height=first.height,
        layout=layout,
        range=FULL_RANGE if layout.coding.full else int(first.color_range),
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
        aspect=stream.sample_aspect_ratio or None,
        rotation=round(first.rotation / 90) * 90 % 360,
        time_base=stream.time_base or 1 / rate,
        rate=rate,
        origin=start,
        shift=start if container.format.flags & STARTS_ANYWHERE else Fraction(0),
        seconds=seconds,
        frames=stream.frames or None,
        notes=tuple(notes),
    )


class Reader:
    """The frames of a video, in order.

    Args:
        path: the video.
        facts: what it is like.

    Attributes:
        notes: after reading, a line each on what was wrong with the file.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self.path, self.facts, self.notes = path, facts, list[str]()
        self._sorter = VideoReformatter()
        self._step = max(1, round(1 / (facts.rate * facts.time_base)))

    def frames(self, first: int | None, end: int | None, part: int | None = None) -> Generator[RawFrame]:
        """Decode.

        Args:
            first: ticks of the first wanted frame or any time after the frame before it; None for the beginning.
            end: ticks before which the wanted frames lie; None for all.
            part: frames after which one has planes even if it equals the one before, so that what is made of the next
                frames depends on nothing that a job which goes on from there does not have; None for no such.
        """
        count = 0
        found = None if first is None else self._from(first)
        before: Stored | None = None
        for frame, pts in found or self._timed(None, first):
            if first is not None and pts < first:
                continue
            if end is not None and pts >= end:
                return
            planes = self._planes(frame)
            begins = part is not None and count % part == 0
            same = not begins and before is not None and all(map(np.array_equal, planes, before))
            yield RawFrame(pts, frame.duration or self._step, None if same else planes)
            before, count = planes, count + 1

    def _from(self, first: int) -> Generator[tuple[av.VideoFrame, int]] | None:
        """Frames from some time before ``first`` on; None where a jump does not lead there for sure."""
        if self.facts.restarts:  # a time may be there twice
            return None
        jump = first - round(_JUMP_BEFORE / self.facts.time_base)
        frames = self._timed(jump, first)
        one = next(frames, None)
        if one is None or one[0].pts is None or one[1] >= first:
            frames.close()
            self.notes.clear()
            return None
        return frames

    def _timed(self, jump: int | None, first: int | None) -> Generator[tuple[av.VideoFrame, int]]:
        """All frames from a jump on, with their times; only what is wrong from the first wanted one on is noted."""
        last: int | None = None
        repaired = 0
        faults: list[str] = []
        clock, base = Clock(self.facts.restarts), self.facts.time_base
        with opened(self.path) as (container, stream):
            if jump is not None:
                try:
                    container.seek(jump, stream=stream)
                except av.FFmpegError:  # a format without a way to jump
                    return
            own = bool(stream.duration or stream.metadata.get("DURATION"))  # not its sound's, which may be longer
            for frame in _decoded(container, stream, faults):
                pts = frame.pts
                if pts is not None:
                    pts += round(clock.offset(pts * base) / base)
                if pts is None:
                    pts = 0 if last is None else last + self._step
                elif last is not None and pts <= last:
                    pts, repaired = last + 1, repaired + 1
                if first is not None and pts < first:
                    faults.clear()
                    repaired = 0
                last = pts
                yield frame, pts
        self._note(faults, repaired, last, 0.0 if own else 1.0)

    def _note(self, faults: list[str], repaired: int, last: int | None, slack: float) -> None:
        """Say what was wrong, once everything is read."""
        if faults:
            self.notes.append(f"{len(faults)} places of it are damaged ({faults[0]}) and left out")
        if repaired:
            self.notes.append(f"{repaired} frames had no time of their own and follow the one before at once")
        if last is not None and self.facts.seconds is not None:
            here = float(last * self.facts.time_base - self.facts.origin)
            if here + max(slack, 3 / float(self.facts.rate)) < self.facts.seconds:
                self.notes.append(f"it is cut off after {here:.1f} of {self.facts.seconds:.1f} seconds")

    def _planes(self, frame: av.VideoFrame) -> Stored:
        """The numbers of a frame, sorted into planes; they lie in the decoder's memory."""
        facts = self.facts
        other_size = (frame.width, frame.height) != (facts.width, facts.height)
        if other_size or frame.format.name != facts.layout.format:
            frame = self._sorter.reformat(frame, facts.width, facts.height, facts.layout.format, threads=1)
        if other_size and not any("changes its size" in note for note in self.notes):
            self.notes.append(f"it changes its size; all frames are brought to {facts.width}x{facts.height}")
        coding = facts.layout.coding
        shapes = [(facts.height, facts.width)]
        if not coding.gray:
            shapes += [(-(-facts.height // coding.down), -(-facts.width // coding.across))] * 2
        return tuple(_rows(plane, shape, coding.dtype) for plane, shape in zip(frame.planes, shapes, strict=False))


def _rows(plane: VideoPlane, shape: tuple[int, int], dtype: type[np.uint8 | np.uint16]) -> np.ndarray:
    numbers = np.frombuffer(memoryview(plane), dtype=dtype)
    return numbers.reshape(-1, plane.line_size // numbers.itemsize)[: shape[0], : shape[1]]


def _decoded(container: InputContainer, stream: VideoStream, faults: list[str]) -> Iterator[av.VideoFrame]:
    """All frames that can be decoded; what cannot goes to ``faults``."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            frames = [] if packet is None else packet.decode()
        except EOFError:
            return
        except av.FFmpegError as error:
            faults.append(str(error.strerror or error))
            if len(faults) > _MANY:
                return
            continue
        if packet is None:
            return
        yield from frames


_MANY = 10_000
"""Faults after which a file is given up: it may say the same for ever."""
