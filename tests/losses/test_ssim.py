"""SSIM and MS-SSIM against scikit-image, and what makes them fit for training."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from skimage.transform import downscale_local_mean

from sr.image.ssim import similarity
from sr.losses.ssim import LEVEL_WEIGHTS, MsSsim, Ssim, ms_ssim, positive
from sr.metrics.functional import ssim_rgb
from sr.types import UserError
from tests.close import assert_close
from tests.conftest import smooth_picture

WANG_2003 = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def pictures(height=100, width=92):
    """A picture and a noisy, faded copy, float64."""
    pixels = torch.from_numpy(smooth_picture(height, width, 3).astype(np.float64) / 255).permute(2, 0, 1)[None]
    noise = torch.randn(pixels.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return (0.8 * pixels + 0.15 * noise + 0.05), pixels


def by_skimage(x, y, k1=0.01):
    """SSIM of one channel, Wang's window, mean over where it fits."""
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    return structural_similarity(x, y, K1=k1, K2=0.03, **settings)


def contrast_by_skimage(x, y):
    """With a huge K1 the luminance is 1 up to 1e-12, which leaves contrast and structure."""
    return by_skimage(x, y, k1=1e6)


def ms_ssim_by_skimage(x, y, levels):
    """Wang et al. 2003, equation 7, channel by channel."""
    weights = np.array(WANG_2003[:levels]) / sum(WANG_2003[:levels])
    values = []
    for a, b in zip(x[0].numpy(), y[0].numpy(), strict=True):
        index = 1.0
        for weight in weights[:-1]:
            index *= contrast_by_skimage(a, b) ** weight
            a, b = (downscale_local_mean(p[: len(p) // 2 * 2, : p.shape[1] // 2 * 2], (2, 2)) for p in (a, b))
        values.append(index * by_skimage(a, b) ** weights[-1])
    return torch.tensor([values])


def test_ssim_equals_scikit_image():
    x, y = pictures()
    full, contrast = similarity(x, y, data_range=1.0)
    channels = list(zip(x[0].numpy(), y[0].numpy(), strict=True))
    assert_close(full, torch.tensor([[by_skimage(a, b) for a, b in channels]]))
    assert_close(contrast, torch.tensor([[contrast_by_skimage(a, b) for a, b in channels]]))
    assert_close(Ssim()(x.float(), y.float()), 1 - full.mean())
    for one, of_levels in zip((full, contrast), similarity(255 * x, 255 * y, data_range=255.0), strict=True):
        assert_close(of_levels, one)  # the unit of the values does not matter


def test_ssim_equals_the_metric_where_nothing_is_rounded():
    sr, hr = (torch.from_numpy(smooth_picture(60, 70, seed)).permute(2, 0, 1)[None] for seed in (1, 2))
    inside = (..., slice(2, -2), slice(2, -2))
    assert_close(1 - Ssim()(sr[inside] / 255, hr[inside] / 255), ssim_rgb(sr, hr, scale=2)[0])


@pytest.mark.parametrize(("levels", "size"), [(1, (40, 44)), (2, (40, 44)), (4, (96, 91)), (5, (176, 181))])
def test_ms_ssim_equals_scikit_image(levels, size):
    x, y = pictures(*size)
    expected = ms_ssim_by_skimage(x, y, levels)
    weights = [weight / sum(LEVEL_WEIGHTS[:levels]) for weight in LEVEL_WEIGHTS[:levels]]
    assert_close(ms_ssim(x, y, weights), expected)
    assert_close(MsSsim(levels)(x.float(), y.float()), 1 - expected.mean())


def test_exponents_of_fewer_levels_sum_to_one():
    assert MsSsim(5).weights == pytest.approx(WANG_2003, abs=1e-4)  # the paper's sum to 1.0001
    assert_close(torch.tensor(MsSsim(2).weights), torch.tensor([0.0448 / 0.3304, 0.2856 / 0.3304]))
    assert all(abs(sum(MsSsim(levels).weights) - 1) < 1e-12 for levels in range(1, 6))


def test_flat_pictures_by_hand():
    # Without variance only the luminance is left: (2 * 0.2 * 0.6 + C1) / (0.2^2 + 0.6^2 + C1), C1 = 1e-4.
    x, y = torch.full((1, 3, 22, 22), 0.2), torch.full((1, 3, 22, 22), 0.6)
    luminance = (0.24 + 1e-4) / (0.4 + 1e-4)
    assert_close(Ssim()(x, y), torch.tensor(1 - luminance))
    assert_close(MsSsim(2)(x, y), torch.tensor(1 - luminance ** (0.2856 / 0.3304)))


def test_the_tail_by_hand():
    index = torch.tensor([[1.0, 0.5, 0.01, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    made = positive(index)
    assert_close(made, torch.tensor([[1.0, 0.5, 0.01, 1e-4 / 0.02, 1e-4 / 1.02]], dtype=torch.float64))
    made.sum().backward()  # slope 1 where the two parts meet
    assert_close(index.grad, torch.tensor([[1.0, 1.0, 1.0, 1e-4 / 0.02**2, 1e-4 / 1.02**2]], dtype=torch.float64))


@pytest.mark.parametrize("levels", [1, 4])
def test_a_network_that_inverts_the_picture_learns(levels):
    """Structure is negative at every scale, where a plain power is NaN and a clamped one has no gradient."""
    target = pictures()[1].float()
    prediction, loss = (1 - target).requires_grad_(), MsSsim(levels)
    optimizer = torch.optim.Adam([prediction], 0.02)
    for _ in range(50):
        optimizer.zero_grad()
        loss(prediction, target).backward()
        optimizer.step()
    assert loss(1 - target, target) > 0.8
    assert loss(prediction, target) < 0.5


def test_too_small_pictures():
    def image(height, width):
        return torch.rand(1, 3, height, width)

    assert Ssim()(image(11, 11), image(11, 11)).isfinite()
    with pytest.raises(UserError, match=r"SSIM needs pictures of at least 11 pixels a side, not 10; .*data\.crop"):
        Ssim()(image(30, 10), image(30, 10))
    assert MsSsim(4)(image(88, 88), image(88, 88)).isfinite()
    message = r"levels=4 needs pictures of at least 88 pixels a side, not 87; take levels=3, or a data\.crop of .* 88 /"
    with pytest.raises(UserError, match=message):
        MsSsim(4)(image(87, 200), image(87, 200))
    message = r"levels=2 needs pictures of at least 22 pixels a side, not 8; take a data\.crop of at least 22 / scale"
    with pytest.raises(UserError, match=message):
        MsSsim(2)(image(8, 8), image(8, 8))


@pytest.mark.parametrize(("levels", "nearest"), [(0, 1), (-3, 1), (6, 5)])
def test_wrong_levels_are_refused(levels, nearest):
    with pytest.raises(ValueError, match=f"levels={levels} must be from 1 to 5; take levels={nearest}"):
        MsSsim(levels)
