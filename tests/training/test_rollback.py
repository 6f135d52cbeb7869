"""What goes back after an explosion, and what goes on."""

from functools import partial

import torch

from sr.losses.weights import RaiseWhileImproving
from sr.training import clock
from sr.training.adversary.policy import Stepper, UpdatePolicy
from sr.training.adversary.replay import ImagePool
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.keeping.state import copied, load_trained_state, moved_on, trained_state
from sr.training.schedules import Plateau
from sr.training.steps import observe
from tests.loops import fit
from tests.opponents import judge, opponent
from tests.training.test_step import batches, build, network


def trained(updates):
    """Everything that has a state, after so many updates."""
    rival = opponent(
        network=judge(norm=True),
        policy=UpdatePolicy(stepper=Stepper(0.9, 1.1)),
        schedule=Plateau(factor=0.5, patience=1),
        weight=RaiseWhileImproving(0.1, 2.0, 1.0),
        optimizer=partial(torch.optim.Adam, lr=1e-3),
        replay=ImagePool(3),
    )
    module = build(
        network(), updates, ema=Ema(0.9), adversaries={"d": rival}, weight=RaiseWhileImproving(1.0, 2.0, 9.0)
    )
    module.schedule = Plateau(factor=0.5, patience=1)
    module.clock.start()
    fit(module, batches(updates))
    return module


def leaves(state, path=()):
    """(path, value) of everything in nested dictionaries and lists."""
    if isinstance(state, dict | list | tuple):
        pairs = state.items() if isinstance(state, dict) else enumerate(state)
        return {k: v for key, child in pairs for k, v in leaves(child, (*path, key)).items()}
    return {path: state}


def test_networks_moments_averages_steppers_and_pools_go_back_and_the_rest_goes_on():
    module = trained(4)
    good = copied(trained_state(module))
    module.clock.max_updates = 9
    fit(module, batches(5))
    for value in (1.0, 2.0, 1.5):
        observe(module, "psnr_y", value)
    module.rate = 0.5
    now = leaves(copied(trained_state(module)))
    load_trained_state(module, moved_on(module, copied(good)))
    before, after = leaves(good), leaves(trained_state(module))
    assert before.keys() <= after.keys()
    goes_on = {("batches",), ("samples",), ("rate",), ("clock", "elapsed")}
    told = {path for path in after if path[0] in ("schedule", "objective") or path[2:3] in (("schedule",), ("weight",))}
    for path, value in after.items():
        if path == ("clock", "elapsed"):
            assert value >= now[path]
            continue
        expected = now[path] if path in goes_on | told else before[path]
        same = torch.equal(value, expected) if isinstance(value, torch.Tensor) else value == expected
        assert same, path
    assert module.updates == 4
    assert module.batches == 9
    assert len(told) >= 4
    assert any(now[path] != before[path] for path in told)
    assert module.position == 0


def test_time_does_not_run_twice(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    running = Clock(None, 60.0)
    running.start()
    now[0] += 20
    running.load_state_dict({"updates": 3, "elapsed": running.elapsed})
    assert running.elapsed == 20
    now[0] += 5
    assert running.elapsed == 25
    assert running.updates == 3
