"""Whether a file is a video: by its name, or by what FFmpeg finds in it."""

from pathlib import Path

from sr.errors import UserError
from sr.image.io import SUFFIXES as PICTURES
from sr.inference.video import SUFFIXES

_OF_PICTURES = ("image2", "tty", "gif", "apng", "ico", "webp")
"""What FFmpeg calls single pictures, texts that it draws, and moving pictures, of which the first frame is taken."""


def is_video(path: Path) -> bool:
    """Whether a file is a video; only where its name says nothing is it looked at.

    Args:
        path: may be missing.
    """
    suffix = path.suffix.lower()
    if suffix in SUFFIXES or suffix in PICTURES:
        return suffix in SUFFIXES
    return path.is_file() and _holds_one(path)


def _holds_one(path: Path) -> bool:
    from sr.data.preparation.frames import opened  # here: pictures need no FFmpeg

    try:
        with opened(path) as (container, _):
            name = container.format.name
            return not (name.endswith("_pipe") or name.startswith(_OF_PICTURES))
    except UserError:
        return False
