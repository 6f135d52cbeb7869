"""Learning-rate schedules with numbers worked out by hand."""

import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from sr.training.schedules import Constant, Cosine, Exponential, Plateau, Step, warmup_factor

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
    assert Exponential(final=0.01, warmup=10).factor(4, 0.5) == pytest.approx(0.5 * 0.1)


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


def test_plateau_continues_from_its_state():
    whole, first, second = (Plateau(patience=2) for _ in range(3))
    for metric in METRICS[:6]:
        first.observe(metric)
    second.load_state_dict(first.state_dict())
    for metric in METRICS:
        whole.observe(metric)
    for metric in METRICS[6:]:
        second.observe(metric)
    assert second.state_dict() == whole.state_dict()
    assert {type(v) for v in whole.state_dict().values()} <= {int, float}


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
