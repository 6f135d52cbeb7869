"""The input's colours for an enlargement whose network has shifted them.

Both ways need to have seen the whole enlargement before its first row can be corrected: that of a file waits in a
temporary file.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from sr.errors import UserError
from sr.inference.rows import Rows, StripRows, TensorRows
from sr.printable import printable

Colour = Literal["none", "match", "low"]

EPSILON = 0.004
"""Standard deviation below which an output's spread is left as it is: the experiment log's 0.008 on [-1, 1]."""

CELL = 16
"""LR pixels a side of the cells whose means are the low frequencies."""

_STRIP = 64  # rows between memory and file


class Statistic(ABC):
    """What is remembered of a picture that passes by, and given to an enlargement of it."""

    @abstractmethod
    def add(self, top: int, rows: Tensor) -> None:
        """Count (n, 3, h, w) rows from row ``top`` on."""

    @abstractmethod
    def given_to(self, rows: Tensor, top: int, made: Self) -> Tensor:
        """Rows from row ``top`` on of an enlargement, whose own statistic is ``made``, with this one instead."""


class Spread(Statistic):
    """Mean and standard deviation of each channel of each picture; sums by rows, however many come at once."""

    def __init__(self) -> None:
        self._sums: list[Tensor] = []
        self._width = 0

    def add(self, top: int, rows: Tensor) -> None:
        """See `Statistic.add`."""
        exact = rows.double()
        self._width = rows.shape[-1]
        self._sums.append(torch.stack([exact.sum(-1), exact.square().sum(-1)]))

    def read(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, (n, 3, 1, 1) float64 each."""
        sums = torch.cat(self._sums, dim=-1)
        mean, square = sums.sum(-1)[..., None, None] / (sums.shape[-1] * self._width)
        return mean, (square - mean.square()).clamp(min=0).sqrt()

    def given_to(self, rows: Tensor, top: int, made: Self) -> Tensor:
        """See `Statistic.given_to`."""
        return matched(rows, self.read(), made.read())


class CellMeans(Statistic):
    """Means of the cells of a grid over the picture.

    Args:
        size: (height, width) of the picture.
        grid: cells downwards and across.
    """

    def __init__(self, size: tuple[int, int], grid: tuple[int, int]) -> None:
        self._cells = [_cell(torch.arange(side), side, cells) for side, cells in zip(size, grid, strict=True)]
        self._counts = [torch.bincount(cell, minlength=cells) for cell, cells in zip(self._cells, grid, strict=True)]
        self._size, self._grid = size, grid
        self._sums: Tensor | None = None

    def add(self, top: int, rows: Tensor) -> None:
        """See `Statistic.add`."""
        batch, channels, height, _ = rows.shape
        if self._sums is None:
            self._sums = torch.zeros(batch, channels, *self._grid, dtype=torch.float64)
        across = torch.zeros(batch, channels, height, self._grid[1], dtype=torch.float64)
        across.index_add_(-1, self._cells[1], rows.double())
        self._sums.index_add_(-2, self._cells[0][top : top + height], across)

    def read(self) -> Tensor:
        """(n, 3, cells downwards, cells across) float64."""
        assert self._sums is not None
        return self._sums / (self._counts[0][:, None] * self._counts[1])

    def given_to(self, rows: Tensor, top: int, made: Self) -> Tensor:
        """See `Statistic.given_to`."""
        return lifted(rows, top, made._size, self.read() - made.read())


def _cell(pixel: Tensor, side: int, cells: int) -> Tensor:
    """Number of the cell that a pixel lies in."""
    return ((pixel + 0.5) * cells / side).long()


def matched(rows: Tensor, source: tuple[Tensor, Tensor], made: tuple[Tensor, Tensor]) -> Tensor:
    """Each channel with the source's mean and standard deviation, clipped to [0, 1].

    Args:
        rows: (n, 3, h, w) of the enlargement.
        source: mean and standard deviation (n, 3, 1, 1) of the input.
        made: those of the whole enlargement; where it is almost flat, its spread stays.
    """
    factor = torch.where(made[1] < EPSILON, 1.0, source[1] / made[1].clamp(min=EPSILON))
    return (rows.double() * factor + (source[0] - factor * made[0])).float().clamp(0, 1)


def lifted(rows: Tensor, top: int, size: tuple[int, int], difference: Tensor) -> Tensor:
    """Rows with a smooth correction added, clipped to [0, 1].

    Args:
        rows: (n, 3, h, width) of the enlargement.
        top: number of the first.
        size: (height, width) of the whole enlargement.
        difference: (n, 3, cells downwards, cells across) to add at the cells' centres; between them it is bilinear.
    """
    downwards = _between(difference, torch.arange(top, top + rows.shape[-2]), size[0], -2)
    smooth = _between(downwards, torch.arange(size[1]), size[1], -1)
    return (rows.double() + smooth).float().clamp(0, 1)


def _between(cells: Tensor, pixel: Tensor, side: int, axis: int) -> Tensor:
    """Values at pixels, linear between the centres of cells along one axis."""
    count = cells.shape[axis]
    place = ((pixel + 0.5) * count / side - 0.5).clamp(0, count - 1).double()
    near = place.floor().long()
    share = (place - near).reshape((-1, 1) if axis == -2 else (1, -1))
    return torch.lerp(cells.index_select(axis, near), cells.index_select(axis, (near + 1).clamp(max=count - 1)), share)


def corrected(source: Rows, enlarge: Callable[[Rows], Rows], colour: Colour) -> Rows:
    """An enlargement with its input's colours.

    Args:
        source: the input.
        enlarge: what is made of it.
        colour: "match": mean and standard deviation of each channel; "low": the low frequencies, so that shifts that
            differ from place to place are mended, too.
    """
    if colour == "none":
        return enlarge(source)
    grid = -(-source.height // CELL), -(-source.width // CELL)
    seen: Statistic = Spread() if colour == "match" else CellMeans((source.height, source.width), grid)
    large = enlarge(_Watched(source, seen))
    size = large.height, large.width
    made: Statistic = Spread() if colour == "match" else CellMeans(size, grid)
    made_of = _kept_strips if isinstance(source, TensorRows) else _waiting_strips
    return StripRows(*size, made_of(large, seen, made))


@contextmanager
def _told() -> Iterator[None]:
    """What fails at the temporary file is told of it, not of the picture that is being written elsewhere.

    Raises:
        UserError: its folder is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        folder = printable(tempfile.gettempdir())
        raise UserError(
            f"colour waits in a temporary file in '{folder}', which fails: {error.strerror or error}; "
            "make room there, or name another folder in the environment variable TMPDIR"
        ) from error


class _Watched:
    """Rows that are counted when they are read for the first time."""

    def __init__(self, source: Rows, statistic: Statistic) -> None:
        self.height, self.width = source.height, source.width
        self._source, self._statistic, self._counted = source, statistic, 0

    def read(self, top: int, bottom: int) -> Tensor:
        """See `Rows.read`."""
        rows = self._source.read(top, bottom)
        if bottom > self._counted:
            self._statistic.add(self._counted, rows[..., self._counted - top :, :].cpu())
            self._counted = bottom
        return rows


def _kept_strips(large: Rows, seen: Statistic, made: Statistic) -> Iterator[Tensor]:
    """Of an enlargement that is to lie in memory anyway."""
    tops = range(0, large.height, _STRIP)
    kept = [large.read(top, min(top + _STRIP, large.height)).cpu() for top in tops]
    for top, rows in zip(tops, kept, strict=True):
        made.add(top, rows)
    for top, rows in zip(tops, kept, strict=True):
        yield seen.given_to(rows, top, made)


def _waiting_strips(large: Rows, seen: Statistic, made: Statistic) -> Iterator[Tensor]:
    """Of one that waits in a temporary file."""
    shape = torch.Size((0, 0))
    tops = range(0, large.height, _STRIP)
    with _told(), TemporaryFile() as file:
        for top in tops:
            rows = large.read(top, min(top + _STRIP, large.height))
            made.add(top, rows)
            shape = torch.Size(rows.shape[:2])
            file.write(rows.contiguous().numpy().tobytes())
        file.seek(0)
        for top in tops:
            height = min(_STRIP, large.height - top)
            count = shape[0] * shape[1] * height * large.width
            kept = np.frombuffer(bytearray(file.read(4 * count)), np.float32)
            yield seen.given_to(torch.from_numpy(kept).reshape(*shape, height, large.width), top, made)
