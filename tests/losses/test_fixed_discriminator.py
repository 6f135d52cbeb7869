"""An earlier run's discriminator as a network for features."""

import pytest
import torch

from sr.discriminators.strided import Strided
from sr.losses.fixed_discriminator import FixedDiscriminator
from tests.close import assert_close


def rand(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_distance_of_verdicts_and_layers():
    torch.manual_seed(1)
    network = Strided(3, features=4)
    made, wanted = rand(2, 3, 32, 32, seed=1).requires_grad_(), rand(2, 3, 32, 32, seed=2)
    verdicts = (network(made) - network(wanted)).abs().mean()
    first = network.layers[0]
    maps = (first(2 * made - 1) - first(2 * wanted - 1)).abs().mean()  # before the ReLU that overwrites them
    assert_close(FixedDiscriminator(network)(made, wanted), verdicts)
    loss = FixedDiscriminator(network, layers=["layers.0"])(made, wanted)
    assert_close(loss, verdicts + maps)
    loss.backward()
    assert made.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())


def test_it_stays_in_evaluation_mode():
    network = Strided(3, features=4, between="batch", strides=[2, 2, 1, 2])
    fixed = FixedDiscriminator(network).train()
    assert not any(module.training for module in fixed.modules())


def test_what_it_cannot_compare_is_refused():
    with pytest.raises(ValueError, match=r"this Strided judges 6 channels; leave in_channels out"):
        FixedDiscriminator(Strided(6, features=4))
    with pytest.raises(ValueError, match=r"layers names layer\.0, and Strided has layers, layers\.0"):
        FixedDiscriminator(Strided(3, features=4), layers=["layer.0"])
