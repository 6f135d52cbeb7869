"""A picture enlarged tile by tile, each with as much around it as its pixels depend on."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sr.devices import out_of_memory
from sr.inference.rows import Rows, StripRows

STEP = 8
"""Windows begin and end at multiples of so many pixels, or at the picture's border.

Networks that fold pixels into channels, or work on windows of their own, count them from the picture's corner.
"""

SMALLEST = 32
"""Pixels a side below which a tile is not halved: almost all of its window would be border."""

Enlarge = Callable[[Tensor], Tensor]
"""A network on a window: (n, 3, h, w) to (n, 3, scale*h, scale*w)."""


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


def spans(length: int, tile: int, reach: int, start: int = 0) -> list[Span]:
    """Tiles of almost equal size along an axis, whose windows are equal where the picture is long enough.

    Args:
        length: pixels of the axis.
        tile: largest number of pixels that are kept of a window.
        reach: pixels to each side that a pixel depends on.
        start: where the first tile begins.
    """
    margin = _up(reach)
    count = -(-(length - start) // max(tile, STEP))
    even = min(_up(-(-(length - start) // count)), max(_down(tile), STEP))
    window = even + 2 * margin
    if window >= length or (count == 1 and start == 0):
        return [Span(start, length, 0, length)]
    found = []
    for first in range(start, length, even):
        low = max(0, min(first - margin, _down(length - window)))
        high = length if first + even + margin >= length else low + window
        found.append(Span(first, min(first + even, length), low, high))
    return found


def _up(pixels: int) -> int:
    return -(-pixels // STEP) * STEP


def _down(pixels: int) -> int:
    return pixels // STEP * STEP


class TileSize:
    """How large tiles are, which memory decides.

    Args:
        pixels: a side.
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def halve(self) -> bool:
        """Take smaller tiles from now on; False where they are as small as they can be."""
        if self.pixels < 2 * SMALLEST:
            return False
        self.pixels //= 2
        return True


def tiled(source: Rows, enlarge: Enlarge, scale: int, reach: int, tile: TileSize) -> Rows:
    """The enlarged picture, made as it is read.

    Args:
        source: the picture.
        enlarge: see `Enlarge`.
        scale: of ``enlarge``.
        reach: pixels to each side of an LR pixel that its SR pixels depend on.
        tile: largest side of what is kept of a window; halved where memory runs out.
    """
    strips = _strips(source, enlarge, scale, reach, tile)
    return StripRows(scale * source.height, scale * source.width, strips)


def _strips(source: Rows, enlarge: Enlarge, scale: int, reach: int, tile: TileSize) -> Iterator[Tensor]:
    start = 0
    while start < source.height:
        span = spans(source.height, tile.pixels, reach, start)[0]
        lr = source.read(span.low, span.high)
        try:
            strip = _strip(lr, span, enlarge, scale, reach, tile.pixels)
        except (MemoryError, RuntimeError) as error:
            # A picture that is one window has no smaller ones to halve into unless the tile is smaller than it.
            tile.pixels = min(tile.pixels, max(source.height, source.width))
            if not out_of_memory(error) or not tile.halve():
                raise
            continue
        yield strip
        start = span.stop


def _strip(lr: Tensor, rows: Span, enlarge: Enlarge, scale: int, reach: int, tile: int) -> Tensor:
    """One row of tiles."""
    kept = slice(scale * (rows.start - rows.low), scale * (rows.stop - rows.low))
    parts = []
    for span in spans(lr.shape[-1], tile, reach):
        sr = enlarge(lr[..., span.low : span.high])
        parts.append(sr[..., kept, scale * (span.start - span.low) : scale * (span.stop - span.low)].cpu())
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
