"""The world as data: what conf/data/miniature.yaml names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sr.choices import check_choice
from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.data.kinds.sources import Folder
from sr.errors import UserError
from sr.experiments.world.folder import World
from sr.experiments.world.pools import Pool, extraction_of
from sr.experiments.world.sets import drawn_sets
from sr.experiments.world.settings import WorldSettings
from sr.image.io import read_visible
from sr.types import Picture

Shows = Literal["anime_4000", "anime_1000", "foreign"]


class Training(PictureSource):
    """Pictures to train on.

    Args:
        world: its settings.
        shows: ``anime_4000``, the whole reference; ``anime_1000``, its first frames; ``foreign``, photographs.
        cache: folder of the worlds; None takes ``SR_CACHE`` or the user's cache folder.

    Raises:
        ValueError: there is no such part.
        UserError: a folder of real pictures is missing or empty.
    """

    def __init__(self, world: WorldSettings, shows: Shows = "anime_4000", cache: str | None = None) -> None:
        check_choice("shows", shows, Shows)
        self.world, self.shows = World(world, cache), shows
        self._folder: Folder | None = None

    @property
    def folder(self) -> Folder:
        """The files, once they are there."""
        if self._folder is None:
            place = self.world.foreign() if self.shows == "foreign" else self.world.reference()
            self._folder = Folder(str(place))
            if self.shows == "anime_1000":
                self._folder.paths = self._folder.paths[: self.world.settings.few_frames]
        return self._folder

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Draw the world where nobody has."""
        self.world.draw(on_progress, on_message)

    def stamp(self) -> str:
        """The world's key, which tells all that its files depend on."""
        return f"world {self.world.settings.key} {self.shows}"

    def __len__(self) -> int:
        return len(self.folder)

    def name(self, index: int) -> str:
        """The file's path."""
        return self.folder.name(index)

    def read(self, index: int) -> Picture:
        """Decode one file."""
        return self.folder.read(index)


class Validation(PictureSource):
    """One side of a validation set of a drawn world.

    Args:
        world: its settings.
        name: of the set, see `sr.experiments.world.sets.SETS`.
        side: ``hr``, or ``lr`` for the twins.
        cache: see `Training`.

    Raises:
        UserError: the world has no such set.
    """

    def __init__(self, world: WorldSettings, name: str, side: Literal["hr", "lr"], cache: str | None = None) -> None:
        names = drawn_sets(world)
        if name not in names:
            raise UserError(
                f"data.sets: {name} is no validation set of this world; it has {', '.join(names) or 'none'}"
            )
        self.world, self.set, self.side = World(world, cache), name, side

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Draw the world where nobody has."""
        self.world.draw(on_progress, on_message)

    def stamp(self) -> str:
        """The world's key."""
        return f"world {self.world.settings.key} {self.set} {self.side}"

    def __len__(self) -> int:
        return self.world.settings.val_pictures

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self.world.validation(self.set, self.side) / f"{index:05d}.png")

    def read(self, index: int) -> Picture:
        """Decode one file."""
        return read_visible(self.name(index))


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
