"""Validation sets: one, or several by name, each with low-resolution twins that are given or made; pictures to show."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.data.kinds.matching import matched
from sr.data.kinds.sources import Folder
from sr.image.depth import to_uint8
from sr.types import Picture, UserError

Pictures = PictureSource | str | Sequence[str]
"""A source, or folders of pictures: one path or several."""

_NOT_IN_NAMES = re.compile(r"[^\w-]", re.ASCII)


@dataclass(frozen=True)
class Sides:
    """Where pictures to train or to validate on come from.

    Attributes:
        hr: high-resolution pictures.
        lr: their given low-resolution twins; None makes them with the degradation.
    """

    hr: PictureSource
    lr: PictureSource | None

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Download what is missing of either; see `PictureSource.fetch`."""
        for source in (self.hr, self.lr):
            if source is not None:
                source.fetch(on_progress, on_message)


@dataclass(frozen=True)
class ShownPicture:
    """A picture without a truth.

    Attributes:
        name: for files.
        lr: (height, width, 3) uint8.
        gray: the file has one channel.
        side: ``a`` or ``b`` for a network that translates; empty for others.
    """

    name: str
    lr: np.ndarray
    gray: bool
    side: str = ""


def validation_sets(
    val: Pictures | Mapping[str, Pictures | None] | None,
    val_lr: Pictures | Mapping[str, Pictures | None] | None,
    scale: int,
) -> dict[str, Sides]:
    """The sets by name, the main one first; one that is given without a name has the name ``""``.

    Args:
        val: pictures, or pictures by name.
        val_lr: low-resolution twins likewise; a name that is left out, or null, has none given.
        scale: between them.

    Raises:
        UserError: a name that cannot be one, a set without pictures, or twins of no set.
        ValueError: something that is no pictures.
    """
    if val is None:
        return {}
    if not isinstance(val, Mapping):
        if isinstance(val_lr, Mapping):
            raise UserError(
                f"data.val_lr names {', '.join(val_lr) or 'no set'}, and data.val is one set without a name; name it "
                "too, as in data.val={NAME:DIR}"
            )
        return {"": given_sides("val", val, val_lr, scale)}
    if val_lr is not None and not isinstance(val_lr, Mapping):
        raise UserError(
            f"data.val_lr={_shown(val_lr)} is of one set, and data.val names {', '.join(map(str, val))}; write "
            "data.val_lr={NAME:DIR}, or data.val_lr=null to make them with the degradation"
        )
    twins = {} if val_lr is None else val_lr
    _check_names(val, twins)
    return {name: _named(name, source, twins.get(name), scale) for name, source in val.items()}


def given_sides(name: str, hr: Pictures, lr: Pictures | None, scale: int) -> Sides:
    """Pictures and their twins: two folders by their files' names, everything else in order.

    Files whose names have nothing in common, as many on both sides, belong together in order too. By order alone, one
    missing file would shift all that come after it.

    Args:
        name: of the setting, ``train`` or ``val``; its twins' is ``train_lr`` or ``val_lr``.
        hr: high-resolution pictures.
        lr: their twins, or None.
        scale: between them.

    Raises:
        UserError: a folder is missing or empty, or a file has no partner.
        ValueError: neither source nor folders.
    """
    if isinstance(hr, str) and isinstance(lr, str):
        try:
            return twin_folders(hr, lr, scale, {"train": "training", "val": "validation"}[name])
        except UserError:
            if not _strangers(Folder(hr), Folder(lr)):
                raise
    return Sides(pictures_of(name, hr), None if lr is None else pictures_of(f"{name}_lr", lr))


def _strangers(one: Folder, other: Folder) -> bool:
    """As many files on both sides, and no name on both."""
    names, others = ({path.stem.lower() for path in folder.paths} for folder in (one, other))
    return len(one) == len(other) and not names & others


def _named(name: str, hr: Pictures | None, lr: Pictures | None, scale: int) -> Sides:
    if hr is None:
        raise UserError(f"data.val.{name}=null is no set; give its folder, or leave it out with ~data.val.{name}")
    if isinstance(hr, str) and isinstance(lr, str):
        return twin_folders(hr, lr, scale, f"validation ({name})")
    return Sides(pictures_of(f"val.{name}", hr), None if lr is None else pictures_of(f"val_lr.{name}", lr))


def twin_folders(hr: str, lr: str, scale: int, what: str) -> Sides:
    """Two folders whose files are matched by name, see `sr.data.kinds.matching`.

    Raises:
        UserError: a folder is missing or empty, or a file on either side has no partner.
    """
    pairs = matched(hr, lr, scale, what)
    return Sides(Folder([str(pair.hr) for pair in pairs]), Folder([str(pair.lr) for pair in pairs]))


def _check_names(names: Mapping[str, object], twins: Iterable[str]) -> None:
    if not names:
        raise UserError("data.val={} names no set; write data.val={NAME:DIR}, or data.val=null for no validation")
    for name in map(str, names):
        if not name:
            raise UserError("a set of data.val has an empty name; give it one, as in data.val={NAME:DIR}")
        if _NOT_IN_NAMES.search(name):
            raise UserError(
                f"data.val names a set '{name}', and columns and folders are named after it; letters, digits, _ and - "
                f"are free: {_NOT_IN_NAMES.sub('_', name)}"
            )
    for name in map(str, twins):
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
            raise UserError(f"data.val_lr names {name}, which is no set of data.val; {hint}")


def pictures_of(name: str, given: object) -> PictureSource:
    """A source as it is, folders as one.

    Raises:
        UserError: a folder is missing or holds no picture.
        ValueError: neither source nor folders.
    """
    if isinstance(given, PictureSource):
        return given
    if isinstance(given, (str, Sequence)):
        return Folder(given)
    raise ValueError(f"{name}={_shown(given)} is no folder of pictures; give its path, or several as [DIR1,DIR2]")


def _shown(given: object) -> str:
    if isinstance(given, PictureSource):
        return type(given).__name__
    return "null" if given is None else f"{given}"


def shown_sources(shown: Pictures | Mapping[str, Pictures] | None) -> dict[str, PictureSource]:
    """Pictures without a truth by their side: ``a`` and ``b`` for a network that translates, else one without a name.

    Args:
        shown: pictures, or pictures by side; None for none.

    Raises:
        UserError: other sides, or a folder that is missing or empty.
        ValueError: something that is no pictures.
    """
    if shown is None:
        return {}
    if not isinstance(shown, Mapping):
        return {"": pictures_of("shown", shown)}
    if sorted(shown) != ["a", "b"]:
        raise UserError(
            f"data.shown={{{','.join(map(str, shown))}}} names other sides than a and b; give both or one DIR"
        )
    return {side: pictures_of(f"shown.{side}", shown[side]) for side in ("a", "b")}


def first_pictures(source: PictureSource, count: int, on_message: OnMessage) -> list[ShownPicture]:
    """The first so many pictures that can be read.

    Args:
        source: fetched.
        count: at most so many.
        on_message: told of those that cannot be read.

    Raises:
        UserError: none can be read.
    """
    shown: list[ShownPicture] = []
    reasons: list[str] = []
    for number in range(len(source) if count else 0):
        try:
            read = source.read(number)
        except UserError as error:
            reasons.append(str(error))
            continue
        for picture in [read] if isinstance(read, Picture) else read:
            shown.append(ShownPicture(source.name(number), to_uint8(np.asarray(picture.pixels)), picture.gray))
        if len(shown) >= count:
            break
    if reasons:
        text = f"{len(reasons)} of the pictures of data.shown cannot be used: {'; '.join(reasons[:3])}"
        if not shown:
            raise UserError(f"{text}. None is left; name others with data.shown=DIR")
        on_message(text)
    return shown[:count]


def short_names(names: Sequence[str]) -> list[str]:
    """The names without the folder that all have in common: the same wherever the folder lies."""
    folders = [Path(name).parent.parts for name in names]
    shared = 0
    while folders and all(len(parts) > shared and parts[shared] == folders[0][shared] for parts in folders):
        shared += 1
    return [Path(*Path(name).parts[shared:]).as_posix() for name in names]
