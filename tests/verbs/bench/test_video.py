"""The speed of a video job beside its network's."""

import pytest

from sr.inference.video.options import VideoOptions
from sr.verbs.bench.video import VideoRates, video_rates
from tests.inference.video.clips import Clip, Twice


def test_rates_count_what_the_network_did(tmp_path):
    source = Clip(numbers=[0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]).write(tmp_path / "a.mp4")
    twice = Twice()
    rates = video_rates(source, twice, VideoOptions())
    assert rates.frames == 10
    assert rates.job > 0
    assert twice.seen == 1 + 6 + 10 + 6  # to begin, six new ones among the first eight, the job, and again
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4"}


def test_share():
    assert VideoRates(10, 4.5, 5.0).share == pytest.approx(0.9)
