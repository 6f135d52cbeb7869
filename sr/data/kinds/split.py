"""Hold out a share of a source for validation, by a hash of its names: the same pictures on every machine."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from sr.data.contract import PictureSource
from sr.data.kinds.derived import Derived
from sr.errors import UserError
from sr.image.names import composed
from sr.types import Picture

By = Literal["picture", "folder"]


class Split(Derived):
    """One part of a source.

    Args:
        source: all pictures.
        part: ``train`` or ``val``.
        share: how much is held out for validation, 0..1; 0 holds nothing out. At least one picture (or folder) is
            left on each side.
        by: ``picture``, or ``folder``: all pictures of one folder (an episode of a film, a series of photographs)
            stay on one side, for neighbours look alike.

    Raises:
        ValueError: the share is no share.
    """

    def __init__(self, source: PictureSource, part: Literal["train", "val"], share: float, by: By = "picture") -> None:
        if not 0 <= share < 1:
            raise ValueError(f"val_share={share} must be at least 0 and below 1")
        super().__init__(source)
        self.part, self.share, self.by = part, share, by

    def stamp(self) -> str:
        """The source's, and how it is split."""
        return f"{self.source.stamp()} {self.part} share={self.share} by={self.by}"

    def __len__(self) -> int:
        return len(self._indices)

    def name(self, index: int) -> str:
        """As in the source."""
        return self.source.name(self._indices[index])

    def read(self, index: int) -> Picture | list[Picture]:
        """As in the source."""
        return self.source.read(self._indices[index])

    @cached_property
    def _indices(self) -> list[int]:
        names = [self.source.name(i) for i in range(len(self.source))]
        groups = [Path(name).parent.name if self.by == "folder" else _short(name) for name in names]
        held = held_out(groups, self.share, self.by)
        return [i for i, group in enumerate(groups) if (group in held) == (self.part == "val")]


def held_out(groups: Sequence[str], share: float, by: By = "picture") -> set[str]:
    """The groups whose names, in Unicode's composed form, hash lowest.

    Args:
        groups: a name per picture; equal names belong together.
        share: of the groups, 0..1.
        by: what the groups are, for the message.

    Raises:
        UserError: there is only one group, so nothing can be held out.
    """
    distinct = sorted({composed(group) for group in groups}, key=_hash)
    if share == 0:
        return set()
    if len(distinct) < 2:
        raise UserError(
            f"there is only one {by} ({distinct[0] if distinct else 'none'}), so none can be held out for validation; "
            "set data.val_share=0, and name validation pictures with data.val=DIR where that is a setting"
        )
    held = set(distinct[: min(max(1, round(share * len(distinct))), len(distinct) - 1)])
    return {group for group in groups if composed(group) in held}


def _short(name: str) -> str:
    """Folder and file, whatever lies above: a moved data set keeps its split."""
    return "/".join(Path(name).parts[-2:])


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
