"""Numbers in a video and colours, against the formulas of ITU-T H.273."""

import numpy as np
import pytest
import torch

from sr.data.preparation.frames import assumed_matrix
from sr.inference.video.yuv import Coding, from_rgb, to_rgb
from tests.close import assert_close

WEIGHTS = {1: (0.2126, 0.7152, 0.0722), 6: (0.299, 0.587, 0.114), 9: (0.2627, 0.6780, 0.0593)}


def numbers(rgb, matrix, bits, full):
    """H.273, equations 38 to 52, in float64: rgb (3, h, w) to whole numbers."""
    kr, kg, kb = WEIGHTS[matrix]
    y = kr * rgb[0] + kg * rgb[1] + kb * rgb[2]
    pb, pr = (rgb[2] - y) / (2 * (1 - kb)), (rgb[0] - y) / (2 * (1 - kr))
    step = 2 ** (bits - 8)
    if full:
        top = 2**bits - 1
        values = top * y, top * pb + 128 * step, top * pr + 128 * step
    else:
        values = (219 * y + 16) * step, (224 * pb + 128) * step, (224 * pr + 128) * step
    return [np.clip(np.floor(value + 0.5), 0, 2**bits - 1).astype(np.int64) for value in values]


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_numbers_are_those_of_the_standard(matrix, full, bits):
    rgb = np.random.default_rng(0).random((3, 24, 32))
    coding = Coding(1, 1, bits, full, matrix)
    expected = numbers(rgb, matrix, bits, full)
    made = from_rgb(torch.from_numpy(rgb).float()[None], coding)
    for ours, theirs in zip(made, expected, strict=True):
        assert (ours[0].numpy() != theirs).mean() < 0.002  # halves that float32 rounds the other way
        assert np.abs(ours[0].numpy() - theirs).max() <= 1
    back = to_rgb(made, coding)[0].numpy()
    assert np.abs(back - rgb).max() < 1.6 / (2**bits if full else 219 * 2 ** (bits - 8))
    again = from_rgb(to_rgb(made, coding), coding)
    inside = ((back > 0) & (back < 1)).all(0)
    assert all((one == two)[0].numpy()[inside].all() for one, two in zip(made, again, strict=True))


@pytest.mark.parametrize(
    ("matrix", "white", "red"), [(1, [235, 128, 128], [63, 102, 240]), (6, [235, 128, 128], [81, 90, 240])]
)
def test_known_colours(matrix, white, red):
    rgb = torch.zeros(1, 3, 2, 4)
    rgb[..., :2] = 1
    rgb[:, 0, :, 2:] = 1
    planes = from_rgb(rgb, Coding(1, 1, 8, False, matrix))
    assert [int(plane[0, 0, 0]) for plane in planes] == white
    assert [int(plane[0, 0, 3]) for plane in planes] == red


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("sampling", [(2, 2), (2, 1), (1, 2), (4, 1)])
def test_colour_samples_lie_where_they_belong(sampling, centred):
    """A linear ramp of colour is what it was, away from the border: nothing moves."""
    across, down = sampling
    coding = Coding(across, down, 16, True, 1, centred=centred)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(48.0), indexing="ij")
    ramp = 0.3 + 0.005 * x + 0.006 * y
    rgb = torch.stack((ramp, 0.9 - ramp, ramp / 2))[None]
    planes = from_rgb(rgb, coding)
    assert planes[1].shape == (1, 32 // down, 48 // across)
    back = to_rgb(planes, coding)
    inner = (..., slice(8, -8), slice(16, -16))
    assert_close(back[inner], rgb[inner])


def test_odd_sides_are_lengthened_and_shortened():
    coding = Coding(2, 2, 8, False, 1)
    planes = from_rgb(torch.full((1, 3, 5, 7), 0.5), coding)
    assert [tuple(plane.shape) for plane in planes] == [(1, 6, 8), (1, 3, 4), (1, 3, 4)]
    smaller = [planes[0][:, :5, :7], *planes[1:]]
    assert to_rgb(smaller, coding).shape == (1, 3, 5, 7)


def test_gray_and_out_of_range():
    coding = Coding(1, 1, 8, False, 1, gray=True)
    rgb = to_rgb([torch.tensor([[[0, 16, 235, 255]]])], coding)
    assert rgb.tolist() == [[[[0, 0, 1, 1]]] * 3]


def test_assumed_matrix():
    assert [assumed_matrix(720, 576), assumed_matrix(1280, 544), assumed_matrix(960, 720)] == [6, 1, 1]
