"""The edge loss against OpenCV and SciPy, and numbers worked out by hand."""

import math

import cv2
import numpy as np
import pytest
import scipy.ndimage
import torch

from sr.losses.edge import Edge, edge_map
from sr.types import UserError
from tests.close import assert_close


def reference(picture, epsilon):
    """Edge strength of one channel: OpenCV's Gaussian, SciPy's Sobel, and only what no border has touched."""
    blurred = cv2.GaussianBlur(picture, (3, 3), 3)
    gx, gy = (scipy.ndimage.sobel(blurred, axis) for axis in (1, 0))
    return np.sqrt(gx**2 + gy**2 + epsilon)[2:-2, 2:-2]


@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 1e-2])
def test_equals_opencv_and_scipy(epsilon):
    pictures = torch.rand(4, 3, 13, 17, dtype=torch.float64)
    maps = [[torch.from_numpy(reference(channel.numpy(), epsilon)) for channel in picture] for picture in pictures]
    expected = torch.stack([torch.stack(channels) for channels in maps])
    assert_close(edge_map(pictures, epsilon), expected)
    value = Edge(epsilon)(pictures[:2], pictures[2:])
    assert_close(value, (expected[:2] - expected[2:]).abs().mean())


def test_ramp_by_hand():
    # 0.1 per pixel; Sobel's kernel adds 4 differences of 2 pixels each, the blur leaves a ramp as it is.
    ramp = (torch.arange(8.0) / 10).expand(1, 3, 8, 8)
    flat = torch.full((1, 3, 8, 8), 0.5)
    assert_close(Edge(1e-6)(ramp, flat), torch.tensor(math.sqrt(0.8**2 + 1e-6) - 1e-3))
    assert_close(Edge(1e-6)(ramp.mT, flat), torch.tensor(math.sqrt(0.8**2 + 1e-6) - 1e-3))
    assert_close(Edge(1e-6)(ramp, 1 - ramp.mT), torch.tensor(0.0))  # strength, not direction


def test_without_epsilon_flat_spots_have_no_gradient():
    """The historic form: what the docstring warns of."""
    prediction = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    Edge(0.0)(prediction, torch.rand(1, 1, 8, 8)).backward()
    assert prediction.grad.isnan().any()


def test_smallest_picture():
    assert edge_map(torch.rand(1, 3, 5, 5), 0.0).shape == (1, 3, 1, 1)
    with pytest.raises(UserError, match=r"at least 5x5 pixels, not 4x9; take a larger data\.crop"):
        Edge()(torch.rand(1, 3, 4, 9), torch.rand(1, 3, 4, 9))


@pytest.mark.parametrize("epsilon", [-1e-6, math.nan, math.inf])
def test_wrong_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match=f"epsilon={epsilon} must be a finite number of at least 0; 1e-6 is usual"):
        Edge(epsilon)
