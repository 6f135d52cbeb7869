"""A picture file in, a larger picture file out, by strips or whole: the same pixels."""

import io
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as pil

from sr.errors import UserError
from sr.image import encode
from sr.image.alpha import LargerAlpha
from sr.image.details import NO_DETAILS
from sr.image.encode import ENCODERS, write_strips
from sr.image.form import Form, form_of
from sr.image.io import read_picture, to_image, to_pixels, write_picture
from sr.image.resize import bicubic
from sr.inference.enhance.enhancer import Settings
from sr.inference.pictures import upscale_file
from sr.inference.upscaler import Upscaler
from sr.models.espcn import Espcn
from sr.types import Picture
from tests.conftest import smooth_picture

DEVICE = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Espcn(2, features=8, dilations=[1]).eval()


@pytest.fixture
def upscaler(network):
    return Upscaler([network], DEVICE, engine="torch", tile=32)


def noisy(height, width, deep=False, gray=False, alpha=False):
    """A picture whose every row needs another filter."""
    rng = np.random.default_rng(0)
    most = 65535 if deep else 255
    pixels = (smooth_picture(height, width, 1) / 255 * most + rng.normal(0, most / 20, (height, width, 3))).clip(
        0, most
    )
    pixels = pixels[..., :1].repeat(3, 2) if gray else pixels
    dtype = np.uint16 if deep else np.uint8
    shown = rng.integers(0, most, (height, width)).astype(dtype) if alpha else None
    return Picture(pixels.astype(dtype), shown, gray)


def in_strips(picture, heights):
    """The picture in strips of these heights, over and over."""
    top, number = 0, 0
    while top < len(picture.pixels):
        rows = slice(top, top + heights[number % len(heights)])
        yield picture.pixels[rows], None if picture.alpha is None else picture.alpha[rows]
        top, number = rows.stop, number + 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tif"])
@pytest.mark.parametrize("kind", ["colour", "gray", "deep", "alpha", "gray deep alpha"])
def test_strips_of_any_height_make_the_same_file(tmp_path, suffix, kind):
    picture = noisy(150, 40, "deep" in kind, "gray" in kind, "alpha" in kind and suffix != ".jpg")
    whole, strips = tmp_path / f"whole{suffix}", tmp_path / f"strips{suffix}"
    write_picture(whole, picture)
    with strips.open("wb") as file:
        write_strips(file, form_of(picture), in_strips(picture, (1, 70, 9)), suffix, NO_DETAILS, 95)
    found, wanted = read_picture(strips), read_picture(whole)
    assert np.array_equal(found.pixels, wanted.pixels)
    if suffix in (".png", ".tif"):
        assert np.array_equal(found.pixels, read_through_alpha(picture))
        assert picture.alpha is None or np.array_equal(found.alpha, picture.alpha)


def read_through_alpha(picture):
    """What reading makes of hidden colours."""
    from sr.image.alpha import hidden_filled

    return picture.pixels if picture.alpha is None else hidden_filled(picture.pixels, picture.alpha)


@pytest.mark.parametrize("size", [(9, 1), (64, 8), (65, 9), (200, 33), (513, 5)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_of_strips_decodes_as_pillows_own(size, mode):
    picture = noisy(*size, gray=mode == "L")
    buffer = io.BytesIO()
    image = pil.fromarray(picture.pixels if mode == "RGB" else picture.pixels[..., 0])
    image.save(buffer, "JPEG", quality=83, subsampling=0)
    data = encode.encode(picture, ".jpg", quality=83)
    with pil.open(io.BytesIO(data)) as found, pil.open(buffer) as wanted:
        assert found.mode == mode
        assert np.array_equal(np.asarray(found), np.asarray(wanted))


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality_decides_the_size(suffix):
    picture = noisy(64, 64)
    sizes = [len(encode.encode(picture, suffix, quality=quality)) for quality in (30, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[2] > 2 * sizes[0]


@pytest.mark.parametrize("hard", [True, False])
def test_alpha_by_rows_is_bicubic(hard):
    alpha = noisy(23, 31).pixels[..., 0]
    alpha = np.where(alpha > 128, 255, 0).astype(np.uint8) if hard else alpha
    image = bicubic(to_image(alpha[..., None].repeat(3, 2)), size=(46, 62))
    wanted = to_pixels((image >= 0.5).float() if hard else image)[..., 0]
    larger = LargerAlpha(alpha, 46, 62)
    found = np.concatenate([larger.rows(top, min(top + 7, 46)) for top in range(0, 46, 7)])
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - wanted).max() <= (0 if hard else 1)  # which rounds in float32


@pytest.mark.parametrize("source", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("kind", ["colour", "gray", "deep"])
def test_large_pictures_give_the_file_of_small_ones(tmp_path, upscaler, network, source, kind):
    picture = noisy(150, 70, kind == "deep", kind == "gray")
    write_picture(tmp_path / f"in{source}", picture)
    for name, whole in (("whole", 10**6), ("strips", 1)):
        assert upscale_file(upscaler, tmp_path / f"in{source}", tmp_path / f"{name}.png", whole=whole) == ()
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "strips.png").read_bytes()
    with torch.inference_mode():
        wanted = network(to_image(read_picture(tmp_path / f"in{source}").pixels)).clamp(0, 1)
    found = read_picture(tmp_path / "strips.png")
    assert found.gray == (kind == "gray")
    wanted = to_pixels(wanted, kind == "deep" and source != ".jpg").astype(int)
    assert (
        np.abs(found.pixels.astype(int) - wanted.mean(2, keepdims=True) if found.gray else found.pixels - wanted).max()
        <= 1
    )


def test_share_details_and_failures(tmp_path, upscaler):
    write_picture(tmp_path / "in.png", noisy(200, 20, alpha=True))
    shares = []
    upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png", done=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 2
    assert shares[-1] == 1
    with pytest.raises(UserError, match=r"cannot write '.*out\.jpg': JPEG holds no transparency"):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.jpg")
    opaque = Picture(noisy(20, 20).pixels, np.full((20, 20), 255, np.uint8))
    write_picture(tmp_path / "opaque.png", opaque)
    upscale_file(upscaler, tmp_path / "opaque.png", tmp_path / "out.jpg")
    assert read_picture(tmp_path / "out.jpg").alpha is None


def test_a_file_that_breaks_off_leaves_nothing_behind(tmp_path, upscaler):
    write_picture(tmp_path / "in.png", noisy(300, 200))
    (tmp_path / "in.png").write_bytes((tmp_path / "in.png").read_bytes()[:60_000])
    (tmp_path / "old.png").write_bytes(b"old")
    for name in ("new.png", "old.png", "new.jpg", "new.tif"):
        with pytest.raises(UserError, match=r"cannot read '.*in\.png': truncated"):
            upscale_file(upscaler, tmp_path / "in.png", tmp_path / name, whole=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"old"


def test_enhanced_by_strips_as_whole(tmp_path, upscaler):
    write_picture(tmp_path / "in.png", noisy(150, 70))
    settings = Settings(denoise=4, contrast=1, dither=1)
    for name, whole in (("whole", 10**6), ("strips", 1)):
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / f"{name}.png", enhance=settings, whole=whole)
    upscale_file(upscaler, tmp_path / "in.png", tmp_path / "plain.png")
    found, wanted, plain = (read_picture(tmp_path / f"{name}.png").pixels for name in ("strips", "whole", "plain"))
    assert np.array_equal(found, wanted)
    assert not np.array_equal(found, plain)


def test_dither_keeps_the_mean_of_gray_pictures(tmp_path):
    level = 100.1
    pixels = np.full((60, 80, 3), round(level * 257), np.uint16)
    write_picture(tmp_path / "in.png", Picture(pixels, None, True))
    same = Upscaler([Same()], DEVICE, engine="torch")
    upscale_file(same, tmp_path / "in.png", tmp_path / "out.jpg", quality=100, enhance=Settings(dither=1))
    found = read_picture(tmp_path / "out.jpg")
    assert found.gray
    assert found.pixels.mean() == pytest.approx(level, abs=0.03)


class Same(torch.nn.Module):
    scale = 1

    def forward(self, lr):
        return lr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="other systems have no such device")
@pytest.mark.parametrize("buffering", [0, 1 << 22])
def test_a_full_folder_of_temporary_files_is_told_as_that(tmp_path, network, monkeypatch, buffering):
    write_picture(tmp_path / "in.png", noisy(20, 20))
    full = partial(open, "/dev/full", "w+b" if buffering == 0 else "wb", buffering=buffering)
    monkeypatch.setattr("sr.inference.colour.TemporaryFile", full)  # which fails at once, or at the end of writing
    monkeypatch.setattr("tempfile.tempdir", "/tm\x1bp")
    upscaler = Upscaler([network], DEVICE, engine="torch", colour="match")
    with pytest.raises(UserError) as error:
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / "out.png")
    assert str(error.value) == (
        "colour waits in a temporary file in '/tm\\x1bp', which fails: No space left on device; make room there, or "
        "name another folder in the environment variable TMPDIR"
    )
    assert not (tmp_path / "out.png").exists()


class Gray:
    """A large picture that is not there before it is asked for."""

    height, width = 3000, 1200

    def strips(self):
        ramp = np.linspace(0, 255, self.width).astype(np.uint8)[None, :, None].repeat(3, 2)
        for top in range(0, self.height, 100):
            yield ramp.repeat(100, 0) ^ np.uint8(top % 251), None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_writing_takes_no_memory_for_the_whole(tmp_path, suffix):
    picture = Gray()
    tracemalloc.start()
    with (tmp_path / f"x{suffix}").open("wb") as file:
        write_strips(file, Form(picture.height, picture.width), picture.strips(), suffix, NO_DETAILS, 90)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < picture.height * picture.width * 3 / 2  # half of its pixels; a strip is a thirtieth
    with pil.open(tmp_path / f"x{suffix}") as image:
        assert image.size == (1200, 3000)
        assert suffix == ".jpg" or np.array_equal(
            np.asarray(image), np.concatenate([rows for rows, _ in picture.strips()])
        )


def test_every_suffix_has_an_encoder():
    assert set(ENCODERS) == {".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff"}


@pytest.mark.parametrize("choice", [{"scale": 3}, {"ensemble": True}, {"colour": "match"}, {"colour": "low"}])
def test_every_way_of_enlarging_works_by_strips(tmp_path, network, choice):
    write_picture(tmp_path / "in.png", noisy(150, 70))
    for name, whole in (("whole", 10**6), ("strips", 1)):
        upscaler = Upscaler([network], DEVICE, engine="torch", tile=32, **choice)
        upscale_file(upscaler, tmp_path / "in.png", tmp_path / f"{name}.png", whole=whole)
    found = read_picture(tmp_path / "strips.png").pixels
    assert np.array_equal(found, read_picture(tmp_path / "whole.png").pixels)
    factor = choice.get("scale", 2)
    assert found.shape == (150 * factor, 70 * factor, 3)


def test_a_tiff_of_more_than_4_gib_says_so_at_its_beginning():
    class Stop(Exception):
        pass

    def few(form):
        yield np.zeros((64, form.width, 3), np.uint8), None
        raise Stop

    for height, version in ((1000, 42), (40_000, 43)):  # of TIFF, and of BigTIFF
        form, file = Form(height, 40_000, False, False, False), io.BytesIO()
        with pytest.raises(Stop):
            write_strips(file, form, few(form), ".tif", NO_DETAILS, 95)
        assert file.getvalue()[:3] == b"II" + bytes([version])


@pytest.mark.parametrize("deep", [False, True])
def test_a_large_tiff_has_the_pixels_of_a_small_one(deep, tmp_path, monkeypatch):
    picture = noisy(150, 90, deep=deep, alpha=True)
    write_picture(tmp_path / "classic.tif", picture)
    monkeypatch.setattr(encode, "CLASSIC", 1000)
    write_picture(tmp_path / "big.tif", picture)
    first, second = (read_picture(tmp_path / name) for name in ("classic.tif", "big.tif"))
    assert (tmp_path / "big.tif").read_bytes()[2] == 43
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.alpha, second.alpha)


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, OSError])
@pytest.mark.parametrize("suffix", [".webp", ".avif", ".jpg"])
def test_an_encoder_that_fails_is_named_with_the_file(suffix, kind, upscaler, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise kind("encoding error 6")

    write_picture(tmp_path / "a.png", noisy(10, 12))
    monkeypatch.setattr(pil.Image, "save", fail)
    name = {".webp": "WEBP", ".avif": "AVIF", ".jpg": "JPEG"}[suffix]
    with pytest.raises(UserError) as error:
        upscale_file(upscaler, tmp_path / "a.png", tmp_path / f"b{suffix}")
    told = f"b{suffix}': the encoder of {name} fails at 24x20 (encoding error 6); write .png instead"
    assert str(error.value).endswith(told)
