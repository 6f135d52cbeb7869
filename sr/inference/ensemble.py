"""A picture turned and mirrored in all eight ways: what a network makes of them is averaged."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

Turn = Callable[[Tensor], Tensor]


def turns() -> list[tuple[Turn, Turn]]:
    """Each way to turn and mirror (..., h, w), and the way back; the first leaves it as it is."""
    ways = [(quarters, mirrored) for mirrored in (False, True) for quarters in range(4)]
    return [(partial(_turned, quarters=q, mirrored=m), partial(_back, quarters=q, mirrored=m)) for q, m in ways]


def _turned(picture: Tensor, quarters: int, mirrored: bool) -> Tensor:
    return (picture.flip(-1) if mirrored else picture).rot90(quarters, (-2, -1))


def _back(picture: Tensor, quarters: int, mirrored: bool) -> Tensor:
    back = picture.rot90(-quarters, (-2, -1))
    return back.flip(-1) if mirrored else back
