"""Damaged stores: noticed at the first use, named, mended from the source where that is possible."""

import errno
import os
import pickle
import random
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sr.data.crops import CropBatches, CropPlan, ResidentStore
from sr.data.edges import EdgeContent, open_edge_maps
from sr.data.kinds.sources import Folder
from sr.data.module import CropData
from sr.data.store.building import open_store
from sr.data.store.store import Store
from sr.data.stream import CropStream
from sr.degradations.bicubic import Bicubic
from sr.errors import UserError
from tests.data.store.test_store import Drawn, silent
from tools.corruption_trial import COUNT, Noise, built, trial


def damage(folder, name, change):
    path = folder / name
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def flip_in(store, index):
    """Flip one bit in the middle of a picture."""
    place = int(store.offsets[index] + store.entries[index].size // 2)
    with (store.folder / "pixels.bin").open("r+b") as file:
        file.seek(place)
        value = file.read(1)[0]
        file.seek(place)
        file.write(bytes([value ^ 16]))


def all_right(store):
    return all(np.array_equal(store.picture(i), Drawn().read(i).pixels) for i in range(len(store)))


@pytest.mark.parametrize("index", range(5))
def test_a_flipped_bit_is_named_and_that_picture_alone_decoded_again(tmp_path, index):
    flip_in(open_store(Drawn(), tmp_path, silent), index)
    messages, source = [], Drawn()
    store = open_store(source, tmp_path, silent, messages.append)
    assert messages == []  # opening compares no pixels
    assert all_right(store)
    assert source.reads == [index]
    assert messages == [f"the picture drawn_{index} is damaged in the store {store.folder}; it was decoded again"]
    messages.clear()
    assert all_right(open_store(Drawn(), tmp_path, silent, messages.append))
    assert messages == []  # it is mended on the disk


def test_where_the_source_has_changed_one_sentence_says_so(tmp_path):
    flip_in(open_store(Drawn(), tmp_path, silent), 3)

    class Other(Drawn):
        def read(self, index):
            return super().read(index + 1)

    Other.__name__ = "Drawn"  # the same settings
    store = open_store(Other(), tmp_path, silent)
    with pytest.raises(UserError, match=r"drawn_3 is damaged .* not there or has changed; delete .* to build it anew"):
        store.picture(3)
    store = Store(store.folder)
    assert np.array_equal(store.picture(2), Drawn().read(2).pixels)
    with pytest.raises(UserError, match="drawn_3 is damaged"):
        store.picture(3)


def test_a_loader_process_mends_too(tmp_path, capfd):
    store = open_store(Drawn(), tmp_path, silent)
    flip_in(store, 2)
    assert all_right(pickle.loads(pickle.dumps(store)))
    assert "drawn_2 is damaged" in capfd.readouterr().err


@pytest.mark.parametrize("writable", [True, False])
def test_what_lies_on_the_device_is_checked_before(tmp_path, monkeypatch, writable):
    flip_in(open_store(Drawn(), tmp_path, silent), 4)
    if not writable:
        monkeypatch.setattr("sr.data.store.store.written_over", lambda *_: False)
    messages = []
    store = open_store(Drawn(), tmp_path, silent, messages.append)
    resident = ResidentStore(store, torch.device("cpu"))
    crop = resident.cut(np.array([4]), np.array([1]), np.array([2]), 6)
    assert np.array_equal(crop[0].permute(1, 2, 0).numpy(), Drawn().read(4).pixels[1:7, 2:8])
    assert ("decoded again for this run" in messages[0]) == (not writable)


def test_a_complete_cache_on_a_read_only_disk_works(tmp_path, monkeypatch):
    store = open_store(Drawn(), tmp_path, silent)
    shapes = np.stack([store.heights, store.widths], axis=1)
    open_edge_maps(store, shapes, 1, 1, EdgeContent(), silent)
    flip_in(store, 0)

    opened = Path.open

    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def to_read(path, mode="r", *args, **kwargs):
        return read_only() if set(mode) & set("wax+") else opened(path, mode, *args, **kwargs)

    monkeypatch.setattr("sr.locks.FileLock.acquire", read_only)
    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    monkeypatch.setattr("pathlib.Path.open", to_read)
    store = open_store(Drawn(), tmp_path, silent)
    assert all_right(store)
    assert len(open_edge_maps(store, shapes, 1, 1, EdgeContent(), silent).corner(1, np.full(3, 0.5))) == 2
    with pytest.raises(UserError, match=r"Read-only file system; free some space, or choose another place"):
        open_store(Drawn(text="another"), tmp_path, silent)
    with pytest.raises(UserError, match=r"edge maps .*Read-only file system"):
        open_edge_maps(store, shapes, 1, 1, EdgeContent(sigma=3), silent)


def test_zeros_in_a_half_built_store_are_decoded_again(tmp_path):
    built(tmp_path, COUNT - 1)
    building = next(tmp_path.glob("*.building"))

    def zero(data):
        data[4096:8192] = bytes(4096)

    damage(building, "pixels.bin", zero)
    messages = []
    store = open_store(Noise(), tmp_path, silent, messages.append)
    assert "is damaged from noise_3 on; it is decoded again from there" in messages[0]
    numbers = [number for number in range(COUNT) if number != 2]
    assert all(np.array_equal(store.picture(i), Noise().read(n).pixels) for i, n in enumerate(numbers))


def replaced(text, new):
    def change(data):
        assert text in data
        data[:] = data.replace(text, new)

    return change


INDEX = [
    replaced(b'"height": 8', b'"height": "8"'),
    replaced(b'"height": 8', b'"height": 1e400'),
    replaced(b'"height": 8', b'"height": ' + b"9" * 6000),
    replaced(b'"height": 8', b'"height": 99999999999999999999999'),
    replaced(b'"gray": true', b'"gray": false'),
    replaced(b'"drawn_1"', b"[" * 200_000),
    replaced(b"drawn_1", b"drawn_\xff"),
    lambda data: data.clear(),
    lambda data: data.extend(b"{}\n"),
    lambda data: data.__setitem__(slice(0, 5), bytes(5)),
    lambda data: data.__delitem__(slice(len(data) // 2, None)),
]


@pytest.mark.parametrize("number", range(len(INDEX)))
@pytest.mark.parametrize("sealed", [False, True])
def test_garbage_in_the_index_builds_the_store_again_and_says_so(tmp_path, number, sealed):
    folder = open_store(Drawn(), tmp_path, silent).folder
    damage(folder, "index.jsonl", INDEX[number])
    if sealed:  # by somebody who knows the checksums
        damage(folder, "index.jsonl", seal)
    messages = []
    store = open_store(Drawn(), tmp_path, silent, messages.append)
    assert all_right(store)
    assert store.entries[1].gray or sealed
    assert messages == [f"{folder} is damaged or no picture store; building it again"] or sealed


def seal(data):
    crc, lines = 0, []
    for line in bytes(data).splitlines(keepends=True):
        crc = zlib.crc32(line[19:], crc)
        lines.append(b'{"check": "%08x' % crc + line[19:])
    data[:] = b"".join(lines)


def occupied_by_a_file(path):
    path.write_text("in the way")


def occupied_by_a_link(path):
    path.symlink_to("nowhere")


@pytest.mark.parametrize("name", ["", ".building", ".building/index.jsonl", ".building/pixels.bin"])
@pytest.mark.parametrize("occupy", [occupied_by_a_file, occupied_by_a_link, lambda path: path.mkdir()])
def test_anything_in_the_way_of_a_store_is_built_over(tmp_path, name, occupy):
    folder = open_store(Drawn(), tmp_path / "other", silent).folder
    key, _, below = name.partition("/")
    path = tmp_path / f"{folder.name}{key}"
    if below:
        path.mkdir()
        path = path / below
    occupy(path)
    assert all_right(open_store(Drawn(), tmp_path, silent))


def test_a_folder_in_place_of_the_lock_is_a_sentence(tmp_path):
    folder = open_store(Drawn(), tmp_path / "other", silent).folder
    (tmp_path / f"{folder.name}.lock").mkdir()
    with pytest.raises(UserError, match="could not read or write the picture store"):
        open_store(Drawn(), tmp_path, silent)


def test_another_store_under_this_name_is_built_again(tmp_path):
    folder = open_store(Drawn(), tmp_path, silent).folder
    other = open_store(Drawn(text="v2", count=3), tmp_path, silent).folder
    for name in ("index.jsonl", "pixels.bin"):
        (folder / name).write_bytes((other / name).read_bytes())
    messages = []
    assert len(open_store(Drawn(), tmp_path, silent, messages.append)) == 5
    assert "building it again" in messages[0]


def test_a_store_of_an_older_version_is_named(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("sr.data.store.building.FORMAT", "sr-store/2")
        old = open_store(Drawn(), tmp_path, silent).folder
    messages = []
    open_store(Drawn(), tmp_path, silent, messages.append)
    assert f"the picture store {old} is of an older version" in messages[0]
    assert old.is_dir()


@pytest.mark.parametrize("place", [0, 90, -1])
def test_damaged_edge_maps_are_made_again(tmp_path, place):
    store = open_store(Drawn(), tmp_path, silent)
    shapes = np.stack([store.heights, store.widths], axis=1)
    maps = open_edge_maps(store, shapes, 1, 1, EdgeContent(), silent)
    before = maps.path.read_bytes()
    damage(maps.path.parent, maps.path.name, lambda data: data.__setitem__(place, data[place] ^ 1))
    messages = []
    maps = open_edge_maps(store, shapes, 1, 1, EdgeContent(), silent, messages.append)
    assert "is damaged; making the edge maps again" in messages[0]
    assert maps.path.read_bytes() == before


def test_random_damage_is_always_noticed(tmp_path):
    dice = random.Random(1)
    finished, half = built(tmp_path / "finished", None), built(tmp_path / "half", 5)
    outcomes = [trial(half if n % 2 else finished, n % 2 == 1, dice) for n in range(60)]
    assert not [outcome for outcome in outcomes if outcome[1].startswith(("CRASH", "UNSEEN"))]


def test_a_picture_of_which_nothing_shows_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGBA", (9, 9), (1, 2, 3, 0)).save(tmp_path / "in" / "clear.png")
    Image.new("RGBA", (9, 9), (1, 2, 3, 4)).save(tmp_path / "in" / "faint.png")
    store = open_store(Folder(str(tmp_path / "in")), tmp_path, silent)
    assert [entry.reason for entry in store.refused] == [
        f"'{tmp_path}/in/clear.png' is fully transparent: nothing of it shows; take it out"
    ]
    assert len(store) == 1


def test_animations_are_counted_once_per_folder(tmp_path):
    (tmp_path / "in").mkdir()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green")]
    for name in ("a.gif", "b.webp"):
        frames[0].save(tmp_path / "in" / name, save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "in" / "c.png")
    messages = []
    for _ in range(2):  # also where the store is there already
        messages.clear()
        data = CropData(str(tmp_path / "in"), None, 2, 8, 2, 0, cache=str(tmp_path / "cache"))
        data.prepare(Bicubic(2), torch.device("cpu"), on_message=messages.append)
        found = [text for text in messages if "animations" in text]
        assert len(found) == 1
        assert found[0].startswith("2 of 3 training pictures are animations or have several pages; only the first")


def test_a_loader_process_that_cannot_mend_says_one_sentence(tmp_path):
    store = open_store(Drawn(), tmp_path, silent)
    for index in range(5):
        flip_in(store, index)
    store = Store(store.folder)
    batches = CropBatches(CropPlan(store, 1, 4, "pad", 0), store, None, 2)
    stream = iter(CropStream(batches, torch.device("cpu"), "workers", 1))
    with pytest.raises(UserError, match=r"^the picture drawn_\d is damaged in the store [^\n]* to build it anew$"):
        next(stream)
