"""Where pictures come from: folders, a generator, the photographs inside scikit-image, another store made smaller."""

from collections.abc import Sequence
from pathlib import Path

from sr.data.contract import PictureSource
from sr.data.degrade import Degradation
from sr.data.generated.pictures import GeneratedPictures, Kind
from sr.data.kinds.listed import stamp_of
from sr.data.store.store import Store
from sr.errors import UserError
from sr.image.io import find_pictures, read_visible
from sr.types import Picture

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "coins", "rocket")
"""Photographs inside the scikit-image package, all in the public domain or CC0 (see `skimage.data`)."""


class Folder(PictureSource):
    """Every picture below one or several folders, in a fixed order.

    Args:
        folders: paths of folders (searched through all levels) or of single pictures.

    Raises:
        UserError: a folder is missing or holds no picture.
    """

    def __init__(self, folders: str | Sequence[str]) -> None:
        roots = [folders] if isinstance(folders, str) else list(folders)
        self.paths = find_pictures([Path(root).expanduser() for root in roots])

    def stamp(self) -> str:
        """Hash over path, size and modification time of each file: cheap for a million files."""
        return stamp_of(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self.paths[index])

    def read(self, index: int) -> Picture:
        """Decode one file."""
        return read_visible(self.paths[index])


class Generated(PictureSource):
    """The first ``pictures`` of an endless seeded sequence of drawn pictures (`sr.data.generated`).

    Args:
        kind: ``dead_leaves``, ``drawings`` or ``mixed``.
        pictures: how many.
        size: side in pixels.
        seed: another seed, other pictures.
    """

    heavy = True

    def __init__(self, kind: Kind, pictures: int, size: int, seed: int) -> None:
        if pictures < 1:
            raise ValueError(f"pictures={pictures} must be at least 1")
        self.sequence = GeneratedPictures(kind=kind, height=size, width=size, seed=seed)
        self.pictures = pictures

    def stamp(self) -> str:
        """The settings, and the version of the drawing code."""
        return f"{self.sequence.identity} pictures={self.pictures}"

    def __len__(self) -> int:
        return self.pictures

    def name(self, index: int) -> str:
        """A running number."""
        return f"generated_{index:05d}"

    def read(self, index: int) -> Picture:
        """Draw one picture."""
        return Picture(self.sequence[index])


class Photographs(PictureSource):
    """Real photographs that come inside the scikit-image package: for validation, never for training."""

    def stamp(self) -> str:
        """The names and the sizes of the files."""
        return " ".join(f"{path.name}:{path.stat().st_size}" for path in self.paths)

    def __len__(self) -> int:
        return len(PHOTOGRAPHS)

    def name(self, index: int) -> str:
        """The photograph's name in scikit-image."""
        return PHOTOGRAPHS[index]

    def read(self, index: int) -> Picture:
        """Decode one photograph."""
        return read_visible(self.paths[index])

    @property
    def paths(self) -> list[Path]:
        """Their files."""
        import skimage

        folder = Path(skimage.__file__).parent / "data"
        return [next(folder.glob(f"{name}.*")) for name in PHOTOGRAPHS]


class Reduced(PictureSource):
    """The low-resolution twin of a store.

    Args:
        store: high-resolution pictures.
        degradation: makes one uint8 picture from another.
    """

    def __init__(self, store: Store, degradation: Degradation) -> None:
        self.store = store
        self.degradation = degradation
        self.heavy = degradation.slow

    def stamp(self) -> str:
        """The high-resolution store's key and the degradation's settings."""
        return f"{self.store.key} {self.degradation.key}"

    def __len__(self) -> int:
        return len(self.store)

    def name(self, index: int) -> str:
        """The same name as the high-resolution picture."""
        return self.store.entries[index].name

    def read(self, index: int) -> Picture:
        """Degrade one picture.

        Raises:
            UserError: the picture is smaller than one low-resolution pixel.
        """
        hr, scale = self.store.picture(index), self.degradation.scale
        if min(hr.shape[:2]) < scale:
            raise UserError(f"{self.name(index)} is {hr.shape[1]}x{hr.shape[0]} pixels: too small for scale={scale}")
        return Picture(self.degradation.picture(hr, index), gray=self.store.entries[index].gray)
