"""Weights over updates: numbers by hand, validations that raise and lower, settings that are refused."""

import math

import pytest
from pydantic import ConfigDict, TypeAdapter

from sr.config.hinted import hinted
from sr.config.named import hints_of
from sr.losses.weights import Constant, Linear, Phases, RaiseWhileImproving, Sinusoidal, Steps, Weight


def at(weight, *updates):
    return [weight(u) for u in updates]


def test_constant():
    assert at(Constant(0.3), 0, 10**9) == [0.3, 0.3]
    assert Constant(0.0)(5) == 0


def test_linear_holds_both_ends():
    fall = Linear(1.0, 0.2, 100, begin=50)
    assert at(fall, 0, 50, 150, 151, 10**9) == [1.0, 1.0, 0.2, 0.2, 0.2]
    assert at(fall, 75, 100, 125) == pytest.approx([0.8, 0.6, 0.4])
    rise = Linear(0.0, 0.1, 1)
    assert at(rise, 0, 1, 2) == [0.0, 0.1, 0.1]


def test_steps_change_at_their_milestones():
    assert at(Steps([1.0, 0.5, 0.0], [10, 20]), 0, 9, 10, 19, 20, 99) == [1.0, 1.0, 0.5, 0.5, 0.0, 0.0]
    assert Steps([0.7], [])(3) == 0.7


def test_phases_of_an_internship():
    """Pixels first, then the discriminator alone, then both."""
    pixels = Phases([(0, 10.0), (1000, 0.0), (1500, 10.0)])
    adversary = Phases([(0, 0.0), (1500, 0.05)])
    assert at(pixels, 0, 999, 1000, 1499, 1500) == [10.0, 10.0, 0.0, 0.0, 10.0]
    assert at(adversary, 0, 1499, 1500, 9999) == [0.0, 0.0, 0.05, 0.05]


def test_phases_of_a_configuration():
    """YAML has lists and whole numbers; the program makes the annotation's types of them, strictly."""
    hint = hints_of(Phases)["phases"]
    made = hinted([[0, 1], [1000, 0.5]], hint)
    assert made == [(0, 1.0), (1000, 0.5)]
    TypeAdapter(hint, config=ConfigDict(strict=True)).validate_python(made)
    assert Phases(made)(1000) == 0.5


def test_sinusoidal_starts_at_the_top():
    swing = Sinusoidal(1.0, 0.2, 40, begin=100)
    assert at(swing, 0, 99, 100, 140, 180) == [1.0] * 5
    assert at(swing, 110, 120, 130) == pytest.approx([0.6, 0.2, 0.6])
    assert swing(105) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)


def observed(weight, *metrics):
    values = []
    for metric in metrics:
        weight.observe(metric)
        values.append(weight(0))
    return values


def test_raise_while_improving_by_hand():
    weight = RaiseWhileImproving(0.001, 10.0, 0.05)
    assert weight(0) == 0.001
    # The first validation is the mark; better, better (at the maximum), worse, still worse, worse at the start, better.
    seen = observed(weight, 20.0, 21.0, 22.0, 20.0, 20.5, 20.9, 23.0)
    assert seen == pytest.approx([0.001, 0.01, 0.05, 0.005, 0.001, 0.001, 0.01])


def test_a_validation_that_equals_the_best_changes_nothing():
    assert observed(RaiseWhileImproving(1.0, 2.0, 8.0), 5.0, 5.0, 6.0, 6.0, 6.0) == [1.0, 1.0, 2.0, 2.0, 2.0]
    # Neither does it forget that one before was worse: with patience 2 the next worse one lowers the weight.
    seen = observed(RaiseWhileImproving(1.0, 2.0, 8.0, patience=2), 5.0, 6.0, 4.0, 6.0, 4.0)
    assert seen == [1.0, 2.0, 2.0, 2.0, 1.0]


def test_raise_while_improving_is_patient():
    weight = RaiseWhileImproving(1.0, 2.0, 100.0, patience=2)
    # Two worse ones in a row halve the weight once, and the count starts anew; one that is good forgets the count.
    seen = observed(weight, 5.0, 6.0, 7.0, 6.0, 6.0, 6.0, 8.0, 6.0, 6.0, 6.0, 6.0)
    assert seen == [1.0, 2.0, 4.0, 4.0, 2.0, 2.0, 4.0, 4.0, 2.0, 2.0, 1.0]


def test_broken_validations_count_as_worse():
    assert observed(RaiseWhileImproving(1.0, 2.0, 8.0), 1.0, 2.0, math.nan, 3.0) == [1.0, 2.0, 1.0, 2.0]
    assert observed(RaiseWhileImproving(1.0, 2.0, 8.0), math.nan, -math.inf, 3.0, 4.0) == [1.0, 1.0, 1.0, 2.0]


def test_state_continues():
    settings = (1.0, 2.0, 16.0, 2)
    whole, first, second = (RaiseWhileImproving(*settings) for _ in range(3))
    metrics = [1.0, 2.0, 3.0, 2.0, 2.5, 3.5, 1.0, 1.0]
    expected = observed(whole, *metrics)
    observed(first, *metrics[:4])
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert observed(second, *metrics[4:]) == expected[4:]


def test_a_state_is_brought_within_new_limits():
    old = RaiseWhileImproving(1.0, 2.0, 64.0)
    observed(old, *map(float, range(9)))
    assert old(0) == 64
    new = RaiseWhileImproving(1.0, 2.0, 4.0)
    new.load_state_dict(old.state_dict())
    assert new(0) == 4


@pytest.mark.parametrize(
    "weight", [Constant(1.0), Linear(1.0, 0.0, 2), Steps([1.0], []), Phases([(0, 1.0)]), Sinusoidal(1.0, 0.0, 2)]
)
def test_the_others_have_no_state_and_do_not_listen(weight):
    before = at(weight, 0, 1, 2)
    weight.observe(1.0)
    weight.load_state_dict({})
    assert weight.state_dict() == {}
    assert at(weight, 0, 1, 2) == before
    assert isinstance(weight, Weight)


def test_a_weight_must_say_what_it_is():
    with pytest.raises(TypeError, match="abstract class Weight"):
        Weight()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1.0), "value=-1.0 is no loss weight; give a finite number of at least 0, where 0 means off"),
        (lambda: Constant(math.inf), "value=inf is no loss weight"),
        (lambda: Constant(math.nan), "value=nan is no loss weight"),
        (lambda: Linear(-0.5, 1.0, 10), "start=-0.5 is no loss weight"),
        (lambda: Linear(0.5, math.nan, 10), "end=nan is no loss weight"),
        (lambda: Linear(0.5, 1.0, 0), "updates=0 must be at least 1"),
        (lambda: Linear(0.5, 1.0, 5, begin=-1), "begin=-1 must be at least 0"),
        (
            lambda: Steps([1.0], [10]),
            r"1 milestones need 2 values, .* but there are 1: values=\[1.0\], milestones=\[10",
        ),
        (lambda: Steps([1.0, 2.0, 3.0], [10, 10]), r"milestones=\[10, 10\] must be ascending updates above 0"),
        (lambda: Steps([1.0, 2.0], [0]), r"milestones=\[0\] must be ascending updates above 0"),
        (lambda: Steps([1.0, -2.0], [5]), r"values\[1\]=-2.0 is no loss weight"),
        (lambda: Phases([]), r"phases=\[\] must begin with a pair for update 0, such as \[\[0, 1.0\]"),
        (lambda: Phases([(5, 1.0)]), r"phases=\[\[5, 1.0\]\] must begin with a pair for update 0"),
        (
            lambda: Phases([(0, 1.0), (9, 0.0), (5, 1.0)]),
            r"phases=.* must be in ascending order of their first updates, each once: \[0, 5, 9\]",
        ),
        (lambda: Phases([(0, 1.0), (5, -1.0)]), r"phases\[1\]'s weight=-1.0 is no loss weight"),
        (lambda: Sinusoidal(0.1, 0.5, 10), "lower=0.5 is above upper=0.1; exchange them"),
        (lambda: Sinusoidal(math.inf, 0.5, 10), "upper=inf is no loss weight"),
        (lambda: Sinusoidal(1.0, 0.5, 1), "period=1 must be at least 2"),
        (lambda: Sinusoidal(1.0, 0.5, 10, -1), "begin=-1 must be at least 0"),
        (lambda: RaiseWhileImproving(0.0, 2.0, 1.0), "start=0.0 can never be raised by a factor; take a small one"),
        (lambda: RaiseWhileImproving(-1.0, 2.0, 1.0), "start=-1.0 is no loss weight"),
        (lambda: RaiseWhileImproving(0.1, 1.0, 1.0), "factor=1.0 must be a finite number above 1, such as 2"),
        (lambda: RaiseWhileImproving(0.1, math.inf, 1.0), "factor=inf must be"),
        (lambda: RaiseWhileImproving(0.1, 2.0, 0.01), "maximum=0.01 is below start=0.1; raise it to 0.1 or more"),
        (lambda: RaiseWhileImproving(0.1, 2.0, 1.0, 0), "patience=0 must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
