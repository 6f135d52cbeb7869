"""A damaged picture of a store, from its source again."""

import os
import zlib
from pathlib import Path

import numpy as np

from sr.data.contract import PictureSource
from sr.data.store.index import Entry
from sr.errors import UserError
from sr.image.depth import to_uint8


def decoded_again(source: PictureSource, entry: Entry) -> np.ndarray | None:
    """The pixels that an entry describes, (height, width, 3) uint8; None where the source gives others by now.

    Args:
        source: what the store was built from.
        entry: of the picture.
    """
    try:
        found = source.read(entry.source)
    except (UserError, OSError, IndexError):
        return None
    pictures = found if isinstance(found, list) else [found]
    for picture in pictures:  # a sieve may have left some out, so the checksum says which it was
        pixels = np.ascontiguousarray(to_uint8(picture.pixels))
        if pixels.shape == (entry.height, entry.width, 3) and zlib.crc32(pixels.data) == entry.crc:
            return pixels
    return None


def written_over(path: Path, start: int, pixels: np.ndarray) -> bool:
    """Put pixels where they belong; processes that have the file mapped see them. False where it cannot be written.

    Args:
        path: of ``pixels.bin``.
        start: first byte of the picture.
        pixels: of the picture, contiguous.
    """
    try:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(pixels.data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # a read-only file system, another user's cache, a full disk
        return False
    return True
