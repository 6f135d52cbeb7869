"""The consistency loss makes small exactly as the degradations of the same names do."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from sr.config.building import build
from sr.draws import Draws
from sr.losses.lr_consistency import RESIZES, LrConsistency, Operator, downscaled
from sr.types import UserError
from tests.choices import refusal
from tests.close import assert_close
from tests.conftest import REPOSITORY

CONF = REPOSITORY / "conf" / "degradation"
PIPELINES = [name for name in RESIZES if name != "bicubic" and (CONF / f"{name}.yaml").exists()]


def degraded(name, hr, scale, **settings):
    config = OmegaConf.create({"scale": scale, "degradation": OmegaConf.load(CONF / f"{name}.yaml")})
    config.degradation.update(settings)
    return build("degradation", config.degradation)(hr, Draws(0, np.arange(len(hr))))


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_equals_the_degradation_of_the_same_name(name, scale):
    hr = torch.rand(2, 3, 12 * scale, 9 * scale)
    lr = degraded(name, hr, scale, eight_bits=False)
    clamp = name in ("bicubic_cv", "bicubic_aligned")
    made = downscaled(hr, scale, name)
    assert_close(made.clamp(0, 1) if clamp else made, lr)
    assert_close(LrConsistency(scale, name, "l1", clamp=clamp)(hr, lr), torch.tensor(0.0))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_the_degradation_before_its_rounding(scale):
    hr = 0.25 + 0.5 * torch.rand(2, 3, 12 * scale, 9 * scale)  # where it need not clip
    lr = degraded("bicubic", hr, scale)
    assert (downscaled(hr, scale, "bicubic") - lr).abs().max() < 0.5 / 255 + 1e-6


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_bicubic_is_matlab_s(scale):
    """PyTorch's antialiased bicubic has MATLAB's kernel; MATLAB mirrors the picture beyond its border besides."""
    hr = torch.rand(2, 3, 12 * scale, 9 * scale, dtype=torch.float64)
    reach = 2  # pixels of the result
    border = (reach * scale, reach * scale)
    wide = torch.from_numpy(np.pad(hr.numpy(), ((0, 0), (0, 0), border, border), mode="symmetric"))
    expected = F.interpolate(wide, (12 + 2 * reach, 9 + 2 * reach), mode="bicubic", antialias=True)
    assert_close(downscaled(hr, scale, "bicubic"), expected[..., reach:-reach, reach:-reach])


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 11), (200, 130)])  # the second needs more than one block of weights
def test_interpolations_are_pytorch_s(scale, size):
    hr = torch.rand(1, 3, size[0] * scale, size[1] * scale, dtype=torch.float64)
    aligned = F.interpolate(hr, size, mode="bicubic", align_corners=True)
    assert_close(downscaled(hr, scale, "bicubic_aligned"), aligned)
    assert_close(downscaled(hr, scale, "bicubic_cv"), F.interpolate(hr, size, mode="bicubic"))
    assert_close(downscaled(hr, scale, "bilinear_aa"), F.interpolate(hr, size, mode="bilinear", antialias=True))


def test_area_is_opencv_s():
    hr = torch.rand(1, 3, 12, 18, dtype=torch.float64)
    expected = cv2.resize(hr[0].permute(1, 2, 0).numpy(), (6, 4), interpolation=cv2.INTER_AREA)
    assert_close(downscaled(hr, 3, "area"), torch.from_numpy(expected).permute(2, 0, 1)[None])


def test_gamma_area_by_hand():
    # Half black, half white: half the light, 0.5^(1 / 2.2) = 0.7297; a plain average gives 0.5.
    board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(4, 4)[None, None]
    assert_close(downscaled(board, 2, "gamma_area"), torch.full((1, 1, 4, 4), 0.7297400528))
    assert_close(downscaled(board, 2, "area"), torch.full((1, 1, 4, 4), 0.5))


def test_distances_by_hand():
    prediction, target = torch.full((1, 3, 8, 8), 0.75), torch.full((1, 3, 4, 4), 0.5)
    for operator in RESIZES:
        assert_close(LrConsistency(2, operator, "l1")(prediction, target), torch.tensor(0.25))
        assert_close(LrConsistency(2, operator, "l2")(prediction, target), torch.tensor(0.0625))


def test_clamp_stops_the_gradient_of_overshoot_only():
    prediction = torch.full((1, 1, 4, 4), 0.25)
    prediction[..., 2:, 2:] = 1.5
    prediction.requires_grad_()
    target = torch.full((1, 1, 2, 2), 0.5)
    assert_close(LrConsistency(2, "area", clamp=True)(prediction, target), torch.tensor((3 * 0.25 + 0.5) / 4))
    assert_close(LrConsistency(2, "area")(prediction, target), torch.tensor((3 * 0.25 + 1.0) / 4))
    LrConsistency(2, "area", clamp=True)(prediction, target).backward()
    assert_close(prediction.grad[..., 2:, 2:], torch.zeros(1, 1, 2, 2))
    assert_close(prediction.grad[..., :2, :], torch.full((1, 1, 2, 4), -1 / 16))


@pytest.mark.parametrize("operator", RESIZES)
def test_weights_made_in_inference_mode_serve_training(operator):
    hr = torch.rand(1, 3, 52, 44)
    with torch.inference_mode():
        downscaled(hr, 2, operator)
    hr.requires_grad_()
    downscaled(hr, 2, operator).sum().backward()
    if operator != "gamma_area":  # which is not linear
        assert_close(hr.grad.sum(), torch.tensor(3 * 26 * 22.0))


def test_mistakes_are_quoted():
    with pytest.raises(UserError, match=r"at scale 2 cannot compare pictures of 12x12 pixels .* of 4x4; .*views sr,lr"):
        LrConsistency(2)(torch.rand(1, 3, 12, 12), torch.rand(1, 3, 4, 4))
    with pytest.raises(ValueError, match="scale=0 must be at least 1; take the network's scale"):
        LrConsistency(0)


def test_unknown_choices_are_refused():
    listed = "bicubic, bicubic_cv, bicubic_aligned, bilinear_aa, area or gamma_area"
    told = f"operator=bilinear is not one of {listed}; did you mean bilinear_aa?"
    assert refusal(LrConsistency, 2, operator="bilinear") == told
    assert refusal(LrConsistency, 2, distance="l3") == "distance=l3 is not one of l1 or l2; choose one of them."


def test_every_operator_has_its_resize():
    assert set(RESIZES) == set(get_args(Operator))
