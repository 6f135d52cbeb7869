"""Augmentations: right against numpy, per sample, and the same for both resolutions."""

import itertools

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from sr.augmentations.contrast import Branch, Contrast
from sr.augmentations.down_hr import DownHr
from sr.augmentations.flips import Flips, _turn_all, _turn_each
from sr.augmentations.on_target import OnTarget
from sr.augmentations.perspective import Perspective, homography
from sr.augmentations.sequence import Sequence
from sr.config.building import build
from sr.config.folder import CONF
from sr.degradations.codecs import WebP
from sr.degradations.combine import Maybe, OneOf
from sr.degradations.kornia import Kornia as KorniaStage
from sr.degradations.noise import GaussianNoise
from sr.degradations.resize import Resize
from sr.draws import Draws
from sr.errors import UserError
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


def test_a_stage_changes_target_and_input_alike():
    """Brightness is added (kornia), the noise is the stage's own: what the degradation sees is the changed target."""
    hr = torch.full((3, 3, 8, 8), 100, dtype=torch.uint8)
    brighter = OnTarget(KorniaStage("RandomBrightness", arguments={"brightness": (1.1, 1.1)}))
    made = brighter(Crops(None, hr, hr - 50), Draws(0, np.arange(3)))
    assert (made.hr == 126).all()  # 100 + 25.5, halves to even
    assert (made.seen == 76).all()
    assert brighter(Crops(None, hr), Draws(0, np.arange(3))).seen is None
    noise = OnTarget(GaussianNoise(sigma=(8, 8), gray_probability=1))
    noisy = noise(Crops(None, hr, hr), Draws(0, np.arange(3)))
    assert torch.equal(noisy.hr, noisy.seen)
    assert torch.equal(noisy.hr[:, 0], noisy.hr[:, 2])
    assert noise.changes_input


def test_one_of_several_stages_as_often_as_said():
    levels = {name: KorniaStage("RandomBrightness", arguments={"brightness": (b, b)}) for name, b in LIGHTS.items()}
    step = OnTarget(Maybe(0.5, OneOf(dict.fromkeys(LIGHTS, 1.0), levels)))
    made = step(Crops(None, torch.full((1200, 3, 2, 2), 100, dtype=torch.uint8)), Draws(0, np.arange(1200)), True).hr
    counts = [int((made[:, 0, 0, 0] == level).sum()) for level in (100, 126, 151, 74)]
    assert sum(counts) == 1200
    for count, share in zip(counts, (1 / 2, 1 / 6, 1 / 6, 1 / 6), strict=True):
        assert abs(count - 1200 * share) < 5 * np.sqrt(1200 * share)


LIGHTS = {"a": 1.1, "b": 1.2, "c": 0.9}


@pytest.mark.parametrize(
    ("stage", "lr", "message"),
    [
        (GaussianNoise(sigma=(1, 1)), torch.zeros(1, 3, 4, 4), "GaussianNoise changes the target, .*in_advance=false"),
        (
            Resize(of="current", factors={"half": (0.5, 0.5)}, weights={"half": 1.0}),
            None,
            "Resize changes the size of the target; take a stage that keeps it",
        ),
    ],
)
def test_stages_that_do_not_fit_a_target(stage, lr, message):
    with pytest.raises(UserError, match=message):
        OnTarget(stage)(Crops(lr, torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), Draws(0, np.arange(1)))


def test_what_is_no_stage_is_refused():
    with pytest.raises(ValueError, match="WebP runs on the CPU only"):
        OnTarget(WebP(quality=(98, 100)))
    with pytest.raises(ValueError, match="stage=soft is no stage"):
        OnTarget("soft")


def test_a_homography_takes_corners_to_corners_and_lines_to_lines():
    corners = np.array([[0.1, 0.05], [0.9, 0.2], [0.95, 0.9], [0.2, 0.8]])
    square = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1], [0.5, 0, 1]], dtype=float)
    moved = square @ homography(corners).T
    moved = moved[:, :2] / moved[:, 2:]
    assert np.allclose(moved[:4], corners, rtol=0, atol=1e-12)
    side, point = corners[1] - corners[0], moved[4] - corners[0]
    assert abs(side[0] * point[1] - side[1] * point[0]) < 1e-12


def test_perspective_cuts_a_rectangle_out_where_its_corners_say_so(monkeypatch):
    """Corners at a quarter and three quarters: enlarged twice, so that a ramp keeps its middle and halves its slope."""
    inner = np.array([[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]])
    monkeypatch.setattr(Perspective, "corners", lambda self, draws: inner.repeat(len(draws), 0))
    ramp = torch.arange(0, 126, 3, dtype=torch.uint8)[:41].expand(2, 3, 41, 41)
    made = Perspective()(Crops(None, ramp, ramp), Draws(0, np.arange(2)))
    assert torch.equal(made.hr, made.seen)
    assert (made.hr[0, 0].float() - torch.linspace(30, 90, 41)).abs().max() <= 0.5
    with pytest.raises(UserError, match=r"Perspective changes the target, .*in_advance=false"):
        Perspective()(Crops(ramp, ramp), Draws(0, np.arange(2)))


def test_perspective_draws_what_imgaug_draws():
    """Absolute normal numbers times a sigma from 0.05 to 0.1: their mean is 0.075 sqrt(2 / pi)."""
    corners = Perspective().corners(Draws(0, np.arange(4000)))
    inwards = np.minimum(corners, 1 - corners)
    assert inwards.min() >= 0
    assert inwards.mean() == pytest.approx(0.075 * np.sqrt(2 / np.pi), rel=0.01)
    hr = batch_of(*[smooth_picture(16, 16, seed) for seed in range(40)])
    changed = (Perspective(probability=0.5)(Crops(None, hr), Draws(0, np.arange(40))).hr != hr).flatten(1).any(1)
    assert 10 <= changed.sum() <= 30


def test_february_is_the_list_of_the_log():
    """#00 to #04: HFlip .5; noise .2; perspective .5; three times one of several at .5 each."""
    config = OmegaConf.load(CONF / "augmentation" / "february.yaml")
    sequence = build("augmentation", config)
    assert list(sequence.steps) == ["flips", "noise", "perspective", "light", "sharpness", "colour"]
    assert sequence.steps["noise"].stage.probability == 0.2
    assert sequence.steps["perspective"].probability == 0.5
    chosen = {name: sequence.steps[name].stage for name in ("light", "sharpness", "colour")}
    assert {stage.probability for stage in chosen.values()} == {0.5}
    kinds = [set(stage.stage.weights) for stage in chosen.values()]
    assert kinds == [{"clahe", "brightness", "gamma"}, {"sharpen", "blur", "motion"}, {"contrast", "hue_saturation"}]
    assert all(set(stage.stage.weights.values()) == {1.0} for stage in chosen.values())
    hr = batch_of(*[smooth_picture(32, 32, seed) for seed in range(6)])
    whole = sequence(Crops(None, hr), Draws(1, np.arange(6))).hr
    parts = [sequence(Crops(None, hr[i : i + 3]), Draws(1, np.arange(i, i + 3))).hr for i in (0, 3)]
    assert torch.equal(whole, torch.cat(parts))
    assert whole.dtype == torch.uint8


SOFT = (DownHr((0.35, 0.45), 0.5), Perspective(), OnTarget(GaussianNoise(sigma=(2, 9))))


@pytest.mark.parametrize("augmentation", [Flips(), Flips("rotations"), Flips("horizontal"), *SOFT])
@pytest.mark.parametrize(("height", "width"), [(12, 12), (21, 21), (12, 21)])
def test_computed_together_as_on_a_gpu_they_give_the_same(augmentation, height, width):
    if height != width and isinstance(augmentation, Flips):
        augmentation = Flips("horizontal")
    hr = batch_of(*[smooth_picture(height, width, seed) for seed in range(6)])
    lr = None if getattr(augmentation, "changes_input", False) else hr[..., ::3, ::3].float()
    one_by_one, together = (augmentation(Crops(lr, hr), Draws(1, np.arange(6)), way) for way in (False, True))
    for one, other in zip(one_by_one, together, strict=True):
        if one is None or other is None:
            assert one is other
        else:  # levels may be rounded the other way where values are computed
            assert (one.float() - other.float()).abs().max() <= (0 if isinstance(augmentation, Flips) else 1)
