"""Measures that are infinite or not a number: one black frame, a network that makes NaN; who listens to them."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from sr.data.doctor.inspect import inspect
from sr.data.doctor.verdict import Report, judge_alone
from sr.data.pairs import ValidationPair
from sr.losses.lpips import Lpips
from sr.losses.weights import RaiseWhileImproving
from sr.metrics.functional import PSNR_LIMIT
from sr.models.espcn import Espcn
from sr.models.upscale import NotFiniteError, upscale_pixels
from sr.training.colour_alarm import ColourAlarm
from sr.training.columns import Best, means
from sr.training.perceptual import Perceptual
from sr.training.precision import choose_compute
from sr.training.schedules import Plateau
from sr.training.validation import measured, network_upscaler
from tests.conftest import smooth_picture

CPU = torch.device("cpu")
BAD = (math.nan, math.inf, -math.inf)


class Broken(nn.Module):
    """x1; NaN for what is brighter than the middle."""

    scale = 1

    def forward(self, lr):
        return torch.where(lr.mean() > 0.5, torch.full_like(lr, math.nan), lr)


@pytest.fixture
def with_a_black_frame(tmp_path):
    """Two pictures for validation, one of them black."""
    folder = tmp_path / "flat"
    folder.mkdir()
    Image.fromarray(smooth_picture(64, 64, 3)).save(folder / "a.png")
    Image.new("RGB", (64, 64)).save(folder / "black.png")
    return folder


@pytest.mark.usefixtures("one_thread")
def test_one_black_frame_freezes_nothing(train, tmp_path, with_a_black_frame):
    more = ["optimizer.lr=1e-3", "schedule=constant", "trainer.ema=null", "trainer.max_updates=30"]
    more += ["callbacks=early_stop", "callbacks.early_stop.patience=8", "trainer.val_every=3", "seed=1"]
    code, out, err = train(f"data.val={with_a_black_frame}", "run_dir=run", *more)
    assert code == 0, err
    told = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert told["best"]["updates"] > 3, "not the first validation whatever comes"
    assert "nan" not in out
    assert "inf " not in out
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/psnr_y"]]
    # The black frame counts with the limit for bicubic, which reproduces it, and the other with what it has.
    assert (PSNR_LIMIT + 15) / 2 < float(rows[0]["val/bicubic/psnr_y"]) < PSNR_LIMIT
    assert max(float(row["val/psnr_y"]) for row in rows) == pytest.approx(told["best"]["psnr_y"])


@pytest.mark.usefixtures("one_thread")
def test_evaluate_says_the_same(sr, tmp_path, with_a_black_frame):
    assert sr("evaluate", "bicubic", "--scale", "2", "--set", with_a_black_frame, "--csv", "t.csv")[0] == 0
    with (tmp_path / "t.csv").open() as file:
        (row,) = csv.DictReader(file)
    (with_a_black_frame / "black.png").unlink()
    assert sr("evaluate", "bicubic", "--scale", "2", "--set", with_a_black_frame, "--csv", "t.csv")[0] == 0
    with (tmp_path / "t.csv").open() as file:
        (alone,) = csv.DictReader(file)
    assert float(row["psnr_y"]) == pytest.approx((float(alone["psnr_y"]) + PSNR_LIMIT) / 2, abs=1e-5)
    assert float(row["ssim_rgb"]) == pytest.approx((float(alone["ssim_rgb"]) + 1) / 2, abs=1e-5)


@pytest.mark.parametrize(("role", "more"), [("train", False), ("val", True)])
def test_doctor_tells_of_it(with_a_black_frame, role, more):
    report = Report(with_a_black_frame / "black.png", role, inspect(str(with_a_black_frame / "black.png")))
    judge_alone(report, 8)
    ((kind, text),) = report.findings
    assert kind == "flat"
    assert text.startswith("every pixel has the same colour")
    assert ("it says nothing of sharpness and lifts the mean PSNR" in text and "58.92 dB" in text) == more


# ------------------------------------------------------------------------------------- networks that make NaN


def test_what_is_not_finite_is_no_picture():
    bright = np.full((4, 4, 3), 200, np.uint8)
    with pytest.raises(NotFiniteError, match="infinite or not a number"):
        upscale_pixels(Broken(), bright, CPU)
    assert np.array_equal(upscale_pixels(Broken(), bright // 4, CPU), bright // 4)


def test_a_picture_without_measures_leaves_no_mean():
    dark = smooth_picture(32, 32, 0) // 4
    pairs = [ValidationPair("dark", dark, dark, False), ValidationPair("bright", dark + 180, dark + 180, False)]
    shown = []
    upscale = network_upscaler(Broken(), CPU, choose_compute(CPU, "32", "auto").exact())
    lpips = Perceptual(Lpips("alex", "random"), CPU)
    rows, _ = measured(upscale, pairs, 1, lambda number, _: shown.append(number), lpips)
    values, alone = means(rows), means(rows[:1])
    assert shown == [0]
    assert all(map(math.isnan, values.values()))
    assert values.keys() == alone.keys()


@pytest.mark.usefixtures("one_thread")
def test_a_run_whose_validation_is_nan(train, tmp_path, monkeypatch, sr):
    whole = Espcn.forward
    monkeypatch.setattr(Espcn, "forward", lambda self, lr: whole(self, lr) * (1 if self.training else math.nan))
    code, out, err = train("run_dir=run", "schedule=plateau")
    assert code == 0, err
    assert "update 2: what the network makes of the validation pictures is infinite or not a number" in out
    told = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert told["best"] == {}
    assert told["final"]["psnr_y"] is None
    assert told["bicubic"]["psnr_y"] > 0
    assert not (tmp_path / "run" / "best.safetensors").exists()
    network = tmp_path / "run" / "last.safetensors"
    code, out, _ = sr("evaluate", network, "--set", tmp_path / "pictures", "--csv", "t.csv")
    assert code == 0
    assert "what the network makes of 6 of 6 pictures is infinite or not a number" in out
    assert ",6,,,,," in (tmp_path / "t.csv").read_text()
    code, _, err = sr("upscale", tmp_path / "pictures", "-o", "out", "--model", network)
    assert code == 1
    assert "picture_0.png: what the network makes of this picture is infinite or not a number" in err
    assert not list((tmp_path / "out").rglob("*.png"))


# ------------------------------------------------------------------------------------- who listens


@pytest.mark.parametrize("bad", BAD)
def test_best_takes_numbers_only(bad):
    for metric in ("psnr_y", "lpips"):
        best = Best(metric)
        best.take({metric: bad}, 1)
        assert best.updates == -1
        best.take({metric: 1.0}, 2)
        best.take({metric: bad}, 3)
        assert (best.updates, best.values) == (2, {metric: 1.0})
        frozen = Best(metric, {metric: bad}, 1)  # by an earlier version
        frozen.take({metric: 1.0}, 2)
        assert frozen.updates == 2


@pytest.mark.parametrize("bad", BAD)
def test_a_plateau_counts_it_as_no_new_best(bad):
    for mode in ("max", "min"):
        schedule = Plateau(patience=2, mode=mode)
        for value in (bad, 30.0, bad):
            schedule.observe(value)
        assert (abs(schedule.best), schedule.stale) == (30.0, 1)
        schedule.load_state_dict({"current": 1.0, "best": bad, "stale": 0})
        schedule.observe(20.0)
        assert abs(schedule.best) == 20.0


@pytest.mark.parametrize("bad", BAD)
def test_a_raised_weight_counts_it_as_worse(bad):
    weight = RaiseWhileImproving(1.0, 2.0, 16.0)
    for value in (bad, 30.0, 31.0, bad, 32.0):
        weight.observe(value)
    assert weight(0) == 2.0  # 31 raises, what is bad lowers, 32 raises
    weight.load_state_dict({"current": 4.0, "best": bad, "worse": 0})
    weight.observe(20.0)
    assert (weight.best, weight(0)) == (20.0, 4.0)


def test_the_colour_alarm_is_not_fooled():
    said = []
    alarm = ColourAlarm(0.008, said.append)
    for error in (0.05, math.nan, 0.05):
        alarm.judge(error, 1, 0.1, ())
    assert said == [], "NaN is not within the bound"
