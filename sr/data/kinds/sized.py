"""Pictures brought to one size before crops are drawn, so that a crop of either side shows as much of its scene."""

from typing import Literal

import numpy as np
from PIL import Image

from sr.choices import check_choice
from sr.data.contract import PictureSource
from sr.data.kinds.derived import Changed
from sr.image.depth import to_uint8
from sr.types import Picture

ShorterSide = int | Literal["auto"] | None
LEAST, MOST = 16, 8192


class Sized(Changed):
    """A source whose pictures have a shorter side of so many pixels: Pillow's bicubic, smooth where it shrinks.

    CycleGAN (Zhu et al. 2017, arXiv 1703.10593, appendix) enlarges pictures to 286 pixels, and cuts 256 of them; the
    fourth seed's code says int(1.12 * crop).

    Args:
        source: all pictures.
        shorter_side: in pixels, 16 to 8192; ``auto`` is int(1.12 * crop); None leaves them as they are.
        crop: side of a crop in pixels.

    Raises:
        ValueError: another number.
    """

    def __init__(self, source: PictureSource, shorter_side: ShorterSide, crop: int) -> None:
        if isinstance(shorter_side, str):
            check_choice("shorter_side", shorter_side, Literal["auto"])
            shorter_side = max(LEAST, int(1.12 * crop))
        if shorter_side is not None and not LEAST <= shorter_side <= MOST:
            raise ValueError(f"shorter_side={shorter_side} must be between {LEAST} and {MOST} (pixels), auto, or null")
        super().__init__(source)
        self.shorter_side = shorter_side

    def stamp(self) -> str:
        """The source's kind and stamp, and the size."""
        return f"{type(self.source).__name__} {self.source.stamp()} shorter_side={self.shorter_side}"

    def changed(self, picture: Picture) -> Picture:
        """At its new size."""
        height, width = picture.pixels.shape[:2]
        if self.shorter_side in (None, min(height, width)):
            return picture
        factor = self.shorter_side / min(height, width)
        to = round(width * factor), round(height * factor)
        pixels = np.array(Image.fromarray(to_uint8(picture.pixels)).resize(to, Image.Resampling.BICUBIC))
        return Picture(pixels, gray=picture.gray, moving=picture.moving)
