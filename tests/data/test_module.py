"""The data module: how crops are cut, what is said about bad and small pictures, what is validated on."""

import os
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from sr.data.module import CropData
from sr.degradations.bicubic import Bicubic
from sr.degradations.pipeline import Pipeline
from sr.image.resize import imresize
from sr.types import UserError
from tests.conftest import smooth_picture

CPU = torch.device("cpu")
# The fixture `pictures` holds heights 64, 68, ... 84 (their sum is 444), each 80 wide: 444 * 80 * 3 bytes of
# high resolution, and a quarter of that at scale 2.
STORED = 444 * 80 * 3 * 5 // 4


def data_of(train, val=None, **settings):
    return CropData(train, val, **{"scale": 2, "crop": 12, "batch_size": 4, "seed": 0} | settings)


def prepared(data, device=CPU):
    """The messages of `prepare`."""
    messages = []
    data.prepare(Bicubic(data.scale), device, on_message=messages.append)
    return messages


def memory_of(monkeypatch, free):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))


def break_off(path):
    """What a copy that was interrupted leaves."""
    path.write_bytes(path.read_bytes()[:-200])


@pytest.fixture
def eleven(tmp_path):
    """A folder of ten good pictures and a broken one, `picture_03.png`."""
    folder = tmp_path / "eleven"
    folder.mkdir()
    for index in range(11):
        Image.fromarray(smooth_picture(40, 44, index)).save(folder / f"picture_{index:02d}.png")
    break_off(folder / "picture_03.png")
    return folder


# ------------------------------------------------------------------------------------- how crops are cut


@pytest.mark.parametrize(
    ("free", "mode", "message"),
    [
        (STORED * 10 // 4, "device", "crops are cut in the training process (the store fits into memory: "),
        (STORED * 10 // 4 - 5, "workers", "crops are cut by 2 loader processes (the store does not fit into memory: "),
    ],
)
def test_auto_follows_the_memory_that_is_free(pictures, monkeypatch, free, mode, message):
    # 0.4 of what is free may be taken, so the limit lies at 10/4 of the stores' size.
    memory_of(monkeypatch, free)
    data = data_of(str(pictures))
    messages = prepared(data)
    assert data.stream.mode == mode
    assert messages[-1].startswith(message)


def test_the_message_has_the_numbers(pictures, monkeypatch):
    memory_of(monkeypatch, 100 * 2**20)
    picture = np.zeros((1200, 1200, 3), np.uint8)  # 4.12 MiB, and 1.03 MiB at scale 2
    Image.fromarray(picture).save(pictures / "large.png")
    assert "5 MiB of 100 MiB free" in prepared(data_of(str(pictures)))[-1]


def test_without_loader_processes_auto_stays_in_this_one(pictures, monkeypatch):
    memory_of(monkeypatch, 1)
    data = data_of(str(pictures), workers=0)
    messages = prepared(data)
    assert data.stream.mode == "device"
    assert "the store does not fit into memory" in messages[-1]


@pytest.mark.parametrize("crops", ["device", "workers"])
@pytest.mark.parametrize("free", [1, 2**40])
def test_what_is_asked_for_is_done(pictures, monkeypatch, crops, free):
    memory_of(monkeypatch, free)
    data = data_of(str(pictures), crops=crops, workers=3)
    messages = prepared(data)
    assert data.stream.mode == crops
    how = "in the training process" if crops == "device" else "by 3 loader processes"
    assert messages[-1].startswith(f"crops are cut {how} (as asked: ")


@pytest.mark.parametrize(("free", "mode", "how"), [(2**30, "device", "on the device"), (1, "workers", "by 2 loader")])
def test_a_gpus_own_memory_counts(pictures, monkeypatch, free, mode, how):
    memory_of(monkeypatch, 2**40 if free == 1 else 1)  # the CPU's memory must not matter
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2**40))
    data = data_of(str(pictures))
    messages = prepared(data, torch.device("cuda", 0))
    assert data.stream.mode == mode
    assert how in messages[-1]
    assert "into the GPU's memory" in messages[-1]


# ------------------------------------------------------------------------------------- bad pictures


def test_few_broken_pictures_are_reported_and_left_out(eleven):
    data = data_of(str(eleven))  # 1 of 11 is 9 %, allowed are 10 %
    messages = prepared(data)
    assert len(data.stream.batches.hr) == len(data.stream.batches.lr) == 10
    assert len(messages) == 2
    assert messages[0].startswith("1 of 11 training pictures cannot be used: cannot read '")
    assert "picture_03.png" in messages[0]


def test_the_limit_itself_is_still_allowed(eleven):
    (eleven / "picture_10.png").unlink()
    prepared(data_of(str(eleven)))  # 1 of 10 is exactly 0.1


def test_too_many_broken_pictures_end_it_with_examples_and_the_setting(eleven):
    for index in range(5):
        break_off(eleven / f"picture_{index + 5:02d}.png")
    with pytest.raises(UserError) as error:
        prepared(data_of(str(eleven)))
    text = str(error.value)
    assert text.startswith("6 of 11 training pictures cannot be used: ")
    assert "picture_03.png" in text
    assert "picture_06.png" in text
    assert "picture_07.png" not in text, "three examples are enough"
    assert "; … (all are in " in text
    assert text.endswith("index.jsonl). Take them out, or allow a larger share than data.refused=0.1")
    assert len(text.splitlines()) == 1
    prepared(data_of(str(eleven), refused=0.6))


def test_all_broken_is_said_as_such(eleven):
    for path in eleven.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(UserError) as error:
        prepared(data_of(str(eleven), refused=1.0))
    assert str(error.value).startswith("11 of 11 training pictures cannot be used: ")
    assert "data.train" in str(error.value)
    assert "allow a larger share" not in str(error.value), "no share would help"


def test_broken_validation_pictures_are_named_as_such(pictures, eleven):
    messages = prepared(data_of(str(pictures), str(eleven)))
    assert any(m.startswith("1 of 11 validation pictures cannot be used: ") for m in messages)


def test_a_link_that_leads_nowhere_is_a_bad_picture(eleven):
    (eleven / "picture_03.png").unlink()
    (eleven / "picture_03.png").symlink_to(eleven / "gone.png")
    messages = prepared(data_of(str(eleven)))
    assert "1 of 11 training pictures cannot be used: " in messages[0]
    assert "picture_03.png': it is a link that leads nowhere" in messages[0]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
def test_names_that_are_no_utf8_do_not_matter(eleven):
    (eleven / "picture_03.png").rename(eleven / os.fsdecode(b"\xe9t\xe9.png"))
    Image.fromarray(smooth_picture(40, 44, 0)).save(eleven / "good.png")
    (eleven / "good.png").rename(eleven / os.fsdecode(b"\xe0.png"))
    data = data_of(str(eleven))
    prepared(data)
    assert len(data.stream.batches.hr) == 11


def test_a_picture_of_one_pixel_keeps_the_pairs_aligned(pictures):
    Image.new("RGB", (1, 1), "red").save(pictures / "a_first.png")
    data = data_of(str(pictures))
    messages = prepared(data)
    told = "1 of 7 training pictures have no low-resolution twin, being smaller than scale=2"
    assert any(told in message for message in messages)
    batches = data.stream.batches
    assert [e.name for e in batches.hr.entries][1:] == [e.name for e in batches.lr.entries]
    for number in range(5):
        batch = batches[number]
        for lr, hr in zip(batch.lr, batch.hr, strict=True):
            # Twins differ by fine detail only; a picture paired with another's twin differs by far more.
            mean = hr.float().unflatten(1, (12, 2)).unflatten(3, (12, 2)).mean(dim=(2, 4))
            assert (mean - lr).abs().mean() < 8


@pytest.mark.parametrize(("small", "what"), [("pad", "padded by reflection"), ("skip", "skipped")])
def test_small_pictures_are_named(pictures, small, what):
    for index in range(4):
        Image.fromarray(smooth_picture(20, 60, index)).save(pictures / f"a_small_{index}.png")
    messages = prepared(data_of(str(pictures), small=small))
    assert messages[0].startswith(f"4 of 10 pictures are smaller than the crop and are {what} (")
    assert "a_small_2.png, …); data.small=pad|skip chooses" in messages[0]
    assert "a_small_3" not in messages[0]


# ------------------------------------------------------------------------------------- where pictures come from


def test_one_path_a_list_or_a_file(pictures):
    Image.new("RGB", (40, 40)).save(pictures.parent / "alone.jpg")
    alone = str(pictures.parent / "alone.jpg")
    for given, count in [
        (str(pictures), 6),
        ([str(pictures / "below"), alone], 4),
        ((alone,), 1),
        (alone, 1),
        (OmegaConf.create([str(pictures), alone]), 7),
        ([str(pictures), str(pictures / "below")], 6),  # a picture met twice is one picture
    ]:
        data = data_of(given)
        prepared(data)
        assert len(data.stream.batches.hr) == count, given


def test_a_missing_folder_is_said_at_once(pictures):
    with pytest.raises(UserError, match=r"there is no folder '.*pictres'; nearest is '.*pictures'"):
        data_of(str(pictures.parent / "pictres"))


@pytest.mark.parametrize(("given", "shown"), [(None, "null"), (5, "5")])
def test_what_is_no_folder_is_said_at_once(given, shown):
    with pytest.raises(ValueError, match=f"train={shown} is no folder of pictures; give its path"):
        data_of(given)


# ------------------------------------------------------------------------------------- validation


def test_validation_pairs_are_cut_to_a_multiple_of_the_scale(tmp_path, pictures):
    folder = tmp_path / "odd"
    folder.mkdir()
    picture = smooth_picture(50, 61, 1)
    Image.fromarray(picture).save(folder / "a.png")
    data = data_of(str(pictures), str(folder), scale=3)
    prepared(data)
    (pair,) = data.pairs
    assert np.array_equal(pair.hr, picture[:48, :60])
    assert np.array_equal(pair.lr, imresize(np.ascontiguousarray(picture[:48, :60]), 1 / 3))
    assert not pair.gray
    assert pair.name == str(folder / "a.png")


@dataclass(frozen=True)
class Darker:
    training_only: bool

    def __call__(self, pictures, draws):
        return pictures.with_pixels(pictures.pixels / 2)


@pytest.mark.parametrize("training_only", [True, False])
def test_a_stage_for_training_alone_leaves_validation_as_it_is(pictures, training_only):
    data = data_of(str(pictures), str(pictures), scale=1)
    data.prepare(Pipeline(1, {"darker": Darker(training_only)}), CPU, on_message=print)
    assert np.array_equal(data.pairs[0].lr, data.pairs[0].hr) == training_only


def test_gray_is_remembered(pictures):
    Image.fromarray(smooth_picture(40, 40, 0)).convert("L").save(pictures / "a_gray.png")
    data = data_of(str(pictures), str(pictures))
    prepared(data)
    assert [pair.gray for pair in data.pairs] == [True] + [False] * 6


@pytest.mark.parametrize(("count", "expected"), [(2, 2), (6, 6), (99, 6), (None, 6)])
def test_only_the_first_validation_pictures(pictures, count, expected):
    data = data_of(str(pictures), str(pictures), val_pictures=count)
    prepared(data)
    assert [pair.hr.shape[0] for pair in data.pairs] == [68, 76, 84, 64, 72, 80][:expected]


def test_without_validation_there_are_no_pairs(pictures):
    data = data_of(str(pictures), None)
    prepared(data)
    assert data.pairs == []


def test_validation_pictures_below_one_pixel_of_low_resolution_are_named(tmp_path, pictures):
    Image.new("RGB", (7, 1), "red").save(tmp_path / "dot.png")
    with pytest.raises(UserError, match=r"1 of 1 validation pictures have no low-resolution twin, .*dot\.png"):
        prepared(data_of(str(pictures), str(tmp_path / "dot.png")))


# ------------------------------------------------------------------------------------- constructor's refusals


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"scale": 0}, "scale=0 must be at least 1"),
        ({"crop": 0}, "crop=0 must be at least 1"),
        ({"batch_size": -3}, "batch_size=-3 must be at least 1"),
        ({"refused": 10}, "refused=10 must be between 0 and 1"),
        ({"crops": "workers", "workers": 0}, "workers=0 must be at least 1 with crops=workers"),
        ({"workers": -1}, "workers=-1 must be at least 0 with crops=auto"),
        ({"val_pictures": 0}, "val_pictures=0 must be at least 1; null takes all"),
        ({"val_pictures": -1}, "val_pictures=-1 must be at least 1"),
    ],
)
def test_settings_that_make_no_sense(pictures, setting, message):
    with pytest.raises(ValueError) as error:
        data_of(str(pictures), **setting)
    assert str(error.value).startswith(message)
