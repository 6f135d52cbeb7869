"""The source of photographs' crops: places, sizes, flat crops, hashes, cameras, messages."""

import pickle
from collections import Counter

import numpy as np
import pytest
import scipy.fft
from PIL import Image

from sr.data.kinds.photos import Photos
from sr.data.preparation.near_duplicates import NearDuplicates, hamming, perceptual_hash
from sr.data.preparation.photo_crops import (
    CropSettings,
    camera_model,
    contrast,
    crop_places,
    grid,
    is_noisy,
    photo_crops,
    shrunk,
)
from tests.conftest import smooth_picture


def save(path, pixels, camera=None, orientation=None):
    exif = Image.Exif()
    if camera is not None:
        exif[0x0110] = camera
    if orientation is not None:
        exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


def noisy_picture(height, width, seed):
    """Contrast everywhere, so that no crop is flat."""
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 1))
    return np.clip(smooth_picture(height, width, seed) + noise, 0, 255).astype(np.uint8)


def test_grid_spreads_what_fits():
    assert grid(31, 32, 0) == []
    assert grid(32, 32, 0) == [0]
    assert grid(100, 32, 0) == [2, 34, 66]
    assert grid(100, 32, 0.5) == [2, 18, 34, 50, 66]
    for length in range(20, 200):
        for overlap in (0, 0.3, 0.9):
            places = grid(length, 20, overlap)
            assert places[0] >= 0
            assert places[-1] + 20 <= length
            assert length - 20 - (places[-1] - places[0]) < max(1, round(20 * (1 - overlap)))  # no room for one more
            assert (np.diff(places) >= max(1, round(20 * (1 - overlap)))).all()


def test_every_size_is_there_and_no_more_than_asked():
    settings = CropSettings(side=16, downscales=(1, 2, 4), per_photo=12)
    places = crop_places(128, 160, "a.jpg", settings)
    assert Counter(place.downscale for place in places) == {1: 4, 2: 4, 4: 4}
    assert len(set(places)) == 12
    for place in places:
        assert place.top + 16 <= 128 // place.downscale
        assert place.left + 16 <= 160 // place.downscale
    everything = crop_places(128, 160, "a.jpg", CropSettings(side=16, downscales=(1, 2, 4), per_photo=0))
    assert len(everything) == 8 * 10 + 4 * 5 + 2 * 2
    assert set(places) < set(everything)


def test_choice_depends_on_seed_and_name_only():
    settings = CropSettings(side=16, downscales=(1,), per_photo=5)
    first = crop_places(128, 160, "a.jpg", settings)
    assert first == crop_places(128, 160, "a.jpg", settings)
    assert first != crop_places(128, 160, "b.jpg", settings)
    assert first != crop_places(128, 160, "a.jpg", CropSettings(side=16, downscales=(1,), per_photo=5, seed=1))
    counts = Counter(p for k in range(400) for p in crop_places(64, 64, f"{k}", settings))
    assert len(counts) == 16
    # 5 of 16 places in 400 photographs: 125 each, give or take 9.
    assert min(counts.values()) > 80
    assert max(counts.values()) < 170


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_shrinking_takes_means(factor):
    pixels = np.random.default_rng(0).integers(0, 256, (41, 50, 3)).astype(np.uint8)
    h, w = 41 // factor, 50 // factor
    blocks = pixels[: h * factor, : w * factor].reshape(h, factor, w, factor, 3).mean((1, 3))
    # Pillow multiplies by a rounded reciprocal, so of ninths 5/9 may be rounded down.
    assert np.abs(shrunk(pixels, factor) - blocks).max() < 0.56
    assert shrunk(pixels, 64).size == 0


def test_crops_are_the_pixels_of_their_place():
    pixels = noisy_picture(70, 90, 1)
    settings = CropSettings(side=32, downscales=(1, 2), per_photo=0)
    crops, flat = photo_crops(pixels, "x", settings)
    places = crop_places(70, 90, "x", settings)
    assert flat == 0
    assert len(crops) == len(places) == 5
    for crop, place in zip(crops, places, strict=True):
        level = shrunk(pixels, place.downscale)
        assert np.array_equal(crop, level[place.top : place.top + 32, place.left : place.left + 32])


def test_flat_crops_are_left_out_and_counted():
    pixels = noisy_picture(64, 64, 2)
    pixels[:32, :32] = (90, 120, 200)
    crops, flat = photo_crops(pixels, "x", CropSettings(side=32, downscales=(1,), per_photo=0))
    assert (len(crops), flat) == (3, 1)
    gray = np.zeros((2, 4, 3), np.uint8)
    gray[:, ::2] = 100
    assert contrast(gray) == pytest.approx(50, rel=1e-5)
    red = np.zeros((2, 4, 3), np.uint8)
    red[:, ::2, 0] = 100
    assert contrast(red) == pytest.approx(14.95, rel=1e-5)  # 0.299 of it


def test_hash_against_the_discrete_cosine_transform_of_scipy():
    for seed in range(20):
        pixels = noisy_picture(64, 96, seed)
        gray = np.asarray(Image.fromarray(pixels).convert("L").resize((32, 32), Image.Resampling.BOX), np.float64)
        low = scipy.fft.dctn(gray, norm="ortho")[:8, :8].ravel()
        bits = low > np.median(low[1:])
        bits[0] = gray.mean() > 127.5
        assert perceptual_hash(pixels) == int("".join("01"[int(bit)] for bit in bits), 2)


def test_near_duplicates_are_near_and_others_are_not():
    pictures = [smooth_picture(96, 96, seed) for seed in range(30)]
    hashes = [perceptual_hash(picture) for picture in pictures]
    apart = [hamming(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(apart) > 8
    rng = np.random.default_rng(0)
    for picture, key in zip(pictures, hashes, strict=True):
        noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
        darker = (picture * 0.97).astype(np.uint8)
        assert hamming(perceptual_hash(noisy), key) <= 4
        assert hamming(perceptual_hash(darker), key) <= 4
    assert hamming(0b1011, 0b0110) == 3


def test_sieve_admits_each_once():
    sieve = NearDuplicates(2)
    assert sieve.admit_hash(0)
    assert not sieve.admit_hash(0b11)
    assert sieve.admit_hash(0b111)
    assert not sieve.admit_hash(0b1111)
    rng = np.random.default_rng(0)
    keys = [int(key) for key in rng.integers(0, 2**63, 3000)]  # more than the table starts with
    exact = NearDuplicates(0)
    assert all(exact.admit_hash(key) for key in keys)
    assert not any(exact.admit_hash(key) for key in keys)
    assert exact.count == 3000
    picture = smooth_picture(64, 64, 0)
    assert sieve.admit(picture)
    assert not sieve.admit(picture)
    with pytest.raises(ValueError, match="got 65; give 64"):
        NearDuplicates(65)


def test_camera_model_is_read_and_compared(tmp_path):
    path = save(tmp_path / "a.jpg", smooth_picture(20, 20, 0), camera="SM-G900F ")
    assert camera_model(path) == "SM-G900F"
    assert is_noisy("SM-G900F", ("x", " sm-g900f"))
    assert not is_noisy("SM-G900F", ("SM-G900",))
    assert not is_noisy("", ("",))
    assert camera_model(save(tmp_path / "b.png", smooth_picture(20, 20, 0))) == ""
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff\xe1\x00\x10Exif\0\0broken")
    assert camera_model(tmp_path / "c.jpg") == ""


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "photos" / "b" / "noisy.png", noisy_picture(128, 96, 1), camera="Old Phone")
    save(tmp_path / "photos" / "a.png", noisy_picture(128, 96, 2))
    save(tmp_path / "photos" / "b" / "turned.png", noisy_picture(64, 96, 3), orientation=6)
    save(tmp_path / "photos" / "small.png", noisy_picture(20, 20, 4))
    return tmp_path / "photos"


def test_source_reads_several_crops_of_each_file(folder):
    source = Photos(str(folder), side=32, downscales=(1, 2), per_photo=0, noisy_cameras=["old phone"])
    assert [source.name(k) for k in range(len(source))] == ["a.png", "b/noisy.png", "b/turned.png", "small.png"]
    counts = [len(source.read(k)) for k in range(4)]
    # 128x96: 4x3 crops, 2x1 of the half; the noisy one starts at 64x48: 2x1, then 32x24 holds none;
    # 64x96 turned upright is 96x64: 3x2, then 48x32: 1.
    assert counts == [12 + 2, 2, 6 + 1, 0]
    halved = shrunk(noisy_picture(128, 96, 1), 2)
    assert np.array_equal(source.read(1)[0].pixels, halved[:32, 8:40])
    upright = np.rot90(noisy_picture(64, 96, 3), -1)
    assert np.array_equal(source.read(2)[0].pixels, upright[:32, :32])
    again = pickle.loads(pickle.dumps(source))
    assert all(
        np.array_equal(x.pixels, y.pixels) for k in range(4) for x, y in zip(source.read(k), again.read(k), strict=True)
    )


def test_names_do_not_depend_on_where_the_folder_lies(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = folder.rename(tmp_path / "elsewhere" / "photos")
    one = Photos(str(moved), side=32, per_photo=3)
    several = Photos([str(moved / "b"), str(moved)], side=32, per_photo=3)
    assert one.names == ["a.png", "b/noisy.png", "b/turned.png", "small.png"]
    assert several.names == ["noisy.png", "turned.png", "a.png", "small.png"]


def test_stamp_changes_with_every_setting_and_file(folder):
    base = {"root": str(folder), "side": 32, "downscales": [1, 2]}
    stamps = {Photos(**base).stamp()}
    assert Photos(**{**base, "downscales": (1, 2)}).stamp() in stamps
    for other in (
        {"side": 40},
        {"downscales": [1]},
        {"per_photo": 7},
        {"overlap": 0.25},
        {"noisy_cameras": ["x"]},
        {"flat": 1.0},
        {"duplicates": None},
        {"seed": 3},
    ):
        stamps.add(Photos(**{**base, **other}).stamp())
    save(folder / "a.png", noisy_picture(50, 50, 8))
    stamps.add(Photos(**base).stamp())
    assert len(stamps) == 10


def test_sieve_of_the_source(folder):
    assert Photos(str(folder), duplicates=None).sieve() is None
    sieve = Photos(str(folder), duplicates=6).sieve()
    assert sieve.distance == 6
    assert Photos(str(folder)).sieve() is not Photos(str(folder)).sieve()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 4}, "got 4; give 256"),
        ({"downscales": [0, 1]}, r"got \[0, 1\]; give 1, 2, 4, 8"),
        ({"downscales": []}, r"got \[\]"),
        ({"per_photo": -1}, "got -1; give 0"),
        ({"overlap": 1.0}, "got 1; nearest valid: 0.9"),
        ({"flat": -2}, "got -2; give 4"),
        ({"duplicates": -3}, "got -3; give 0"),
    ],
)
def test_settings_out_of_range_are_named(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        Photos(str(folder), **settings)
