"""A network is built within the size of its file, whatever others build meanwhile."""

from threading import Thread

import pytest
import torch
from torch import nn

from sr.models.bounded import LargerError, no_larger_than


def test_other_threads_build_what_they_like():
    made = []
    with no_larger_than({"weight": torch.zeros(4)}):
        other = Thread(target=lambda: made.append(nn.Linear(300, 300)))
        other.start()
        other.join()
        assert len(made) == 1
        with pytest.raises(LargerError):
            nn.Linear(300, 300)
