"""A whole video through: frames, times, colours, everything else of the file, and jobs that are interrupted."""

import io
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from sr.errors import UserError
from sr.files import write_atomically
from sr.inference.video import job, joining, parts
from sr.inference.video.job import upscale_video
from sr.inference.video.options import VideoOptions
from sr.inference.video.reading import RawFrame
from sr.inference.video.work import grouped, network_input
from sr.locks import InUseError
from tests.inference.video.clips import HEIGHT, TICK, WIDTH, Clip, Twice, packets, read_back

FINE = VideoOptions(crf=1, preset="ultrafast")
UNEVEN = [0, 500, 900, 2000, 2013, 4000, 4400, 5000, 5900, 6000, 7777, 9000]


def silent(line):
    pass


def run(source, target, upscaler=None, options=FINE, **more):
    return upscale_video(source, target, upscaler or Twice(), options, silent, **more)


def shown(levels):
    """The numbers that frames tell."""
    return [round((level - 30) / 8) for level in levels]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_frames_and_times_are_kept(tmp_path, suffix):
    source = Clip(times=UNEVEN).write(tmp_path / "a.mp4")
    report = run(source, tmp_path / f"b{suffix}")
    times, levels, facts = read_back(tmp_path / f"b{suffix}")
    assert times == [time * TICK for time in UNEVEN] == read_back(source)[0]
    assert shown(levels) == list(range(12))
    assert facts["size"] == (2 * WIDTH, 2 * HEIGHT) == (report.width, report.height)
    assert (report.frames, report.repeated, report.kept, report.notes) == (12, 0, 0, ())
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", f"b{suffix}"}


@pytest.mark.parametrize(("codec", "preset"), [("x264", "veryfast"), ("x265", "ultrafast"), ("av1", "10")])
def test_every_codec_keeps_frames_times_and_colours(tmp_path, codec, preset):
    source = Clip(times=UNEVEN, format="yuv420p10le", tags=(1, 9, 9, 16)).write(tmp_path / "a.mp4")
    run(source, tmp_path / "b.mkv", options=VideoOptions(codec=codec, preset=preset, crf=4))
    times, levels, facts = read_back(tmp_path / "b.mkv")
    assert max(abs(a - b * TICK) for a, b in zip(times, UNEVEN, strict=True)) <= Fraction(1, 2000)  # Matroska's clock
    assert shown(levels) == list(range(12))
    assert facts["format"] == "yuv420p10le"
    assert facts["tags"] == (1, 9, 9, 16)


@pytest.mark.parametrize("range_", [1, 2])
@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p"])
def test_colours_are_kept(tmp_path, range_, matrix, pixel_format):
    clip = Clip(frames=2, tags=(range_, matrix, 5, 6), format=pixel_format)
    run(clip.write(tmp_path / "a.mp4"), tmp_path / "b.mp4", options=VideoOptions(crf=0, preset="ultrafast"))
    with av.open(str(tmp_path / "b.mp4")) as container:
        frame = list(container.decode(video=0))[1]
    assert read_back(tmp_path / "b.mp4")[2]["tags"] == (range_, matrix, 5, 6)
    assert frame.format.name.replace("yuvj", "yuv") == pixel_format
    for plane, original in zip(frame.planes, clip.picture(1).planes, strict=True):
        now, before = (np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width] for p in (plane, original))
        assert np.abs(now[::2, ::2].astype(int) - before).max() <= 1


def test_a_small_video_without_a_named_matrix_gets_the_one_that_players_took(tmp_path):
    source = Clip(frames=2, tags=(0, 2, 2, 2)).write(tmp_path / "a.mp4")
    run(source, tmp_path / "b.mp4", Twice(16))  # at 1024x768, players would take BT.709
    assert read_back(tmp_path / "b.mp4")[2]["tags"][1] == 6


@pytest.mark.parametrize(("pixel_format", "codec", "expected"), [
    ("gray", "ffv1", "yuvj420p"),
    ("bgr0", "ffv1", "yuv420p"),
    ("yuv422p10le", "ffv1", "yuv422p10le"),
    ("yuv444p16le", "ffv1", "yuv444p10le"),
    ("yuv411p", "ffv1", "yuv420p"),
    ("yuva420p", "ffv1", "yuv420p"),
    ("yuvj420p", "mjpeg", "yuvj420p"),
])  # fmt: skip
def test_every_kind_of_pixels_is_read(tmp_path, pixel_format, codec, expected):
    clip = Clip(frames=2, format=pixel_format, codec=codec, tags=(0, 2, 2, 2))
    if pixel_format == "bgr0":
        clip = Clip(frames=2, format=pixel_format, codec=codec, tags=(2, 0, 2, 2))
    report = run(clip.write(tmp_path / "a.mkv"), tmp_path / "b.mkv")
    assert report.frames == 2
    assert read_back(tmp_path / "b.mkv")[2]["format"] == expected
    assert ("its transparency is left out" in report.notes) == (pixel_format == "yuva420p")


def test_everything_else_comes_along(tmp_path):
    lines = [(100, 300, "first"), (350, 450, "second")]
    clip = Clip(sound=True, subtitles=lines, chapters=True, turn=90, aspect=Fraction(32, 27))
    source = clip.write(tmp_path / "a.mkv")
    run(source, tmp_path / "b.mkv")
    facts, before = read_back(tmp_path / "b.mkv")[2], read_back(source)[2]
    assert facts["kinds"] == ["video", "audio", "subtitle"]
    assert facts["turn"] == before["turn"] == 90
    assert facts["aspect"] == Fraction(32, 27)
    assert facts["title"] == "a clip"
    assert facts["chapters"][0]["metadata"] == {"title": "one"}
    assert packets(tmp_path / "b.mkv", "audio") == packets(source, "audio")
    assert packets(tmp_path / "b.mkv", "subtitle") == packets(source, "subtitle")


def test_sound_in_mp4_is_kept_to_the_sample(tmp_path):
    source = Clip(sound=True, frames=24).write(tmp_path / "a.mp4")
    run(source, tmp_path / "b.mp4")
    assert packets(tmp_path / "b.mp4", "audio") == packets(source, "audio")
    assert read_back(tmp_path / "b.mp4")[0] == read_back(source)[0]


def _with_cover_and_font(source, target):
    picture = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(picture, "JPEG")
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0], opaque=True)
        cover = new.add_mux_stream("mjpeg", width=20, height=20)
        cover.disposition = Disposition.attached_pic
        if target.suffix == ".mkv":
            new.add_attachment("letters.ttf", "font/ttf", b"letters")
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
        packet = av.Packet(picture.getvalue())
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        new.mux(packet)
    return target, picture.getvalue()


def test_a_cover_is_no_moving_picture(tmp_path):
    source, cover = _with_cover_and_font(Clip(frames=4).write(tmp_path / "plain.mp4"), tmp_path / "a.mp4")
    assert run(source, tmp_path / "b.mp4").notes == ()
    with av.open(str(tmp_path / "b.mp4")) as container:
        still = container.streams[1]
        assert still.disposition & Disposition.attached_pic
        assert next(bytes(packet) for packet in container.demux(still)) == cover


def test_fonts_come_along(tmp_path):
    source, _ = _with_cover_and_font(Clip(frames=4).write(tmp_path / "plain.mp4"), tmp_path / "a.mkv")
    run(source, tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert [font.data for font in container.streams if font.type == "attachment"] == [b"letters"]


def test_a_clock_that_begins_anywhere(tmp_path):
    source = Clip(times=[12000 * 5000 + 500 * k for k in range(12)]).write(tmp_path / "a.ts")
    run(source, tmp_path / "b.mp4")
    assert read_back(tmp_path / "b.mp4")[0] == [500 * k * TICK for k in range(12)]


def test_what_a_file_cannot_hold_is_said(tmp_path):
    source = Clip(subtitles=[(100, 300, "first")]).write(tmp_path / "a.mkv")
    report = run(source, tmp_path / "b.mp4")
    assert report.notes == ("its stream 1 (subtitle, srt) does not fit into .mp4 and is left out",)


def test_start_and_length(tmp_path):
    lines = [(0, 80, "over"), (100, 300, "on the screen"), (400, 450, "after")]
    source = Clip(frames=24, sound=True, subtitles=lines).write(tmp_path / "a.mkv")
    report = run(source, tmp_path / "b.mkv", options=VideoOptions(crf=1, start=0.21, length=0.125))
    times, levels, _ = read_back(tmp_path / "b.mkv")
    assert report.frames == 3
    assert shown(levels) == [6, 7, 8]
    assert times[0] == 0
    assert packets(tmp_path / "b.mkv", "subtitle") == [(0, b"on the screen")]
    sound = packets(tmp_path / "b.mkv", "audio")
    assert [data for _, data in sound] == [d for t, d in packets(source, "audio") if 0.25 <= t < 0.375]
    assert sound[0][0] < 0.022


def test_repeated_frames_are_upscaled_once(tmp_path):
    source = Clip(numbers=[0, 0, 0, 1, 1, 2, 0, 0, 3, 3, 3, 3], options={"qp": "0"}).write(tmp_path / "a.mp4")
    twice = Twice()
    report = run(source, tmp_path / "b.mp4", twice)
    assert (report.repeated, twice.seen) == (7, 5)
    times, levels, _ = read_back(tmp_path / "b.mp4")
    assert shown(levels) == [0, 0, 0, 1, 1, 2, 0, 0, 3, 3, 3, 3]
    assert times == read_back(source)[0]


def test_an_interrupted_job_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 5)
    source = Clip(frames=24, sound=True).write(tmp_path / "a.mp4")
    run(source, tmp_path / "whole.mp4")
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "b.mp4", Twice(stop_after=13))
    assert not (tmp_path / "b.mp4").exists()
    said, again = [], Twice()
    report = upscale_video(source, tmp_path / "b.mp4", again, FINE, said.append)
    assert (report.frames, report.kept, again.seen) == (24, 10, 14)
    assert said == ["10 frames are finished; going on after them"]
    assert read_back(tmp_path / "b.mp4") == read_back(tmp_path / "whole.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "b.mp4", "whole.mp4"}


@pytest.mark.parametrize("change", ["options", "network", "source", "engine"])
def test_another_job_does_not_take_its_frames(tmp_path, monkeypatch, change):
    monkeypatch.setattr(job, "PART", 5)
    source = Clip(frames=12).write(tmp_path / "a.mp4")
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "b.mp4", Twice(stop_after=11), made_by="one")
    if change == "source":
        os.utime(source, (1, 1))
    options = VideoOptions(crf=2) if change == "options" else FINE
    twice = Twice()
    if change == "engine":
        twice.computed_by = lambda height, width, count, before: f"for {count} of {height}x{width} not {before}"
    report = run(source, tmp_path / "b.mp4", twice, options, made_by="two" if change == "network" else "one")
    assert (report.frames, report.kept) == (12, 0)


def test_what_another_engine_began_is_not_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 4)
    source = Clip(frames=16).write(tmp_path / "a.mp4")

    def begin(words, stop, target="b.mp4"):
        upscaler, told = Twice(stop_after=stop), []
        upscaler.computed_by = lambda height, width, count, before: told.append(before) or words
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / target, upscaler)
        return told[0].splitlines()

    assert begin("card", 13) == []
    assert begin("processor", 9) == ["card"]
    assert begin("card", 0) == ["card", "processor"]  # that with the most parts first
    parts = {path.name for path in tmp_path.rglob("*.part")}
    assert parts >= {"000000.part", "000001.part"}
    last = Twice()
    last.computed_by = lambda height, width, count, before: "card"
    report = run(source, tmp_path / "b.mp4", last)
    assert (report.kept, last.seen) in ((8, 8), (12, 4))
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "b.mp4"}


def test_a_damaged_part_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 4)
    source = Clip(frames=12).write(tmp_path / "a.mp4")
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "b.mp4", Twice(stop_after=9))
    last = sorted(tmp_path.rglob("*.part"))[-1]
    last.write_bytes(last.read_bytes()[:-10])
    assert run(source, tmp_path / "b.mp4").kept == 4
    assert shown(read_back(tmp_path / "b.mp4")[1]) == list(range(12))


SCRIPT = """
import os, signal, sys
from pathlib import Path
from sr.files import write_atomically
from sr.inference.video import job, joining
from sr.inference.video.options import VideoOptions
from tests.inference.video.clips import Twice
job.PART = 5
class Killed(Twice):
    def image(self, lr):
        if self.seen == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().image(lr)
job.upscale_video(Path(sys.argv[1]), Path(sys.argv[2]), Killed(), VideoOptions(crf=1, preset="ultrafast"), print)
"""


@pytest.mark.slow
def test_a_killed_job_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 5)
    source = Clip(frames=24, sound=True).write(tmp_path / "a.mp4")
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, source, tmp_path / "b.mp4"], cwd=Path(__file__).parents[3], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    report = run(source, tmp_path / "b.mp4")
    assert report.kept in (5, 10)  # the second part may have been on its way to the disk
    run(source, tmp_path / "whole.mp4")
    assert read_back(tmp_path / "b.mp4") == read_back(tmp_path / "whole.mp4")


def test_batches_end_with_their_part():
    frames = [RawFrame(k, 1, None if k in (2, 5) else ()) for k in range(8)]
    assert [[f.pts for f in group] for group in grouped(iter(frames), 2, 5)] == [[0, 1], [2, 3, 4], [5, 6, 7]]


def test_anamorphic_size_of_the_log():
    assert network_input((480, 712), (1080, 1920), 2) == (540, 960)
    assert network_input((480, 712), (960, 1424), 4) == (480, 712)  # shrunk afterwards, not before


def test_size(tmp_path):
    source = Clip(aspect=Fraction(4, 3)).write(tmp_path / "a.mp4")
    twice = Twice()
    run(source, tmp_path / "b.mp4", twice, VideoOptions(crf=1, size=(200, 96)))
    facts = read_back(tmp_path / "b.mp4")[2]
    assert (facts["size"], facts["aspect"]) == ((200, 96), 1)
    assert set(twice.shapes) == {(1, 3, 48, 100)}


def test_size_is_of_the_picture_as_shown(tmp_path):
    source = Clip(turn=90).write(tmp_path / "a.mp4")
    run(source, tmp_path / "b.mp4", options=VideoOptions(crf=1, size=(96, 200)))
    assert read_back(tmp_path / "b.mp4")[2]["size"] == (200, 96)


def test_odd_sides(tmp_path):
    source = Clip(size=(33, 31), format="yuv444p").write(tmp_path / "a.mp4")
    assert run(source, tmp_path / "b.mp4", Twice(1)).notes == ()  # 4:4:4 has no need of even sides
    report = run(source, tmp_path / "c.mp4", Twice(3), VideoOptions(codec="av1", preset="10"))
    assert (report.width, report.height) == (100, 94)
    assert report.notes == (
        "99x93 has an odd side, which 4:2:0 colour does not allow; the last pixels are repeated: 100x94",
    )


@pytest.mark.parametrize(("suffix", "how"), [(".mkv", {}), (".mp4", {"movflags": "faststart"})])
def test_a_cut_file_gives_what_it_has(tmp_path, suffix, how):
    clip = Clip(frames=60, codec="mpeg4", numbers=[k % 20 for k in range(60)])
    source = clip.write(tmp_path / f"a{suffix}", how)
    with av.open(str(source)) as container:
        middle = [packet.pos for packet in container.demux(video=0) if packet.pos][30]
    source.write_bytes(source.read_bytes()[: middle + 5])
    report = run(source, tmp_path / "b.mp4")
    assert report.frames in (30, 31)  # some decoders make something of five bytes
    assert any(note.startswith("it is cut off after 1.2 of 2.5 seconds") for note in report.notes)


def _no_video(path):
    with av.open(str(path), "w") as output:
        from tests.inference.video.clips import _write_sound

        _write_sound(output, output.add_stream("aac", rate=48000), 0.2)
    return path


def test_bad_input(tmp_path):
    good = Clip(frames=2).write(tmp_path / "good.mp4")
    header = tmp_path / "header.mp4"
    header.write_bytes(good.read_bytes()[:200])
    empty = tmp_path / "empty.mkv"
    empty.write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    file = tmp_path / "file"
    file.write_text("")
    cases = [
        (_no_video(tmp_path / "sound.mp4"), tmp_path / "b.mp4", FINE, "no video stream in it can be decoded"),
        (header, tmp_path / "b.mp4", FINE, "it is damaged, incomplete or no video"),
        (empty, tmp_path / "b.mp4", FINE, "it is damaged, incomplete or no video"),
        (tmp_path / "missing.mp4", tmp_path / "b.mp4", FINE, "there is no such file"),
        (good, tmp_path / "b.avi", FINE, "suffix .avi; nearest is .mkv, all are .mp4, .m4v, .mov, .mkv, .webm"),
        (good, tmp_path / "b.webm", FINE, ".webm does not hold x264; take .mkv, or the codec av1"),
        (good, tmp_path / "folder.mp4", FINE, "is a folder; name a file"),
        (good, good, FINE, "would be overwritten by its result"),
        (good, file / "b.mp4", FINE, "could not write into"),
        (good, tmp_path / "b.mp4", VideoOptions(start=9), "no frame from second 9 on; it lasts 0.0"),
    ]
    for source, target, options, message in cases:
        with pytest.raises(UserError, match=r".") as caught:
            run(source, target, options=options)
        assert message in str(caught.value)
    assert not (tmp_path / "b.mp4").exists()


def test_a_full_disk_keeps_what_is_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 5)
    source = Clip(frames=12).write(tmp_path / "a.mp4")
    real, written = os.fsync, []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 4:  # two for each file: what computes, a part
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"could not write .*: No space left on device"):
            run(source, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()
    assert run(source, tmp_path / "b.mp4").kept in (5, 10)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_disk_that_is_full_at_the_end(tmp_path, monkeypatch, suffix):
    source, target = Clip().write(tmp_path / "a.mp4"), tmp_path / f"b{suffix}"

    class Full:
        def __init__(self, file):
            self.seek, self.tell = file.seek, file.tell

        def write(self, data):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(
            joining, "write_atomically", lambda path, write: write_atomically(path, lambda f: write(Full(f)))
        )
        with pytest.raises(UserError, match=rf"could not write .*b{suffix}: No space left on device"):
            run(source, target)
    assert not target.exists()
    assert run(source, target).kept == 12


@pytest.mark.parametrize("kind", ["busy", "unwritable"])
def test_names_that_steer_terminals_are_shown_harmless(tmp_path, monkeypatch, kind):
    def refuse(path):
        raise InUseError("process 7") if kind == "busy" else OSError(13, "Permission denied")

    monkeypatch.setattr(parts, "alone", refuse)
    with pytest.raises(UserError) as caught:
        run(Clip(frames=1).write(tmp_path / "a.mp4"), tmp_path / "b\x1b[2J.mp4")
    assert "\x1b" not in caught.value.args[0]
    assert "[2J" in caught.value.args[0]


def test_two_jobs_of_one_file(tmp_path):
    source = Clip(frames=1).write(tmp_path / "a.mp4")

    class Other(Twice):
        def image(self, lr):
            with pytest.raises(UserError, match=r"b.mp4 is being made by process \d+; wait for it"):
                run(source, tmp_path / "b.mp4")
            return super().image(lr)

    assert run(source, tmp_path / "b.mp4", Other()).frames == 1
