"""Films that are denoised, stretched and dithered after the network, also when the job was interrupted."""

import av
import numpy as np
import pytest
import torch

from sr.inference.enhance.enhancer import Settings
from sr.inference.video import job, work
from sr.inference.video.encoding import PartEncoder
from sr.inference.video.job import upscale_video
from sr.inference.video.options import VideoOptions
from tests.inference.video.clips import Clip, Twice

EXACT = {"crf": 0, "preset": "ultrafast"}


class Gray(Twice):
    """Makes one gray of everything, between two levels of ten bits."""

    level = 400.3  # of limited range

    def image(self, lr):
        return torch.full_like(super().image(lr), (self.level - 64) / 876)


class Haze(Twice):
    """Leaves room for contrast."""

    def image(self, lr):
        return 0.3 + 0.4 * super().image(lr)


def planes_of(path):
    """(frames, rows, columns) of each plane."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(channel_last=False) for frame in container.decode(video=0)]
    return np.stack(frames)


def run(source, target, upscaler, options, enhance):
    return upscale_video(source, target, upscaler, options, lambda line: None, enhance=enhance)


@pytest.fixture
def encoded(monkeypatch):
    """Planes of each frame as the encoder gets them; ten bits are not quite lossless at any quality."""
    seen = []

    class Spied(PartEncoder):
        def add(self, planes, pts):
            seen.append(planes)
            super().add(planes, pts)

    monkeypatch.setattr(work, "PartEncoder", Spied)
    return seen


@pytest.mark.parametrize("size", [None, (200, 96)])
def test_dither_is_of_the_encoders_levels_and_comes_last(tmp_path, encoded, size):
    source = Clip(frames=3, format="yuv420p10le").write(tmp_path / "a.mp4")
    run(source, tmp_path / "b.mkv", Gray(), VideoOptions(**EXACT, size=size), Settings(dither=1))
    luma, blue, red = (np.stack(planes) for planes in zip(*encoded, strict=True))
    assert set(np.unique(luma)) == {400, 401}
    assert luma.mean() == pytest.approx(Gray.level, abs=0.02)
    assert {*np.unique(blue), *np.unique(red)} <= {511, 512, 513}  # the noise of three colours would be more
    assert blue.mean() == pytest.approx(512, abs=0.02)
    assert not (luma[0] == luma[1]).all()
    assert not (luma[1] == luma[2]).all()


def test_without_dither_there_is_none(tmp_path, encoded):
    source = Clip(frames=1, format="yuv420p10le").write(tmp_path / "a.mp4")
    run(source, tmp_path / "b.mkv", Gray(), VideoOptions(**EXACT), Settings(denoise=2))
    assert [set(np.unique(plane)) for plane in encoded[0]] == [{400}, {512}, {512}]


def test_an_interrupted_film_goes_on_as_it_began(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 5)
    numbers = [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 9, 10, 11, 12, 12]  # some repeat across the end of a part
    source = Clip(numbers=numbers, times=[500 * k for k in range(17)]).write(tmp_path / "a.mp4")
    enhance, options = Settings(contrast=1, dither=1), VideoOptions(**EXACT)
    run(source, tmp_path / "whole.mkv", Haze(), options, enhance)
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "b.mkv", Haze(stop_after=12), options, enhance)
    report = run(source, tmp_path / "b.mkv", Haze(), options, enhance)
    assert report.kept in (5, 10)
    assert np.array_equal(planes_of(tmp_path / "b.mkv"), planes_of(tmp_path / "whole.mkv"))


def test_other_settings_do_not_take_its_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PART", 5)
    source = Clip(frames=12).write(tmp_path / "a.mp4")
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "b.mkv", Twice(stop_after=11), VideoOptions(**EXACT), Settings(contrast=1))
    report = run(source, tmp_path / "b.mkv", Twice(), VideoOptions(**EXACT), Settings(contrast=2))
    assert report.kept == 0
