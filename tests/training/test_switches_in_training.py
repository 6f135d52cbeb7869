"""Networks that change with training are told each update once, and what they keep survives all that runs survive."""

import lightning
import pytest
import torch
from torch import nn

from sr.models.srg2 import Srg2
from sr.switches.watching import attentions_of
from sr.training.ema import Ema
from sr.training.keeping.state import copied, load_trained_state, moved_on, trained_state
from sr.training.pairs import reference_of
from sr.training.schedules import Constant
from sr.training.steps import measures_of
from sr.types import UserError
from tests.loops import fit
from tests.opponents import judge, opponent
from tests.training.test_step import batches, build, network


def switched():
    torch.manual_seed(2)
    return Srg2(
        2,
        features=8,
        depth=1,
        branches=3,
        layers=2,
        multiplexer_features=8,
        reductions=1,
        processing=0,
        attention_norm=True,
        temperature=9.0,
        cool_until=8,
    )


class Told(nn.Module):
    """A network that remembers what it is told, and measures itself."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.told = inner, []
        self.scale = getattr(inner, "scale", None)
        self.cell, self.margin = getattr(inner, "cell", None), getattr(inner, "margin", 0)

    def forward(self, shown):
        return self.inner(shown)

    def at_update(self, updates):
        self.told.append(updates)

    def measures(self):
        return {"told": torch.tensor(float(len(self.told)))}


def test_both_sides_are_told_each_update_once():
    generator, discriminator = Told(network()), Told(judge())
    module = build(generator, 3, accumulate=2, adversaries={"d": opponent(network=discriminator)})
    fit(module, batches(6))
    assert module.updates == 3
    assert generator.told == discriminator.told == [0, 1, 2]
    means = module.means.take()
    assert means["train/sr/told"] == means["train/d/told"] == 2  # of 1, 1, 2, 2, 3, 3


def test_networks_that_measure_nothing_add_nothing():
    assert measures_of(network(), "train/sr") == {}


def test_the_average_is_as_hot_as_the_network():
    module = build(switched(), 5, ema=Ema(0.999))
    fit(module, batches(5))
    for made in (module.network, module.deliverable):
        assert [float(a.temperature) for a in attentions_of(made)] == [5]  # 9 - 8 * 4 / 8
        assert [int(a.norm.seen) for a in attentions_of(made)] == [4]
    assert module.means.take()["train/sr/switch_temperature"] == 7  # 9, 8, 7, 6, 5


class GoOn(lightning.Callback):
    """From where another run stopped."""

    def __init__(self, state):
        self.state = state

    def on_fit_start(self, trainer, pl_module):
        load_trained_state(pl_module, self.state)


def test_a_run_that_goes_on_is_as_one_that_was_not_interrupted():
    data = batches(6)
    whole, begun, gone_on = (build(switched(), 6, ema=Ema(0.9)) for _ in range(3))
    begun.clock.max_updates = 3
    for module in (whole, begun, gone_on):
        module.schedule = Constant()  # the others depend on where the run is meant to end
    fit(whole, data)
    fit(begun, data[:3])
    fit(gone_on, data[3:], [GoOn(copied(trained_state(begun)))])
    for made, expected in ((gone_on.network, whole.network), (gone_on.deliverable, whole.deliverable)):
        for name, value in expected.state_dict().items():
            assert torch.equal(made.state_dict()[name], value), name


def test_going_back_brings_the_temperature_back():
    module = build(switched(), 3)
    fit(module, batches(3))
    good = copied(trained_state(module))
    module.clock.max_updates = 6
    fit(module, batches(3))
    load_trained_state(module, moved_on(module, copied(good)))
    attention = attentions_of(module.network)[0]
    assert float(attention.temperature) == 7  # of the third update
    assert int(attention.norm.seen) == 2
    module.clock.max_updates = 4
    fit(module, batches(1))
    assert float(attentions_of(module.network)[0].temperature) == 6


class Looking(nn.Module):
    """A network that looks at the photograph of each crop."""

    scale, reference = 2, 16

    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.ones(1)), []

    def forward(self, lr, reference=None):
        self.seen.append(reference)
        return self.weight * lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_a_network_that_asks_is_given_the_photographs():
    photographs = torch.full((2, 4, 16, 16), 51, dtype=torch.uint8)
    module = build(Looking(), 1)
    fit(module, [batch._replace(reference=photographs) for batch in batches(1)])
    assert [tuple(one.shape) for one in module.network.seen] == [(2, 4, 16, 16)]
    assert torch.allclose(module.network.seen[0], torch.tensor(0.2))


@pytest.mark.parametrize(("given", "word"), [(None, "none"), (32, "32")])
def test_a_network_that_asks_in_vain_is_refused(given, word):
    (batch,) = batches(1)
    photographs = None if given is None else torch.zeros(2, 4, given, given, dtype=torch.uint8)
    batch = batch._replace(reference=photographs)
    with pytest.raises(UserError) as error:
        reference_of(batch, Looking(), build(Looking(), 1).compute)
    assert str(error.value) == (
        "Looking looks at the photograph of each crop, 16 pixels a side, and the data gives "
        f"{word}; train it on data that CropData prepares"
    )
    assert reference_of(batch, network(), build(network(), 1).compute) is None
