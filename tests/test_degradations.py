"""Degradations and augmentations: right on the whole picture, on the device, per sample, and as a pair."""

import itertools

import numpy as np
import pytest
import torch

from sr.augmentations.flips import Flips, Identity, _turn_all, _turn_each
from sr.degradations.bicubic import Bicubic
from sr.draws import Draws
from sr.image.resize import imresize
from tests.conftest import smooth_picture


def batch_of(*pictures):
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pictures])


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_bicubic_on_the_device_is_within_one_gray_level_of_matlab(scale):
    hr = [smooth_picture(48, 72, seed) for seed in range(3)]
    lr = Bicubic(scale)(batch_of(*hr).float() / 255, Draws(0, np.arange(3)))
    levels = (lr * 255).round()
    assert torch.allclose(levels, lr * 255, atol=1e-3), "rounded to 8 bits, as a file would hold it"
    for index, picture in enumerate(hr):
        exact = imresize(picture, 1 / scale)
        assert (levels[index].permute(1, 2, 0).numpy().astype(int) - exact.astype(int)).__abs__().max() <= 1


def test_bicubic_of_a_picture_leaves_out_the_rest():
    hr = smooth_picture(50, 61, 0)
    assert np.array_equal(Bicubic(3).picture(hr), imresize(np.ascontiguousarray(hr[:48, :60]), 1 / 3))


def test_bicubic_refuses_a_scale_below_one():
    with pytest.raises(ValueError, match="scale=0 must be at least 1"):
        Bicubic(0)


def symmetry(picture, mirror, upside_down, swap):
    picture = picture[:, ::-1] if mirror else picture
    picture = picture[::-1] if upside_down else picture
    return picture.transpose(1, 0, 2) if swap else picture


@pytest.mark.parametrize("turn", [_turn_each, _turn_all])
def test_each_symmetry_equals_numpy(turn):
    picture = smooth_picture(12, 12, 1)
    coins = list(itertools.product([False, True], repeat=3))
    turned = turn(batch_of(*[picture] * 8), torch.tensor(coins))
    for index, coin in enumerate(coins):
        assert np.array_equal(turned[index].permute(1, 2, 0).numpy(), symmetry(picture, *coin))


def test_pair_gets_the_same_symmetry_and_all_eight_occur():
    hr = batch_of(*[smooth_picture(16, 16, 2)] * 64)
    lr = torch.nn.functional.avg_pool2d(hr.float(), 2)
    turned_lr, turned_hr = Flips()(lr, hr, Draws(0, np.arange(64)))
    assert torch.equal(torch.nn.functional.avg_pool2d(turned_hr.float(), 2), turned_lr)
    assert len({t.numpy().tobytes() for t in turned_hr}) == 8


def test_flips_belong_to_samples():
    hr = batch_of(*[smooth_picture(16, 16, seed) for seed in range(10)])
    whole = Flips()(None, hr, Draws(4, np.arange(10)))[1]
    parts = [Flips()(None, hr[i : i + 5], Draws(4, np.arange(i, i + 5)))[1] for i in (0, 5)]
    assert torch.equal(whole, torch.cat(parts))


def test_quarter_turns_need_squares():
    with pytest.raises(ValueError, match="need square crops, not 8x10"):
        Flips()(None, torch.zeros(1, 3, 8, 10), Draws(0, np.arange(1)))


def test_identity_changes_nothing():
    hr = batch_of(smooth_picture(16, 16, 0))
    assert Identity()(None, hr, Draws(0, np.arange(1))) == (None, hr)
