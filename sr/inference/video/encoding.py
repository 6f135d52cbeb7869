"""Encoding: which planes an encoder takes, how it is set, and a part of a video as packets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from sr.data.preparation.frames import LIMITED_RANGE, assumed_matrix
from sr.inference.video.layout import Layout, Stored
from sr.inference.video.options import CODECS, VideoOptions
from sr.inference.video.reading import Facts
from sr.inference.video.yuv import Coding

_HEADERS_APART = 1 << 22
"""FFmpeg's flag for an encoder whose headers go to the file's beginning."""
_SQUARE = Fraction(1)


@dataclass(frozen=True)
class Look:
    """What an encoder must know of the pictures; the same for all parts of a video.

    Attributes:
        width: stored columns, as many as the colour samples need.
        height: stored rows.
        layout: of the planes.
        range: tag, as the next ones in FFmpeg's numbering.
        primaries: tag.
        transfer: tag.
        aspect: width of a pixel over its height, or None where nobody says.
        time_base: seconds of a tick.
        rate: mean frames per second.
    """

    width: int
    height: int
    layout: Layout
    range: int
    primaries: int
    transfer: int
    aspect: Fraction | None
    time_base: Fraction
    rate: Fraction


@dataclass(frozen=True)
class Coded:
    """An encoded frame.

    Attributes:
        data: as the codec has it.
        pts: ticks at which it is shown.
        key: decoding can begin here.
    """

    data: bytes
    pts: int
    key: bool


def look_of(facts: Facts, options: VideoOptions, width: int, height: int) -> Look:
    """How enlarged frames are stored: as the source's, or the nearest that the encoder takes.

    Args:
        facts: of the source.
        options: the codec, and whether pixels become square.
        width: columns of the enlarged frames.
        height: rows of the enlarged frames.
    """
    layout = layout_for(options.codec, facts.layout, width, height)
    return Look(
        width=width + -width % layout.coding.across,
        height=height + -height % layout.coding.down,
        layout=layout,
        range=LIMITED_RANGE if facts.layout.rgb else facts.range,
        primaries=facts.primaries,
        transfer=facts.transfer,
        aspect=facts.aspect if options.size is None else _SQUARE,
        time_base=facts.time_base,
        rate=facts.rate,
    )


def layout_for(codec: str, source: Layout, width: int, height: int) -> Layout:
    """The planes that an encoder gets: the source's sampling and depth where it takes them.

    4:2:0 stands in for samplings that it does not take, and for RGB, which few players show; the deepest that it takes
    for more bits. The matrix stays, as the range; pictures without one get what players assume at their new size.
    Colour samples go where players look for them, on the left.
    """
    coding = source.coding
    taken = {form.name for form in av.codec.Codec(CODECS[codec].encoder, "w").video_formats or []}
    plain = source.rgb or coding.gray
    sampling = "420" if plain else _name(coding.across, coding.down)
    sampling = sampling if f"yuv{sampling}p" in taken else "420"
    depths = [bits for bits in (8, 10, 12) if f"yuv{sampling}p{_deep(bits)}" in taken]
    bits = min((b for b in depths if b >= coding.bits), default=depths[-1])
    across, down = (1 if sampling == "444" else 2), (2 if sampling == "420" else 1)
    matrix = assumed_matrix(width, height) if source.rgb else coding.matrix
    return Layout(
        f"yuv{sampling}p{_deep(bits)}", Coding(across, down, bits, coding.full and not source.rgb, matrix), rgb=False
    )


def _name(across: int, down: int) -> str:
    return {(1, 1): "444", (2, 1): "422"}.get((across, down), "420")


def _deep(bits: int) -> str:
    return "" if bits == 8 else f"{bits}le"


def configure(encoder: VideoCodecContext, look: Look, options: VideoOptions) -> None:
    """Tell an encoder what it must know before it is opened."""
    os.environ.setdefault("SVT_LOG", "1")  # or AV1's encoder writes a page to the terminal for each part
    fastest = CODECS[options.codec].fastest
    encoder.width, encoder.height = look.width, look.height
    encoder.pix_fmt = look.layout.format
    encoder.time_base = look.time_base
    encoder.framerate = look.rate if fastest is None else min(look.rate, Fraction(fastest))
    encoder.color_range, encoder.colorspace = look.range, look.layout.coding.matrix
    encoder.color_primaries, encoder.color_trc = look.primaries, look.transfer
    if look.aspect is not None:
        encoder.sample_aspect_ratio = look.aspect


class PartEncoder:
    """Encodes one part of a video, which can be decoded by itself.

    Args:
        options: codec, quality, tune.
        look: of the pictures.
    """

    def __init__(self, options: VideoOptions, look: Look) -> None:
        encoder = CodecContext.create(CODECS[options.codec].encoder, "w")
        assert isinstance(encoder, VideoCodecContext)
        configure(encoder, look, options)
        encoder.options = options.encoder_options()
        encoder.flags |= _HEADERS_APART
        encoder.open()
        self._encoder, self._look, self._coded = encoder, look, list[Coded]()

    @property
    def headers(self) -> bytes:
        """What a file must hold once for all parts."""
        return bytes(self._encoder.extradata or b"")

    def add(self, planes: Stored, pts: int) -> None:
        """Encode a frame."""
        frame = av.VideoFrame(self._look.width, self._look.height, self._look.layout.format)
        for plane, numbers in zip(frame.planes, planes, strict=True):
            room = np.frombuffer(memoryview(plane), dtype=numbers.dtype).reshape(numbers.shape[0], -1)
            room[:, : numbers.shape[1]] = numbers
        coding = self._look.layout.coding
        frame.color_range, frame.colorspace = self._look.range, coding.matrix
        frame.color_primaries, frame.color_trc = self._look.primaries, self._look.transfer
        frame.pts, frame.time_base = pts, self._look.time_base
        self._take(self._encoder.encode(frame))

    def finish(self) -> list[Coded]:
        """All frames of the part in the order of decoding."""
        self._take(self._encoder.encode(None))
        return self._coded

    def _take(self, packets: Sequence[av.Packet]) -> None:
        for packet in packets:
            assert packet.pts is not None
            self._coded.append(Coded(bytes(packet), packet.pts, packet.is_keyframe))


def add_stream(output: av.container.OutputContainer, options: VideoOptions, look: Look) -> VideoStream:
    """A stream for packets of `PartEncoder`; its own encoder only writes the headers."""
    stream = output.add_stream(CODECS[options.codec].encoder, rate=look.rate, options=options.encoder_options())
    assert isinstance(stream, VideoStream)
    configure(stream.codec_context, look, options)
    stream.time_base = look.time_base
    return stream
