"""Gradient maps against SciPy, and numbers worked out by hand."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from sr.image.gradient_map import gradient_map
from sr.losses.gradient_map import GradientMap
from tests.choices import refusal
from tests.close import assert_close

SCIPY_MODES = {"replicate": "nearest", "zero": "constant"}


def reference(image, border):
    """By SciPy's correlation with [-1, 0, 1] along each axis."""
    pixels, mode = image.numpy(), SCIPY_MODES[border]
    v, h = (scipy.ndimage.correlate1d(pixels, [-1, 0, 1], axis=axis, mode=mode) for axis in (2, 3))
    return torch.from_numpy(np.sqrt(v**2 + h**2 + 1e-6))


@pytest.mark.parametrize("border", ["replicate", "zero"])
@pytest.mark.parametrize("size", [(9, 14), (1, 5), (2, 2), (1, 1)])
def test_equals_scipy(border, size):
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    assert_close(gradient_map(image, border), reference(image, border))


@pytest.mark.parametrize("border", ["replicate", "zero"])
def test_distances(border):
    prediction, target = torch.rand(2, 2, 3, 8, 9, dtype=torch.float64)
    d = reference(prediction, border) - reference(target, border)
    assert_close(GradientMap("l1", border)(prediction, target), d.abs().mean())
    assert_close(GradientMap("l2", border)(prediction, target), d.square().mean())


def test_range_by_hand():
    # Black and white pixels: at most one step of 1 along each axis, and the least value is the root of epsilon.
    assert_close(gradient_map(torch.zeros(1, 1, 3, 3)), torch.full((1, 1, 3, 3), 1e-3))
    corner = torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 1, 0]])[None, None]
    assert_close(gradient_map(corner)[0, 0, 1, 1], torch.tensor(math.sqrt(2 + 1e-6)))


def test_only_zeros_beyond_the_border_draw_a_frame():
    white = torch.ones(1, 3, 5, 5)
    assert_close(gradient_map(white, "replicate"), torch.full_like(white, 1e-3))
    framed = gradient_map(white, "zero")
    assert_close(framed[:, :, 0, 2], torch.full((1, 3), 1.0))
    assert_close(framed[:, :, 0, 0], torch.full((1, 3), math.sqrt(2)))
    assert_close(framed[:, :, 1:-1, 1:-1], torch.full((1, 3, 3, 3), 1e-3))


def test_unknown_choices_are_refused():
    assert refusal(GradientMap, distance="L2") == "distance=L2 is not one of l1 or l2; did you mean l2?"
    assert refusal(GradientMap, border="mirror") == "border=mirror is not one of replicate or zero; choose one of them."
