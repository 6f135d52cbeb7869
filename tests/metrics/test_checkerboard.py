"""The shuffle's pattern place by place: seen whatever its sign, and nothing else taken for it."""

import math

import pytest
import torch

from sr.metrics.checkerboard import checkerboard_local
from sr.training.watch import checkerboard
from tests.metrics.drawn import line, noise, step

GRAY = torch.full((2, 3, 192, 192), 0.5)


def pattern(scale, region=None):
    """Root mean square 1, one pixel of each block brighter; its sign is drawn anew for each square of ``region``."""
    side = GRAY.shape[-1]
    block = torch.zeros(scale, scale)
    block[0, 0] = 1
    block = (block - block.mean()) / block.std(correction=0)
    whole = block.repeat(side // scale + 1, side // scale + 1)[:side, :side]
    if region is None:
        return whole
    count = side // region + 1
    signs = 2.0 * torch.randint(0, 2, (count, count), generator=torch.Generator().manual_seed(2)) - 1
    return whole * signs.repeat_interleave(region, 0).repeat_interleave(region, 1)[:side, :side]


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_a_pattern_of_one_sign_reads_as_its_amplitude_as_with_the_other_measure(scale):
    picture = GRAY + 0.01 * pattern(scale)
    assert float(checkerboard_local(picture, scale)) == pytest.approx(0.01, rel=1e-3)
    assert float(checkerboard(picture, scale)) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_pattern_whose_sign_follows_the_content_is_seen_here_alone(scale):
    for region, least in ((16 * scale, 0.8), (8 * scale, 0.65), (4 * scale, 0.4)):
        picture = GRAY + 0.01 * pattern(scale, region)
        assert least * 0.01 < float(checkerboard_local(picture, scale)) <= 0.01
    assert float(checkerboard(GRAY + 0.01 * pattern(scale, 8 * scale), scale)) < 0.002


def test_of_another_period_nothing_is_seen():
    assert float(checkerboard_local(GRAY + 0.01 * pattern(3), 2)) < 1e-4


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4, math.pi / 2])
def test_edges_lines_and_ramps_have_next_to_nothing(angle):
    ramp = torch.linspace(0, 1, 96).expand(1, 3, 96, 96)
    drawn = (ramp, GRAY, step(0.5, angle), step(1.0, angle), line(3, 0.6, angle), line(2, 0.7, angle))
    for picture in drawn:  # of a height of 150 levels
        assert float(checkerboard_local(picture, 2)) < 0.5 / 255
        assert float(checkerboard_local(picture, 4)) < 1.0 / 255


def test_noise_reads_as_a_tenth_and_a_pattern_in_it_is_seen():
    noisy = GRAY + noise(GRAY, 5)
    assert float(checkerboard_local(noisy, 2)) < 0.12 * 5 / 255
    both = float(checkerboard_local(noisy + 4 / 255 * pattern(2, 32), 2))
    assert both == pytest.approx(4 / 255, rel=0.15)


def test_blur_takes_it_away_and_more_is_more():
    picture = step(0.5, side=192).expand(1, 3, 192, 192)
    values = [float(checkerboard_local(picture + a * pattern(2, 32), 2)) for a in (0, 0.005, 0.01, 0.02)]
    assert values == sorted(values)
    blurred = torch.nn.functional.avg_pool2d(picture + 0.02 * pattern(2, 32), 2, 1)
    assert float(checkerboard_local(blurred, 2)) < 0.1 * values[-1]


def test_a_scale_of_one_and_pictures_of_a_few_pixels_have_none():
    assert float(checkerboard_local(GRAY, 1)) == 0
    assert float(checkerboard_local(torch.rand(1, 3, 7, 30), 2)) == 0
    assert float(checkerboard_local(torch.rand(1, 3, 8, 30), 2)) >= 0
