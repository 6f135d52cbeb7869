"""Small videos whose frames tell their number by their brightness, and a network that repeats pixels."""

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import torch

WIDTH, HEIGHT = 64, 48
TICK = Fraction(1, 12000)


class Twice:
    """Stands for an upscaler: every pixel becomes four.

    Args:
        stop_after: pictures after which it fails, as an interrupted job does.
    """

    def __init__(self, scale: int = 2, stop_after: int | None = None) -> None:
        self.scale, self.left, self.seen, self.shapes = scale, stop_after, 0, []

    def computed_by(self, height: int, width: int, count: int = 1, before: str = "") -> str:
        return before or "repetition"

    def image(self, lr: torch.Tensor) -> torch.Tensor:
        if self.left is not None and self.seen + len(lr) > self.left:
            raise KeyboardInterrupt
        self.seen += len(lr)
        self.shapes.append(tuple(lr.shape))
        return lr.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@dataclass
class Clip:
    """What a test wants a video to be like."""

    frames: int = 12
    times: list[int] | None = None  # in ticks
    format: str = "yuv420p"
    codec: str = "libx264"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    tags: tuple[int, int, int, int] = (1, 1, 1, 1)  # range, matrix, primaries, transfer
    aspect: Fraction | None = None
    turn: int = 0
    numbers: list[int] | None = None  # which picture each frame shows
    sound: bool = False
    subtitles: list[tuple[int, int, str]] = field(default_factory=list)  # milliseconds, milliseconds, text
    chapters: bool = False
    options: dict = field(default_factory=lambda: {"qp": "0", "preset": "ultrafast", "g": "4", "bf": "2"})

    def picture(self, number: int) -> np.ndarray:
        """The planes of a frame below each other, as PyAV takes them: a plain brightness with a brighter corner."""
        width, height = self.size
        frame = av.VideoFrame(width, height, self.format)
        bits = frame.format.components[0].bits
        for index, plane in enumerate(frame.planes):
            room = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)
            room[:] = ((30 + 8 * number) if index == 0 else 120 + 3 * index) << (bits - 8)
            if index == 0:
                room[: height // 2, : width // 2] = 220 << (bits - 8)
        return frame

    def write(self, path, how=None):
        """Write it, with options of the file's format; the path again."""
        with av.open(str(path), "w", container_options=how or {}) as output:
            stream = output.add_stream(self.codec, rate=24, options=self.options if "264" in self.codec else {})
            stream.width, stream.height, stream.pix_fmt = *self.size, self.format
            stream.time_base = stream.codec_context.time_base = TICK
            coder = stream.codec_context
            coder.color_range, coder.colorspace, coder.color_primaries, coder.color_trc = self.tags
            if self.aspect:
                coder.sample_aspect_ratio = self.aspect
            if self.turn:
                stream.set_display_rotation(self.turn)
            sound = output.add_stream("aac", rate=48000) if self.sound else None
            lines = output.add_mux_stream("subrip") if self.subtitles else None
            if self.chapters:
                chapter = {"id": 1, "start": 100, "end": 300, "time_base": Fraction(1, 1000)}
                output.set_chapters([{**chapter, "metadata": {"title": "one"}}])
            output.metadata["title"] = "a clip"
            for number, time in enumerate(self.times or [500 * k for k in range(self.frames)]):
                frame = self.picture(self.numbers[number] if self.numbers else number)
                frame.color_range, frame.colorspace = self.tags[:2]
                frame.pts, frame.time_base = time, TICK
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
            if sound is not None:
                _write_sound(output, sound, self.frames / 24)
            for begin, end, text in self.subtitles:
                packet = av.Packet(text.encode())
                packet.stream, packet.time_base = lines, Fraction(1, 1000)
                packet.pts = packet.dts = begin
                packet.duration = end - begin
                output.mux(packet)
        return path


def _write_sound(output, stream, seconds):
    wave = (np.sin(np.arange(int(48000 * seconds)) / 20) * 0.3).astype(np.float32)[None]
    for start in range(0, wave.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(np.repeat(wave[:, start : start + 1024], 2, 0), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        output.mux(stream.encode(frame))
    output.mux(stream.encode())


def read_back(path):
    """(times in seconds, brightness of the darker corner) of all frames, and the stream's facts as a dictionary."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times, levels = [], []
        for frame in container.decode(stream):
            bits = frame.format.components[0].bits
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)
            times.append(frame.pts * stream.time_base)
            levels.append(float(rows[-8:, plane.width - 8 : plane.width].mean()) / 2 ** (bits - 8))
            last = frame
        coder = stream.codec_context
        facts = {
            "format": coder.pix_fmt,
            "size": (coder.width, coder.height),
            "tags": (coder.color_range, coder.colorspace, coder.color_primaries, coder.color_trc),
            "aspect": stream.sample_aspect_ratio,
            "turn": last.rotation,
            "kinds": [one.type for one in container.streams],
            "title": container.metadata.get("title"),
            "chapters": container.chapters(),
        }
    return times, levels, facts


def packets(path, kind):
    """(seconds, bytes) of all packets of a kind of stream."""
    with av.open(str(path)) as container:
        stream = next(one for one in container.streams if one.type == kind)
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.pts is not None]
