"""Plain bicubic: right on the whole picture and on the device."""

import numpy as np
import pytest
import torch

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
