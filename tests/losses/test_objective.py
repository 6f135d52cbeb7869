"""Losses with numbers worked out by hand, and the objective that sums them."""

import math

import numpy as np
import pytest
import torch

from sr.draws import Draws
from sr.errors import UserError
from sr.losses.lr_consistency import LrConsistency
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1, L2, Charbonnier
from sr.losses.weights import RaiseWhileImproving, Steps
from tests.close import assert_close


def pictures(*values):
    return torch.tensor(values).reshape(1, 1, 2, 2)


SR = pictures(0.0, 0.5, 1.0, 0.25)
HR = pictures(0.1, 0.5, 0.6, 0.25)  # differences -0.1, 0, 0.4, 0


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (L1(), (0.1 + 0.4) / 4),
        (L2(), (0.01 + 0.16) / 4),
        # sqrt(0.01 + 0.09) + 2 * 0.3 + sqrt(0.16 + 0.09)
        (Charbonnier(eps=0.3), (math.sqrt(0.1) + 0.6 + 0.5) / 4),
        (Charbonnier(), (math.sqrt(0.010001) + 2e-3 + math.sqrt(0.160001)) / 4),
    ],
)
def test_values_by_hand(loss, expected):
    assert_close(loss(SR, HR), torch.tensor(expected))


@pytest.mark.parametrize("loss", [L1(), L2(), Charbonnier(0.1)])
def test_gradients(loss):
    """Analytic against finite differences, away from the kink of L1."""
    prediction = torch.rand(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 2, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), prediction)


def test_charbonnier_is_smooth_where_the_pictures_agree():
    prediction = HR.clone().requires_grad_()
    value = Charbonnier(1e-3)(prediction, HR)
    value.backward()
    assert_close(value, torch.tensor(1e-3))
    assert prediction.grad.abs().max() == 0


@pytest.mark.parametrize("loss", [L1(), L2(), Charbonnier()])
def test_bf16_input_is_summed_in_float32(loss):
    sr = torch.rand(2, 3, 40, 40).bfloat16()
    hr = torch.rand(2, 3, 40, 40).bfloat16()
    value = loss(sr, hr)
    assert value.dtype == torch.float32
    assert_close(value.double(), loss(sr.double(), hr.double()).float())


@pytest.mark.parametrize("eps", [0.0, -1e-3])
def test_charbonnier_needs_a_positive_eps(eps):
    with pytest.raises(ValueError, match=f"eps > 0, not {eps}"):
        Charbonnier(eps)


def views(sr, hr=HR, lr=HR):
    return {"sr": sr, "hr": hr, "lr": lr}


def test_objective_sums_weighted_terms_and_reports_raw_ones():
    objective = Objective({"l1": Term(2.0, L1()), "l2": Term(10.0, L2())})
    sr = SR.clone().requires_grad_()
    total, raw, weights = objective(views(sr))
    assert_close(total, torch.tensor(2 * 0.125 + 10 * 0.0425))
    assert_close(raw["l1"], torch.tensor(0.125))
    assert_close(raw["l2"], torch.tensor(0.0425))
    assert list(raw) == ["l1", "l2"]
    assert not any(value.requires_grad for value in raw.values())
    assert weights == objective.weights(0) == {"l1": 2.0, "l2": 10.0}
    total.backward()
    # 2 sign(d) / 4 + 10 * 2 d / 4
    assert_close(sr.grad.flatten(), torch.tensor([-0.5 - 0.5, 0.0, 0.5 + 2.0, 0.0]))


class Nan(torch.nn.Module):
    def forward(self, prediction, target):
        return (prediction - target).sum() * math.nan


def test_weight_zero_only_watches():
    sr = SR.clone().requires_grad_()
    total, raw, _ = Objective({"l1": Term(1.0, L1()), "nan": Term(0.0, Nan())})(views(sr))
    assert raw["nan"].isnan()
    assert_close(total, torch.tensor(0.125))  # 0 times NaN is NaN
    total.backward()
    assert_close(sr.grad.flatten(), torch.tensor([-0.25, 0.0, 0.25, 0.0]))


class Places(torch.nn.Module):
    """Remembers what it was given."""

    def forward(self, prediction, target):
        self.given = prediction.detach(), target
        return (prediction - target).mean()


def test_a_term_may_compare_shifted_windows_that_belong_to_samples():
    hr = torch.arange(8 * 6 * 6.0).view(8, 1, 6, 6)
    samples, shifting, whole = Draws(3, np.arange(8)), Places(), Places()
    objective = Objective({"shifting": Term(1.0, shifting, shift=3), "whole": Term(1.0, whole)})
    objective(views(hr + 0.5, hr), draws=samples)
    sr_window, hr_window = shifting.given
    assert sr_window.shape == (8, 1, 3, 3)
    assert torch.equal(sr_window, hr_window + 0.5)
    assert torch.equal(whole.given[1], hr)
    corners = (hr_window[:, 0, 0, 0] - hr[:, 0, 0, 0]).tolist()
    assert {corner % 6 for corner in corners} | {corner // 6 for corner in corners} <= {0, 1, 2}
    assert len(set(corners)) > 1
    for first in (0, 4):
        half = slice(first, first + 4)
        objective(views(hr[half] + 0.5, hr[half]), draws=Draws(3, np.arange(first, first + 4)))
        assert torch.equal(shifting.given[1], hr_window[half])
    with pytest.raises(ValueError, match="a term with shift=3 needs draws"):
        objective(views(hr, hr))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": -1}, "shift=-1 counts pixels; use 0 for none"),
        ({"views": "sr"}, "views=sr must name two views, what was made and what is wanted, as in sr,hr"),
        ({"views": "grad(sr,hr"}, r"views=grad\(sr,hr: 'grad\(sr' is no name of a view; write it as in sr,hr or grad"),
        ({"views": "sr,"}, "views=sr,: '' is no name of a view"),
    ],
)
def test_what_is_no_term_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Term(1.0, L1(), **options)


def test_objective_never_waits_for_the_device():
    """On the meta device any attempt to read a value raises."""
    sr = torch.rand(1, 3, 4, 4, device="meta")
    total, raw, _ = Objective({"l1": Term(1.0, L1()), "c": Term(0.0, Charbonnier())})(views(sr, sr))
    assert total.device.type == raw["c"].device.type == "meta"


def test_a_weight_may_follow_the_updates():
    objective = Objective({"l1": Term(Steps([1.0, 0.0, 3.0], [10, 20]), L1())})
    for updates, weight in ((9, 1.0), (10, 0.0), (20, 3.0)):
        sr = SR.clone().requires_grad_()
        total, raw, weights = objective(views(sr), updates)
        assert weights == {"l1": weight}
        assert_close(total, weight * raw["l1"])
        assert total.requires_grad == (weight != 0)


def test_schedules_of_weights_survive_a_checkpoint():
    one, two = (Objective({"l1": Term(RaiseWhileImproving(0.1, 2.0, 1.0), L1())}) for _ in range(2))
    one.observe(30.0)
    one.observe(31.0)
    one.observe(32.0)
    two.load_weight_states(one.weight_states())
    assert two.weights(5) == one.weights(5) == {"l1": pytest.approx(0.4)}
    other = Objective({"l1": Term(1.0, L1()), "l2": Term(1.0, L2())})
    other.load_weight_states(one.weight_states())  # another schedule begins afresh
    assert other.weights(0) == {"l1": 1.0, "l2": 1.0}


class Format(torch.nn.Module):
    """Answers 1 where it is called inside autocast, with float32 pictures."""

    def __init__(self, autocast):
        super().__init__()
        self.autocast = autocast

    def forward(self, prediction, target):
        assert prediction.dtype == torch.float32
        return torch.tensor(float(torch.is_autocast_enabled("cpu")))


def test_losses_run_in_float32_unless_they_say_otherwise():
    objective = Objective({"exact": Term(0.0, Format(False)), "fast": Term(0.0, Format(True))})
    for bf16 in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            raw = objective(views(SR.bfloat16())).raw
        assert raw == {"exact": 0.0, "fast": float(bf16)}


def test_the_input_is_a_view():
    small = torch.full_like(SR, 0.25)
    assert_close(
        Objective({"l1": Term(1.0, L1(), views="sr,lr")})(views(SR, lr=small)).total, (SR - small).abs().mean()
    )


def test_mistakes_are_quoted():
    with pytest.raises(ValueError, match="at least one term"):
        Objective({})
    for weight in (-1.0, math.nan, math.inf):
        message = rf"^weight={weight} is no loss weight; give a finite number of at least 0, where 0 means off\.$"
        with pytest.raises(ValueError, match=message):
            Term(weight, L1())


@pytest.mark.parametrize(("shift", "windows"), [(0, ""), (4, " and shift=4 cuts the same window out of both")])
def test_pictures_of_different_shapes_are_compared_by_no_loss_that_does_not_say_so(shift, windows):
    term = Term(1.0, L1(), "sr,lr", shift)
    large, small = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)
    message = f"views=sr,lr compares pictures of different shapes{windows}: sr has 3x8x8 and lr has 3x4x4; name two of"
    with pytest.raises(UserError, match=message):
        term(views(large, large, small), True, Draws(0, np.arange(1)))
    if not shift:
        term.loss = LrConsistency(2)
        assert term(views(large, large, small), True, None) > 0
