"""A frozen network that makes low resolution worse."""

import numpy as np
import pytest
import torch
from torch import nn

from sr.degradations.corruptor import Corruptor
from sr.degradations.pipeline import Pipeline
from sr.draws import Draws
from sr.models.corruptors import Corruptors, corruptors
from sr.models.espcn import Espcn
from sr.models.files import save_network
from sr.types import UserError
from tests.close import assert_close


class Plus(nn.Module):
    """Adds a constant to every pixel."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, picture):
        return picture + self.value


def stage(*values, **settings):
    return Corruptor(Corruptors(tuple(map(Plus, values)), tuple(map(str, values))), **settings)


def degraded(made, count=64, first=0, together=None):
    pipeline = Pipeline(1, {"corruptor": made}, eight_bits=False)
    return pipeline(torch.full((count, 3, 4, 4), 0.25), Draws(1, np.arange(first, first + count)), together)[:, 0, 0, 0]


def test_each_picture_has_its_own_coin_or_shares_it():
    single = degraded(stage(0.5))
    assert set(single.tolist()) == {0.25, 0.75}
    assert 16 < int((single > 0.5).sum()) < 48
    shared = degraded(stage(0.5, together=8)).view(8, 8)
    assert (shared == shared[:, :1]).all(), "whole batches are replaced, or none of it"
    assert 0 < int((shared[:, 0] > 0.5).sum()) < 8
    assert (degraded(stage(0.5, probability=1.0)) == 0.75).all()
    assert (degraded(stage(0.5, probability=0.0)) == 0.25).all()


def test_it_depends_on_sample_numbers_alone():
    whole = degraded(stage(0.5, 0.25, every=10))
    parts = torch.cat([degraded(stage(0.5, 0.25, every=10), 16, first) for first in (0, 16, 32, 48)])
    assert torch.equal(whole, parts)
    assert torch.equal(whole, degraded(stage(0.5, 0.25, every=10), together=True))


def test_several_networks_take_turns():
    values = degraded(stage(0.25, 0.5, probability=1.0, every=8)).view(8, 8)
    assert (values == values[:, :1]).all()
    assert set(values[:, 0].tolist()) == {0.5, 0.75}


def test_results_stay_in_range():
    assert (degraded(stage(5.0, probability=1.0)) == 1).all()


class Times(nn.Module):
    """Multiplies every pixel by 3."""

    def forward(self, picture):
        return 3 * picture


@pytest.mark.parametrize("together", [False, True])
def test_gradient_passes_through_the_network(together):
    """AmbientGAN descends it: a picture that is replaced by 3 times itself has 3 times the gradient."""
    made = Corruptor(Corruptors((Times(),), ("3",)))
    pictures = torch.full((16, 3, 4, 4), 0.25, requires_grad=True)
    low = Pipeline(1, {"corruptor": made}, eight_bits=False)(pictures, Draws(1, np.arange(16)), together)
    low.sum().backward()
    assert_close(pictures.grad, low.detach() / 0.25)
    assert set(pictures.grad.flatten().tolist()) == {1.0, 3.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probability": 1.5}, "probability=1.5 must be from 0 to 1"),
        ({"together": 0}, "together=0 counts samples and must be at least 1"),
        ({"every": 0}, "every=0 counts samples and must be at least 1"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        stage(0.5, **settings)


def saved(folder, scale):
    arguments = {"scale": scale, "features": 8, "dilations": [1]}
    folder.mkdir()
    save_network(
        folder / "best.safetensors", Espcn(**arguments), {"_target_": "sr.models.espcn.Espcn", **arguments}, {}
    )
    return str(folder)


def test_networks_are_read_from_runs_and_keyed_by_their_content(tmp_path):
    one, two = saved(tmp_path / "one", 1), saved(tmp_path / "two", 1)
    made = corruptors([one, two])
    assert len(made) == 2
    assert not any(p.requires_grad for network in made.networks for p in network.parameters())
    key = Pipeline(1, {"corruptor": Corruptor(made)}).key
    assert key == Pipeline(1, {"corruptor": Corruptor(corruptors([one, two]))}).key
    assert key != Pipeline(1, {"corruptor": Corruptor(corruptors([two, one]))}).key


def test_wrong_networks(tmp_path):
    with pytest.raises(UserError, match=r"files=\[\] names no corruptor; give runs or files of networks of scale 1"):
        corruptors([])
    with pytest.raises(UserError, match=r"there is no corruptor gone; give a run's folder or a \.safetensors"):
        corruptors(["gone"])
    with pytest.raises(UserError, match=r"best\.safetensors has scale=2, and low resolution must keep its size"):
        corruptors([saved(tmp_path / "double", 2)])
