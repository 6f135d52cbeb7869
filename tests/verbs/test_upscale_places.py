"""`sr upscale`: where results go, what is passed over, what is asked for wrongly."""

import io
import os
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from sr.image.io import read_picture
from sr.inference.upscaler import Upscaler
from tests.conftest import smooth_picture


def png(path, height=10, width=14, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(smooth_picture(height, width, seed)).save(path, **options)
    return path


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(told):
    """The one sentence that a call ended with."""
    code, _, err = told
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    return err.removeprefix("error: ").rstrip()


def test_without_an_output_beside_the_original(upscale, tmp_path):
    png(tmp_path / "in" / "photo.jpg")
    code, out, err = upscale("in/photo.jpg")
    assert (code, err) == (0, "")
    assert "1 of 1 upscaled x2: in/photo_x2.png" in out
    assert read_picture(tmp_path / "in" / "photo_x2.png").pixels.shape == (20, 28, 3)
    assert upscale("in/photo.jpg", "--format", "jpg", "--suffix", " large")[0] == 0
    assert files(tmp_path / "in") == ["photo large.jpg", "photo.jpg", "photo_x2.png"]


def test_patterns_that_no_shell_replaced_also_the_second_time(upscale, tmp_path):
    for name in ("a.png", "b.png", "[c].png", ".hidden.png", "notes.txt"):
        png(tmp_path / "in" / "a.png").rename(tmp_path / "in" / name)
    png(tmp_path / "in" / "a.png")
    assert "3 of 3 upscaled" in upscale("in/*.png")[1]
    made = ["[c]_x2.png", "a_x2.png", "b_x2.png"]
    assert files(tmp_path / "in") == sorted([*made, "a.png", "b.png", "[c].png", ".hidden.png", "notes.txt"])
    code, out, _ = upscale("in/*.png")
    assert code == 0
    assert "3 are there already, and passed over; --force makes them anew" in out
    assert len(files(tmp_path / "in")) == 8
    assert "1 of 1 upscaled" in upscale("in/[c].png", "--force")[1]  # a name, not a pattern
    assert refused(upscale("in/*.gif")) == "no file matches 'in/*.gif'"


def test_what_is_named_is_never_what_another_becomes(upscale, tmp_path):
    """A shell that replaces ``*.png`` names the results of the first time, too."""
    png(tmp_path / "f" / "photo.png")
    png(tmp_path / "f" / "photo_x2.png", seed=1)
    before = (tmp_path / "f" / "photo_x2.png").read_bytes()
    code, out, _ = upscale("f/photo.png", "f/photo_x2.png")
    assert code == 0
    assert "f/photo_x2.png is what another one becomes, and is passed over" in out
    assert "1 is there already, and passed over" in out
    told = upscale("f/photo.png", "f/photo_x2.png", "--force")
    assert "f/photo_x2.png would be overwritten by a result; choose another -o" in refused(told)
    assert (tmp_path / "f" / "photo_x2.png").read_bytes() == before
    assert len(list((tmp_path / "f").iterdir())) == 2


def test_two_videos_never_become_one(upscale, tmp_path):
    for name in ("film.avi", "film.avi.mp4"):
        (tmp_path / name).write_bytes(b"a film")
    told = refused(upscale("film.avi", "film.avi.mp4", "-o", "out"))
    assert (
        "film.avi and film.avi.mp4 would become one file, out/film.avi.mp4; upscale them into separate folders" in told
    )
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_kept_unless_forced(upscale, tmp_path):
    png(tmp_path / "in" / "a.png")
    png(tmp_path / "in" / "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"mine")
    code, out, _ = upscale("in", "-o", "out")
    assert code == 0
    assert "1 is there already, and passed over" in out
    assert "1 of 1 upscaled x2: out/b.png" in out
    assert (tmp_path / "out" / "a.png").read_bytes() == b"mine"
    assert "2 of 2 upscaled" in upscale("in", "-o", "out", "--force")[1]
    assert read_picture(tmp_path / "out" / "a.png").pixels.shape == (20, 28, 3)


def test_results_in_the_folder_itself_are_no_input(upscale, tmp_path):
    png(tmp_path / "in" / "a.png")
    for _ in range(2):
        assert upscale("in", "-o", "in/large", "--force")[0] == 0
    assert files(tmp_path / "in") == ["a.png", "large/a.png"]


def test_a_suffix_for_a_folder(upscale, tmp_path):
    for name in ("a.png", "a.jpg", "below/c.png"):
        png(tmp_path / "in" / name)
    assert upscale("in", "-o", "in", "--suffix", "_big")[0] == 0
    assert set(files(tmp_path / "in")) >= {"a_big.png", "a.jpg_big.png", "below/c_big.png"}


def test_other_kinds_are_counted(upscale, tmp_path):
    png(tmp_path / "in" / "a.png")
    for name in ("clip.mp4", "notes.txt", "x\x1b[31m.we\x1bird"):
        (tmp_path / "in" / name).write_text("x")
    out = upscale("in", "-o", "out")[1]
    assert r"in: 3 files of other kinds (1 .mp4, 1 .txt, 1 .we\x1bird) passed over" in out
    (tmp_path / "what.xyz").write_text("x")
    assert "cannot read 'what.xyz': it is damaged or not a picture" in refused(upscale("what.xyz"))


def test_stdin_and_stdout(upscale, tmp_path, monkeypatch):
    source = png(tmp_path / "a.png")
    assert upscale("a.png", "-o", "file.png")[0] == 0

    class Stream:
        buffer = io.BytesIO(source.read_bytes())

    def piped(*arguments):
        with monkeypatch.context() as patch:
            stream = io.TextIOWrapper(io.BytesIO())
            patch.setattr(sys, "stdin", Stream())
            patch.setattr(sys, "stdout", stream)
            Stream.buffer.seek(0)
            code, _, err = upscale(*arguments)
            return code, stream.buffer.getvalue(), err

    for arguments in (("-",), ("-", "-o", "-"), ("a.png", "-o", "-")):
        code, data, err = piped(*arguments)
        assert code == 0
        assert data == (tmp_path / "file.png").read_bytes()
        assert "1 of 1 upscaled x2: -\n" in err  # what is said goes elsewhere, and names what was typed
        assert "/sr_" not in err
    assert piped("-", "--format", "jpg")[1].startswith(b"\xff\xd8")
    assert piped("-", "-o", "b.png")[0] == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "file.png").read_bytes()
    Stream.buffer = io.BytesIO(b"no picture")
    assert "cannot read '-': it is damaged or not a picture" in piped("-")[2]
    for several in (("a.png", "file.png"), ("*.png",)):
        code, data, err = piped(*several, "-o", "-")
        assert (code, data, err) == (2, b"", "error: -o - takes one picture; several need a folder\n")
    Image.new("RGBA", (8, 8), (1, 2, 3, 99)).save(tmp_path / "clear.png")
    assert "cannot write '-': JPEG holds no transparency" in piped("clear.png", "-o", "-", "--format", "jpg")[2]
    (tmp_path / "clear.png").unlink()
    assert files(tmp_path) == ["a.png", "b.png", "file.png"]


def test_quality(upscale, tmp_path):
    png(tmp_path / "a.png", 60, 60)
    for quality in (30, 90):
        assert upscale("a.png", "-o", f"{quality}.jpg", "--quality", quality)[0] == 0
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "90.jpg").stat().st_size
    assert refused(upscale("a.png", "--quality", 30)) == "--quality 30 is for jpg, webp and avif; png loses nothing"
    code, _, err = upscale("a.png", "-o", "x.jpg", "--quality", "101")
    assert code == 2
    assert "101" in err


def test_tiles_of_64_and_the_whole_are_one_file(upscale, tmp_path):
    png(tmp_path / "a.png", 150, 170)
    assert upscale("a.png", "-o", "whole.png", "--tile", 1000)[0] == 0
    assert upscale("a.png", "-o", "tiles.png", "--tile", 64)[0] == 0
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "tiles.png").read_bytes()


def test_several_networks_are_averaged(sr, trained, tmp_path):
    png(tmp_path / "a.png")
    model = trained / "best.safetensors"
    common = ("--accelerator", "cpu", "--model", model)
    assert sr("upscale", "a.png", "-o", "one.png", *common)[0] == 0
    code, out, _ = sr("upscale", "a.png", "-o", "two.png", *common, "--model", model)
    assert code == 0
    assert out.count("network: ") == 2
    assert np.array_equal(read_picture(tmp_path / "one.png").pixels, read_picture(tmp_path / "two.png").pixels)


def test_enhanced_on_the_way(upscale, tmp_path):
    png(tmp_path / "a.png", 40, 40)
    assert upscale("a.png", "-o", "plain.png")[0] == 0
    assert upscale("a.png", "-o", "more.png", "--contrast", 2, "--denoise", 4, "--dither", 1)[0] == 0
    assert not np.array_equal(read_picture(tmp_path / "more.png").pixels, read_picture(tmp_path / "plain.png").pixels)
    assert "--denoise 300 is not within 0 and 100" in refused(upscale("a.png", "--denoise", 300))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("in",), "'in' is a folder; say where the results go, for instance -o in_x2"),
        (("in/a.png", "-o", "b.png", "--suffix", "_y"), "-o b.png names the file already; leave --suffix out"),
        (("in/a.png", "--suffix", "../x"), "--suffix ../x is no part of a name"),
        (("in", "-o", "b.png"), "-o b.png is a file; several inputs need a folder"),
        (("in", "-o", "large.mkv"), "-o large.mkv is a file; several inputs need a folder"),
        (("in/a.png", "--engine", "onyx"), "--engine onyx is not one of auto, torch, onnxruntime or openvino; "),
        (("in/a.png", "--precision", "8"), "--precision 8 is not one of auto, 32, bf16 or 16"),
        (("in/a.png", "--colour", "mach"), "--colour mach is not one of none, match or low; did you mean match?"),
        (("in/a.png", "--tile", "3"), "--tile 3 is too small; the smallest tile has 16 pixels a side"),
        (("in/a.png", "--scale", "0"), "--scale 0 is not within 1 and 64; nearest is 1"),
        (("in/a.png", "--scale", "nan"), "--scale nan is not within 1 and 64; nearest is 1"),
        (("in/a.png", "--size", "big"), "--size big is no size; give WIDTHxHEIGHT in pixels, as in 1920x1080"),
        (("in/a.png", "--codec", "x266"), "codec 'x266' does not exist; nearest is x26"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(upscale, tmp_path, arguments, sentence):
    png(tmp_path / "in" / "a.png")
    png(tmp_path / "in" / "b.png")
    assert refused(upscale(*arguments)).startswith(sentence)
    assert files(tmp_path) == ["in/a.png", "in/b.png"]


@pytest.mark.parametrize("name", ["a b.png", 'it\'s "quoted".png', "-dash.png", "ü$(x);&.png", "*[x]?.png", "a\nb.png"])
def test_names_of_any_characters(upscale, tmp_path, name):
    png(tmp_path / "in" / name)
    assert upscale("in", "-o", "out")[0] == 0
    assert files(tmp_path / "out") == [name]
    assert upscale(f"in/{name}")[0] == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="other systems have no such device")  # noqa: PTH110
def test_a_full_disk_is_one_sentence_and_leaves_nothing(upscale, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    png(tmp_path / "a.png")
    monkeypatch.setattr("sr.files.os.fsync", full)
    assert refused(upscale("a.png")) == "could not write a_x2.png: No space left on device"
    assert files(tmp_path) == ["a.png"]


def picky(error):
    """In place of `Upscaler.rows`: an error for pictures of less than 10 rows."""
    rows = Upscaler.rows

    def made(self, source):
        if source.height < 10:
            raise error
        return rows(self, source)

    return made


def test_a_size_that_the_network_cannot_take_stops_no_folder(upscale, tmp_path, monkeypatch):
    png(tmp_path / "in" / "a.png")
    png(tmp_path / "in" / "b.png", 9, 9)
    text = "Padding size should be less than the corresponding input dimension"
    monkeypatch.setattr(Upscaler, "rows", picky(RuntimeError(text)))
    code, _, err = upscale("in", "-o", "out")
    assert code == 1
    assert err == f"error: in/b.png: the network fails on it (RuntimeError: {text}); SR_TRACEBACK=1 shows where\n"
    assert files(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("kind", [ValueError, AssertionError, IndexError, struct.error, ZeroDivisionError])
def test_whatever_one_picture_brings_up_the_others_have_their_turn(upscale, tmp_path, monkeypatch, kind):
    png(tmp_path / "in" / "a.png")
    png(tmp_path / "in" / "b.png", 9, 9)
    png(tmp_path / "in" / "c.png")
    monkeypatch.setattr(Upscaler, "rows", picky(kind("odd\nand more")))
    told = f"error: in/b.png: it failed ({kind.__name__}: odd); SR_TRACEBACK=1 shows where\n"
    code, _, err = upscale("in", "-o", "out")
    assert (code, err) == (1, told)
    assert files(tmp_path / "out") == ["a.png", "c.png"]
    monkeypatch.setenv("SR_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in upscale("in", "-o", "out")[2]


def test_videos_whose_names_say_nothing(upscale, tmp_path):
    import av

    for name, form in (("film.nut", "nut"), ("film", "matroska"), ("film.m2v", "mpeg2video")):
        with av.open(str(tmp_path / name), "w", format=form) as file:
            stream = file.add_stream("ffv1" if form == "nut" else "mpeg2video", rate=25)
            stream.width, stream.height = 32, 16
            stream.pix_fmt = "yuv420p"
            for number in range(2):
                frame = av.VideoFrame.from_ndarray(smooth_picture(16, 32, number), format="rgb24")
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
        code, out, err = upscale(name, "-o", "x.mkv", "--force", "--crf", 0)
        assert (code, err) == (0, "")
        assert "frames of 64x32" in out
        assert upscale(name)[0] == 0
        assert (tmp_path / f"{name}.mp4").with_stem(f"{name}_x2").exists()
    (tmp_path / "note").write_text("no video " * 999)
    assert "cannot read 'note': it is damaged or not a picture" in refused(upscale("note"))
    png(tmp_path / "a.png").rename(tmp_path / "scan")
    assert upscale("scan")[0] == 0
    assert (tmp_path / "scan_x2.png").exists()
