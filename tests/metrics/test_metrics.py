import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import structural_similarity

from sr.image.io import read_picture, to_image
from sr.image.resize import bicubic, imresize
from sr.metrics.functional import PSNR_LIMIT, measure, psnr_rgb, psnr_y, sharpness, ssim_rgb, ssim_y
from sr.metrics.side_by_side import side_by_side
from sr.types import UserError
from tests.benchmarks import PUBLISHED, benchmark_pictures
from tests.close import assert_close


@pytest.fixture
def pair():
    """A photograph and a noisy copy, uint8 NCHW, batch of two."""
    hr = torch.from_numpy(data.astronaut()[:96, :80].copy()).permute(2, 0, 1).expand(2, 3, 96, 80)
    noise = torch.randn(hr.shape, generator=torch.Generator().manual_seed(1))
    noise = noise * torch.tensor([4.0, 12.0]).view(2, 1, 1, 1)
    return (hr + noise).round().clamp(0, 255).byte(), hr.contiguous()


def y_of(pixels):
    """BT.601 luma by the constants of MATLAB's documentation."""
    r, g, b = pixels.double()
    return (16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255).numpy()


def their_ssim(a, b):
    return structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)


def test_psnr_of_a_constant_error():
    hr = torch.full((1, 3, 20, 20), 100, dtype=torch.uint8)
    sr = hr + 5
    # MSE 25 in RGB; in Y the same gray error is 5 * 219 / 255
    assert_close(psnr_rgb(sr, hr, 2), torch.tensor([10 * math.log10(255**2 / 25)]))
    assert_close(psnr_y(sr, hr, 2), torch.tensor([20 * math.log10(255 / (5 * 219 / 255))]))


def test_psnr_averages_the_error_over_channels():
    hr = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    sr = hr.clone()
    sr[:, 0] = 6  # 36 in one of three channels is 12
    assert_close(psnr_rgb(sr, hr, 1), torch.tensor([10 * math.log10(255**2 / 12)]))


def test_identical_pictures_count_with_the_limit():
    picture = torch.rand(2, 3, 24, 24)
    assert psnr_y(picture, picture, 2).tolist() == psnr_rgb(picture, picture, 2).tolist() == [math.inf, math.inf]
    assert measure(picture, picture, 2) == {
        "psnr_y": pytest.approx(PSNR_LIMIT),
        "ssim_y": pytest.approx(1),
        "psnr_rgb": pytest.approx(PSNR_LIMIT),
        "ssim_rgb": pytest.approx(1),
    }
    assert list(measure(picture, picture, 2)) == ["psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"]


def test_the_limit_is_the_error_of_rounding_to_8_bits():
    levels = torch.arange(1000, dtype=torch.float64) / 1000 + 100.0005 - 0.5
    squared = (levels - levels.round()).square().mean().item()
    assert pytest.approx(10 * math.log10(255**2 / squared), abs=1e-4) == PSNR_LIMIT


def test_sharpness_beside_a_flat_truth():
    flat = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    other = flat.clone()
    other[..., 8:] += 1
    assert sharpness(other, flat, 1).tolist() == sharpness(flat, flat, 1).tolist() == [1.0]


def test_one_black_picture_does_not_hide_the_others(pair):
    sr, hr = (torch.cat([picture, torch.zeros_like(picture[:1])]) for picture in pair)
    own = psnr_rgb(*pair, 2)
    assert max(own) < 50, "no picture that differs is touched"
    assert measure(sr, hr, 2)["psnr_rgb"] == pytest.approx((sum(own).item() + PSNR_LIMIT) / 3)


def test_floats_are_rounded_and_clipped_to_8_bits(pair):
    sr, hr = pair
    blurred_by_less_than_half_a_level = sr / 255 + 0.3 / 255
    assert torch.equal(psnr_y(blurred_by_less_than_half_a_level, hr / 255, 2), psnr_y(sr, hr, 2))
    white = torch.full((1, 3, 16, 16), 255, dtype=torch.uint8)
    assert psnr_rgb(white / 255 * 1.7, white, 1).item() == math.inf


def test_only_the_border_is_cropped(pair):
    _, hr = pair
    broken = hr.clone()
    broken[..., :3, :] = 0
    broken[..., -3:, :] = 0
    broken[..., :3] = 0
    broken[..., -3:] = 0
    assert psnr_rgb(broken, hr, 3).tolist() == [math.inf, math.inf]
    assert all(psnr_rgb(broken, hr, 2) < 40)


def test_psnr_and_ssim_on_y_against_numpy_and_skimage(pair):
    sr, hr = pair
    for i in range(2):
        a, b = (y_of(picture[i])[4:-4, 4:-4] for picture in (sr, hr))
        assert psnr_y(sr, hr, 4)[i].item() == pytest.approx(10 * np.log10(255**2 / ((a - b) ** 2).mean()), abs=1e-4)
        assert ssim_y(sr, hr, 4)[i].item() == pytest.approx(their_ssim(a, b), abs=1e-5)


def test_ssim_rgb_is_the_mean_over_channels(pair):
    sr, hr = pair
    for i in range(2):
        a, b = (picture[i, :, 3:-3, 3:-3].double().numpy() for picture in (sr, hr))
        channels = [their_ssim(a[c], b[c]) for c in range(3)]
        assert ssim_rgb(sr, hr, 3)[i].item() == pytest.approx(np.mean(channels), abs=1e-5)


def test_ssim_of_flat_pictures_is_the_luminance_term():
    # no variance: (2 a b + C1) / (a^2 + b^2 + C1), C1 = (0.01 * 255)^2 = 6.5025
    sr, hr = (torch.full((1, 3, 16, 16), level, dtype=torch.uint8) for level in (100, 120))
    expected = (2 * 100 * 120 + 6.5025) / (100**2 + 120**2 + 6.5025)
    assert ssim_rgb(sr, hr, 1).item() == pytest.approx(expected, abs=1e-5)


def test_a_gray_picture_is_its_own_y():
    hr = torch.full((1, 3, 20, 20), 100, dtype=torch.uint8)
    expected = torch.tensor([10 * math.log10(255**2 / 25)])
    assert_close(psnr_y(hr + 5, hr, 2, gray=True), expected)
    assert_close(psnr_y(hr[:, :1] + 5, hr[:, :1], 2), expected)
    assert ssim_y(hr + 5, hr, 2, gray=True).item() == pytest.approx(ssim_rgb(hr + 5, hr, 2).item())


def test_measure_is_the_mean_of_per_image_values(pair):
    sr, hr = pair
    values = measure(sr, hr, 2)
    assert values["psnr_rgb"] == pytest.approx(psnr_rgb(sr, hr, 2).mean().item())
    assert values["psnr_y"] == pytest.approx(psnr_y(sr, hr, 2).mean().item())


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"24x16x3 and 25x16x3 pixels .*multiple of the scale"):
        psnr_y(torch.rand(1, 3, 16, 24), torch.rand(1, 3, 16, 25), 2)
    with pytest.raises(UserError, match=r"18x40x3 pixels is too small .*at least 11x11 .*at least 20 pixels"):
        ssim_y(torch.rand(1, 3, 40, 18), torch.rand(1, 3, 40, 18), 4)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("name", "scale"), PUBLISHED)
def test_bicubic_scores_what_the_literature_says(name, scale):
    pictures = benchmark_pictures(name)
    scores = []
    for path in pictures:
        picture = read_picture(path)
        height, width = (side - side % scale for side in picture.pixels.shape[:2])
        high = picture.pixels[:height, :width]
        low = imresize(high, Fraction(1, scale))
        hr, sr = to_image(high), bicubic(to_image(low), scale)
        scores.append([f(sr, hr, scale, picture.gray).item() for f in (psnr_y, ssim_y)])
    psnr, ssim = np.mean(scores, axis=0)
    assert psnr == pytest.approx(PUBLISHED[name, scale][0], abs=0.01)
    assert ssim == pytest.approx(PUBLISHED[name, scale][1], abs=0.001)


def test_psnr_has_the_digits_of_torchmetrics(pair):
    from torchmetrics.functional.image import peak_signal_noise_ratio

    levels = [picture.float()[..., 2:-2, 2:-2] for picture in pair]
    theirs = peak_signal_noise_ratio(*levels, data_range=255.0, reduction="none", dim=(1, 2, 3))
    assert torch.equal(psnr_rgb(*pair, 2), theirs)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_side_by_side_keeps_the_order_and_the_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert side_by_side(lambda n: (n, torch.get_num_threads()), range(5)) == [(n, 1) for n in range(5)]
        assert torch.get_num_threads() == threads
        with pytest.raises(ZeroDivisionError):
            side_by_side(lambda n: 1 // n, range(2))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
