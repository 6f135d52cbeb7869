"""Stages made of stages, and the pipelines of conf/degradation that consist of them."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from scipy.ndimage import correlate
from torch.nn import functional as F

from sr.config.building import build
from sr.config.checks import checked
from sr.config.schema import register_schema
from sr.degradations.combine import Chain, Maybe, OneOf, Shuffled
from sr.degradations.pictures import Pictures, per_picture
from sr.degradations.pipeline import Pipeline
from sr.degradations.resize import Resize
from sr.draws import Draws, Record
from sr.errors import UserError
from sr.image.separable import resized
from tests.close import assert_close
from tests.conftest import REPOSITORY, smooth_picture

RECIPES = ["bicubic_cv", "bilinear_aa", "gamma_area", "bicubic_aligned", "second_order", "shuffled"]


def batch(count, side=48):
    pictures = np.stack([smooth_picture(side, side, seed) for seed in range(count)])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def pictures_of(count, side=48):
    return Pictures.of(batch(count, side), (side // 2, side // 2))


def draws_of(count, record=None):
    return Draws(5, np.arange(count), record)


def own(pictures, i):
    return pictures.pixels[i, :, : int(pictures.heights[i]), : int(pictures.widths[i])]


def pipeline(*overrides):
    register_schema()
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config = compose("train", overrides=list(overrides))
    return build("degradation", checked(config).degradation)


@dataclass(frozen=True)
class Plus:
    """Adds a number of its own to each sample; counts its calls."""

    amount: float
    calls: list[int]

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        self.calls.append(len(pictures))
        drawn = self.amount + draws.between("extra", 0, 0.01)
        return pictures.with_pixels(pictures.pixels + per_picture(drawn, pictures.pixels.device))


@dataclass(frozen=True)
class Square:
    """Does not commute with `Plus`."""

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        return pictures.with_pixels(pictures.pixels**2)


def shrink():
    return Resize(of="current", modes="area", factors={"any": (0.3, 1.2)}, weights={"any": 1.0})


# --- combinators ---


def test_one_of_gives_each_sample_the_stage_that_it_notes():
    stages = {"plus": Plus(0.1, []), "small": shrink(), "nothing": None}
    one_of, record = OneOf({"plus": 1.0, "small": 2.0, "nothing": 1.0}, stages), Record()
    made = one_of(pictures_of(40), draws_of(40, record))
    seen = [str(record.of(i)["choice"]) for i in range(40)]
    assert set(seen) == set(stages)
    for i, name in enumerate(seen):
        alone, stage = pictures_of(40).at(np.array([i])), stages[name]
        if stage is not None:
            alone = stage(alone, draws_of(40).within(name).at(np.array([i])))
        assert torch.equal(own(made, i), own(alone, 0))


def test_one_of_follows_its_weights():
    stage, record = OneOf({"a": 3.0, "b": 1.0}, {"a": None, "b": Square()}), Record()
    stage(Pictures.of(torch.zeros(2000, 3, 1, 1), (1, 1)), draws_of(2000, record))
    share = np.mean([record.of(i)["choice"] == "a" for i in range(2000)])
    assert abs(share - 0.75) < 4 * (0.75 * 0.25 / 2000) ** 0.5


@pytest.mark.parametrize(("probability", "least", "most"), [(0.0, 0, 0), (0.4, 60, 100), (1.0, 200, 200)])
def test_maybe_meets_as_many_samples_as_it_should(probability, least, most):
    calls: list[int] = []
    before = Pictures.of(torch.zeros(200, 3, 2, 2), (1, 1))
    made = Maybe(probability, Plus(1.0, calls))(before, draws_of(200))
    changed = int((made.pixels[:, 0, 0, 0] >= 1).sum())
    assert sum(calls) == changed, "only what changes is computed"
    assert least <= changed <= most


def test_chain_is_its_stages_in_a_row():
    stages = {"small": shrink(), "out": None, "plus": Plus(0.1, []), "square": Square(), "back": Resize()}
    chain = Pipeline(2, {"chain": Chain(stages)}, eight_bits=False)
    flat = Pipeline(2, {f"chain/{name}": stage for name, stage in stages.items()}, eight_bits=False)
    assert torch.equal(chain(batch(9), draws_of(9)), flat(batch(9), draws_of(9)))


def test_shuffled_meets_each_samples_stages_in_the_order_that_it_notes():
    stages = {"plus": Plus(0.2, []), "square": Square(), "small": shrink(), "out": None}
    record = Record()
    made = Shuffled(stages)(pictures_of(30), draws_of(30, record))
    orders = [str(record.of(i)["order"]).split() for i in range(30)]
    assert {tuple(order) for order in orders} >= {("plus", "square", "small"), ("square", "plus", "small")}
    for i, order in enumerate(orders):
        assert sorted(order) == ["plus", "small", "square"]
        alone = pictures_of(30).at(np.array([i]))
        for name in order:
            alone = stages[name](alone, draws_of(30).within(name).at(np.array([i])))
        assert_close(own(made, i), own(alone, 0))


def test_shuffled_samples_wait_for_one_another():
    calls: list[int] = []
    Shuffled({name: Plus(0.1, calls) for name in "abcd"})(pictures_of(40, 24), draws_of(40))
    assert sum(calls) == 4 * 40
    assert len(calls) <= 12, "place by place it would be 16 calls"


def test_shuffled_orders_are_alike_and_keep_what_they_must():
    names = ["a", "b", "c", "d"]
    record = Record()
    stage = Shuffled(dict.fromkeys(names, Square()), keep_order=["c", "a"])
    stage(Pictures.of(torch.zeros(2400, 3, 1, 1), (1, 1)), draws_of(2400, record))
    orders = [str(record.of(i)["order"]) for i in range(2400)]
    counts = {order: orders.count(order) for order in orders}
    assert len(counts) == 12
    assert all(order.index("c") < order.index("a") for order in counts)
    assert max(abs(count - 200) for count in counts.values()) < 5 * (200 * 11 / 12) ** 0.5


@dataclass(frozen=True)
class OnTheProcessor(Square):
    only_in_advance: bool = True


@pytest.mark.parametrize(
    "stage",
    [
        OneOf({"a": 1.0, "b": 1.0}, {"a": None, "b": OnTheProcessor()}),
        Maybe(0.5, OnTheProcessor()),
        Chain({"a": Square(), "b": OnTheProcessor()}),
        Shuffled({"a": Square(), "b": Chain({"c": OnTheProcessor()})}),
    ],
)
def test_a_stage_inside_that_needs_the_processor_is_found(stage):
    with pytest.raises(ValueError, match=r"stages.codec runs on the CPU only; set degradation.in_advance=true"):
        Pipeline(1, {"codec": stage})
    Pipeline(1, {"codec": stage}, in_advance=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneOf({"a": 1.0}, {"b": None}), "weights name a and stages name b; give one weight per stage"),
        (lambda: OneOf({"a": -1.0}, {"a": None}), "weights.a=-1.0 must be at least 0"),
        (lambda: OneOf({"a": 0.0}, {"a": None}), "must hold at least one weight above 0"),
        (lambda: Maybe(1.5, Square()), "probability=1.5 must be from 0 to 1"),
        (lambda: Shuffled({"a": None}, keep_order=["b"]), "keep_order names b, which is not among the stages a"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- recipes ---


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", RECIPES)
def test_recipe_depends_on_the_sample_alone(name, scale):
    recipe = pipeline(f"degradation={name}", f"scale={scale}")
    hr = batch(6)
    whole = recipe(hr, draws_of(6))
    assert whole.shape == (6, 3, 48 // scale, 48 // scale)
    assert whole.min() >= 0
    assert whole.max() <= 1
    draws = draws_of(6)
    parts = [recipe(hr[a:b], draws.at(np.arange(a, b))) for a, b in ((0, 1), (1, 3), (3, 6))]
    assert torch.equal(whole, torch.cat(parts))
    assert torch.equal(whole, recipe(hr, draws_of(6)))
    if name in ("second_order", "shuffled"):
        same = recipe(hr[:1].repeat(6, 1, 1, 1), draws_of(6))
        assert all(not torch.equal(same[0], same[i]) for i in range(1, 6))
        assert torch.equal(same[:1], whole[:1])


def test_bicubic_cv_is_opencv_within_a_gray_level():
    hr = [smooth_picture(48, 48, seed) for seed in range(3)]
    lr = pipeline("degradation=bicubic_cv", "scale=2")(batch(3), draws_of(3))
    for i, picture in enumerate(hr):
        expected = cv2.resize(picture, (24, 24), interpolation=cv2.INTER_CUBIC).astype(int)
        assert np.abs((lr[i].permute(1, 2, 0).numpy() * 255).round().astype(int) - expected).max() <= 1


def test_bicubic_cv_can_take_the_logs_other_modes():
    area = pipeline("degradation=bicubic_cv", "scale=2", "degradation.stages.resize.modes=area")
    # Averages of four 8-bit values often lie exactly between two levels.
    assert (area(batch(2), draws_of(2)) - F.avg_pool2d(batch(2), 2)).abs().max() * 255 < 0.5001
    pipeline("degradation=bicubic_cv", "degradation.stages.resize.modes={area: 1, bicubic_aligned: 2}")
    with pytest.raises(UserError, match=r"degradation.stages.resize: modes=cubic is not one of nearest, area"):
        pipeline("degradation=bicubic_cv", "degradation.stages.resize.modes=cubic")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bilinear_aa", lambda hr: F.interpolate(hr, (24, 24), mode="bilinear", antialias=True)),
        ("gamma_area", lambda hr: F.avg_pool2d(hr.clamp(1e-6, 1) ** 2.2, 2) ** (1 / 2.2)),
        ("bicubic_aligned", lambda hr: F.interpolate(hr, (24, 24), mode="bicubic", align_corners=True).clamp(0, 1)),
    ],
)
def test_recipes_without_chance_equal_pytorch(name, expected):
    lr = pipeline(f"degradation={name}", "scale=2")(batch(2), draws_of(2))
    assert_close(lr, expected(batch(2)))


def drawn(name, count, *overrides):
    record = Record()
    pipeline(f"degradation={name}", "scale=4", *overrides)(batch(1, 32).repeat(count, 1, 1, 1), draws_of(count, record))
    return {key: np.array(list(column.values())) for key, column in record.values.items()}


def test_second_order_draws_the_papers_ranges():
    found = drawn("second_order", 200)
    for key, low, high in [
        ("blur/sigma", 0.2, 3.0),
        ("blur/size", 7, 21),
        ("resize/factor", 0.15, 1.5),
        ("jpeg/quality", 30, 95),
        ("blur_2/sigma", 0.2, 1.5),
        ("resize_2/factor", 0.3, 1.2),
        ("last/jpeg/quality", 30, 95),
        ("last/resize_and_sinc/sinc/cutoff", np.pi / 3, np.pi + 1e-4),
    ]:
        values, span = found[key], high - low
        assert low <= values.min() < low + 0.1 * span, key
        assert high - 0.1 * span < values.max() <= high, key
    four = 4 / 200**0.5  # four standard deviations of a share are at most half of this
    assert abs((found["resize/factor"] > 1).mean() - 0.2) < four * 0.4
    assert abs((found["resize/factor"] < 1).mean() - 0.7) < four * 0.46
    assert abs((found["last/order"] == "jpeg resize_and_sinc").mean() - 0.5) < four * 0.5
    assert abs(len(found["last/resize_and_sinc/sinc/cutoff"]) / 200 - 0.8) < four * 0.4
    assert set(found["resize/mode"]) == {"area", "bilinear", "bicubic"}


def test_every_number_of_second_order_can_be_set():
    found = drawn(
        "second_order",
        20,
        "degradation.stages.jpeg.quality=[50, 60]",
        "degradation.stages.resize.factors.down=[0.5, 0.6]",
        "degradation.stages.resize.weights={up: 0, down: 1, keep: 0}",
        "degradation.stages.last.stages.jpeg=null",
        "degradation.stages.blur_2=null",
    )
    assert 50 <= found["jpeg/quality"].min() <= found["jpeg/quality"].max() <= 60
    assert 0.5 <= found["resize/factor"].min() <= found["resize/factor"].max() <= 0.6
    assert "last/jpeg/quality" not in found
    assert not any(key.startswith("blur_2/") for key in found)


def test_shuffled_draws_the_papers_ranges_and_orders():
    found = drawn("shuffled", 100)
    orders = [str(order).split() for order in found["shuffled/order"]]
    assert len({tuple(order) for order in orders}) > 80
    assert all(order.index("resize") < order.index("resize_to_lr") for order in orders)
    factor = found["shuffled/resize/resize/factor"]
    assert 0.5 <= factor.min() < 0.6
    assert 3 < factor.max() <= 4
    assert len(found["jpeg/quality"]) == 100
    assert abs(len(found["shuffled/jpeg/quality"]) / 100 - 0.9) < 0.12


@pytest.mark.parametrize("scale", [2, 4])
def test_bilinear_between_blurred_pixels_is_a_blur_with_a_shifted_kernel(scale):
    # BSRGAN shifts the kernel by (scale - 1) / 2 with linear interpolation and keeps every scale-th pixel.
    kernel = np.random.default_rng(0).random((7, 7))
    part = (scale - 1) / 2 % 1
    padded = np.pad(kernel, 1)
    for axis in (0, 1):
        padded = (1 - part) * padded + part * np.roll(padded, 1, axis)
    whole = int((scale - 1) / 2)
    picture = batch(1, 64)[0, 0].numpy().astype(np.float64)
    shifted = np.roll(correlate(picture, padded), (-whole, -whole), (0, 1))[::scale, ::scale]
    blurred = torch.from_numpy(correlate(picture, np.pad(kernel, 1)))[None, None]
    picked = resized(blurred, (64 // scale, 64 // scale), "bilinear")[0, 0].numpy()
    inner = slice(16 // scale, -16 // scale)
    np.testing.assert_allclose(picked[inner, inner], shifted[inner, inner], rtol=1e-9)
