"""`sr bench upscale` measures what it says."""

import pytest

from sr.verbs.bench import upscale
from tests.inference.video.clips import Clip


def test_rates_ratios_and_memory_are_printed(sr, monkeypatch, tmp_path):
    monkeypatch.setattr(upscale, "_KINDS", ("torch",))  # others take seconds to be written
    film = Clip(numbers=list(range(12))).write(tmp_path / "a.mp4")
    asked = ["--size", "64x48", "--large", "0.1", "--accelerator", "cpu", "--video", str(film)]
    code, out, _ = sr("bench", "upscale", *asked)
    assert code == 0
    assert "espcn x2, 64x48" in out
    assert "torch, whole" in out
    assert "torch, tiles" in out
    assert "388x258 by strips" in out
    assert f"{film}: 12 frames, " in out
    assert "GiB beyond what the process had before" in out


@pytest.mark.parametrize("size", ["64", "0x4", "64x48x2"])
def test_a_size_that_is_none(sr, size):
    code, _, err = sr("bench", "upscale", "--size", size)
    assert code == 2
    assert f"--size {size} is not WIDTHxHEIGHT, as 768x512" in err
