"""What every room shares: the shapes of tensors between rooms, one decoded picture, and the error users see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sr.errors import UserError

__all__ = ["Crops", "Image", "Logits", "LowResolution", "PerPicture", "Picture", "Scalar", "UserError"]

Image = Float[Tensor, "batch channel height width"]
"""Batch of pictures between rooms: float32 (bfloat16 inside autocast), RGB, range [0, 1]."""

LowResolution = Float[Tensor, "batch channel low_height low_width"]
"""As `Image`, in a signature that also has high-resolution pictures, whose sizes differ."""

Scalar = Float[Tensor, ""]
"""One number, such as a loss."""

PerPicture = Float[Tensor, " batch"]
"""One number for each picture of a batch."""

Logits = Float[Tensor, "batch level map_height map_width"]
"""A discriminator's raw number for each place (no sigmoid), mostly of one level; the larger, the more real it looks."""


@dataclass(frozen=True)
class Picture:
    """One decoded picture file.

    Attributes:
        pixels: (height, width, 3) RGB, uint8 0..255 or uint16 0..65535, EXIF orientation already applied. Fully
            transparent ones have the colour of the nearest one that shows (`sr.image.alpha`).
        alpha: (height, width) opacity of the same dtype as ``pixels``, or None where the file has none.
        gray: the file had a single channel, so the three channels of ``pixels`` are equal.
        moving: the first frame of an animation, or the first page of several.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    gray: bool = False
    moving: bool = False


class Crops(NamedTuple):
    """A batch of crops on its way to the network.

    Attributes:
        lr: (batch, 3, h, h) low resolution, of any dtype, or None where it is made later.
        hr: (batch, 3, s*h, s*h) the target.
        seen: what the degradation is given where that is not the target itself, shaped like ``hr``; else None.
    """

    lr: Tensor | None
    hr: Tensor
    seen: Tensor | None = None

    def changed(self, change: Callable[[Tensor], Tensor]) -> "Crops":
        """All pictures of each sample changed alike."""
        lr, seen = (None if pictures is None else change(pictures) for pictures in (self.lr, self.seen))
        return Crops(lr, change(self.hr), seen)
