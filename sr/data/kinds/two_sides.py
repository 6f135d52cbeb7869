"""Two folders of pictures that a network translates into each other, with a share of each held out."""

from collections.abc import Sequence
from typing import Literal

from sr.data.contract import PictureSource
from sr.data.kinds.sized import Sized
from sr.data.kinds.sources import Folder
from sr.data.kinds.split import Split
from sr.errors import UserError

Folders = str | Sequence[str]


def to_train_on(
    given: Folders | None, side: Folders | None, val_share: float, shorter_side: int | None = None
) -> Folders | PictureSource | None:
    """What is learned from of one side.

    Args:
        given: pictures, as they are where there are no sides.
        side: pictures of one side of a translation, or None.
        val_share: of the side's pictures held out, 0..1.
        shorter_side: of the side's pictures in pixels; None leaves them as they are.

    Raises:
        UserError: a folder is missing or holds too few pictures, or other pictures are given beside the side's.
        ValueError: the share is no share, or the size none.
    """
    if side is not None and given != side:
        raise UserError(
            f"data.a and data.b are the two sides of a translation, and data.lr or data.hr={given} beside them has no "
            "place; leave it out"
        )
    return given if side is None else Sized(Split(Folder(side), "train", val_share), shorter_side)


def to_show(
    given: Folders | None, a: Folders | None, b: Folders | None, val_share: float, shorter_side: int | None = None
) -> Folders | dict[str, PictureSource] | None:
    """What validations show: the held-out share of both sides, or what is given where there are no sides.

    Args:
        given: pictures without a truth.
        a: of one side of a translation, or None.
        b: of the other, or None.
        val_share: of each side's pictures held out, 0..1; 0 shows those that are trained on.
        shorter_side: as in `to_train_on`.

    Raises:
        UserError: one side is given alone, a folder is missing or holds too few pictures.
        ValueError: the share is no share, or the size none.
    """
    if a is None and b is None:
        return given
    if a is None or b is None:
        missing, there = ("a", "b") if a is None else ("b", "a")
        raise UserError(f"data.{there} is one side of a translation; give the other one too: data.{missing}=DIR")
    part: Literal["val", "train"] = "val" if val_share else "train"
    return {name: Sized(Split(Folder(side), part, val_share), shorter_side) for name, side in (("a", a), ("b", b))}
