"""Pictures that are read from top to bottom, a few rows at a time, so that none needs to lie in memory as a whole."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from sr.image.color import gray_again


class Rows(Protocol):
    """A picture, or a batch of pictures of one size, that is read downwards.

    Attributes:
        height: rows in all.
        width: pixels of a row.
    """

    height: int
    width: int

    def read(self, top: int, bottom: int) -> Tensor:
        """Rows ``top`` to ``bottom`` - 1 as (n, 3, bottom - top, width) float32 in [0, 1], RGB; n is 1 for files.

        ``top`` never decreases between calls, so that a reader may forget the rows above the last ``top``. Rows below
        it may be asked for again.
        """
        ...


class TensorRows:
    """Pictures that are in memory.

    Args:
        pictures: (n, 3, height, width).
    """

    def __init__(self, pictures: Tensor) -> None:
        self.pictures = pictures
        self.height, self.width = (int(side) for side in pictures.shape[-2:])

    def read(self, top: int, bottom: int) -> Tensor:
        """See `Rows.read`."""
        return self.pictures[..., top:bottom, :]


class StripRows:
    """A picture whose strips come one after the other and only once; what may be asked for again is kept.

    Args:
        height: rows in all.
        width: pixels of a row.
        strips: (n, 3, rows, width) each, of any numbers of rows, from top to bottom.
    """

    def __init__(self, height: int, width: int, strips: Iterator[Tensor]) -> None:
        self.height, self.width = height, width
        self._strips = strips
        self._kept: list[Tensor] = []
        self._top = self._bottom = 0

    def read(self, top: int, bottom: int) -> Tensor:
        """See `Rows.read`.

        Raises:
            ValueError: ``top`` lies above that of an earlier call, or ``bottom`` below the picture.
        """
        if not self._top <= top < bottom <= self.height:
            raise ValueError(f"rows {top} to {bottom} of {self.height} are asked for, and rows from {self._top} kept")
        while self._bottom < bottom:
            self._kept.append(next(self._strips))
            self._bottom += self._kept[-1].shape[-2]
            self._forget(top)
        self._forget(top)
        whole = self._kept[0] if len(self._kept) == 1 else torch.cat(self._kept, dim=-2)
        return whole[..., top - self._top : bottom - self._top, :]

    def _forget(self, top: int) -> None:
        """Let go of the strips that end above ``top``."""
        while self._kept and self._top + self._kept[0].shape[-2] <= top:
            self._top += self._kept.pop(0).shape[-2]


class GrayRows:
    """What networks made of a gray picture, gray; see `gray_again`.

    Args:
        rows: with three channels that differ a little.
    """

    def __init__(self, rows: Rows) -> None:
        self.height, self.width, self._rows = rows.height, rows.width, rows

    def read(self, top: int, bottom: int) -> Tensor:
        """See `Rows.read`."""
        return gray_again(self._rows.read(top, bottom))


def gathered(rows: Rows) -> Tensor:
    """The whole picture: (n, 3, height, width)."""
    return rows.read(0, rows.height)
