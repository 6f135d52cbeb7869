"""Slope and overshoot of edges against what is known of drawn ones."""

import math

import pytest
import torch

from sr.metrics.edges import edge_slope, ringing
from sr.types import UserError
from tests.metrics.drawn import noise, step

ANGLES = (0.0, 0.3, math.pi / 4, math.pi / 2, 2.5)
RISE = 2 * 1.281552  # of a Gaussian's integral from 10 to 90 %, in sigmas


@pytest.mark.parametrize("angle", ANGLES)
def test_the_slope_of_a_blurred_edge_is_its_gaussians(angle):
    true = step(0.5, angle)
    for sigma in (1.0, 1.5, 2.0):
        assert float(edge_slope(step(sigma, angle), true)) == pytest.approx(RISE * sigma, rel=0.05)


def test_contrast_brightness_direction_and_small_shifts_do_not_count():
    true, soft = step(0.5, 0.3), step(1.5, 0.3)
    slope = float(edge_slope(soft, true))
    others = (step(1.5, 0.3, 0.5, 0.6), step(1.5, 0.3, 0.1, 0.4), step(1.5, 0.3, offset=1.0), 1 - soft)
    for other in others:
        assert float(edge_slope(other, 1 - true if other is others[-1] else true)) == pytest.approx(slope, rel=0.03)
    assert float(edge_slope(soft.expand(1, 3, 96, 96), true.expand(1, 3, 96, 96))) == pytest.approx(slope, rel=1e-4)


def test_blur_flattens_sharpening_steepens_and_noise_hardly_counts():
    true, soft = step(0.7, 0.3), step(2.0, 0.3)
    slopes = [float(edge_slope(step(s, 0.3), true)) for s in (0.7, 1.0, 1.5, 2.0, 2.5)]
    assert slopes == sorted(slopes)
    assert float(edge_slope(true, true)) == slopes[0]
    assert float(edge_slope(true + 0.5 * (true - soft), true)) < slopes[0]
    assert float(edge_slope(soft + noise(soft, 3), true)) == pytest.approx(slopes[3], rel=0.15)


def test_a_picture_without_edges_has_neither_slope_nor_overshoot():
    flat, ramp = torch.full((1, 3, 64, 64), 0.5), torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    for picture in (flat, ramp):
        assert math.isnan(float(edge_slope(picture, picture)))
        assert math.isnan(float(ringing(picture, picture)))


def overshooting(amount):
    """A step of 0.6 with a bump of so much of it on both sides, as wide as a pixel's Gaussian, 2.5 pixels away."""
    bump = (step(1.0, offset=2.0, low=0, high=1) - step(1.0, offset=3.0, low=0, high=1)) / 0.38292
    dip = (step(1.0, offset=-3.0, low=0, high=1) - step(1.0, offset=-2.0, low=0, high=1)) / 0.38292
    return step(0.5) + 0.6 * amount * (bump - dip)


@pytest.mark.parametrize("amount", [0.05, 0.1, 0.2])
def test_overshoot_is_in_parts_of_the_edges_height(amount):
    true = step(0.5)
    assert float(ringing(overshooting(amount), true)) == pytest.approx(amount, rel=0.15)
    assert float(ringing(overshooting(amount) + 0.05, true)) == pytest.approx(amount, rel=0.15)


def test_neither_blur_nor_a_shift_overshoots():
    true = step(0.5, 0.3)
    assert float(ringing(true, true)) == 0
    for other in (step(1.5, 0.3), step(0.5, 0.3, offset=1.0), true + 0.1):
        assert float(ringing(other, true)) == pytest.approx(0, abs=2e-3)
    sharp = [float(ringing(true + a * (true - step(1.5, 0.3)), true)) for a in (0.0, 0.3, 0.6, 1.0)]
    assert sharp == sorted(sharp)
    assert sharp[1] > 0.03


def test_pictures_of_a_batch_are_measured_apart():
    true = torch.cat([step(0.5), step(0.5, 0.3)])
    found = edge_slope(torch.cat([step(1.0), step(2.0, 0.3)]), true)
    assert found.shape == (2,)
    assert found.tolist() == [float(edge_slope(step(1.0), true[:1])), float(edge_slope(step(2.0, 0.3), true[1:]))]


def test_sizes_and_channels_that_cannot_be_measured():
    with pytest.raises(UserError, match="cannot compare pictures of 96x96 and 95x96 pixels"):
        edge_slope(step(1.0), step(1.0)[..., 1:])
    with pytest.raises(UserError, match="1 or 3 channels, not 2"):
        ringing(torch.zeros(1, 2, 32, 32), torch.zeros(1, 2, 32, 32))
