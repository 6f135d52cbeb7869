"""`sr upscale` and videos: which files are videos, and what of an interrupted one is taken over."""

from dataclasses import replace

import pytest

from sr.inference.enhance.enhancer import Settings
from sr.verbs.upscale import run
from sr.verbs.upscale.asked import How
from sr.verbs.upscale.jobs import Naming
from sr.verbs.upscale.run import Asked
from tests.inference.video.clips import Clip, read_back


def test_another_code_network_or_option_is_another_job(tmp_path, monkeypatch):
    asked, file = Asked(["a.mkv"], Naming(None, None, None)), tmp_path / "network"
    file.write_bytes(b"one")
    before = run._digest(asked, [file])
    assert run._digest(replace(asked, quality=3, enhance=Settings(dither=1)), [file]) == before  # told apart elsewhere
    for how in (How(ensemble=True), How(scale=3), How(colour="low")):
        assert run._digest(replace(asked, how=how), [file]) != before
    with monkeypatch.context() as patched:
        patched.setattr(run, "code_digest", lambda: "another")
        assert run._digest(asked, [file]) != before
    file.write_bytes(b"two")
    assert run._digest(asked, [file]) != before


@pytest.mark.parametrize(("name", "codec"), [
    ("a.nut", "libx264"),
    ("a.asf", "libx264"),
    ("a.h264", "libx264"),
    ("a.F4V", "libx264"),
    ("a.mjpeg", "mjpeg"),
])  # fmt: skip
def test_videos_of_rarer_names(upscale, tmp_path, name, codec):
    film = Clip(frames=2, codec=codec, format="yuvj420p" if codec == "mjpeg" else "yuv420p")
    film.write(tmp_path / name.lower()).rename(tmp_path / name)
    code, out, err = upscale(name, "-o", "large.mkv")
    assert (code, err) == (0, "")
    assert "2 frames of 128x96" in out
    assert read_back(tmp_path / "large.mkv")[2]["size"] == (128, 96)


def test_a_name_that_says_nothing_of_a_video(upscale, tmp_path):
    (tmp_path / "a.film").write_bytes(b"no film")
    code, _, err = upscale("a.film", "-o", "large.mkv")
    assert (code, err) == (
        2,
        "error: a.film is not known as a video by its name; if it is one, let the name end in .mkv: "
        "what is inside tells the format\n",
    )
    Clip(frames=2).write(tmp_path / "a.mkv").rename(tmp_path / "a.film")  # what is inside tells
    assert upscale("a.film", "-o", "large.mkv")[0] == 0
