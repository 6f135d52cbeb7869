"""Test sets: found under their names and in their layouts, with given or made low-resolution pictures."""

from fractions import Fraction

import numpy as np
import pytest
from hydra.utils import instantiate
from PIL import Image

from sr.data.kinds.benchmark import Benchmark, benchmark_lr, official_name
from sr.data.store.building import open_store
from sr.errors import UserError
from sr.image.resize import imresize
from tests.config.test_config import composed


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("SR_BENCHMARKS", raising=False)


def silent(*_):
    pass


def write(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def fill(folder, pattern, height, width):
    for seed, name in enumerate(("baby", "bird", "head")):
        write(folder / pattern.format(name), height, width, seed)


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("HR/{}.png", "LR_bicubic/X2/{}x2.png"),
        ("HR/{}.png", "LR_bicubic/x2/{}.png"),
        ("GTmod12/{}.png", "LRbicx2/{}.png"),
        ("GTmod2/{}.png", "LRbicx2/{}.png"),
        ("original/{}.png", "LR/x2/{}_x2.png"),
        ("hr/{}.bmp", "X2/LR/{}.bmp"),
        ("image_SRF_2/{}_SRF_2_HR.png", "image_SRF_2/{}_SRF_2_LR.png"),
        ("image_SRF_2/{}_HR.png", "image_SRF_2/{}_LR.png"),
        ("{}.png", "LR_bicubic/X2/{}x2.png"),
    ],
)
def test_layouts(tmp_path, hr, lr):
    fill(tmp_path / "Set5", hr, 24, 36)
    fill(tmp_path / "Set5", lr, 12, 18)
    high, low = Benchmark("Set5", 2, str(tmp_path)), Benchmark("Set5", 2, str(tmp_path), "lr", "given")
    lines = []
    low.fetch(silent, lines.append)
    assert [path.name for path in high.paths] == [hr.format(n).split("/")[-1] for n in ("baby", "bird", "head")]
    assert [path.name for path in low.paths] == [lr.format(n).split("/")[-1] for n in ("baby", "bird", "head")]
    assert low.read(1).pixels.shape == (12, 18, 3)
    assert lines == [f"low-resolution pictures of Set5: those in {low.paths[0].parent}"]


def test_div2k_as_a_benchmark(tmp_path):
    fill(tmp_path / "DIV2K", "DIV2K_valid_HR/{}.png", 24, 36)
    fill(tmp_path / "DIV2K", "DIV2K_valid_LR_bicubic/X2/{}x2.png", 12, 18)
    assert len(Benchmark("DIV2K-val", 2, str(tmp_path))) == 3
    assert Benchmark("DIV2K-val", 2, str(tmp_path), "lr").paths[0].name == "babyx2.png"


@pytest.mark.parametrize("folder", ["B100", "BSDS100", "bsd100"])
def test_other_names_of_a_set(tmp_path, folder):
    fill(tmp_path / folder, "{}.png", 24, 36)
    for name in ("BSD100", "B100", "bsds100"):
        assert len(Benchmark(name, 2, str(tmp_path))) == 3
        assert official_name(name) == "BSD100"


def test_low_resolution_is_made_by_matlabs_bicubic_where_none_is_given(tmp_path):
    fill(tmp_path / "Mine", "HR/{}.png", 25, 37)
    high, low = Benchmark("Mine", 3, str(tmp_path)), Benchmark("Mine", 3, str(tmp_path), "lr")
    lines = []
    low.fetch(silent, lines.append)
    assert lines == ["low-resolution pictures of Mine: made by MATLAB's bicubic"]
    for i in range(3):
        expected = imresize(high.read(i).pixels[:24, :36], Fraction(1, 3))
        assert np.array_equal(low.read(i).pixels, expected)
    assert low.stamp() != high.stamp()
    with pytest.raises(UserError, match=r"holds no low-resolution twin .* at x3; put them into LR_bicubic/X3, or set"):
        Benchmark("Mine", 3, str(tmp_path), "lr", "given").fetch(silent, silent)


def test_incomplete_or_misfitting_twins_are_not_taken_automatically(tmp_path):
    fill(tmp_path / "Mine", "HR/{}.png", 24, 36)
    fill(tmp_path / "Mine", "LR_bicubic/X2/{}x2.png", 12, 18)
    given = Benchmark("Mine", 2, str(tmp_path), "lr")
    assert given.paths[0].parent.name == "X2"
    assert Benchmark("Mine", 2, str(tmp_path), "lr", "made").paths[0].parent.name == "HR"
    write(tmp_path / "Mine" / "LR_bicubic" / "X2" / "birdx2.png", 12, 17)
    assert Benchmark("Mine", 2, str(tmp_path), "lr").paths[0].parent.name == "HR"
    (tmp_path / "Mine" / "LR_bicubic" / "X2" / "birdx2.png").unlink()
    assert Benchmark("Mine", 2, str(tmp_path), "lr").paths[0].parent.name == "HR"


def test_a_gray_picture_stays_gray(tmp_path):
    (tmp_path / "Set14" / "HR").mkdir(parents=True)
    Image.fromarray(np.arange(24 * 36, dtype=np.uint16).reshape(24, 36).astype(np.uint8)).save(
        tmp_path / "Set14/HR/bridge.png"
    )
    assert Benchmark("Set14", 2, str(tmp_path)).read(0).gray
    assert Benchmark("Set14", 2, str(tmp_path), "lr").read(0).gray


def test_a_wrong_count_is_told(tmp_path):
    fill(tmp_path / "Set5", "{}.png", 24, 36)
    lines = []
    Benchmark("set5", 2, str(tmp_path)).fetch(silent, lines.append)
    assert lines == [f"{tmp_path / 'Set5'} holds 3 pictures; Set5 has 5"]


def test_an_unknown_set_lists_what_is_there(tmp_path):
    fill(tmp_path / "Urban100", "{}.png", 8, 8)
    fill(tmp_path / "Set14", "{}.png", 8, 8)
    for name, message in {
        "Urban10": "there is no test set Urban10 in {}, which holds Set14, Urban100; did you mean Urban100?",
        "Manga109": "there is no test set Manga109 in {}, which holds Set14, Urban100",
        "Mangas109": "there is no test set Mangas109 in {}, which holds Set14, Urban100; did you mean Manga109? "
        "It is not there either",
    }.items():
        with pytest.raises(UserError) as error:
            Benchmark(name, 2, str(tmp_path)).fetch(silent, silent)
        assert str(error.value) == message.format(tmp_path)


def test_roots(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"give data\.root=DIR, or set SR_BENCHMARKS"):
        Benchmark("Set5", 2)
    monkeypatch.setenv("SR_BENCHMARKS", str(tmp_path / "none"))
    with pytest.raises(UserError, match="there is no folder of test sets"):
        Benchmark("Set5", 2).fetch(silent, silent)
    (tmp_path / "none" / "Set5").mkdir(parents=True)
    with pytest.raises(UserError, match=r"Set5 holds no pictures, neither itself nor in HR, GTmod12, GTmod2"):
        Benchmark("Set5", 2).fetch(silent, silent)


def test_the_configuration_builds(tmp_path, monkeypatch):
    monkeypatch.setenv("SR_BENCHMARKS", str(tmp_path))
    fill(tmp_path / "Set14", "HR/{}.png", 24, 36)
    data = composed("data=benchmark", "data.set=Set14").data
    stores = [open_store(instantiate(data[key]), tmp_path / "cache", silent) for key in ("val", "val_lr")]
    assert [store.heights.tolist() for store in stores] == [[24] * 3, [12] * 3]
    assert instantiate(composed("data=benchmark", "data.lr=degraded").data.val_lr) is None
    assert benchmark_lr("Set14", 2, lr="made").lr == "made"
