"""How a picture is cut: by tiles that equal the whole wherever memory holds them, else by tiles with a margin."""

from typing import NamedTuple

from sr.inference.memory import Memory
from sr.inference.reach import FOLD, Reach
from sr.inference.tiles import SIDES, fitting_side, least_side, spans, strip_bytes

MARGIN = Reach(32, FOLD)
"""Around tiles of networks that look farther than tiles can show: what lies beyond changes next to nothing."""

FAR = 192
"""Reach from which a side that is asked for means tiles with a margin: exact ones would be nearly all border."""

WHOLE = "the network looks farther than 1000 pixels, so the picture is enlarged as a whole: tiles would differ"
CUT = (
    f"the network looks farther than tiles can show: they have a margin of {MARGIN.pixels} pixels, and what they make "
    "differs a little from the whole picture"
)
DEAR = "a side of tiles that is asked for, as 256, is quicker and differs a little"

_LARGE = (4096, 3072, 2048, 1536)  # sides beyond the usual, where the border counts for more than caches
_WORTH_A_LINE, _FEW_TIMES, _DEAREST = 2.0, 2.5, 8.0
"""Times the work of the whole picture: from which it is told; up to which more workers are better than less work; and
above which nobody waits for what equals the whole picture: one of 3 megapixels by RRDBNet would take a day."""


class Plan(NamedTuple):
    """How to cut a picture.

    Attributes:
        side: of tiles, in LR pixels.
        reach: around them; None: the picture stays whole.
        workers: windows at once.
        said: what the user should know.
    """

    side: int
    reach: Reach | None
    workers: int
    said: str | None = None


class Work(NamedTuple):
    """A network on a picture.

    Attributes:
        size: (height, width) of the picture.
        scale: of the network.
        per_pixel: bytes that it needs for each pixel of a window.
        workers: windows that can be computed at once.
    """

    size: tuple[int, int]
    scale: int
    per_pixel: float
    workers: int


def plan(work: Work, reach: Reach | None, memory: Memory, asked: int | None = None, margin: Reach = MARGIN) -> Plan:
    """The quickest way that memory allows; exact unless a side is asked for, or nothing exact fits.

    Args:
        work: what is to be done.
        reach: of the network; None: it is global.
        memory: that may be used.
        asked: side of tiles.
        margin: around tiles that are not exact.
    """
    longest, area = max(work.size), work.size[0] * work.size[1]
    if reach is None and (asked is None or asked >= longest) and work.per_pixel * area <= memory.most:
        return Plan(longest, None, work.workers, WHOLE)
    if reach is None or (asked is not None and reach.pixels > FAR and asked < longest):
        return _cut(work, margin, memory, None if asked is None or asked >= longest else asked)._replace(said=CUT)
    if asked is None and not _exact_fits(work, reach, memory):
        return _cut(work, margin, memory)._replace(said=CUT)
    return _cut(work, reach, memory, asked)


def _exact_fits(work: Work, reach: Reach, memory: Memory) -> bool:
    return _usual(work, reach, memory) is not None or _cheapest(work, reach, memory.most) is not None


def _cut(work: Work, reach: Reach, memory: Memory, asked: int | None = None) -> Plan:
    """Tiles with so much around them; the smallest there are where nothing fits."""
    if asked is not None:
        counts = [count for count in _counts(work.workers) if _needed(work, reach, asked, count)[0] <= memory.most]
        return Plan(asked, reach, max(counts, default=1))
    return _usual(work, reach, memory) or _cheapest(work, reach, memory.most) or Plan(SIDES[-1], reach, 1)


def _usual(work: Work, reach: Reach, memory: Memory) -> Plan | None:
    """Tiles that fit into the room with all workers, and are not mostly border."""
    side = fitting_side(work.size[1], reach.pixels, work.scale, work.per_pixel, memory.room, work.workers)
    return Plan(side, reach, work.workers) if side is not None and side >= 2 * reach.pixels else None


def _cheapest(work: Work, reach: Reach, most: float) -> Plan | None:
    """Tiles that take the least time of those that fit into memory; None where none does.

    Fewer workers have several threads each. What RRDBNet makes of a pixel did not depend on how many (measured with
    1, 2, 3 and 8), which is not so with narrow networks: those fit with a worker for each thread.
    """
    sides = {side for side in (*_LARGE, *SIDES) if side < max(work.size)} | {max(work.size)}
    best: tuple[float, float, int, int] | None = None
    for count in _counts(work.workers):
        needs = [(*_needed(work, reach, side, count), side) for side in sides]
        for needed, times, used, side in sorted(needs):
            cost = times / (used * work.workers // count)
            if needed <= most and (best is None or cost < best[0]):
                best = cost, times, side, count
        if best is not None and best[0] <= _FEW_TIMES / work.workers:
            break
    if best is None or (reach.pixels > FAR and best[1] > _DEAREST):
        return None
    _, times, side, count = best
    line = f"the network looks {reach.pixels} pixels far: tiles compute {times:.2g} times as much as the whole picture"
    line += f" where memory holds {count} of them at once" if count < work.workers else ""
    line += f"; {DEAR}" if reach.pixels > FAR else ""
    return Plan(side, reach, count, line if times > _WORTH_A_LINE else None)


def _needed(work: Work, reach: Reach, side: int, count: int) -> tuple[float, float, int]:
    """Bytes that tiles need, what they compute as a multiple of the picture, and how many are computed at once."""
    height, width = work.size
    rows = spans(height, side, *reach, least=least_side(width))
    high = max(span.high - span.low for span in rows)
    columns = spans(width, side, *reach, shares=count, least=least_side(high))
    wide = max(span.high - span.low for span in columns)
    used = min(count, len(columns))
    times = sum(span.high - span.low for span in rows) * sum(span.high - span.low for span in columns)
    kept = min(side, height)
    return (
        used * work.per_pixel * high * wide + strip_bytes(width, kept, high, work.scale),
        times / height / width,
        used,
    )


def _counts(workers: int) -> list[int]:
    """How many windows may be computed at once: all workers, half of them, … one."""
    counts = [workers]
    while counts[-1] > 1:
        counts.append(counts[-1] // 2)
    return counts
