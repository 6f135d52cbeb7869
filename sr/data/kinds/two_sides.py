"""Two folders of pictures that a network translates into each other, with a share of each held out."""

from collections.abc import Sequence
from typing import Literal

from sr.data.contract import PictureSource
from sr.data.kinds.sized import ShorterSide, Sized
from sr.data.kinds.sources import Folder
from sr.data.kinds.split import Split
from sr.errors import UserError

Folders = str | Sequence[str]


def to_train_on(
    given: Folders | None, side: Folders | None, val_share: float, shorter_side: ShorterSide = None, crop: int = 256
) -> Folders | PictureSource | None:
    """What is learned from of one side.

    Args:
        given: pictures, as they are where there are no sides.
        side: pictures of one side of a translation, or None.
        val_share: of the side's pictures held out, 0..1.
        shorter_side: of the side's pictures in pixels, see `Sized`.
        crop: likewise.

    Raises:
        UserError: a folder is missing or holds too few pictures, or other pictures are given beside the side's.
        ValueError: the share is no share, or the size none.
    """
    if side is not None and given != side:
        raise UserError(
            f"data.a and data.b are the two sides of a translation, and data.lr or data.hr={given} beside them has no "
            "place; leave it out"
        )
    return given if side is None else Sized(_part(Folder(side), "train", val_share), shorter_side, crop)


def to_show(
    given: Folders | None,
    a: Folders | None,
    b: Folders | None,
    val_share: float,
    shorter_side: ShorterSide = None,
    crop: int = 256,
) -> Folders | dict[str, PictureSource] | None:
    """What validations show: the held-out share of both sides, or what is given where there are no sides.

    Args:
        given: pictures without a truth.
        a: of one side of a translation, or None.
        b: of the other, or None.
        val_share: of each side's pictures held out, 0..1; where that is none, those that are trained on are shown.
        shorter_side: as in `to_train_on`.
        crop: likewise.

    Raises:
        UserError: one side is given alone, a folder is missing or holds too few pictures.
        ValueError: the share is no share, or the size none.
    """
    if a is None and b is None:
        return given
    if a is None or b is None:
        missing, there = ("a", "b") if a is None else ("b", "a")
        raise UserError(f"data.{there} is one side of a translation; give the other one too: data.{missing}=DIR")
    sides = {"a": Folder(a), "b": Folder(b)}
    return {name: Sized(_part(side, "val", val_share), shorter_side, crop) for name, side in sides.items()}


def _part(side: Folder, part: Literal["train", "val"], val_share: float) -> PictureSource:
    """A part of a side; all of it where the share is less than half a picture."""
    return Split(side, part, val_share) if round(val_share * len(side)) or not 0 <= val_share < 1 else side
