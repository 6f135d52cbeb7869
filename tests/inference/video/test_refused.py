"""What is refused of videos at once, and leaves nothing behind."""

from dataclasses import replace
from fractions import Fraction

import av
import pytest

from sr.errors import UserError
from sr.inference.video.job import upscale_video
from sr.inference.video.options import CODECS, VideoOptions
from tests.inference.video.clips import Clip, Twice, read_back


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"start": 1e300}, r"start 1e\+300 is no time"),
        ({"size": (99999999, 99999999)}, "libx264 writes, 16384x16384; nearest is --size 16384x16384"),
        ({"codec": "av1", "size": (64, 9000)}, "libsvtav1 writes, 16384x8704; nearest is --size 64x8704"),
        ({"codec": "av1", "size": (8000, 2)}, "less than libsvtav1 writes, sides of 4; nearest is --size 8000x4"),
        ({"codec": "x265", "size": (4, 64)}, "less than libx265 writes, sides of 16; nearest is --size 16x64"),
    ],
)
def test_numbers_that_no_codec_takes(values, text):
    with pytest.raises(UserError, match=text):
        VideoOptions(**values)


def test_the_scale_may_be_too_large(tmp_path):
    with pytest.raises(UserError, match="is more than libx264 writes"):
        upscale_video(Clip().write(tmp_path / "a.mkv"), tmp_path / "b.mkv", Twice(1024), VideoOptions(), print)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_the_scale_may_be_too_small(tmp_path):
    source = Clip(size=(4, 4)).write(tmp_path / "a.mkv")
    with pytest.raises(UserError, match="size 8x8 is less than libx265 writes, sides of 16"):
        upscale_video(source, tmp_path / "b.mkv", Twice(), VideoOptions(codec="x265"), print)


def test_an_encoder_that_refuses_does_so_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setitem(CODECS, "x265", replace(CODECS["x265"], least=1))
    source, twice = Clip(size=(4, 4)).write(tmp_path / "a.mkv"), Twice()
    message = r"b.mkv: libx265 does not write 8x8 at 24 frames a second with these settings \(.*\); take another codec"
    with pytest.raises(UserError, match=message):
        upscale_video(source, tmp_path / "b.mkv", twice, VideoOptions(codec="x265"), print)
    assert twice.seen == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize("rate", [300, 1000])
def test_many_frames_a_second(tmp_path, rate):
    source = Clip(frames=4, times=[12000 // rate * k for k in range(4)]).write(tmp_path / "a.mp4")
    upscale_video(source, tmp_path / "b.mp4", Twice(), VideoOptions(codec="av1", preset="10"), print)
    assert read_back(tmp_path / "b.mp4")[0] == [Fraction(k, rate) for k in range(4)]


def test_a_refused_job_leaves_no_folder(tmp_path):
    source = Clip().write(tmp_path / "a.mkv")
    with pytest.raises(UserError, match="no frame from second 100 on"):
        upscale_video(source, tmp_path / "b.mkv", Twice(), VideoOptions(start=100.0), print)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_a_video_that_ends_early_is_said(tmp_path):
    source = Clip(times=[step * 500 for step in range(24)]).write(tmp_path / "a.mkv")
    whole = upscale_video(source, tmp_path / "whole.mkv", Twice(), VideoOptions(preset="ultrafast"), print)
    assert not whole.notes
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    cut = upscale_video(source, tmp_path / "cut.mkv", Twice(), VideoOptions(preset="ultrafast"), print)
    assert cut.frames < whole.frames
    assert any("it is cut off after" in note for note in cut.notes)


def test_damaged_frames_are_said(tmp_path):
    source = Clip().write(tmp_path / "a.mkv")
    data = bytearray(source.read_bytes())
    with av.open(source) as container:
        coded = [bytes(packet) for packet in container.demux(video=0)]
    packet = max(coded, key=len)
    begin = data.index(packet)
    for place in range(begin + len(packet) // 2, begin + len(packet), 3):  # not the headers: of the pictures only
        data[place] ^= 0xFF
    source.write_bytes(data)
    report = upscale_video(source, tmp_path / "b.mkv", Twice(), VideoOptions(preset="ultrafast"), print)
    assert any("the decoder's guess" in note for note in report.notes)
