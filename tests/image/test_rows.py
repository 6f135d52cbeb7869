"""Pictures read row by row are the pictures that are read whole."""

import numpy as np
import pytest
from PIL import Image as pil

from sr.image.io import read_picture, write_picture
from sr.image.rows import FileRows, PictureRows, open_rows
from sr.types import Picture, UserError
from tests.conftest import smooth_picture


def noisy(height=150, width=131, deep=False, gray=False):
    """A picture with something of every frequency."""
    rng = np.random.default_rng(0)
    pixels = smooth_picture(height, width, 1).astype(np.int64) + rng.integers(-30, 30, (height, width, 3))
    pixels = pixels.clip(0, 255) * 257 + rng.integers(0, 1, pixels.shape) if deep else pixels.clip(0, 255)
    pixels = pixels[..., :1].repeat(3, 2) if gray else pixels
    return pixels.astype(np.uint16 if deep else np.uint8)


def by_strips(path, rows=17, overlap=5):
    """The pixels of a file, asked for in overlapping strips, and how they came."""
    source = open_rows(path, whole=1)
    assert isinstance(source, FileRows), "it was read whole"
    parts = []
    for top in range(0, source.height, rows):
        first, last = max(0, top - overlap), min(source.height, top + rows + overlap)
        parts.append(source.pixels(first, last)[top - first :][:rows])
    return np.concatenate(parts)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("gray", [False, True])
def test_what_is_kept_exactly(tmp_path, suffix, deep, gray):
    path = tmp_path / f"in{suffix}"
    pixels = noisy(deep=deep, gray=gray)
    write_picture(path, Picture(pixels, gray=gray))
    found = by_strips(path)
    assert found.dtype == pixels.dtype
    assert np.array_equal(found, pixels)
    assert np.array_equal(read_picture(path).pixels, pixels)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_is_decoded_as_pillow_does(tmp_path, mode, progressive, subsampling):
    image = pil.fromarray(noisy()).convert(mode)
    image.save(tmp_path / "in.jpg", quality=80, progressive=progressive, subsampling=subsampling)
    assert np.array_equal(by_strips(tmp_path / "in.jpg"), read_picture(tmp_path / "in.jpg").pixels)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_pictures_stand_upright(tmp_path, orientation, suffix):
    block = pil.Exif()
    block[274] = orientation
    pil.fromarray(noisy(40, 27)).save(tmp_path / f"in.{suffix}", exif=block)
    found = by_strips(tmp_path / f"in.{suffix}", rows=16)
    assert found.shape[:2] == ((27, 40) if orientation in (5, 6, 7, 8) else (40, 27))
    assert np.array_equal(found, read_picture(tmp_path / f"in.{suffix}").pixels)


def test_rows_as_a_tensor_and_once_more_from_the_top(tmp_path):
    pixels = noisy()
    write_picture(tmp_path / "in.png", Picture(pixels))
    for source in (open_rows(tmp_path / "in.png", whole=1), open_rows(tmp_path / "in.png")):
        assert (source.height, source.width) == (150, 131)
        for top, bottom in [(100, 150), (0, 3), (140, 141)]:
            rows = source.read(top, bottom)
            assert rows.shape == (1, 3, bottom - top, 131)
            assert np.array_equal((rows[0] * 255).round().permute(1, 2, 0).numpy(), pixels[top:bottom])


@pytest.mark.parametrize("kind", ["alpha", "palette", "cmyk", "clear", "bits", "moving", "bmp", "lab"])
def test_other_kinds_are_read_whole(tmp_path, kind):
    image = pil.fromarray(noisy(20, 20))
    path = tmp_path / f"in.{ {'cmyk': 'jpg', 'bmp': 'bmp', 'lab': 'tif'}.get(kind, 'png') }"
    options = {"clear": {"transparency": (0, 0, 0)}, "moving": {"save_all": True, "append_images": [image.rotate(90)]}}
    mode = {"alpha": "RGBA", "palette": "P", "cmyk": "CMYK", "bits": "1", "lab": "L"}.get(kind, "RGB")
    image = pil.frombytes("LAB", (20, 20), image.tobytes()) if kind == "lab" else image.convert(mode)
    image.save(path, **options.get(kind, {}))
    source = open_rows(path, whole=1)
    assert isinstance(source, PictureRows)
    assert source.moving == (kind == "moving")
    assert (source.alpha is not None) == (kind in ("alpha", "clear"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_damage_is_one_sentence(tmp_path, suffix):
    path = tmp_path / f"in.{suffix}"
    pil.fromarray(noisy(600, 600)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(
        UserError, match=rf"cannot read '.*in\.{suffix}': truncated, damaged or unsupported \(.*\); copy"
    ):
        by_strips(path, rows=64)


def test_small_pictures_are_read_whole_and_missing_ones_named(tmp_path):
    write_picture(tmp_path / "in.png", Picture(noisy()))
    assert isinstance(open_rows(tmp_path / "in.png"), PictureRows)
    with pytest.raises(UserError, match=r"there is no such file; nearest is '.*in\.png'"):
        open_rows(tmp_path / "im.png")
