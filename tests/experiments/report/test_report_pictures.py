"""Pictures of a report: each once, as they are; what is damaged or of before is told or cut out of strips."""

import shutil

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sr.errors import UserError
from sr.experiments.report.pictures import PictureFiles
from tests.experiments.report.made_runs import Made, write_run


def test_pictures_are_shared_by_the_runs_that_show_them(tmp_path, made):
    sets = {"": ["a.png", "b.png"], "shown": ["c.png"]}
    write_run(tmp_path / "runs" / "one", Made(seed=1, pictures=sets))
    write_run(tmp_path / "runs" / "two", Made(seed=2, pictures=sets))
    report, _ = made()
    assert [(one["set"], one["name"], list(one["runs"])) for one in report["pictures"]] == [
        ("", "a.png", ["0", "1"]),
        ("", "b.png", ["0", "1"]),
        ("shown", "c", ["0", "1"]),
    ]
    first = report["pictures"][0]
    assert (first["width"], first["height"], first["scale"], first["on"]) == (30, 24, 2, 0)
    assert report["pictures"][2]["hr"] is None
    assert [one["bicubic_metrics"] for one in report["pictures"][:2]] == [{"psnr_y": 30.0}, {"psnr_y": 31.0}]
    one, two = first["runs"]["0"], first["runs"]["1"]
    assert one["sr"] != two["sr"]
    assert one["updates"] == 30
    assert one["metrics"] == {"psnr_y": 31.01, "ssim_y": 0.9}
    assert [updates for updates, _ in one["history"]] == [10, 20, 30]
    assert one["history"][-1] == [30, one["sr"]]
    assert one["film"] is None
    stored = {path.stem for path in (tmp_path / "out" / "pictures").iterdir()}
    named_there = {hash_ for one in report["pictures"] for hash_ in (one["lr"], one["bicubic"], one["hr"])} - {None}
    runs = [run for one in report["pictures"] for run in one["runs"].values()]
    assert stored == named_there | {run["sr"] for run in runs} | {h for run in runs for _, h in run["history"]}


def test_damaged_and_missing_pictures_are_left_out(tmp_path, made):
    run = write_run(tmp_path / "runs" / "one", Made(pictures={"": [f"{n}.png" for n in range(5)]}))
    place = run.kept_pictures
    (place / "00_0" / "sr.png").write_bytes((place / "00_0" / "sr.png").read_bytes()[:90])
    (place / "01_1" / "sr.png").unlink()
    (place / "02_2" / "hr.png").write_bytes(b"no picture")
    (place / "03_3" / "bicubic.png").write_bytes((place / "03_3" / "lr.png").read_bytes())
    frame = place / "04_4" / "history" / "00000010.webp"
    frame.write_bytes(frame.read_bytes()[:-20])
    report, said = made()
    assert [(one["name"], one["hr"] is None) for one in report["pictures"]] == [("2.png", True), ("4.png", False)]
    assert [updates for updates, _ in report["pictures"][1]["runs"]["0"]["history"]] == [20, 30]
    for part in ("00_0/sr.png is damaged", "01_1/sr.png is gone", "02_2/hr.png is damaged", "are of two sizes"):
        assert any(part in line for line in said), said
    assert any("00000010.webp is damaged" in line for line in said)
    assert all(line.startswith("one: ") for line in said)


def test_runs_of_before_show_their_strips(tmp_path, made):
    sets = {"": ["a.png"], "named": ["b.png"], "shown": ["c.png"]}
    new = write_run(tmp_path / "runs" / "a_new", Made(pictures=sets))
    old = write_run(tmp_path / "runs" / "old", Made(pictures=sets))
    shutil.rmtree(old.kept_pictures)
    (old.pictures / "02_no_strip.png").write_bytes((new.pictures / "00_a.png").read_bytes()[:60])
    report, said = made()
    assert [one["name"] for one in report["pictures"]] == ["a.png", "b.png", "c"]
    for picture in report["pictures"]:
        assert picture["runs"]["0"]["sr"] == picture["runs"]["1"]["sr"]
        assert picture["runs"]["1"]["history"] == []
        assert picture["lr"] is not None, "the new run has it"
    assert report["pictures"][0]["runs"]["1"]["metrics"]["psnr_y"] == pytest.approx(31.01)
    assert len(said) == 1
    assert "02_no_strip.png is damaged" in said[0]


def test_a_picture_that_was_not_finite_is_as_old_as_its_last_measures(tmp_path, made):
    run = write_run(tmp_path / "runs" / "one", Made(pictures={"": ["a.png", "a.png"]}))
    lines = run.by_picture.read_text().splitlines()
    run.by_picture.write_text("\n".join([*lines[:5], "30,,a.png,,", *lines[6:]]) + "\n")
    report, _ = made()
    assert [one["runs"]["0"]["updates"] for one in report["pictures"]] == [20, 30]
    assert len(report["pictures"]) == 2, "two pictures of one name are two"


def test_a_picture_is_taken_as_it_is_only_where_nothing_changes_its_colours(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    odd = PngImagePlugin.PngInfo()
    odd.add(b"gAMA", (1000).to_bytes(4, "big"))
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    Image.fromarray(pixels).save(tmp_path / "odd.png", pnginfo=odd)
    with PictureFiles(tmp_path / "out") as files:
        one = files.add_file(tmp_path / "odd.png")
        assert files.add_file(tmp_path / "plain.png") == one
    text = (tmp_path / "out" / "pictures" / f"{one.hash}.js").read_text()
    assert text.startswith(f'(window.PICTURES ??= {{}})["{one.hash}"] = "data:image/png;base64,')
    assert "Z0FNQ" not in text
    with pytest.raises(UserError, match=r"gone\.png is gone"):
        files.add_file(tmp_path / "gone.png")
    Image.new("RGB", (3000, 2)).save(tmp_path / "wide.png")
    with pytest.raises(UserError, match=r"wide\.png is larger than any picture of a run"):
        files.add_file(tmp_path / "wide.png")


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "pictures").touch()
    with pytest.raises(UserError, match=r"could not write .*pictures/\w{32}\.js: "), PictureFiles(tmp_path) as files:
        files.add_pixels(np.zeros((4, 4, 3), np.uint8))
