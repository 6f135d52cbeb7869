"""Colours under transparency."""

import numpy as np
import pytest
from PIL import Image

from sr.data.doctor.alignment import compare
from sr.data.preparation.kernel_gan import KernelGan
from sr.data.preparation.noise_patches import Extraction
from sr.degradations.noise_pool import NoisePool
from sr.errors import UserError
from sr.image.alpha import hidden_filled
from sr.verbs.prepare.crop import _crop
from sr.verbs.prepare.kernels import _estimate, _Job
from sr.verbs.prepare.noise import _extract


def test_hidden_pixels_take_the_colour_of_the_nearest_that_shows():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (17, 23, 3), dtype=np.uint16)
    alpha = (rng.random((17, 23)) < 0.1).astype(np.uint16) * rng.integers(1, 65536, (17, 23), dtype=np.uint16)
    filled = hidden_filled(pixels, alpha)
    shown = np.argwhere(alpha > 0)
    for y, x in np.argwhere(alpha == 0):
        distance = np.hypot(*(shown - (y, x)).T)
        near = [tuple(pixels[tuple(place)]) for place in shown[distance <= distance.min() * 1.1 + 0.1]]  # 5x5 mask
        assert tuple(filled[y, x]) in near
    assert np.array_equal(filled[alpha > 0], pixels[alpha > 0])


def test_nothing_to_fill_and_nothing_to_fill_with():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert hidden_filled(pixels, np.ones((2, 2), np.uint8)) is pixels
    assert hidden_filled(pixels, np.zeros((2, 2), np.uint8)) is pixels


def test_a_picture_of_which_nothing_shows_enters_no_pool(tmp_path):
    file = tmp_path / "ghost.png"
    Image.fromarray(np.full((64, 64, 4), (128, 128, 128, 0), np.uint8)).save(file)
    for use in (
        lambda: NoisePool(str(file)).patches,
        lambda: _extract(file, tmp_path, "ghost", Extraction(), None),
        lambda: _crop(file, tmp_path / "cropped.png", lambda path, pixels: None, 16),
    ):
        with pytest.raises(UserError, match=r"ghost\.png' is fully transparent: nothing of it shows; take it out"):
            use()
    job = _Job(file, "ghost", 0, 2, KernelGan(), "cpu")
    assert "fully transparent" in _estimate(job).fault
    assert "fully transparent" in compare((str(file), str(file), 1))
