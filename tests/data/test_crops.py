"""Crops: where they lie, that pairs are aligned, that mode, split and restart do not matter."""

import itertools

import numpy as np
import pytest
import torch

from sr.data.contract import PictureSource
from sr.data.crops import CropBatches, CropPlan, ResidentStore, cut
from sr.data.store.building import open_store
from sr.data.stream import CropStream
from sr.image.resize import imresize
from sr.types import Picture, UserError
from tests.conftest import smooth_picture


class Given(PictureSource):
    """A source of given arrays."""

    heavy = False

    def __init__(self, arrays):
        self.arrays = arrays

    def stamp(self):
        return str([hash(a.tobytes()) for a in self.arrays]) + str([a.shape for a in self.arrays])

    def __len__(self):
        return len(self.arrays)

    def name(self, index):
        return f"given_{index}"

    def read(self, index):
        return Picture(self.arrays[index])


def store_of(tmp_path, *arrays):
    return open_store(Given(arrays), tmp_path, lambda *_: None)


def coordinates(height, width, value=0):
    """A picture whose red is the row, green the column, blue a given value."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, np.full_like(y, value)], axis=2).astype(np.uint8)


def twin(hr, scale):
    return hr[: hr.shape[0] // scale * scale : scale, : hr.shape[1] // scale * scale : scale]


def test_pairs_are_aligned(tmp_path):
    hr = coordinates(50, 61)
    high, low = store_of(tmp_path, hr), store_of(tmp_path, np.ascontiguousarray(twin(hr, 3)))
    plan = CropPlan(high, 3, 5, "pad", seed=1)
    batch = CropBatches(plan, high, low, 64)[0]
    assert batch.lr.shape == (64, 3, 5, 5)
    assert batch.hr.shape == (64, 3, 15, 15)
    # LR pixel (i, j) was HR pixel (3i, 3j), so its value is the HR coordinate itself.
    assert torch.equal(batch.hr[:, :, ::3, ::3], batch.lr)


def test_every_position_is_equally_likely(tmp_path):
    # 3x4 and 1x2 positions of a 4x4 crop at scale 1: 14 places.
    high = store_of(tmp_path, coordinates(6, 7, 0), coordinates(4, 5, 1))
    plan = CropPlan(high, 1, 4, "pad", seed=0)
    places = plan.places(np.arange(28_000))
    seen = {}
    for place in zip(*places, strict=True):
        seen[place] = seen.get(place, 0) + 1
    assert len(seen) == 14
    assert max(abs(n - 2000) for n in seen.values()) < 5 * np.sqrt(2000)


@pytest.mark.parametrize("ranks", [1, 2])
def test_batches_are_the_same_in_any_split(tmp_path, ranks):
    high = store_of(tmp_path, *(smooth_picture(40, 40, i) for i in range(3)))
    plan = CropPlan(high, 2, 8, "pad", seed=5)
    whole = CropBatches(plan, high, None, 16)[3].hr
    parts = [
        CropBatches(plan, high, None, 16 // ranks // 2, rank, ranks)[number].hr
        for number in (6, 7)
        for rank in range(ranks)
    ]
    assert torch.equal(whole, torch.cat(parts))


def test_device_and_workers_give_the_same_batches_from_any_start(tmp_path):
    hr = [smooth_picture(40 + i, 44, i) for i in range(3)]
    high = store_of(tmp_path, *hr)
    low = store_of(tmp_path, *(imresize(np.ascontiguousarray(h[: len(h) // 2 * 2]), 1 / 2) for h in hr))
    batches = CropBatches(CropPlan(high, 2, 8, "pad", seed=5), high, low, 4)
    streams = [CropStream(batches, torch.device("cpu"), mode, workers=2) for mode in ("device", "workers")]
    for stream in streams:
        stream.start = 3
    before = torch.get_rng_state()
    first, second = (list(itertools.islice(iter(stream), 4)) for stream in streams)
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        expected = batches[3 + number]
        for got in (a, b):
            assert torch.equal(got.lr, expected.lr)
            assert torch.equal(got.hr, expected.hr)
            assert torch.equal(got.samples, torch.arange(4 * (3 + number), 4 * (4 + number)))
    assert streams[1].waited > 0
    assert torch.equal(torch.get_rng_state(), before), "or a run that goes on would draw other numbers than one whole"


def test_gathering_on_the_device_equals_slicing(tmp_path):
    high = store_of(tmp_path, *(smooth_picture(30 + 3 * i, 41 - i, i) for i in range(4)))
    plan = CropPlan(high, 1, 17, "pad", seed=2)
    places = plan.places(np.arange(50))
    resident = ResidentStore(high, torch.device("cpu"))
    assert torch.equal(resident.cut(*places, 17), cut(high, *places, 17))


def test_small_pictures_are_mirrored_at_the_same_place_in_both_resolutions(tmp_path):
    hr = coordinates(7, 30)  # 7 rows: 3 whole LR rows at scale 2, the seventh row has no twin
    high, low = store_of(tmp_path, hr), store_of(tmp_path, np.ascontiguousarray(twin(hr, 2)))
    plan = CropPlan(high, 2, 5, "pad", seed=0)
    assert plan.small_names == ["given_0"]
    batch = CropBatches(plan, high, low, 3)[0]
    rows_hr, rows_lr = batch.hr[0, 0, :, 0].tolist(), batch.lr[0, 0, :, 0].tolist()
    assert rows_hr == [0, 1, 2, 3, 4, 5, 5, 4, 3, 2]
    assert rows_lr == [0, 2, 4, 4, 2]  # mirrored between LR rows 2 and 3, as HR is between rows 5 and 6


def test_pictures_smaller_than_the_padding_are_mirrored_repeatedly(tmp_path):
    high = store_of(tmp_path, coordinates(2, 2))
    crop = cut(high, np.array([0]), np.array([0]), np.array([0]), 7)
    assert crop[0, 0, :, 0].tolist() == [0, 1, 1, 0, 0, 1, 1]


def test_small_pictures_can_be_skipped(tmp_path):
    high = store_of(tmp_path, coordinates(7, 30, 1), coordinates(20, 20, 2))
    plan = CropPlan(high, 2, 5, "skip", seed=0)
    assert set(plan.places(np.arange(200)).pictures.tolist()) == {1}


def test_no_picture_large_enough_is_said_with_the_numbers(tmp_path):
    high = store_of(tmp_path, coordinates(7, 30))
    with pytest.raises(UserError, match=r"data\.crop=5 at scale=2 needs 10x10 pixels and the largest picture is 30x7"):
        CropPlan(high, 2, 5, "skip", seed=0)


class Refusing:
    """Batches that cannot be made, and what they say."""

    def __init__(self, said):
        self.said = said

    def __getitem__(self, number):
        raise UserError(*self.said.split("\n"))


@pytest.mark.parametrize(
    ("mode", "said"), [("device", ""), ("device", "a\nb"), ("workers", "x.png is damaged\nUserError: so it says\nmore")]
)
def test_what_a_loader_process_says_arrives_whole(mode, said):
    stream = CropStream(Refusing(said), torch.device("cpu"), mode, 1)
    with pytest.raises(UserError) as told:
        next(iter(stream))
    assert str(told.value) == said
