"""Pictures of two sides: the public sets, two folders with a share held out, and drawings in two styles."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from sr.data.kinds.cyclegan import ARCHIVES, URL, CycleGanSet
from sr.data.kinds.sized import Sized
from sr.data.kinds.sources import Folder
from sr.data.kinds.styles import Styles, evening
from sr.data.kinds.two_sides import to_show, to_train_on
from sr.errors import UserError
from tests.conftest import smooth_picture
from tests.served import Site, served

FOLDERS = ("trainA", "trainB", "testA", "testB")


def silent(*_):
    pass


def picture(level):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (level, 0, 0)).save(buffer, "png")
    return buffer.getvalue()


def zipped(name, folders=FOLDERS):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, folder in enumerate(folders):
            for index in range(number + 1):
                archive.writestr(f"{name}/{folder}/{index}.png", picture(10 * number + index))
    return buffer.getvalue()


def filled(folder, count):
    folder.mkdir(parents=True)
    for index in range(count):
        (folder / f"{index}.png").write_bytes(picture(index))
    return str(folder)


def test_a_public_set_is_downloaded_once_for_all_its_sides(tmp_path, monkeypatch):
    monkeypatch.setattr("sr.data.fetch.download.sleep", lambda seconds: None)
    monkeypatch.setenv("SR_DATA", str(tmp_path))
    with served(Site({"/maps.zip": zipped("maps")}, cuts=[300])) as site:
        counts = {}
        for folder in FOLDERS:
            source = CycleGanSet("maps", folder[:-1], folder[-1].lower(), url=site.url, verify=False)
            source.fetch(silent, silent)
            counts[folder] = len(source)
        assert [path for path, _ in site.asked] == ["/maps.zip"] * 2  # broken off once, and taken up again
    assert counts == {"trainA": 1, "trainB": 2, "testA": 3, "testB": 4}
    assert source.paths[0] == tmp_path / "cyclegan" / "maps" / "testB" / "0.png"


def test_a_public_set_that_lies_there_is_found_by_its_own_folder_too(tmp_path):
    filled(tmp_path / "facades" / "trainB", 3)
    for root in (tmp_path, tmp_path / "facades"):
        assert len(CycleGanSet("facades", "train", "b", str(root), download=False)) == 3


def test_what_is_wrong_with_a_public_set_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SR_DATA", raising=False)
    with pytest.raises(UserError, match=r"give data\.root=DIR, or set SR_DATA"):
        CycleGanSet("maps", "train", "a")
    with pytest.raises(UserError, match=r"there are no pictures in .*trainA; copy the set to .*data\.download=true"):
        CycleGanSet("maps", "train", "a", str(tmp_path), download=False).fetch(silent, silent)
    told = pytest.raises(UserError, match=r"does not give the expected file .* instead of 1476754427")
    with served(Site({"/maps.zip": zipped("maps")})) as site, told:
        CycleGanSet("maps", "train", "a", str(tmp_path), url=site.url).fetch(silent, silent)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/maps.zip").write_bytes(zipped("maps", ("A", "B")))
    with pytest.raises(UserError, match=r"maps\.zip is unpacked, but .*trainA holds no pictures"):
        CycleGanSet("maps", "train", "a", str(tmp_path / "other"), verify=False).fetch(silent, silent)


def test_the_table_of_public_sets():
    assert URL.endswith("/datasets/")
    assert len(ARCHIVES) == 12  # of the facts
    assert all(re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{32}", checksum) for _, checksum in ARCHIVES.values())


def test_a_share_of_both_sides_is_held_out(tmp_path):
    a, b = filled(tmp_path / "summer", 10), filled(tmp_path / "winter", 20)
    shown = to_show(None, a, b, 0.2)
    assert {side: len(source) for side, source in shown.items()} == {"a": 2, "b": 4}
    for side, folder in (("a", a), ("b", b)):
        trained = to_train_on(folder, folder, 0.2)
        names = [[source.name(i) for i in range(len(source))] for source in (trained, shown[side])]
        assert not set(names[0]) & set(names[1])
        assert len(names[0]) + len(names[1]) == {"a": 10, "b": 20}[side]
    assert [len(source) for source in to_show(None, a, b, 0.0).values()] == [10, 20]
    # A share of less than half a picture is none: one of five would decide all alone.
    few = filled(tmp_path / "few", 5)
    assert len(to_train_on(few, few, 0.09)) == len(to_show(None, few, few, 0.09)["a"]) == 5
    assert (len(to_train_on(few, few, 0.2)), len(to_show(None, few, few, 0.2)["a"])) == (4, 1)


@pytest.mark.parametrize(
    ("shorter_side", "crop", "expected"),
    [("auto", 256, 286), ("auto", 64, 71), ("auto", 8, 16), (None, 256, 12), (48, 9, 48)],
)
def test_pictures_come_to_one_size(tmp_path, shorter_side, crop, expected):
    folder = tmp_path / "one"
    folder.mkdir()
    Image.fromarray(smooth_picture(12, 18, 0)).save(folder / "a.png")
    made = Sized(Folder(str(folder)), shorter_side, crop).read(0).pixels
    assert made.shape == (expected, round(1.5 * expected), 3)
    with Image.open(folder / "a.png") as picture:
        own = np.asarray(picture.resize((round(1.5 * expected), expected), Image.Resampling.BICUBIC))
    assert np.array_equal(made, own)


def test_a_size_that_is_none_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"shorter_side=atuo is not one of auto; did you mean auto"):
        Sized(Folder(filled(tmp_path / "one", 2)), "atuo", 64)


def test_without_sides_what_is_given_stays():
    assert to_show("LR", None, None, 0.1) == to_train_on("LR", None, 0.1) == "LR"
    assert to_show(None, None, None, 0.1) is None


@pytest.mark.parametrize(("side", "other"), [("a", "b"), ("b", "a")])
def test_one_side_alone_is_told(tmp_path, side, other):
    given = {"a": None, "b": None, side: filled(tmp_path / "one", 3)}
    with pytest.raises(UserError, match=rf"data\.{side} is one side of a translation.*data\.{other}=DIR"):
        to_show(None, given["a"], given["b"], 0.1)


def test_styles_show_the_same_scenes_in_colours_that_are_known():
    a, b = (Styles(style, 5, 2, 64, 0) for style in "ab")
    assert (len(a), a.name(1), b.name(1)) == (2, "scene_00006", "scene_00006")
    assert np.array_equal(a.read(1).pixels, Styles("a", 6, 1, 64, 0).read(0).pixels)
    assert not np.array_equal(a.read(0).pixels, a.read(1).pixels)
    paper = np.array([245, 243, 238])
    # 0.72 * 245 + 0.10 * 243 + 4; 0.06 * 245 + 0.66 * 243 + 0.08 * 238 + 10; 0.10 * 245 + 0.18 * 243 + 0.66 * 238 + 46
    for drawn, wanted in ((a, paper), (b, np.array([205, 204, 255]))):
        pixels = drawn.read(0).pixels
        assert (pixels == wanted).all(-1).mean() > 0.2
    plain, thick = a.read(0).pixels, b.read(0).pixels
    assert (evening(plain) == thick).all(-1).mean() > 0.5  # all but the ink, which is thicker
    assert (thick.sum(-1) < 150).mean() > 1.5 * (plain.sum(-1) < 150).mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pictures": 0}, "pictures=0 at least 1"),
        ({"size": 8}, "size=8 at least 16"),
        ({"first": -1}, "first=-1 and seed=0 must be at least 0"),
    ],
)
def test_settings_of_styles_that_make_no_picture(settings, message):
    with pytest.raises(ValueError, match=message):
        Styles(**{"style": "a", "first": 0, "pictures": 1, "size": 64, "seed": 0} | settings)
