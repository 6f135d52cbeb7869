"""The measured receptive field against known ones."""

import pytest
import torch
from torch import nn

from sr.inference.reach import FOLD, Reach, measured_reach
from sr.models.bicubic import Bicubic
from sr.models.compact import Compact
from sr.models.espcn import Espcn
from sr.models.rdn import Rdn


class Folding(nn.Module):
    """Folds two pixels a side into channels, and looks one fold to each side."""

    scale = 1

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(12, 12, 3, padding=1)

    def forward(self, lr):
        return nn.functional.pixel_shuffle(self.convolution(nn.functional.pixel_unshuffle(lr, 2)), 2)


class Stretching(nn.Module):
    """Its grid depends on the size of the picture."""

    scale = 2

    def forward(self, lr):
        return nn.functional.interpolate(lr, scale_factor=2, mode="bilinear", align_corners=True)


class Pooled(nn.Module):
    scale = 1

    def forward(self, lr):
        return lr * lr.mean((-2, -1), keepdim=True)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Espcn(2), 2 + 3 + 1),
        (Espcn(3, dilations=(1, 2, 4), padding="reflect"), 2 + 7 + 1),
        (Compact(4, 4, 30), 32),
        (Rdn(2, 8, 8, 2, 3), 2 + 6 + 1 + 1 + 1),
        (Bicubic(2), 2),
        (Stretching(), None),
        (Pooled(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_reach(network, expected):
    assert measured_reach(network.eval()) == (None if expected is None else Reach(expected, 1))


def test_a_network_that_folds_pixels_needs_windows_at_its_folds():
    found = measured_reach(Folding().eval())
    assert found is not None
    assert found.step == FOLD
    assert found.pixels >= 3


def test_layers_that_sleep_count_as_well():
    network = nn.Sequential(nn.Conv2d(3, 3, 5, padding=2), nn.ReLU())
    network.scale = 1
    network[0].bias.data.fill_(-100)
    assert measured_reach(network.eval()) == Reach(2, 1)


def test_nothing_beyond_the_reach_matters():
    network, lr = Espcn(2).eval().double(), torch.rand(1, 3, 40, 40, dtype=torch.float64)
    changed = lr.clone()
    changed[..., 20 + 6 + 1 :] += 1
    with torch.no_grad():
        before, after = network(lr), network(changed)
    assert torch.equal(before[..., : 2 * 21], after[..., : 2 * 21])
    assert not torch.equal(before[..., 2 * 21 : 2 * 22], after[..., 2 * 21 : 2 * 22])
