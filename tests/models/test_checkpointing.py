"""Checkpointing: the same pictures, gradients and statistics, with less kept for the backward pass."""

import pytest
import torch
from torch import nn

from sr.models.checkpointing import run
from sr.models.outputs import outputs_of, picture_of
from sr.training import memory
from sr.training.peak import peak_bytes
from sr.training.precision import Compute
from tests.close import assert_close
from tests.models.test_models import CONFIGS, SLIM, TRANSLATING, build

DEEP = [name for name, config in CONFIGS.items() if "checkpointing" in config and name not in TRANSLATING]
CPU = torch.device("cpu")
SMALL = {"sr_resnet18": {"widths": [8, 8, 8, 8]}, "compact": {"features": 8}}


def both(name, **arguments):
    """The same network with and without."""
    small = {**SLIM.get(name, {}), **SMALL.get(name, {}), **arguments}
    plain, lean = (build(name, 2, **small, checkpointing=wanted) for wanted in (False, True))
    lean.load_state_dict(plain.state_dict())
    return plain, lean


def test_every_deep_network_has_it():
    assert set(CONFIGS) - TRANSLATING - set(DEEP) == {
        *(name for name in CONFIGS if name.startswith("espcn")),
        *("bicubic", "spandrel", "feature_net"),  # the last is VGG's graph, whose memory is its first layers'
    }


@pytest.mark.parametrize("name", DEEP)
def test_results_gradients_and_statistics_are_the_same(name):
    plain, lean = both(name)
    lr = torch.rand(2, 3, 9, 8)
    for network in (plain, lean):
        for _ in range(2):  # batch normalisation's statistics move twice
            sum(one.square().mean() for one in outputs_of(network(lr)).values()).backward()
    assert_close(picture_of(lean(lr)), picture_of(plain(lr)))
    for (key, theirs), own in zip(plain.named_parameters(), lean.parameters(), strict=True):
        assert own.grad is not None, key
        assert_close(own.grad, theirs.grad)
    assert list(lean.state_dict()) == list(plain.state_dict())
    for theirs, own in zip(plain.state_dict().values(), lean.state_dict().values(), strict=True):
        assert torch.equal(own, theirs)


class Odd(nn.Module):
    """Everything that a second computation could get wrong."""

    def __init__(self):
        super().__init__()
        conv = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3, padding=1))
        self.layers = nn.Sequential(conv, nn.BatchNorm2d(4, momentum=None), nn.Dropout(0.5))
        self.calls = 0

    def forward(self, features):
        self.calls += 1
        return self.layers(features)


@pytest.mark.parametrize("in_between", [False, True])
def test_draws_and_buffers_are_those_of_the_first_time(in_between):
    torch.manual_seed(0)
    plain, lean = Odd(), Odd()
    lean.load_state_dict(plain.state_dict())
    features = torch.rand(2, 4, 6, 6)
    for block, forgetful in ((plain, False), (lean, True)):
        torch.manual_seed(1)
        out = run(block, features, forgetful).square().sum()
        if in_between:  # a second batch has moved the buffers before the first one's gradient is wanted
            run(block, features + 1, forgetful)
        out.backward()
    assert (plain.calls, lean.calls) == (1 + in_between, 2 + in_between)
    for theirs, own in zip(plain.parameters(), lean.parameters(), strict=True):
        assert_close(own.grad, theirs.grad)
    for (name, theirs), own in zip(plain.named_buffers(), lean.buffers(), strict=True):
        assert torch.equal(own, theirs), name


def test_nothing_is_computed_twice_where_no_gradient_is_recorded():
    block = Odd().eval()
    with torch.no_grad():
        run(block, torch.rand(1, 4, 6, 6), True)
    assert block.calls == 1


def most(network, lr):
    return peak_bytes(lambda: network(lr).square().mean().backward(), CPU)


def test_a_step_of_rrdb_needs_less_than_half():
    plain, lean = both("rrdb", features=16, growth=8, blocks=8)
    lr = torch.rand(2, 3, 24, 24)
    assert most(lean, lr) < most(plain, lr) / 2


def test_planning_counts_what_is_computed_again():
    """It may not say less than the most that a step holds, nor as much as without."""
    plain, lean = both("rrdb", features=16, growth=8, blocks=8)
    compute, lr = Compute(CPU, bf16=False, channels_last=False, reason="a test"), torch.rand(2, 3, 24, 24)
    told = memory.bytes_kept_for_backward(lean, lr, compute)
    assert all(p.grad is None for p in lean.parameters())
    assert most(lean, lr) * 0.9 < told < 0.6 * memory.bytes_kept_for_backward(plain, lr, compute)


def test_the_most_at_once_is_counted():
    picture = torch.rand(1000)
    assert peak_bytes(lambda: (picture + 1) + 1, CPU) == 8000  # both sums at once
    assert peak_bytes(lambda: picture.add_(1), CPU) == 0
    kept = []
    assert peak_bytes(lambda: kept.append(picture + 1), CPU) == 4000
