"""Earlier networks play within updates, and nobody sees them."""

import itertools
import re
from functools import partial

import lightning
import pytest
import torch

from sr.training.callbacks.swapout import Swapout
from sr.training.ema import Ema
from sr.training.keeping.state import copied, load_trained_state, trained_state
from sr.training.parts import Parts
from sr.training.schedules import Constant
from sr.types import UserError
from tests.adversary_pieces import saved
from tests.loops import fit
from tests.opponents import opponent
from tests.training.test_step import batches, build, network


class Watch(lightning.Callback):
    """What validation, guard and checkpoints would see after each update, and what the step itself saw."""

    def __init__(self):
        self.after, self.within = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.within.append(weights(pl_module))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.after.append(weights(pl_module))


def weights(module):
    networks = (module.network, module.adversaries["d"].network)
    return [torch.cat([p.detach().flatten().clone() for p in one.parameters()]) for one in networks]


def prepared(updates):
    torch.manual_seed(0)
    rival = opponent(optimizer=partial(torch.optim.Adam, lr=1e-2))
    module = build(network(), updates, ema=Ema(0.5), adversaries={"d": rival})
    module.schedule = Constant()  # one that follows the run's length would differ where the run is cut
    module.clock.start()
    return module


def swapout(**more):
    settings = {"g_every": None, "d_every": None, "duration": 2, "keep_every": 1, "kept": 2, "seed": 3}
    return Swapout(**(settings | more))


def test_an_earlier_network_plays_for_a_while_and_what_it_learned_is_thrown_away():
    module, watch = prepared(8), Watch()
    callback = swapout(g_every=4)
    fit(module, batches(8), [callback, watch])
    own = [after[0] for after in watch.after]
    assert torch.equal(own[4], own[3])  # updates 5 and 6 are an earlier generator's
    assert torch.equal(own[5], own[3])
    assert not torch.equal(own[6], own[5])
    assert any(torch.equal(watch.within[4][0], earlier) for earlier in own[2:4])
    assert not torch.equal(watch.within[5][0], watch.within[4][0])  # it learns as it plays
    assert torch.equal(watch.within[6][0], own[5])
    judges = [after[1] for after in watch.after]
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(judges))


def test_the_average_and_the_moments_are_those_of_the_network_itself():
    module = prepared(6)
    fit(module, batches(6), [swapout(g_every=4, d_every=4)])
    assert module.ema.updates == 4
    for optimizer in module.optimizers():
        steps = {int(state["step"]) for state in optimizer.optimizer.state.values() if "step" in state}
        assert steps == {4}


def test_a_restart_while_an_earlier_one_plays_is_one_of_the_run_s_own_moments_too():
    module = prepared(6)
    module.parts = Parts(restart=[0.75])  # before update 6, the second of two
    fit(module, batches(6), [swapout(g_every=4, d_every=4)])
    assert module.parts.restarted == 1
    assert not any(one for optimizer in module.optimizers() for one in optimizer.optimizer.state.values())
    module = prepared(8)
    module.parts = Parts(restart=[0.6])
    fit(module, batches(8), [swapout(g_every=4, d_every=4)])
    states = [one for optimizer in module.optimizers() for one in optimizer.optimizer.state.values()]
    assert {int(state["step"]) for state in states if state} == {2}  # those after the exchange


def test_without_two_earlier_states_nothing_is_exchanged():
    module, watch = prepared(4), Watch()
    fit(module, batches(4), [swapout(g_every=3, keep_every=3), watch])
    own = [after[0] for after in watch.after]
    assert not any(torch.equal(a, b) for a, b in itertools.pairwise(own))


def test_going_on_in_the_middle_of_an_exchange_is_exact():
    whole = prepared(8)
    fit(whole, batches(8), [swapout(g_every=4, d_every=5)])
    first = prepared(5)
    callback = swapout(g_every=4, d_every=5)
    fit(first, batches(8), [callback])
    state, kept = saved(copied(trained_state(first))), saved(callback.state_dict())
    assert kept["playing"].keys() == {"g"}
    second, again = prepared(8), swapout(g_every=4, d_every=5)
    second.configure_optimizers()

    class Load(lightning.Callback):
        def on_fit_start(self, trainer, pl_module):
            load_trained_state(pl_module, state)
            again.restore(kept, torch.device("cpu"))

    fit(second, batches(8)[5:], [Load(), again])
    for one, other in zip(weights(whole), weights(second), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("settings", "adversaries", "told"),
    [
        ({"g_every": 113, "d_every": 223}, ["d"], "nothing before update 1017, .* keep_every=500 .* the run ends at"),
        ({"d_every": 223}, ["d"], "nothing before update 1115"),
        ({"d_every": 223}, [], "exchanges nothing: g_every=null, and d_every=223 has no adversary"),
    ],
)
def test_what_will_never_be_exchanged_is_told(settings, adversaries, told):
    """1017 is 9 times 113, and 1115 5 times 223: the first with two states, of updates 500 and 1000."""
    callback = swapout(**settings, keep_every=500)
    assert re.search(told, callback.doubt(adversaries, 1000))
    if adversaries:
        assert callback.doubt(adversaries, 1116) is None
        assert callback.doubt(adversaries, None) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"g_every": 0}, "swapout: g_every=0 must be at least 1"),
        ({"d_every": 2}, "swapout: d_every=2 must be above duration=2; take 3 or more"),
        ({"g_every": 4, "kept": 1}, "swapout: kept=1 must be at least 2"),
        ({}, "swapout: g_every=null and d_every=null exchange nothing; set one, or leave swapout out"),
    ],
)
def test_numbers_that_leave_no_time_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        swapout(**settings)
