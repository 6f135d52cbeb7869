"""Blur and sharpening: kernels against their formulas and moments, filters against SciPy and OpenCV, per sample."""

import math

import cv2
import numpy as np
import pytest
import scipy.ndimage
import torch

from sr.degradations import kernels as families
from sr.degradations.blur import KINDS, Blur, Sinc, needed_sides
from sr.degradations.filters import by_fourier, filtered, filtered_twice
from sr.degradations.pictures import Pictures
from sr.degradations.sharpen import Sharpen, UnsharpMask, sharpen_kernels, unsharp_taps
from sr.draws import Draws, Record
from tests.close import assert_close
from tests.conftest import smooth_picture

SECOND_ORDER = {
    "iso": 0.45,
    "aniso": 0.25,
    "generalised_iso": 0.12,
    "generalised_aniso": 0.03,
    "plateau_iso": 0.12,
    "plateau_aniso": 0.03,
}


def batch(count, height=40, width=37):
    shown = [smooth_picture(height, width, seed) for seed in range(count)]
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in shown]).float() / 255


def whole(image):
    return Pictures.of(image, (image.shape[-2], image.shape[-1]))


def channels_last(image):
    return image.permute(1, 2, 0).numpy()


def many(value, count=1):
    return np.full(count, float(value))


def sizes(*values):
    return np.array(values)


def moments(kernel):
    """Mean and covariance in (x, y), from the numbers alone."""
    k = len(kernel)
    y, x = np.mgrid[:k, :k] - k // 2
    mean = np.array([(kernel * x).sum(), (kernel * y).sum()])
    spread = np.array([[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)]) - np.outer(mean, mean)
    return mean, spread


@pytest.mark.parametrize(("sigma_x", "sigma_y", "theta"), [(2.0, 2.0, 0.0), (3.0, 1.2, 0.0), (3.0, 1.5, 0.6)])
def test_gaussian_has_the_covariance_that_it_was_asked_for(sigma_x, sigma_y, theta):
    kernel = families.gaussian(41, sizes(41), many(sigma_x), many(sigma_y), many(theta))[0].astype(np.float64)
    turn = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    mean, spread = moments(kernel)
    assert np.allclose(mean, 0, atol=1e-5)
    assert np.allclose(spread, turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T, rtol=1e-3, atol=1e-3)


def test_gaussian_equals_opencv():
    column = cv2.getGaussianKernel(21, 1.7)
    kernel = families.gaussian(21, sizes(21), many(1.7), many(1.7), many(0))[0]
    assert_close(torch.from_numpy(kernel), torch.from_numpy(column @ column.T))


def test_a_small_kernel_lies_in_the_middle_of_the_canvas():
    small = families.gaussian(7, sizes(7), many(2), many(2), many(0))[0]
    padded = families.gaussian(21, sizes(7), many(2), many(2), many(0))[0]
    assert np.array_equal(padded[7:14, 7:14], small)
    assert np.count_nonzero(padded) == 49


def test_shape_one_of_the_generalised_gaussian_is_the_gaussian():
    shared = (15, sizes(15, 11), np.array([1.0, 2.5]), np.array([2.0, 0.7]), np.array([0.3, 2.0]))
    assert np.allclose(families.generalised_gaussian(*shared, many(1, 2)), families.gaussian(*shared), atol=1e-7)


def test_generalised_gaussian_and_plateau_by_hand():
    # Ratios of values at distance 0, 1 and 2 for sigma 1: q is 0, 1 and 4.
    shared = (5, sizes(5), many(1), many(1), many(0))
    bell = families.generalised_gaussian(*shared, many(0.5))[0, 2]
    assert bell[3] / bell[2] == pytest.approx(math.exp(-0.5), rel=1e-5)
    assert bell[4] / bell[2] == pytest.approx(math.exp(-1), rel=1e-5)
    flat = families.plateau(*shared, many(2))[0, 2]
    assert flat[3] / flat[2] == pytest.approx(1 / 2, rel=1e-5)
    assert flat[4] / flat[2] == pytest.approx(1 / 17, rel=1e-5)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
def test_box_equals_opencv(side):
    picture = smooth_picture(20, 24, 0).astype(np.float32) / 255
    expected = cv2.blur(picture, (side, side))
    made = filtered(
        whole(torch.from_numpy(picture).permute(2, 0, 1)[None]).mirrored(2),
        torch.from_numpy(families.box(5, sizes(side))),
    )
    assert np.allclose(channels_last(made[0]), expected, atol=1e-6)


@pytest.mark.parametrize(("length", "theta"), [(9.0, 0.0), (12.5, math.pi / 2), (10.0, 0.5), (7.3, -1.1)])
def test_motion_is_a_line_of_that_length_and_angle(length, theta):
    mean, spread = moments(families.motion(21, many(length), many(theta))[0].astype(np.float64))
    assert np.allclose(mean, 0, atol=1e-5)
    variances, axes = np.linalg.eigh(spread)
    # A line's variance is L^2 / 12; sharing points out between pixels adds at most 1/4 along each axis.
    assert length**2 / 12 - 1e-3 <= variances[1] <= length**2 / 12 + 0.25
    assert variances[0] <= 0.25
    along = axes[:, 1] * np.sign(axes[:, 1] @ [math.cos(theta), math.sin(theta)])
    assert np.allclose(along, [math.cos(theta), math.sin(theta)], atol=0.02)


def test_motion_without_length_is_the_identity_and_a_long_one_is_refused():
    assert np.array_equal(families.motion(9, many(0), many(0.7)), families.identity(9, 1))
    with pytest.raises(ValueError, match="a line of 8 pixels needs a canvas of 10, not 9"):
        families.motion(9, many(8), many(0))


@pytest.mark.parametrize("cutoff", [math.pi / 4, math.pi / 2, 2.5])
def test_sinc_passes_what_is_below_the_cutoff(cutoff):
    k = 201
    kernel = families.sinc(k, sizes(k), many(cutoff))[0].astype(np.float64)
    response = np.abs(np.fft.fft2(kernel))
    frequency = 2 * np.pi * np.fft.fftfreq(k)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    inside, outside = radius < cutoff - 0.15, radius > cutoff + 0.15
    assert response[inside].mean() == pytest.approx(1, abs=0.02)
    assert response[outside].mean() < 0.02
    assert (response[outside] ** 2).sum() < 0.01 * (response**2).sum()


def test_kernels_sum_to_one_and_are_symmetric():
    stage = Blur(dict.fromkeys(KINDS, 1.0), sinc=0.2, box=(3, 7))
    record = Record()
    made = stage.kernels(Draws(3, np.arange(400), record))
    assert made.dtype == np.float32
    assert np.allclose(made.sum((1, 2)), 1, atol=1e-5)
    assert set(record.values["kind"].values()) == {*KINDS, "sinc"}
    odd = [not (kind == "box" and record.values["size"][i] % 2 == 0) for i, kind in record.values["kind"].items()]
    assert np.allclose(made[odd], made[odd][:, ::-1, ::-1], atol=1e-6)
    round_ones = [kind.endswith("_iso") or kind in ("iso", "sinc") for kind in record.values["kind"].values()]
    assert np.allclose(made[round_ones], made[round_ones].transpose(0, 2, 1), atol=1e-7)


def test_shares_of_the_kinds_are_the_asked_ones():
    record = Record()
    Blur(SECOND_ORDER, sinc=0.1).kernels(Draws(0, np.arange(20000), record))
    drawn = list(record.values["kind"].values())
    total = sum(SECOND_ORDER.values())
    assert drawn.count("sinc") / 20000 == pytest.approx(0.1, abs=0.01)
    for kind, weight in SECOND_ORDER.items():
        assert drawn.count(kind) / 20000 == pytest.approx(0.9 * weight / total, abs=0.015)
    assert set(record.values["size"].values()) == set(range(7, 22, 2))
    beta = np.array(list(record.values["beta"].values()))
    assert beta.min() >= 0.5
    # Of the generalised ones half are below 1; plateau ones, as many, are all above.
    assert (beta < 1).mean() == pytest.approx(0.25, abs=0.03)


def test_cutoffs_follow_the_size_as_in_real_esrgan():
    record = Record()
    Sinc().kernels(Draws(0, np.arange(5000), record))
    size = np.array(list(record.values["size"].values()))
    cutoff = np.array(list(record.values["cutoff"].values()))
    assert cutoff[size < 13].min() == pytest.approx(math.pi / 3, abs=0.01)
    assert cutoff[size >= 13].min() == pytest.approx(math.pi / 5, abs=0.01)
    assert cutoff[size == 13].min() < math.pi / 3, "13 is among the large ones"
    assert cutoff.max() == pytest.approx(math.pi, abs=0.01)


@pytest.mark.parametrize("k", [1, 3, 9, 21])
@pytest.mark.parametrize("method", [filtered, by_fourier])
def test_filter_equals_scipy(k, method):
    image = batch(3)
    kernels = torch.rand(3, k, k)
    made = method(whole(image).mirrored(k // 2), kernels)
    for i in range(3):
        expected = [scipy.ndimage.correlate(c, kernels[i].numpy(), mode="mirror") for c in image[i].numpy()]
        assert_close(made[i], torch.from_numpy(np.stack(expected)))


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_stride_keeps_every_so_many_pixels_from_the_first(stride):
    extended, kernels = whole(batch(2)).mirrored(3), torch.rand(2, 7, 7)
    assert_close(filtered(extended, kernels, stride), filtered(extended, kernels)[..., ::stride, ::stride])


def test_separable_filter_equals_the_full_one():
    taps = torch.rand(3, 9)
    extended = whole(batch(3)).mirrored(4)
    assert_close(filtered_twice(extended, taps), filtered(extended, taps[:, :, None] * taps[:, None, :]))


def test_blur_equals_opencv_with_the_kernel_that_it_drew():
    image, draws, stage = batch(4), Draws(5, np.arange(4)), Blur(SECOND_ORDER, sinc=0.3, size=(7, 13))
    made = stage(whole(image), draws)
    for i, kernel in enumerate(stage.kernels(draws)):
        expected = cv2.filter2D(channels_last(image[i]), -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        assert np.allclose(channels_last(made.pixels[i]), expected, atol=1e-5)


STAGES = {
    "all kinds": Blur(dict.fromkeys(KINDS, 1.0), sinc=0.2, probability=0.7, box=(2, 5)),
    "second order": Blur(SECOND_ORDER, sinc=0.1),
    "sinc": Sinc(probability=0.5),
    "sharpen": Sharpen((0.2, 0.8), probability=0.6),
    "unsharp": UnsharpMask((9, 30), (0.2, 0.9), (1.0, 12.0), probability=0.6),
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_a_sample_does_not_depend_on_its_batch(stage):
    image, draws = batch(7), Draws(1, np.arange(7))
    together = stage(whole(image), draws).pixels
    assert together.dtype == torch.float32
    for cut in ([0], [1, 2], [3, 4, 5, 6], [6, 2]):
        part = np.array(cut)
        assert torch.equal(stage(whole(image[part]), draws.at(part)).pixels, together[part])
    again = stage(whole(image[:1].expand(7, -1, -1, -1)), draws).pixels
    assert len({picture.numpy().tobytes() for picture in again}) > 2, "samples draw for themselves"


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_a_picture_does_not_see_the_rest_of_its_canvas(stage):
    image, draws = batch(5, 24, 27), Draws(2, np.arange(5))
    alone = stage(whole(image), draws).pixels
    canvas = torch.full((5, 3, 32, 32), float("nan"))
    canvas[..., :24, :27] = image
    sides = np.full(5, 24), np.full(5, 27)
    made = stage(Pictures(canvas, *sides, (12, 13)), draws)
    assert_close(made.pixels[..., :24, :27], alone)
    assert np.array_equal(made.heights, sides[0])


@pytest.mark.parametrize("stage", [Blur(probability=0.0), Sinc(probability=0.0), Sharpen(probability=0.0)])
def test_probability_zero_touches_nothing(stage):
    pictures = whole(batch(2))
    assert stage(pictures, Draws(0, np.arange(2))) is pictures


def test_probability_is_the_share_of_changed_samples():
    image = torch.rand(1, 3, 6, 6).expand(2000, -1, -1, -1)
    made = Blur({"box": 1.0}, probability=0.3)(whole(image), Draws(0, np.arange(2000))).pixels
    assert (made != image).flatten(1).any(1).float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_sharpen_is_the_blend_of_imgaug():
    image = batch(1)
    made = Sharpen((0.4, 0.4))(whole(image), Draws(0, np.arange(1))).pixels
    effect = np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], dtype=np.float32)
    sharpened = cv2.filter2D(channels_last(image[0]), -1, effect, borderType=cv2.BORDER_REFLECT_101)
    expected = np.clip(0.6 * channels_last(image[0]) + 0.4 * sharpened, 0, 1)
    assert np.allclose(channels_last(made[0]), expected, atol=1e-5)
    assert sharpen_kernels(many(0.5), many(0.5)).sum() == pytest.approx(0.75)


def test_unsharp_mask_is_that_of_real_esrgan():
    image = batch(2, 70, 64)
    made = UnsharpMask()(whole(image), Draws(0, np.arange(2))).pixels
    column = cv2.getGaussianKernel(51, 0)
    assert np.allclose(unsharp_taps(np.array([50]), 51)[0], column[:, 0], atol=1e-7)
    for i in range(2):
        x = channels_last(image[i])
        residual = x - cv2.sepFilter2D(x, -1, column, column, borderType=cv2.BORDER_REFLECT_101)
        marked = (np.abs(residual) * 255 > 10).astype(np.float32)
        soft = cv2.sepFilter2D(marked, -1, column, column, borderType=cv2.BORDER_REFLECT_101)
        expected = soft * np.clip(x + 0.5 * residual, 0, 1) + (1 - soft) * x
        assert np.allclose(channels_last(made[i]), expected, atol=1e-4)


def test_needed_side_is_the_smallest_that_loses_no_more():
    kernels = Blur(SECOND_ORDER, sinc=0.2).kernels(Draws(4, np.arange(60)))
    sides = needed_sides(kernels, 1e-6)
    assert {*sides.tolist()} >= {5, 7, 9, 21}
    for kernel, side in zip(np.abs(kernels).astype(np.float64), sides, strict=True):
        inside = [kernel[cut : 21 - cut, cut : 21 - cut].sum() for cut in ((21 - side) // 2, (23 - side) // 2)]
        assert inside[0] >= (1 - 1e-6) * kernel.sum()
        assert side == 1 or inside[1] < (1 - 1e-6) * kernel.sum()


def test_needed_side_of_simple_kernels():
    assert needed_sides(families.identity(9, 2), 1e-6).tolist() == [1, 1]
    assert needed_sides(families.box(9, np.array([1, 2, 3, 9])), 0.0).tolist() == [1, 3, 3, 9]
    negative = families.identity(5, 1)
    negative[0, 0, 0] = -0.1
    assert needed_sides(negative, 0.05).tolist() == [5]


@pytest.mark.parametrize("stage", [Blur(SECOND_ORDER, sinc=0.2), Sinc(), Blur({"motion": 1.0, "box": 1.0})])
def test_a_cut_kernel_blurs_as_the_whole_one_does(stage):
    image, draws = batch(12), Draws(8, np.arange(12))
    whole_kernels = torch.from_numpy(stage.kernels(draws))
    extended = whole(image).mirrored(whole_kernels.shape[-1] // 2)
    assert_close(stage(whole(image), draws).pixels, by_fourier(extended, whole_kernels))


@pytest.mark.parametrize("margin", [0, 3, 11, 12, 40])
def test_borders_of_a_picture_that_fills_its_canvas(margin):
    image = batch(2, 12, 15)
    grown = torch.zeros(2, 3, 20, 20)
    grown[..., :12, :15] = image
    inside = Pictures(grown, np.full(2, 12), np.full(2, 15), (6, 7))
    for name, mode in (("mirrored", cv2.BORDER_REFLECT_101), ("repeated", cv2.BORDER_REPLICATE)):
        expected = [cv2.copyMakeBorder(channels_last(x), *(margin,) * 4, mode) for x in image]
        for pictures in (whole(image), inside):
            made = getattr(pictures, name)(margin)[..., : 12 + 2 * margin, : 15 + 2 * margin]
            assert np.array_equal(made.permute(0, 2, 3, 1).numpy(), np.stack(expected))


def test_settings_from_yaml_become_tuples_and_floats():
    stage = Blur({"iso": 1, "box": 0}, size=[3, 5], sigma=[1, 2])
    assert stage.kinds == {"iso": 1.0}
    assert (stage.size, stage.sigma) == ((3, 5), (1.0, 2.0))
    assert repr(stage) == repr(Blur({"iso": 1.0}, size=(3, 5), sigma=(1.0, 2.0)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blur({"gaussian": 1.0}), "kinds.gaussian is not one of iso, aniso"),
        (lambda: Blur({"sinc": 1.0}), "a sinc kernel has a share of its own, sinc=0.1"),
        (lambda: Blur({"iso": -1.0}), r"kinds.iso=-1 must be a weight of at least 0"),
        (lambda: Blur({"iso": 0.0}), "kinds has no weight above 0"),
        (lambda: Blur(size=(8, 20)), r"size=\[8, 20\] must be odd, such as \[9, 21\]"),
        (lambda: Blur(box=(3,)), r"box=\[3\] must be two numbers"),
        (lambda: Blur(sigma=(0.0, 3.0)), r"sigma=\[0.0, 3.0\] must lie between 0.01 and"),
        (lambda: Blur(probability=1.5), "probability=1.5 must lie between 0 and 1"),
        (lambda: Sinc(cutoff=(1.0, 4.0)), r"cutoff=\[1.0, 4.0\] must lie between 0.01 and 3.14"),
        (lambda: Sharpen(alpha=(0.5, 0.2)), r"alpha=\[0.5, 0.2\] must be two numbers \[low, high\]"),
        (lambda: UnsharpMask(radius=(0, 5)), r"radius=\[0, 5\] must lie between 1 and 500"),
    ],
)
def test_wrong_settings_are_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
