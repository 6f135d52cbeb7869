"""Focal frequency loss against the paper's equations in NumPy, and numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch

from sr.losses.focal_frequency import FocalFrequency, patches
from sr.types import UserError
from tests.close import assert_close


def reference(fake, real, alpha):
    """Equations 8 to 10 with normalised weights, channel by channel, from the two spectra."""
    values = []
    for f, r in zip(fake.flatten(0, 1).numpy(), real.flatten(0, 1).numpy(), strict=True):
        distance = np.abs(np.fft.fft2(f, norm="ortho") - np.fft.fft2(r, norm="ortho"))
        w = distance**alpha
        values.append((w / w.max() * distance**2).mean())
    return torch.tensor(np.mean(values))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_equals_the_equations(alpha, size):
    prediction, target = torch.rand(2, 2, 3, *size, dtype=torch.float64)
    assert_close(FocalFrequency(alpha)(prediction, target), reference(prediction, target, alpha))


def test_alpha_zero_is_the_mean_squared_error():
    """Parseval's theorem."""
    prediction, target = torch.rand(2, 2, 3, 8, 9, dtype=torch.float64)
    assert_close(FocalFrequency(0.0)(prediction, target), (prediction - target).square().mean())


def test_two_waves_by_hand():
    # A cosine of amplitude a has the mean square a^2 / 2; the strongest weighs 1, the other (b / a)^alpha.
    x = torch.arange(16, dtype=torch.float64).expand(1, 1, 8, 16)
    d = 0.4 * torch.cos(2 * math.pi * 2 * x / 16) + 0.1 * torch.cos(2 * math.pi * 5 * x / 16)
    for alpha in (1.0, 2.0):
        expected = 0.4**2 / 2 + (0.1 / 0.4) ** alpha * 0.1**2 / 2
        assert_close(FocalFrequency(alpha)(0.5 + d, torch.full_like(d, 0.5)), torch.tensor(expected).double())


def test_the_weights_get_no_gradient():
    # With w fixed, the derivative of mean w |F|^2 is 2 / (M N) times the inverse transform of w F.
    prediction = torch.rand(1, 1, 6, 5, dtype=torch.float64, requires_grad=True)
    target = torch.rand(1, 1, 6, 5, dtype=torch.float64)
    FocalFrequency(1.0)(prediction, target).backward()
    spectrum = np.fft.fft2((prediction - target).detach().numpy()[0, 0], norm="ortho")
    w = np.abs(spectrum) / np.abs(spectrum).max()
    expected = 2 / 30 * np.fft.ifft2(w * spectrum, norm="ortho").real
    assert_close(prediction.grad[0, 0], torch.from_numpy(expected))


def test_patches_are_measured_one_by_one():
    image = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6).double()
    cut = patches(image, 2)
    assert cut.shape == (2, 12, 2, 3)
    pieces = [image[..., y : y + 2, x : x + 3] for y in (0, 2) for x in (0, 3)]
    assert torch.equal(cut, torch.stack(pieces, dim=1).flatten(1, 2)[:, [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]])
    prediction, target = torch.rand(2, 1, 3, 8, 8, dtype=torch.float64)
    corners = [(..., slice(y, y + 4), slice(x, x + 4)) for y in (0, 4) for x in (0, 4)]
    each = torch.stack([reference(prediction[c], target[c], 1.0) for c in corners])
    assert_close(FocalFrequency(1.0, 2)(prediction, target), each.mean())


@pytest.mark.parametrize(
    ("alpha", "factor", "message"),
    [
        (-1.0, 1, "alpha=-1.0 must be a finite number of at least 0; the paper takes 1"),
        (math.inf, 1, "alpha=inf must be"),
        (math.nan, 1, "alpha=nan must be"),
        (1.0, 0, "patch_factor=0 must be at least 1"),
    ],
)
def test_wrong_settings_are_refused(alpha, factor, message):
    with pytest.raises(ValueError, match=message):
        FocalFrequency(alpha, factor)


def test_patches_must_divide_the_picture():
    with pytest.raises(UserError, match=r"patch_factor=4 cannot divide pictures of 8x10 pixels .*take patch_factor=1"):
        FocalFrequency(1.0, 4)(torch.rand(1, 3, 8, 10), torch.rand(1, 3, 8, 10))
