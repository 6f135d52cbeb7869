"""Temperature, use, mixture, measures and pictures of switches, by hand-computed numbers."""

import colorsys
from itertools import pairwise

import pytest
import torch
from torch import nn

from sr.switches.attention_norm import AttentionNorm
from sr.switches.switch import Attention, busiest, mixed, specificity
from sr.switches.temperature import Annealing
from sr.switches.watching import attention_pictures, coloured, switch_measures
from sr.training.ema import Ema
from tests.choices import refusal
from tests.close import assert_close


def test_temperature_falls_in_a_line_and_then_its_inverse_rises_in_one():
    """From 10 to 1 over 90 updates; 1/temperature from 1 to 4 over the next 30: 2 after 10 of them, 2.5 after 15."""
    annealing = Annealing(10, 90, 0.25, 120)
    assert [annealing(n) for n in (0, 10, 45, 80, 90)] == [10, 9, 5.5, 2, 1]
    assert [annealing(n) for n in (100, 105, 120, 10**6)] == [0.5, 0.4, 0.25, 0.25]


def test_temperature_never_jumps_nor_turns_round():
    """The original jumped up after the first part, divided by zero at its defaults, and was negative for a while."""
    for annealing in (Annealing(20, 50), Annealing(20, 50, 0.1, 60), Annealing(1, 0), Annealing(20, 50, 1.0, 70)):
        course = [annealing(n) for n in range(100)]
        assert all(b <= a for a, b in pairwise(course))
        assert min(course) > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hot": 0.9}, "temperature=0.9 must be a number from 1 on; take 1 for no annealing."),
        ({"cool_until": -1}, "cool_until=-1 must be at least 0 updates; take 0 for no annealing."),
        ({"coldest": 0.0}, "coldest=0.0 must be above 0 and at most 1; take 1 to end at 1."),
        (
            {"coldest": 0.5, "cool_until": 9, "coldest_at": 9},
            "coldest=0.5 is reached after cool_until=9 updates, not at coldest_at=9; take coldest_at=10 or more.",
        ),
    ],
)
def test_impossible_temperatures_are_refused(settings, message):
    assert refusal(Annealing, **settings) == message


def test_mixture_is_the_weighted_sum_at_each_pixel():
    """Two branches of 1 and 3; logits 0 and ln 3 at temperature 1: weights 1/4 and 3/4, so 2.5."""
    attention = Attention(2, Annealing(1, 0), norm=False)
    logits = torch.tensor([0.0, 1.0986123]).view(1, 2, 1, 1)
    branches = [torch.full((1, 3, 1, 1), value) for value in (1.0, 3.0)]
    made = mixed(attention(logits), [lambda u=u: u for u in branches])
    assert_close(made, torch.full((1, 3, 1, 1), 2.5))


def test_mixture_stays_float32_where_branches_are_half():
    attention = Attention(2, Annealing(1, 0), norm=False)
    with torch.autocast("cpu", torch.bfloat16):
        weights = attention(torch.zeros(1, 2, 1, 1, dtype=torch.bfloat16))
        made = mixed(weights, [lambda: torch.ones(1, 1, 1, 1, dtype=torch.bfloat16)] * 2)
    assert weights.dtype == made.dtype == torch.float32


def test_heat_makes_branches_alike():
    logits = torch.tensor([0.0, 2.0]).view(1, 2, 1, 1)
    attention = Attention(2, Annealing(1000, 10), norm=False)
    assert_close(attention(logits).flatten(), torch.tensor([0.4995, 0.5005]))
    attention.at_update(10)
    assert_close(attention(logits).flatten(), torch.tensor([0.1192029, 0.8807971]))  # 1 / (1 + e^2)


def test_use_is_evened_out_once_enough_is_remembered():
    """Weights .75 and .25 are uses of 1.5 and .5; divided by them and normalised both are .5."""
    norm = AttentionNorm(2)
    attention = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    for _ in range(32):  # 16 times the branches
        assert_close(norm(attention), attention)
        norm.at_update()
    assert int(norm.row) == 0
    assert_close(norm.uses, torch.tensor([1.5, 0.5]).expand(32, 2))
    assert_close(norm(attention), torch.full((1, 2, 2, 2), 0.5))
    norm.eval()
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm(attention)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_an_update_without_a_pass_is_not_remembered():
    norm = AttentionNorm(2)
    norm.at_update()
    assert int(norm.seen) == int(norm.row) == 0
    assert torch.equal(norm.uses, torch.ones(32, 2))


def test_specificity_and_busiest():
    """Three branches, two pixels: (.5, .3, .2) and (.1, .8, .1): two strongest .8 and .9; each wins one pixel."""
    attention = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]]).T.reshape(1, 3, 1, 2)
    assert_close(specificity(attention), torch.tensor(0.85))
    assert_close(busiest(attention), torch.tensor(0.5))
    assert_close(specificity(torch.full((1, 8, 2, 2), 1 / 8)), torch.tensor(0.25))


def test_the_winner_gives_the_colour_and_its_weight_the_brightness():
    attention = torch.tensor([0.1, 0.6, 0.3]).view(1, 3, 1, 1)
    expected = 0.6 * torch.tensor(colorsys.hsv_to_rgb(1 / 3, 0.8, 1))
    assert_close(coloured(attention).flatten(), expected)


class TwoSwitches(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = (Attention(2, Annealing(5, 10), norm=True) for _ in range(2))

    def forward(self, lr):
        return self.two(self.one(lr[:, :2]))


def test_measures_and_pictures_of_a_network():
    network = TwoSwitches()
    assert switch_measures(network) == {}
    network(torch.rand(2, 3, 4, 5))
    measures = switch_measures(network)
    assert list(measures)[:2] == ["switch_temperature", "switch_1_specificity"]
    assert float(measures["switch_temperature"]) == 5
    made = attention_pictures(network.eval(), torch.rand(1, 3, 4, 5))
    assert {name: picture.shape for name, picture in made.items()} == {
        "switch_1": (1, 3, 4, 5),
        "switch_2": (1, 3, 4, 5),
    }
    assert not network.one._forward_hooks


def test_the_average_has_the_temperature_and_the_use_of_the_network():
    network, ema = TwoSwitches(), Ema(0.9, warmup=False)
    ema.start(network)
    network(torch.rand(2, 3, 4, 5))
    network.one.at_update(4)
    ema.update(network)
    for name, value in network.one.state_dict().items():
        assert torch.equal(ema.averaged().one.state_dict()[name], value), name


def test_one_branch_is_no_switch():
    assert refusal(Attention, 1, Annealing(), norm=False) == "a switch needs at least 2 branches, not 1; choose 8."
