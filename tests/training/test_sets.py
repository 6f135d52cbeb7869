"""Several validation sets in one run, pictures without a truth, and what is kept of each picture."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from sr.config.parsed import with_sets_alone
from sr.data.kinds.sources import Folder
from sr.data.sets import first_pictures, short_names, validation_sets
from sr.image.io import read_visible
from sr.image.resize import imresize
from sr.models.files import load_network
from sr.training.columns import METRICS, monitored, named_means
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.keeping.tables import PictureTable
from sr.types import UserError
from tests.conftest import smooth_picture
from tests.training.test_ddp import run as run_alone

LEARNING = ["optimizer.lr=3e-3", "schedule=constant", "trainer.ema=null", "trainer.precision=32", "model.features=8"]


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def validated(folder):
    return [row for row in table(folder / "metrics.csv") if row["val/psnr_y"]]


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture
def folders(tmp_path):
    """Two sets: ``clean`` of three pictures, and ``dark`` with given twins that are darker than bicubic makes them."""
    for number in range(3):
        save(tmp_path / "clean" / f"{number}.png", smooth_picture(40 + 4 * number, 48, 20 + number))
    for number in range(2):
        hr = smooth_picture(44, 48 + 4 * number, 30 + number)
        save(tmp_path / "dark" / "hr" / f"{number}.png", hr)
        save(tmp_path / "dark" / "lr" / f"{number}x2.png", (imresize(hr, 0.5) * 0.9).astype(np.uint8))
    return tmp_path / "clean", tmp_path / "dark"


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def both(folders):
    clean, dark = folders
    return [f"data.val={{dark:{dark}/hr,clean:{clean}}}", f"data.val_lr={{dark:{dark}/lr}}", "data.val_pictures=null"]


# ------------------------------------------------------------------------------------- the same digits


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_named_sets_give_the_digits_of_separate_runs(train, tmp_path, folders):
    clean, dark = folders
    code, out, err = train(*LEARNING, *both(folders), "run_dir=both")
    assert code == 0, err
    alone = {"dark": [f"data.val={dark}/hr", f"data.val_lr={dark}/lr"], "clean": [f"data.val={clean}"]}
    joint = validated(tmp_path / "both")
    assert [row["updates"] for row in joint] == ["2", "4"]
    for name, settings in alone.items():
        assert train(*LEARNING, *settings, "data.val_pictures=null", f"run_dir={name}")[0] == 0
        for row, own in zip(joint, validated(tmp_path / name), strict=True):
            for column in (c for c in own if c.startswith("val/")):
                place, _, metric = column.rpartition("/")
                assert row[f"{place}/{name}/{metric}"] == own[column], column
                if name == "dark":
                    assert row[column] == own[column], "the first set is the main one"
        told, of_own = summary(tmp_path / "both"), summary(tmp_path / name)
        for key in ("bicubic", "final"):
            assert {m: told[key][f"{name}/{m}"] for m in of_own[key]} == of_own[key]
    assert summary(tmp_path / "both")["best"]["psnr_y"] == summary(tmp_path / "dark")["best"]["psnr_y"]
    weights = [load_network(tmp_path / name / "last.safetensors")[0].state_dict() for name in ("both", "clean")]
    assert all((weights[0][key] == weights[1][key]).all() for key in weights[0])
    shown = sorted(path.relative_to(tmp_path / "both" / "val").as_posix() for path in tmp_path.glob("both/val/*/*.png"))
    assert shown == ["clean/00_0.png", "clean/01_1.png", "clean/02_2.png", "dark/00_0.png", "dark/01_1.png"]
    check_rows(tmp_path / "both")
    final = summary(tmp_path / "both")["final"]
    line = next(line for line in out.splitlines() if "│ clean" in line)
    assert f"{final['clean/psnr_y']:.2f}" in line
    assert f"{final['clean/psnr_y'] - told['bicubic']['clean/psnr_y']:+.2f}" in line


def check_rows(run):
    """Every picture of every set has its row after each validation, and their means are what the run's table says."""
    rows = table(run / "val" / "metrics.csv")
    assert list(rows[0])[:7] == ["updates", "set", "picture", *METRICS]
    names = [("dark", "0.png"), ("dark", "1.png"), ("clean", "0.png"), ("clean", "1.png"), ("clean", "2.png")]
    assert [(row["set"], row["picture"]) for row in rows] == names * 2
    for of_all in validated(run):
        for name in ("dark", "clean"):
            own = [r for r in rows if r["updates"] == of_all["updates"] and r["set"] == name]
            for metric in (*METRICS, "sharpness", "colour_error"):
                mean = np.mean([float(row[metric]) for row in own])
                assert mean == pytest.approx(float(of_all[f"val/{name}/{metric}"]), rel=1e-6)


def test_means_by_column():
    rows = {"a": [{"psnr_y": 1.0}, {"psnr_y": 2.0}], "b": [{"psnr_y": 5.0}]}
    assert named_means(rows) == {"psnr_y": 1.5, "a/psnr_y": 1.5, "b/psnr_y": 5.0}
    assert named_means({"": [{"psnr_y": 1.0}]}) == {"psnr_y": 1.0}


# ------------------------------------------------------------------------------------- going on


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_stopped_and_resumed_is_never_stopped(train, tmp_path, folders):
    more = [*LEARNING, *both(folders), "trainer.monitor=[psnr_y,clean/ssim_y]", "trainer.val_every=1"]
    assert train(*more, "trainer.max_updates=4", "run_dir=whole")[0] == 0
    assert train(*more, "trainer.max_updates=2", "run_dir=parts")[0] == 0
    by_picture = tmp_path / "parts" / "val" / "metrics.csv"
    beyond = by_picture.read_text().splitlines()[-1]
    with by_picture.open("a") as file:  # killed after a validation, before its checkpoint; and in the middle of a row
        file.write(f"3{beyond[1:]}\r\n3,clean,1.p")
    assert train("resume=parts", "trainer.max_updates=4", defaults=False)[0] == 0
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert by_picture.read_bytes() == (whole / "val" / "metrics.csv").read_bytes()
    states = [read_checkpoint(path / "checkpoints" / "last.ckpt")["validation"] for path in (whole, parts)]
    assert states[0] == states[1]
    assert summary(whole)["best_by"] == summary(parts)["best_by"]
    best = summary(whole)["best_by"]["clean/ssim_y"]
    found = {row["updates"]: float(row["val/clean/ssim_y"]) for row in validated(whole)}
    assert best["clean/ssim_y"] == pytest.approx(max(found.values()), rel=1e-6)
    assert (whole / best["file"]).name == "best_clean_ssim_y.safetensors"
    assert load_network(whole / best["file"])[1].extra["updates"] == best["updates"]


@pytest.mark.slow
def test_sets_that_change_on_resume(train, tmp_path, folders):
    clean, dark = folders
    assert train(*LEARNING, "trainer.max_updates=1", "run_dir=run")[0] == 0
    (tmp_path / "run" / "val" / "metrics.csv").unlink()  # of before there was such a table
    again = ["resume=run", "trainer.max_updates=2"]
    code, _, err = train(*again, *both(folders), defaults=False)
    assert code == 0, err
    assert {row["updates"] for row in table(tmp_path / "run" / "val" / "metrics.csv")} == {"2"}
    again[1] = "trainer.max_updates=3"
    code, _, err = train(*again, f"data.val={{clean:{clean},dark:{dark}/hr}}", defaults=False)
    assert code == 2
    assert "data.val begins with clean, but the main set of this run is dark; put that first: data.val={dark:" in err
    code, out, err = train(*again, f"data.val={{dark:{dark}/hr,more:{clean}}}", defaults=False)
    assert code == 0, err
    assert "data.val.more=" in out
    last = table(tmp_path / "run" / "metrics.csv")[-1]
    assert last["val/more/psnr_y"]
    assert not last["val/clean/psnr_y"]


def test_a_table_of_pictures_replaces_a_validation_that_comes_again(tmp_path):
    path = tmp_path / "val" / "metrics.csv"
    kept = PictureTable(path)
    for updates in (2, 4):
        kept.add(updates, {"a": [("=x", {"psnr_y": float(updates)})], "b": [("y", {"psnr_y": np.nan})]})
    kept.add(2, {"a": [("=x", {"psnr_y": 3.0, "lpips": 0.5})]})
    assert path.read_text().splitlines() == [
        "updates,set,picture,psnr_y,lpips",
        "2,a,'=x,3,0.5",
        "4,a,'=x,4,",
        "4,b,y,,",
    ]
    again = PictureTable(path)
    again.resume_from(3)
    again.add(5, {"": [("z", {"psnr_y": 1.0})]})
    assert path.read_text().splitlines()[1:] == ["2,a,'=x,3,0.5", "5,,z,1,"]


@pytest.mark.slow
def test_two_processes_measure_the_same(tmp_path, pictures, folders):
    joint = [*both(folders), "trainer.max_updates=4", "trainer.precision=32"]
    one = run_alone(tmp_path, pictures, *joint, "data.batch_size=4", "run_dir=one")
    two = run_alone(tmp_path, pictures, *joint, "trainer=ddp", "data.batch_size=2", "run_dir=two")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    again = run_alone(tmp_path, pictures, "resume=two", "trainer.max_updates=6")
    assert again.returncode == 0, again.stderr
    rows = [table(tmp_path / name / "val" / "metrics.csv") for name in ("one", "two")]
    assert [row["updates"] for row in rows[1]] == [u for u in "246" for _ in range(5)]
    for expected, got in zip(rows[0], rows[1][: len(rows[0])], strict=True):
        assert float(got["psnr_y"]) == pytest.approx(float(expected["psnr_y"]), abs=1e-2)


# ------------------------------------------------------------------------------------- pictures without a truth


def test_pictures_without_a_truth_are_shown(train, tmp_path, folders):
    for number, (height, width) in enumerate([(33, 400), (9, 7), (50, 50)]):
        save(tmp_path / "frames" / f"{number}.png", smooth_picture(height, width, number))
    (tmp_path / "frames" / "1a.png").write_bytes(b"not a picture")
    code, out, err = train(
        *LEARNING, *both(folders), f"data.shown={tmp_path}/frames", "trainer.val_images=3", "run_dir=run"
    )
    assert code == 0, err
    assert "1 of the pictures of data.shown cannot be used: " in out
    shown = {path.name: read_visible(path).pixels.shape[1::-1] for path in tmp_path.glob("run/val/shown/*")}
    # Enlarged x2, at most 320 to a side, bicubic and the network side by side below a line of 16 pixels.
    assert shown == {"00_0.png": (640, 66 + 16), "01_1.png": (28, 18 + 16), "02_2.png": (200, 100 + 16)}
    assert "shown" not in {row["set"] for row in table(tmp_path / "run" / "val" / "metrics.csv")}
    network, _ = load_network(tmp_path / "run" / "last.safetensors")
    assert network.scale == 2


def test_nothing_to_show(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"1 of the pictures of data\.shown cannot be used: .*a\.png.*None is left"):
        first_pictures(Folder(str(tmp_path)), 4, print)
    assert first_pictures(Folder(str(tmp_path)), 0, print) == []


def test_names_without_what_they_share():
    assert short_names(["/a/b/1.png", "/a/b/c/1.png"]) == ["1.png", "c/1.png"]
    assert short_names(["/a/b/1.png"]) == ["1.png"]
    assert short_names(["astronaut", "camera"]) == ["astronaut", "camera"]
    assert short_names([]) == []


# ------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("val", "val_lr", "message"),
    [
        ({}, None, "data.val={} names no set; write data.val={NAME:DIR}, or data.val=null for no validation"),
        ({"": "P"}, None, "a set of data.val has an empty name; give it one, as in data.val={NAME:DIR}"),
        ({"a/b": "P"}, None, "data.val names a set 'a/b', and columns and folders are named after it; letters, digits"),
        ({"a": None}, None, "data.val.a=null is no set; give its folder, or leave it out with ~data.val.a"),
        ({"a": "nowhere"}, None, "there is no folder 'nowhere'"),
        ({"target": "P"}, {"targt": "P"}, "data.val_lr names targt, which is no set of data.val; did you mean target?"),
        ({"target": "P"}, {"x": None}, "data.val_lr names x, which is no set of data.val; choose from target"),
        ({"a": "P", "b": "P"}, "P", "is of one set, and data.val names a, b; write data.val_lr={NAME:DIR}"),
        ("P", {"a": "P"}, "data.val_lr names a, and data.val is one set without a name; name it too"),
        ({"a": "P"}, {"a": "P/below"}, "validation (a) pairs do not match: 6 pictures in"),
    ],
)
def test_bad_sets_are_one_sentence(pictures, val, val_lr, message):
    def here(given):
        return (
            {k: here(v) for k, v in given.items()} if isinstance(given, dict) else given and given.replace("P", place)
        )

    place = str(pictures)
    with pytest.raises(UserError) as error:
        validation_sets(here(val), here(val_lr), 2)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("data.val={'':P}", "is not an override; write name=value, with quotes around odd characters"),
        ("data.val={psnr_y:P}", "data.val names a set psnr_y, which val/psnr_y means already; call it psnr_y_set, say"),
        ("data.val={a:null}", "data.val.a=null is no set; give its folder"),
        ("data.val={a:P} trainer.monitor=b/psnr_y", "trainer.monitor=b/psnr_y is not a metric; did you mean a/psnr_y"),
        ("data.val={a:P} data.val_lr={a:P}", "6 of 6 validation (a) pairs do not fit scale=2: "),
    ],
)
def test_bad_sets_on_the_command_line(train, pictures, typed, message):
    code, _, err = train(*typed.replace("P", str(pictures)).split())
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_monitored_metrics_of_sets():
    assert monitored(["a/psnr_y", "lpips"], True, ["a"]) == ("a/psnr_y", "lpips")
    with pytest.raises(UserError, match=r"trainer\.monitor=a/lpips cannot be measured"):
        monitored("a/lpips", False, ["a"])
    with pytest.raises(UserError, match=r"trainer\.monitor=/psnr_y is not a metric"):
        monitored("/psnr_y", True, [""])


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("data.val={a:b}", ["++data.val=null", "data.val={a:b}"]),
        ("data.val_lr={a:b}", ["++data.val_lr=null", "data.val_lr={a:b}"]),
        ("++data.val={a:b}", ["data.val=null", "++data.val={a:b}"]),
        ("data.val={_target_:x}", ["data.val={_target_:x}"]),
        ("data.val=a", ["data.val=a"]),
        ("data.val={a:b},{c:d}", ["data.val={a:b},{c:d}"]),
        ("data.train={a:b}", ["data.train={a:b}"]),
        ("data.val", ["data.val"]),
    ],
)
def test_named_sets_take_the_place_of_a_source(typed, taken):
    assert with_sets_alone([typed]) == taken


def test_any_kind_of_data_takes_sets(train, tmp_path, pictures, folders):
    shutil.copytree(pictures, tmp_path / "photographs")
    photos = ["data=photos", f"data.root={tmp_path}/photographs", "data.train.source.side=32", "data.val_pictures=2"]
    small = ["data.crop=12", "data.batch_size=2", "trainer.max_updates=1", "trainer.accelerator=cpu"]
    named = f"data.val={{own:{{_target_:sr.data.kinds.sources.Folder,folders:{folders[0]}}},_b:{folders[0]}}}"
    code, _, err = train(*LEARNING, *photos, *small, named, "run_dir=run", defaults=False)
    assert code == 0, err
    row = validated(tmp_path / "run")[-1]
    assert row["val/own/psnr_y"] == row["val/_b/psnr_y"] == row["val/psnr_y"]
    assert [row["set"] for row in table(tmp_path / "run" / "val" / "metrics.csv")] == ["own"] * 2 + ["_b"] * 2
