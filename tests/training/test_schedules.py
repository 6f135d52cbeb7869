"""Learning-rate schedules with numbers worked out by hand."""

import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from sr.training.plateau_windows import PlateauWindows, windows_gain
from sr.training.schedules import Constant, Cosine, Exponential, Phases, Plateau, Step, warmup_factor

CONF = Path(__file__).parents[2] / "conf"


def test_warmup_rises_to_one_at_its_last_update():
    assert [warmup_factor(u, 4) for u in (0, 1, 2, 3, 4, 1000)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert warmup_factor(0, 0) == 1.0


def test_constant():
    assert [Constant().factor(u, p) for u, p in ((0, 0.0), (10, 0.5), (20, 1.0))] == [1.0, 1.0, 1.0]
    assert Constant(warmup=2).factor(0, 0.0) == 0.5


def test_step_changes_at_its_milestones():
    schedule = Step(milestones=[0.5, 0.75], gamma=0.1)
    factors = [schedule.factor(0, p) for p in (0.0, 0.4999, 0.5, 0.7499, 0.75, 1.0)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_phases_have_the_rates_of_the_photo_notes():
    """espcn_vgg_gan: 1 epoch at 1e-4, 5 at 1e-3, 30 at 3e-4, 200 at 1e-4, of 236."""
    schedule = Phases(phases=[(0, 0.1), (1 / 236, 1.0), (6 / 236, 0.3), (36 / 236, 0.1)])
    rates = [1e-3 * schedule.factor(0, epoch / 236) for epoch in (0, 0.99, 1, 5.99, 6, 35.99, 36, 86, 236)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-3, 1e-3, 3e-4, 3e-4, 1e-4, 1e-4, 1e-4])
    assert Phases([(0, 1.0), (0.5, 0.5)], warmup=4).factor(0, 0.5) == 0.125


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ([], r"phases=\[\] must begin with a pair for fraction 0"),
        ([(0.1, 1.0)], r"phases=\[\[0.1, 1.0\]\] must begin with a pair for fraction 0"),
        ([(0, 1.0), (0.5, 0.3), (0.5, 0.1)], "must begin with a pair for fraction 0 and ascend below 1"),
        ([(0, 1.0), (1, 0.3)], "ascend below 1"),
        ([(0, 1.0), (0.5, 3.0)], r"phases\[1\]'s factor is a factor above 0 and at most 1, not 3.0"),
    ],
)
def test_phases_that_are_none(phases, message):
    with pytest.raises(ValueError, match=message):
        Phases(phases)


def test_exponential_by_hand():
    """1e-3 -> 1e-5 over the run: 1e-4 in its middle."""
    schedule = Exponential(final=0.01)
    assert [schedule.factor(0, p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([1, 10**-0.5, 0.1, 0.01])


def test_cosine_equals_torchs():
    parameter = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([parameter], lr=2.0)
    reference = CosineAnnealingLR(optimizer, T_max=10, eta_min=2.0 * 0.05)
    schedule = Cosine(final=0.05)
    for update in range(11):
        assert 2.0 * schedule.factor(update, update / 10) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_progress_outside_the_run_counts_as_its_ends():
    assert Cosine(final=0.1).factor(0, 1.3) == pytest.approx(0.1)
    assert Cosine(final=0.1).factor(0, -0.1) == 1.0


def test_warmup_multiplies_the_shape():
    assert Cosine(final=0.01, warmup=10).factor(4, 0.5) == pytest.approx(0.5 * 0.505)


def test_exponential_falls_from_where_its_warmup_ends():
    """The log's d = (min / init)^(1 / (E - W)) per epoch after the warmup, here per update: N 100, W 20."""
    schedule = Exponential(final=0.01, warmup=20)
    at = {u: schedule.factor(u, u / 100) for u in (0, 9, 19, 20, 21, 40, 60, 100)}
    falls = {0: 1 / 20, 9: 10 / 20, 19: 1, 20: 1, 21: 0.01 ** (1 / 80), 40: 0.01**0.25, 60: 0.1, 100: 0.01}
    assert at == pytest.approx(falls)
    # By time: 20 updates of mean length were a tenth of what 200 have taken, so that the fall began at 0.05.
    assert schedule.factor(200, 0.5) == pytest.approx(0.01 ** (0.45 / 0.95))
    # A run that ends within its warmup only rises.
    assert Exponential(final=0.01, warmup=20).factor(9, 1.0) == pytest.approx(0.5)


METRICS = [20.0, 21.0, 20.9, 21.0, 20.8, 21.2, 21.1, math.nan, 21.25, 21.0, 21.0, 21.0, 21.0]


def test_plateau_by_hand():
    schedule = Plateau(factor=0.5, patience=3, threshold=0.1, minimum=0.2)
    factors = []
    for metric in METRICS:
        schedule.observe(metric)
        factors.append(schedule.factor(0, 0.5))
    # best 21.0 at the 2nd; three misses cut at the 5th; best 21.2 at the 6th; 21.1, NaN and 21.25 (< 21.3)
    # cut at the 9th; three more at the 12th, where 0.125 is below the minimum.
    assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_plateau_equals_torchs(mode):
    """Torch cuts after ``patience`` + 1 misses; otherwise the rules are the same."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)
    reference = ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=1, threshold=0.05, threshold_mode="abs", eps=0)
    schedule = Plateau(factor=0.5, patience=2, threshold=0.05, minimum=1e-6, mode=mode)
    generator = torch.Generator().manual_seed(1)
    for metric in torch.rand(40, generator=generator).tolist():
        reference.step(metric)
        schedule.observe(metric)
        assert schedule.factor(0, 0.0) == optimizer.param_groups[0]["lr"]
    assert schedule.factor(0, 0.0) < 0.1


def whole_and_continued(make, split):
    """A schedule that saw all of METRICS, and one that went on, after so many of them, from another's state."""
    whole, first, second = (make() for _ in range(3))
    for metric in METRICS[:split]:
        first.observe(metric)
    second.load_state_dict(first.state_dict())
    for metric in METRICS:
        whole.observe(metric)
    for metric in METRICS[split:]:
        second.observe(metric)
    return whole, second


def test_plateau_continues_from_its_state():
    whole, second = whole_and_continued(lambda: Plateau(patience=2), 6)
    assert second.state_dict() == whole.state_dict()
    assert {type(v) for v in whole.state_dict().values()} <= {int, float}


def test_windows_by_hand():
    """Gains of 0.12 in ten validations are enough, of less not: the rule of the log in February 2021."""
    steady = [20 + 0.013 * k for k in range(10)]  # means 20.091 and 20.026: doubled 0.13
    assert windows_gain(steady) == pytest.approx(0.13)
    schedule = PlateauWindows()
    for metric in steady:
        schedule.observe(metric)
    assert schedule.factor(0, 0.5) == 1.0
    factors = []
    for metric in [20.13] * 40:
        schedule.observe(metric)
        factors.append(schedule.factor(0, 0.5))
    # The first of them makes the halves 20.026 + 0.013 and (4 * 20.0975 + 20.13) / 5: a gain of 0.130, the next ones
    # 0.13 - 0.013 * (0, 0 + 1, 1 + 2, ...) * 2 / 5; 0.1196 at the third. Then ten each: 0.01 and, below stop, the end.
    assert factors[:2] == [1.0, 1.0]
    assert factors[2:12] == pytest.approx([0.1] * 10)
    assert factors[12:22] == pytest.approx([0.01] * 10)
    assert factors[22] == pytest.approx(0.001)


def test_windows_end_below_stop():
    schedule, endless = PlateauWindows(), PlateauWindows(stop=None)
    ended = []
    for _ in range(35):
        schedule.observe(30.0)
        endless.observe(30.0)
        ended.append(schedule.ended)
    assert ended == [False] * 29 + [True] * 6
    assert not endless.ended
    assert not Plateau().ended


def test_windows_of_a_falling_metric_and_the_later_settings():
    schedule = PlateauWindows(factor=0.5, window=30, threshold=1e-5, mode="min")
    for k in range(30):
        schedule.observe(0.5 - 0.01 * k)
    assert schedule.factor(0, 0.0) == 1.0
    for _ in range(30):
        schedule.observe(0.6)
    assert schedule.factor(0, 0.0) == 0.5


def test_windows_leave_out_what_is_not_finite_and_continue_from_their_state():
    whole, second = whole_and_continued(lambda: PlateauWindows(window=4, threshold=0.1), 8)
    # 20, 21, 20.9, 21 gain 0.9; without the first and with 20.8 they lose 0.1; 21.2, 21.1, 21.25, 21 lose 0.05.
    assert second.state_dict() == whole.state_dict() == {"current": pytest.approx(0.01), "recent": [21.0, 21.0, 21.0]}
    with pytest.raises(TypeError, match="are a list"):
        second.load_state_dict({"current": 0.1, "recent": 3.0})


def test_the_others_have_no_state_and_ignore_metrics():
    for schedule in (Constant(), Step(), Exponential(), Cosine()):
        before = schedule.factor(5, 0.3)
        schedule.observe(1.0)
        schedule.load_state_dict(schedule.state_dict())
        assert schedule.state_dict() == {}
        assert schedule.factor(5, 0.3) == before


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Constant(warmup=-1), "warmup counts updates and cannot be -1"),
        (lambda: Step(milestones=[0.5, 1.0]), r"fractions of the run .* not \[0.5, 1.0\]"),
        (lambda: Step(milestones=[0.6, 0.5]), r"ascending .* not \[0.6, 0.5\]"),
        (lambda: Step(gamma=0.0), "gamma is a factor above 0 and at most 1, not 0.0"),
        (lambda: Exponential(final=0.0), "final is a factor above 0"),
        (lambda: Cosine(final=2.0), "final is a factor above 0 and at most 1, not 2.0"),
        (lambda: Plateau(patience=0), "patience >= 1 and threshold >= 0, not 0 and 0.0"),
        (lambda: Plateau(mode="best"), "mode is max or min, not 'best'"),
        (lambda: PlateauWindows(mode="best"), "mode is max or min, not 'best'"),
        (lambda: PlateauWindows(window=9), "window=9 validations cannot be halved; .* such as 10"),
        (lambda: PlateauWindows(stop=0.0), "stop is a factor above 0"),
        (lambda: PlateauWindows(threshold=math.nan), "threshold=nan must be a number"),
    ],
)
def test_mistakes_are_quoted(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("path", sorted((CONF / "schedule").glob("*.yaml")), ids=lambda p: p.stem)
def test_schedule_configs_build(path):
    schedule = instantiate(OmegaConf.load(path))
    assert 0 < schedule.factor(10_000, 0.6) <= 1


@pytest.mark.parametrize("path", sorted((CONF / "optimizer").glob("*.yaml")), ids=lambda p: p.stem)
def test_optimizer_configs_build_and_their_state_is_plain(path, tmp_path):
    """A Hydra list in the optimiser's groups would end up in checkpoints and close them to weights_only."""
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = instantiate(OmegaConf.load(path))([parameter])
    parameter.square().sum().backward()
    optimizer.step()
    assert (parameter < 1).all()
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["param_groups"][0]["lr"] > 0


def test_a_plateau_takes_the_same_again_for_a_standstill():
    schedule = Plateau(factor=0.5, patience=2)
    for _ in range(3):
        schedule.observe(30.0)
    assert schedule.factor(0, 0.5) == 0.5
