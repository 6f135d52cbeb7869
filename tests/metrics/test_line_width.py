"""Widths of drawn lines."""

import math

import pytest
import torch

from sr.metrics.line_width import line_width
from tests.metrics.drawn import line, noise, step


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4, math.pi / 2])
@pytest.mark.parametrize("width", [2, 3, 4, 5])
def test_a_line_is_as_wide_as_it_was_drawn(width, angle):
    drawn = line(width, 0.5, angle)
    assert float(line_width(drawn, drawn)) == pytest.approx(width, abs=0.15)


def test_half_of_the_depth_by_hand():
    """The width of a Gaussian at half its height is 2.3548 sigma; beyond its own width that is what blur makes."""
    thin = line(1, 0.5, 0.3)
    for sigma in (1.5, 2.0):
        assert float(line_width(line(0.2, sigma, 0.3, depth=2), thin)) == pytest.approx(2.3548 * sigma, rel=0.05)


def test_depth_brightness_and_small_shifts_do_not_count():
    true = line(3, 0.5, 0.3)
    for other in (line(3, 0.5, 0.3, 0.5, 0.3), line(3, 0.5, 0.3, offset=1.0), line(3, 0.5, 0.3, depth=0.2)):
        assert float(line_width(other, true)) == pytest.approx(float(line_width(true, true)), abs=0.05)


def test_the_grounds_of_both_sides_may_differ():
    drawn = line(3, 0.5, 0.3, ground=0.7, right=0.2)
    assert float(line_width(drawn, drawn)) == pytest.approx(3, abs=0.15)


def test_blur_widens_and_noise_hardly_counts():
    true = line(2, 0.5, 0.3)
    widths = [float(line_width(line(2, s, 0.3), true)) for s in (0.5, 1.0, 1.5, 2.0)]
    assert widths == sorted(widths)
    assert float(line_width(true + noise(true, 4), true)) == pytest.approx(widths[0], abs=0.15)
    assert float(line_width(line(4, 0.5, 0.3), line(4, 0.5, 0.3))) > widths[0] + 1.5


def test_no_lines():
    for picture in (torch.full((1, 1, 64, 64), 0.5), step(0.5), 1 - line(3, 0.5)):
        assert math.isnan(float(line_width(picture, picture)))
    assert math.isnan(float(line_width(torch.full((1, 1, 96, 96), 0.5), line(3, 0.5)))), "the line is gone"
