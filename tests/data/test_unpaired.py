"""Pictures that belong to no others: real ones for discriminators, low resolution without a truth."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from sr.data.module import CropData
from sr.degradations.bicubic import Bicubic
from sr.draws import Draws
from sr.types import UserError
from tests.conftest import smooth_picture


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SR_CACHE", str(tmp_path / "cache"))


def folder(path, count, height, width, first=0):
    path.mkdir(exist_ok=True)
    for number in range(count):
        pixels = smooth_picture(max(height, 16), max(width, 16), first + number)[:height, :width]
        Image.fromarray(pixels).save(path / f"{path.name}_{number}.png")
    return str(path)


@pytest.fixture
def high(tmp_path):
    return folder(tmp_path / "high", 6, 40, 44)


@pytest.fixture
def other(tmp_path):
    return folder(tmp_path / "other", 3, 36, 48, 20)


@pytest.fixture
def low(tmp_path):
    return folder(tmp_path / "low", 4, 20, 26, 40)


def prepared(train, val=None, **settings):
    data = CropData(train, val, 2, 8, settings.pop("batch_size", 4), 5, workers=0, **settings)
    messages = []
    data.prepare(Bicubic(2), torch.device("cpu"), on_message=messages.append)
    return data, messages


def first(data, count=3, start=0):
    data.stream.start = start
    return list(itertools.islice(iter(data.stream), count))


def within(crops, pictures):
    """Of each crop the numbers of the pictures that hold it."""
    found = []
    for crop in crops.permute(0, 2, 3, 1).numpy():
        side = len(crop)
        windows = [np.lib.stride_tricks.sliding_window_view(p, (side, side, 3))[:, :, 0] for p in pictures]
        found.append([i for i, w in enumerate(windows) if (w == crop).all(axis=(2, 3, 4)).any()])
    return found


def test_real_pictures_come_from_their_folder_drawn_apart_from_the_pairs(high, other):
    plain, _ = prepared(high)
    data, messages = prepared(high, real=other)
    assert any("real pictures: 3 of their own" in message for message in messages)
    pictures = [smooth_picture(36, 48, 20 + n) for n in range(3)]
    for batch, alone in zip(first(data), first(plain), strict=True):
        assert torch.equal(batch.hr, alone.hr), "the pairs are the same with and without other pictures"
        assert torch.equal(batch.lr, alone.lr)
        assert alone.real is None
        assert all(len(found) == 1 for found in within(batch.real, pictures))
    # Where there are as many pictures of one size the places differ too, not only the pictures.
    same, _ = prepared(high, real=[high])
    plan, mine = same.stream.batches.others.plan, same.stream.batches.plan
    samples = np.arange(64)
    assert not np.array_equal(plan.places(samples).tops, mine.places(samples).tops)


def test_half_of_the_pictures_is_real_and_the_other_is_paired(high):
    data, messages = prepared(high, real="half")
    pictures = [smooth_picture(40, 44, n) for n in range(6)]
    seen = {"hr": set(), "real": set()}
    for batch in first(data, 8):
        for name in seen:
            seen[name] |= {number for found in within(getattr(batch, name), pictures) for number in found}
    assert seen == {"hr": {0, 1, 2}, "real": {3, 4, 5}}
    assert "real pictures: the other 3 of 6 training pictures" in messages


@pytest.mark.parametrize("settings", [{"real": "half"}, {"real": "other"}])
def test_real_pictures_are_the_same_in_any_split_and_from_any_start(high, other, settings):
    real = {"real": other} if settings["real"] == "other" else settings
    whole = torch.cat([b.real for b in first(prepared(high, batch_size=4, **real)[0], 4)])
    late = torch.cat([b.real for b in first(prepared(high, batch_size=4, **real)[0], 2, start=2)])
    single = torch.cat([b.real for b in first(prepared(high, batch_size=2, **real)[0], 8)])
    assert torch.equal(whole[8:], late)
    assert torch.equal(whole, single)
    data, _ = prepared(high, batch_size=4, **real)
    batches = data.stream.batches
    resident = batches.resident(torch.device("cpu"))
    assert torch.equal(batches.made(1, resident).real, whole[4:8]), "as it is cut on a device"


@pytest.mark.slow
def test_loader_processes_cut_the_same_real_pictures(high, other):
    data, _ = prepared(None, train_lr=other, real=high)
    expected = first(data)
    made, _ = prepared(None, train_lr=other, real=high)
    made.stream.mode, made.stream.workers = "workers", 2
    for one, two in zip(expected, first(made), strict=True):
        assert torch.equal(one.real, two.real)
        assert torch.equal(one.lr, two.lr)
        assert one.hr is None is two.hr


def test_low_resolution_without_a_truth(low, high):
    data, messages = prepared(None, train_lr=low, real=high)
    assert not data.paired
    assert messages[0].startswith("low resolution has no truth: degradation=… is not applied to the input,")
    lows, highs = [smooth_picture(20, 26, 40 + n) for n in range(4)], [smooth_picture(40, 44, n) for n in range(6)]
    batch = first(data, 1)[0]
    assert batch.hr is None
    assert batch.lr.shape == (4, 3, 8, 8)
    assert batch.real.shape == (4, 3, 16, 16)
    assert all(len(found) == 1 for found in within(batch.lr, lows))
    assert all(len(found) == 1 for found in within(batch.real, highs))
    with pytest.raises(UserError, match=r"data\.train=null: its low resolution has no truth"):
        data.whole_pairs("train", Bicubic(2), lambda *_: None, lambda _: None)


def test_bad_sides_are_refused_in_one_sentence(tmp_path, low, high):
    (tmp_path / "empty").mkdir()

    def refusal(train=None, **settings):
        with pytest.raises((UserError, ValueError)) as error:
            prepared(train, **settings)
        assert len(error.value.args) == 1
        return str(error.value)

    assert "data.hr=DIR data.lr=DIR" in refusal()
    assert "empty" in refusal(train_lr=str(tmp_path / "empty"), real=high)
    assert "empty" in refusal(train_lr=low, real=str(tmp_path / "empty"))
    assert refusal(train_lr=low, real="half").startswith("data.real=half takes half of data.train, and data.train=null")
    assert refusal(train_lr=low, real=low).startswith("data.lr and data.hr are the same 4 pictures (")
    assert "data.lr_val is given without data.hr_val" in refusal(train_lr=low, real=high, val_lr=low)
    one = folder(tmp_path / "one", 1, 40, 44)
    assert "data.real=half needs two training pictures at least, and there is 1" in refusal(one, real="half")
    tiny = folder(tmp_path / "tiny", 2, 10, 10)
    told = refusal(train_lr=low, real=tiny, small="skip")
    assert told.startswith("no picture of data.hr is as large as the crop: data.crop=8 at scale=2 needs 16x16 pixels")
    assert refusal(high, real=tiny, small="skip").startswith("no picture of data.real is as large as the crop: ")
    told = refusal(train_lr=folder(tmp_path / "minute", 1, 6, 6), real=high, small="skip")
    assert told.startswith("no picture of data.lr is as large as the crop: data.crop=8 needs 8x8 pixels and")


def test_what_is_trained_on_by_either_way_is_told_of_validation(low, high, other):
    _, messages = prepared(high, other, real=other)
    assert any("3 of 3 pictures of data.val are trained on too" in message for message in messages)
    _, messages = prepared(high, real=[high])
    assert any("6 pictures of data.real are in data.train too" in message for message in messages)
    _, messages = prepared(None, high, train_lr=low, real=high)
    assert any("6 of 6 pictures of data.val are trained on too" in message for message in messages)


def test_places_without_a_scope_are_as_they_always_were(high):
    plan = prepared(high)[0].stream.batches.plan
    u = Draws(5, np.arange(32)).uniform("crop", 3)
    assert np.array_equal(plan.places(np.arange(32)).tops, (u[:, 1] * 13).astype(np.int64))
