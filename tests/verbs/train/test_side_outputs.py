"""A generator with a side output, from training to the picture: everything but losses takes its first field."""

import shlex
from typing import NamedTuple

import pytest
from torch import Tensor

import sr.models.espcn
from sr.image.io import read_picture
from sr.inference.python import load
from sr.models.files import load_network
from tests.stand_ins import FEATURE_NET, SMALL_SPSR
from tests.verbs.train.test_resume import assert_same_run

pytestmark = pytest.mark.slow


class Made(NamedTuple):
    sr: Tensor
    branch: Tensor


class Branched(sr.models.espcn.Espcn):
    """ESPCN that says beside its picture what the picture's gradient map should be."""

    def forward(self, lr):
        picture = super().forward(lr)
        return Made(picture, (1 - picture) / 2)


LOSSES = ["loss=[l1,l2,charbonnier]", "loss.terms.l2.views='branch,grad(hr)'"]
LOSSES += ["loss.terms.charbonnier.views='grad(sr),grad(hr)'"]


@pytest.fixture
def branched(monkeypatch):
    """Overrides that train it. It poses as one of ours, since files of networks name no others."""
    Branched.__module__ = "sr.models.espcn"
    monkeypatch.setattr(sr.models.espcn, "Branched", Branched, raising=False)
    return ["model._target_=sr.models.espcn.Branched", "model.features=8", *LOSSES]


GAN = ["adversary=[lsgan,gradients]", "discriminator=conv", "adversary.d.shows.views='branch,grad(real)'"]
GAN += ["adversary.d_grad.shows.also=branch", "optimizer@adversary.d_grad.optimizer=sgd"]


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_it_trains_validates_resumes_and_upscales(train, sr, branched, tmp_path, pictures, precision):
    settings = [*branched, *GAN, "schedule=constant", f"trainer.precision={precision}"]
    assert train(*settings, "run_dir=whole")[0] == 0
    assert train(*settings, "trainer.max_updates=2", "run_dir=parts")[0] == 0
    code, _, err = train("resume=parts", "trainer.max_updates=4", defaults=False)
    assert code == 0, err
    assert_same_run(tmp_path / "whole", tmp_path / "parts", ignored=("elapsed", "/random/python"))
    columns = (tmp_path / "whole" / "metrics.csv").read_text().splitlines()[0]
    for column in ("train/g/l2", "train/g/charbonnier", "val/psnr_y", "train/d/total", "train/d_grad/total"):
        assert column in columns
    file = tmp_path / "whole" / "last.safetensors"
    assert isinstance(load_network(file)[0], Branched)
    small = pictures / "picture_0.png"
    code, _, err = sr("upscale", small, "-o", tmp_path / "large.png", "--model", file)
    assert code == 0, err
    height, width, _ = read_picture(small).pixels.shape
    assert read_picture(tmp_path / "large.png").pixels.shape == (2 * height, 2 * width, 3)
    assert sr("evaluate", file, "--set", pictures)[0] == 0


def test_spsr_is_trained_by_name_and_used_like_any_network(train, sr, tmp_path, pictures):
    parts = ["loss=l1_gradient_map_branch", "adversary=[ragan,gradients]", "discriminator=conv", "trainer.ema=0.9"]
    frozen = "parts.freeze=[{all_but:[fusion.*],until:2}]"
    code, _, err = train("model=spsr", *SMALL_SPSR, *parts, frozen, "scale=4", "data.crop=12", "run_dir=run")
    assert code == 0, err
    run = tmp_path / "run"
    columns = (run / "metrics.csv").read_text().splitlines()[0]
    for column in ("g/l1", "g/gradient_map", "g/branch", "g/gan", "g/gan_grad", "d/total", "d_grad/total"):
        assert f"train/{column}" in columns
    file, small = run / "last.safetensors", pictures / "picture_0.png"
    height, width, _ = read_picture(small).pixels.shape
    for engine in ("torch", "onnxruntime"):
        code, _, err = sr(
            "upscale", small, "-o", tmp_path / "large.png", "--model", file, "--tile", 16, "--engine", engine
        )
        assert code == 0, err
        assert read_picture(tmp_path / "large.png").pixels.shape == (4 * height, 4 * width, 3)
    assert sr("evaluate", file, "--set", pictures)[0] == 0
    assert sr("bench", "upscale", "--model", file, "--size", "32x32", "--large", 0)[0] == 0
    assert load(file)(read_picture(small).pixels).shape == (4 * height, 4 * width, 3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "loss.terms.l1.views='branch,hr'",
            "loss.terms.l1.views=branch,hr: there is no view branch; there are sr, lr, hr, real, and of each of them "
            "grad(…), lr(…), bicubic(…), bicubic_aligned(…)",
        ),
        ("loss.terms.l1.views='sr,hd'", "loss.terms.l1.views=sr,hd: there is no view hd; did you mean hr?"),
        ("loss.terms.l1.views='sr'", "loss.terms.l1: views=sr must name two views"),
        ("loss.terms.l1.views='sr,lr'", "views=sr,lr compares pictures of different shapes"),
        ("loss.terms.l1.views='grad(sr),hr'", "loss.terms.l1.views=grad(sr),hr compares a gradient map with a picture"),
        (
            "adversary.d.shows.views='real,sr'",
            "adversary.d.shows.views=real,sr takes sr as real, which the network makes; name first what it makes",
        ),
        (
            "adversary.d.shows.views='sr,lr'",
            "adversary.d.shows.views=sr,lr shows pictures of different shapes",
        ),
        (
            "adversary.d.shows.views='grad(sr),real'",
            "compares a gradient map with a picture; write grad(…) around both",
        ),
        (
            "adversary.d.shows.views='gard(sr),real'",
            "adversary.d.shows.views=gard(sr),real: there is no view gard(sr); did you mean grad(sr)?",
        ),
        (
            "adversary.d_grad.shows.also=branch",
            "adversary.d_grad.shows.also=branch,grad(real): there is no view branch; there are sr, lr, hr, real",
        ),
    ],
)
def test_views_that_there_are_not_are_refused_before_training(train, tmp_path, override, message):
    code, out, err = train("adversary=[lsgan,gradients]", "discriminator=conv", "run_dir=run", override)
    assert code == 2
    assert message in err
    assert "going on" not in out
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_the_last_network_of_a_feature_net_is_the_best_and_its_line_can_be_pasted(train, tmp_path):
    code, out, err = train("model=feature_net", "loss=features", *FEATURE_NET, "run_dir=net")
    assert code == 0, err
    assert "best (4 updates)" in out
    line = next(line for line in out.splitlines() if line.startswith("use it as a target: "))
    settings = shlex.split(line.partition("sr.verbs.train ")[2])
    assert settings[0] == "loss=feature_net"
    code, out, err = train(*settings, "run_dir=used")
    assert code == 0, err
