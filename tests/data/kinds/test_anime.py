"""Frames as training pictures: bars cut off per episode, whole episodes held out."""

import numpy as np
from PIL import Image

from sr.data.kinds.anime import Frames
from sr.data.kinds.split import Split
from sr.data.store.building import open_store
from tests.conftest import smooth_picture


def silent(*_):
    pass


def write_episode(folder, top, count=6, height=80, width=96):
    """Frames with bars of ``top`` rows above and two more below."""
    folder.mkdir(parents=True)
    for number in range(count):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[top : height - top - 2] = smooth_picture(height - 2 * top - 2, width, number)
        Image.fromarray(frame).save(folder / f"{number:05d}.png")


def test_bars_are_cut_off_episode_by_episode_and_told(tmp_path):
    write_episode(tmp_path / "film/ep01", 8)
    write_episode(tmp_path / "film/ep02", 4)
    source, messages = Frames(str(tmp_path / "film")), []
    source.fetch(silent, messages.append)
    store = open_store(source, tmp_path / "cache", silent)
    assert [entry.height for entry in store.entries] == [80 - 18] * 6 + [80 - 10] * 6
    assert np.array_equal(store.picture(2), smooth_picture(62, 96, 2))
    assert "ep01: black bars are cut off (8 rows at the top, 10 at the bottom" in messages[0]
    assert "data.letterbox=false keeps them" in messages[0]


def test_bars_stay_where_asked(tmp_path):
    write_episode(tmp_path / "film/ep01", 8)
    source = Frames(str(tmp_path / "film"), letterbox=False)
    source.fetch(silent, silent)
    assert source.read(0).pixels.shape == (80, 96, 3)


def test_settings_decide_the_store(tmp_path):
    write_episode(tmp_path / "film/ep01", 8)
    kept, cut = (Frames(str(tmp_path / "film"), letterbox) for letterbox in (False, True))
    assert kept.stamp() != cut.stamp()
    # As when shrinking was a setting of this source: stores of then are opened, not built again.
    assert cut.stamp() == f"{cut.folder.stamp()} letterbox=True hr_scale=1.0"


def test_whole_episodes_are_held_out(tmp_path):
    for episode in range(1, 5):
        write_episode(tmp_path / f"film/ep{episode:02d}", 6, count=3)
    parts = [Split(Frames(str(tmp_path / "film")), part, 0.1, by="folder") for part in ("train", "val")]
    folders = [{part.name(i).split("/")[-2] for i in range(len(part))} for part in parts]
    assert len(folders[0]) == 3
    assert len(folders[1]) == 1
    assert not folders[0] & folders[1]


def test_a_folder_of_pages_of_many_sizes_is_left_alone(tmp_path):
    (tmp_path / "art").mkdir()
    for number, height in enumerate((50, 60, 70)):
        Image.fromarray(smooth_picture(height, 64, number)).save(tmp_path / f"art/{number}.png")
    source = Frames(str(tmp_path / "art"))
    source.fetch(silent, silent)
    assert [source.read(i).pixels.shape[0] for i in range(3)] == [50, 60, 70]
