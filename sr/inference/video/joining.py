"""The finished parts become one file, with everything else that the source holds: sound, subtitles, chapters, fonts."""

import heapq
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from sr.data.preparation.frames import opened
from sr.errors import UserError
from sr.files import write_atomically
from sr.inference.video.clock import Clock
from sr.inference.video.encoding import Look, add_stream
from sr.inference.video.options import FORMATS, VideoOptions
from sr.inference.video.parts import Part
from sr.inference.video.reading import Facts
from sr.printable import first_line, printable

if TYPE_CHECKING:  # a name of PyAV's stubs only
    from av.container.core import Chapter

_OF_THE_OLD_FILE = ("encoder", "major_brand", "minor_version", "compatible_brands", "creation_time")
_FOR_APPLE = "hvc1"
_TIME_CODE = "timecode"
_AT_ONCE = 0x20000
"""FFmpeg's mark of formats that hold packets of one stream with the same time."""


@dataclass(frozen=True)
class Span:
    """What of the source is taken, in seconds on its clock.

    Attributes:
        begin: of the first frame.
        end: of the last frame's end.
        shift: what is taken off all times.
        cut: other streams are cut to the span; else they come along whole.
    """

    begin: Fraction
    end: Fraction
    shift: Fraction
    cut: bool


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
        copies = _add_copies(container, output, moving, plan.without, timed)
        _describe_file(container, output, span, timed)
        output.start_encoding()
        copied = _copied_packets(container, copies, plan.facts, span, most)
        rising = _rising(copied, 0 if output.format.flags & _AT_ONCE else 1)
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


def _copied_packets(
    container: InputContainer, copies: dict[int, Stream], facts: Facts, span: Span, most: int | None
) -> Iterator[av.Packet]:
    """Packets of streams that are copied: all, or those among the first ``most`` of the source."""
    if not copies:
        return
    if span.cut and span.begin > 0 and not facts.restarts:
        with suppress(av.FFmpegError):  # a format without a way to jump: everything before is read and left out
            container.seek(int((span.begin - 2) * av.time_base))
    clocks = {index: Clock(facts.restarts) for index in copies}
    wanted = container.streams if most is not None else [container.streams[index] for index in copies]
    with suppress(av.FFmpegError):  # of the source, told by the reader
        for packet in islice(container.demux(*wanted), most):
            index = packet.stream.index
            if index not in copies:
                continue
            still = bool(packet.stream.disposition & Disposition.attached_pic)
            if still and packet.size and packet.pts is None:
                packet.pts = packet.dts = 0
            if packet.dts is None and packet.pts is None:  # the end of a stream
                continue
            packet.pts = packet.dts if packet.pts is None else packet.pts
            packet.dts = packet.pts if packet.dts is None else packet.dts
            assert packet.dts is not None
            later = clocks[index].offset(packet.dts * packet.time_base, packet.pos)
            if not still and not _moved(packet, span, later):
                continue
            packet.stream = copies[index]
            yield packet


def _rising(packets: Iterator[av.Packet], least: int) -> Iterator[av.Packet]:
    """Packets whose times of decoding rise within each stream by so many ticks, or they would be refused."""
    last: dict[int, int] = {}
    for packet in packets:
        assert packet.pts is not None
        assert packet.dts is not None
        index, base = packet.stream.index, packet.stream.time_base or packet.time_base
        scale = packet.time_base / base
        dts = round(packet.dts * scale)
        if index in last and dts < last[index] + least:
            dts = last[index] + least
            packet.pts, packet.dts = max(round(packet.pts * scale), dts), dts
            packet.duration, packet.time_base = round((packet.duration or 0) * scale), base
        last[index] = dts
        yield packet


def _moved(packet: av.Packet, span: Span, later: Fraction) -> bool:
    """Put a packet so many seconds later, and where it belongs on the new clock; whether it belongs to the span."""
    assert packet.pts is not None
    assert packet.dts is not None
    base = packet.time_base
    packet.pts, packet.dts = packet.pts + round(later / base), packet.dts + round(later / base)
    time, end = packet.pts * base, (packet.pts + (packet.duration or 0)) * base
    if span.cut and time < span.begin < end and packet.stream.type == "subtitle":  # it is on the screen already
        first = round(span.begin / base)
        packet.duration = packet.pts + (packet.duration or 0) - first
        packet.pts = packet.dts = first
        time = span.begin
    if span.cut and not span.begin <= time < span.end:
        return False
    shift = round(span.shift / base)
    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
    return True


def _add_copies(
    container: InputContainer, output: OutputContainer, moving: VideoStream, without: Collection[int], timed: bool
) -> dict[int, Stream]:
    """Streams of the output for what is copied, by the number of the source's.

    Raises:
        ValueError: one does not fit in.
    """
    copies: dict[int, Stream] = {}
    for stream in container.streams:
        if stream.index == moving.index or stream.index in without:
            continue
        if stream.type == "video" and not stream.disposition & Disposition.attached_pic:
            raise ValueError("one is enlarged")
        if stream.type == "data" and _TIME_CODE in stream.metadata:
            if timed:  # FFmpeg makes its own of the pictures' tag
                continue
            raise ValueError("there is no time code")
        copy = output.add_stream_from_template(stream, opaque=True)
        if isinstance(copy, AudioStream) and copy.layout.name.endswith("channels"):  # it does not say which
            copy.codec_context.layout = AudioLayout(f"{copy.layout.nb_channels}c")
        copy.metadata.update({k: v for k, v in stream.metadata.items() if k not in _OF_THE_OLD_FILE})
        copy.disposition = stream.disposition
        if stream.type != "attachment":
            copies[stream.index] = copy
    return copies


def _describe(stream: VideoStream, moving: VideoStream, facts: Facts, timed: bool) -> None:
    kept = ("language", "title", "handler_name", _TIME_CODE if timed else "")
    stream.metadata.update({k: v for k, v in moving.metadata.items() if k.lower() in kept})
    stream.disposition = moving.disposition
    if facts.rotation:
        stream.set_display_rotation(facts.rotation)


def _describe_file(container: InputContainer, output: OutputContainer, span: Span, timed: bool) -> None:
    lost = _OF_THE_OLD_FILE if timed else (*_OF_THE_OLD_FILE, _TIME_CODE)
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
