"""DIV2K, Flickr2K and both: found in the usual layouts, downloaded where missing, twins in step."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hydra.utils import instantiate
from PIL import Image

from sr.data.kinds import div2k as module
from sr.data.kinds.div2k import ARCHIVES, Div2k, div2k_lr
from sr.data.kinds.flickr2k import Flickr2k
from sr.data.kinds.several import Several, several_or_none
from sr.data.kinds.sources import Photographs
from sr.data.store.building import open_store
from sr.errors import UserError
from tests.config.test_config import composed
from tests.served import Site, served


@pytest.fixture(autouse=True)
def a_small_set(monkeypatch):
    monkeypatch.delenv("SR_DATA", raising=False)
    monkeypatch.setattr(module, "NUMBERS", {"train": range(1, 4), "valid": range(801, 803)})
    monkeypatch.setattr("sr.data.kinds.flickr2k.NUMBERS", range(1, 4))


def silent(*_):
    pass


def png(height, width, seed=0):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def fill(folder, names, height=24, width=36):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).write_bytes(png(height, width, seed))


TRAIN = ["0001.png", "0002.png", "0003.png"]


@pytest.mark.parametrize(
    "layout", ["DIV2K_train_HR", "DIV2K/DIV2K_train_HR", "DIV2K_train_HR/DIV2K_train_HR", "", "DIV2K/DIV2K_train_HR/."]
)
def test_the_usual_layouts(tmp_path, layout):
    fill(tmp_path / layout, [*TRAIN, "0801.png", "notes1.png"])
    source = Div2k("train", str(tmp_path), download=False)
    source.fetch(silent, silent)
    assert [path.name for path in source.paths] == TRAIN


def test_the_hr_folder_itself_with_tracks_beside_it(tmp_path):
    fill(tmp_path / "DIV2K_train_HR", TRAIN)
    fill(tmp_path / "DIV2K_train_LR_bicubic" / "X2", ["0001x2.png", "0002x2.png", "0003x2.png"], 12, 18)
    source = div2k_lr("train", str(tmp_path / "DIV2K_train_HR"), "bicubic", 2, download=False)
    assert [path.name for path in source.paths] == ["0001x2.png", "0002x2.png", "0003x2.png"]


def test_all_900_in_one_folder(tmp_path):
    fill(tmp_path / "DIV2K_train_HR", [*TRAIN, "0801.png", "0802.png"])
    with pytest.raises(UserError):
        Div2k("valid", str(tmp_path), download=False).fetch(silent, silent)
    assert len(Div2k("valid", str(tmp_path / "DIV2K_train_HR"), download=False)) == 2
    assert len(Div2k("train", str(tmp_path / "DIV2K_train_HR"), download=False)) == 3


def test_root_comes_from_the_environment(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"give data\.root=DIR, or set SR_DATA to the folder that holds .* DIV2K"):
        Div2k("train")
    monkeypatch.setenv("SR_DATA", str(tmp_path))
    fill(tmp_path / "DIV2K" / "DIV2K_train_HR", TRAIN)
    assert len(Div2k("train", download=False)) == 3


def test_missing_pictures_are_told(tmp_path):
    fill(tmp_path / "DIV2K_train_HR", ["0001.png", "0003.png"])
    lines = []
    Div2k("train", str(tmp_path), download=False).fetch(silent, lines.append)
    assert lines == ["DIV2K_train_HR holds 2 of 3 pictures (missing: 0002); to download it again, delete the folder"]


def test_sides_keep_step_where_a_twin_is_missing(tmp_path):
    fill(tmp_path / "DIV2K_train_HR", TRAIN)
    fill(tmp_path / "DIV2K_train_LR_unknown" / "X3", ["0001x3.png", "0003x3.png"], 8, 12)
    lines = []
    hr = Div2k("train", str(tmp_path), track="unknown", scale=3, download=False)
    hr.fetch(silent, lines.append)
    lr = div2k_lr("train", str(tmp_path), "unknown", 3, download=False)
    assert [path.stem for path in hr.paths] == ["0001", "0003"]
    assert [path.stem for path in lr.paths] == ["0001x3", "0003x3"]
    assert "DIV2K_train_HR holds 3 pictures and DIV2K_train_LR_unknown/X3 2; the 2 that are in both are used" in lines


@pytest.mark.parametrize("variants", ["all", "one"])
def test_wild_has_four_twins_per_picture(tmp_path, variants):
    fill(tmp_path / "DIV2K_train_HR", TRAIN)
    fill(tmp_path / "DIV2K_train_LR_wild", [f"000{n}x4w{v}.png" for n in (1, 2, 3) for v in (1, 2, 3, 4)], 6, 9)
    hr = Div2k("train", str(tmp_path), "hr", "wild", 4, variants, download=False)
    lr = Div2k("train", str(tmp_path), "lr", "wild", 4, variants, download=False)
    if variants == "all":
        assert [path.stem for path in hr.paths] == [f"000{n}" for n in (1, 2, 3) for _ in range(4)]
        assert [path.stem for path in lr.paths] == [f"000{n}x4w{v}" for n in (1, 2, 3) for v in (1, 2, 3, 4)]
    else:
        assert [path.stem for path in hr.paths] == ["0001", "0002", "0003"]
        assert [path.stem for path in lr.paths] == ["0001x4w2", "0002x4w3", "0003x4w4"]


def test_a_twin_that_matlab_rounded_up_is_cut(tmp_path):
    # DIV2K's sides are multiples of 12: 36 / 8 = 4.5, which MATLAB makes 5.
    fill(tmp_path / "DIV2K_train_HR", TRAIN, 36, 48)
    fill(tmp_path / "DIV2K_train_LR_x8", ["0001x8.png", "0002x8.png", "0003x8.png"], 5, 6)
    lr = div2k_lr("train", str(tmp_path), "bicubic", 8, download=False)
    whole = np.asarray(Image.open(tmp_path / "DIV2K_train_LR_x8" / "0002x8.png"))
    assert np.array_equal(lr.read(1).pixels, whole[:4, :6])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"track": "mild", "scale": 2}, "DIV2K has no x2 of track=mild; it has x4: set scale=4"),
        ({"track": "unknown", "scale": 8}, "it has x2 and x3 and x4: set scale=2"),
        ({"track": "tame"}, "track=tame is not one of bicubic, unknown, mild, wild, difficult"),
        ({"side": "lr"}, "side=lr needs a track"),
        ({"part": "test"}, "part=test is not one of train, valid"),
    ],
)
def test_settings_that_do_not_exist(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        Div2k(**({"part": "train", "root": str(tmp_path)} | arguments))


def test_every_archive_name_is_in_the_table(tmp_path):
    # 2 parts x (HR, bicubic x2 x3 x4, x8, unknown x2 x3 x4, mild, wild, difficult)
    assert len(ARCHIVES) == 22
    asked = set()
    for part in ("train", "valid"):
        for track, scales in module.SCALES.items():
            for scale in scales:
                source = Div2k(part, str(tmp_path), track=track, scale=scale)
                for block in (source.hr, source.lr):
                    assert block.remote.checksums
                    asked.add(block.remote.url.removeprefix(module.URL + "DIV2K_").removesuffix(".zip"))
    assert asked == set(ARCHIVES)
    assert all(len(checksum) in (32, 64) for _, sums in ARCHIVES.values() for checksum in sums)


def test_what_is_missing_is_downloaded_and_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("sr.data.fetch.download.sleep", lambda seconds: None)
    archives = {
        "/DIV2K_train_HR.zip": zipped({f"DIV2K_train_HR/{name}": png(24, 36, i) for i, name in enumerate(TRAIN)}),
        "/DIV2K_train_LR_bicubic_X2.zip": zipped(
            {f"DIV2K_train_LR_bicubic/X2/000{n}x2.png": png(12, 18, n) for n in (1, 2, 3)}
        ),
    }
    root = tmp_path / "new" / "DIV2K"
    with served(Site(archives, cuts=[500])) as site:
        settings = {"track": "bicubic", "scale": 2, "url": site.url + "/", "verify": False}
        hr, lr = (Div2k("train", str(root), side, **settings) for side in ("hr", "lr"))
        for source in (hr, lr):
            source.fetch(silent, silent)
        asked = list(site.asked)
        Div2k("train", str(root), **settings).fetch(silent, silent)
        assert site.asked == asked, "nothing is downloaded twice"
    assert [path for path, _ in asked] == [*["/DIV2K_train_HR.zip"] * 2, "/DIV2K_train_LR_bicubic_X2.zip"]
    assert (root / "DIV2K_train_HR" / "0001.png").is_file()
    store = open_store(pickle.loads(pickle.dumps(hr)), tmp_path / "cache", silent)
    twins = open_store(lr, tmp_path / "cache", silent)
    assert store.heights.tolist() == [24, 24, 24]
    assert twins.heights.tolist() == [12, 12, 12]


def test_published_checksums_are_compared(tmp_path):
    with served(Site({"/DIV2K_valid_HR.zip": zipped({"DIV2K_valid_HR/0801.png": png(8, 8)})})) as site:
        source = Div2k("valid", str(tmp_path), url=site.url)
        with pytest.raises(UserError, match=r"does not give the expected file .* instead of 448993893"):
            source.fetch(silent, silent)


def test_another_archive_under_the_right_name(tmp_path):
    (tmp_path / "DIV2K_train_HR.zip").write_bytes(zipped({"cats/0001.png": png(8, 8)}))
    with pytest.raises(UserError, match="there is no DIV2K_train_HR with pictures 0001 to 0003 in it"):
        Div2k("train", str(tmp_path), download=False, verify=False).fetch(silent, silent)


def test_without_download_it_says_what_to_fetch(tmp_path):
    with pytest.raises(UserError) as error:
        Div2k("train", str(tmp_path), download=False).fetch(silent, silent)
    assert str(error.value) == (
        f"there is no DIV2K_train_HR in {tmp_path}; unpack https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_train_HR.zip "
        "there, put DIV2K_train_HR.zip there, or set data.download=true"
    )


@pytest.mark.parametrize("layout", ["Flickr2K/Flickr2K_HR", "Flickr2K_HR", "Flickr2K", ""])
def test_flickr2k_layouts(tmp_path, layout):
    fill(tmp_path / layout, ["000001.png", "000002.png", "000003.png"])
    roots = [root for root in (tmp_path, tmp_path / "Flickr2K") if root.is_dir()]
    for root in roots:
        assert [path.stem for path in Flickr2k(str(root), download=False).paths] == ["000001", "000002", "000003"]


def test_flickr2k_unpacks_to_its_own_folder_and_has_tracks(tmp_path, monkeypatch):
    files = {f"Flickr2K/Flickr2K_HR/00000{n}.png": png(24, 36, n) for n in (1, 2, 3)}
    files |= {f"Flickr2K/Flickr2K_LR_bicubic/X2/00000{n}x2.png": png(12, 18, n) for n in (1, 2, 3)}
    monkeypatch.setenv("SR_DATA", str(tmp_path))
    with served(Site({"/Flickr2K.tar": zipped(files)})) as site:
        source = Flickr2k(None, "lr", "bicubic", 2, url=site.url + "/Flickr2K.tar", verify=False)
        assert [path.name for path in source.paths] == ["000001x2.png", "000002x2.png", "000003x2.png"]
        assert len(site.asked) == 1
    assert source.paths[0].parent == tmp_path / "Flickr2K" / "Flickr2K_LR_bicubic" / "X2"
    with pytest.raises(ValueError, match="Flickr2K has no track=wild; it has bicubic and unknown"):
        Flickr2k(str(tmp_path), track="wild")


def test_several_sources_are_one(tmp_path):
    fill(tmp_path / "DIV2K_train_HR", TRAIN)
    first, second = Div2k("train", str(tmp_path), download=False), Photographs()
    both = pickle.loads(pickle.dumps(Several([first, second])))
    both.fetch(silent, silent)
    assert len(both) == 3 + len(second)
    assert [both.name(i) for i in (0, 2, 3)] == [first.name(0), first.name(2), second.name(0)]
    assert np.array_equal(both.read(2).pixels, first.read(2).pixels)
    assert np.array_equal(both.read(4).pixels, second.read(1).pixels)
    assert first.stamp() in both.stamp()
    assert second.stamp() in both.stamp()
    assert both.sieve() is None
    assert several_or_none([None, None]) is None
    assert len(several_or_none([first]).sources) == 1
    with pytest.raises(ValueError, match="1 of 2 sources have low-resolution pictures; give all or none"):
        several_or_none([first, None])
    with pytest.raises(ValueError, match="is empty"):
        Several([])


@pytest.mark.parametrize("choice", ["div2k", "flickr2k", "df2k"])
def test_the_configuration_builds_both_sides_or_one(tmp_path, monkeypatch, choice):
    monkeypatch.setenv("SR_DATA", str(tmp_path))
    for root, name in (("DIV2K", "DIV2K_train"), ("DIV2K", "DIV2K_valid"), ("Flickr2K", "Flickr2K")):
        number = {"DIV2K_train": "0001", "DIV2K_valid": "0801"}.get(name, "000001")
        fill(tmp_path / root / f"{name}_HR", [f"{number}.png"])
        fill(tmp_path / root / f"{name}_LR_bicubic" / "X2", [f"{number}x2.png"], 12, 18)
    counts = {"div2k": 1, "flickr2k": 1, "df2k": 2}
    for track in ("null", "bicubic"):
        data = composed(f"data={choice}", f"data.track={track}", "data.download=false").data
        built = {key: instantiate(data[key]) for key in ("train", "train_lr", "val", "val_lr")}
        assert len(built["train"]) == counts[choice]
        assert len(built["val"]) == 1
        if track == "null":
            assert built["train_lr"] is None
            assert built["val_lr"] is None
        else:
            assert [built["train_lr"].read(i).pixels.shape for i in range(counts[choice])] == [(12, 18, 3)] * counts[
                choice
            ]
            assert built["val_lr"].name(0).endswith("0801x2.png")
