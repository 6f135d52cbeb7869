"""When a discriminator learns."""

import math

import pytest
import torch

from sr.training.adversary.policy import Stepper, UpdatePolicy, hysteresis
from tests.adversary_pieces import saved

SEQUENCES = [
    # As the experiment log has them. Between the two thresholds nothing changes, nor exactly at one of them.
    (0.3, 0.4, [0.5, 0.35, 0.29, 0.35, 0.4, 0.41, 0.35, 0.3, 0.2], [0, 0, 1, 1, 1, 0, 0, 0, 1]),
    (0.3, 0.35, [0.29, 0.34, 0.35, 0.36, 0.31, 0.3, 0.29, 0.4], [1, 1, 1, 0, 0, 0, 1, 0]),
    (0.2, 0.3, [0.25, 0.19, 0.25, 0.3, 0.31, 0.25, 0.2, 0.1], [0, 1, 1, 1, 0, 0, 0, 1]),
    (0.2, 0.2, [0.3, 0.2, 0.1, 0.2, 0.3], [0, 0, 1, 1, 0]),
]
sequences = pytest.mark.parametrize(("off", "on", "losses", "rests"), SEQUENCES)


@sequences
def test_hysteresis_by_hand(off, on, losses, rests):
    state, states = False, []
    for loss in losses:
        state = hysteresis(state, loss, off, on)
        states.append(state)
    assert states == [bool(r) for r in rests]


@sequences
def test_stepper_follows_the_loss_of_the_step_before(off, on, losses, rests):
    stepper = Stepper(off, on)
    assert stepper.throttled() is False  # nothing known yet
    for loss, rest in zip(losses, rests, strict=True):
        stepper.note(torch.tensor(loss, dtype=torch.float64))
        assert stepper.throttled() is bool(rest)
        assert stepper.throttled() is bool(rest)  # asking twice changes nothing


def test_stepper_keeps_no_graph():
    stepper = Stepper(0.3, 0.4)
    loss = torch.tensor(0.1, requires_grad=True) * 1
    stepper.note(loss)
    assert stepper.throttled()


def test_stepper_is_not_moved_by_nan():
    stepper = Stepper(0.3, 0.4)
    for before in (0.5, 0.1):
        stepper.note(torch.tensor(before))
        state = stepper.throttled()
        stepper.note(torch.tensor(math.nan))
        assert stepper.throttled() is state


@pytest.mark.parametrize("loss", [0.1, 0.9])
def test_stepper_state_round_trip(loss):
    """A loss that was noted but not yet asked for is in the state as well."""
    stepper, again = Stepper(0.3, 0.4), Stepper(0.3, 0.4)
    stepper.note(torch.tensor(loss))
    again.note(torch.tensor(1.0 - loss))  # forgotten
    again.load_state_dict(saved(stepper.state_dict()))
    assert again.throttled() is (loss < 0.3)
    for stepped in (stepper, again):
        stepped.note(torch.tensor(0.35))
    assert stepper.throttled() is again.throttled() is (loss < 0.3)


@pytest.mark.parametrize(
    ("given", "advised"),
    [((0.4, 0.3), (0.3, 0.4)), ((-0.1, 0.3), (0.1, 0.3))],
    ids=["crossed", "negative"],
)
def test_stepper_out_of_order_is_refused_with_a_way_out(given, advised):
    with pytest.raises(ValueError, match=rf"rest_below={given[0]} .*learn_above={given[1]}") as caught:
        Stepper(*given)
    assert f"write rest_below={advised[0]} and learn_above={advised[1]}" in str(caught.value)
    Stepper(*advised)


def learning(policy, *updates):
    return [u for u in updates if policy.learns(u)]


def test_policy_learns_from_the_start_by_default():
    policy = UpdatePolicy()
    assert learning(policy, 0, 1, 10**9) == [0, 1, 10**9]
    assert policy.counts(0)
    assert not policy.throttled()
    policy.note(torch.tensor(0.0))
    assert not policy.throttled()
    assert policy.state_dict() == {}


def test_policy_start_and_stop():
    policy = UpdatePolicy(start=10, stop=20)
    assert learning(policy, 0, 9, 10, 11, 19, 20, 30) == [10, 11, 19]
    assert [policy.counts(u) for u in (0, 9, 10, 19, 20, 99)] == [False, False, True, True, True, True]


def test_policy_learns_in_the_first_of_so_many_epochs():
    policy = UpdatePolicy(every_epochs=3, epoch=4)
    assert learning(policy, *range(30)) == [0, 1, 2, 3, 12, 13, 14, 15, 24, 25, 26, 27]
    assert learning(UpdatePolicy(every_epochs=1, epoch=4), *range(9)) == list(range(9))
    assert learning(UpdatePolicy(every_epochs=3, epoch=4, start=2, stop=14), *range(30)) == [2, 3, 4, 5]
    assert all(policy.counts(u) for u in range(30))


def test_policy_counts_only_once_it_has_begun_to_learn():
    """Epochs count from start: otherwise start=5 would lie in the second of three epochs of 4 updates."""
    policy = UpdatePolicy(every_epochs=3, epoch=4, start=5)
    first = next(u for u in range(100) if policy.learns(u))
    assert not any(policy.counts(u) for u in range(first))


def test_policy_with_a_stepper():
    policy = UpdatePolicy(stepper=Stepper(0.3, 0.4))
    policy.note(torch.tensor(0.1))
    assert policy.throttled()
    assert policy.learns(0)  # the stepper apart
    again = UpdatePolicy(stepper=Stepper(0.3, 0.4))
    again.load_state_dict(saved(policy.state_dict()))
    assert again.throttled()
    UpdatePolicy().load_state_dict(policy.state_dict())  # a run without stepper forgets it
    again.load_state_dict({})  # a stepper that the saved run did not have
    assert again.throttled()


@pytest.mark.parametrize("name", ["d_steps", "g_every", "every_epochs", "epoch"])
def test_counts_below_1_are_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}=0 must be at least 1"):
        UpdatePolicy(**{name: 0})


@pytest.mark.parametrize("stop", [5, 10])
def test_stop_not_after_start_is_refused(stop):
    with pytest.raises(ValueError, match=rf"start=10 to stop={stop}; stop must be the larger"):
        UpdatePolicy(start=10, stop=stop)


def test_negative_start_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="start=-1") as caught:
        UpdatePolicy(start=-1)
    assert "stop must be the larger" not in str(caught.value)


def test_orders_that_make_no_sense():
    with pytest.raises(ValueError, match=r"order=d_frist is not one of g_first or d_first; did you mean d_first\?"):
        UpdatePolicy(order="d_frist")
    with pytest.raises(ValueError, match=r"order=d_first learns before that; set regenerate=false, or order=g_first"):
        UpdatePolicy(order="d_first", regenerate=True)
