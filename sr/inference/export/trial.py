"""The pictures that an exported network is tried on."""

from torch import Tensor

from sr.data.kinds.sources import Photographs
from sr.image.io import to_image

SIZES = ((64, 48), (123, 97), (31, 50))
"""(height, width): even and odd ones, upright and wide, so that a size that stayed in a file is found."""

_CAT = 2  # its place among the photographs


def photographs() -> list[Tensor]:
    """Parts of a photograph that comes with scikit-image, (1, 3, h, w) float32 in [0, 1], one of each of `SIZES`."""
    whole = to_image(Photographs().read(_CAT).pixels)
    return [whole[..., 60 : 60 + height, 120 : 120 + width].contiguous() for height, width in SIZES]
