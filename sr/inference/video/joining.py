"""The finished parts become one file, with everything else that the source holds: sound, subtitles, chapters, fonts."""

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from sr.data.preparation.frames import opened
from sr.errors import UserError
from sr.files import write_atomically
from sr.inference.video.copying import OF_THE_OLD_FILE, TIME_CODE, Span, add_copies, copied_packets, rising_packets
from sr.inference.video.encoding import Look, add_stream
from sr.inference.video.options import FORMATS, VideoOptions
from sr.inference.video.parts import Part
from sr.inference.video.reading import Facts
from sr.printable import first_line, printable

if TYPE_CHECKING:  # a name of PyAV's stubs only
    from av.container.core import Chapter

_FOR_APPLE = "hvc1"
_AT_ONCE = 0x20000
"""FFmpeg's mark of formats that hold packets of one stream with the same time."""


@dataclass(frozen=True)
class Plan:
    """What a file is to hold.

    Attributes:
        target: whose suffix is one of `FORMATS`.
        facts: of the source.
        look: of the frames.
        options: with which they are encoded.
        without: numbers of the source's streams that do not come along.
    """

    target: Path
    facts: Facts
    look: Look
    options: VideoOptions
    without: Collection[int] = ()


def join(source: Path, parts: Sequence[Part], plan: Plan) -> None:
    """Write the video.

    Args:
        source: from which the other streams are copied.
        parts: all of it, in order.
        plan: of the file.

    Raises:
        UserError: the disk is full, or the parts do not fit together.
    """
    facts, options = plan.facts, plan.options
    times = [time for part in parts for time in part.times]
    cut = options.start > 0 or options.length is not None
    begin = times[0] * facts.time_base
    end = (times[-1] + parts[-1].duration) * facts.time_base
    span = Span(begin, end, begin if options.start > 0 else facts.shift, cut)

    def write(file: BinaryIO) -> None:
        remembering = _Remembering(file)
        try:
            with opened(source) as opened_source:
                write_video(remembering, opened_source, parts, plan, span)
        except av.FFmpegError as error:
            if remembering.error is not None:  # FFmpeg does not say why it could not write
                raise remembering.error from None
            raise UserError(
                f"could not put {printable(plan.target)} together: {first_line(error)}; its frames are kept in "
                f"{printable(parts[0].path.parent)}"
            ) from error

    write_atomically(plan.target, write)


class _Remembering:
    """A file that keeps what went wrong with it.

    Args:
        file: open for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None
        self.seek, self.tell = file.seek, file.tell

    def write(self, data: bytes) -> int:
        """Write.

        Raises:
            OSError: the disk is full, say.
        """
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise


def write_video(
    file: "_Remembering | BytesIO",
    source: tuple[InputContainer, VideoStream],
    parts: Sequence[Part],
    plan: Plan,
    span: Span,
    most: int | None = None,
) -> None:
    """Write everything into a file.

    Args:
        file: open for writing.
        source: from which the other streams are copied.
        parts: all of it, in order; none for a trial of the rest.
        plan: of the file.
        span: of the source.
        most: packets of the source that are read for a trial; None for all.

    Raises:
        ValueError: a stream does not fit in.
    """
    container, moving = source
    look, options = plan.look, plan.options
    kind = FORMATS[plan.target.suffix.lower()]
    exact = {"movie_timescale": str(min(look.time_base.denominator, 1_000_000))} if kind in ("mp4", "mov") else {}
    with av.open(file, "w", format=kind, container_options=exact) as output:
        stream = add_stream(output, options, look)
        timed = options.start == 0  # a time code is that of the first frame
        _describe(stream, moving, plan.facts, timed)
        if options.codec == "x265" and kind in ("mp4", "mov"):
            stream.codec_tag = _FOR_APPLE
        copies = add_copies(container, output, moving, plan.without, timed)
        _describe_file(container, output, span, timed)
        output.start_encoding()
        copied = copied_packets(container, copies, plan.facts, span, most)
        rising = rising_packets(copied, 0 if output.format.flags & _AT_ONCE else 1)
        if not parts:
            output.mux(list(rising))
            return
        if bytes(stream.codec_context.extradata or b"") != parts[0].headers:
            raise UserError(f"the parts in {parts[0].path.parent} are another encoder's; delete that folder")
        own = _own_packets(stream, parts, look, span)
        for packet in heapq.merge(own, rising, key=_when):
            output.mux(packet)


def decode_times(pts: Sequence[int]) -> list[int]:
    """Times of decoding: rising, none later than its frame is shown.

    Args:
        pts: when frames are shown, in the order of decoding, all different.

    Returns:
        For each frame when it is decoded: the times of showing in rising order, so much earlier as the frame that
        waits longest for its turn needs.
    """
    rising = sorted(pts)
    place = {time: index for index, time in enumerate(rising)}
    ahead = max((index - place[time] for index, time in enumerate(pts)), default=0)
    step = rising[1] - rising[0] if len(rising) > 1 else 1
    before = [rising[0] - step * (ahead - index) for index in range(min(ahead, len(rising)))]
    return (before + rising)[: len(pts)]


def _own_packets(stream: VideoStream, parts: Sequence[Part], look: Look, span: Span) -> Iterator[av.Packet]:
    shown = [time for part in parts for time in part.times]
    lasting = {one: after - one for one, after in pairwise(shown)} | {shown[-1]: parts[-1].duration}
    shift = round(span.shift / look.time_base)
    order = [one.pts for part in parts for one in part.packets()]
    decoded = iter(decode_times(order))
    for part in parts:
        for one in part.packets():
            packet = av.Packet(one.data)
            packet.stream = stream
            packet.time_base = look.time_base
            packet.pts, packet.dts = one.pts - shift, next(decoded) - shift
            packet.duration = lasting[one.pts]
            packet.is_keyframe = one.key
            yield packet


def _when(packet: av.Packet) -> Fraction:
    assert packet.dts is not None
    return packet.dts * packet.time_base


def _describe(stream: VideoStream, moving: VideoStream, facts: Facts, timed: bool) -> None:
    kept = ("language", "title", "handler_name", TIME_CODE if timed else "")
    stream.metadata.update({k: v for k, v in moving.metadata.items() if k.lower() in kept})
    stream.disposition = moving.disposition
    if facts.rotation:
        stream.set_display_rotation(facts.rotation)


def _describe_file(container: InputContainer, output: OutputContainer, span: Span, timed: bool) -> None:
    lost = OF_THE_OLD_FILE if timed else (*OF_THE_OLD_FILE, TIME_CODE)
    output.metadata.update({k: v for k, v in container.metadata.items() if k.lower() not in lost})
    chapters: list[Chapter] = []
    for chapter in container.chapters():
        base = chapter["time_base"] or Fraction(1, av.time_base)
        start, end = chapter["start"] * base, chapter["end"] * base
        if span.cut:
            start, end = max(start, span.begin), min(end, span.end)
        if start < end:
            kept = chapter.copy()
            kept["time_base"] = base
            kept["start"], kept["end"] = (int((time - span.shift) / base) for time in (start, end))
            chapters.append(kept)
    if chapters:
        output.set_chapters(chapters)
