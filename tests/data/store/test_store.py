"""The decode-once store: exact, complete or absent, resumable, shared by processes."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from sr.data.contract import PictureSource
from sr.data.kinds.sources import Folder
from sr.data.store.building import open_store
from sr.data.store.store import Store
from sr.image.depth import to_uint8
from sr.types import Picture, UserError


class Drawn(PictureSource):
    """A source that counts how often it is asked."""

    heavy = False

    def __init__(self, count=5, bad=(), text="v1"):
        self.count, self.bad, self.text = count, bad, text
        self.reads = []

    def stamp(self):
        return f"{self.text} {self.count}"

    def __len__(self):
        return self.count

    def name(self, index):
        return f"drawn_{index}"

    def read(self, index):
        self.reads.append(index)
        if index in self.bad:
            raise UserError(f"drawn_{index} is broken")
        rng = np.random.default_rng(index)
        return Picture(rng.integers(0, 256, (7 + index, 9, 3), dtype=np.uint8), gray=index == 1)


def silent(*_):
    pass


def test_pictures_come_back_bit_for_bit(tmp_path):
    source = Drawn()
    store = open_store(source, tmp_path, silent)
    assert len(store) == 5
    for index in range(5):
        assert np.array_equal(store.picture(index), source.read(index).pixels)
    assert [entry.gray for entry in store.entries] == [False, True, False, False, False]
    assert store.nbytes == sum((7 + i) * 9 * 3 for i in range(5))


def test_second_open_decodes_nothing(tmp_path):
    open_store(Drawn(), tmp_path, silent)
    again = Drawn()
    open_store(again, tmp_path, silent)
    assert again.reads == []


def test_changed_source_is_another_store(tmp_path):
    first = open_store(Drawn(text="v1"), tmp_path, silent)
    second = open_store(Drawn(text="v2"), tmp_path, silent)
    assert first.folder != second.folder


def test_a_touched_file_changes_the_folder_stamp(pictures):
    before = Folder(str(pictures)).stamp()
    Image.new("RGB", (70, 70), "red").save(pictures / "picture_0.png")
    assert Folder(str(pictures)).stamp() != before


def test_broken_pictures_are_listed_not_stored(tmp_path):
    store = open_store(Drawn(bad=(0, 3)), tmp_path, silent)
    assert [entry.name for entry in store.entries] == ["drawn_1", "drawn_2", "drawn_4"]
    assert [entry.reason for entry in store.refused] == ["drawn_0 is broken", "drawn_3 is broken"]


def test_interrupted_build_goes_on_where_it_stopped(tmp_path):
    def stop_after_three(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(Drawn(), tmp_path, stop_after_three)
    building = next(tmp_path.glob("*.building"))
    # A power cut may leave half a line and pixels without a line.
    with (building / "index.jsonl").open("a") as file:
        file.write('{"check": "drawn_3", "hei')
    with (building / "pixels.bin").open("ab") as file:
        file.write(b"half a picture")
    source = Drawn()
    store = open_store(source, tmp_path, silent)
    assert source.reads == [2, 3, 4]  # the last one may have been cut short, so it is read again
    assert all(np.array_equal(store.picture(i), Drawn().read(i).pixels) for i in range(5))
    assert not list(tmp_path.glob("*.building"))


def test_truncated_pixels_are_noticed(tmp_path):
    folder = open_store(Drawn(), tmp_path, silent).folder
    pixels = (folder / "pixels.bin").read_bytes()
    (folder / "pixels.bin").write_bytes(pixels[:-1])
    with pytest.raises(UserError, match=f"has {len(pixels) - 1} bytes where its index says {len(pixels)} bytes"):
        Store(folder)


@pytest.mark.slow
def test_processes_decode_the_same(tmp_path, pictures):
    alone = open_store(Folder(str(pictures)), tmp_path / "a", silent, workers=1)
    source = Folder(str(pictures))
    source.heavy = True
    source.paths = source.paths * 3  # enough that processes are started
    many = open_store(source, tmp_path / "b", silent, workers=2)
    assert len(many) == 3 * len(alone)
    assert all(np.array_equal(many.picture(i), alone.picture(i % len(alone))) for i in range(len(many)))


def test_two_builders_at_once_make_one_store(tmp_path):
    sources = [Drawn(count=30), Drawn(count=30)]
    with ThreadPoolExecutor(2) as pool:
        stores = list(pool.map(lambda s: open_store(s, tmp_path, silent), sources))
    assert sorted(len(s.reads) for s in sources) == [0, 30]
    assert stores[0].folder == stores[1].folder


def test_pickles_by_path(tmp_path):
    store = open_store(Drawn(), tmp_path, silent)
    assert len(pickle.dumps(store)) < 1000
    assert np.array_equal(pickle.loads(pickle.dumps(store)).picture(2), store.picture(2))


def test_sixteen_bit_is_rounded():
    values = np.array([0, 128, 129, 257 * 100, 257 * 100 + 128, 257 * 100 + 129, 65535], dtype=np.uint16)
    # v / 257 rounded: 0, 0.498, 0.502, 100, 100.498, 100.502, 255
    assert to_uint8(values).tolist() == [0, 0, 1, 100, 100, 101, 255]


def test_unwritable_place_is_one_sentence(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UserError, match=r"could not read or write the picture store .*data\.cache=DIR"):
        open_store(Drawn(), blocked, silent)


def test_index_names_settings_first(tmp_path):
    folder = open_store(Drawn(), tmp_path, silent).folder
    first = json.loads((folder / "index.jsonl").read_text().splitlines()[0])
    del first["check"]
    assert first == {"format": "sr-store/3", "source": "Drawn", "stamp": "v1 5"}


class Several(Drawn):
    """Every file gives three pictures, the second file none."""

    def read(self, index):
        first = super().read(index)
        return [] if index == 1 else [Picture(np.roll(first.pixels, k, axis=0)) for k in range(3)]


class EverySecond(Several):
    """Keeps one picture of two, whatever they show."""

    def sieve(self):
        class Alternating:
            def __init__(self):
                self.seen = 0

            def admit(self, pixels):
                self.seen += 1
                return self.seen % 2 == 1

        return Alternating()


def test_a_file_may_give_several_pictures_or_none(tmp_path):
    store = open_store(Several(), tmp_path, silent)
    assert [entry.source for entry in store.entries] == [0, 0, 0, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert store.entries[1].name == "drawn_0#1"
    assert np.array_equal(store.picture(4), np.roll(Drawn().read(2).pixels, 1, axis=0))


def test_a_sieve_decides_in_order_and_after_an_interruption_as_before(tmp_path):
    whole = open_store(EverySecond(), tmp_path / "whole", silent)
    assert [entry.name for entry in whole.entries][:3] == ["drawn_0#0", "drawn_0#2", "drawn_2#1"]

    class Remembering(Several):
        def sieve(self):
            class Unseen:
                def __init__(self):
                    self.seen = set()

                def admit(self, pixels):
                    new = pixels.tobytes() not in self.seen
                    self.seen.add(pixels.tobytes())
                    return new

            return Unseen()

        def read(self, index):
            return [Drawn.read(self, index), Drawn.read(self, 0)]

    def stop_after_three(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(Remembering(), tmp_path / "cut", stop_after_three)
    store = open_store(Remembering(), tmp_path / "cut", silent)
    assert [entry.name for entry in store.entries] == [f"drawn_{i}#0" for i in range(5)]
