"""The finished parts become one file, with everything else that the source holds: sound, subtitles, chapters, fonts."""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from sr.data.preparation.frames import opened
from sr.errors import UserError
from sr.files import write_atomically
from sr.inference.video.encoding import Look, add_stream
from sr.inference.video.options import VideoOptions
from sr.inference.video.parts import Part
from sr.inference.video.reading import Facts
from sr.printable import printable

if TYPE_CHECKING:  # a name of PyAV's stubs only
    from av.container.core import Chapter

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg's names of the files that are written, by suffix."""

_OF_THE_OLD_FILE = ("encoder", "major_brand", "minor_version", "compatible_brands", "creation_time")
_FOR_APPLE = "hvc1"


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


def join(
    source: Path, target: Path, parts: Sequence[Part], facts: Facts, look: Look, options: VideoOptions
) -> list[str]:
    """Write the video.

    Args:
        source: from which the other streams are copied.
        target: whose suffix is one of `FORMATS`.
        parts: all of it, in order.
        facts: of the source.
        look: of the frames.
        options: with which the parts were encoded.

    Returns:
        A line for each thing that cannot come along.

    Raises:
        UserError: the disk is full, or the parts do not fit together.
    """
    times = [time for part in parts for time in part.times]
    cut = options.start > 0 or options.length is not None
    begin = times[0] * facts.time_base
    end = (times[-1] + parts[-1].duration) * facts.time_base
    span = Span(begin, end, begin if options.start > 0 else facts.shift, cut)
    notes: list[str] = []

    def write(file: BinaryIO) -> None:
        remembering = _Remembering(file)
        try:
            with opened(source) as opened_source:
                notes.extend(_write(remembering, opened_source, target, parts, facts, look, options, span))
        except av.FFmpegError:
            if remembering.error is not None:  # FFmpeg does not say why it could not write
                raise remembering.error from None
            raise

    write_atomically(target, write)
    return notes


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


def _write(
    file: _Remembering,
    source: tuple[InputContainer, VideoStream],
    target: Path,
    parts: Sequence[Part],
    facts: Facts,
    look: Look,
    options: VideoOptions,
    span: Span,
) -> list[str]:
    """Write everything into a file; a line for each thing that cannot come along."""
    container, moving = source
    notes: list[str] = []
    kind = FORMATS[target.suffix.lower()]
    exact = {"movie_timescale": str(min(look.time_base.denominator, 1_000_000))} if kind in ("mp4", "mov") else {}
    with av.open(file, "w", format=kind, container_options=exact) as output:
        stream = add_stream(output, options, look)
        _describe(stream, moving, facts)
        if options.codec == "x265" and kind in ("mp4", "mov"):
            stream.codec_tag = _FOR_APPLE
        copies = _add_copies(container, output, moving, notes)
        _describe_file(container, output, span)
        output.start_encoding()
        if bytes(stream.codec_context.extradata or b"") != parts[0].headers:
            raise UserError(f"the parts in {parts[0].path.parent} are another encoder's; delete that folder")
        own = _own_packets(stream, parts, look, span)
        for packet in heapq.merge(own, _copied_packets(container, copies, span), key=_when):
            output.mux(packet)
    return notes


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


def _copied_packets(container: InputContainer, copies: dict[int, Stream], span: Span) -> Iterator[av.Packet]:
    if not copies:
        return
    if span.cut and span.begin > 0:
        with suppress(av.FFmpegError):  # a format without a way to jump: everything before is read and left out
            container.seek(int((span.begin - 2) * av.time_base))
    for packet in container.demux(*(container.streams[index] for index in copies)):
        still = bool(packet.stream.disposition & Disposition.attached_pic)
        if still and packet.size and packet.pts is None:
            packet.pts = packet.dts = 0
        if packet.dts is None and packet.pts is None:  # the end of a stream
            continue
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.dts = packet.pts if packet.dts is None else packet.dts
        if not still and not _moved(packet, span):
            continue
        packet.stream = copies[packet.stream.index]
        yield packet


def _moved(packet: av.Packet, span: Span) -> bool:
    """Put a packet where it belongs on the new clock; whether it belongs to the span."""
    assert packet.pts is not None
    assert packet.dts is not None
    base = packet.time_base
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
    container: InputContainer, output: OutputContainer, moving: VideoStream, notes: list[str]
) -> dict[int, Stream]:
    """Streams of the output for what is copied, by the number of the source's."""
    copies: dict[int, Stream] = {}
    for stream in container.streams:
        if stream.index == moving.index:
            continue
        kind = "cover picture" if stream.disposition & Disposition.attached_pic else stream.type
        name = stream.codec_context.name if stream.codec_context is not None else "unknown"
        try:
            if kind == "video":
                raise ValueError("one is enlarged")
            copy = output.add_stream_from_template(stream, opaque=True)
        except ValueError:
            notes.append(
                f"its stream {stream.index} ({printable(kind)}, {printable(name)}) does not fit in and is left out"
            )
            continue
        copy.metadata.update({k: v for k, v in stream.metadata.items() if k not in _OF_THE_OLD_FILE})
        copy.disposition = stream.disposition
        if stream.type != "attachment":
            copies[stream.index] = copy
    return copies


def _describe(stream: VideoStream, moving: VideoStream, facts: Facts) -> None:
    stream.metadata.update({k: v for k, v in moving.metadata.items() if k in ("language", "title", "handler_name")})
    stream.disposition = moving.disposition
    if facts.rotation:
        stream.set_display_rotation(facts.rotation)


def _describe_file(container: InputContainer, output: OutputContainer, span: Span) -> None:
    output.metadata.update({k: v for k, v in container.metadata.items() if k not in _OF_THE_OLD_FILE})
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
