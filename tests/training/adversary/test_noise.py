"""Noise on what a discriminator learns from."""

import math

import pytest
import torch

from sr.losses.weights import Linear
from sr.training.adversary.noise import InstanceNoise
from tests.adversary_pieces import draws, rand
from tests.close import assert_close


def test_noise_has_its_standard_deviation():
    """The deviation of 55,296 normal numbers is known to 1 / sqrt(2 n) = 0.3 %; 1.5 % is five times that."""
    zero = torch.zeros(2, 3, 96, 96)
    real, (fake,) = InstanceNoise(0.1)(draws(2), 0, zero, [zero])
    for noise in (real, fake):
        assert abs(noise.std().item() / 0.1 - 1) < 0.015
        assert abs(noise.mean().item()) < 5 * 0.1 / math.sqrt(noise.numel())


def test_noise_is_independent_or_shared():
    zero = torch.zeros(1, 3, 96, 96)
    real, fakes = InstanceNoise(0.1)(draws(1), 0, zero, [zero, zero])
    pairs = [(real, fakes[0]), (real, fakes[1]), (fakes[0], fakes[1])]
    for a, b in pairs:
        # Correlation of 27,648 pairs: 0 within 5 / sqrt(n).
        assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()) < 5 / math.sqrt(a.numel())
    picture = rand(1, 3, 8, 8)
    real, fakes = InstanceNoise(0.1, shared=True)(draws(1), 0, picture, [picture + 1, picture])
    assert not torch.equal(real, picture)
    assert torch.equal(real, fakes[1])
    assert_close(fakes[0] - picture - 1, real - picture)


def test_noise_leaves_the_condition_alone():
    shown = rand(2, 6, 8, 8)
    real, (fake,) = InstanceNoise(0.2)(draws(2), 0, shown, [shown])
    for noisy in (real, fake):
        assert torch.equal(noisy[:, 3:], shown[:, 3:])
        assert (noisy[:, :3] != shown[:, :3]).all()


def test_noise_follows_its_schedule():
    """The same numbers at every update, times 0.2, then 0.1 half-way, then none at all."""
    noise, zero = InstanceNoise(Linear(0.2, 0.0, 100)), torch.zeros(1, 3, 8, 8)
    first, half = (noise(draws(1), updates, zero, [])[0] for updates in (0, 50))
    assert_close(first, InstanceNoise(0.2)(draws(1), 7, zero, [])[0])
    assert_close(half, first / 2)
    fakes = [rand(1, 3, 8, 8)]
    same, same_fakes = noise(draws(1), 100, zero, fakes)
    assert same is zero
    assert same_fakes[0] is fakes[0]


def test_noise_belongs_to_samples():
    shown, noise = rand(4, 3, 8, 8), InstanceNoise(0.1)
    real, (fake,) = noise(draws(4), 0, shown, [shown])
    parts = [noise(draws(2, first), 0, shown[first : first + 2], [shown[first : first + 2]]) for first in (0, 2)]
    assert torch.equal(real, torch.cat([part[0] for part in parts]))
    assert torch.equal(fake, torch.cat([part[1][0] for part in parts]))
    assert not torch.equal(real, noise(draws(4).within("step 1"), 0, shown, [])[0])


def test_noise_changes_nothing_in_place():
    shown = rand(1, 3, 8, 8)
    before = shown.clone()
    InstanceNoise(0.1)(draws(1), 0, shown, [shown])
    assert torch.equal(shown, before)


def test_negative_noise_is_refused():
    with pytest.raises(ValueError, match=r"sigma=-0.1 is a standard deviation: a number from 0 on"):
        InstanceNoise(-0.1)


@pytest.mark.parametrize("sigma", [math.inf, math.nan])
def test_infinite_noise_is_refused_by_its_name(sigma):
    with pytest.raises(ValueError, match=rf"sigma.*{sigma}"):
        InstanceNoise(sigma)
