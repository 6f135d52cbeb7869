"""Frames on their way through the network: what it gets, what becomes of it, and parts of it on disk."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from sr.image.resize import bicubic
from sr.inference.enhance.contrast import Limits
from sr.inference.enhance.enhancer import FilmEnhancer, Settings
from sr.inference.resizing import size_at
from sr.inference.video.encoding import Look, PartEncoder, look_of
from sr.inference.video.layout import Stored, rgb_of
from sr.inference.video.options import VideoOptions
from sr.inference.video.parts import Part, Parts
from sr.inference.video.reading import Facts, RawFrame, Reader
from sr.inference.video.threads import ReadAhead, WriteBehind
from sr.inference.video.yuv import from_rgb

_WAITING = 4
"""Frames that may wait on each side of the network."""


class Enlarger(Protocol):
    """What enlarges pictures that are in memory, as `sr.inference.upscaler.Upscaler`."""

    @property
    def scale(self) -> float:
        """Of the result."""

    def image(self, lr: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 H W"]:
        """Enlarged pictures in [0, 1]."""

    def computed_by(self, height: int, width: int, count: int = 1, before: str = "") -> str:
        """What computes pictures of a size: another one may make other frames of them; see `Upscaler`."""


class Work:
    """The frames of one video on their way through the network.

    Args:
        upscaler: the networks at work.
        enhance: what is done with the frames after them.
        options: how the video is written.
        facts: what the source is like.
        part: frames of a part.
        device: where colours are computed.
        say: gets a line on what the user should know.

    Attributes:
        notes: these lines, each once.
        repeated: frames that were not enlarged again.
        network_seconds: time in the network.
    """

    def __init__(
        self,
        upscaler: Enlarger,
        enhance: Settings,
        options: VideoOptions,
        facts: Facts,
        part: int,
        device: torch.device,
        say: Callable[[str], None],
    ) -> None:
        self.upscaler, self.enhance, self.options, self.facts = upscaler, enhance, options, facts
        self.part, self.device, self.say = part, device, say
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

    def run(
        self, source: Path, parts: Parts, span: tuple[int | None, int | None], done: Callable[[int], None]
    ) -> list[Part]:
        """Make the parts that are missing.

        Args:
            source: the video.
            parts: where they are kept.
            span: ticks from which on, and before which, frames are wanted; None for the source's own ends.
            done: gets the number of finished frames.

        Returns:
            All of them.
        """
        finished = parts.finished()
        first, end = span
        if finished:
            first = finished[-1].times[-1] + 1
        film = FilmEnhancer(self.enhance, finished[-1].limits if finished else None)
        reader = Reader(source, self.facts)
        writer = _PartWriter(parts, self.options, self.facts, self.part, finished)
        with (
            ReadAhead(reader.frames(first, end, self.part), _WAITING) as frames,
            WriteBehind(writer.add, _WAITING) as behind,
        ):
            latest: _Planes | None = None
            count = sum(len(part.times) for part in finished)
            for group in grouped(frames, self.options.batch, self.part):
                made = iter(self._made([frame for frame in group if frame.planes is not None], film))
                for frame in group:
                    latest = latest if frame.planes is None else next(made)
                    self.repeated += frame.planes is None
                    assert latest is not None
                    behind.put((frame, latest))
                count += len(group)
                done(count)
        writer.close()
        for note in reader.notes:
            self.note(note)
        return writer.finished

    def _made(self, frames: Sequence[RawFrame], film: FilmEnhancer) -> list["_Planes"]:
        """The planes of enlarged and enhanced frames."""
        if not frames:
            return []
        stored = [frame.planes for frame in frames if frame.planes is not None]
        pictures = self._enlarged(rgb_of(stored, self.facts.layout, self.device))
        enhanced = []
        for picture in pictures.split(1):
            enhanced.append((film.frame(picture), film.last))
        if not self.enhance.nothing:
            pictures = torch.cat([picture for picture, _ in enhanced])
        size = self._size()
        if size is not None:
            pictures = _brought_to(pictures, size)
        height, width = pictures.shape[-2:]
        look = look_of(self.facts, self.options, width, height)
        self._tell_of_odd_sides(look, width, height)
        coding = look.layout.coding
        numbers = from_rgb(pictures, coding, self.enhance.dither, [frame.pts for frame in frames])
        planes = [plane.cpu().numpy().astype(coding.dtype, copy=False) for plane in numbers]
        made = zip(zip(*planes, strict=True), enhanced, strict=True)
        return [_Planes(tuple(frame), width, height, limits) for frame, (_, limits) in made]

    def _enlarged(self, pictures: Tensor) -> Tensor:
        """What the network makes of pictures, or of somewhat larger ones where it would leave them too small."""
        pictures = _brought_to(pictures, self.network_size)
        began = monotonic()
        pictures = self.upscaler.image(pictures)
        self.network_seconds += monotonic() - began
        return pictures

    @property
    def network_size(self) -> tuple[int, int]:
        """(rows, columns) of what the network gets."""
        stored, size = (self.facts.height, self.facts.width), self._size()
        return stored if size is None else network_input(stored, size, self.upscaler.scale)

    @property
    def result_size(self) -> tuple[int, int]:
        """(rows, columns) of the result before colour samples need even ones."""
        return self._size() or size_at(self.facts.height, self.facts.width, self.upscaler.scale)

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
    """An enlarged frame; width and height are those before colour samples needed even ones, `limits` as in `Part`."""

    planes: Stored
    width: int
    height: int
    limits: Limits | None


class _PartWriter:
    """Encodes frames and keeps every ``part`` of them on disk."""

    def __init__(self, parts: Parts, options: VideoOptions, facts: Facts, part: int, finished: list[Part]) -> None:
        self._parts, self._options, self._facts, self._part = parts, options, facts, part
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
        if self._count == self._part:
            self.close()

    def close(self) -> None:
        """Write what there is."""
        if self._encoder is None or self._last is None:
            return
        frame, made = self._last
        coded = self._encoder.finish()
        if len(coded) != self._count:
            raise RuntimeError(f"the encoder gave {len(coded)} frames of {self._count}")
        size, headers = (made.width, made.height), self._encoder.headers
        self.finished.append(self._parts.write(len(self.finished), coded, frame.duration, size, headers, made.limits))
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
