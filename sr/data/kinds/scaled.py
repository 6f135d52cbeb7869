"""Pictures made smaller before anything is cut out of them or degraded."""

from typing import Literal

import cv2
import numpy as np
from PIL import Image

from sr.choices import check_choice
from sr.data.contract import PictureSource
from sr.data.kinds.derived import Changed
from sr.image.depth import to_uint8
from sr.types import Picture

Filter = Literal["area", "lanczos"]


class Scaled(Changed):
    """A source whose pictures are shrunk: what ``data.hr_scale`` makes of every kind of data.

    A source that a configuration writes as a `Scaled` keeps its own scale, whatever ``data.hr_scale`` is; with
    ``hr_scale: 1`` it stays as large as it is, as a second validation set may.

    Args:
        source: all pictures.
        hr_scale: new pixels per old one and side, above 0 and at most 1.
        hr_filter: see `shrunk`.

    Raises:
        ValueError: a scale that enlarges, or no such filter.
    """

    def __init__(self, source: PictureSource, hr_scale: float, hr_filter: Filter = "area") -> None:
        check_hr_scale(hr_scale, hr_filter)
        super().__init__(source)
        self.hr_scale, self.hr_filter = hr_scale, hr_filter

    def stamp(self) -> str:
        """The source's kind and stamp, and the settings."""
        return f"{type(self.source).__name__} {self.source.stamp()} {self.hr_scale!r} {self.hr_filter}"

    def changed(self, picture: Picture) -> Picture:
        """Made smaller."""
        pixels = shrunk(to_uint8(picture.pixels), self.hr_scale, self.hr_filter)
        return Picture(pixels, gray=picture.gray, moving=picture.moving)


def scaled(source: PictureSource, hr_scale: float, hr_filter: Filter) -> PictureSource:
    """The source itself where nothing is to be shrunk, so that its store stays the same, else a `Scaled`."""
    return source if hr_scale == 1 or isinstance(source, Scaled) else Scaled(source, hr_scale, hr_filter)


def check_hr_scale(hr_scale: float, hr_filter: str) -> None:
    """Refuse a scale that enlarges, and a filter that does not exist.

    Raises:
        ValueError: either.
    """
    if not 0 < hr_scale <= 1:
        raise ValueError(f"hr_scale={hr_scale:g} must be above 0 and at most 1")
    check_choice("hr_filter", hr_filter, Filter)


def shrunk(pixels: np.ndarray, factor: float, kind: Filter) -> np.ndarray:
    """A picture made smaller.

    Args:
        pixels: (height, width, 3) uint8.
        factor: above 0 and at most 1.
        kind: ``area``: each old pixel counts by the area of it that a new one covers (OpenCV's INTER_AREA), sides
            rounded to whole pixels; ``lanczos``: Pillow's Lanczos, three lobes wide at the new resolution, sides
            rounded to even numbers.

    Returns:
        uint8; a contiguous copy.
    """
    if factor == 1:
        return np.ascontiguousarray(pixels)
    if kind == "area":
        height, width = (max(1, round(side * factor)) for side in pixels.shape[:2])
        return cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv2.INTER_AREA)
    height, width = (max(2, 2 * round(side * factor / 2)) for side in pixels.shape[:2])
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
