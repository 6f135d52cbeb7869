"""Flowers: downloaded or found, prepared as squares, split as the toy experiment did or properly."""

import io
import tarfile

import numpy as np
import pytest
from hydra.utils import instantiate
from PIL import Image, ImageOps
from scipy.io import savemat

from sr.data.kinds.flowers import DEMO, Flowers, centre_square
from sr.errors import UserError
from sr.types import Picture
from tests.config.test_config import composed
from tests.conftest import smooth_picture
from tests.served import Site, served


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("SR_DATA", raising=False)
    monkeypatch.setattr("sr.data.kinds.flowers.COUNT", 14)


def silent(*_):
    pass


SETS = {"trnid": [9, 2, 3, 4, 5, 6, 7, 8, 1], "valid": [10, 11], "tstid": [12, 13, 14]}


def oxford102(folder):
    """The layout of torchvision.datasets.Flowers102, with 14 photographs."""
    (folder / "jpg").mkdir(parents=True)
    for number in range(1, 15):
        Image.fromarray(smooth_picture(40, 50, number)).save(folder / "jpg" / f"image_{number:05d}.jpg")
    savemat(folder / "setid.mat", {name: np.array([numbers]) for name, numbers in SETS.items()})
    savemat(folder / "imagelabels.mat", {"labels": np.ones((1, 14))})


def numbers(source):
    return [int(path.stem.split("_")[1]) for path in source.paths]


@pytest.mark.parametrize("inside", [True, False])
def test_the_official_splits(tmp_path, inside):
    oxford102(tmp_path / "flowers-102")
    root = str(tmp_path / "flowers-102" if inside else tmp_path)
    assert numbers(Flowers("train", "none", root)) == SETS["trnid"]
    assert numbers(Flowers("val", "none", root)) == [SETS["trnid"][i] for i in DEMO]
    assert numbers(Flowers("train", "proper", root)) == SETS["trnid"] + SETS["valid"]
    assert numbers(Flowers("val", "proper", root)) == SETS["tstid"]


def test_squares_are_pillows(tmp_path):
    # An independent path: EXIF transpose, ImageOps.fit's centred crop to a square, Pillow's bicubic.
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(smooth_picture(60, 90, 1)).save(tmp_path / "a.jpg", exif=exif)
    found = Flowers("train", "none", str(tmp_path), size=32).read(0)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    assert upright.size == (60, 90)
    expected = upright.crop((0, 15, 60, 75)).resize((32, 32))
    assert np.array_equal(found.pixels, np.asarray(expected))


def test_small_photographs_give_nothing():
    assert centre_square(Picture(smooth_picture(31, 60, 0)), 32) is None
    assert centre_square(Picture(smooth_picture(32, 60, 0)), 32).pixels.shape == (32, 32, 3)


def test_a_small_photograph_is_left_out(tmp_path):
    Image.fromarray(smooth_picture(20, 60, 0)).save(tmp_path / "small.png")
    assert Flowers("train", "none", str(tmp_path), size=32).read(0) == []


def test_odd_sides_are_cut_in_the_middle():
    pixels = smooth_picture(41, 64, 3)
    assert np.array_equal(centre_square(Picture(pixels), 41).pixels, pixels[:, 11:52])
    assert np.array_equal(
        centre_square(Picture(pixels.transpose(1, 0, 2)), 41).pixels, pixels.transpose(1, 0, 2)[11:52]
    )


@pytest.mark.parametrize("layout", ["jpg/image_{:04d}.jpg", "{:04d}.png", "rose/{:04d}.png"])
def test_other_folders(tmp_path, layout):
    for number in range(20):
        path = tmp_path / layout.format(number)
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(smooth_picture(40, 40, number)).save(path)
    (tmp_path / "labels.csv").write_text("file,label\n")
    everything = Flowers("train", "none", str(tmp_path))
    assert len(everything) == 20
    assert Flowers("val", "none", str(tmp_path)).paths == [everything.paths[i] for i in DEMO]
    train, val = (Flowers(part, "proper", str(tmp_path), val_share=0.25).paths for part in ("train", "val"))
    assert len(val) == 5
    assert sorted(train + val) == sorted(everything.paths)


def archive(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder / "jpg", "jpg")
    return buffer.getvalue()


def test_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr("sr.data.fetch.download.sleep", lambda seconds: None)
    oxford102(tmp_path / "there")
    files = {f"/{name}": (tmp_path / "there" / name).read_bytes() for name in ("setid.mat", "imagelabels.mat")}
    monkeypatch.setenv("SR_DATA", str(tmp_path / "here"))
    (tmp_path / "here").mkdir()
    Image.fromarray(smooth_picture(40, 40, 0)).save(tmp_path / "here" / "of_another_data_set.png")
    with served(Site(files | {"/102flowers.tgz": archive(tmp_path / "there")}, cuts=[100])) as site:
        for part in ("train", "val"):
            source = Flowers(part, "none", url=site.url, verify=False)
            source.fetch(silent, silent)
        asked = [path for path, _ in site.asked]
    assert asked == ["/102flowers.tgz", "/102flowers.tgz", "/imagelabels.mat", "/setid.mat"]
    assert source.paths[0] == tmp_path / "here" / "flowers-102" / "jpg" / "image_00009.jpg"


def test_without_a_network_it_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("sr.data.fetch.download.sleep", lambda seconds: None)
    with pytest.raises(UserError) as error:
        Flowers("train", "none", str(tmp_path), url="http://127.0.0.1:9/").fetch(silent, silent)
    assert "could not download http://127.0.0.1:9/102flowers.tgz (no connection: " in str(error.value)
    assert str(error.value).endswith(
        f"download 102flowers.tgz on another machine and put it into {tmp_path / 'flowers-102'}"
    )


def test_checksums_are_compared(tmp_path):
    with served(Site({"/102flowers.tgz": b"no archive"})) as site, pytest.raises(UserError) as error:
        Flowers("train", "none", str(tmp_path), url=site.url).fetch(silent, silent)
    assert "instead of 52808999861908f626f3c1f4e79d11fa" in str(error.value)


@pytest.mark.parametrize("part", ["train", "val"])
def test_nothing_there_and_no_download(tmp_path, part):
    with pytest.raises(UserError, match=r"there are no photographs in .*; name another folder with data\.root=DIR, or"):
        Flowers(part, "none", str(tmp_path), download=False).fetch(silent, silent)
    with pytest.raises(UserError, match=r"give data\.root=DIR, or set SR_DATA"):
        Flowers(part, "none")


def test_a_missing_table_and_a_wrong_count_are_told(tmp_path, monkeypatch):
    oxford102(tmp_path / "flowers-102")
    (tmp_path / "flowers-102" / "jpg" / "image_00014.jpg").unlink()
    lines = []
    Flowers("train", "none", str(tmp_path)).fetch(silent, lines.append)
    assert "holds 13 photographs; Oxford 102 has 14" in lines[0]
    table = tmp_path / "flowers-102" / "setid.mat"
    whole = table.read_bytes()
    for damaged in (whole[:200], whole.replace(b"trnid", b"trxid"), b""):
        table.write_bytes(damaged)
        with pytest.raises(UserError, match=r"setid\.mat cannot be read \(.*\); copy it again"):
            Flowers("train", "none", str(tmp_path)).fetch(silent, silent)
    table.unlink()
    with pytest.raises(UserError, match=r"setid\.mat is missing; copy it there, or set data\.download=true"):
        Flowers("train", "none", str(tmp_path), download=False).fetch(silent, silent)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"part": "test"}, "part=test is not one of train, val"),
        ({"split": "official"}, "split=official is not one of none, proper"),
        ({"size": 0}, "size=0 must be at least 1; 256 is usual"),
        ({"val_share": 1}, "val_share=1 must be above 0 and below 1"),
    ],
)
def test_refused_settings(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        Flowers(**({"part": "train", "split": "none", "root": str(tmp_path)} | settings))


def test_the_configuration_builds(tmp_path):
    oxford102(tmp_path / "flowers-102")
    data = composed("data=flowers", f"data.root={tmp_path}", "data.size=32").data
    assert len(instantiate(data.train)) == 9
    assert instantiate(data.val).read(0).pixels.shape == (32, 32, 3)
