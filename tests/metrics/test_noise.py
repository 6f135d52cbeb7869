"""Noise that was added is found again, and content in noise patches."""

import math

import pytest
import torch

from sr.metrics.noise import content_in_noise, flat_noise
from sr.metrics.robustness import robustness
from tests.metrics.drawn import line, noise, step

GRAY = torch.full((1, 3, 96, 96), 0.5)


@pytest.mark.parametrize("levels", [1, 3, 8])
def test_white_noise_is_found_again(levels):
    assert float(flat_noise(GRAY + noise(GRAY, levels), GRAY)) == pytest.approx(levels, rel=0.04)


def test_the_truth_has_none_and_a_wrong_colour_is_none():
    assert float(flat_noise(GRAY, GRAY)) == 0
    assert float(flat_noise(GRAY + torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1), GRAY)) == pytest.approx(0, abs=1e-3)
    ramp = torch.linspace(0.2, 0.8, 96).expand(1, 3, 96, 96)  # 1.6 levels per pixel: softly shaded
    assert float(flat_noise(ramp + noise(ramp, 3), ramp)) == pytest.approx(3, rel=0.04)


def test_a_few_spots_do_not_decide_and_edges_are_left_out():
    spotted = GRAY + noise(GRAY, 3)
    spotted[..., ::10, ::10] = 1.0
    assert float(flat_noise(spotted, GRAY)) == pytest.approx(3, rel=0.15)
    drawn = line(3, 0.5, 0.3)
    blurred = line(3, 1.2, 0.3)  # wrong by far, but only where the line is
    assert float(flat_noise(blurred, drawn)) < 0.1
    assert float(flat_noise(blurred + noise(blurred, 3), drawn)) == pytest.approx(3, rel=0.06)


def test_more_noise_is_more_and_nothing_flat_is_nothing_measured():
    values = [float(flat_noise(GRAY + noise(GRAY, s), GRAY)) for s in (0, 1, 2, 4, 8)]
    assert values == sorted(values)
    rough = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert math.isnan(float(flat_noise(rough, rough)))


def test_noise_that_follows_the_edges_of_its_frame():
    frame = step(0.7, 0.3)
    grain = noise(frame, 10)
    unknowing = float(content_in_noise(0.5 + grain, frame))
    assert abs(unknowing) < 0.1
    slope = torch.zeros_like(frame)
    slope[..., 1:-1, 1:-1] = (
        (frame[..., 1:-1, 2:] - frame[..., 1:-1, :-2]) ** 2 + (frame[..., 2:, 1:-1] - frame[..., :-2, 1:-1]) ** 2
    ).sqrt()
    sign = torch.where(grain > 0, 1.0, -1.0)
    assert float(content_in_noise(0.5 + 0.2 * slope * sign, frame)) > 0.95  # energy is the squared slope itself
    mixed = [float(content_in_noise(0.5 + grain + a * slope * sign, frame)) for a in (0.0, 0.1, 0.2, 0.5)]
    assert mixed == sorted(mixed)


def test_the_strength_of_noise_and_frame_does_not_count():
    frame, grain = step(0.7, 0.3), noise(step(0.7), 10) * (1 + 3 * step(0.7, 0.3))
    value = float(content_in_noise(0.5 + grain, frame))
    assert float(content_in_noise(0.4 + 0.3 * grain, 0.2 + 0.5 * frame)) == pytest.approx(value, abs=1e-3)
    assert math.isnan(float(content_in_noise(GRAY, GRAY)))


def test_robustness_by_hand():
    """30, 28 and 26 dB at one, two and four times the noise fall by 2 dB per doubling."""
    assert robustness({1.0: 30.0, 2.0: 28.0, 4.0: 26.0}) == pytest.approx(-2)
    assert robustness({1.0: 30.0, 3.0: 30.0}) == 0
    assert robustness({1.0: 2.0, 3.0: 2.0 + math.log2(3)}) == pytest.approx(1)
    assert robustness({1.0: 0.0, 2.0: 1.0, 4.0: 5.0}) == pytest.approx(2.5)  # least squares: (5 - 0) / 2
    for bad in ({}, {1.0: 3.0}, {0.0: 1.0, 1.0: 2.0}):
        with pytest.raises(ValueError, match="two or more strengths of noise above 0, not at"):
            robustness(bad)
