"""What is copied beside the pictures: what fits is kept, what does not is known before the work."""

from fractions import Fraction

import av
import numpy as np
import pytest

from sr.errors import UserError
from sr.inference.video import job
from sr.inference.video.clock import Clock, Restart
from sr.inference.video.copying import rising_packets
from sr.inference.video.job import upscale_video
from sr.inference.video.options import VideoOptions
from tests.inference.video.clips import Clip, Twice, packets, read_back

FAST = VideoOptions(crf=1, preset="ultrafast")


def run(source, target, options=FAST, upscaler=None):
    return upscale_video(source, target, upscaler or Twice(), options, lambda line: None)


def film(path, codec="mpeg2video", sound="", data="", seconds=1, time_code="", pixels="yuv420p"):
    """A plain film with what other tests have no need of; its path again."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        if time_code:
            stream.metadata["timecode"] = time_code
        heard = output.add_stream(sound, rate=48000) if sound else None
        told = output.add_data_stream(data) if data else None
        for number in range(24 * seconds):
            frame = Clip(format=pixels).picture(number % 20)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            output.mux(stream.encode(frame))
            if heard:
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), "s16", "stereo")
                samples.sample_rate, samples.pts = 48000, number * 2000
                output.mux(heard.encode(samples))
            if told:
                packet = av.Packet(b"abcd" * 8)
                packet.stream, packet.time_base, packet.pts, packet.dts = told, Fraction(1, 24), number, number
                output.mux(packet)
        for one in filter(None, (stream, heard)):
            output.mux(one.encode(None))
    return path


def kinds(path):
    return read_back(path)[2]["kinds"]


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_a_time_code_is_kept(tmp_path, suffix):
    source = film(tmp_path / "a.mov", time_code="01:02:03:04")
    assert kinds(source) == ["video", "data"]
    assert run(source, tmp_path / f"b{suffix}").notes == ()
    with av.open(str(tmp_path / f"b{suffix}")) as container:
        told = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
    assert told["timecode"] == "01:02:03:04"
    cut = run(source, tmp_path / f"cut{suffix}", VideoOptions(preset="ultrafast", start=0.5))  # it begins elsewhere
    assert cut.notes == (f"its stream 1 (data, unknown) does not fit into {suffix} and is left out",)
    assert kinds(tmp_path / f"cut{suffix}") == ["video"]


@pytest.mark.parametrize(("suffix", "fits"), [(".mov", True), (".mp4", False), (".mkv", False)])
def test_data_that_does_not_fit_is_known_before_the_work(tmp_path, suffix, fits):
    source = film(tmp_path / "a.ts", data="klv")
    said, notes = [], [] if fits else [f"its stream 1 (data, unknown) does not fit into {suffix} and is left out"]

    class Watched(Twice):
        def image(self, lr):
            assert said == notes
            return super().image(lr)

    report = upscale_video(source, tmp_path / f"b{suffix}", Watched(), FAST, said.append)
    assert report.notes == tuple(said)
    assert kinds(tmp_path / f"b{suffix}") == (["video", "data"] if fits else ["video"])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_that_names_no_speakers(tmp_path, suffix):
    source = film(tmp_path / "a.avi", "mjpeg", "pcm_s16le", pixels="yuvj420p")
    with av.open(str(source)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    assert run(source, tmp_path / f"b{suffix}").notes == ()
    old, new = ([data for _, data in packets(path, "audio")] for path in (source, tmp_path / f"b{suffix}"))
    assert b"".join(new) == b"".join(old)


@pytest.mark.parametrize(("name", "target"), [("a.ts", "b.mp4"), ("a.ts", "b.mkv"), ("a.mpg", "b.mp4")])
def test_a_clock_that_begins_anew(tmp_path, monkeypatch, name, target):
    monkeypatch.setattr(job, "PART", 40)
    source = film(tmp_path / name, sound="mp2")
    once = run(source, tmp_path / "once.mkv").frames
    source.write_bytes(source.read_bytes() * 3)
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / target, upscaler=Twice(stop_after=60))
    report = run(source, tmp_path / target)
    assert (report.frames, report.kept) == (3 * once, 40)
    times = [float(time) for time in read_back(tmp_path / target)[0]]
    assert times[once] - times[once - 1] == pytest.approx(1 / 24, abs=0.002)
    assert times[2 * once] - times[once] == pytest.approx(1, abs=0.05)
    assert times == sorted(set(times))
    heard = packets(tmp_path / target, "audio")
    assert len(heard) == len(packets(source, "audio"))
    assert 2.8 < heard[-1][0] < 3.1


def test_rare_packets_follow_the_place_in_the_file():
    clock = Clock([Restart(1000, Fraction(10)), Restart(2000, Fraction(30))])
    told = [(Fraction(3), 10), (Fraction(4), 1500), (Fraction(5), 1600), (Fraction(1), 1990), (Fraction(2), 2010)]
    assert [clock.offset(*one) for one in told] == [0, 10, 10, 30, 30]
    without = Clock([])
    assert [without.offset(Fraction(seconds)) for seconds in (3, 0)] == [0, 0]


@pytest.mark.parametrize(("least", "expected"), [(1, [0, 1, 2, 3]), (0, [0, 0, 1, 3])])
def test_times_of_decoding_rise(tmp_path, least, expected):
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000)
        stream.time_base = Fraction(1, 1000)
        made = []
        for time in (0, 0, 100, 300):  # of 100,000 to a second
            packet = av.Packet(b"1234")
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 100000), time, time
            made.append(packet)
        rising = list(rising_packets(iter(made), least))
    assert [packet.dts * packet.time_base for packet in rising] == [Fraction(time, 1000) for time in expected]


def test_what_fails_at_the_very_end_does_not_promise_to_go_on(tmp_path, monkeypatch):
    def fail(*_):
        raise av.error.ArgumentError(22, "no")

    monkeypatch.setattr("sr.inference.video.joining._own_packets", fail)
    with pytest.raises(UserError) as caught:
        run(Clip(frames=2).write(tmp_path / "a.mkv"), tmp_path / "b.mkv")
    assert "could not put" in str(caught.value)
    assert "its frames are kept in" in str(caught.value)
    assert "goes on" not in str(caught.value)
