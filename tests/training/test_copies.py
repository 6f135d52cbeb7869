"""Copies of networks that keep more than weights."""

import threading
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sr.errors import UserError
from sr.training.copies import copied
from sr.training.ema import Ema
from sr.training.validation import as_exported


class Keeps(nn.Module):
    """A network that keeps what it has computed, as people do to look at it later."""

    def __init__(self, place):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.place, self.kept = place, None

    def forward(self, x):
        made = self.conv(x)
        self.kept = {
            "attribute": made,
            "in a list": [(made,)],
            "in an object": SimpleNamespace(made=made),
            "of itself": [self],
        }[self.place]
        return made


class Watcher:
    """Keeps what a hook shows it."""

    def __init__(self):
        self.seen = []

    def __call__(self, module, inputs, output):
        self.seen.append(output)

    def look(self, module, inputs, output):
        self.seen.append(output)


def legacy_weight_norm():
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.Sequential(torch.nn.utils.weight_norm(nn.Conv2d(3, 3, 3, padding=1)))


def hooked(method):
    network, watcher = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1)), Watcher()
    network[0].register_forward_hook(watcher.look if method else watcher)
    return network


@pytest.mark.parametrize(
    "make",
    [
        legacy_weight_norm,
        lambda: hooked(False),
        lambda: hooked(True),
        *[lambda p=p: Keeps(p) for p in ("attribute", "in a list", "in an object", "of itself")],
    ],
)
@pytest.mark.parametrize("copy", [copied, as_exported])
def test_what_autograd_made_is_copied_too(make, copy):
    network, x = make().train(), torch.rand(1, 3, 8, 8)
    expected = network(x)
    twin = copy(network)
    assert not twin.training
    assert network.training
    assert not any(p.requires_grad for p in twin.parameters())
    assert all(p.requires_grad for p in network.parameters())
    assert torch.equal(twin(x), expected)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert torch.equal(twin(x), expected), "it shares nothing"
    network(x).sum().backward()
    average = Ema()
    average.start(network)
    assert torch.equal(average.averaged()(x), network(x))


def test_what_cannot_be_copied_is_a_sentence():
    network = nn.Sequential(nn.Conv2d(3, 3, 3))
    network.lock = threading.Lock()
    with pytest.raises(
        UserError, match=r"Sequential cannot be copied, .* \(cannot pickle '_thread.lock' object\); keep"
    ):
        copied(network)
