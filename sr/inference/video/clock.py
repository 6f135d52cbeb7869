"""Clocks that begin anew within a file, as in what `cat` put together: times that go on rising all the same."""

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

STARTS_ANYWHERE = 0x200
"""FFmpeg's mark of formats (MPEG streams) whose clock begins at any number, and may begin anew."""

_BACK = Fraction(1, 2)
"""Seconds that a clock falls back where it begins anew; less is a stamp out of order."""


@dataclass(frozen=True)
class Restart:
    """A place where the clock begins anew.

    Attributes:
        position: of the first picture's bytes after it.
        offset: seconds to add to all times from there on, so that pictures go on one step after the last.
    """

    position: int
    offset: Fraction


def restarts_of(container: InputContainer, stream: VideoStream, step: Fraction) -> tuple[Restart, ...]:
    """Where the clock of a file begins anew; reads all of it, but only where its format allows that.

    Args:
        container: at its beginning.
        stream: its pictures.
        step: seconds between pictures.
    """
    found: list[Restart] = []
    if not container.format.flags & STARTS_ANYWHERE:
        return ()
    last, offset = None, Fraction(0)
    with suppress(av.FFmpegError):  # told by the reader
        for packet in container.demux(stream):
            time = packet.pts if packet.dts is None else packet.dts
            if time is None:
                continue
            seconds = time * packet.time_base
            if last is not None and seconds < last - _BACK:
                offset += last + step - seconds
                found.append(Restart(packet.pos or 0, offset))
            last = seconds
    return tuple(found)


class Clock:
    """Of one stream: says what to add to its times, which are told in order.

    Args:
        restarts: of the file.
    """

    def __init__(self, restarts: Sequence[Restart]) -> None:
        self._offsets = [Fraction(0), *(one.offset for one in restarts)]
        self._positions = [one.position for one in restarts]
        self._count = 0
        self._last: Fraction | None = None

    def offset(self, seconds: Fraction, position: int | None = None) -> Fraction:
        """Seconds to add.

        Args:
            seconds: the file's own time of the next frame or packet.
            position: of its bytes, where known: what is rare, as subtitles, may not fall back.
        """
        back = self._last is not None and seconds < self._last - _BACK
        passed = 0 if position is None else bisect_right(self._positions, position)
        self._count = max(passed, min(self._count + back, len(self._positions)))
        self._last = seconds
        return self._offsets[self._count]
