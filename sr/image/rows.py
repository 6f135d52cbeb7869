"""A picture file read row by row, from its top on, so that nobody needs the memory for a large one as a whole.

libvips decodes JPEG, PNG and TIFF while they are read. Only kinds go that way of which it makes the very pixels that
`sr.image.decode` makes; others, and all of modest size, are decoded whole, as 3 or 6 bytes per pixel.
"""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image as pil
from PIL import PngImagePlugin, TiffImagePlugin

from sr.image.decode import BITS, EXTRA_SAMPLES, PHOTOMETRIC, RGB_PHOTOMETRIC, is_moving, orientation_of, oriented
from sr.image.form import Form, form_of
from sr.image.io import check_size, read_picture, reading, to_image
from sr.image.opening import opened
from sr.image.vips import region_of, told, vips_image
from sr.types import Image, Picture

WHOLE = 16_000_000
"""Pixels up to which a picture is decoded whole: 48 MB in 8 bits."""

_PNG_KINDS = {"L": (False, True), "RGB": (False, False), "I;16B": (True, True), "RGB;16B": (True, False)}
"""Deep and gray, by Pillow's name for how pixels lie in the file."""

_SAMPLE_FORMAT, _COMPRESSION, _BLACK_IS_ZERO = 339, 259, 1
_PACKED = (1, 5, 8, 32773, 32946)  # none, LZW, deflate by its two numbers, PackBits: TIFF 6.0 and its supplement 2

Colours = UInt8[np.ndarray, "height width 3"] | UInt16[np.ndarray, "height width 3"]


class PictureRows:
    """Rows of a picture in memory.

    Args:
        picture: the whole of it.

    Attributes:
        form: size and kind of the picture.
        picture: what was given.
        alpha: (height, width) as in `Picture`, or None.
        moving: the first frame of an animation, or the first page of several.
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.form = form_of(picture)
        self.height, self.width = self.form.height, self.form.width
        self.alpha = picture.alpha
        self.moving = picture.moving

    def read(self, top: int, bottom: int) -> Image:
        """Rows ``top`` to ``bottom`` as (1, 3, bottom - top, width), float32 RGB in [0, 1]."""
        return to_image(self.picture.pixels[top:bottom])


class FileRows:
    """Rows of a picture file, decoded while they are asked for.

    Args:
        path: a file of which `streamed` says that it can be read so.
        form: size and kind of the picture, upright.
        orientation: EXIF's number; of all but 1 the file is unpacked into a temporary file first.

    Attributes:
        form: as given.
        alpha: None: such files have no transparency.
        moving: False.
    """

    alpha: np.ndarray | None = None
    moving = False

    def __init__(self, path: Path, form: Form, orientation: int = 1) -> None:
        self.form = form
        self.height, self.width = form.height, form.width
        self._path, self._orientation = path, orientation
        self._top, self._kept = 0, np.empty((0, self.width, form.channels), np.uint16 if form.deep else np.uint8)
        self._open()

    def read(self, top: int, bottom: int) -> Image:
        """Rows ``top`` to ``bottom`` as (1, 3, bottom - top, width), float32 RGB in [0, 1].

        Rows above ``top`` are forgotten; who asks for them again makes the file be read again from its top.

        Raises:
            UserError: the file is damaged there.
        """
        return to_image(self.pixels(top, bottom))

    def pixels(self, top: int, bottom: int) -> Colours:
        """Likewise as (bottom - top, width, 3), uint8 or uint16."""
        if top < self._top:
            self._open()
        have = self._top + len(self._kept)
        if bottom > have:
            self._kept = np.concatenate((self._kept, self._decoded(have, bottom)))
        self._top, self._kept = top, self._kept[top - self._top :]
        colours = self._kept[: bottom - top]
        return np.repeat(colours, 3, axis=-1) if self.form.gray else colours

    def _open(self) -> None:
        with reading(self._path), told():
            image = vips_image(self._path, in_order=self._orientation == 1)
            found = (image.bands, image.format == "ushort", {image.width, image.height})
            if found != (self.form.channels, self.form.deep, {self.width, self.height}):
                raise ValueError(f"libvips and Pillow see different pictures in it: {found}, {self.form}")
            self._image, self._region = image, region_of(image)
        self._top, self._kept = 0, self._kept[:0]

    def _decoded(self, top: int, bottom: int) -> np.ndarray:
        """Rows of the upright picture from the file."""
        first = self.height - bottom if self._orientation in (3, 4, 7, 8) else top  # from the end of the file's axis
        count = bottom - top
        lying = self._orientation in (5, 6, 7, 8)  # its rows are columns of the file
        box = (first, 0, count, self._image.height) if lying else (0, first, self._image.width, count)
        with reading(self._path), told():
            data = self._region.fetch(*box)
        pixels = np.frombuffer(data, self._kept.dtype).reshape(box[3], box[2], -1)
        return oriented(pixels, self._orientation)


def open_rows(path: str | Path, whole: int = WHOLE) -> PictureRows | FileRows:
    """A picture file, to be read from its top on: the pixels of `read_picture`, whichever way they come.

    Args:
        path: the file.
        whole: most pixels that are decoded at once.

    Raises:
        UserError: as `read_picture`; of a large file, damage further down is found only when it is read.
    """
    path = Path(path)
    with reading(path), opened(path) as file:
        check_size(path, file.size)
        large = file.width * file.height > whole
        found = streamed(file) if large else None
    return PictureRows(read_picture(path)) if found is None else FileRows(path, *found)


def streamed(file: pil.Image) -> tuple[Form, int] | None:
    """Form and orientation of a file whose rows can be read one by one; None for other kinds.

    Args:
        file: just opened by Pillow, not yet loaded.
    """
    if "transparency" in file.info or is_moving(file):
        return None
    kind: tuple[bool, bool] | None = None  # deep, gray
    if file.format in ("JPEG", "MPO") and file.mode in ("L", "RGB"):
        kind = (False, file.mode == "L")
    elif isinstance(file, PngImagePlugin.PngImageFile) and file.tile:
        kind = _PNG_KINDS.get(str(file.tile[0].args))
    elif isinstance(file, TiffImagePlugin.TiffImageFile):
        kind = _tiff_kind(file)
    if kind is None:
        return None
    turn = orientation_of(file)
    upright = turn not in (5, 6, 7, 8) or file.format == "TIFF"  # of which Pillow turns the size at once
    width, height = file.size if upright else file.size[::-1]
    return Form(height, width, *kind), turn if turn in range(1, 9) else 1


def _tiff_kind(file: TiffImagePlugin.TiffImageFile) -> tuple[bool, bool] | None:
    tags = file.tag_v2
    bits, photometric = set(tags.get(BITS, (1,))), tags.get(PHOTOMETRIC)
    plain = tags.get(_COMPRESSION, 1) in _PACKED and set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}
    size = file.fp.seek(0, io.SEEK_END) if file.fp is not None else 0
    for start, length in ((273, 279), (324, 325)):  # of strips and tiles: libtiff cuts them off without a word
        plain = plain and all(a + b <= size for a, b in zip(tags.get(start, ()), tags.get(length, ()), strict=False))
    if not plain or bits not in ({8}, {16}) or tags.get(EXTRA_SAMPLES):
        return None
    if photometric == _BLACK_IS_ZERO and file.mode in ("L", "I;16", "I;16B"):
        return bits == {16}, True
    return (bits == {16}, False) if photometric == RGB_PHOTOMETRIC and file.mode == "RGB" else None
