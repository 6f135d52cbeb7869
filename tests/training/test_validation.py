"""Validation: several metrics that keep the best, what is watched beside them, and the alarm about colours."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from sr.data.pairs import ValidationPair
from sr.losses.lpips import Lpips
from sr.models.files import load_network
from sr.models.upscale import upscale_pixels
from sr.training.colour_alarm import ColourAlarm
from sr.training.columns import Best, means, monitored
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.perceptual import Perceptual
from sr.training.validation import measure_pair, measured
from sr.types import UserError
from tests.conftest import smooth_picture

CPU = torch.device("cpu")


def table(folder):
    with (folder / "metrics.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["val/psnr_y"]]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


# ------------------------------------------------------------------------------------- several metrics


@pytest.mark.parametrize(
    ("monitor", "names"), [("lpips", ("lpips",)), (["psnr_y", "lpips"], ("psnr_y", "lpips")), (["ssim_y"], ("ssim_y",))]
)
def test_one_metric_or_several(monitor, names):
    assert monitored(monitor, with_lpips=True) == names


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ("trainer.monitor=psnr", "trainer.monitor=psnr is not a metric; did you mean psnr_y or psnr_rgb?"),
        ("trainer.monitor=[psnr_y,lpip]", "trainer.monitor=lpip is not a metric; did you mean lpips?"),
        (
            "trainer.monitor=fid",
            "trainer.monitor=fid is not a metric; choose one of psnr_y, ssim_y, psnr_rgb, ssim_rgb, lpips",
        ),
        ("trainer.monitor=null", "trainer.monitor=null is not a metric; choose one of psnr_y"),
        ("trainer.monitor=3", "trainer.monitor=3 is not a metric; choose one of psnr_y"),
        ("trainer.monitor=[]", "trainer.monitor=[] names no metric; choose from psnr_y, ssim_y"),
        ("trainer.monitor=[psnr_y,psnr_y]", "trainer.monitor=[psnr_y,psnr_y] names psnr_y twice; once is enough"),
        (
            "trainer.monitor=[psnr_y,lpips]",
            "trainer.monitor=lpips cannot be measured: trainer.lpips is null, or the weights of AlexNet",
        ),
        # The first decides what a plateau listens to.
        ("trainer.monitor=[psnr_y,ssim_y] schedule=plateau schedule.mode=min", "set schedule.mode=max"),
    ],
)
def test_what_cannot_be_monitored_is_refused(train, tmp_path, monitor, message):
    code, _, err = train(*monitor.split())
    assert code == 2
    assert err.startswith("error: ")
    assert message in err
    assert not list(tmp_path.glob("outputs/*"))


def test_best_of_several_validations():
    by_psnr, by_lpips = Best("psnr_y"), Best("lpips")
    for updates, (psnr, distance) in enumerate([(30.0, 0.3), (31.0, 0.4), (31.0, 0.2), (29.0, 0.2)]):
        for best in (by_psnr, by_lpips):
            best.take({"psnr_y": psnr, "lpips": distance}, updates)
    assert (by_psnr.updates, by_psnr.values) == (1, {"psnr_y": 31.0, "lpips": 0.4})
    assert (by_lpips.updates, by_lpips.values) == (2, {"psnr_y": 31.0, "lpips": 0.2})


def test_of_networks_with_one_picture_the_last_is_the_best():
    """A feature net's picture is bicubic however long it learns; LPIPS of pictures that are too small is NaN."""
    best, nan = Best("psnr_y"), float("nan")
    values = [(30.0, nan), (29.0, nan), (30.0, nan), (30.0, 0.3)]
    taken = [best.take({"psnr_y": psnr, "lpips": distance}, updates) for updates, (psnr, distance) in enumerate(values)]
    assert best.updates == 2
    assert taken == [True, False, False, False], "what is as good is no improvement"


MANY = ["trainer.lpips=random", "trainer.monitor=[psnr_y,ssim_rgb,lpips]", "optimizer.lr=3e-3", "schedule=constant"]
MANY += ["trainer.val_every=1", "trainer.ema=null", "trainer.precision=32"]


@pytest.fixture
def by_three(train, tmp_path):
    """A run that keeps the best by three metrics; its standard output and its folder."""
    code, out, err = train(*MANY, "trainer.max_updates=8", "run_dir=run")
    assert code == 0, err
    return out, tmp_path / "run"


def test_each_metric_keeps_its_best_network(by_three, pictures):
    out, run = by_three
    rows, told = table(run), summary(run)
    pair = np.asarray(Image.open(pictures / "below" / "picture_1.png"))
    assert pair.shape == (68, 80, 3)
    found = {}
    for metric, better in (("psnr_y", max), ("ssim_rgb", max), ("lpips", min)):
        file = "best.safetensors" if metric == "psnr_y" else f"best_{metric}.safetensors"
        best = told["best"] if metric == "psnr_y" else told["best_by"][metric]
        expected = better(rows, key=lambda row, metric=metric: float(row[f"val/{metric}"]))
        assert best["updates"] == int(expected["updates"])
        assert best[metric] == pytest.approx(float(expected[f"val/{metric}"]), rel=1e-6)
        network, about = load_network(run / file)
        assert about.extra["updates"] == best["updates"]
        assert about.extra["metrics"][metric] == best[metric]
        found[metric] = best["updates"], network
    assert len({updates for updates, _ in found.values()}) > 1, "they must differ to test anything"
    assert told["monitor"] == "psnr_y"
    assert list(told["best_by"]) == ["ssim_rgb", "lpips"]
    assert told["best_by"]["lpips"]["file"] == "best_lpips.safetensors"
    at = told["best_by"]["lpips"]
    assert f"best by lpips: {at['lpips']:.4f} at {at['updates']} updates, best_lpips.safetensors" in out
    # The file holds the network of that validation, not a later one: measured again it gives what the table says.
    torch.manual_seed(0)
    values = [measured_again(found["lpips"][1], path) for path in validation_pictures(pictures)]
    assert np.mean([v["psnr_y"] for v in values]) == pytest.approx(at["psnr_y"], abs=1e-3)


def validation_pictures(folder):
    """The two that validation takes: the first in the order of their paths."""
    return sorted(folder.rglob("*.png"), key=str)[:2]


def measured_again(network, path):
    from sr.degradations.bicubic import Bicubic

    hr = np.asarray(Image.open(path).convert("RGB"))
    lr = Bicubic(2).picture(hr)
    return measure_pair(upscale_pixels(network.eval(), lr, CPU), ValidationPair(path.name, lr, hr, False), 2)


@pytest.mark.slow
def test_stopped_and_resumed_keeps_the_best_by_each_metric(train, tmp_path, by_three):
    _, whole = by_three
    assert train(*MANY, "trainer.max_updates=4", "run_dir=parts")[0] == 0
    assert train("resume=parts", "trainer.max_updates=8", defaults=False)[0] == 0
    states = [read_checkpoint(tmp_path / name / "checkpoints" / "last.ckpt")["validation"] for name in ("run", "parts")]
    assert states[0] == states[1]
    assert list(states[0]["others"]) == ["ssim_rgb", "lpips"]
    for key in ("best", "best_by"):
        assert summary(whole)[key] == summary(tmp_path / "parts")[key]


def test_another_metric_joins_on_resume(train, tmp_path):
    assert train("run_dir=run", "trainer.lpips=random", "optimizer.lr=3e-3", "schedule=constant")[0] == 0
    before = summary(tmp_path / "run")["best"]
    more = ["trainer.monitor=[psnr_y,lpips]", "trainer.max_updates=6"]
    code, out, err = train("resume=run", *more, defaults=False)
    assert code == 0, err
    assert "trainer.monitor=['psnr_y', 'lpips'] (was psnr_y)" in out
    after = summary(tmp_path / "run")
    assert after["best_by"]["lpips"]["updates"] == 6  # the first validation since
    assert after["best"]["psnr_y"] >= before["psnr_y"]


def test_a_checkpoint_from_before_there_were_others_is_taken_up(train, tmp_path):
    from sr.training.keeping.checkpoint import write_checkpoint

    assert train("run_dir=run")[0] == 0
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    state = read_checkpoint(path)
    del state["validation"]["others"], state["validation"]["alarm"]
    write_checkpoint(path, state)
    assert train("resume=run", "trainer.max_updates=6", defaults=False)[0] == 0


def test_schedules_are_told_the_first_metric(train, tmp_path):
    # The weight rises with every validation at least as good by the first: the sequence follows from the table.
    rising = "loss.terms.l1.weight={_target_:sr.losses.weights.RaiseWhileImproving,start:1.0,factor:2.0,maximum:1e9}"
    monitor = "trainer.monitor=[lpips,psnr_y]"
    assert (
        train(*[m for m in MANY if "monitor" not in m], monitor, rising, "trainer.max_updates=8", "run_dir=a")[0] == 0
    )
    told = [-float(row["val/lpips"]) for row in table(tmp_path / "a")]
    other = [float(row["val/psnr_y"]) for row in table(tmp_path / "a")]
    state = read_checkpoint(tmp_path / "a" / "checkpoints" / "last.ckpt")["trained"]["objective"]["l1"]
    assert state["current"] == pytest.approx(raised(told))
    assert raised(told) != raised(other), "they must differ to test anything"


@pytest.mark.slow
def test_a_generator_that_rests_is_no_standstill(train, tmp_path):
    """Where the discriminator learns alone, validations find the very same generator; a plateau must not cut for it."""
    phases = [
        "loss.terms.l1.weight={_target_:sr.losses.weights.Phases,phases:[[0,1.0],[2,0.0]]}",
        "adversary.d.weight={_target_:sr.losses.weights.Phases,phases:[[0,0.0],[9,0.1]]}",
        "adversary.d.policy.start=2",
    ]
    settings = ["trainer.val_every=1", "trainer.max_updates=7", "schedule=plateau", "schedule.patience=3"]
    assert train("adversary=lsgan", "discriminator=conv", *phases, *settings, "run_dir=run")[0] == 0
    values = [row["val/psnr_y"] for row in table(tmp_path / "run")]
    assert len(set(values[2:])) == 1, "the generator must rest to test anything"
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["trained"]["schedule"]
    assert state["current"] == 1.0
    assert state["stale"] <= 1
    stop = ["callbacks=early_stop", "callbacks.early_stop.patience=3"]
    assert train("adversary=lsgan", "discriminator=conv", *phases, *settings, *stop, "run_dir=patient")[0] == 0
    assert summary(tmp_path / "patient")["exit_reason"] == "max_updates", "nor must early_stop end the run for it"


def raised(values):
    """The weight after these validations, by the words of the class: a first mark, then times or divided by 2."""
    weight, best = 1.0, values[0]
    for value in values[1:]:
        weight = weight * 2 if value >= best else max(weight / 2, 1.0)
        best = max(best, value)
    return weight


# ------------------------------------------------------------------------------------- colours and checkerboards


def test_colour_error_and_checkerboard_by_hand():
    lr = np.full((16, 16, 3), 100, np.uint8)
    hr = np.full((32, 32, 3), 100, np.uint8)
    sr = hr.copy()
    sr[:, :, 0] += 51  # red is off by 0.2: the mean over three channels is 0.2 / 3
    sr[::2, ::2, 1] += 51  # one pixel of four is off by 0.2: mean 0.05, and 0.05 * sqrt(3) in root mean square
    values = measure_pair(sr, ValidationPair("a", lr, hr, False), 2)
    assert values["colour_error"] == pytest.approx((0.2 + 0.05) / 3, abs=1e-6)
    # Of three channels one has the pattern: the mean square is a third.
    assert values["checkerboard"] == pytest.approx(0.05 * np.sqrt(3) / np.sqrt(3), abs=1e-6)
    assert values["checkerboard_local"] == pytest.approx(0.05, abs=1e-6)  # the same all over
    same = measure_pair(hr, ValidationPair("a", lr, hr, False), 2)
    assert (same["colour_error"], same["checkerboard"]) == pytest.approx((0, 0), abs=1e-6)
    assert "checkerboard" not in measure_pair(hr, ValidationPair("a", hr, hr, False), 1)


def test_each_picture_is_upscaled_once():
    hr = smooth_picture(40, 40, 1)
    pairs = [ValidationPair("a", hr[::2, ::2], hr, False), ValidationPair("b", hr[1::2, ::2], hr, False)]
    seen = []

    def upscale(lr, gray):
        seen.append(lr)
        return lr.repeat(2, axis=0).repeat(2, axis=1) // len(seen)  # the second is half as bright

    rows, _ = measured(upscale, pairs, 2, lpips=Perceptual(Lpips("alex", "random"), CPU))
    values = means(rows)
    assert len(seen) == 2
    darker = pairs[1].lr / 255 - pairs[1].lr // 2 / 255
    # Repeated pixels keep the mean, so the first adds nothing to the mean over two pictures.
    assert values["colour_error"] == pytest.approx(darker.mean(axis=(0, 1)).mean() / 2, abs=1e-6)


def test_every_validation_writes_both(train, tmp_path, pictures):
    assert train("run_dir=run", "optimizer.lr=1e-2", "trainer.ema=null", "trainer.precision=32")[0] == 0
    rows = table(tmp_path / "run")
    assert [row["updates"] for row in rows] == ["2", "4"]
    network, _ = load_network(tmp_path / "run" / "last.safetensors")
    again = [measured_again(network, path) for path in validation_pictures(pictures)]
    for name in ("colour_error", "checkerboard", "checkerboard_local"):
        assert float(rows[-1][f"val/{name}"]) == pytest.approx(np.mean([values[name] for values in again]), abs=1e-6)
        assert float(rows[-1][f"val/bicubic/{name}"]) > 0


# ------------------------------------------------------------------------------------- the alarm


def judged(errors, bound=0.008, progress=0.1, truth=0.0, opponents=("d",)):
    """Numbers of the validations at which a line was told, and the lines."""
    said = []
    alarm = ColourAlarm(bound, said.append)
    alarm.truth = truth
    at = []
    for number, error in enumerate(errors):
        before = len(said)
        alarm.judge(error, number, progress, opponents)
        at += [number] * (len(said) - before)
    return at, said


@pytest.mark.parametrize(
    ("errors", "more", "expected"),
    [
        ([0.001, 0.007, 0.02, 0.03, 0.001, 0.03], {}, [2]),  # once only
        ([0.05, 0.04, 0.03], {}, []),  # not yet trained
        ([0.05, 0.004, 0.009], {}, [2]),
        ([0.05, 0.04], {"progress": 0.5}, [0]),  # from the middle on that is no excuse
        ([0.001, 0.5], {"bound": None}, []),
        ([0.0, 0.001], {"bound": 0.0}, [1]),
        ([0.02, 0.025, 0.029], {"truth": 0.02}, [2]),  # the degradation itself changes colours by 0.02
    ],
)
def test_when_the_alarm_goes_off(errors, more, expected):
    assert judged(errors, **more)[0] == expected


def test_what_the_alarm_says():
    (line,) = judged([0.0, 0.02], opponents=["d", "d_gradient"])[1]
    assert line == (
        "update 1: the mean colours of the validation pictures are off by 0.0200, 5.1 of 255 levels "
        "(trainer.colour_alarm=0.008); lower adversary.d.weight, or lower adversary.d_gradient.weight, or raise the "
        "weight of the pixel loss, or add lr_consistency to loss"
    )
    assert "adversary" not in judged([0.0, 0.02], opponents=[])[1][0]


@pytest.mark.slow
def test_the_alarm_in_a_run(train, tmp_path):
    told = re.compile(r"^update (\d+): the mean colours of the validation pictures are off by 0\.\d{4}", re.MULTILINE)
    code, out, err = train("run_dir=run", "trainer.colour_alarm=0", "trainer.max_updates=6", "optimizer.lr=1e-2")
    assert code == 0, err
    assert told.findall(out) == ["4"]  # the first validation from the middle on, and once only
    code, out, err = train("resume=run", "trainer.max_updates=8", defaults=False)
    assert code == 0, err
    assert told.findall(out) == []
    assert not told.findall(train("trainer.colour_alarm=null", "optimizer.lr=1e-2")[1])


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan"])
def test_a_bound_that_is_none(train, value):
    code, _, err = train(f"trainer.colour_alarm={value}")
    assert code == 2
    assert f"trainer.colour_alarm={value} must be from 0 to 1 (0.008 is 2 of 255), or null for none" in err


def test_alarms_need_a_share():
    with pytest.raises(UserError, match=r"trainer\.colour_alarm=2 must be"):
        ColourAlarm(2.0, print)


@pytest.mark.slow
def test_the_first_metric_of_a_run_stays_the_first(train):
    assert train("trainer.monitor=psnr_y", "trainer.max_updates=2", "run_dir=run")[0] == 0
    again = ["resume=run", "trainer.max_updates=4"]
    code, _, err = train(*again, "trainer.monitor=[ssim_y,psnr_y]", defaults=False)
    assert code == 2
    assert (
        "trainer.monitor=ssim_y, but best.safetensors of this run is the best by psnr_y; put that first: "
        "trainer.monitor=[psnr_y,ssim_y]" in err
    )
    assert train(*again, "trainer.monitor=[psnr_y,ssim_y]", defaults=False)[0] == 0


def test_a_list_without_brackets_is_told(train):
    code, _, err = train("trainer.monitor=psnr_y,ssim_y")
    assert code == 2
    assert (
        "trainer.monitor=psnr_y,ssim_y names several values; for a list write 'trainer.monitor=[psnr_y,ssim_y]', for a "
        "run with each add -m" in err
    )


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("ema", ["0.5", "null"])
def test_a_validation_gives_the_digits_of_sr_evaluate(train, sr, tmp_path, pictures, ema):
    more = [
        "trainer.precision=bf16",
        "model=espcn_plain",
        "model.features=16",
        "optimizer.lr=1e-2",
        f"trainer.ema={ema}",
    ]
    code, out, err = train("run_dir=run", "data.val_pictures=6", *more)
    assert code == 0, err
    assert "bf16 autocast, channels_last" in out
    assert sr("evaluate", tmp_path / "run" / "last.safetensors", "--set", pictures, "--csv", "t.csv")[0] == 0
    with (tmp_path / "t.csv").open() as file:
        _, measured = csv.DictReader(file)
    last = table(tmp_path / "run")[-1]
    for name in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "sharpness"):
        assert f"{float(last[f'val/{name}']):.6f}" == measured[name], name


@pytest.mark.slow
def test_a_plateau_of_windows_goes_on_where_it_was_and_ends_the_run(train, tmp_path):
    settings = ["schedule=plateau_windows", "schedule.window=2", "schedule.threshold=9", "trainer.val_every=1"]
    assert train(*settings, "trainer.max_updates=9", "run_dir=whole")[0] == 0
    assert train(*settings, "trainer.max_updates=3", "run_dir=resumed")[0] == 0
    assert train("resume=resumed", "trainer.max_updates=9", defaults=False)[0] == 0
    for name in ("whole", "resumed"):  # cuts at 2, 4 and 6, of which the third is below 0.01
        assert [summary(tmp_path / name)[key] for key in ("exit_reason", "updates")] == ["no_improvement", 6]
        rates = [float(row["train/lr"]) for row in table(tmp_path / name)]
        assert [rate / rates[0] for rate in rates] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
