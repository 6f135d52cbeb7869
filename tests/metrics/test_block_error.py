"""Errors that are gathered in a block."""

import pytest
import torch

from sr.metrics.block_error import block_error
from sr.types import UserError
from tests.metrics.drawn import noise

GRAY = torch.full((2, 3, 64, 80), 0.5)


def test_one_bad_block_by_hand():
    wrong = GRAY + 0.01
    wrong[0, :, 16:32, 32:48] += 0.04  # 0.05 there, 0.01 elsewhere
    assert block_error(wrong, GRAY).tolist() == pytest.approx([5, 1], rel=1e-3)
    assert block_error(GRAY + 2 * (wrong - GRAY), GRAY).tolist() == pytest.approx([5, 1], rel=1e-3)


def test_the_truth_and_what_is_below_a_rounding_are_even():
    assert block_error(GRAY, GRAY).tolist() == [1, 1]
    nearly = GRAY.clone()
    nearly[:, :, :16, :16] += 0.9 / 255 / 12**0.5
    assert block_error(nearly, GRAY).tolist() == [1, 1]


def test_noise_all_over_is_nearly_even():
    assert 1 <= float(block_error(GRAY + noise(GRAY, 6), GRAY).max()) < 1.15


def test_pictures_without_a_block_are_refused():
    with pytest.raises(UserError, match="a picture of 80x15 pixels has no whole block of 16x16"):
        block_error(GRAY[..., :15, :], GRAY[..., :15, :])
