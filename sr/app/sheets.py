"""Contact sheets of degraded crops, with histograms of what was drawn."""

import io
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sr.draws import Record
from sr.errors import UserError
from sr.files import write_atomically

_COLUMNS = 4  # crops side by side: low resolution, high resolution and text each
_HISTOGRAMS = 6  # side by side


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
    drawn: dict[str, float | str]


def contact_sheet(path: Path, seen: Sequence[Seen], record: Record, title: str) -> None:
    """Write a PNG: each crop in low (enlarged, pixels visible) and high resolution, its draws, then histograms.

    Args:
        path: of the file.
        seen: the crops.
        record: all draws.
        title: above everything.

    Raises:
        UserError: the file cannot be written.
    """
    rows = -(-len(seen) // _COLUMNS)
    names = [name for name, column in record.values.items() if len(set(column.values())) > 1]
    lines = max([_lines(pair.drawn) for pair in seen], default=0)
    heights = [3.0 + 0.13 * lines] * rows + [2.0] * -(-len(names) // _HISTOGRAMS)
    figure = Figure(figsize=(20, 0.8 + sum(heights)), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=14)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for row in range(rows):
        axes = parts[row].subplots(1, 2 * _COLUMNS, squeeze=False)[0]
        for axis in axes:
            axis.set_axis_off()
        for column, pair in enumerate(seen[row * _COLUMNS : (row + 1) * _COLUMNS]):
            _draw_pair(axes[2 * column], axes[2 * column + 1], pair)
    for row, part in enumerate(parts[rows:]):
        axes = part.subplots(1, _HISTOGRAMS, squeeze=False)[0]
        for axis in axes:
            axis.set_axis_off()
        for axis, name in zip(axes, names[row * _HISTOGRAMS : (row + 1) * _HISTOGRAMS], strict=False):
            _draw_histogram(axis, name, list(record.values[name].values()))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, file.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def _lines(drawn: dict[str, float | str]) -> int:
    return sum(len(_wrapped(name, value)) for name, value in drawn.items())


def _wrapped(name: str, value: float | str) -> list[str]:
    shown = value if isinstance(value, str) else f"{value:.3g}"
    return textwrap.wrap(f"{name} {shown}", 34, subsequent_indent="  ")


def _draw_pair(low: Axes, high: Axes, pair: Seen) -> None:
    low.imshow(pair.lr, interpolation="nearest")
    low.set_title(f"LR {pair.lr.shape[1]}x{pair.lr.shape[0]}", fontsize=8)
    high.imshow(pair.hr, interpolation="nearest")
    high.set_title(f"HR {pair.hr.shape[1]}x{pair.hr.shape[0]}", fontsize=8)
    text = "\n".join(line for name, value in pair.drawn.items() for line in _wrapped(name, value))
    low.text(0, -0.05, text, transform=low.transAxes, va="top", fontsize=7, family="monospace")


def _draw_histogram(axis: Axes, name: str, values: list[Any]) -> None:
    axis.set_axis_on()
    axis.set_title(f"{name} ({len(values)})", fontsize=8)
    axis.tick_params(labelsize=7)
    if isinstance(values[0], str):
        counts = Counter(values).most_common()
        axis.barh([kind for kind, _ in counts], [number for _, number in counts])
    else:
        axis.hist(values, bins=min(30, max(2, len(set(values)))))
