"""A translation as a user trains it: two folders, the record of what is changed on the way, what is refused."""

import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from sr.training.keeping.tables import read_table
from tests.conftest import smooth_picture

SMALL = ["experiment=cyclegan/model2", "size=smoke", "logger=csv", "trainer.accelerator=cpu"]


@pytest.fixture
def sides(tmp_path):
    """Eight pictures of each of two sides, the second in other colours, of sizes that no halving divides."""
    for side, change in (("a", lambda picture: picture), ("b", ImageOps.invert)):
        (tmp_path / side).mkdir()
        for index in range(8):
            picture = Image.fromarray(smooth_picture(41 + index, 53, index + (20 if side == "b" else 0)))
            change(picture).save(tmp_path / side / f"{index}.png")
    return [f"data.a={tmp_path / 'a'}", f"data.b={tmp_path / 'b'}"]


@pytest.fixture
def translate(train, sides):
    def run(*overrides):
        return train(*SMALL, "data=unpaired", *sides, *overrides, defaults=False)

    return run


def test_all_held_out_pictures_are_measured_and_the_first_are_shown(translate, tmp_path):
    code, out, err = translate("data.val_share=0.4", "trainer.val_images=1", "run_dir=run")
    assert (code, err) == (0, "")
    assert "two sides: no picture has a counterpart" in out
    columns, rows = read_table(tmp_path / "run" / "metrics.csv")
    assert {"val/cycle_psnr", "val/cycle_ssim", "val/input_psnr", "val/identity_error"} <= set(columns)
    assert 0 < float(rows[-1]["val/cycle_psnr"]) < 60
    _, by_picture = read_table(tmp_path / "run" / "val" / "metrics.csv")
    newest = [row for row in by_picture if row["updates"] == "3"]
    assert [row["set"] for row in newest] == ["a"] * 3 + ["b"] * 3  # 0.4 of 8
    mean = np.mean([float(row["cycle_psnr"]) for row in newest])
    assert float(rows[-1]["val/cycle_psnr"]) == pytest.approx(mean, rel=1e-4)
    strips = sorted(path.relative_to(tmp_path / "run" / "val").parent.name for path in tmp_path.glob("run/val/?/*.png"))
    assert strips == ["a", "b"]
    assert not (tmp_path / "run" / "changes.csv").exists()


def test_weights_that_are_changed_on_the_way_are_in_the_runs_record(translate, train, tmp_path):
    assert translate("run_dir=run")[0] == 0
    code, out, err = train("resume=run", "loss.cycle.weight=24", "trainer.max_updates=5", defaults=False)
    assert (code, err) == (0, "")
    assert "loss.terms.cycle.weight=24 (was 20.0)" in out
    code, _, err = train("resume=run", "loss.terms.cycle.weight=30", "trainer.max_updates=6", defaults=False)
    assert (code, err) == (0, "")
    columns, rows = read_table(tmp_path / "run" / "changes.csv")
    assert columns == ["updates", "setting", "before", "after"]
    told = [tuple(row.values()) for row in rows]
    assert sorted(told[:2]) == [("3", "loss.terms.cycle.weight", "20.0", "24"), ("3", "trainer.max_updates", "3", "5")]
    assert sorted(told[2:]) == [("5", "loss.terms.cycle.weight", "24", "30"), ("5", "trainer.max_updates", "5", "6")]
    _, metrics = read_table(tmp_path / "run" / "metrics.csv")
    assert metrics[-1]["updates"] == "6"


@pytest.mark.slow
def test_few_pictures_are_validated_on_all_and_that_is_said(translate, tmp_path):
    code, out, _ = translate("data.val_share=0.05", "run_dir=run")
    assert code == 0
    told = " ".join(out.split())
    assert "validation is on 8 pictures of data.a that are trained on too, which flatters" in told
    assert "validation is on 8 pictures of data.b that" in told
    _, by_picture = read_table(tmp_path / "run" / "val" / "metrics.csv")
    assert len({row["picture"] for row in by_picture}) == 8


@pytest.mark.slow
def test_one_size_first(translate, tmp_path):
    code, _, err = translate("data.shorter_side=96", "run_dir=run")
    assert (code, err) == (0, "")
    [kept] = tmp_path.glob("run/val/pictures/a/*/lr.png")
    with Image.open(kept) as picture:
        assert min(picture.size) == 96
    code, _, err = translate("data.shorter_side=3", "run_dir=small")
    assert (code, err) == (
        2,
        "error: data.train_lr: shorter_side=3 must be between 16 and 8192 (pixels), auto, or null\n",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"data\.b is one side of a translation; give the other one too: data\.a=DIR"),
        (["data.a={b}"], r"data\.a and data\.b are the same .* pictures .*; give two folders of two sides"),
        (["data.a={empty}"], r"empty"),
        (["data.a={nowhere}"], r"nowhere"),
        (
            ["data.a={a}", "~model.blocks", "~model.halvings", "model=espcn", "trainer.monitor=psnr_y"],
            r"Espcn translates nothing",
        ),
        (["data.a={a}", "data.val={{a:{a}}}", "data.val_lr={{a:{a}}}"], r"data\.val names a set a"),
        (["data.a={a}", "data.shown=null"], r"trainer\.monitor=cycle_psnr cannot be measured"),
        (["data.a={a}", "trainer.monitor=psnr_y", "data.shown={a}", "data.val_share=1"], r"val_share=1.* below 1"),
        (["data.a={a}", "data.lr={a}/x"], r"data\.lr or data\.hr=.*/a/x beside them has no place; leave it out"),
        (
            ["data.a={a}", "model.halvings=4"],
            r"data\.crop=16 leaves nothing after .* data\.crop=32 at least",
        ),
        (["data.a={link}"], r"data\.a and data\.b are the same 8 pictures .*; give two folders of two sides"),
        (["data.a={a}", "trainer.monitor=[cycle_psnr,cycle_psnr]"], r"names cycle_psnr twice; once is enough"),
        (["data.a={tiny}", "data.shorter_side=null"], r"tiny.*: a picture of 8x8x3 pixels is too small to measure"),
    ],
)
def test_what_cannot_be_translated_is_one_sentence(train, sides, tmp_path, given, message):
    places = {name: str(tmp_path / name) for name in ("a", "b", "empty", "link", "nowhere", "tiny")}
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    (tmp_path / "tiny").mkdir()
    for index in range(3):
        Image.fromarray(smooth_picture(24, 24, index)[:8, :8]).save(tmp_path / "tiny" / f"{index}.png")
    own = [setting.format(**places) for setting in given]
    code, _, err = train(*SMALL, "data=unpaired", sides[1], *own, "run_dir=run", defaults=False)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_a_page_shows_sides_there_and_back_and_says_nothing_is_gone(translate, sr, tmp_path):
    assert translate("run_dir=outputs/one", "data.val_share=0.4", "trainer.val_images=2")[0] == 0
    code, out, err = sr("report", "outputs", "-o", tmp_path / "page")
    assert (code, err) == (0, "")
    assert "gone" not in out


@pytest.mark.slow
def test_a_setting_that_is_younger_than_the_run_is_in_its_record(translate, train, tmp_path):
    assert translate("run_dir=run")[0] == 0
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    del state["config"]["data"]["refused"]  # as a version had written it that knew none
    torch.save(state, checkpoint)
    code, _, err = train("resume=run", "data.refused=0.9", "trainer.max_updates=4", defaults=False)
    assert (code, err) == (0, "")
    _, rows = read_table(tmp_path / "run" / "changes.csv")
    assert ("3", "data.refused", "none", "0.9") in [tuple(row.values()) for row in rows]


@pytest.mark.slow
def test_pictures_too_large_to_be_translated_whole_are_told_before_training(translate, tmp_path, monkeypatch):
    from sr.verbs.train import preflight

    monkeypatch.setattr(preflight, "free_bytes", lambda device: 2**10)
    code, _, err = translate("run_dir=run")
    assert code == 2
    assert re.search(r"validation translates whole pictures, and one of \d+x17 takes about", err)
    assert "make pictures smaller, as by data.shorter_side=256" in err


def test_without_pictures_to_show_a_cycle_is_no_monitor(train, sides):
    a, b = (side.partition("=")[2] for side in sides)
    apart = [f"data.lr={a}", f"data.hr={b}", f"data.hr_val={a}", f"data.lr_val={a}", "trainer.val_images=0"]
    code, _, err = train(*SMALL, "data=unpaired", *apart, "run_dir=run", defaults=False)
    assert code == 2
    assert err.startswith("error: trainer.monitor=cycle_psnr cannot be measured: it is of pictures that a network")


@pytest.mark.slow
def test_a_number_in_the_place_of_a_schedule_is_one_change(translate, train, tmp_path):
    assert translate("run_dir=run")[0] == 0
    code, out, _ = train("resume=run", "adversary.d.weight=1.2", "trainer.max_updates=4", defaults=False)
    assert code == 0
    assert "adversary.d.weight=1.2 (was Phases(phases=[[0, 1.0], [1, 1.5]]))" in " ".join(out.split())
    _, rows = read_table(tmp_path / "run" / "changes.csv")
    settings = {row["setting"] for row in rows}
    assert settings == {"adversary.d.weight", "adversary.d_back.weight", "trainer.max_updates"}
    code, out, _ = train("resume=run", "adversary.d_back.weight=3", "trainer.max_updates=5", defaults=False)
    assert code == 0
    assert "does not count" not in out
    assert "adversary.d_back.weight=3 (was 1.2)" in " ".join(out.split())


@pytest.mark.slow
def test_a_refused_resume_leaves_the_folder_as_it_was(translate, train, tmp_path):
    assert translate("run_dir=run")[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    code, _, err = train("resume=run", "adversary=lsgan", "trainer.max_updates=5", defaults=False)
    assert code == 2
    assert "leave adversary out" in err
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_what_is_changed_is_kept_at_once(translate, train, tmp_path, monkeypatch):
    """Killed before its next checkpoint, a run has one configuration, in its checkpoint and beside it."""
    assert translate("run_dir=run")[0] == 0

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sr.training.callbacks.saving.Saving.after_update", killed)
        patch.setattr("sr.training.callbacks.saving.Saving.on_train_end", killed)
        train("resume=run", "loss.cycle.weight=32", "trainer.max_updates=9", defaults=False)
    code, out, _ = train("resume=run", "trainer.max_updates=4", defaults=False)
    assert code == 0
    assert "does not count" not in out
    _, rows = read_table(tmp_path / "run" / "changes.csv")
    assert ("3", "loss.terms.cycle.weight", "20.0", "32") in [tuple(row.values()) for row in rows]


@pytest.mark.slow
def test_one_direction_without_a_judge_is_said(translate):
    code, out, _ = translate("adversary=lsgan", "~loss.terms.cycle", "run_dir=run")
    assert code == 0
    told = " ".join(out.split())
    assert "no adversary judges what to_a makes (back)" in told
    assert "to_b makes" not in told
    assert "so nothing keeps their content; loss=cycle does" in told


@pytest.mark.slow
def test_a_parent_that_has_learnt_from_the_same_pictures_is_taken(translate, train, tmp_path):
    assert train(*SMALL, "run_dir=outputs/drawn", defaults=False)[0] == 0
    assert translate("run_dir=outputs/own")[0] == 0
    code, out, _ = train("experiment=cyclegan/final_phase", *SMALL[1:], "run_dir=outputs/last", defaults=False)
    assert code == 0
    assert "outputs/drawn" in out
    assert "other pictures" not in out
    (tmp_path / "outputs" / "drawn").rename(tmp_path / "gone")
    code, out, _ = train("experiment=cyclegan/final_phase", *SMALL[1:], "run_dir=outputs/more", defaults=False)
    assert code == 0
    assert "it has learnt from other pictures than this run will" in " ".join(out.split())
