"""Colour profile, EXIF, XMP and resolution of a copy."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as pil
from PIL import ImageCms
from PIL.TiffImagePlugin import IFDRational

from sr.data.doctor.profile import wide_gamut
from sr.image.details import Details, fitting, profile_fault, read_details
from sr.image.form import Form, form_of
from sr.image.io import read_picture, write_picture
from sr.types import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY = SRGB[:16] + b"GRAY" + SRGB[20:]
CMYK = SRGB[:16] + b"CMYK" + SRGB[20:]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" exif:PixelXDimension="12">'
    b"<exif:PixelYDimension>8</exif:PixelYDimension></r></x:xmpmeta>"
)


def display_p3():
    """SMPTE EG 432-1's primaries in place of sRGB's."""
    data = bytearray(SRGB)
    wide = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
    for number in range(struct.unpack(">I", data[128:132])[0]):
        name, start, _ = struct.unpack(">4sII", data[132 + 12 * number : 144 + 12 * number])
        if name in wide:
            data[start + 8 : start + 20] = struct.pack(">iii", *(round(value * 65536) for value in wide[name]))
    return bytes(data)


def exif(orientation=6):
    block = pil.Exif()
    block[274], block[271], block[315] = orientation, "Maker", "Somebody"
    block[256], block[273] = 12, 99  # how pixels are stored: nothing of a copy's
    below = block.get_ifd(0x8769)
    below[0xA002], below[0xA003], below[0x829A], below[0xA005] = 12, 8, IFDRational(1, 125), 500
    block.get_ifd(0x8825)[1] = "N"
    return block


def copied(path, target):
    """What `sr upscale` does, with a network that repeats pixels."""
    picture = read_picture(path)
    alpha = None if picture.alpha is None else np.kron(picture.alpha, np.ones((2, 2), picture.alpha.dtype))
    copy = Picture(picture.pixels.repeat(2, axis=0).repeat(2, axis=1), alpha, picture.gray)
    details = fitting(read_details(path), form_of(copy), target.suffix)
    write_picture(target, copy, details)
    read_picture(target)
    return details.notes


@pytest.fixture
def jpeg(tmp_path):
    image = pil.fromarray(np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3))
    image.save(tmp_path / "in.jpg", icc_profile=SRGB, exif=exif(), dpi=(300, 300), xmp=XMP)
    return tmp_path / "in.jpg"


@pytest.mark.parametrize(
    ("suffix", "lost"), [(".png", False), (".tif", False), (".jpg", True), (".jpeg", True), (".webp", True)]
)
def test_depth_is_never_lost_without_a_word(tmp_path, suffix, lost):
    deep = np.arange(8 * 12, dtype=np.uint16).reshape(8, 12, 1).repeat(3, 2) * 600
    write_picture(tmp_path / "in.png", Picture(deep))
    said = "its 16 bits per channel become 8, as its format holds no more; PNG and TIFF keep them"
    assert copied(tmp_path / "in.png", tmp_path / f"out{suffix}") == ((said,) if lost else ())
    assert (read_picture(tmp_path / f"out{suffix}").pixels.dtype == np.uint8) == lost


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_everything_is_kept_and_made_to_fit(jpeg, suffix):
    target = jpeg.with_name(f"out{suffix}")
    assert copied(jpeg, target) == ()
    with pil.open(target) as file:
        file.load()
        assert file.size == (16, 24)  # upright, twice as large
        assert file.info["icc_profile"] == SRGB
        found = file.getexif()
        assert (found[274], found[271], found[315]) == (1, "Maker", "Somebody")
        assert 256 not in found
        assert 273 not in found
        below = found.get_ifd(0x8769)
        assert (below[0xA002], below[0xA003], float(below[0x829A])) == (16, 24, 1 / 125)
        assert 0xA005 not in below
        assert found.get_ifd(0x8825)[1] == "N"
        xmp = file.info["xmp"]
        assert b'tiff:Orientation="1"' in xmp
        assert b'exif:PixelXDimension="16"' in xmp
        assert b"<exif:PixelYDimension>24<" in xmp
        if suffix != ".webp":  # which has no place for it
            assert [round(value) for value in file.info["dpi"]] == [300, 300]


def test_a_tiff_without_a_resolution_gets_none(tmp_path):
    pil.new("L", (4, 4)).save(tmp_path / "in.tif")
    assert read_details(tmp_path / "in.tif").dpi is None


def test_a_tiff_keeps_profile_and_resolution(jpeg):
    assert copied(jpeg, jpeg.with_name("out.tif")) == ("its EXIF has no place in a TIFF here and is left out",)
    with pil.open(jpeg.with_name("out.tif")) as file:
        assert file.info["icc_profile"] == SRGB
        assert file.info["dpi"] == (300, 300)
        assert file.tag_v2[700] == XMP.replace(b'"6"', b'"1"').replace(b'"12"', b'"16"').replace(b">8<", b">24<")


SRGB_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@pytest.mark.parametrize(
    ("chunks", "lost"),
    [
        ({b"gAMA": (45455,), b"cHRM": SRGB_PRIMARIES}, None),
        ({b"gAMA": (100000,), b"cHRM": SRGB_PRIMARIES}, "gAMA"),
        ({b"gAMA": (100000,), b"cHRM": (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)}, "gAMA and cHRM"),
        ({b"sRGB": b"\0", b"gAMA": (100000,)}, None),
        ({b"cICP": bytes((1, 13, 0, 1))}, None),
        ({b"cICP": bytes((12, 16, 0, 1)), b"sRGB": b"\0"}, "cICP"),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_colours_beyond_srgb_are_not_lost_without_a_word(chunks, lost, suffix):
    bodies = tuple((n, b if isinstance(b, bytes) else struct.pack(f">{len(b)}I", *b)) for n, b in chunks.items())
    found = fitting(Details(colours=bodies), Form(8, 8), suffix)
    assert found.colours == (bodies if suffix == ".png" else ())
    said = f"what says how its numbers become colours (PNG's {lost}) has no place in its format; PNG keeps it"
    assert found.notes == ((said,) if lost and suffix != ".png" else ())


def test_deep_png_and_its_colour_chunks(tmp_path):
    deep = np.arange(8 * 12 * 3, dtype=np.uint16).reshape(8, 12, 3) * 200
    write_picture(tmp_path / "plain.png", Picture(deep))
    data = (tmp_path / "plain.png").read_bytes()
    gamma = b"gAMA" + struct.pack(">I", 100000)
    profile = b"iCCP" + b"x\0\0" + zlib.compress(SRGB)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (gamma, profile)]
    (tmp_path / "in.png").write_bytes(data[:33] + b"".join(chunks) + data[33:])
    assert copied(tmp_path / "in.png", tmp_path / "out.png") == ()
    with pil.open(tmp_path / "out.png") as file:
        assert file.info["gamma"] == 1.0
        assert file.info["icc_profile"] == SRGB
    assert read_picture(tmp_path / "out.png").pixels.dtype == np.uint16
    assert copied(tmp_path / "in.png", tmp_path / "out.tif") == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.iccprofile == SRGB


def test_a_profile_of_other_colours_is_left_out_with_a_word(tmp_path):
    pil.new("CMYK", (12, 8)).save(tmp_path / "in.jpg", icc_profile=CMYK)
    notes = copied(tmp_path / "in.jpg", tmp_path / "out.png")
    assert notes == ("its colour profile is one for CMYK while the pixels are written as RGB and is left out",)
    pil.new("L", (12, 8)).save(tmp_path / "gray.png", icc_profile=GRAY)
    assert copied(tmp_path / "gray.png", tmp_path / "out.png") == ()
    with pil.open(tmp_path / "out.png") as file:
        assert (file.mode, file.info["icc_profile"]) == ("L", GRAY)
    assert "one for GRAY while" in copied(tmp_path / "gray.png", tmp_path / "out.webp")[0]


@pytest.mark.parametrize(
    ("icc", "fault"),
    [
        (b"", "is damaged"),
        (b"x" * 200, "is damaged"),
        (SRGB[:-9], "is damaged"),
        (SRGB + bytes(9 * 2**20), "has 9 MiB"),
        (SRGB, None),
    ],
)
def test_broken_and_huge_profiles(icc, fault):
    assert profile_fault(icc, b"RGB ") == fault


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x87i" * 40,
        b"Exif\0\0" + b"x" * 900,
    ],
)
def test_broken_exif_stops_nothing(tmp_path, block):
    pil.new("RGB", (12, 8), "red").save(tmp_path / "in.jpg", exif=block)
    notes = copied(tmp_path / "in.jpg", tmp_path / "out.png")
    assert all("is damaged and left out" in note or "left out" in note for note in notes)


def test_random_damage_of_the_head_never_raises(jpeg):
    data, rng = jpeg.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        broken = bytearray(data)
        for place in rng.integers(0, 4000, 5) % len(data):
            broken[place] = rng.integers(256)
        jpeg.write_bytes(broken)
        details = read_details(jpeg)
        fitting(details, Form(4, 4), ".jpg")


def test_too_much_exif_is_left_out(tmp_path):
    block = exif()
    block.get_ifd(0x8769)[0x927C] = bytes(65_450)
    image = pil.new("RGB", (12, 8))
    image.save(tmp_path / "in.png", exif=block)
    assert copied(tmp_path / "in.png", tmp_path / "out.jpg")[0].startswith("its EXIF is larger than a file can hold")


@pytest.mark.parametrize("dpi", [(0, 0), (1, 1), (float("nan"), 1), (1e9, 1e9), "x", (1,), None])
def test_odd_resolutions_are_left_out(tmp_path, dpi, monkeypatch):
    from sr.image.details import _dpi

    assert _dpi(dpi) is None


def test_wide_profiles_are_known_by_their_colours():
    assert wide_gamut(SRGB) == wide_gamut(None) == wide_gamut(b"x") == wide_gamut(GRAY[:200]) == ""
    assert wide_gamut(display_p3()) == ImageCms.getProfileDescription(io.BytesIO(SRGB)).strip()
