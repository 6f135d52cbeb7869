"""Generated line art to train on, with colours from a folder of pictures if wanted."""

from collections.abc import Sequence
from pathlib import Path

from sr.data.contract import PictureSource
from sr.data.generated.pictures import GeneratedPictures
from sr.image.io import find_pictures
from sr.types import Picture


class Drawings(PictureSource):
    """The first ``pictures`` of an endless seeded sequence of line drawings.

    Args:
        pictures: how many.
        width: of each in pixels.
        height: of each in pixels.
        lines: strokes per drawing.
        palette: folder of pictures, or several, whose colours the drawings take; null draws colours at random.
        kernel: odd side of the box blur before colours are taken.
        source: folder of frames, or several, to draw over instead of fills; null draws over fills.
        seed: another seed, other drawings.

    Raises:
        UserError: a folder is missing or holds no picture.
        ValueError: a number outside its range.
    """

    heavy = True

    def __init__(
        self,
        pictures: int,
        width: int,
        height: int,
        lines: int = 100,
        palette: str | Sequence[str] | None = None,
        kernel: int = 11,
        source: str | Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        if pictures < 1:
            raise ValueError(f"pictures is how many drawings there are, at least 1, got {pictures}; give 320")
        self.pictures = pictures
        self.sequence = GeneratedPictures(
            kind="drawings",
            height=height,
            width=width,
            seed=seed,
            lines=lines,
            palettes=_files(palette),
            kernel=kernel,
            sources=_files(source),
        )

    def stamp(self) -> str:
        """The settings, the version of the drawing code, and the files that give colours or fills."""
        return f"{self.sequence.identity} pictures={self.pictures}"

    def __len__(self) -> int:
        return self.pictures

    def name(self, index: int) -> str:
        """A running number."""
        return f"drawing_{index:05d}"

    def read(self, index: int) -> Picture:
        """Draw one picture.

        Raises:
            UserError: the palette or source picture that belongs to it cannot be read.
        """
        return Picture(self.sequence[index])


def _files(folders: str | Sequence[str] | None) -> list[Path]:
    if folders is None:
        return []
    roots = [folders] if isinstance(folders, str) else folders
    return find_pictures([Path(root).expanduser() for root in roots])
