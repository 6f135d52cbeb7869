"""`data.hr_scale` of every kind of data: what shrinking computes, where it applies, which stores it leaves alone."""

import numpy as np
import pytest
import torch
from PIL import Image

from sr.config.composing import composed
from sr.config.stored import with_moved_names
from sr.data.kinds.scaled import Scaled, scaled, shrunk
from sr.data.kinds.sources import Folder
from sr.data.module import CropData
from sr.degradations.bicubic import Bicubic


def made(train, val=None, **settings):
    """A prepared data module and what it has said."""
    data = CropData(str(train), val, 2, 8, 4, 0, **settings)
    messages = []
    data.prepare(Bicubic(2), torch.device("cpu"), on_message=messages.append)
    return data, messages


def test_area_is_an_average_over_what_a_pixel_covers():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    # 2/3: each new pixel covers 1.5 old ones per axis: 1 and a half, or a half and 1.
    weights = np.zeros((2, 3))
    weights[0, :2], weights[1, 1:] = (1, 0.5), (0.5, 1)
    blocks = pixels.reshape(20, 3, 30, 3, 3).astype(float)
    expected = np.einsum("ia,jb,yaxbc->yixjc", weights, weights, blocks).reshape(40, 60, 3) / 2.25
    assert np.abs(shrunk(pixels, 2 / 3, "area") - expected).max() <= 1


def lanczos_line(line, out):
    """By the definition: sinc(x) sinc(x / 3) stretched by the factor, normalised, in float64."""
    factor = len(line) / out
    result = []
    for place in range(out):
        x = (np.arange(len(line)) + 0.5 - (place + 0.5) * factor) / factor
        weight = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
        result.append((weight @ line) / weight.sum())
    return np.array(result)


def test_lanczos_by_its_definition_and_to_even_sides():
    line = np.random.default_rng(1).integers(60, 190, 42).astype(float)
    pixels = np.repeat(np.tile(line, (30, 1))[:, :, None], 3, axis=2).astype(np.uint8)
    small = shrunk(pixels, 0.25, "lanczos")  # 30 -> 7.5 and 42 -> 10.5: the nearest even numbers
    assert small.shape == (8, 10, 3)
    assert np.abs(small[4, :, 0] - lanczos_line(line, 10)).max() < 1
    assert shrunk(pixels[:3, :3], 0.25, "lanczos").shape == (2, 2, 3)


def test_training_and_validation_of_any_kind_are_shrunk(pictures):
    data, _ = made(pictures, str(pictures), hr_scale=0.5, hr_filter="lanczos")
    heights = [32, 34, 36, 38, 40, 42]
    assert sorted(data.stream.batches.hr.heights.tolist()) == heights
    assert sorted(pair.hr.shape[0] for pair in data.pairs) == heights
    assert all(pair.lr.shape[0] * 2 == pair.hr.shape[0] for pair in data.pairs)


def test_stores_of_full_size_stay_and_every_setting_has_its_own(pictures):
    keys = [made(pictures, **settings)[0].stream.batches.hr.key for settings in SETTINGS]
    assert keys[0] == keys[1], "a store of before must not be built again"
    assert len(set(keys)) == 4


SETTINGS = ({}, {"hr_scale": 1.0, "hr_filter": "lanczos"}, {"hr_scale": 0.5}, {"hr_scale": 0.75})
SETTINGS += ({"hr_scale": 0.5, "hr_filter": "lanczos"},)


def test_a_source_that_says_its_own_scale_keeps_it(pictures):
    folder = Folder(str(pictures))
    own = Scaled(folder, 1.0)
    assert scaled(own, 0.5, "area") is own
    assert scaled(folder, 1.0, "lanczos") is folder
    assert own.read(0).pixels.shape == folder.read(0).pixels.shape
    assert len(own) == 6
    assert own.name(3) == folder.name(3)


def test_given_twins_are_not_shrunk(pictures, tmp_path):
    (tmp_path / "lr").mkdir()
    for path in pictures.rglob("*.png"):
        picture = Image.open(path)
        picture.resize((picture.width // 2, picture.height // 2)).save(tmp_path / "lr" / path.name)
    ordered = [str(path) for path in Folder(str(pictures)).paths]
    twins = [str(tmp_path / "lr" / path.rsplit("/", 1)[1]) for path in ordered]
    data, messages = made(pictures, ordered, val_lr=twins, hr_scale=0.5)
    assert {pair.hr.shape[1] for pair in data.pairs} == {80}
    assert any("validation pictures stay as large as they are: data.hr_scale=0.5" in line for line in messages)
    with pytest.raises(
        ValueError, match=r"hr_scale=0\.5 makes pictures smaller than the low-resolution twins .* set hr_scale=1, or"
    ):
        CropData(ordered, None, 2, 8, 4, 0, train_lr=twins, hr_scale=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hr_scale": 0.0}, "hr_scale=0 must be above 0 and at most 1"),
        ({"hr_scale": 1.5}, r"hr_scale=1\.5 must be above 0 and at most 1"),
        ({"hr_filter": "lanzcos"}, "hr_filter='?lanzcos'? .*lanczos"),
    ],
)
def test_mistakes_are_quoted(pictures, settings, message):
    with pytest.raises(ValueError, match=message):
        CropData(str(pictures), None, 2, 8, 4, 0, **settings)


def test_runs_in_which_frames_were_shrunk_by_themselves_go_on():
    overrides = ["data=anime", "data.root=a", "data.hr_scale=0.6667"]
    config = composed(overrides)
    assert config.data.hr_scale == 0.6667
    frames = {"_target_": "sr.data.anime.Frames", "root": "a", "letterbox": True}
    data = {"_target_": "sr.data.module.CropData", "hr_scale": 0.6667}
    for value in (0.6667, "${data.hr_scale}", 0.5):
        read = with_moved_names({"data": data | {"train": {"source": frames | {"hr_scale": value}}}})["data"]
        kept = {"hr_scale": 0.5} if value == 0.5 else {}  # not the data's: refused with a sentence, not dropped
        now = {"_target_": "sr.data.kinds.anime.Frames", "root": "a", "letterbox": True}
        assert read == data | {"train": {"source": now | kept}}


def test_it_shrinks_smooth_pictures_alike():
    """Both filters are normalised: a flat picture stays, and a smooth one differs by little."""
    flat = np.full((24, 24, 3), 77, np.uint8)
    for kind in ("area", "lanczos"):
        assert (shrunk(flat, 0.5, kind) == 77).all()
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], 24, 0).repeat(3, 2)
    one, two = (shrunk(ramp, 0.5, kind)[4:-4, 4:-4].astype(float) for kind in ("area", "lanczos"))
    assert np.abs(one - two).max() <= 1
