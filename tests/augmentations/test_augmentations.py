"""Augmentations: right against numpy, per sample, and the same for both resolutions."""

import itertools

import numpy as np
import pytest
import torch

from sr.augmentations.contrast import Branch, Contrast
from sr.augmentations.down_hr import DownHr
from sr.augmentations.flips import Flips, _turn_all, _turn_each
from sr.augmentations.sequence import Sequence
from sr.draws import Draws
from sr.types import Crops
from tests.conftest import smooth_picture


def batch_of(*pictures):
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pictures])


def symmetry(picture, mirror, upside_down, swap):
    picture = picture[:, ::-1] if mirror else picture
    picture = picture[::-1] if upside_down else picture
    return picture.transpose(1, 0, 2) if swap else picture


@pytest.mark.parametrize("turn", [_turn_each, _turn_all])
def test_each_symmetry_equals_numpy(turn):
    picture = smooth_picture(12, 12, 1)
    coins = list(itertools.product([False, True], repeat=3))
    turned = turn(batch_of(*[picture] * 8), np.array(coins))
    for index, coin in enumerate(coins):
        assert np.array_equal(turned[index].permute(1, 2, 0).numpy(), symmetry(picture, *coin))


@pytest.mark.parametrize(("symmetries", "count"), [("all", 8), ("rotations", 4), ("horizontal", 2)])
def test_pair_gets_the_same_symmetry_and_all_occur_equally(symmetries, count):
    hr = batch_of(*[smooth_picture(16, 16, 2)] * 800)
    lr = torch.nn.functional.avg_pool2d(hr.float(), 2)
    turned = Flips(symmetries)(Crops(lr, hr), Draws(0, np.arange(800)))
    assert torch.equal(torch.nn.functional.avg_pool2d(turned.hr.float(), 2), turned.lr)
    seen = {}
    for picture in turned.hr:
        seen[picture.numpy().tobytes()] = seen.get(picture.numpy().tobytes(), 0) + 1
    assert len(seen) == count
    assert max(abs(n - 800 / count) for n in seen.values()) < 5 * np.sqrt(800 / count)


def test_rotations_never_mirror():
    picture = smooth_picture(12, 12, 1)
    turns = {np.rot90(picture, k).tobytes() for k in range(4)}
    turned = Flips("rotations")(Crops(None, batch_of(*[picture] * 50)), Draws(0, np.arange(50))).hr
    assert {t.permute(1, 2, 0).contiguous().numpy().tobytes() for t in turned} == turns


@pytest.mark.parametrize(
    "augmentation", [Flips(), Contrast(0.6, {"a": Branch((-0.2, 0.2), (-0.3, 0.3)), "b": Branch((0.1, 0.1), (0, 0))})]
)
def test_augmentations_belong_to_samples(augmentation):
    hr = batch_of(*[smooth_picture(16, 16, seed) for seed in range(10)])
    whole = augmentation(Crops(None, hr), Draws(4, np.arange(10))).hr
    parts = [augmentation(Crops(None, hr[i : i + 5]), Draws(4, np.arange(i, i + 5))).hr for i in (0, 5)]
    assert torch.equal(whole, torch.cat(parts))
    assert not torch.equal(whole, augmentation(Crops(None, hr), Draws(5, np.arange(10))).hr)


def test_quarter_turns_need_squares():
    with pytest.raises(ValueError, match="need square crops, not 8x10"):
        Flips()(Crops(None, torch.zeros(1, 3, 8, 10)), Draws(0, np.arange(1)))


def test_no_steps_change_nothing():
    crops = Crops(None, batch_of(smooth_picture(16, 16, 0)))
    assert Sequence({"left_out": None})(crops, Draws(0, np.arange(1))) == crops


def test_contrast_follows_the_formula_on_both_resolutions():
    # 100 * 1.2 - 0.15 * 255 = 81.75; 200 gives 201.75; 20 clips to 0.
    values = torch.tensor([100, 200, 20], dtype=torch.uint8).reshape(1, 3, 1, 1)
    made = Contrast(1, {"up": Branch((-0.15, -0.15), (0.2, 0.2))})(
        Crops(values, values.expand(1, 3, 2, 2)), Draws(0, np.arange(1))
    )
    assert made.lr.flatten().tolist() == [82, 202, 0]
    assert made.hr[0, :, 1, 1].tolist() == [82, 202, 0]


def test_contrast_changes_the_share_it_says_and_both_branches_occur():
    hr = torch.full((2000, 3, 1, 1), 100, dtype=torch.uint8)
    branches = {"up": Branch((0.1, 0.1), (0, 0)), "down": Branch((-0.1, -0.1), (0, 0))}
    made = Contrast(0.66, branches)(Crops(None, hr), Draws(0, np.arange(2000))).hr[:, 0, 0, 0]
    counts = [int((made == value).sum()) for value in (100, 126, 74)]  # 100 +- 25.5, halves to even
    assert sum(counts) == 2000
    for count, share in zip(counts, (0.34, 0.33, 0.33), strict=True):
        assert abs(count - 2000 * share) < 5 * np.sqrt(2000 * share)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Branch((0.2, -0.2), (0, 0)), r"brightness=\[0.2, -0.2\] must be a range within"),
        (lambda: Branch((0, 0), (0, 3)), r"contrast=\[0, 3\] must be a range within"),
        (lambda: Contrast(1.5, {"a": Branch((0, 0), (0, 0))}), r"probability=1.5 must be between 0 and 1"),
        (lambda: Contrast(0.5, {}), "branches is empty; give at least one"),
    ],
)
def test_settings_that_make_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("augmentation", [Flips(), Flips("rotations"), Flips("horizontal"), DownHr((0.35, 0.45), 0.5)])
@pytest.mark.parametrize(("height", "width"), [(12, 12), (21, 21), (12, 21)])
def test_computed_together_as_on_a_gpu_they_give_the_same(augmentation, height, width):
    if height != width and isinstance(augmentation, Flips):
        augmentation = Flips("horizontal")
    hr = batch_of(*[smooth_picture(height, width, seed) for seed in range(6)])
    lr = hr[..., ::3, ::3].float()
    one_by_one, together = (augmentation(Crops(lr, hr), Draws(1, np.arange(6)), way) for way in (False, True))
    for one, other in zip(one_by_one, together, strict=True):
        if one is None or other is None:
            assert one is other
        else:  # levels may be rounded the other way where values are computed
            assert (one.float() - other.float()).abs().max() <= (0 if isinstance(augmentation, Flips) else 1)
