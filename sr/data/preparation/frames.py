"""Frames of a video as 8-bit RGB, by time: any frame rate, any codec that FFmpeg decodes, upright, right colours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import Colorspace, Interpolation
from av.video.stream import VideoStream

from sr.image.decode import oriented
from sr.printable import printable
from sr.types import UserError

SEEK_ABOVE = 10.0
"""Seconds to the next wanted frame above which jumping to a key frame beats decoding everything between."""

BT709, UNSPECIFIED, BT601 = 1, 2, 6
"""Colour matrices in FFmpeg's numbering (ITU-T H.273, table 4)."""

FULL_RANGE, LIMITED_RANGE = 2, 1
"""Ranges in FFmpeg's numbering."""

EXIF_TURN = {0: 1, 90: 8, 180: 3, 270: 6}
"""EXIF orientation that turns a frame counterclockwise by so many degrees."""


@dataclass(frozen=True)
class VideoFacts:
    """What the file says before anything is decoded.

    Attributes:
        seconds: duration, or None where the file does not know.
        rate: mean frames per second, or None.
        width: stored columns.
        height: stored rows.
        pixel_aspect: width of a pixel over its height; 1 for square pixels.
    """

    seconds: float | None
    rate: float | None
    width: int
    height: int
    pixel_aspect: float


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
        seconds: since the start of the video.
        pixels: (height, width, 3) uint8 RGB, upright.
    """

    seconds: float
    pixels: np.ndarray


@dataclass(frozen=True)
class Span:
    """Which frames of a video are wanted.

    Args:
        start: seconds, 0 or more.
        length: seconds from the start on; 0 goes to the end.
        step: seconds between frames, 0 or more. Below the distance of frames it takes every frame.

    Raises:
        ValueError: a negative or endless number.
    """

    start: float = 0.0
    length: float = 0.0
    step: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is seconds, 0 or more, got {value:g}")

    def count(self, facts: VideoFacts) -> int | None:
        """About how many frames that is, or None where the file does not say."""
        if facts.seconds is None:
            return None
        seconds = max(0.0, facts.seconds - self.start)
        seconds = min(seconds, self.length) if self.length else seconds
        step = max(self.step, 1 / facts.rate) if facts.rate else self.step
        return int(np.ceil(seconds / step - 1e-6)) if step > 0 else None


def video_facts(path: Path) -> VideoFacts:
    """What a video file says about itself.

    Raises:
        UserError: the file is missing, no video, or damaged at its beginning.
    """
    with opened(path) as (container, stream):
        return _facts(container, stream)


def read_frames(path: Path, span: Span, seek_above: float = SEEK_ABOVE) -> Iterator[Frame]:
    """The wanted frames in order, one at a time.

    Wanted are, for k = 0, 1, 2, …, the first frame at or after start + k step; no frame comes twice. Frames that
    the decoder marks as damaged are left out.

    Args:
        path: the video.
        span: which frames.
        seek_above: gaps longer than this many seconds are jumped over.

    Yields:
        Frames by rising time.

    Raises:
        UserError: at the beginning where the file cannot be opened; after the last good frame where the rest
            is damaged or missing.
    """
    with opened(path) as (container, stream):
        facts = _facts(container, stream)
        origin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
        decoder = _Decoder(container, stream, origin, 1 / facts.rate if facts.rate else 0.04)
        half = decoder.distance / 1000  # timestamps are rounded: 0.33333 must count as at or after 1/3
        taken = 0
        last = -1.0
        while True:
            wanted = span.start + taken * span.step
            if span.length and wanted >= span.start + span.length - half:
                return
            try:
                if wanted - max(last, 0.0) > seek_above:
                    decoder.jump(wanted)
                found = decoder.first_from(wanted - half, after=last)
                frame = None if found is None else Frame(found[0], to_rgb(found[1]))
            except (av.FFmpegError, ValueError) as error:
                raise UserError(_stopped(path, max(last, decoder.latest), str(error))) from error
            if frame is None:
                _check_end(path, facts, decoder)
                return
            if span.length and frame.seconds >= span.start + span.length - half:
                return
            yield frame
            last = frame.seconds
            taken = _next(span, frame.seconds, taken, half)


def _next(span: Span, seconds: float, taken: int, half: float) -> int:
    """The first multiple of the step beyond a frame; with step 0 any later frame will do."""
    if span.step == 0:
        return taken
    return max(taken + 1, int(np.floor((seconds - span.start + half) / span.step)) + 1)


def assumed_matrix(width: int, height: int) -> int:
    """What players take where a video names none: BT.709 from 1280 columns or 720 rows on, else BT.601."""
    return BT709 if width >= 1280 or height >= 720 else BT601


def to_rgb(frame: av.VideoFrame) -> np.ndarray:
    """A decoded frame as (height, width, 3) uint8 RGB, upright.

    The colour matrix is the one that the frame or the stream names. Where none is named, players take BT.709 for
    1280 columns or 720 rows and more, and BT.601 below; so does this. Limited range unless full is named.
    More than 8 bits are rounded. Transfer curves (HDR) are left as they are.
    """
    matrix = int(frame.colorspace)
    if matrix == UNSPECIFIED:
        matrix = assumed_matrix(frame.width, frame.height)
    if matrix == BT601:  # of 525 lines and of 625 are the same numbers; swscale knows them under one name
        matrix = int(Colorspace.ITU601)
    full = int(frame.color_range) == FULL_RANGE or frame.format.name.startswith("yuvj")
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=matrix,
        src_color_range=FULL_RANGE if full else LIMITED_RANGE,
        dst_color_range=FULL_RANGE,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
        threads=1,
    ).to_ndarray()
    return oriented(rgb, EXIF_TURN.get(round(frame.rotation / 90) * 90 % 360, 1))


class Changed:
    """Passes frames that differ from the last frame that it passed: drops held drawings and still scenes.

    Args:
        levels: least mean difference, in levels of 0..255, over a copy of 64x36 cells.
    """

    def __init__(self, levels: float) -> None:
        self.levels = levels
        self._last: np.ndarray | None = None

    def admit(self, pixels: np.ndarray) -> bool:
        """Whether (height, width, 3) uint8 ``pixels`` are new."""
        small = cv2.resize(pixels, (64, 36), interpolation=cv2.INTER_AREA).astype(np.float32)
        if self._last is not None and float(np.abs(small - self._last).mean()) < self.levels:
            return False
        self._last = small
        return True


class _Decoder:
    """Frames of an open stream with their times, forwards, with jumps."""

    def __init__(self, container: InputContainer, stream: VideoStream, origin: float, distance: float) -> None:
        self.container, self.stream, self.origin, self.distance = container, stream, origin, distance
        self.latest = -distance
        self._frames = container.decode(stream)

    def jump(self, seconds: float) -> None:
        """Go on from the last key frame at or before this time."""
        base = self.stream.time_base
        if base is None:
            return
        self.container.seek(int((seconds + self.origin) / base), stream=self.stream)
        self._frames = self.container.decode(self.stream)

    def first_from(self, seconds: float, after: float) -> tuple[float, av.VideoFrame] | None:
        """The first intact frame at or after ``seconds`` and later than ``after``; None at the end."""
        for frame in self._frames:
            here = self.latest + self.distance if frame.time is None else float(frame.time) - self.origin
            self.latest = max(self.latest, here)
            if here >= seconds and here > after and not frame.is_corrupt:
                return here, frame
        return None


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A video file and the stream of moving pictures in it; a cover picture is none.

    Raises:
        UserError: the file is missing, no video, or damaged at its beginning.
    """
    if not path.is_file():
        what = "it is a folder; name a video in it" if path.is_dir() else "there is no such file; check the name"
        raise UserError(f"cannot read the video '{printable(path)}': {what}")
    try:
        container = av.open(os.fspath(path))
    except (av.FFmpegError, ValueError) as error:
        reason = _reason(str(error))
        raise UserError(
            f"cannot read the video '{printable(path)}': it is damaged, incomplete or no video ({reason}); "
            "copy it again"
        ) from error
    if container.format.name == "tty":  # FFmpeg draws the letters of a text file as frames
        container.close()
        raise UserError(f"cannot read the video '{printable(path)}': it is a text file; name a video")
    with container:
        moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        streams = [s for s in moving if s.codec_context is not None]
        if not streams:
            raise UserError(f"cannot read '{printable(path)}': no video stream in it can be decoded; name a video")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


def _facts(container: InputContainer, stream: VideoStream) -> VideoFacts:
    seconds = None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    rate = stream.average_rate or stream.guessed_rate
    aspect = stream.sample_aspect_ratio
    return VideoFacts(
        seconds=seconds,
        rate=float(rate) if rate else None,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        pixel_aspect=float(aspect) if aspect else 1.0,
    )


def _check_end(path: Path, facts: VideoFacts, decoder: _Decoder) -> None:
    """A cut-off file often ends without an error: tell it by the duration that it promised."""
    if facts.seconds is not None and decoder.latest + max(1.0, 3 * decoder.distance) < facts.seconds:
        raise UserError(_stopped(path, decoder.latest, f"it should last {facts.seconds:.1f} seconds"))


def _stopped(path: Path, seconds: float, reason: str) -> str:
    return (
        f"the video '{printable(path)}' is cut off or damaged after {max(seconds, 0):.1f} seconds ({_reason(reason)}); "
        "the frames before that are kept"
    )


def _reason(text: str) -> str:
    """FFmpeg's words without its error number and the file's name."""
    words = text.splitlines()[0] if text else "unknown error"
    return words.split("] ", 1)[-1].split(": '", 1)[0]
