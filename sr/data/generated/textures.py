"""What fills a leaf: tiles of coloured noise, and patterns of stripes, checks, bricks and dots."""

import numpy as np

Array = np.ndarray

TILE = 256  # samples per side of a noise tile; a power of two, so wrapping is a bit mask
TILES = 8  # tiles per picture


def noise_tile(slope: float, stretch: float, angle: float, rng: np.random.Generator) -> Array:
    """Gaussian noise with amplitude spectrum 1/f^slope, drawn out along one direction.

    Args:
        slope: 0 is white, 1 is the amplitude law of photographs, 2 is cloudy.
        stretch: 1 is isotropic; above 1 the noise is that much longer along ``angle`` (wood, hair, grass).
        angle: direction of the streaks in radians.
        rng: source of the draws.

    Returns:
        (TILE, TILE) float32, periodic, mean 0, standard deviation 1.
    """
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]
    fy, fx = fy.astype(np.float32), fx.astype(np.float32)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = (cos * fx + sin * fy) * np.float32(stretch), cos * fy - sin * fx
    gain = np.exp(np.float32(-slope / 2) * np.log(along**2 + across**2 + np.float32(TILE**-2)))
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE), np.float32)) * gain
    spectrum[0, 0] = 0
    tile = np.fft.irfft2(spectrum, (TILE, TILE))
    return np.asarray(tile / tile.std(), np.float32)


def _shaped(tile: Array, kind: int) -> Array:
    """A tile as it is (0), as patches with firm borders (1), or as thin ridges (2); standard deviation 1."""
    if kind == 1:
        tile = np.tanh(6 * tile)
    elif kind == 2:
        tile = np.exp(-((4 * tile) ** 2))
        tile = tile - tile.mean()
    return np.asarray(tile / tile.std(), np.float32)


def noise_bank(rng: np.random.Generator) -> Array:
    """The noise tiles of one picture: slopes 0.4 to 2, half of them streaked, some firm or ridged.

    Returns:
        (TILES, TILE, TILE) float32, each periodic with mean 0 and standard deviation 1.
    """
    slopes = rng.uniform(0.4, 1.6, TILES)
    stretches = np.where(rng.random(TILES) < 0.5, 1.0, np.exp(rng.uniform(0.7, 2.8, TILES)))
    kinds = rng.choice(3, TILES, p=[0.6, 0.25, 0.15])
    slopes = np.where(kinds > 0, slopes + 0.6, slopes)
    return np.stack(
        [
            _shaped(noise_tile(s, k, rng.uniform(0, np.pi), rng), kind)
            for s, k, kind in zip(slopes, stretches, kinds, strict=True)
        ]
    )


PATTERNS = ("stripes", "grating", "checks", "bricks", "dots")


def pattern(kind: Array, u: Array, v: Array, duty: Array) -> Array:
    """Periodic patterns in local coordinates, one period per unit.

    Args:
        kind: (n,) index into ``PATTERNS``.
        u: (n,) coordinate across, in periods.
        v: (n,) coordinate along, in periods.
        duty: (n,) share of the period that is light, 0..1; sinusoidal gratings ignore it.

    Returns:
        (n,) float32, -1..1.
    """
    fu, fv = u - np.floor(u), v - np.floor(v)
    brick_u = u * 0.5 + 0.5 * (np.floor(v) % 2)
    brick_u = brick_u - np.floor(brick_u)
    line = 0.25 * (1 - duty) + 0.04
    choices = [
        np.where(fu < duty, 1.0, -1.0),
        np.cos(2 * np.pi * u),
        np.where((fu < 0.5) == (fv < 0.5), 1.0, -1.0),
        np.where((fv < line) | (brick_u < line / 2), -1.0, 1.0),
        np.where((fu - 0.5) ** 2 + (fv - 0.5) ** 2 < 0.22 * duty, 1.0, -1.0),
    ]
    return np.asarray(np.choose(kind, choices), np.float32)
