"""A picture turned and mirrored in all eight ways: what a network makes of them is averaged."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor


class Turn(NamedTuple):
    """A way to turn and mirror pictures.

    Attributes:
        there: of (..., h, w).
        back: the way back.
        upwards: the turned picture begins where the picture ends below: its first pixel comes from the last row.
        leftwards: likewise, from the last column.
    """

    there: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]
    upwards: bool
    leftwards: bool


def turns() -> list[Turn]:
    """All eight; the first leaves the picture as it is."""
    return [_turn(quarters, mirrored) for mirrored in (False, True) for quarters in range(4)]


def _turn(quarters: int, mirrored: bool) -> Turn:
    there = partial(_turned, quarters=quarters, mirrored=mirrored)
    corner = int(there(torch.arange(4).reshape(2, 2))[0, 0])
    return Turn(there, partial(_back, quarters=quarters, mirrored=mirrored), corner >= 2, corner % 2 == 1)


def _turned(picture: Tensor, quarters: int, mirrored: bool) -> Tensor:
    return (picture.flip(-1) if mirrored else picture).rot90(quarters, (-2, -1))


def _back(picture: Tensor, quarters: int, mirrored: bool) -> Tensor:
    back = picture.rot90(-quarters, (-2, -1))
    return back.flip(-1) if mirrored else back
