import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image as pil
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as moved

from sr.data.doctor.alignment import twin
from sr.data.doctor.duplicates import near_pairs, perceptual_hash, same_picture, small_copy
from sr.data.doctor.inspect import inspect, jpeg_quality, sniff
from sr.data.doctor.listing import list_files
from sr.data.doctor.spectrum import ROUNDING, spectrum, upscaled_by
from sr.types import UserError
from tests.conftest import smooth_picture
from tests.image.test_details import display_p3

PHOTOS = {
    "astronaut": skimage.data.astronaut(),
    "chelsea": skimage.data.chelsea(),
    "coffee": skimage.data.coffee(),
    "rocket": skimage.data.rocket(),
    "camera": np.repeat(skimage.data.camera()[..., None], 3, axis=2),
}
KERNELS = {"bilinear": pil.Resampling.BILINEAR, "bicubic": pil.Resampling.BICUBIC, "lanczos": pil.Resampling.LANCZOS}


def resized(pixels, factor, kernel="bicubic"):
    size = round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)
    return np.asarray(pil.fromarray(pixels).resize(size, KERNELS[kernel]))


def recompressed(pixels, quality):
    data = io.BytesIO()
    pil.fromarray(pixels).save(data, "JPEG", quality=quality)
    return np.asarray(pil.open(data))


# spectrum


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs_are_not_taken_for_enlarged_ones(name):
    assert upscaled_by(PHOTOS[name]) == 0
    assert upscaled_by(recompressed(PHOTOS[name], 75)) == 0
    assert upscaled_by(recompressed(PHOTOS[name], 40)) == 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [1.5, 2, 3, 4])
def test_enlarged_photographs_are_found_with_about_their_factor(factor, kernel):
    found = [upscaled_by(resized(PHOTOS[name][:256, :256], factor, kernel)) for name in ("astronaut", "coffee")]
    assert all(found), found
    assert any(abs(value / factor - 1) <= 0.25 for value in found), found


def test_noise_and_line_art_are_no_enlarged_pictures():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    lines = np.full((256, 256, 3), 255, np.uint8)
    for x in range(8, 250, 22):
        cv2.line(lines, (x, 5), (250 - x // 2, 240), (0, 0, 0), 2, cv2.LINE_AA)
    assert upscaled_by(noise) == 0
    assert upscaled_by(lines) == 0


def test_without_structure_or_samples_nothing_is_said():
    assert spectrum(np.full((200, 200, 3), 90, np.uint8)) is None
    assert spectrum(PHOTOS["coffee"][:63, :200]) is None
    assert upscaled_by(PHOTOS["coffee"][:1, :1]) == 0


def test_the_floor_is_the_power_of_rounding():
    y, x = np.mgrid[:256, :256]
    waves = 128 + 80 * np.sin(0.25 * x + 0.1 * y) + 30 * np.sin(0.31 * y)  # below 0.06 cycles per pixel
    measured = spectrum(np.repeat(waves.round().astype(np.uint8)[..., None], 3, axis=2))
    assert measured is not None
    assert measured.fine == pytest.approx(ROUNDING, abs=1.0)  # error uniform in +-1/2: variance 1/12


# duplicates


def test_copies_are_found_and_different_pictures_are_not():
    copies = {}
    for name, pixels in PHOTOS.items():
        copies[name, "jpeg"] = recompressed(pixels, 40)
        copies[name, "half"] = resized(pixels, 0.5)
        copies[name, "brighter"] = (pixels * 0.9 + 20).astype(np.uint8)
        copies[name, "itself"] = pixels
    names, small = list(copies), [small_copy(pixels) for pixels in copies.values()]
    pairs = near_pairs([perceptual_hash(one) for one in small])
    found = {(names[i], names[j]) for i, j in pairs if same_picture(small[i], small[j])}
    expected = {(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if a[0] == b[0]}
    assert found == expected


def test_pictures_that_share_their_large_shapes_only_are_not_the_same():
    one, two = smooth_picture(96, 96, 1), smooth_picture(96, 96, 2)
    assert not same_picture(small_copy(one), small_copy(two))
    flat = np.full((32, 32), 100, np.uint8)
    assert not same_picture(flat, flat)


def test_near_pairs_are_all_pairs_within_the_distance():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**63, 40, dtype=np.uint64)
    flips = [
        np.bitwise_or.reduce(np.uint64(1) << rng.choice(64, n, replace=False).astype(np.uint64)) for n in range(20)
    ]
    hashes = [int(value) for value in base for _ in range(10)]
    hashes = [h ^ int(flips[i % 20]) for i, h in enumerate(hashes)]
    expected = {
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if bin(hashes[i] ^ hashes[j]).count("1") <= 12
    }
    assert set(near_pairs(hashes)) == expected
    assert len(expected) > 20


# alignment

GRAY = PHOTOS["coffee"][:320, :400]


def shrunk(pixels, scale):
    return resized(pixels, 1 / scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("down", [0.0, 0.5, -1.0, 3.0])
def test_shift_is_measured_in_high_resolution_pixels(scale, down):
    hr = PHOTOS["astronaut"][: 384 // scale * scale, : 384 // scale * scale]
    away = moved(hr.astype(np.float32), (down, -2 * down, 0), order=3, mode="nearest")  # SciPy: positive is down
    found = twin(hr, shrunk(away.clip(0, 255).round().astype(np.uint8), scale), scale)
    assert found.shift == pytest.approx((-2 * down, down), abs=0.12)
    assert found.correlation > 0.9


def test_taking_every_second_pixel_shifts_by_half_a_pixel():
    # Sample 2 i stands where the middle of pixels 2 i and 2 i + 1 belongs: the content moves down and right.
    smooth = gaussian_filter(PHOTOS["astronaut"].astype(np.float32), (1.5, 1.5, 0)).round().astype(np.uint8)
    assert twin(smooth, smooth[::2, ::2].copy(), 2).shift == pytest.approx((0.5, 0.5), abs=0.05)


@pytest.mark.parametrize("gamma", [1 / 2.2, 0.8, 1.4, 2.2])
def test_gamma_is_measured(gamma):
    curved = (255 * (shrunk(GRAY, 2) / 255.0) ** gamma).round().astype(np.uint8)
    assert twin(GRAY, curved, 2).gamma == pytest.approx(gamma, abs=0.06)


def test_gain_and_offset_are_measured():
    found = twin(GRAY, (shrunk(GRAY, 2) * 0.7 + 40).round().astype(np.uint8), 2)
    assert found.gain == pytest.approx(0.7, abs=0.02)
    assert found.offset == pytest.approx(40, abs=2)
    assert found.gamma == 1


def test_a_true_twin_has_nothing():
    found = twin(GRAY, shrunk(GRAY, 2), 2)
    assert found.shift == pytest.approx((0, 0), abs=0.03)
    assert found.gain == pytest.approx(1, abs=0.02)
    assert abs(found.offset) < 2
    assert found.gamma == pytest.approx(1, abs=0.03)


def test_wrong_size_and_other_content():
    assert not twin(GRAY, shrunk(GRAY, 4), 2).fits(2)
    assert twin(GRAY[:319], shrunk(GRAY[:318], 2), 2).fits(2)
    assert twin(PHOTOS["chelsea"][:300, :400], shrunk(GRAY[:300], 2), 2).correlation < 0.7


# one file


def test_what_a_file_holds(tmp_path):
    photo = pil.fromarray(PHOTOS["chelsea"][:100, :130])
    photo.save(tmp_path / "a.jpg", quality=35)
    facts = inspect(str(tmp_path / "a.jpg"))
    assert (facts.width, facts.height, facts.format, facts.mode) == (130, 100, "JPEG", "RGB")
    assert (facts.quality, facts.deep, facts.transparent, facts.animated, facts.flat) == (
        35,
        False,
        False,
        False,
        False,
    )
    alpha = photo.convert("RGBA")
    alpha.save(tmp_path / "opaque.png")
    alpha.putpixel((3, 3), (0, 0, 0, 100))
    alpha.save(tmp_path / "clear.png")
    assert not inspect(str(tmp_path / "opaque.png")).transparent
    assert inspect(str(tmp_path / "clear.png")).transparent
    pil.new("RGBA", (20, 20)).save(tmp_path / "hidden.png")
    assert "is fully transparent: nothing of it shows" in inspect(str(tmp_path / "hidden.png"))
    pil.fromarray(np.arange(10000, dtype=np.uint16).reshape(100, 100)).save(tmp_path / "deep.png")
    assert inspect(str(tmp_path / "deep.png")).deep
    photo.save(tmp_path / "moving.gif", save_all=True, append_images=[photo.rotate(90)])
    assert inspect(str(tmp_path / "moving.gif")).animated
    photo.save(tmp_path / "phone.mpo", save_all=True, append_images=[photo.rotate(90)])
    assert not inspect(str(tmp_path / "phone.mpo")).animated
    photo.save(tmp_path / "wide.png", icc_profile=display_p3())
    assert inspect(str(tmp_path / "wide.png")).profile
    assert not facts.profile
    photo.convert("CMYK").save(tmp_path / "ink.jpg")
    assert inspect(str(tmp_path / "ink.jpg")).mode == "CMYK"
    pil.new("RGB", (20, 20), (9, 9, 9)).save(tmp_path / "flat.png")
    assert inspect(str(tmp_path / "flat.png")).flat


def test_the_digest_is_of_the_pixels(tmp_path):
    for name in ("a.png", "b.bmp", "c.webp"):
        pil.fromarray(PHOTOS["coffee"][:50, :60]).save(tmp_path / name, lossless=True)
    pil.fromarray(PHOTOS["coffee"][:50, :60].reshape(60, 50, 3)).save(tmp_path / "other_shape.png")
    digests = [inspect(str(tmp_path / name)).digest for name in ("a.png", "b.bmp", "c.webp", "other_shape.png")]
    assert digests[0] == digests[1] == digests[2] != digests[3]


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 92, 100])
def test_jpeg_quality_as_the_encoder_was_told(quality):
    data = io.BytesIO()
    pil.fromarray(PHOTOS["coffee"][:32, :32]).save(data, "JPEG", quality=quality)
    assert jpeg_quality(pil.open(data).quantization[0]) == quality


def bomb(width, height):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


def test_what_cannot_be_read_is_a_sentence(tmp_path):
    whole = io.BytesIO()
    pil.fromarray(PHOTOS["coffee"]).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:20000])
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "bomb.png").write_bytes(bomb(30000, 30000))
    (tmp_path / "empty.png").touch()
    (tmp_path / "broken.png").symlink_to("nowhere")
    for name, reason in {
        "cut.png": "truncated",
        "text.png": "not a picture in a known format",
        "bomb.png": "megapixels",
        "empty.png": "the file is empty",
        "broken.png": "leads nowhere",
    }.items():
        found = inspect(str(tmp_path / name))
        assert isinstance(found, str), name
        assert reason in found, name


def test_the_format_of_files_with_other_names(tmp_path):
    pil.fromarray(PHOTOS["coffee"][:32, :32]).save(tmp_path / "photo", "PNG")
    (tmp_path / "notes").write_text("words")
    assert sniff(str(tmp_path / "photo")) == "PNG"
    assert sniff(str(tmp_path / "notes")) == ""
    assert sniff(str(tmp_path / "missing")) == ""


def test_listing(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/2.png", "1.JPG", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to("..")
    (tmp_path / "z_link.jpg").symlink_to("1.JPG")
    listing = list_files([tmp_path, tmp_path / "b", tmp_path / "notes.txt"])
    assert listing.pictures == [tmp_path / "1.JPG", tmp_path / "b" / "2.png"]
    assert listing.others == [tmp_path / "notes.txt"]
    with pytest.raises(UserError, match=r"there is no folder '.*nix'; check the name"):
        list_files([tmp_path / "nix"])
