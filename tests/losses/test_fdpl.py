"""FDPL against SciPy's cosine transform and numbers by hand."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from sr.losses.fdpl import Fdpl, coefficients, frequency_weights, relative_differences
from sr.types import UserError
from tests.close import assert_close


def rand(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_coefficients_are_those_of_scipy_block_by_block():
    image = rand(2, 3, 19, 24)
    found = coefficients(image)
    assert found.shape == (2, 3, 2, 3, 8, 8)
    luma = (torch.tensor([0.299, 0.587, 0.114])[:, None, None] * image[1]).sum(dim=0).numpy()  # JFIF
    assert_close(found[1, 0, 1, 2], torch.from_numpy(dctn(luma[8:16, 16:24], norm="ortho")))


def test_grey_has_no_chroma_and_one_coefficient():
    """A flat block of value 0.5 has 8 x 0.5 at (0, 0): orthonormal, so the sum over 64 pixels by their root."""
    found = coefficients(torch.full((1, 3, 8, 8), 0.5))
    assert found[0, 0, 0, 0, 0, 0].item() == pytest.approx(4.0, abs=1e-5)
    assert found.flatten()[1:].abs().max() < 1e-5


def test_weights_are_what_lacks_by_the_step_with_mean_1():
    differences = torch.zeros(3, 8, 8, dtype=torch.float64)
    differences[0, 0, 0], differences[1, 7, 7] = 1.0, 1.0  # T.81: steps 16 and 99
    found = frequency_weights(differences)
    assert found.mean().item() == pytest.approx(1.0)
    assert (found[0, 0, 0] / found[1, 7, 7]).item() == pytest.approx(99 / 16)


def test_loss_by_hand():
    """One frequency of Y alone counts, 192 times: 8^2 x 0.1^2 x 192 / 192 blocks' values, one block."""
    differences = np.zeros(192)
    differences[0] = 1.0
    grey = torch.full((1, 3, 8, 8), 0.1)
    assert Fdpl(differences.tolist())(grey, torch.zeros_like(grey)).item() == pytest.approx(0.8**2, rel=1e-5)
    summed = Fdpl(differences.tolist(), reduce="sum")(grey, torch.zeros_like(grey)).item()
    assert summed == pytest.approx(192 * 0.8**2, rel=1e-5)


def test_what_lacks_of_a_picture_that_is_half_as_strong_is_a_half():
    hr = rand(2, 3, 16, 16)
    assert_close(relative_differences(hr / 2, hr), torch.full((3, 8, 8), 0.5))


def test_pictures_without_a_block_are_refused():
    with pytest.raises(UserError, match="fdpl compares blocks of 8x8 pixels, and the pictures have 7x20; take larger"):
        Fdpl()(torch.zeros(1, 3, 7, 20), torch.zeros(1, 3, 7, 20))


@pytest.mark.parametrize("differences", [[1.0], [0.0] * 192, [-1.0] * 192])
def test_wrong_tables_are_refused(differences):
    with pytest.raises(ValueError, match=r"differences must be 192 finite numbers of at least 0, not all 0.*use null"):
        Fdpl(differences)
