"""What is copied from the source beside its pictures: sound, subtitles, fonts, covers, packet by packet."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from sr.inference.video.clock import Clock
from sr.inference.video.reading import Facts

OF_THE_OLD_FILE = ("encoder", "major_brand", "minor_version", "compatible_brands", "creation_time")
TIME_CODE = "timecode"


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


def add_copies(
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
        if stream.type == "data" and TIME_CODE in stream.metadata:
            if timed and TIME_CODE in moving.metadata:  # FFmpeg makes its own of that
                continue
            raise ValueError("the time code is another one")
        copy = output.add_stream_from_template(stream, opaque=True)
        if isinstance(copy, AudioStream) and copy.layout.name.endswith("channels"):  # it does not say which
            with suppress(ValueError):  # of so many there is no usual one
                copy.codec_context.layout = AudioLayout(f"{copy.layout.nb_channels}c")
        copy.metadata.update({k: v for k, v in stream.metadata.items() if k not in OF_THE_OLD_FILE})
        copy.disposition = stream.disposition
        if stream.type != "attachment":
            copies[stream.index] = copy
    return copies


def copied_packets(
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


def rising_packets(packets: Iterator[av.Packet], least: int) -> Iterator[av.Packet]:
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
