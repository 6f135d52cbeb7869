"""Real encoders: WebP, JPEG files and video. They run on the CPU, so only for low resolution made in advance."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import ClassVar, Literal

import av
import numpy as np
import torch
from PIL import Image as pil

from sr.degradations.jpeg import checked_qualities, drawn_quality
from sr.degradations.pictures import Pictures
from sr.degradations.ranges import Number, check_probability, checked_range
from sr.draws import Draws
from sr.errors import UserError

_USUAL = ("libx264", "libx265", "mpeg4", "mpeg2video", "libvpx-vp9")
_WITH_CRF = ("libx264", "libx264rgb", "libx265", "libvpx", "libvpx-vp9", "libsvtav1")
_REPEATABLE = {
    "libx264": {"x264-params": "mbtree=0"},
    "libx265": {"x265-params": "log-level=none:bframes=0"},
}
"""Otherwise the same clip does not always give the same bits (seen with PyAV 18.1); the level silences messages."""
_LEAST_SIDE = 64
"""Some encoders refuse smaller frames."""
_RATE = 25
"""Frames per second; what a bitrate is counted in."""

_Coded = Callable[[np.ndarray, int], np.ndarray]
"""uint8 (height, width, 3) and the sample's position in the batch, to the same shape."""


@dataclass(frozen=True)
class WebP:
    """Lossy WebP by Pillow's encoder, method 4. Input and result are 8 bits in [0, 1].

    Args:
        quality: lowest and highest, 1 to 100; whole numbers, all alike likely.
        choices: qualities to choose one of instead.
        probability: how many pictures are compressed.

    Raises:
        ValueError: a quality that does not exist, both or neither of ``quality`` and ``choices``.
    """

    only_in_advance: ClassVar[bool] = True

    quality: Sequence[int] | None = None
    choices: Sequence[int] | None = None
    probability: Number = 1.0

    def __post_init__(self) -> None:
        checked_qualities(self.quality, self.choices)
        check_probability("probability", self.probability)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Compress and decompress."""
        applied = draws.chance("applied", self.probability)
        quality = drawn_quality(draws, checked_qualities(self.quality, self.choices), applied)

        def coded(pixels: np.ndarray, i: int) -> np.ndarray:
            return _by_pillow(pixels, "WEBP", quality=int(quality[i]), method=4)

        return _coded(pictures, applied, coded)


@dataclass(frozen=True)
class JpegFile:
    """JPEG by Pillow's encoder (libjpeg-turbo), bit for bit what a file would hold; `Jpeg` is the fast one.

    Args:
        quality: lowest and highest, 1 to 100; whole numbers, all alike likely.
        choices: qualities to choose one of instead.
        subsampling: of the chroma.
        probability: how many pictures are compressed.

    Raises:
        ValueError: a quality that does not exist, both or neither of ``quality`` and ``choices``.
    """

    only_in_advance: ClassVar[bool] = True

    quality: Sequence[int] | None = None
    choices: Sequence[int] | None = None
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:2:0"
    probability: Number = 1.0

    def __post_init__(self) -> None:
        checked_qualities(self.quality, self.choices)
        check_probability("probability", self.probability)
        if self.subsampling not in ("4:4:4", "4:2:2", "4:2:0"):
            raise ValueError(f"subsampling={self.subsampling} must be one of 4:4:4, 4:2:2, 4:2:0")

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Compress and decompress."""
        applied = draws.chance("applied", self.probability)
        quality = drawn_quality(draws, checked_qualities(self.quality, self.choices), applied)

        def coded(pixels: np.ndarray, i: int) -> np.ndarray:
            return _by_pillow(pixels, "JPEG", quality=int(quality[i]), subsampling=self.subsampling)

        return _coded(pictures, applied, coded)


@dataclass(frozen=True)
class VideoCodec:
    """A short clip of the picture through a video encoder; the frame in the middle is kept.

    From frame to frame the picture moves by a whole number of pixels drawn per sample, borders mirrored; in the middle
    frame it is in place. yuv420p, 25 frames per second. Input and result are 8 bits in [0, 1].

    Args:
        codec: an encoder of PyAV, for example libx264, libx265, mpeg4, mpeg2video, libvpx-vp9.
        crf: range of the constant rate factor, whole numbers; for encoders that know it (x264: 0 to 51).
        bitrate: range in kbit/s instead; libvpx-vp9 hardly heeds it in so short a clip.
        frames: length of the clip.
        motion: largest movement per frame in each direction, pixels; 0 keeps the picture still.
        probability: how many pictures are compressed.

    Raises:
        ValueError: an encoder that this PyAV lacks, both or neither of ``crf`` and ``bitrate``, or a setting out of
            its range.
    """

    only_in_advance: ClassVar[bool] = True

    codec: str = "libx264"
    crf: Sequence[Number] | None = None
    bitrate: Sequence[Number] | None = None
    frames: int = 5
    motion: int = 0
    probability: Number = 1.0

    def __post_init__(self) -> None:
        check_encoder(self.codec)
        if (self.crf is None) == (self.bitrate is None):
            raise ValueError("set either crf=[lowest, highest] or bitrate=[lowest, highest]")
        if self.crf is not None:
            object.__setattr__(self, "crf", checked_range("crf", self.crf, 0, 63))
            if self.codec not in _WITH_CRF:
                raise ValueError(f"codec={self.codec} knows no crf; set bitrate=[lowest, highest] in kbit/s instead")
        if self.bitrate is not None:
            object.__setattr__(self, "bitrate", checked_range("bitrate", self.bitrate, 1, 1e6))
        if not 1 <= self.frames <= 100:
            raise ValueError(f"frames={self.frames} must lie between 1 and 100")
        if not 0 <= self.motion <= 32:
            raise ValueError(f"motion={self.motion} must lie between 0 and 32")
        check_probability("probability", self.probability)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Compress and decompress."""
        applied = draws.chance("applied", self.probability)
        steps = (draws.uniform("motion", 2) * (2 * self.motion + 1)).astype(np.int64) - self.motion
        if self.crf is not None:
            name, amount = "crf", np.rint(draws.between("crf", *self.crf))
        else:
            name, amount = "bitrate", draws.between("bitrate", *(self.bitrate or (0, 0)))
        draws.note(name, amount, where=applied)

        def coded(pixels: np.ndarray, i: int) -> np.ndarray:
            clip = _clip(pixels, self.frames, steps[i])
            return through_video(clip, self.codec, {name: float(amount[i])})[self.frames // 2]

        return _coded(pictures, applied, coded)


def check_encoder(name: str) -> None:
    """Refuse what this PyAV cannot encode into 4:2:0.

    Raises:
        ValueError: there is no such encoder; the message names those that there are.
    """
    if _encodes(name):
        return
    names = [usual for usual in _USUAL if _encodes(usual)]
    near = [other for other in get_close_matches(name, sorted(av.codecs_available), 5, 0.7) if _encodes(other)][:2]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"codec={name} is no yuv420p video encoder of this PyAV{hint} It has {', '.join(names)}, …")


def through_video(frames: np.ndarray, codec: str, settings: dict[str, float]) -> np.ndarray:
    """Encode and decode frames in memory.

    Args:
        frames: uint8 (count, height, width, 3), any size; odd sides are extended by their border.
        codec: an encoder of PyAV.
        settings: ``crf``, or ``bitrate`` in kbit/s.

    Returns:
        uint8 of the same shape.

    Raises:
        UserError: the encoder does not work on this machine or with these settings.
    """
    try:
        return _through_video(frames, codec, settings)
    except av.FFmpegError as error:
        raise UserError(f"codec={codec} with {settings} fails ({error.strerror}); choose libx264 or mpeg4") from error


def _through_video(frames: np.ndarray, codec: str, settings: dict[str, float]) -> np.ndarray:
    count, height, width, _ = frames.shape
    bottom, right = (max(side + side % 2, _LEAST_SIDE) - side for side in (height, width))
    grown = np.pad(frames, ((0, 0), (0, bottom), (0, right), (0, 0)), mode="edge")
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as file:
        stream = file.add_stream(codec, rate=_RATE, options=_options(codec, settings))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = grown.shape[1], grown.shape[2], "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = max(count, 12)
        stream.codec_context.time_base = Fraction(1, _RATE)
        stream.codec_context.bit_rate = int(settings.get("bitrate", 0) * 1000)
        for picture in grown:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        file.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory, "r") as file:
        decoded = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return np.stack(decoded)[:, :height, :width]


def _options(codec: str, settings: dict[str, float]) -> dict[str, str]:
    options = dict(_REPEATABLE.get(codec, {}))
    if "crf" in settings:
        return options | {"crf": str(int(settings["crf"]))}
    # Without a buffer of a fraction of a second so short a clip would never meet its limit.
    bits = int(settings["bitrate"] * 1000)
    return options | {"maxrate": str(bits), "bufsize": str(max(bits // 5, 1))}


def _clip(pixels: np.ndarray, frames: int, step: np.ndarray) -> np.ndarray:
    """(frames, height, width, 3): the picture in its place in the middle, moved by ``step`` per frame elsewhere."""
    times = np.arange(frames) - frames // 2
    reach = int(np.abs(step).max() * np.abs(times).max())
    grown = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    height, width = pixels.shape[:2]
    corners = reach - times[:, None] * step
    return np.stack([grown[top : top + height, left : left + width] for top, left in corners.tolist()])


def _coded(pictures: Pictures, applied: np.ndarray, coded: _Coded) -> Pictures:
    """Picture by picture at its own size, as 8 bits."""
    if not applied.any():
        return pictures
    made = pictures.pixels.clone()
    for i in np.flatnonzero(applied).tolist():
        own = made[i, :, : int(pictures.heights[i]), : int(pictures.widths[i])]
        pixels = (own * 255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        result = coded(np.ascontiguousarray(pixels), i)
        own.copy_(torch.from_numpy(result).permute(2, 0, 1).to(made.device).float().div_(255))
    return pictures.with_pixels(made)


def _by_pillow(pixels: np.ndarray, kind: str, **settings: int | str) -> np.ndarray:
    memory = io.BytesIO()
    pil.fromarray(pixels).save(memory, kind, **settings)
    with pil.open(memory) as file:
        return np.array(file.convert("RGB"))


def _encodes(name: str) -> bool:
    try:
        found = av.Codec(name, "w")
    except ValueError:  # the base of PyAV's UnknownCodecError
        return False
    return found.type == "video" and any(form.name == "yuv420p" for form in found.video_formats or ())
