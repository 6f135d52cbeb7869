"""The world as data: what conf/data/miniature.yaml names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from sr.choices import check_choice
from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.data.kinds.anime import Frames
from sr.data.kinds.sources import Folder
from sr.data.kinds.split import Split
from sr.errors import UserError
from sr.experiments.world.filming import network_input
from sr.experiments.world.folder import World
from sr.experiments.world.pools import Pool, extraction_of
from sr.experiments.world.sets import SETS, is_drawn
from sr.experiments.world.settings import WorldSettings
from sr.image.depth import to_uint8
from sr.image.io import read_visible
from sr.types import Picture

Shows = Literal["anime_4000", "anime_1000", "foreign", "foreign_half"]
Side = Literal["hr", "lr"]

_HELD_OUT = 0.1  # of the pictures that somebody gave


class Training(PictureSource):
    """Pictures to train on.

    Args:
        world: its settings.
        shows: ``anime_4000``, the whole reference; ``anime_1000``, its first frames; ``foreign``, photographs;
            ``foreign_half``, those that pairs come from with ``data.real=half``.
        cache: folder of the worlds; None takes ``SR_CACHE`` or the user's cache folder.

    Raises:
        ValueError: there is no such part.
        UserError: a folder of real pictures is missing or empty.
    """

    def __init__(self, world: WorldSettings, shows: Shows = "anime_4000", cache: str | None = None) -> None:
        check_choice("shows", shows, Shows)
        self.world, self.shows = World(world, cache), shows
        self._source: PictureSource | None = None

    @property
    def source(self) -> PictureSource:
        """What reads the files, once they are there."""
        if self._source is None:
            photographs = self.shows.startswith("foreign")
            given = _given(self.world.settings, "foreign" if photographs else "reference", "train")
            drawn = self.world.foreign if photographs else self.world.reference
            self._source = given or Folder(str(drawn()))
        return self._source

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Draw the world where nobody has."""
        self.world.draw(on_progress, on_message)
        self.source.fetch(on_progress, on_message)

    def stamp(self) -> str:
        """The world's key, which tells all that its files depend on."""
        return f"world {self.world.settings.key} {self.shows}"

    def __len__(self) -> int:
        whole = len(self.source)
        if self.shows == "foreign_half":
            return whole // 2
        return min(self.world.settings.few_frames, whole) if self.shows == "anime_1000" else whole

    def name(self, index: int) -> str:
        """The file's path."""
        return self.source.name(index)

    def read(self, index: int) -> Picture | list[Picture]:
        """Decode one file."""
        return self.source.read(index)


class Validation(PictureSource):
    """One side of a validation set.

    Args:
        world: its settings.
        name: of the set, see `sr.experiments.world.sets.SETS`.
        side: ``hr``, or ``lr`` for the twins.
        cache: see `Training`.

    Raises:
        ValueError: there is no such set or side.
        UserError: it is one of a real target, of which no truth is known.
    """

    def __init__(self, world: WorldSettings, name: str, side: Side, cache: str | None = None) -> None:
        if name not in SETS:
            raise ValueError(f"{name} is no validation set of the world; it has {', '.join(SETS)}")
        check_choice("side", side, Side)
        self.world, self.set, self.side = World(world, cache), name, side
        if not is_drawn(world, name) and SETS[name].origin == "target":
            raise UserError(
                f"the validation set {name} needs the truth of data.target_video, which nobody knows; leave it out"
            )
        self._given = None if is_drawn(world, name) else _given(world, SETS[name].origin, "val")

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Draw the world where nobody has."""
        self.world.draw(on_progress, on_message)
        if self._given is not None:
            self._given.fetch(on_progress, on_message)

    def stamp(self) -> str:
        """The world's key."""
        return f"world {self.world.settings.key} {self.set} {self.side}"

    def __len__(self) -> int:
        count = self.world.settings.val_pictures
        return count if self._given is None else min(count, len(self._given))

    def name(self, index: int) -> str:
        """The file's path."""
        if self._given is not None:
            return self._given.name(index)
        return str(self.world.validation(self.set, self.side) / f"{index:05d}.png")

    def read(self, index: int) -> Picture:
        """Decode one file; of a picture that somebody gave, make its twin."""
        if self._given is None:
            return Picture(_pixels(Path(self.name(index))))
        found = self._given.read(index)
        assert isinstance(found, Picture)
        hr = to_uint8(found.pixels)
        hr = np.ascontiguousarray(hr[: hr.shape[0] // 2 * 2, : hr.shape[1] // 2 * 2])
        return Picture(hr if self.side == "hr" else SETS[self.set].made(hr))


class TargetFrames(PictureSource):
    """Frames of a release as networks meet them: without a truth, to be shown.

    Args:
        world: its settings.
        release: of the target.
        cache: see `Training`.
    """

    def __init__(self, world: WorldSettings, release: str, cache: str | None = None) -> None:
        self.world, self.release = World(world, cache), release
        self.world.release(release)
        self._folder: Folder | None = None

    @property
    def folder(self) -> Folder:
        """The frames, once they are there."""
        if self._folder is None:
            self._folder = Folder(str(self.world.frames(self.release)))
        return self._folder

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Draw the world where nobody has."""
        self.world.draw(on_progress, on_message)

    def stamp(self) -> str:
        """The world's key."""
        return f"world {self.world.settings.key} frames of {self.release}"

    def __len__(self) -> int:
        return len(self.folder)

    def name(self, index: int) -> str:
        """The file's path."""
        return self.folder.name(index)

    def read(self, index: int) -> Picture:
        """Decode one frame and enlarge it to the reference's proportions."""
        settings = self.world.settings
        pixels = _pixels(self.folder.paths[index])
        return Picture(network_input(pixels, settings.height // 2, settings.width // 2))


class WorldPools:
    """Makes the pool that ``data.target`` names, where it is the world's.

    Args:
        world: its settings.
        release: of the target.
        noise: code of the extraction, such as S3K3.
        cache: see `Training`.

    Raises:
        ValueError: the code stands for no extraction.
        UserError: there is no such release.
    """

    def __init__(self, world: WorldSettings, release: str, noise: str, cache: str | None = None) -> None:
        extraction_of(noise)
        self.pool = Pool(World(world, cache), release, noise)
        self.pool.world.release(release)

    def make(self, wanted: Sequence[str], on_progress: OnProgress, on_message: OnMessage) -> None:
        """Make the pool if any of the paths that the degradation reads lies in it."""
        if any(Path(path).is_relative_to(self.pool.folder) for path in wanted):
            self.pool.make(on_progress, on_message)


def validation(
    world: WorldSettings, names: Sequence[str], side: Side, cache: str | None = None
) -> dict[str, PictureSource]:
    """One side of several validation sets by name; without those of a real target, whose truth nobody knows.

    Args:
        world: its settings.
        names: of the sets, the main one first.
        side: see `Validation`.
        cache: see `Training`.

    Raises:
        ValueError: there is no such set.
        UserError: none is left.
    """
    if not names:
        raise UserError(f"data.sets=[] names no validation set; take some of {', '.join(SETS)}, or data.val=null")
    kept = [name for name in names if name not in SETS or world.drawn_target or SETS[name].origin != "target"]
    if not kept:
        raise UserError(
            f"the truth of data.target_video, which the validation sets {', '.join(names)} need, is not known; "
            "name other ones, as in data.sets=[clean]"
        )
    return {name: Validation(world, name, side, cache) for name in kept}


def shown(world: WorldSettings, release: str, cache: str | None = None) -> TargetFrames | None:
    """Frames of a real target, which validations show without measuring; None where the target is drawn.

    Args:
        world: its settings.
        release: of the target.
        cache: see `Training`.
    """
    return None if world.drawn_target else TargetFrames(world, release, cache)


def _given(world: WorldSettings, origin: str, part: Literal["train", "val"]) -> PictureSource | None:
    """One part of the pictures that somebody gave instead of drawn ones: whole episodes are held out."""
    folder = world.reference if origin == "reference" else world.foreign
    if folder is None:
        return None
    source = Frames(folder) if origin == "reference" else Folder(folder)
    episodes = {Path(source.name(i)).parent for i in range(len(source))}
    return Split(source, part, _HELD_OUT, "folder" if origin == "reference" and len(episodes) > 1 else "picture")


def _pixels(path: Path) -> np.ndarray:
    return to_uint8(read_visible(path).pixels)
