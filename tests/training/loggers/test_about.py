"""What services are told about a run, and of its result."""

import math

import pytest

from sr.training.columns import better
from sr.training.keeping.command import Command, write_command
from sr.training.keeping.loggers.about import about_run, cut, tags
from sr.training.keeping.loggers.marker import as_name, read_marker
from sr.training.keeping.loggers.results import flat_result, last_by_picture, numbers
from sr.training.keeping.run_folder import RunFolder


def test_a_run_in_words(run_dir):
    about = about_run(str(run_dir), {"seed": 3, "experiment": "log/31_alias"})
    assert about.name == "0_model-espcn"
    assert about.group == "my_sweep"
    assert about.choices == {"model": "espcn", "loss": "l1_edge"}
    assert about.tags == ("log/31_alias", "full", "seed=3", "loss=l1_edge", "model=espcn")


def test_a_folder_without_a_command_has_few_words(tmp_path):
    about = about_run(str(tmp_path), {"seed": 0, "experiment": None})
    assert (about.group, about.tags) == (None, ("seed=0",))


def test_choices_of_choices_are_not_told(tmp_path):
    write_command(tmp_path, Command(choices={"schedule@adversary.d.schedule": "constant", "local": "default"}))
    assert about_run(str(tmp_path), {}).tags == ()


def test_tags_have_1_to_64_letters_and_stay_apart():
    long = "loss=" + "l1_" * 40
    found = tags(["", " ", "a", "a", f"{long}vgg", f"{long}edge"])
    assert found[0] == "a"
    assert len(set(found)) == len(found) == 3
    assert {len(tag) for tag in found} == {1, 64}
    assert cut("x" * 64) == "x" * 64
    assert len(cut("é" * 65)) == 64


SUMMARY = {
    "exit_reason": "max_updates",
    "updates": 40,
    "parameters": 7,
    "experiment": None,
    "adversaries": {"d": {"parameters": 3}},
    "bicubic": {"psnr_y": 30.0},
    "final": {"psnr_y": 31.0, "lpips": math.nan},
    "best": {"psnr_y": 32.0, "updates": 20},
}


def test_a_summary_becomes_single_values():
    values = flat_result(SUMMARY)
    assert values == {
        "exit_reason": "max_updates",
        "updates": 40,
        "parameters": 7,
        "best/psnr_y": 32.0,
        "best/updates": 20,
        "bicubic/psnr_y": 30.0,
        "final/psnr_y": 31.0,
    }
    assert "exit_reason" not in numbers(values)
    assert numbers(values)["best/updates"] == 20.0


def test_the_last_validation_picture_by_picture(tmp_path):
    folder = RunFolder(tmp_path)
    assert last_by_picture(folder)[1] == []
    folder.pictures.mkdir()
    folder.by_picture.write_text("updates,set,picture,psnr_y,lpips\n10,,a,30,0.5\n20,,a,31.5,\n20,,b,32,0.25\n")
    columns, rows = last_by_picture(folder)
    assert columns == ["updates", "set", "picture", "psnr_y", "lpips"]
    assert rows[1] == [20, "", "b", 32.0, 0.25]
    assert rows[0][:4] == [20, "", "a", 31.5]
    assert math.isnan(rows[0][4])


@pytest.mark.parametrize(
    ("column", "which"),
    [("psnr_y", "max"), ("Set14/ssim_rgb", "max"), ("lpips", "min"), ("colour_error", "min"), ("sharpness", None)],
)
def test_which_values_are_the_better_ones(column, which):
    assert better(column) == which


@pytest.mark.parametrize(
    "text", ["", "../../elsewhere", "a/b", ".hidden", "-x", "a b", "x" * 201, "a\x1b[2J", "é", "x" * 5000]
)
def test_a_name_that_could_lead_elsewhere_is_none(tmp_path, text):
    (tmp_path / "wandb_id.txt").write_text(text)
    assert read_marker(tmp_path / "wandb_id.txt") is None


def test_a_name_is_read_back(tmp_path):
    assert read_marker(tmp_path / "none") is None
    for text in ("1a2b3c4d", "0_model-espcn.v2-ab12"):
        (tmp_path / "name").write_text(f"{text}\n")
        assert read_marker(tmp_path / "name") == text
    (tmp_path / "name").write_bytes(b"\xff\xfe")
    assert read_marker(tmp_path / "name") is None


@pytest.mark.parametrize(("text", "name"), [("my run/é", "my-run-"), ("..", "run"), ("0_a=b", "0_a-b")])
def test_a_text_becomes_a_name(text, name):
    assert as_name(text) == name
