"""Contact sheets of degraded crops, with histograms of what was drawn.

Everything has its place in pixels: pictures are enlarged by whole factors where they can be, and no text meets
another.
"""

import io
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sr.draws import Record
from sr.errors import UserError
from sr.files import write_atomically
from sr.printable import printable
from sr.verbs.screen.own_sheet import SOFTWARE

Value = float | str

NOTHING_DRAWN = "nothing is drawn: every crop is treated alike"

_DPI = 100
_WIDTH = 1688  # pixels of a sheet, where one crop is not larger
_SIDE, _LARGEST = 192, 512  # pixels that a crop is shown with
_GAP = 24  # between columns
_BETWEEN = 8  # low and high resolution
_LINE, _LETTER = 15, 7  # height and width of the text, 8 points monospaced
_HISTOGRAM = (312, 130)
_HISTOGRAMS = 5  # side by side
_MOST_BARS = 6
_BLUE, _PALE = "#2b6cb0", "#bcd3ea"


@dataclass(frozen=True)
class Seen:
    """One crop as the network meets it.

    Attributes:
        lr: (h, w, 3) uint8.
        hr: (scale*h, scale*w, 3) uint8.
        drawn: what its degradation drew, by stage and parameter.
    """

    lr: np.ndarray
    hr: np.ndarray
    drawn: dict[str, Value]


def contact_sheet(path: Path, seen: Sequence[Seen], record: Record, total: int, title: str) -> None:
    """Write a PNG: each crop in low (enlarged, pixels visible) and high resolution, its draws, then histograms.

    Args:
        path: of the file.
        seen: the crops, at least one, all of one size.
        record: all draws.
        total: how many crops they were drawn for.
        title: above everything.

    Raises:
        UserError: the file cannot be written.
    """
    alike = same_for_all(record, total)
    side = _shown_side(seen[0].hr.shape[1])
    width = 2 * side + _BETWEEN
    columns = max(1, min(len(seen), (_WIDTH - _GAP) // (width + _GAP)))
    sheet_width = max(_GAP + columns * (width + _GAP), _WIDTH)
    texts = [_lines({n: v for n, v in pair.drawn.items() if n not in alike}, width // _LETTER) for pair in seen]
    names = [name for stage in by_stage(record.values).values() for name in stage if _varies(record, name)]
    heading = textwrap.wrap(_heading(record, alike), (sheet_width - 2 * _GAP) // _LETTER)
    rows = [range(first, min(first + columns, len(seen))) for first in range(0, len(seen), columns)]
    heights = [side + 48 + _LINE * max(len(texts[i]) for i in row) for row in rows]
    top = 66 + _LINE * len(heading)
    end = top + sum(heights) + -(-len(names) // _HISTOGRAMS) * (_HISTOGRAM[1] + 62)
    sheet = _Sheet(sheet_width, end + 10)
    sheet.text(_GAP, 14, [title], 14)
    sheet.text(_GAP, 50, heading)
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = _GAP + column * (width + _GAP)
            sheet.picture(left, top + 18, side, seen[i].lr, "LR")
            sheet.picture(left + side + _BETWEEN, top + 18, side, seen[i].hr, "HR")
            sheet.text(left, top + 24 + side, texts[i])
        top += height
    for i, name in enumerate(names):
        down, across = divmod(i, _HISTOGRAMS)
        axis = sheet.axes(_GAP + across * (_HISTOGRAM[0] + 20), top + down * (_HISTOGRAM[1] + 62) + 26, *_HISTOGRAM)
        _draw_histogram(axis, name, list(record.values[name].values()), total)
    _write(path, sheet.figure)


def same_for_all(record: Record, total: int) -> dict[str, Value]:
    """Parameters that every one of ``total`` samples met with the same value."""
    return {
        name: next(iter(column.values()))
        for name, column in record.values.items()
        if len(column) == total and len(set(column.values())) == 1
    }


def _varies(record: Record, name: str) -> bool:
    return len(set(record.values[name].values())) > 1


def by_stage(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of parameters (``stage/parameter``) by stage, in the order in which the stages come first."""
    stages: dict[str, list[str]] = {}
    for name in names:
        stages.setdefault(name.rpartition("/")[0], []).append(name)
    return stages


def in_words(drawn: dict[str, Value]) -> list[str]:
    """A text for each stage, such as ``blur: kind iso, sigma 1.2``."""
    return [
        f"{stage}: " + ", ".join(f"{name.rpartition('/')[2]} {shown(drawn[name])}" for name in names)
        for stage, names in by_stage(drawn).items()
    ]


def shown(value: Value) -> str:
    """Three digits of a number; of a name, which may be any file's, what can be shown."""
    return printable(value) if isinstance(value, str) else f"{value:.3g}"


def _lines(drawn: dict[str, Value], letters: int) -> list[str]:
    return [line for stage in in_words(drawn) for line in textwrap.wrap(stage, letters, subsequent_indent="  ")]


def _heading(record: Record, alike: dict[str, Value]) -> str:
    if not record.values:
        return NOTHING_DRAWN
    return f"the same for every crop: {'; '.join(in_words(alike))}" if alike else ""


def _shown_side(side: int) -> int:
    return side * max(1, round(_SIDE / side)) if side <= _LARGEST else side // -(-side // _LARGEST)


class _Sheet:
    """A figure on which places are pixels from the top left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: int, height: int) -> Axes:
        bottom = self.height - top - height
        place = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place)

    def text(self, left: float, top: float, lines: Sequence[str], size: int = 8) -> None:
        family = "monospace" if size == 8 else "sans-serif"
        for i, line in enumerate(lines):
            place = (left / self.width, 1 - (top + i * _LINE) / self.height)
            self.figure.text(*place, line, va="top", fontsize=size, family=family, parse_math=False)

    def picture(self, left: float, top: float, side: int, pixels: np.ndarray, name: str) -> None:
        axis = self.axes(left, top, side, side)
        axis.imshow(pixels, interpolation="nearest")
        axis.set_axis_off()
        self.text(left, top - 16, [f"{name} {pixels.shape[1]}x{pixels.shape[0]}"])


def _draw_histogram(axis: Axes, name: str, values: list[Value], total: int) -> None:
    stage, _, parameter = name.rpartition("/")
    title = _short(f"{stage}: {parameter} ({len(values) / total:.0%})", 46)
    axis.set_title(title, fontsize=8, loc="left", pad=4, parse_math=False)
    axis.set_yticks([])
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(labelsize=8)
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values) or len(set(values)) <= 3:
        _draw_shares(axis, values)
        return
    whole = all(number == int(number) for number in numbers)
    low, high = min(numbers), max(numbers)
    if whole and high - low <= 40:
        step = int(np.gcd.reduce(np.diff(sorted({int(number) for number in numbers}))))
        edges = np.arange(low - step / 2, high + step, step)
    else:
        edges = np.linspace(low, high, 21)
    axis.hist(numbers, bins=edges.tolist(), color=_BLUE, rwidth=0.9)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=whole))


def _draw_shares(axis: Axes, values: list[Value]) -> None:
    shares = common(values, _MOST_BARS)
    axis.barh(range(len(shares)), [share for _, share in shares], color=_PALE, height=0.85)
    axis.set_ylim(max(len(shares), 3) - 0.5, -0.5)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    for i, (label, share) in enumerate(shares):
        place = axis.get_yaxis_transform()
        axis.text(
            0.02,
            i,
            _short(label if len(shares) == 1 else f"{label}  {share:.0%}", 44),
            transform=place,
            va="center",
            fontsize=8,
            parse_math=False,
        )


def common(values: list[Value], most: int) -> list[tuple[str, float]]:
    """The commonest values and their shares; those beyond ``most``, or all where most are unique, only counted."""
    counts = Counter(shown(value) for value in values)
    if len(counts) > max(most, len(values) / 2):
        return [(f"{len(counts)} different ones", 1.0)]
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = ordered if len(ordered) <= most else ordered[: most - 1]
    shares = [(label, count / len(values)) for label, count in kept]
    if len(kept) < len(ordered):
        shares.append((f"{len(ordered) - len(kept)} others", 1 - sum(share for _, share in shares)))
    return shares


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters // 2 - 1]}…{text[-(letters - letters // 2) :]}"


def _write(path: Path, figure: Figure) -> None:
    file = io.BytesIO()
    with warnings.catch_warnings():  # of letters that the font lacks: they are boxes, and whoever looks sees that
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(file, format="png", metadata={"Software": SOFTWARE})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, file.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
