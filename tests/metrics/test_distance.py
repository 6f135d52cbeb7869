"""FID and KID against numpy, by features that can be computed by hand."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from sr.errors import UserError
from sr.metrics.distance import SUBSET, distance

CPU = torch.device("cpu")


class Means(torch.nn.Module):
    """The mean colour: three features."""

    def forward(self, pictures):
        return pictures.float().mean(dim=(2, 3))


def pictures(count, level, seed):
    generator = torch.Generator().manual_seed(seed)
    sides = [(3 + number % 4, 5) for number in range(count)]
    return [(torch.randint(0, 100, (1, 3, *side), generator=generator) + level).to(torch.uint8) for side in sides]


def by_hand(made, real):
    a, b = (np.stack([one.double().mean(dim=(0, 2, 3)).numpy() for one in side]) for side in (made, real))
    one, two = np.cov(a.T), np.cov(b.T)
    fid = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(one + two - 2 * sqrtm(one @ two).real)

    def kernel(x, y):
        return (x @ y.T / 3 + 1) ** 3

    n = len(a)
    own = [(kernel(x, x).sum() - np.trace(kernel(x, x))) / (n * (n - 1)) for x in (a, b)]
    return fid, own[0] + own[1] - 2 * kernel(a, b).mean()


def test_both_equal_their_formulas():
    made, real = pictures(12, 40, 1), pictures(12, 60, 2)
    found = distance(made, real, Means(), CPU)
    fid, kid = by_hand(made, real)
    assert found.fid == pytest.approx(fid, rel=1e-5)
    assert found.kid == pytest.approx(kid, rel=1e-4)
    assert found.kid_deviation == pytest.approx(0, abs=1e-3 * abs(kid))  # each subset is the whole
    assert (found.made, found.real) == (12, 12)


def test_sets_of_other_sizes_and_the_same_subsets_each_time():
    made, real = pictures(9, 40, 1), pictures(14, 40, 2)
    before = torch.random.get_rng_state()
    assert distance(made, real, Means(), CPU) == distance(made, real, Means(), CPU)
    assert torch.equal(before, torch.random.get_rng_state())
    assert SUBSET > 14
    assert distance(made, real, Means(), CPU).fid < distance(made, pictures(14, 140, 2), Means(), CPU).fid


def test_one_picture_has_no_spread():
    with pytest.raises(UserError, match="two sets of at least two pictures, not 1 and 3"):
        distance(pictures(1, 0, 1), pictures(3, 0, 2), Means(), CPU)
