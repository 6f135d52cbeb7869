"""What is watched while networks train."""

import math

import pytest
import torch

from sr.losses.gan import (
    Wasserstein,
)
from sr.training.adversary.policy import Stepper, UpdatePolicy
from sr.training.adversary.replay import BatchStore
from sr.training.watch import QUIET, Alarm, checkerboard, colour_error
from tests.adversary_pieces import adversary, judged, rand, small
from tests.close import assert_close


def board(side=8, channels=3, batch=1):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    signs = 1 - 2.0 * ((rows + columns) % 2)
    return signs.expand(batch, channels, side, side)


@pytest.mark.parametrize("amplitude", [0.0, 0.01, 0.25])
def test_checkerboard_has_its_amplitude(amplitude):
    assert_close(checkerboard(0.5 + amplitude * board(), 2), torch.tensor(amplitude))
    assert_close(checkerboard(0.5 + amplitude * board(), 4), torch.tensor(amplitude))  # a harmonic of 4


def test_checkerboard_of_a_bright_place_in_blocks_of_3():
    """Ones at one of nine places: 1/9 of (8/9)^2 and 8/9 of (1/9)^2 is 8/81, the root 0.314270."""
    picture = torch.zeros(2, 3, 9, 12)
    picture[:, :, 1::3, 2::3] = 0.3
    assert_close(checkerboard(picture, 3), torch.tensor(0.3 * math.sqrt(8) / 9))


def test_checkerboard_of_a_smooth_ramp_is_nearly_nothing():
    """A ramp of slope s keeps its differences within a block of 2: s / 2, a 128th for one from black to white."""
    ramp = torch.linspace(0, 1, 65)[:64].expand(1, 3, 64, 64)
    assert_close(checkerboard(ramp, 2), torch.tensor(1 / 128))
    assert_close(checkerboard(ramp.mT, 2), torch.tensor(1 / 128))
    assert_close(checkerboard(torch.full((1, 3, 8, 8), 0.7), 2), torch.tensor(0.0))


def test_checkerboard_does_not_cancel_between_pictures_and_channels():
    """Opposite patterns in two pictures, and a third of the energy where one channel of three has it."""
    opposite = torch.cat([board(), -board()]) * 0.1 + 0.5
    assert_close(checkerboard(opposite, 2), torch.tensor(0.1))
    one = 0.5 + 0.1 * board() * torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert_close(checkerboard(one, 2), torch.tensor(0.1 / math.sqrt(3)))


def test_checkerboard_ignores_odd_rows_and_what_has_another_period():
    odd = torch.full((1, 3, 9, 9), 100.0)
    odd[..., :8, :8] = 0.5 + 0.1 * board()
    assert_close(checkerboard(odd, 2), torch.tensor(0.1))
    wide = board(8).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # period 4
    assert_close(checkerboard(wide, 2), torch.tensor(0.0))
    assert_close(checkerboard(rand(1, 3, 8, 8), 1), torch.tensor(0.0))


def test_checkerboard_of_half_precision_is_computed_in_float32():
    picture = (0.5 + 0.125 * board()).to(torch.bfloat16).requires_grad_()
    value = checkerboard(picture, 2)
    assert value.dtype is torch.float32
    assert not value.requires_grad
    assert value.item() == 0.125


def test_colour_error_of_a_known_shift():
    """Red up by 0.1, green down by 0.2, blue as it was: (0.1 + 0.2 + 0) / 3."""
    lr = rand(2, 3, 4, 5)
    sr = lr.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert_close(colour_error(sr, lr), torch.tensor(0.0))
    shift = torch.tensor([0.1, -0.2, 0.0]).view(1, 3, 1, 1)
    assert_close(colour_error(sr + shift, lr), torch.tensor(0.1))
    # Shifts of two pictures do not cancel.
    apart = torch.tensor([0.3, -0.3]).view(2, 1, 1, 1)
    assert_close(colour_error(sr + apart, lr), torch.tensor(0.3))
    assert not colour_error(sr.requires_grad_(), lr).requires_grad


def alarmed(*steps, threshold=50.0):
    alarm = Alarm()
    for update, (total, values) in enumerate(steps, start=1):
        alarm.note_total(update, torch.tensor(total), threshold)
        alarm.note(update, "g", "gradient", [torch.tensor(v) for v in values])
    return alarm


def test_alarm_remembers_the_first_of_each():
    fine, high, bad = (1.0, [1.0, 2.0]), (60.0, [60.0]), (1.0, [1.0, math.nan])
    assert Alarm().read() == QUIET == (None, None, None)
    assert alarmed(fine, fine).read() == QUIET
    assert alarmed(fine, high, fine, high).read() == (None, None, 2)
    assert alarmed(fine, bad, fine, bad, high).read() == (2, "g", 5)
    assert alarmed((1.0, [math.inf])).read() == (1, "g", None)
    assert alarmed((1.0, [-math.inf])).read() == (1, "g", None)


def test_alarm_tells_who_went_wrong_first():
    fine, bad = [torch.tensor([1.0, 2.0]), torch.tensor(3.0)], [torch.tensor([1.0, math.nan])]
    for steps, expected in (
        ([(1, "g", "output", fine), (1, "d", "opinion", bad), (1, "g", "gradient", bad)], (1, "d", None)),
        ([(1, "g", "output", bad), (1, "d", "opinion", bad)], (1, "g", None)),  # what D was given came from G
        ([(1, "g", "output", fine), (1, "d", "gradient", bad), (2, "g", "output", bad)], (1, "d", None)),
        ([(1, "d", "losses", fine), (2, "d", "losses", bad)], (2, "d", None)),
    ):
        alarm = Alarm()
        for step in steps:
            alarm.note(*step)
        assert alarm.read() == expected


def test_alarm_reads_without_forgetting_and_forgets_when_cleared():
    alarm = alarmed((60.0, [math.nan]))
    assert alarm.read() == alarm.read() == (1, "g", 1)
    alarm.clear()
    assert alarm.read() == QUIET
    alarm.note_total(7, torch.tensor(51.0), 50.0)
    assert alarm.read() == (None, None, 7)


def test_alarm_threshold_is_exceeded_only_above():
    assert alarmed((50.0, [1.0])).read() == QUIET
    assert alarmed((1e30, [1.0]), threshold=math.inf).read() == QUIET
    assert alarmed((math.nan, [math.nan])).read() == (1, "g", None)  # no number is above nothing


def test_alarm_takes_mixed_numbers_and_keeps_no_graph():
    alarm = Alarm()
    values = [torch.ones(2, requires_grad=True).sum(), torch.tensor(2.0, dtype=torch.bfloat16)]
    alarm.note(3, "g", "gradient", values)
    alarm.note_total(3, values[0], 1.0)
    assert alarm.read() == (None, None, 3)
    alarm.note(4, "g", "gradient", [values[0] * math.nan])
    assert alarm.read() == (4, "g", 3)


def test_a_stepper_compares_the_newest_pictures_only():
    """Penalties and old batches come and go; the loss that is held against the thresholds must not."""
    opponent = adversary(small(norm=False), replay=BatchStore(10, share=1.0), r1_gamma=10.0)
    alone = adversary(small(norm=False))
    for n in range(3):
        verdict, plain = judged(opponent, first=2 * n, seed=n), judged(alone, first=2 * n, seed=n)
        assert_close(verdict.newest, plain.total)
    assert verdict.total > verdict.newest + 0.5


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"policy": UpdatePolicy(stepper=Stepper(0.3, 0.4))},
            "Wasserstein has a loss without a floor, which no threshold",
        ),
        ({"replay": BatchStore()}, "Wasserstein gains without end when fakes outnumber real pictures"),
    ],
)
def test_an_unbounded_loss_has_no_use_for(parts, message):
    with pytest.raises(ValueError, match=message):
        adversary(objective=Wasserstein(), **parts)
