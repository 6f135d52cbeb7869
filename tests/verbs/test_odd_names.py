"""Names that lead nowhere, are too long, or are no files: one sentence each, and the others are done."""

import os
import sys

import pytest
from PIL import Image

from tests.conftest import smooth_picture

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and names of other systems")
LONG = "n" * 300


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(smooth_picture(10, 14, 0)).save(tmp_path / "p.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "fifo.png")
    return tmp_path


def sentence(result):
    code, _, err = result
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((f"{LONG}.png",), "is too long for a name"),
        (("p.png", "-o", f"{LONG}.png"), "is too long for a name; choose another name"),
        (("p.png", "-o", LONG), "is too long for a name"),
        (("p.png", "--suffix", LONG), "File name too long; choose another name"),
        (("loop.png",), "'loop.png' is a link that leads to itself"),
        (("p.png", "-o", "loop.png"), "-o loop.png is a link that leads to itself"),
        (("p.png", "-o", "loop.png/x.png"), "loop.png/x.png is a link that leads to itself"),
        (("fifo.png",), "'fifo.png' is a pipe or a device, not a file"),
        (("",), "the name after upscale is empty; name a file or a folder, or . for this one"),
        (("p.png", ""), "the name after p.png is empty"),
        (("--force", "", "-o", "x"), "the name after --force is empty"),
        (("p.png", "-o", ""), "the name after -o is empty"),
        (("p.png", "-o", "x.jpg."), "-o x.jpg. ends in a dot; did you mean x.jpg?"),
        (("p.png", "-o", ".png"), "-o .png is an ending without a name"),
        (("p.png", "--colour", ""), "--colour '' is not one of none, match or low"),
    ],
)
def test_upscale(upscale, photo, arguments, text):
    before = sorted(photo.iterdir())
    assert text in sentence(upscale(*arguments))
    assert sorted(photo.iterdir()) == before


def test_what_fails_in_a_folder_leaves_the_others(upscale, photo):
    folder = photo / "in"
    folder.mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "a.png").write_bytes((photo / "p.png").read_bytes())
    (folder / f"{'n' * 251}.bmp").write_bytes((photo / "p.png").read_bytes())
    code, out, err = upscale("in", "-o", "out", "--suffix", "_large")
    assert code == 1
    assert "looking for pictures in in …" in out
    assert [path.name for path in (photo / "out").iterdir()] == ["a_large.png"]
    assert sorted(line.rpartition("; ")[0].rpartition(": ")[2] for line in err.splitlines()) == [
        "File name too long",
        "it is a link that leads to itself",
    ]


def test_a_network_of_an_odd_name(upscale, sr, trained, photo):
    odd = photo / os.fsdecode(b"\xff.safetensors")
    odd.write_bytes((trained / "best.safetensors").read_bytes())
    assert sr("upscale", "p.png", "-o", "x.png", "--model", odd, "--accelerator", "cpu")[0] == 0
    text = sentence(sr("upscale", "p.png", "-o", "y.png", "--model", "loop.png"))
    assert "'loop.png' is a link that leads to itself; give a shipped name" in text


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        (("enhance", LONG, "--dither", "1"), "is too long for a name"),
        (("enhance", "p.png", "--dither", "1", "-o", "p.png"), "p.png would be overwritten by a result"),
        (("enhance", ".", "--dither", "1"), "say where the results go, for instance -o ._e"),
        (("export", "NETWORK", "-o", f"{LONG}.pt2"), "File name too long; choose another name"),
        (("export", "NETWORK", "-o", "folder.pt2"), "folder.pt2 is a folder; name a file in it"),
        (("evaluate", "NETWORK", "--set", LONG), "is too long for a name"),
        (("evaluate", "NETWORK", "--set", "loop.png"), "--set loop.png is a link that leads to itself"),
        (("evaluate", "NETWORK", "--set", "hr", "--csv", "."), ". is a folder; name a file in it"),
        (("evaluate", "NETWORK", "--set", "hr", "--markdown", LONG), "File name too long; choose another name"),
        (("evaluate", "NETWORK", "--set", "hr", "--markdown", "p.png"), "take p.md"),
        (("evaluate", "NETWORK", "--set", "hr", "--pictures", "p.png"), "take p.csv"),
        (("evaluate", "NETWORK", "--set", "hr", "--save", "hr"), "--save hr is inside hr, which is measured"),
        (("evaluate", "NETWORK", "--set", "hr", "--save", "p.png"), "could not write"),
        (("evaluate", "NETWORK", "--set", "hr", "--save", ""), "the name after --save is empty"),
        (("evaluate", "NETWORK", "--hr=", "--lr", "hr"), "the name after --hr is empty"),
        (("evaluate", "NETWORK", "--hr", "hr", "--lr", ""), "the name after --lr is empty"),
        (("doctor", "hr", "--val", ""), "the name after --val is empty"),
        (("prepare", "photos", "hr", "-o", ""), "the name after -o is empty"),
        (("report", LONG), "name too long"),
        (("runs", LONG), "name too long"),
        (("prepare", "crop", LONG, "4:3", "-o", "out"), "name too long"),
    ],
)
def test_other_verbs(sr, trained, photo, monkeypatch, verb, text):
    for name in ("hr", "folder.pt2"):
        (photo / name).mkdir()
    (photo / "hr" / "a.png").write_bytes((photo / "p.png").read_bytes())

    def never(*_, **__):
        raise AssertionError("work before the check")

    monkeypatch.setattr("sr.verbs.export.open_network", never)
    monkeypatch.setattr("sr.verbs.evaluate.evaluate.measure_set", never)
    words = [str(trained / "best.safetensors") if word == "NETWORK" else word for word in verb]
    found = sentence(sr(*words))
    assert text.lower() in found.lower()
    assert [path.name for path in (photo / "hr").iterdir()] == ["a.png"]
    assert not (photo / "out").exists()


@pytest.mark.parametrize("verb", ["doctor", "runs", "report", "replay", "export", "enhance", "evaluate", "degrade"])
def test_an_empty_name_is_not_the_current_folder(sr, verb):
    assert f"the name after {verb} is empty" in sentence(sr(verb, ""))
