"""Was a picture enlarged before? Its spectrum ends too early, or its rows repeat a pattern.

Enlarging by s puts nothing above the frequency 0.5/s: what remains there is what the kernel lets through and the
rounding to 8 bits. And an interpolated sample is smoother the farther it is from the original samples, so that the
second difference changes periodically along a row (A. C. Gallagher, "Detection of linear and cubic interpolation in
JPEG compressed images", 2005). The thresholds come from 927 untouched
photographs, comic pages and drawings, of which 10 are flagged (out of focus or already resized, most of them), and
from 1,248 made of 104 of these by Pillow: of those enlarged x1.5 by bilinear, bicubic and Lanczos it finds 74, 72 and
90 %, x2 98, 96 and 95 %, x3 87, 96 and 98 %, x4 97 %. What was saved as JPEG afterwards is mostly missed (x2 at
quality 75: 10 %).
"""

from dataclasses import dataclass

import cv2
import numpy as np

TILE = 256
"""Side of the tiles that are looked at, in pixels."""

_TILES, _CANDIDATES = 4, 64
_WINDOW = 128  # samples per spectrum
_SMALLEST = 64  # pixels; below it there are too few samples

ROUNDING = 10 * np.log10(1 / 12)
"""Power per frequency of the error of rounding to whole gray levels, in decibels: -10.8."""


@dataclass(frozen=True)
class Spectrum:
    """What the decision rests on; powers in decibels over one squared gray level of 255, the higher axis of two.

    Attributes:
        coarse: power at 0.03 to 0.06 cycles per pixel.
        middle: at 0.08 to 0.12.
        fine: at 0.42 to 0.5.
        period: strength of the repeated pattern, as a multiple of the median; the weaker axis.
        frequency: of that pattern in cycles per pixel; 0 where the axes disagree.
        quarter: strength at a quarter cycle per pixel, which the blocks of JPEG repeat too.
        end: the frequency above which the power has left its usual course (falling with the square).
    """

    coarse: float
    middle: float
    fine: float
    period: float
    frequency: float
    quarter: float
    end: float


def upscaled_by(pixels: np.ndarray) -> float:
    """By about what factor a picture was enlarged before; 0 where nothing says so.

    Args:
        pixels: (height, width, 3) uint8 RGB.

    Returns:
        1.25 to 8, right to a quarter for two pictures in three. A picture that is merely soft throughout counts as
        enlarged: for training it is the same. 0 also below 64 pixels and without any structure.
    """
    measured = spectrum(pixels)
    if measured is None or not _suspicious(measured):
        return 0.0
    return _factor(measured)


def spectrum(pixels: np.ndarray) -> Spectrum | None:
    """Measures the four tiles with the most detail; None where there is nothing to measure.

    Args:
        pixels: (height, width, 3) uint8 RGB.
    """
    tiles = _tiles(pixels)
    if not tiles:
        return None
    rows = _axis(tiles)
    columns = _axis([tile.T for tile in tiles])
    if min(rows.coarse, columns.coarse) < 0:
        return None
    agree = abs(rows.frequency - columns.frequency) <= 0.02
    return Spectrum(
        coarse=min(rows.coarse, columns.coarse),
        middle=min(rows.middle, columns.middle),
        fine=max(rows.fine, columns.fine),
        period=min(rows.period, columns.period),
        frequency=(rows.frequency + columns.frequency) / 2 if agree else 0.0,
        quarter=min(rows.quarter, columns.quarter),
        end=max(rows.end, columns.end),
    )


def _suspicious(measured: Spectrum) -> bool:
    drop = measured.middle - measured.fine
    if measured.fine < ROUNDING + 5.3 or (measured.fine < 3 and drop > 28):
        return True
    return measured.frequency > 0 and measured.period > 10 and measured.fine < 12 and drop > 14


def _factor(measured: Spectrum) -> float:
    # Kernels are no ideal filters: of all three, some power passes up to 1.3 times the old Nyquist frequency.
    by_end = 0.5 * 1.3 / measured.end
    if measured.frequency > 0 and measured.period > 5:
        # A pattern of that frequency comes from either factor; the spectrum knows which.
        choices = (1 / measured.frequency, 1 / (1 - measured.frequency))
        factor = min(choices, key=lambda choice: abs(np.log(choice / by_end)))
        return float(np.clip(round(factor * 4) / 4, 1.25, 8))
    # The samples of x2 lie symmetrically about the original ones, so x2 is the factor without a pattern.
    return 4.0 if (measured.quarter > 5 and by_end > 2) or by_end > 3.5 else 2.0


def _tiles(pixels: np.ndarray) -> list[np.ndarray]:
    height, width = pixels.shape[:2]
    side = min(TILE, height, width) // 2 * 2
    if side < _SMALLEST:
        return []
    corners = [(y, x) for y in range(0, height - side + 1, side) for x in range(0, width - side + 1, side)]
    corners = corners[:: -(-len(corners) // _CANDIDATES)]
    tiles = [
        cv2.cvtColor(pixels[y : y + side, x : x + side], cv2.COLOR_RGB2GRAY).astype(np.float32) for y, x in corners
    ]
    tiles.sort(key=lambda tile: float(np.abs(np.diff(tile, axis=0)).mean()), reverse=True)
    return tiles[:_TILES]


def _axis(tiles: list[np.ndarray]) -> Spectrum:
    """The measures along rows."""
    power = np.mean([_power(tile) for tile in tiles], axis=0)
    frequencies = np.linspace(0, 0.5, len(power))
    period, frequency, quarter = _pattern(tiles)
    return Spectrum(
        coarse=_band(power, frequencies, 0.03, 0.06),
        middle=_band(power, frequencies, 0.08, 0.12),
        fine=_band(power, frequencies, 0.42, 0.5),
        period=period,
        frequency=frequency,
        quarter=quarter,
        end=_end(power, frequencies),
    )


def _power(tile: np.ndarray) -> np.ndarray:
    """Mean power spectrum of the rows (Welch's method: Hann windows that overlap by half)."""
    length = min(_WINDOW, tile.shape[1])
    window = np.hanning(length + 1)[:-1]
    parts = np.stack([tile[:, x : x + length] for x in range(0, tile.shape[1] - length + 1, length // 2)])
    parts = (parts - parts.mean(axis=2, keepdims=True)) * window
    return np.asarray((np.abs(np.fft.rfft(parts, axis=2)) ** 2).mean(axis=(0, 1)) / (window**2).sum())


def _band(power: np.ndarray, frequencies: np.ndarray, low: float, high: float) -> float:
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies <= high)].mean() + 1e-9))


def _end(power: np.ndarray, frequencies: np.ndarray) -> float:
    """First frequency whose power lies 10 dB below the course set by 0.03 to 0.06, which falls with the square."""
    usual = power * np.maximum(frequencies, 1e-6) ** 2
    start = (frequencies >= 0.03) & (frequencies <= 0.06)
    low = np.flatnonzero((usual < 0.1 * usual[start].mean()) & (frequencies > 0.06))
    return float(frequencies[low[0]]) if len(low) else 0.5


def _pattern(tiles: list[np.ndarray]) -> tuple[float, float, float]:
    """Strength and frequency of the strongest periodic change of the second difference along rows.

    Multiples of 1/8 are left out: they come from the blocks of JPEG. The strength at 1/4 comes third.
    """
    spectra = []
    for tile in tiles:
        second = np.abs(2 * tile[:, 1:-1] - tile[:, :-2] - tile[:, 2:])
        second = np.minimum(second, np.percentile(second, 99))  # a single edge must not decide
        course = second.mean(axis=0)
        course = course[: len(course) // 24 * 24]
        course = course - cv2.blur(course[None], (9, 1))[0]
        spectra.append(np.abs(np.fft.rfft(course * np.hanning(len(course) + 1)[:-1])))
    strength = np.mean(spectra, axis=0)
    frequencies = np.linspace(0, 0.5, len(strength))
    usable = (frequencies >= 0.1) & (np.abs(frequencies * 8 - np.round(frequencies * 8)) >= 0.05)
    median = float(np.median(strength[frequencies >= 0.1]))
    if median <= 0:
        return 0.0, 0.0, 0.0
    best = int(np.argmax(np.where(usable, strength, 0)))
    quarter = float(strength[np.abs(frequencies - 0.25) < 0.01].max())
    return float(strength[best]) / median, float(frequencies[best]), quarter / median
