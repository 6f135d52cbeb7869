"""How a picture is cut: by tiles that equal the whole wherever memory holds them, else by tiles with a margin."""

from typing import NamedTuple

from sr.errors import UserError
from sr.inference.memory import Memory
from sr.inference.reach import FOLD, Reach
from sr.inference.tiles import SIDES, fitting_side, least_side, spans, strip_bytes

MARGIN = Reach(32, FOLD)
"""Around tiles of networks that look farther than tiles can show: what lies beyond changes next to nothing."""

FAR = 192
"""Reach from which tiles may have a margin: exact ones would be nearly all border."""

WHOLE = "the network looks farther than 1000 pixels, so the picture is made as a whole: tiles would differ"
CUT = (
    f"the network looks farther than tiles can show: they have a margin of {MARGIN.pixels} pixels, and what they make "
    "differs a little from the whole picture"
)
NORMALISED = (
    "the network looks at the whole picture (instance normalisation): tiles differ from it and from each other in "
    "colour and contrast"
)
DEAR = "larger tiles compute less"

_LARGE = (4096, 3072, 2048, 1536)  # sides beyond the usual, where the border counts for more than caches
_MORE = (1, 2, 4, 8, float("inf"))  # times the usual room
_WORTH_A_LINE, _FEW_TIMES, _DEAREST = 3.0, 2.5, 8.0
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
        normalised: it divides by means over the whole picture, so that tiles are made only where they are asked for.
    """

    size: tuple[int, int]
    scale: int
    per_pixel: float
    workers: int
    normalised: bool = False


def plan(work: Work, reach: Reach | None, memory: Memory, asked: int | None = None, margin: Reach = MARGIN) -> Plan:
    """The quickest way that memory allows.

    It is exact where a side is asked for and the network is not global, and else wherever that fits and is bearable.

    Args:
        work: what is to be done.
        reach: of the network; None: it is global.
        memory: that may be used.
        asked: side of tiles.
        margin: around tiles that are not exact.

    Raises:
        UserError: a picture that is not to be cut does not fit into memory.
    """
    longest, area = max(work.size), work.size[0] * work.size[1]
    if reach is None and (asked is None or asked >= longest) and work.per_pixel * area <= memory.most:
        return Plan(longest, None, work.workers, None if work.normalised else WHOLE)
    if work.normalised and asked is None:
        height, width = work.size
        needed, there = work.per_pixel * area / 2**30, memory.most / 2**30
        raise UserError(
            f"a picture of {width}x{height} takes {needed:.1f} GiB as a whole, and {there:.1f} are free; {NORMALISED}. "
            "Make it smaller, or cut it all the same: --tile 1024 (tile=1024 from Python)"
        )
    exact = None if reach is None else _cut(work, reach, memory, asked)
    if exact is not None:
        return exact
    cut = _cut(work, margin, memory, None if asked is None or asked >= longest else asked)
    return (cut or Plan(SIDES[-1], margin, 1))._replace(said=NORMALISED if work.normalised else CUT)


def exact_plan(work: Work, reach: Reach | None, memory: Memory, asked: int | None = None) -> Plan:
    """As `plan`, but equal to the whole picture, whatever that takes."""
    if reach is None:
        return Plan(max(work.size), None, work.workers, WHOLE)
    return _cut(work, reach, memory, asked, dearest=float("inf")) or Plan(SIDES[-1], reach, 1)


def _cut(work: Work, reach: Reach, memory: Memory, asked: int | None = None, dearest: float = _DEAREST) -> Plan | None:
    """Tiles with so much around them; None where they do not fit into memory, or would be nearly all border."""
    if asked is not None:
        counts = [count for count in _counts(work.workers) if _needed(work, reach, asked, count)[0] <= memory.most]
        times = _needed(work, reach, asked, 1)[1]
        return Plan(asked, reach, max(counts, default=1), _told(reach, times, DEAR))
    side = fitting_side(work.size[1], reach.pixels, work.scale, work.per_pixel, memory.room, work.workers)
    if side is not None and side >= 2 * reach.pixels:
        return Plan(side, reach, work.workers)
    found = _bearable(work, reach, memory)
    if found is None or (reach.pixels > FAR and found.times > dearest):
        return None
    few = f"memory holds {found.workers} of them at once" if found.workers < work.workers else ""
    return Plan(found.side, reach, found.workers, _told(reach, found.times, few))


class _Found(NamedTuple):
    """Tiles, and what they take: time, as a share of what one thread takes for the whole; work, as a multiple of it."""

    cost: float
    times: float
    side: int
    workers: int


def _bearable(work: Work, reach: Reach, memory: Memory) -> _Found | None:
    """The first tiles that do little more than the picture's own work, else the quickest; None where none fits.

    First more memory is taken, and then fewer workers with several threads each. What RRDBNet makes of a pixel did not
    depend on how many threads (measured with 1, 2, 3 and 8), which is not so with narrow networks: those fit before.
    """
    found = []
    for workers in _counts(work.workers):
        for times in _MORE:
            one = _quickest(work, reach, workers, min(times * memory.room, memory.most))
            if one is not None and one.cost <= _FEW_TIMES / work.workers:
                return one
            found += [] if one is None else [one]
    return min(found, default=None)


def _quickest(work: Work, reach: Reach, workers: int, most: float) -> _Found | None:
    """Of tiles that so many workers compute in so much memory."""
    found = []
    for side in {side for side in (*_LARGE, *SIDES) if side < max(work.size)} | {max(work.size)}:
        needed, times, used = _needed(work, reach, side, workers)
        if needed <= most:
            found.append((times / (used * work.workers // workers), needed, times, side))
    if not found:
        return None
    cost, _, times, side = min(found)
    return _Found(cost, times, side, workers)


def _told(reach: Reach, times: float, more: str) -> str | None:
    """What tiles cost, where that is worth a line."""
    if times <= _WORTH_A_LINE:
        return None
    line = f"the network looks {reach.pixels} pixels far: tiles compute {times:.2g} times as much as the whole"
    return f"{line}; {more}" if more else line


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
