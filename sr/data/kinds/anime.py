"""Frames of films as training pictures, black bars cut off."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.data.kinds.sources import Folder
from sr.data.preparation.letterbox import NO_BARS, Bars, common_letterbox, without
from sr.errors import UserError
from sr.image.depth import to_uint8
from sr.image.io import read_visible
from sr.types import Picture

_MEASURED = 15  # frames of an episode from which its bars are measured


class Frames(PictureSource):
    """Clean frames of one or several episodes: the high-resolution reference.

    Args:
        root: folder of frames, or several; each folder that holds frames directly is an episode.
        letterbox: cut off the black bars that the frames of an episode share.

    Raises:
        UserError: a folder is missing or holds no picture.
    """

    def __init__(self, root: str | Sequence[str], letterbox: bool = True) -> None:
        self.folder = Folder(root)
        self.letterbox = letterbox
        self.bars: dict[Path, Bars] = {}
        """Of each episode, measured by `fetch`."""

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Measure the bars of each episode."""
        if not self.letterbox or self.bars:
            return
        episodes: dict[Path, list[Path]] = {}
        for path in self.folder.paths:
            episodes.setdefault(path.parent, []).append(path)
        for number, (episode, paths) in enumerate(episodes.items()):
            self.bars[episode] = _measured(paths)
            on_progress("measuring black bars", number + 1, len(episodes))
            if self.bars[episode] != NO_BARS:
                top, bottom, left, right = self.bars[episode]
                on_message(
                    f"{episode}: black bars are cut off ({top} rows at the top, {bottom} at the bottom, {left} columns "
                    f"at the left, {right} at the right); data.letterbox=false keeps them"
                )

    def stamp(self) -> str:
        """The files and the setting; bars follow from the files."""
        # Shrinking was a setting of this source once: stores of full-sized frames keep their key.
        return f"{self.folder.stamp()} letterbox={self.letterbox} hr_scale=1.0"

    def __len__(self) -> int:
        return len(self.folder)

    def name(self, index: int) -> str:
        """The file's path."""
        return self.folder.name(index)

    def read(self, index: int) -> Picture:
        """Decode one frame and cut it."""
        picture = self.folder.read(index)
        bars = self.bars.get(self.folder.paths[index].parent, NO_BARS)
        return Picture(np.ascontiguousarray(without(to_uint8(picture.pixels), bars)), gray=picture.gray)


def _measured(paths: list[Path]) -> Bars:
    step = max(1, len(paths) // _MEASURED)
    frames = [pixels for path in paths[::step][:_MEASURED] if (pixels := _pixels(path)) is not None]
    sizes = [frame.shape for frame in frames]
    if not frames or len(set(sizes)) > 1:
        return NO_BARS  # pages or photographs of many sizes are no episode
    return common_letterbox(frames)


def _pixels(path: Path) -> np.ndarray | None:
    """A frame for measuring; one that cannot be read is named when the store is built."""
    try:
        return to_uint8(read_visible(path).pixels)
    except UserError:
        return None
