"""Colours under transparency."""

import numpy as np

from sr.image.alpha import bled


def test_hidden_pixels_take_the_colour_of_the_nearest_that_shows():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (17, 23, 3), dtype=np.uint16)
    alpha = (rng.random((17, 23)) < 0.1).astype(np.uint16) * rng.integers(1, 65536, (17, 23), dtype=np.uint16)
    filled = bled(pixels, alpha)
    shown = np.argwhere(alpha > 0)
    for y, x in np.argwhere(alpha == 0):
        distance = np.hypot(*(shown - (y, x)).T)
        near = [tuple(pixels[tuple(place)]) for place in shown[distance <= distance.min() * 1.1 + 0.1]]  # 5x5 mask
        assert tuple(filled[y, x]) in near
    assert np.array_equal(filled[alpha > 0], pixels[alpha > 0])


def test_nothing_to_fill_and_nothing_to_fill_with():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert bled(pixels, np.ones((2, 2), np.uint8)) is pixels
    assert bled(pixels, np.zeros((2, 2), np.uint8)) is pixels
