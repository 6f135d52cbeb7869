"""`sr prepare crop`: measuring bars, the test for black, odd margins, messages."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sr.data.preparation.letterbox import (
    BARS_BLACK,
    Bars,
    bar_brightness,
    centred,
    common_letterbox,
    fitted,
    letterbox,
    without,
)
from sr.errors import UserError
from sr.image.io import read_picture
from sr.verbs.prepare.cli import app
from sr.verbs.prepare.crop import parse_size, prepare_crop
from tests.conftest import smooth_picture


def barred(bars, seed=0, level=0, noise=0.0, height=60, width=80):
    """A picture inside bars of a level, with noise on the bars as lossy video leaves it."""
    frame = np.full((height, width, 3), float(level))
    frame += np.abs(np.random.default_rng(seed).normal(0, noise, frame.shape)) if noise else 0
    inner = without(frame, bars)
    inner[:] = smooth_picture(*inner.shape[:2], seed)
    return np.clip(frame, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("bars", [(0, 0, 0, 0), (7, 7, 0, 0), (0, 0, 11, 12), (5, 0, 0, 3), (6, 7, 9, 8)])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_bars_of_one_frame(bars, noise):
    assert letterbox(barred(Bars(*bars), 3, 2, noise)) == bars


def test_frame_too_dark_to_tell_has_no_bars():
    assert letterbox(np.zeros((40, 60, 3), np.uint8)) == (0, 0, 0, 0)
    night = np.zeros((40, 60, 3), np.uint8)
    night[18:22, 20:30] = 200  # a lamp: nothing to tell where the picture ends
    assert letterbox(night) == (0, 0, 0, 0)
    assert letterbox(np.zeros((1, 1, 3), np.uint8)) == (0, 0, 0, 0)


def test_common_bars_outvote_dark_scenes_and_subtitles():
    bars = Bars(8, 8, 0, 0)
    frames = [barred(bars, seed) for seed in range(6)]
    for seed in (6, 7):
        dusk = barred(bars, seed)
        dusk[:16] = 3  # the sky is as black as the bar
        frames.append(dusk)
    for seed in (8, 9, 10):
        titled = barred(bars, seed)
        titled[54:57, 20:60] = 250
        frames.append(titled)
    frames += [np.zeros((60, 80, 3), np.uint8)] * 20  # fades
    assert common_letterbox(frames) == bars
    assert common_letterbox(frames[-3:]) == (0, 0, 0, 0)
    assert common_letterbox([]) == (0, 0, 0, 0)


def test_brightness_against_the_log_s_definition():
    # The log: frame in [-1, 1] minus the centre crop padded back with -1, mean over the whole frame.
    frame = np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(np.uint8)
    bars = centred(37, 53, 20, 30)
    assert bars == (8, 9, 11, 12)
    signal = frame / 127.5 - 1
    padded = np.full_like(signal, -1)
    padded[8:28, 11:41] = signal[8:28, 11:41]
    assert bar_brightness(frame, bars) == pytest.approx((signal - padded).mean(), rel=1e-12)
    assert bar_brightness(frame, Bars(0, 0, 0, 0)) == 0
    # Its rule of thumb: level times area share below about 1.5. Here a quarter of the frame is bars.
    for level, black in ((6, True), (7, False)):
        assert (bar_brightness(barred(Bars(8, 7, 0, 0), 1, level), Bars(8, 7, 0, 0)) < BARS_BLACK) is black


def test_centre_crops_and_ratios():
    assert centred(1080, 1920, 1080, 1440) == (0, 0, 240, 240)
    assert centred(5, 8, 2, 3) == (1, 2, 2, 3)
    assert fitted(1080, 1920, 4 / 3) == (1080, 1440)
    assert fitted(480, 640, 16 / 9) == (360, 640)
    assert fitted(100, 100, 1.0) == (100, 100)
    with pytest.raises(ValueError, match="a crop of 9x5 does not fit into a frame of 8x5"):
        centred(5, 8, 5, 9)


@pytest.mark.parametrize("text", ["", "16", "16:", "a:b", "0:9", "-4:3", "1e3:2", "autos"])
def test_no_size(text):
    with pytest.raises(UserError, match="is no size; give WIDTH:HEIGHT"):
        parse_size(text)


def test_half_pixels():
    assert parse_size("2.39:1") == (2.39, 1)
    assert parse_size("640x480") == (640, 480)
    with pytest.raises(UserError, match=r"'640\.5:480' has half pixels; nearest is 640:480"):
        parse_size("640.5:480")


@pytest.fixture
def frames(tmp_path):
    """Two episodes with bars of different width, and in the first a frame without bars."""
    folder = tmp_path / "frames"
    for episode, bars in (("ep01", Bars(7, 8, 0, 0)), ("ep02", Bars(0, 0, 10, 10))):
        (folder / episode).mkdir(parents=True)
        for k in range(4):
            Image.fromarray(barred(bars, k)).save(folder / episode / f"{k}.png")
    Image.fromarray(smooth_picture(60, 80, 9)).save(folder / "ep01" / "open.png")
    return folder


def test_auto_measures_each_folder_and_drops_what_has_no_bars(tmp_path, frames, capsys):
    out = tmp_path / "out"
    prepare_crop(frames, "auto", out)
    text = capsys.readouterr().out
    assert "ep01: 5 frames of 80x60 measured, bars top 7, bottom 8, left 0, right 0; 80x45 remain" in text
    assert "ep02: 4 frames of 80x60 measured, bars top 0, bottom 0, left 10, right 10; 60x60 remain" in text
    assert "8 of 9 frames cropped, 1 dropped because their bars are not black" in text
    assert not (out / "ep01" / "open.png").exists()
    for k in range(4):
        assert np.array_equal(read_picture(out / "ep01" / f"{k}.png").pixels, smooth_picture(45, 80, k))
        assert np.array_equal(read_picture(out / "ep02" / f"{k}.png").pixels, smooth_picture(60, 60, k))


def test_given_size_keeps_what_fits(tmp_path, frames, capsys):
    prepare_crop(frames / "ep01", "80:45", tmp_path / "a")
    assert "4 of 5 frames cropped, 1 dropped because their bars are not black" in capsys.readouterr().out
    assert np.array_equal(read_picture(tmp_path / "a" / "2.png").pixels, smooth_picture(45, 80, 2))
    with pytest.raises(UserError, match=r"ep01' was kept, 5 dropped because their size does not fit; try"):
        prepare_crop(frames / "ep01", "100:45", tmp_path / "b")
    assert "0 of 5 frames cropped, 5 dropped because their size does not fit" in capsys.readouterr().out
    prepare_crop(frames / "ep02", "1:1", tmp_path / "c")
    assert "4 of 4 frames cropped" in capsys.readouterr().out
    assert read_picture(tmp_path / "c" / "0.png").pixels.shape == (60, 60, 3)
    prepare_crop(frames / "ep01", "80:45", tmp_path / "d", limit=2.5)
    assert "5 of 5 frames cropped" in capsys.readouterr().out


def test_running_twice_and_damaged_files(tmp_path, frames, capsys):
    out = tmp_path / "out"
    (frames / "ep01" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"bad\.png.*damaged or not a picture"):
        prepare_crop(frames, "16:9", out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    (frames / "ep01" / "bad.png").unlink()
    prepare_crop(frames, "16:9", out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == before
    with pytest.raises(UserError, match=r"was filled with size 16:9 \(now auto\)"):
        prepare_crop(frames, "auto", out)
    with pytest.raises(UserError, match="is the folder that is read"):
        prepare_crop(frames, "auto", frames)
    with pytest.raises(UserError, match="there is no folder"):
        prepare_crop(tmp_path / "nowhere", "auto", out)


def test_the_verb(tmp_path, frames):
    result = CliRunner().invoke(app, ["crop", str(frames), "auto", "-o", str(tmp_path / "o")])
    assert result.exit_code == 0, result.output
    assert "8 of 9 frames cropped" in result.output
