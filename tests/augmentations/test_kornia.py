"""kornia's augmentations on pairs: per sample, and what happens to one resolution happens to the other."""

import numpy as np
import pytest
import torch

from sr.augmentations.kornia import EXACT, Kornia
from sr.config.checks import target_faults
from sr.degradations.kornia_classes import moves_pixels, usable
from sr.draws import Draws
from sr.errors import UserError
from sr.types import Crops
from tests.conftest import smooth_picture
from tests.degradations.kornia_settings import SETTINGS, UNDRAWN

BATCH, SIDE = 6, 32
NAMES = usable(geometry=True)


def step(name, probability=1.0):
    return Kornia(name, probability, SETTINGS.get(name, {}))


def low():
    return torch.from_numpy(np.stack([smooth_picture(SIDE, SIDE, i) for i in range(BATCH)])).permute(0, 3, 1, 2)


def enlarged(pictures):
    """Each pixel becomes a square of four: then a pair fits if and only if both pictures were changed alike."""
    return pictures.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.mark.parametrize("name", NAMES)
def test_each_class_belongs_to_samples(name):
    hr = low()
    whole = step(name)(Crops(None, hr), Draws(2, np.arange(BATCH)))
    parts = [step(name)(Crops(None, hr[i : i + 3]), Draws(2, np.arange(i, i + 3))).hr for i in (0, 3)]
    assert torch.equal(torch.cat(parts), whole.hr)
    assert whole.hr.dtype == torch.uint8
    assert whole.lr is None
    assert not torch.equal(whole.hr, hr)
    other = step(name)(Crops(None, hr), Draws(3, np.arange(BATCH))).hr
    assert torch.equal(other, whole.hr) == (name in UNDRAWN or "Flip" in name)


@pytest.mark.parametrize("name", sorted(EXACT))
@pytest.mark.parametrize("together", [True, False])
def test_both_resolutions_are_changed_alike(name, together):
    lr = low()
    made = step(name, 0.7)(Crops(lr, enlarged(lr), enlarged(lr)), Draws(0, np.arange(BATCH)), together)
    difference = (made.hr.int() - enlarged(made.lr).int()).abs()
    assert difference.max() <= 1  # rounding to 8 bits
    assert (difference > 0).float().mean() < 0.01
    assert torch.equal(made.hr, made.seen)
    changed = (made.lr != lr).flatten(1).any(1)
    assert 0 < changed.sum() < BATCH


@pytest.mark.parametrize("name", sorted(set(NAMES) - EXACT))
def test_what_cannot_follow_on_given_low_resolution_is_refused(name):
    assert step(name).changes_input
    lr = low()
    with pytest.raises(UserError, match=f"{name} does not give a pair again .*degradation.in_advance=false"):
        step(name)(Crops(lr, enlarged(lr)), Draws(0, np.arange(BATCH)))
    seen = step(name)(Crops(None, enlarged(lr), enlarged(lr)), Draws(0, np.arange(BATCH)))
    assert torch.equal(seen.hr, seen.seen)


@pytest.mark.parametrize(("name", "turn"), [("RandomHorizontalFlip", -1), ("RandomVerticalFlip", -2)])
def test_flips_are_exact(name, turn):
    lr = low()
    assert torch.equal(step(name)(Crops(lr, enlarged(lr)), Draws(0, np.arange(BATCH))).lr, lr.flip(turn))


def test_quarter_turns_are_exact():
    lr = low()
    made = step("RandomRotation90")(Crops(lr, enlarged(lr)), Draws(0, np.arange(BATCH))).lr
    turns = [{torch.rot90(one, k, (-2, -1)).numpy().tobytes() for k in range(4)} for one in lr]
    assert all(one.numpy().tobytes() in turned for one, turned in zip(made, turns, strict=True))


def test_geometry_is_a_stage_of_no_degradation_and_a_step_of_pairs():
    for name in filter(moves_pixels, NAMES):
        node = {"name": name, **SETTINGS.get(name, {})}
        (fault,) = target_faults({"_target_": "sr.degradations.kornia.Kornia", **node}, "stages.x")
        assert f"stages.x.name={name} moves pixels" in fault
        assert not list(target_faults({"_target_": "sr.augmentations.kornia.Kornia", **node}, "steps.x"))


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="name=RandomCrop changes the size of the picture"):
        Kornia("RandomCrop")
    with pytest.raises(ValueError, match="degress is not an argument of kornia's RandomAffine; did you mean degrees"):
        Kornia("RandomAffine", 1.0, {"degress": 3})
