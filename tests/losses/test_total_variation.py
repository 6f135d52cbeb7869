"""Total variation by hand, and as the SRGAN notebook counts."""

import numpy as np
import pytest
import torch

from sr.losses.total_variation import TotalVariation
from sr.types import UserError
from tests.choices import refusal
from tests.close import assert_close


def test_by_hand():
    # Vertical differences 0.3 and -0.5; horizontal 0.1 and -0.7.
    image = torch.tensor([[0.5, 0.6], [0.8, 0.1]])[None, None]
    assert_close(TotalVariation(1)(image, image), torch.tensor((0.3 + 0.5) / 2 + (0.1 + 0.7) / 2))
    squares = (0.3**2 + 0.5**2) / 2 + (0.1**2 + 0.7**2) / 2
    assert_close(TotalVariation(2)(image, image), torch.tensor(2 * squares))


def test_power_2_counts_as_the_notebook():
    image = torch.rand(4, 3, 7, 10, dtype=torch.float64)
    pixels = image.numpy()
    v, h = (np.diff(pixels, axis=axis) for axis in (2, 3))
    per_batch = 2 * ((v**2).sum() / (3 * 6 * 10) + (h**2).sum() / (3 * 7 * 9))
    assert_close(TotalVariation(2)(image, image), torch.tensor(per_batch / 4))


@pytest.mark.parametrize("power", [1, 2])
def test_only_the_prediction_counts(power):
    image, loss = torch.rand(1, 3, 6, 6), TotalVariation(power)
    assert loss(image, torch.rand(1, 3, 6, 6)) == loss(image, image)
    assert loss(torch.ones(1, 3, 6, 6), image) == 0


def test_mistakes_are_quoted():
    with pytest.raises(UserError, match=r"at least 2x2 pixels, not 1x6; take a larger data\.crop"):
        TotalVariation()(torch.rand(1, 3, 1, 6), torch.rand(1, 3, 1, 6))
    assert refusal(TotalVariation, 3) == "power=3 is not one of 1 or 2; choose one of them."
