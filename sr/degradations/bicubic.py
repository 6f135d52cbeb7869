"""Plain bicubic downscaling, the degradation of the literature's benchmarks."""

from typing import Literal

import numpy as np

from sr.degradations.pictures import eight_bits
from sr.draws import Draws
from sr.image.resize import bicubic, imresize
from sr.types import Image, LowResolution


class Bicubic:
    """MATLAB's antialiased bicubic, rounded to 8 bits as a file would hold it.

    Args:
        scale: integer downscaling factor.
        edge: ``mirror`` (newer MATLAB) or ``replicate`` (older): they differ within two pixels of the border.
        in_advance: the result never changes, so a store may hold it; false computes it on the device for each crop,
            as augmentations that change the degradation's input need.
    """

    slow = False

    def __init__(self, scale: int, edge: Literal["mirror", "replicate"] = "mirror", in_advance: bool = True) -> None:
        if scale < 1:
            raise ValueError(f"scale={scale} must be at least 1")
        self.scale = scale
        self.in_advance = in_advance
        self.edge: Literal["mirror", "replicate"] = edge

    @property
    def key(self) -> str:
        """Settings that the result depends on."""
        return f"bicubic scale={self.scale} edge={self.edge}"

    def __call__(self, hr: Image, draws: Draws) -> LowResolution:
        """Downscale a batch on its device: float32 (batch, 3, s*h, s*w) to (batch, 3, h, w), [0, 1]."""
        return eight_bits(bicubic(hr.float(), scale=1 / self.scale, edge=self.edge, clip=True))

    def picture(self, hr: np.ndarray, index: int = 0) -> np.ndarray:
        """Downscale one whole picture bit for bit as MATLAB does.

        Args:
            hr: (height, width, 3) uint8; rows and columns beyond a multiple of ``scale`` are left out.
            index: its number; nothing is drawn here.

        Returns:
            (height // scale, width // scale, 3) uint8.
        """
        height, width = (side // self.scale * self.scale for side in hr.shape[:2])
        return imresize(np.ascontiguousarray(hr[:height, :width]), 1 / self.scale, edge=self.edge)
