"""`sr prepare drawings` and the source: palettes and fills from folders, counts, resuming."""

import pickle

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sr.data.generated import GeneratedPictures, drawing
from sr.data.generated.drawings import part_of
from sr.data.generated.palettes import blurred_colours
from sr.data.kinds.drawings import Drawings
from sr.errors import UserError
from sr.image.io import read_picture
from sr.verbs.prepare.cli import app
from sr.verbs.prepare.drawings import prepare_drawings
from tests.conftest import smooth_picture

SETTINGS = {"lines": 3, "palette": None, "kernel": 3, "source": None, "seed": 0}


@pytest.fixture
def reds(tmp_path):
    folder = tmp_path / "reds"
    folder.mkdir()
    for k in range(3):
        picture = smooth_picture(50, 60, k)
        picture[..., 1:] = 0
        Image.fromarray(picture).save(folder / f"{k}.png")
    return folder


@pytest.mark.parametrize("kernel", [1, 3, 11])
def test_palette_is_the_box_blurred_picture(kernel):
    pixels = smooth_picture(40, 50, 1)
    expected = cv2.blur(pixels, (kernel, kernel), borderType=cv2.BORDER_REPLICATE).reshape(-1, 3)
    assert np.abs(blurred_colours(pixels, kernel).astype(int) - expected).max() <= 1  # both round each pass their way
    with pytest.raises(ValueError, match="got 4; give 5"):
        blurred_colours(pixels, 4)


def test_colours_come_from_the_folder(reds):
    for picture in (Drawings(4, 40, 32, lines=0, palette=str(reds)).read(k).pixels for k in range(4)):
        assert picture.shape == (32, 40, 3)
        assert picture[..., 1:].max() == 0
        assert picture[..., 0].max() > 40
    free = Drawings(4, 40, 32, lines=0)
    assert max(free.read(k).pixels[..., 1:].max() for k in range(4)) > 40


def test_frames_lie_under_the_strokes(reds):
    bare = Drawings(6, 20, 16, lines=0, source=str(reds))
    for k in range(6):
        assert bare.read(k).pixels[..., 1:].max() == 0
    rng = np.random.default_rng(0)
    picture = smooth_picture(40, 50, 2)
    part = part_of(picture, 16, 20, rng)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (16, 20), axis=(0, 1))
    assert (windows.transpose(0, 1, 3, 4, 2) == part).all((2, 3, 4)).any()  # pixels as they are
    assert part_of(picture, 40, 50, rng).shape == (40, 50, 3)
    enlarged = part_of(picture, 90, 60, rng)  # too small: enlarged 2.25 times, then cut
    assert enlarged.shape == (90, 60, 3)
    assert np.abs(enlarged.mean((0, 1)) - picture.mean((0, 1))).max() < 40
    lined = drawing(40, 50, np.random.default_rng(3), lines=20, background=picture)
    assert 0.05 < (np.abs(lined.astype(int) - picture).max(-1) > 60).mean() < 0.95


def test_pictures_without_folders_are_as_before(reds):
    # The identity is the key of stores that exist: without folders it must not change.
    plain = GeneratedPictures("drawings", 32, 40, seed=2, lines=5)
    assert plain.identity == "generated v1 kind=drawings size=32x40 seed=2 drawings=0.2 lines=5"
    rng = np.random.default_rng([2, 7])
    assert np.array_equal(plain[7], drawing(32, 40, rng, 5))
    files = sorted(reds.iterdir())
    others = [
        GeneratedPictures("drawings", 32, 40, seed=2, lines=5, palettes=files),
        GeneratedPictures("drawings", 32, 40, seed=2, lines=5, palettes=files, kernel=5),
        GeneratedPictures("drawings", 32, 40, seed=2, lines=5, palettes=files[:2]),
        GeneratedPictures("drawings", 32, 40, seed=2, lines=5, sources=files),
    ]
    assert len({plain.identity, *(other.identity for other in others)}) == 5
    assert len({picture[3].tobytes() for picture in (plain, *others[:1], others[3])}) == 3


def test_source_is_a_pure_function_of_its_settings(reds):
    source = Drawings(5, 40, 32, lines=4, palette=[str(reds)], seed=3)
    again = pickle.loads(pickle.dumps(source))
    assert len(source) == 5
    assert source.name(4) == "drawing_00004"
    assert source.stamp() == again.stamp()
    assert all(np.array_equal(source.read(k).pixels, again.read(k).pixels) for k in (3, 0))
    assert not np.array_equal(source.read(0).pixels, source.read(1).pixels)
    stamp = source.stamp()
    Image.fromarray(smooth_picture(30, 30, 8)).save(reds / "1.png")
    assert Drawings(5, 40, 32, lines=4, palette=[str(reds)], seed=3).stamp() != stamp
    assert Drawings(6, 40, 32, lines=4, palette=[str(reds)], seed=3).stamp() != source.stamp()


def test_deep_palette_pictures(tmp_path):
    (tmp_path / "deep").mkdir()
    deep = np.full((20, 20), 30000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep" / "a.png")
    picture = Drawings(1, 16, 16, lines=0, palette=str(tmp_path / "deep")).read(0).pixels
    assert np.abs(picture.astype(int) - 117).max() <= 1  # 30000 / 257


def test_run_again_makes_only_more(tmp_path, capsys):
    out = tmp_path / "out"
    prepare_drawings(out, 3, "40x32", SETTINGS)
    assert "3 drawings of 40x32 made: " in capsys.readouterr().out
    source = Drawings(5, 40, 32, lines=3, kernel=3)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    prepare_drawings(out, 5, "40x32", SETTINGS)
    assert "2 drawings of 40x32 made, 3 were there already" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    for k in range(5):
        assert np.array_equal(read_picture(out / "0" / f"{k}.png").pixels, source.read(k).pixels)
    with pytest.raises(UserError, match=r"size 40x32 \(now 48x32\)"):
        prepare_drawings(out, 5, "48x32", SETTINGS)


@pytest.mark.parametrize(
    ("count", "size", "settings", "message"),
    [
        (1, "40", {}, "--size 40 is no size; give WIDTHxHEIGHT in pixels, as in 960x540"),
        (0, "40x32", {}, "--count is how many drawings to make, at least 1, got 0"),
        (1, "0x32", {}, "--size 0x32 is no size"),
        (1, "40x32", {"kernel": 4}, "got 4; give 5"),
        (1, "40x32", {"lines": -1}, "got -1; give 0"),
        (1, "40x32", {"palette": "nowhere"}, "there is no folder 'nowhere'"),
    ],
)
def test_bad_settings_are_named(tmp_path, count, size, settings, message):
    with pytest.raises(UserError, match=message):
        prepare_drawings(tmp_path / "out", count, size, {**SETTINGS, **settings})
    assert not (tmp_path / "out").exists()


def test_the_verb(tmp_path, reds):
    out = tmp_path / "o"
    result = CliRunner().invoke(
        app, ["drawings", "-o", str(out), "--count", "2", "--size", "40:32", "--palette", str(reds), "--lines", "0"]
    )
    assert result.exit_code == 0, result.output
    assert read_picture(out / "0" / "1.png").pixels[..., 1:].max() == 0
    assert "--palette" in CliRunner().invoke(app, ["drawings", "--help"], env={"COLUMNS": "200"}).output
