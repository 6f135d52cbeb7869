"""What every loss promises: a finite float32 scalar with finite gradients, whatever the pictures; and its file."""

import inspect
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hydra.utils import get_object
from omegaconf import OmegaConf

from sr.config.building import build
from sr.draws import Draws
from sr.image.gradient_map import gradient_map
from sr.losses.edge import Edge
from sr.losses.focal_frequency import FocalFrequency
from sr.losses.gradient_map import GradientMap
from sr.losses.lr_consistency import LrConsistency, downscaled
from sr.losses.objective import Term
from sr.losses.ssim import MsSsim, Ssim
from sr.losses.total_variation import TotalVariation
from sr.losses.views import Views
from tests.close import assert_close
from tests.conftest import REPOSITORY

CONFIGS = sorted((REPOSITORY / "conf" / "loss").glob("*.yaml"))
LOSSES = {
    "edge": Edge(),
    "gradient_map l1": GradientMap(),
    "gradient_map l2 zero": GradientMap("l2", "zero"),
    "tv 1": TotalVariation(1),
    "tv 2": TotalVariation(2),
    "ssim": Ssim(),
    "ms_ssim 1": MsSsim(1),
    "ms_ssim 2": MsSsim(2),
    "ffl a 1": FocalFrequency(),
    "ffl a 2 patches": FocalFrequency(2.0, 2),
    "ffl 0": FocalFrequency(0.0),
    "bicubic": LrConsistency(2, "bicubic"),
    "bicubic_cv": LrConsistency(2, "bicubic_cv"),
    "bicubic_aligned clamped l2": LrConsistency(2, "bicubic_aligned", "l2", clamp=True),
    "bilinear_aa": LrConsistency(2, "bilinear_aa"),
    "area": LrConsistency(2, "area", "l2"),
    "gamma_area": LrConsistency(2, "gamma_area"),
}


def each_loss(leave_out="nothing"):
    names = [name for name in LOSSES if not name.startswith(leave_out)]
    return pytest.mark.parametrize("loss", [LOSSES[name] for name in names], ids=names)


PICTURES = torch.rand(2, 3, 24, 22, generator=torch.Generator().manual_seed(1))
CASES = {
    "random": (PICTURES, PICTURES.flip(0)),
    "identical": (PICTURES, PICTURES),
    "black": (torch.zeros_like(PICTURES), torch.zeros_like(PICTURES)),
    "flat on flat": (torch.full_like(PICTURES, 0.3), torch.full_like(PICTURES, 0.7)),
    "flat": (torch.ones_like(PICTURES), PICTURES),
    "flat target": (PICTURES, torch.ones_like(PICTURES)),
    "inverted": (1 - PICTURES, PICTURES),
    "out of range": (20 * PICTURES - 10, PICTURES),
    "far out of range": (1e4 * PICTURES - 5e3, PICTURES),
}


def against(loss, target):
    """The target as the loss wants it: its low resolution for the consistency."""
    if not isinstance(loss, LrConsistency):
        return target
    small = downscaled(target, 2, loss.operator)
    return small.clamp(0, 1) if loss.clamp else small


@each_loss()
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_finite(loss, case):
    prediction, target = CASES[case]
    prediction = prediction.clone().requires_grad_()
    value = loss(prediction, against(loss, target))
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value.isfinite()
    value.backward()
    assert prediction.grad.isfinite().all()


@each_loss(leave_out="tv")
def test_identical_pictures_cost_nothing(loss):
    assert_close(loss(PICTURES, against(loss, PICTURES)), torch.tensor(0.0))


@each_loss()
def test_bf16_pictures_are_measured_in_float32(loss):
    sr, target = PICTURES.bfloat16(), against(loss, PICTURES.flip(0).bfloat16())
    value = loss(sr, target)
    assert value.dtype == torch.float32
    assert_close(value, loss(sr.float(), target.float()))


@each_loss()
def test_nothing_waits_for_the_device(loss):
    """On the meta device any attempt to read a value raises."""
    sr = torch.rand(1, 3, 24, 24, device="meta")
    assert loss(sr, against(loss, sr)).device.type == "meta"


@each_loss(leave_out="ffl a")
def test_gradients(loss):
    """Analytic against finite differences; the frequency loss has its own test, for its weights get no gradient."""
    side = 22 if isinstance(loss, MsSsim) and len(loss.weights) == 2 else 12
    # Inside the range, so that nothing is clamped.
    prediction = (0.2 + 0.6 * torch.rand(1, 1, side, side, dtype=torch.float64)).requires_grad_()
    target = torch.rand(1, 1, side, side, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, against(loss, target)), prediction)


def config_of(path):
    judge = {"_target_": "sr.discriminators.strided.Strided", "in_channels": 3, "features": 4}
    return OmegaConf.create({"scale": 2, "discriminator": judge, "loss": OmegaConf.load(path)}).loss


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_build_and_fit_the_default_crop(path):
    config, hr = config_of(path), torch.rand(1, 3, 96, 96)
    (term,) = config.terms.values()
    if "weights" in term.loss:
        term.loss.weights = "random"  # the others are a download
    if "network" in term.loss:  # a trained one
        term.loss.network = {
            "_target_": "sr.models.feature_net.FeatureNet",
            "scale": 2,
            "net": "vgg16",
            "layer": "conv1_2",
        }
    objective = build("loss", config)
    given = {"sr": hr.flip(3), "branch": hr.flip(3), "hr": hr, "lr": F.avg_pool2d(hr, 2)}
    given["features"] = torch.rand(1, 512, 6, 6)
    given |= {name: hr.flip(2) for name in ("again_b", "same_b")} | {"real": hr}  # of a network that translates
    given |= {name: given["lr"].flip(2) for name in ("again_a", "same_a")}
    total, raw, _ = objective(Views(given, {"grad": gradient_map}), draws=Draws(0, np.arange(1)))
    assert list(raw) == [path.stem]
    assert math.isfinite(total)
    assert total > 0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_show_every_argument(path):
    """What a file does not list cannot be set from the command line."""
    ((name, term),) = OmegaConf.to_container(config_of(path))["terms"].items()
    assert name == path.stem
    without_sense = {"shift"} if term["views"] in ("sr,lr", "features,hr") else set()
    without_sense |= {"shift"} if "also" in term else {"also"}  # a second pair of views, of two sides
    assert set(term) - {"_target_"} == arguments_of(Term) - without_sense
    inputs = {"file"} if "network" in term["loss"] else set()  # what its network is read from
    assert set(term["loss"]) - {"_target_"} - inputs == arguments_of(get_object(term["loss"]["_target_"]))


def arguments_of(made):
    return set(inspect.signature(made).parameters)
