"""Is a low-resolution file the twin of its high-resolution one: size, shift, brightness."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import minimize_scalar
from skimage.registration import phase_cross_correlation

from sr.image.depth import to_uint8
from sr.image.io import read_visible
from sr.types import UserError

_SIDE = 512  # low-resolution pixels that are compared, from the middle; more would not change the answer
_SMALLEST = 16
_SAMPLES = 10_000  # gray levels to which a curve is fitted


@dataclass(frozen=True)
class Twin:
    """How a low-resolution picture relates to its high-resolution one.

    Attributes:
        hr: (width, height) of the high-resolution picture.
        lr: likewise.
        shift: (right, down) in high-resolution pixels, by which the content of the low-resolution picture lies
            away from where it belongs; 0 where the sizes do not fit.
        correlation: of the two at low resolution, -1..1.
        gain: slope of the low-resolution levels of green over the high-resolution ones.
        offset: of that line, in levels of 255.
        gamma: exponent that leads from the one to the other; 1 where no such curve fits better than the line.
    """

    hr: tuple[int, int]
    lr: tuple[int, int]
    shift: tuple[float, float] = (0.0, 0.0)
    correlation: float = 1.0
    gain: float = 1.0
    offset: float = 0.0
    gamma: float = 1.0

    def fits(self, scale: int) -> bool:
        """Whether the low-resolution picture has hr // scale pixels in both directions."""
        return (self.hr[0] // scale, self.hr[1] // scale) == self.lr


def compare(job: tuple[str, str, int]) -> Twin | str:
    """Read a pair and compare it.

    Args:
        job: high-resolution file, low-resolution file, scale.

    Returns:
        How they relate, or one sentence why one of them cannot be read.
    """
    cv2.setNumThreads(1)
    high, low, scale = job
    try:
        hr, lr = to_uint8(read_visible(high).pixels), to_uint8(read_visible(low).pixels)
    except UserError as error:
        return str(error)
    return twin(hr, lr, scale)


def twin(hr: np.ndarray, lr: np.ndarray, scale: int) -> Twin:
    """Compare two pictures.

    Args:
        hr: (height, width, 3) uint8 RGB.
        lr: (height // scale, width // scale, 3) uint8 RGB.
        scale: by which they should differ.
    """
    sizes = Twin((hr.shape[1], hr.shape[0]), (lr.shape[1], lr.shape[0]))
    if not sizes.fits(scale) or min(lr.shape[:2]) < _SMALLEST:
        return sizes
    height, width = min(lr.shape[0], _SIDE), min(lr.shape[1], _SIDE)
    top, left = (lr.shape[0] - height) // 2, (lr.shape[1] - width) // 2
    found = lr[top : top + height, left : left + width]
    part = hr[top * scale : (top + height) * scale, left * scale : (left + width) * scale]
    expected = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    down, right = _shift(_gray(expected), _gray(found))
    # Levels of green: a curve on each channel is no curve on their weighted sum.
    return Twin(sizes.hr, sizes.lr, (right * scale, down * scale), *_levels(expected[..., 1], found[..., 1]))


def _gray(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)


def _shift(expected: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """(down, right) in pixels, to a hundredth.

    Of smoothed second differences, which have a sharp peak and do not see brightness; the phase alone (the default
    there) errs by a quarter of the shift on pictures that were shrunk.
    """
    window = np.outer(np.hanning(expected.shape[0]), np.hanning(expected.shape[1]))
    one, two = (cv2.Laplacian(cv2.GaussianBlur(gray, (0, 0), 1.0), cv2.CV_32F) * window for gray in (expected, found))
    if not one.any() or not two.any():
        return 0.0, 0.0
    back, _, _ = phase_cross_correlation(one, two, upsample_factor=100, normalization=None)
    return -float(back[0]), -float(back[1])


def _levels(expected: np.ndarray, found: np.ndarray) -> tuple[float, float, float, float]:
    """Correlation, gain, offset and gamma; smoothed, so that noise and a small shift do not count."""
    x, y = (cv2.GaussianBlur(level.astype(np.float32), (0, 0), 2.0).ravel() for level in (expected, found))
    if min(x.std(), y.std()) < 1.0:
        return 1.0, 1.0, float(y.mean() - x.mean()), 1.0
    correlation = float(np.corrcoef(x, y)[0, 1])
    gain = float(np.cov(x, y)[0, 1] / x.var(ddof=1))
    offset = float(y.mean() - gain * x.mean())
    step = -(-len(x) // _SAMPLES)
    x, y = x[::step], y[::step]

    def curve_error(gamma: float) -> float:
        return float(np.abs(255 * (x / 255) ** gamma - y).mean())

    gamma = float(minimize_scalar(curve_error, bounds=(0.25, 4.0), method="bounded").x)
    straight = float(np.abs(gain * x + offset - y).mean())
    return correlation, gain, offset, gamma if curve_error(gamma) < straight else 1.0
