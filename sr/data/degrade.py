"""What the data room needs of a degradation."""

from typing import Protocol

import numpy as np

from sr.draws import Draws
from sr.types import Image, LowResolution


class Degradation(Protocol):
    """Makes low-resolution pictures, on the device for each crop or in advance for a store."""

    in_advance: bool
    """Low-resolution pictures are made once and stored; else each crop is degraded anew on the device."""
    slow: bool
    """A whole picture takes so long that worker processes pay."""
    scale: int

    @property
    def key(self) -> str:
        """Settings that the result depends on."""

    def __call__(self, hr: Image, draws: Draws) -> LowResolution:
        """Degrade a batch on its device."""

    def picture(self, hr: np.ndarray, index: int) -> np.ndarray:
        """Degrade one whole picture, (height, width, 3) uint8, the same way every time; ``index`` is its number."""
