"""A picture enlarged tile by tile, each with as much around it as its pixels depend on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sr.devices import out_of_memory
from sr.inference.rows import Rows, StripRows
from sr.inference.workers import Workers

SMALLEST = 32
"""Pixels a side below which a tile is not halved: almost all of its window would be border."""

SIDES = (1024, 768, 512, 384, 256, 192, 128, 96, 64)
"""Of tiles, where memory decides."""

_PER_REACH = 12
"""Sides of a tile per pixel of reach: a sixth more is computed then, which caches give back twice."""

_USUAL = (192, 1024)
"""Tiles are no smaller and no larger than that, wherever there is memory: larger ones do not fit into caches."""

_FLOAT = 4  # bytes

_LEAST_AREA = 6912
"""Pixels of a window, or of the picture where that has fewer: PyTorch computes convolutions of less than 20,480 numbers
in another way, with other last bits, and a window has three for each pixel."""


Enlarge = Callable[[Tensor, tuple[int, int]], Tensor]
"""A network on a window, (n, 3, h, w) to (n, 3, scale*h, scale*w), given the rows and columns at the window's end that
an ensemble must leave out, so that what it turns begins at a step of the turned picture; nobody looks at them."""


class Span(NamedTuple):
    """A tile along one axis, in LR pixels.

    Attributes:
        start: first pixel that is kept.
        stop: one past the last.
        low: first pixel that the network sees.
        high: one past the last.
    """

    start: int
    stop: int
    low: int
    high: int


@dataclass
class Tiling:
    """How a picture is cut.

    Attributes:
        side: largest side of what is kept of a window, in LR pixels; halved where memory runs out.
        reach: LR pixels to each side that a pixel depends on; None: all, and the picture stays whole.
        step: windows begin at multiples of so many pixels.
        workers: compute the windows.
        shared: a picture that fits into one tile is cut all the same where workers would have nothing to do.
        margin: ``reach`` and ``step`` from when memory runs out for a whole picture; None: it is cut on no account.
        cut: called then.
    """

    side: int
    reach: int | None
    step: int
    workers: Workers
    shared: bool = True
    margin: tuple[int, int] | None = None
    cut: Callable[[], None] = lambda: None

    def halve(self, longest: int) -> bool:
        """Take smaller tiles from now on; False where they are as small as they can be.

        Args:
            longest: side of the picture, or of the window that was too large.
        """
        side = min(self.side, longest) // 2
        if side < SMALLEST or (self.reach is None and self.margin is None):
            return False
        if self.reach is None and self.margin is not None:
            self.reach, self.step = self.margin
            self.cut()
        self.side = side
        return True


def spans(
    length: int, side: int, reach: int | None, step: int = 1, start: int = 0, shares: int = 1, least: int = 0
) -> list[Span]:
    """Tiles of almost equal size along an axis; their windows have one length wherever the axis has room for it.

    Args:
        length: pixels of the axis.
        side: largest number of pixels that are kept of a window.
        reach: pixels to each side that a pixel depends on; None: all.
        step: windows begin at multiples of so many pixels.
        start: where the first tile begins.
        shares: how many tiles are welcome, so that as many workers have something to do.
        least: shortest window.
    """
    left = length - start
    if reach is None or (start == 0 and left <= side and shares == 1):
        return [Span(start, length, 0, length)]
    margin = _up(reach, step)
    count = max(-(-left // max(side, step)), min(shares, left // max(SMALLEST, 2 * margin) or 1))
    even = _up(-(-left // count), step)
    window = max(even + 2 * margin, _up(least, step))
    if window >= length:
        return [Span(start, length, 0, length)]
    found = []
    for first in range(start, length, even):
        low = max(0, min(first - margin, (length - window) // step * step))
        high = length if first + even + margin >= length else low + window
        found.append(Span(first, min(first + even, length), low, high))
    return found


def _up(pixels: int, step: int) -> int:
    return -(-pixels // step) * step


def least_side(other: int) -> int:
    """Shortest side of a window, given the other."""
    return -(-_LEAST_AREA // other)


def strip_bytes(width: int, side: int, high: int, scale: int) -> int:
    """Bytes of a row of tiles: what is read for it, and what is made twice, as it comes and as it is kept.

    Args:
        width: of the picture.
        side: of tiles.
        high: rows of a window.
        scale: of the network.
    """
    return 3 * _FLOAT * width * (high + 2 * side * scale**2)


def fitting_side(width: int, reach: int, scale: int, per_pixel: float, room: float, workers: int) -> int | None:
    """The side of tiles that is quick and fits into memory; None where the smallest does not.

    Args:
        width: of the picture.
        reach: see `spans`.
        scale: of the network.
        per_pixel: bytes that the network needs for each pixel of a window.
        room: bytes that may be used.
        workers: windows that are computed at once.
    """
    wanted = min(max(_PER_REACH * reach, _USUAL[0]), _USUAL[1])
    for side in SIDES:
        strip = strip_bytes(width, side, side + 2 * reach, scale)
        if side <= wanted and strip + workers * per_pixel * (side + 2 * reach) ** 2 <= room:
            return side
    return None


def tiled(source: Rows, enlarge: Enlarge, scale: int, tiling: Tiling) -> Rows:
    """The enlarged picture, made as it is read.

    Args:
        source: the picture.
        enlarge: see `Enlarge`; called from several threads at once.
        scale: of ``enlarge``.
        tiling: how to cut it.
    """
    return StripRows(scale * source.height, scale * source.width, _strips(source, enlarge, scale, tiling))


def _strips(source: Rows, enlarge: Enlarge, scale: int, tiling: Tiling) -> Iterator[Tensor]:
    start = 0
    while start < source.height:
        rows = spans(source.height, tiling.side, tiling.reach, tiling.step, start, least=least_side(source.width))[0]
        lr = source.read(rows.low, rows.high)
        try:
            strip = _strip(lr, source.height, rows, enlarge, scale, tiling)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or not tiling.halve(max(lr.shape[-2:])):
                raise
            continue
        yield strip
        start = rows.stop


def _strip(lr: Tensor, height: int, rows: Span, enlarge: Enlarge, scale: int, tiling: Tiling) -> Tensor:
    """One row of tiles, of each picture of the batch."""
    batch, _, _, width = lr.shape
    split = tiling.workers.split  # a picture per worker; other devices are quicker with all at once
    shares = -(-tiling.workers.count // batch) if split and tiling.shared else 1
    columns = spans(width, tiling.side, tiling.reach, tiling.step, shares=shares, least=least_side(lr.shape[-2]))
    result = torch.empty(batch, 3, scale * (rows.stop - rows.start), scale * width, device=lr.device)
    kept = slice(scale * (rows.start - rows.low), scale * (rows.stop - rows.low))

    def fill(job: tuple[slice, Span]) -> None:
        pictures, span = job
        over = ((rows.high - height) % tiling.step, (span.high - width) % tiling.step)
        sr = enlarge(lr[pictures, :, :, span.low : span.high], over)
        part = sr[..., kept, scale * (span.start - span.low) : scale * (span.stop - span.low)]
        result[pictures, :, :, scale * span.start : scale * span.stop] = part.clamp(0, 1)

    whole = [slice(number, number + 1) for number in range(batch)] if split else [slice(0, batch)]
    jobs = [(pictures, span) for pictures in whole for span in columns]
    if tiling.reach is None:  # nothing to share out: let all threads work on it
        for job in jobs:
            fill(job)
    else:
        tiling.workers.map(fill, jobs)
    return result
