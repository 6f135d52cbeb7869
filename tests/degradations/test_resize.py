"""Resizing: every mode equals somebody else's, centres stay, a sample never sees its neighbours."""

from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from sr.degradations.pictures import Pictures
from sr.degradations.resize import DownUp, Resize, ResizeAxes
from sr.draws import Draws, Record
from sr.image.resize import bicubic
from sr.image.separable import resized
from sr.image.taps import Mode, taps
from tests.choices import refusal
from tests.close import assert_close
from tests.conftest import smooth_picture

MODES = get_args(Mode)
SIZES = [(20, 15), (40, 30), (13, 47), (80, 60), (95, 71), (120, 180), (1, 1), (40, 60)]
"""From 40 x 60: down, up, mixed, whole factors, one pixel, unchanged."""


def picture(height=40, width=60, seed=0):
    return torch.from_numpy(smooth_picture(height, width, seed)).permute(2, 0, 1)[None].float() / 255


def of_cv2(image, size, flag):
    made = cv2.resize(image[0].permute(1, 2, 0).numpy(), (size[1], size[0]), interpolation=flag)
    return torch.from_numpy(made).permute(2, 0, 1)[None]


def of_pillow(image, size, method):
    channels = [Image.fromarray(c.numpy(), "F").resize((size[1], size[0]), method) for c in image[0]]
    return torch.from_numpy(np.stack([np.asarray(c) for c in channels]))[None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("mode", "flag"), [("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)])
def test_modes_without_antialiasing_equal_opencv(mode, flag, size):
    assert_close(resized(picture(), size, mode), of_cv2(picture(), size, flag))


@pytest.mark.parametrize("size", [s for s in SIZES if s != (13, 47)])
def test_area_equals_opencv(size):
    assert_close(resized(picture(), size, "area"), of_cv2(picture(), size, cv2.INTER_AREA))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("nearest", {"mode": "nearest"}),
        ("bilinear", {"mode": "bilinear"}),
        ("bilinear_aa", {"mode": "bilinear", "antialias": True}),
        ("bicubic", {"mode": "bicubic"}),
        ("bicubic_aa", {"mode": "bicubic", "antialias": True}),
        ("bicubic_aligned", {"mode": "bicubic", "align_corners": True}),
    ],
)
def test_modes_equal_pytorch(mode, options, size):
    assert_close(resized(picture(), size, mode), F.interpolate(picture(), size, **options))


@pytest.mark.parametrize("size", [(20, 30), (10, 12), (80, 120)])
def test_area_equals_pytorch_at_whole_factors(size):
    assert_close(resized(picture(), size, "area"), F.interpolate(picture(), size, mode="area"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("mode", "method"),
    [
        ("bilinear_aa", Image.Resampling.BILINEAR),
        ("bicubic_aa", Image.Resampling.BICUBIC),
        ("lanczos", Image.Resampling.LANCZOS),
    ],
)
def test_antialiased_modes_equal_pillow(mode, method, size):
    assert_close(resized(picture(), size, mode), of_pillow(picture(), size, method))


@pytest.mark.parametrize("size", SIZES)
def test_matlab_mode_equals_the_benchmark_resize(size):
    assert_close(resized(picture(), size, "matlab"), bicubic(picture(), size=size))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("length", "out"), [(7, 3), (3, 7), (5, 1), (1, 5), (12, 12), (300, 47)])
def test_taps_lie_inside_and_sum_to_one(mode, length, out):
    first, weights = taps(length, out, mode)
    assert first.shape == (out,)
    assert first.min() >= 0
    assert (first + weights.shape[1]).max() <= length
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    if length == out:
        dense = np.zeros((out, length))
        dense[np.arange(out)[:, None], first[:, None] + np.arange(weights.shape[1])] = weights
        np.testing.assert_allclose(dense, np.eye(out), atol=1e-12)


def centroid(blob):
    """(row, column) in relative coordinates, 0 to 1 from edge to edge."""
    total = blob.sum()
    height, width = blob.shape
    row = (blob.sum(1) * (torch.arange(height) + 0.5)).sum() / total / height
    column = (blob.sum(0) * (torch.arange(width) + 0.5)).sum() / total / width
    return float(row), float(column)


@pytest.mark.parametrize("size", [(16, 16), (24, 20), (27, 45), (96, 80)])
@pytest.mark.parametrize("mode", [m for m in MODES if m not in ("nearest", "bicubic_aligned")])
def test_the_centre_of_a_blob_stays(mode, size):
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    blob = torch.exp(-((y - 20.3) ** 2 + (x - 25.9) ** 2) / 60).expand(1, 3, 48, 48)
    before, after = centroid(blob[0, 0]), centroid(resized(blob, size, mode)[0, 0])
    # A box average of a smooth blob, sampled at 16 pixels, still moves its centre by less than 0.02 input pixels.
    assert np.abs(np.subtract(before, after)).max() < 0.02 / 48


def test_nearest_shifts_and_aligned_corners_stretch():
    ramp = torch.arange(8.0).expand(1, 3, 8, 8) / 8
    assert torch.equal(resized(ramp, (4, 4), "nearest")[0, 0, 0], torch.tensor([0, 2, 4, 6]) / 8)
    aligned = resized(ramp, (4, 4), "bicubic_aligned")[0, 0, 0]
    assert_close(aligned[[0, 3]], torch.tensor([0, 7 / 8]))


def test_linear_light_averages_light():
    board = (torch.arange(8)[:, None] + torch.arange(8)[None]) % 2
    board = board.float().expand(1, 3, 8, 8)
    assert_close(resized(board, (4, 4), "area", gamma=2.2), torch.full((1, 3, 4, 4), 0.5 ** (1 / 2.2)))
    assert round(0.5 ** (1 / 2.2), 4) == 0.7297
    assert_close(resized(board, (4, 4), "area"), torch.full((1, 3, 4, 4), 0.5))


def test_aligned_bicubic_without_antialiasing_overshoots_until_clamped():
    noise = torch.randint(0, 2, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    assert resized(noise, (4, 4), "bicubic_aligned").abs().max() > 1.1
    pictures = Pictures.of((noise + 1) / 2, (4, 4))
    made = Resize(modes="bicubic_aligned", clamp=True)(pictures, Draws(0, np.arange(1))).pixels
    assert made.min() == 0
    assert made.max() == 1


@pytest.mark.parametrize("mode", MODES)
def test_gradients_flow(mode):
    image = picture()[..., 10:16, 20:25].double().requires_grad_()
    gamma = 2.2 if mode == "area" else None
    assert torch.autograd.gradcheck(lambda x: resized(x, (3, 7), mode, gamma), image)


def test_bfloat16_is_resized_in_float32():
    image = picture().bfloat16()
    made = resized(image, (13, 17), "lanczos")
    assert made.dtype == torch.bfloat16
    assert torch.equal(made, resized(image.float(), (13, 17), "lanczos").bfloat16())


def test_size_below_one_is_refused():
    with pytest.raises(ValueError, match=r"size must be at least 1x1 \(height, width\), got \(0, 3\)"):
        resized(picture(), (0, 3))


# --- stages ---

EVERY_MODE = dict.fromkeys(MODES, 1.0)
REAL_ESRGAN = {"up": (1.0, 1.5), "down": (0.15, 1.0), "keep": (1.0, 1.0)}
STAGES = [
    Resize(modes=EVERY_MODE),
    Resize(modes=EVERY_MODE, factors=REAL_ESRGAN, weights={"up": 0.3, "down": 0.4, "keep": 0.3}),
    Resize(of="current", modes=EVERY_MODE, factors=REAL_ESRGAN, weights={"up": 0.2, "down": 0.7, "keep": 0.1}),
    Resize(of="current", modes="area", gamma=2.2, factors={"any": (0.3, 0.9)}, weights={"any": 1.0}),
    ResizeAxes(0.8889, 0.7417, "bicubic", "even"),
    DownUp((0.25, 0.6), probability=0.5),
]


def batch(count, height=44, width=36):
    return torch.cat([picture(height, width, seed) for seed in range(count)])


def own(pictures, i):
    return pictures.pixels[i, :, : int(pictures.heights[i]), : int(pictures.widths[i])]


@pytest.mark.parametrize("stage", STAGES)
def test_a_sample_never_depends_on_its_neighbours(stage):
    whole = stage(Pictures.of(batch(9), (22, 18)), Draws(3, np.arange(9)))
    for start, end in ((0, 1), (1, 4), (4, 9)):
        part = stage(Pictures.of(batch(9)[start:end], (22, 18)), Draws(3, np.arange(start, end)))
        for i in range(end - start):
            assert torch.equal(own(part, i), own(whole, start + i))


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_outside_a_picture_reaches_it(stage):
    heights, widths = np.array([44, 30, 21]), np.array([36, 36, 17])
    clean = Pictures(batch(3), heights, widths, (22, 18))
    dirty = batch(3)
    dirty[1, :, 30:] = torch.nan
    dirty[2, :, 21:] = torch.nan
    dirty[2, :, :, 17:] = torch.nan
    made = [stage(p, Draws(1, np.arange(3))) for p in (clean, clean.with_pixels(dirty))]
    for i in range(3):
        assert own(made[0], i).isfinite().all()
        assert torch.equal(own(made[0], i), own(made[1], i))


@pytest.mark.parametrize("stage", STAGES)
def test_the_way_of_a_gpu_gives_the_same(stage):
    pictures = Pictures(batch(6), np.array([44, 30, 21, 44, 44, 9]), np.array([36, 36, 17, 36, 20, 36]), (22, 18))
    one_by_one = stage(pictures, Draws(2, np.arange(6)))
    together = stage(replace(pictures, together=True), Draws(2, np.arange(6)))
    for i in range(6):
        assert own(one_by_one, i).shape == own(together, i).shape
        assert_close(own(together, i), own(one_by_one, i))


def test_resize_without_factors_ends_at_the_low_resolution():
    made = Resize(modes="area")(Pictures.of(batch(2), (22, 18)), Draws(0, np.arange(2)))
    assert made.filled
    assert_close(made.pixels, F.avg_pool2d(batch(2), 2))


def test_factors_follow_their_weights_and_ranges():
    record = Record()
    stage = Resize(of="current", modes="nearest", factors=REAL_ESRGAN, weights={"up": 0.2, "down": 0.7, "keep": 0.1})
    stage(Pictures.of(torch.zeros(4000, 3, 20, 20), (5, 5)), Draws(0, np.arange(4000), record))
    factor = np.array([record.of(i)["factor"] for i in range(4000)])
    shares = [(factor > 1).mean(), (factor < 1).mean(), (factor == 1).mean()]
    np.testing.assert_allclose(shares, [0.2, 0.7, 0.1], atol=0.03)  # more than 4 standard deviations
    down = factor[factor < 1]
    assert 0.15 <= down.min() < 0.16
    assert abs(down.mean() - 0.575) < 4 * 0.85 / 12**0.5 / len(down) ** 0.5


def test_divisors_can_be_uniform():
    record = Record()
    stage = Resize(modes="nearest", factors={"any": (0.5, 4.0)}, weights={"any": 1.0}, uniform_in="divisor")
    stage(Pictures.of(torch.zeros(2000, 3, 8, 8), (2, 2)), Draws(0, np.arange(2000), record))
    divisor = 1 / np.array([record.of(i)["factor"] for i in range(2000)])
    assert 0.25 <= divisor.min() < 0.26
    assert 1.99 < divisor.max() <= 2
    assert abs(divisor.mean() - 1.125) < 4 * 1.75 / 12**0.5 / 2000**0.5


@pytest.mark.parametrize(("rounding", "size"), [("floor", (56, 47)), ("round", (57, 47)), ("even", (56, 48))])
def test_axes_of_the_anamorphic_recipe(rounding, size):
    # HR crop 64 x 64, height x 480 / 540, width x 0.8889 x (712 / 480) / (16 / 9): 56.9 x 47.5 before rounding.
    height, width = 480 / 540, 480 / 540 * (712 / 480) / (16 / 9)
    stage = ResizeAxes(height, width, rounding=rounding)
    made = stage(Pictures.of(batch(1, 64, 64), (32, 32)), Draws(0, np.arange(1)))
    assert (made.heights[0], made.widths[0]) == size
    assert_close(own(made, 0)[None], of_cv2(batch(1, 64, 64), size, cv2.INTER_CUBIC))


def test_a_factor_that_binary_numbers_miss_keeps_its_pixel():
    assert 100 * 0.29 < 29
    made = ResizeAxes(0.29, 0.29)(Pictures.of(torch.zeros(1, 3, 100, 100), (50, 50)), Draws(0, np.arange(1)))
    assert made.heights[0] == 29


def test_down_up_equals_two_resizes_of_opencv_where_chance_picks():
    record = Record()
    stage = DownUp((0.3, 0.7), probability=0.5)
    made = stage(Pictures.of(batch(12), (22, 18)), Draws(0, np.arange(12), record))
    changed = 0
    for i in range(12):
        before, factor = batch(12)[i : i + 1], record.of(i).get("factor")
        if factor is None:
            assert torch.equal(made.pixels[i : i + 1], before)
            continue
        changed += 1
        small = of_cv2(before, (int(44 * factor + 0.5), int(36 * factor + 0.5)), cv2.INTER_AREA)
        assert_close(made.pixels[i : i + 1], of_cv2(small, (44, 36), cv2.INTER_AREA))
    assert 2 <= changed <= 10


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"of": "hr"}, "of=hr is not one of lr or current; choose one of them."),
        ({"rounding": "up"}, "rounding=up is not one of floor, round or even; choose one of them."),
        ({"uniform_in": "log"}, "uniform_in=log is not one of factor or divisor; choose one of them."),
    ],
)
def test_choices_that_do_not_exist_are_refused(setting, message):
    assert refusal(Resize, **setting) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resize(modes="cubic"), "modes=cubic is not one of nearest, area, bilinear, "),
        (lambda: Resize(modes={"area": -1.0}), "modes.area=-1.0 must be at least 0"),
        (lambda: Resize(modes={"area": 0.0}), "must hold at least one weight above 0"),
        (
            lambda: Resize(factors={"up": (2.0, 1.0)}, weights={"up": 1.0}),
            r"factors.up=\[2.0, 1.0\] must be two factors above 0",
        ),
        (
            lambda: Resize(factors={"up": (0.0, 1.0)}, weights={"up": 1.0}),
            r"factors.up=\[0.0, 1.0\] must be two factors above 0",
        ),
        (
            lambda: Resize(factors={"up": (1.0, 2.0)}),
            "factors name up and weights name keep; give one weight per range",
        ),
        (lambda: Resize(gamma=0.0), "gamma=0.0 must be above 0, such as 2.2, or null for none"),
        (lambda: ResizeAxes(0.0, 1.0), "height=0.0 must be above 0"),
        (lambda: ResizeAxes(1.0, 1.0, mode="box"), "mode=box is not one of nearest"),
        (lambda: DownUp((0.5, 1.5)), r"factor=\[0.5, 1.5\] must end at 1 or below"),
        (lambda: DownUp((0.5, 1.0), probability=1.5), "probability=1.5 must "),
        (lambda: DownUp((0.5, 1.0), down="box"), "down=box is not one of nearest"),
    ],
)
def test_wrong_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
