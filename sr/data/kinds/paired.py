"""Pairs of given pictures: a folder of high-resolution files and one of their low-resolution twins."""

from pathlib import Path
from typing import Literal

from sr.data.contract import OnMessage, OnProgress
from sr.data.kinds.listed import Listed, stamp_of, top_left
from sr.data.kinds.matching import Pair, check_sizes, header_size, matched
from sr.data.kinds.split import held_out
from sr.errors import UserError
from sr.image.io import read_visible
from sr.types import Picture

Part = Literal["train", "val"]
Fix = Literal["refuse", "crop"]


class _Paired(Listed):
    """One side of the pairs; both sides list the same pairs in the same order."""

    high = True

    def __init__(
        self,
        part: Part,
        hr: str,
        lr: str,
        scale: int,
        hr_val: str | None = None,
        lr_val: str | None = None,
        val_share: float = 0.1,
        fix: Fix = "refuse",
    ) -> None:
        if (hr_val is None) != (lr_val is None):
            there, absent = ("hr_val", "lr_val") if lr_val is None else ("lr_val", "hr_val")
            raise ValueError(f"{there} is given without {absent}; give both, or neither to hold a share out")
        if part not in ("train", "val"):
            raise ValueError(f"part={part} is not one of train, val")
        if fix not in ("refuse", "crop"):
            raise ValueError(f"fix={fix} is not one of refuse, crop")
        if hr_val is None and not 0 < val_share < 1:
            raise ValueError(f"val_share={val_share} must be above 0 and below 1; or give hr_val and lr_val")
        super().__init__()
        self.part, self.scale, self.val_share, self.fix = part, scale, val_share, fix
        self.folders = (hr, lr)
        self.val_folders = None if hr_val is None or lr_val is None else (hr_val, lr_val)
        self._pairs: list[Pair] = []

    def found(self, on_progress: OnProgress, on_message: OnMessage) -> list[Path]:
        """The files of this side, after matching names and comparing sizes."""
        self._pairs = self._part()
        if self.high:  # once, not for the twins again
            check_sizes(self._pairs, self.scale, self.fix == "crop", self._what, on_progress)
        return [pair.hr if self.high else pair.lr for pair in self._pairs]

    @property
    def _what(self) -> str:
        return "training" if self.part == "train" else "validation"

    def _part(self) -> list[Pair]:
        if self.val_folders is not None:
            return matched(*(self.folders if self.part == "train" else self.val_folders), self.scale, self._what)
        pairs = matched(*self.folders, self.scale, "the")
        held = held_out([pair.name for pair in pairs], self.val_share)
        return [pair for pair in pairs if (pair.name in held) == (self.part == "val")]

    def stamp(self) -> str:
        """Of this side's files; where pairs are cut to fit, also of the partners and the scale."""
        own = super().stamp()
        if self.fix == "refuse":
            return own
        partners = stamp_of([pair.lr if self.high else pair.hr for pair in self._pairs])
        return f"{own} {partners} x{self.scale} cropped"

    def read(self, index: int) -> Picture:
        """Decode one file of this side, cut to what both sides share where ``fix`` says so."""
        picture = read_visible(self.paths[index])
        if self.fix == "refuse":
            return picture
        pair = self._pairs[index]
        hr, lr = header_size(pair.hr), header_size(pair.lr)
        if hr is None or lr is None:
            raise UserError(f"cannot read the size of the partner of '{self.paths[index]}'; copy it again")
        height, width = (min(h // self.scale, n) for h, n in zip(hr, lr, strict=True))
        return (
            top_left(picture, height * self.scale, width * self.scale)
            if self.high
            else top_left(picture, height, width)
        )


class PairedHr(_Paired):
    """The high-resolution side.

    Args:
        part: ``train`` or ``val``.
        hr: folder of the high-resolution pictures.
        lr: folder of the low-resolution pictures.
        scale: between them.
        hr_val: folder of the high-resolution validation pictures; None holds out a share of the pairs by a hash of
            their names, the same on both sides and on every machine.
        lr_val: folder of the low-resolution validation pictures.
        val_share: of the pairs, 0..1, where none are given for validation.
        fix: what happens to pairs whose sizes differ by less than one low-resolution pixel: ``refuse``, or ``crop``
            both at the right and bottom to what they share.

    Raises:
        ValueError: a setting is out of range, or one of the validation folders is given without the other.
    """

    high = True


class PairedLr(_Paired):
    """The low-resolution side, with the same arguments as `PairedHr`."""

    high = False
