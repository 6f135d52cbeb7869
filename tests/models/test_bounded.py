"""A network is built within the size of its file, whatever others build meanwhile."""

from threading import Thread

import pytest
import torch
from torch import nn

from sr.models.bounded import FARTHEST, LargerError, check_breadth, no_larger_than


def test_other_threads_build_what_they_like():
    made = []
    with no_larger_than({"weight": torch.zeros(4)}):
        other = Thread(target=lambda: made.append(nn.Linear(300, 300)))
        other.start()
        other.join()
        assert len(made) == 1
        with pytest.raises(LargerError):
            nn.Linear(300, 300)


def test_a_convolution_that_looks_too_far():
    check_breadth(nn.Conv2d(1, 1, 3, dilation=FARTHEST // 2))
    with pytest.raises(LargerError, match="a convolution that looks 10,000 pixels far, of 1,024 at most"):
        check_breadth(nn.Sequential(nn.Conv2d(1, 1, 3, dilation=(1, 5000))))
