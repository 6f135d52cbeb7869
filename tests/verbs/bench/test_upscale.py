"""`sr bench upscale` measures what it says."""

import importlib

import pytest

from sr.models.files import save_network
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
    assert f"--size {size} is no size; give WIDTHxHEIGHT in pixels, as in 768x512" in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--large", "-1"), "--large -1 is not within 0.01 and 10000 megapixels; 0 leaves it out"),
        (("--large", "nan"), "--large nan is not within"),
        (("--large", "1e-9"), "--large 1e-09 is not within"),
        (("--accelerator", "cuda"), "--accelerator cuda is not one of auto, cpu, gpu, mps"),
        (("--model", "x2", "--scale", "4"), "--scale 4, but x2 upscales x2; leave --scale out"),
        (("--model", "broken"), "'outputs/broken' is a folder without best.safetensors"),
    ],
)
def test_mistakes_are_one_sentence_before_anything_is_timed(sr, tmp_path, monkeypatch, flags, message):
    def never(*_):
        raise AssertionError("work before the check")

    monkeypatch.setattr(upscale, "_rates", never)
    (tmp_path / "outputs" / "broken").mkdir(parents=True)
    code, _, err = sr("bench", "upscale", *flags)
    assert code == 2
    assert err.startswith(f"error: {message}")
    assert len(err.splitlines()) == 1


def test_a_network_of_ones_own_needs_trust_and_can_have_it(sr, tmp_path, monkeypatch):
    (tmp_path / "timed_own.py").write_text("from sr.models.espcn import Espcn\n\n\nclass Net(Espcn):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    network = importlib.import_module("timed_own").Net(2, features=8)
    config = {"_target_": "timed_own.Net", "scale": 2, "features": 8}
    save_network(tmp_path / "own.safetensors", network, config, {})
    timed = []
    monkeypatch.setattr(
        "sr.verbs.bench.upscale.bench_upscale", lambda network, *_: timed.append(type(network).__name__)
    )
    asked = ("bench", "upscale", "--model", "own.safetensors")
    assert "add --trust" in sr(*asked)[2]
    assert sr(*asked, "--trust")[0] == 0
    assert timed == ["Net"]
