"""Structural similarity: the index that SSIM as a metric, SSIM as a loss and MS-SSIM share.

Source: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
similarity".
"""

import math

from jaxtyping import Float
from torch import Tensor

from sr.types import Image

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
"""Side and width of the Gaussian window, and constants as shares of the data range (section III.C)."""

_SHARES = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
TAPS = tuple(share / sum(_SHARES) for share in _SHARES)
"""The window along one axis."""

PerChannel = Float[Tensor, "batch channel"]


def similarity(x: Image, y: Image, data_range: float) -> tuple[PerChannel, PerChannel]:
    """SSIM (equation 13), and its contrast and structure without the luminance, of each channel of each picture.

    Args:
        x: pictures in [0, ``data_range``], float32 or wider, both sides at least 11.
        y: pictures of the same shape.
        data_range: 1 for pictures in [0, 1], 255 for gray levels.

    Returns:
        Means over the positions where the window fits inside the picture, each at most 1.
    """
    c1, c2, middle = (K1 * data_range) ** 2, (K2 * data_range) ** 2, data_range / 2
    x, y = x - middle, y - middle  # variances stay, and fewer digits are lost where squares are subtracted
    mu_x, mu_y = _windowed(x), _windowed(y)
    covariance = _windowed(x * y) - mu_x * mu_y
    variances = _windowed(x * x + y * y) - mu_x.square() - mu_y.square()
    mu_x, mu_y = mu_x + middle, mu_y + middle
    structure = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mu_x * mu_y + c1) / (mu_x.square() + mu_y.square() + c1)
    return (luminance * structure).mean(dim=(2, 3)), structure.mean(dim=(2, 3))


def _windowed(maps: Image) -> Float[Tensor, "batch channel valid_height valid_width"]:
    """Weighted means under the window, one axis after the other, only where it fits inside the picture.

    As sums of shifted maps: a GPU's convolutions may round to TF32, of whose three digits the difference of two
    squares would leave none.
    """
    for axis in (-2, -1):
        length = maps.shape[axis] - WINDOW + 1
        total = maps.narrow(axis, 0, length) * TAPS[0]
        for i, tap in enumerate(TAPS[1:], start=1):
            total.add_(maps.narrow(axis, i, length), alpha=tap)
        maps = total
    return maps
