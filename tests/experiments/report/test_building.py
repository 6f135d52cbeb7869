"""From run folders to the object of the page."""

import json
import math
from datetime import date

import numpy as np
import pytest

from sr.errors import UserError
from sr.experiments.groups import MOST, compared
from sr.experiments.report.building import Wanted, metrics
from sr.experiments.report.curves import curves, kept_rows
from sr.experiments.report.writing import as_script
from sr.locks import alone
from sr.training.keeping.claim import LOCK
from tests.experiments.report.made_runs import Made, rows_below, write_run, write_zoo


@pytest.mark.parametrize(("count", "validated"), [(10, [9]), (5000, range(0, 5000, 100)), (5000, range(5000))])
def test_rows_are_thinned_evenly(count, validated):
    kept = kept_rows([row in set(validated) for row in range(count)], 300)
    assert kept == sorted(set(kept))
    assert len(kept) <= 300
    assert (kept[0], kept[-1]) == (0, count - 1)
    if len(validated) < 300:
        assert set(validated) <= set(kept)
        assert max(np.diff(kept)) <= 2 * max(1, count // (300 - len(validated)))


def test_curves_of_a_run(tmp_path):
    (row,) = rows_below(tmp_path / "runs", Made(updates=(10, 18), gain=math.pi))
    row.run.folder.metrics.write_text(
        "updates,train/g/total,train/seconds,val/psnr_y,empty\n"
        "10,0.123456789,2,,\n15,nan,,31,\n20,inf,4,,\n25,1e-12,,,\n"
    )
    assert curves(row.run) == {
        "updates": [10, 15, 20, 25],
        "seconds": [2.0, 3.0, 4.0, 4.0],
        "columns": {"train/g/total": [0.123457, None, None, 1e-12], "val/psnr_y": [None, 31.0, None, None]},
    }
    row.run.folder.metrics.write_text("updates,val/psnr_y\n10,1\n")
    assert curves(row.run)["seconds"] is None
    row.run.folder.metrics.write_text("updates,val/psnr_y\n,1\n")
    with pytest.raises(UserError, match="has rows without a number of updates"):
        curves(row.run)
    row.run.folder.metrics.unlink()
    assert curves(row.run) == {"updates": [], "seconds": None, "columns": {}}


def test_runs_of_every_state_have_an_entry(tmp_path, made):
    write_zoo(tmp_path / "runs")
    write_run(tmp_path / "runs" / "running", Made(seed=6, ended=None))
    with alone(tmp_path / "runs" / "running" / LOCK):
        report, said = made()
    runs = {run["name"]: run for run in report["runs"]}
    assert {name: run["state"] for name, run in runs.items()} == {
        "cut_off": "cut off",
        "damaged": "cut off",
        "exploded": "exploded",
        "failed": "failed",
        "finished": "finished",
        "foreign": "foreign",
        "interrupted": "interrupted",
        "running": "running",
    }
    assert [run["id"] for run in report["runs"]] == list(range(8))
    assert runs["failed"]["sentence"] == "data.train=nowhere does not exist"
    assert runs["failed"]["curves"] == {"updates": [], "seconds": None, "columns": {}}
    assert (runs["failed"]["seed"], runs["failed"]["best_updates"], runs["failed"]["seconds"]) == (None, None, None)
    (event,) = runs["exploded"]["events"]
    assert (event["updates"], event["what"]) == (25, "exploded at update 25")
    assert event["replay"].endswith("sr replay " + str(tmp_path / "runs/exploded/bugs/update_25_batch_50.bug"))
    assert runs["running"]["final"] == {"psnr_y": 31.0}
    assert any("damaged" in line and "metrics.csv" in line for line in said)
    for run in report["runs"]:
        assert run["id"] in report["groups"][run["group"]]["runs"]


def test_what_a_run_says(tmp_path, made):
    write_run(tmp_path / "runs" / "one", Made(seed=3, choices={"model": "espcn"}))
    report, said = made()
    assert said == []
    (run,) = report["runs"]
    assert {
        key: run[key] for key in ("id", "name", "state", "sentence", "group", "seed", "scale", "updates", "on")
    } == {
        "id": 0,
        "name": "one",
        "state": "finished",
        "sentence": "",
        "group": 0,
        "seed": 3,
        "scale": 2,
        "updates": 30,
        "on": 0,
    }
    assert (run["seconds"], run["pictures_per_second"], run["parameters"], run["recoveries"]) == (12.5, 32.0, 71196, 0)
    assert (run["final"], run["best_updates"]) == ({"psnr_y": 31.0, "ssim_y": 0.9}, 30)
    assert run["bicubic"] == {"psnr_y": 30.0, "ssim_y": 0.8}
    assert run["command"] == "python train.py seed=3"
    assert run["config"] == (tmp_path / "runs" / "one" / "config.yaml").read_text()
    assert run["settings"] == {}
    assert run["curves"]["updates"] == [5, 10, 15, 20, 25, 30]
    assert run["curves"]["seconds"] == [2.5, 5, 7.5, 10, 12.5, 15]
    assert (report["version"], report["title"], report["made"]) == (1, "a title", "2026-11-30")
    assert report["command"] == "sr report runs"
    assert [one["name"] for one in report["metrics"]] == ["psnr_y", "ssim_y"]


def test_metrics_by_set(tmp_path):
    (row,) = rows_below(tmp_path / "runs", Made())
    values = dict.fromkeys(("b/lpips", "b/psnr_y", "a/psnr_y", "colour_error", "sharpness", "psnr_y", "strange"), 1.0)
    (told,) = [type(row)(**{**vars(row), "final": values, "best": {}, "bicubic": {}})]
    assert [(one["name"], one["better"], one["digits"], one["unit"]) for one in metrics([told])] == [
        ("psnr_y", 1, 2, "dB"),
        ("sharpness", 0, 3, ""),
        ("colour_error", -1, 5, ""),
        ("strange", 0, 4, ""),
        ("b/psnr_y", 1, 2, "dB"),
        ("b/lpips", -1, 4, ""),
        ("a/psnr_y", 1, 2, "dB"),
    ]


def test_other_scales_and_other_pictures_are_not_compared(tmp_path, made):
    write_run(tmp_path / "runs" / "one", Made())
    write_run(tmp_path / "runs" / "two", Made(settings={"scale": 4}))
    write_run(tmp_path / "runs" / "three", Made(pictures={"": ["x.png"]}, settings={"optimizer": {"lr": 1}}))
    report, _ = made()
    assert len({run["on"] for run in report["runs"]}) == 3
    assert report["comparisons"] == []
    assert all(len(picture["runs"]) == 1 for picture in report["pictures"])


def test_groups_are_compared(tmp_path, made):
    names = [f"{number}.png" for number in range(8)]
    for seed in (1, 2):
        write_run(tmp_path / "runs" / f"a{seed}", Made(seed, pictures={"": names}))
        write_run(
            tmp_path / "runs" / f"b{seed}", Made(seed, pictures={"": names}, gain=3, settings={"optimizer": {"lr": 1}})
        )
    write_run(tmp_path / "runs" / "a3", Made(3, pictures={"": names}, gain=-9, ended="interrupted"))
    report, _ = made()
    assert [group["runs"] for group in report["groups"]] == [[0, 1, 2], [3, 4]]
    (psnr,) = [one for one in report["comparisons"] if one["metric"] == "psnr_y"]
    assert (psnr["a"], psnr["b"], psnr["words"]) == (0, 1, "larger than chance")
    assert psnr["difference"] == pytest.approx(2, abs=1e-5), "the interrupted run does not count"
    assert psnr["low"] <= psnr["difference"] <= psnr["high"]


def test_too_many_groups_are_told(tmp_path):
    one = rows_below(tmp_path / "runs", Made())
    many = one * (MOST + 1)
    said: list[str] = []
    assert compared(many, [type("G", (), {"name": "", "runs": (n,)})() for n in range(len(many))], said.append) == []
    assert said == [
        f"{MOST + 1} groups of runs are too many to compare two by two (at most {MOST}); report fewer at a time"
    ]


def test_names_end_no_script(tmp_path, made):
    hostile = "</script><script>alert(1)</script>"
    write_run(tmp_path / "runs" / "<script>\u202e", Made(settings={"experiment": hostile, "x": "\x1b[31m"}))
    report, _ = made(Wanted(hostile, "", date(2026, 1, 1)))
    text = (tmp_path / "out" / "data.js").read_text("ascii")
    assert "<" not in text
    assert report["title"] == hostile
    assert report["runs"][0]["name"] == "<script>\\u202e"
    assert "\x1b" not in json.dumps(report["runs"][0]["config"])


def test_no_infinite_number_leaves():
    with pytest.raises(ValueError, match="JSON"):
        as_script({"a": math.inf})
