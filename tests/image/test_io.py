import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as pil
from PIL import ImageFile

from sr.image.io import SUFFIXES, find_pictures, read_picture, to_image, to_pixels, write_picture
from sr.types import Picture, UserError
from tests.close import assert_close

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9, 4), dtype=np.uint16)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, bits, colour_type, data=b"", extra=b""):
    """A PNG from its parts, unfiltered."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body


def deep_png(channels, extra=b""):
    height, width, count = channels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
    return png(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[count], rows, extra)


def lzw_tiff(pixels):
    """A 16-bit RGB TIFF with LZW: 9-bit literals between clear codes, never long enough to build a table."""
    codes, raw = [], pixels.astype("<u2").tobytes()
    for i in range(0, len(raw), 200):
        codes += [256, *raw[i : i + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    height, width, _ = pixels.shape
    end = 8 + len(data)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, end), (259, 3, 1, 5), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHI", b"II", 42, end + 6) + data + struct.pack("<3H", 16, 16, 16) + directory + b"\0" * 4


def saved(path, image, **options):
    image.save(path, **options)
    return path


def written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_8_bit_mode_becomes_rgb(tmp_path, mode):
    image = pil.fromarray(RGB)
    image = pil.frombytes("LAB", (9, 6), bytes([255, 0, 0]) * 54) if mode == "LAB" else image.convert(mode)
    suffix = {"1": "png", "CMYK": "tif", "YCbCr": "tif", "LAB": "tif"}.get(mode, "png")
    picture = read_picture(saved(tmp_path / f"x.{suffix}", image))
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape == (6, 9, 3)
    assert picture.gray == (mode in ("1", "L", "LA"))
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA"))
    assert mode != "LAB" or picture.pixels.min() > 250  # L = 100, a = b = 0 is white


def test_pixels_arrive_as_they_were(tmp_path):
    assert np.array_equal(read_picture(saved(tmp_path / "x.png", pil.fromarray(RGB))).pixels, RGB)
    gray = read_picture(saved(tmp_path / "g.png", pil.fromarray(RGB[..., 0])))
    assert np.array_equal(gray.pixels, RGB[..., [0, 0, 0]])
    torch.from_numpy(gray.pixels)[0] = 0  # writable, else torch warns


def test_inverted_cmyk_and_bits(tmp_path):
    cyan = pil.new("CMYK", (2, 2), (255, 0, 0, 0))
    assert read_picture(saved(tmp_path / "c.tif", cyan)).pixels[0, 0].tolist() == [0, 255, 255]
    bits = pil.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert read_picture(saved(tmp_path / "b.png", bits)).pixels[0, :, 0].tolist() == [0, 255]


def test_transparency_of_palettes_and_single_colours_becomes_alpha(tmp_path):
    palette = pil.fromarray(np.array([[0, 1, 2]], np.uint8), "L").convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    by_entry = read_picture(saved(tmp_path / "bytes.png", palette, transparency=bytes([255, 128, 0])))
    assert by_entry.pixels[0].tolist() == [[10, 20, 30], [40, 50, 60], [40, 50, 60]]  # the last one does not show
    assert by_entry.alpha.tolist() == [[255, 128, 0]]
    assert not by_entry.gray
    one_index = read_picture(saved(tmp_path / "x.gif", palette, transparency=1))
    assert one_index.alpha.tolist() == [[255, 0, 255]]
    level = pil.fromarray(np.array([[5, 6]], np.uint8))
    gray = read_picture(saved(tmp_path / "level.png", level, transparency=6))
    assert gray.gray
    assert gray.alpha.tolist() == [[255, 0]]


def test_16_bit_gray_stays_16_bit(tmp_path):
    gray = DEEP[..., 0]
    for name in ("x.png", "x.tif"):
        picture = read_picture(saved(tmp_path / name, pil.fromarray(gray)))
        assert picture.gray
        assert picture.pixels.dtype == np.uint16
        assert np.array_equal(picture.pixels, gray[..., None].repeat(3, axis=2))
    pgm = written(tmp_path / "x.pgm", b"P5 9 6 65535 " + gray.astype(">u2").tobytes())
    assert np.array_equal(read_picture(pgm).pixels[..., 1], gray)


def test_white_is_zero_and_12_bits(tmp_path):
    tifffile.imwrite(tmp_path / "w.tif", DEEP[..., 0], photometric="miniswhite")
    assert np.array_equal(read_picture(tmp_path / "w.tif").pixels[..., 0], 65535 - DEEP[..., 0])
    twelve = np.array([[0, 4095], [2048, 1]], np.uint16)
    packed = [(a >> 4, (a & 15) << 4 | b >> 8, b & 255) for a, b in twelve.tolist()]
    tags = [(256, 4, 1, 2), (257, 4, 1, 2), (258, 3, 1, 12), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 2), (279, 4, 1, 6)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    data = struct.pack("<2sHI", b"II", 42, 14) + bytes(sum(packed, ())) + directory + b"\0" * 4
    picture = read_picture(written(tmp_path / "12.tif", data))
    assert picture.pixels[..., 0].tolist() == [[0, 65535], [round(2048 * 65535 / 4095), 16]]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_16_bit_png_keeps_all_bits(tmp_path, count):
    channels = DEEP[..., :count]
    picture = read_picture(written(tmp_path / "x.png", deep_png(channels)))
    expected = channels[..., [0, 0, 0]] if count == 2 else channels[..., :3]
    assert np.array_equal(picture.pixels, expected)
    assert picture.gray == (count == 2)
    if count == 3:
        assert picture.alpha is None
    else:
        assert np.array_equal(picture.alpha, channels[..., -1])


@pytest.mark.parametrize("count", [1, 3])
def test_16_bit_png_with_one_transparent_colour(tmp_path, count):
    channels = DEEP[..., :count].copy()
    clear = chunk(b"tRNS", channels[2, 3].astype(">u2").tobytes())
    picture = read_picture(written(tmp_path / "x.png", deep_png(channels, clear)))
    assert picture.alpha[2, 3] == 0
    assert (picture.alpha == 65535).sum() == 53
    shown = picture.alpha > 0
    assert np.array_equal(picture.pixels[shown][:, 0], channels[shown][:, 0])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("count", [3, 4])
def test_16_bit_tiff_keeps_all_bits(tmp_path, count, compression, planar):
    channels = DEEP[..., :count]
    stored = channels if planar == "contig" else np.moveaxis(channels, -1, 0)
    extra = ["unassalpha"] if count == 4 else None
    tifffile.imwrite(
        tmp_path / "x.tif",
        stored,
        photometric="rgb",
        compression=compression,
        planarconfig=planar,
        extrasamples=extra,
    )
    picture = read_picture(tmp_path / "x.tif")
    assert np.array_equal(picture.pixels, channels[..., :3])
    assert (picture.alpha is None) == (count == 3)
    assert count == 3 or np.array_equal(picture.alpha, channels[..., 3])


def test_16_bit_tiff_with_premultiplied_alpha(tmp_path):
    channels = np.array([[[10000, 20000, 30000, 32768], [0, 0, 0, 0]]], np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", channels, photometric="rgb", extrasamples=["assocalpha"])
    picture = read_picture(tmp_path / "x.tif")
    assert picture.alpha.tolist() == [[32768, 0]]
    assert picture.pixels[0, 0].tolist() == [round(v * 65535 / 32768) for v in (10000, 20000, 30000)]


def test_16_bit_tiff_compressed_with_lzw(tmp_path):
    path = written(tmp_path / "x.tif", lzw_tiff(DEEP[..., :3]))
    assert np.array_equal(read_picture(path).pixels, DEEP[..., :3])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 32768, 65535]),
        ([0.0, 99.6, 255.0], [0, 100, 255]),
        ([0.0, 300.4, 65535.0], [0, 300, 65535]),
    ],
)
def test_floating_point(tmp_path, values, expected):
    image = pil.fromarray(np.array([values], np.float32))
    picture = read_picture(saved(tmp_path / "x.tif", image))
    assert picture.pixels[0, :, 2].tolist() == expected
    assert picture.pixels.dtype == (np.uint8 if max(values) == 255 else np.uint16)


@pytest.mark.parametrize("values", [[-1.0, 1.0], [0.0, 70000.0], [0.0, float("nan")]])
def test_numbers_that_are_no_picture_are_refused(tmp_path, values):
    path = saved(tmp_path / "x.tif", pil.fromarray(np.array([values], np.float32)))
    with pytest.raises(UserError, match=r"x\.tif.*values run from .* 16-bit gray"):
        read_picture(path)


# Rows of the stored picture for EXIF orientation 1..8 of the upright picture [[1, 2, 3], [4, 5, 6]] * 40
UPRIGHT = np.array([[1, 2, 3], [4, 5, 6]], np.uint8) * 40
STORED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied_once(tmp_path, orientation):
    stored = np.array(STORED[orientation], np.uint8) * 40
    exif = pil.Exif()
    exif[274] = orientation
    for name in ("x.png", "x.tif"):
        picture = read_picture(saved(tmp_path / name, pil.fromarray(stored), exif=exif))
        assert np.array_equal(picture.pixels[..., 0], UPRIGHT), name
    deep = (stored.astype(np.uint16) * 257)[..., None].repeat(3, axis=2)
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", extratags=[tag])
    assert np.array_equal(read_picture(tmp_path / "deep.tif").pixels[..., 0] // 257, UPRIGHT)
    data = deep_png(deep, chunk(b"eXIf", exif.tobytes()[6:]))
    assert np.array_equal(read_picture(written(tmp_path / "deep.png", data)).pixels[..., 0] // 257, UPRIGHT)


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    data = saved(tmp_path / "x.jpg", pil.fromarray(RGB), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\1\2")
    assert read_picture(data).pixels.shape == (6, 9, 3)


def test_animations_give_their_first_frame(tmp_path):
    frames = [pil.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    for name in ("x.gif", "x.webp", "x.png", "x.tif"):
        options = {"lossless": True} if name.endswith("webp") else {}
        path = saved(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], **options)
        assert read_picture(path).pixels[0, 0].tolist() == [255, 0, 0], name


def test_missing_names_the_nearest(tmp_path):
    saved(tmp_path / "photo.png", pil.fromarray(RGB))
    with pytest.raises(UserError, match=r"photos\.png': there is no such file; nearest is '.*photo\.png'; check"):
        read_picture(tmp_path / "photos.png")
    with pytest.raises(UserError, match=r"nor a folder '.*nowhere'"):
        read_picture(tmp_path / "nowhere" / "x.png")
    with pytest.raises(UserError, match="it is a folder; name a picture in it"):
        read_picture(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_truncated_files_are_refused(tmp_path, suffix):
    big = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    pil.fromarray(big).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
    path = written(tmp_path / f"x.{suffix}", buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(UserError, match=rf"cannot read '.*x\.{suffix}': .*(damaged|truncated).*; .*save it as PNG"):
        read_picture(path)


def test_truncated_16_bit_png_is_refused(tmp_path):
    path = written(tmp_path / "x.png", deep_png(DEEP)[:200])
    with pytest.raises(UserError, match=r"x\.png': .*(damaged|truncated)"):
        read_picture(path)


def test_empty_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"x\.png': the file is empty; copy or download it again"):
        read_picture(written(tmp_path / "x.png", b""))
    with pytest.raises(UserError, match=r"t\.png': it is damaged or not a picture .*; open it"):
        read_picture(written(tmp_path / "t.png", b"these are words"))
    with pytest.raises(UserError, match="not a picture in a known format"):  # never handed to Ghostscript
        read_picture(written(tmp_path / "x.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"))


def test_too_large_is_refused_from_the_header_alone(tmp_path):
    path = saved(tmp_path / "x.png", pil.fromarray(RGB))
    assert read_picture(path, max_pixels=54).pixels.shape == (6, 9, 3)
    with pytest.raises(UserError, match=r"x\.png': 9x6 is 0\.0 megapixels and the limit is 0\.0; shrink it"):
        read_picture(path, max_pixels=53)
    within_pillows_limit = written(tmp_path / "y.png", png(10_000, 10_000, 8, 2))  # Pillow warns of this one
    with pytest.raises(UserError, match=r"y\.png': 10000x10000 is 100\.0 megapixels and the limit is 50\.0"):
        read_picture(within_pillows_limit, max_pixels=50_000_000)
    bomb = written(tmp_path / "z.png", png(60_000, 60_000, 8, 2))
    with pytest.raises(UserError, match=r"z\.png': it claims to be larger .* 179 megapixels; shrink it"):
        read_picture(bomb)


def test_pillows_settings_are_left_alone(tmp_path):
    before = (pil.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    read_picture(saved(tmp_path / "x.png", pil.fromarray(RGB)))
    assert (pil.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES) == before == (89_478_485, False)


def test_reading_in_threads_neither_leaks_warnings_nor_changes_the_filters(tmp_path):
    path = written(tmp_path / "y.png", png(10_000, 9_000, 8, 2))  # 90 megapixels: Pillow warns on opening
    before = list(warnings.filters)
    seen = []

    def read():
        for _ in range(20):
            try:
                read_picture(path, max_pixels=1000)
            except BaseException as error:
                seen.append(type(error))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [UserError] * 80
    assert warnings.filters == before


KINDS = {
    "gray": Picture(np.repeat(RGB[..., :1], 3, axis=2), gray=True),
    "gray alpha": Picture(np.repeat(RGB[..., :1], 3, axis=2), RGB[..., 1] | 1, gray=True),
    "rgb": Picture(RGB),
    "rgb alpha": Picture(RGB, RGB[..., 1] | 1),
    "deep gray": Picture(np.repeat(DEEP[..., :1], 3, axis=2), gray=True),
    "deep gray alpha": Picture(np.repeat(DEEP[..., :1], 3, axis=2), DEEP[..., 1].copy(), gray=True),
    "deep rgb": Picture(DEEP[..., :3].copy()),
    "deep rgb alpha": Picture(DEEP[..., :3].copy(), DEEP[..., 3].copy()),
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("kind", KINDS)
def test_png_and_tiff_give_back_what_was_written(tmp_path, kind, suffix):
    picture = KINDS[kind]
    write_picture(tmp_path / f"x{suffix}", picture)
    back = read_picture(tmp_path / f"x{suffix}")
    assert back.pixels.dtype == picture.pixels.dtype
    assert np.array_equal(back.pixels, picture.pixels)
    assert (back.alpha is None) == (picture.alpha is None)
    assert back.alpha is None or np.array_equal(back.alpha, picture.alpha)
    assert back.gray == (picture.gray and not (kind == "deep gray alpha" and suffix != ".png"))


def test_lossy_formats_come_close(tmp_path):
    y, x = np.mgrid[:32, :48]
    smooth = np.stack((x * 5, y * 8, 255 - x * 5), axis=-1).astype(np.uint8)
    for name in ("x.jpg", "x.JPEG", "x.webp"):
        write_picture(tmp_path / name, Picture(smooth))
        assert np.abs(read_picture(tmp_path / name).pixels.astype(int) - smooth).mean() < 2, name
    write_picture(tmp_path / "deep.jpg", Picture(smooth.astype(np.uint16) * 257))
    assert np.array_equal(read_picture(tmp_path / "deep.jpg").pixels, read_picture(tmp_path / "x.jpg").pixels)
    write_picture(tmp_path / "gray.jpg", KINDS["gray"])
    assert read_picture(tmp_path / "gray.jpg").gray
    with pil.open(tmp_path / "x.jpg") as file:
        assert [layer[1:3] for layer in file.layer] == [(1, 1)] * 3  # chroma at full resolution


def test_jpeg_refuses_transparency_but_not_opacity(tmp_path):
    with pytest.raises(UserError, match=r"x\.jpg': JPEG holds no transparency; write \.png, \.webp or \.tif"):
        write_picture(tmp_path / "x.jpg", KINDS["rgb alpha"])
    write_picture(tmp_path / "x.jpg", Picture(RGB, np.full((6, 9), 255, np.uint8)))
    assert read_picture(tmp_path / "x.jpg").alpha is None
    write_picture(tmp_path / "x.webp", KINDS["rgb alpha"])
    assert np.array_equal(read_picture(tmp_path / "x.webp").alpha, KINDS["rgb alpha"].alpha)


def test_too_long_for_the_format(tmp_path):
    with pytest.raises(UserError, match=r"WebP holds at most 16383 pixels a side, not 16384x1; write \.png"):
        write_picture(tmp_path / "x.webp", Picture(np.zeros((1, 16384, 3), np.uint8)))


def test_wrong_destinations(tmp_path):
    with pytest.raises(UserError, match=r"unknown suffix '\.jpgg'; nearest is '\.jpg'"):
        write_picture(tmp_path / "x.jpgg", KINDS["rgb"])
    with pytest.raises(UserError) as error:
        write_picture(tmp_path / "x\x1b[2J.j\npg", Picture(RGB))
    assert error.value.args[0].isprintable()
    with pytest.raises(UserError, match="unknown suffix ''; nearest is"):
        write_picture(tmp_path / "x", KINDS["rgb"])
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match=r"no folder '.*result'; nearest is '.*results'; create it"):
        write_picture(tmp_path / "result" / "x.png", KINDS["rgb"])


def test_a_failing_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    write_picture(tmp_path / "x.png", KINDS["rgb"])

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        UserError, match=r"could not write .*x\.png: No space left on device; the previous file is kept"
    ):
        write_picture(tmp_path / "x.png", KINDS["gray"])
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
    assert np.array_equal(read_picture(tmp_path / "x.png").pixels, RGB)


def touched(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_pictures_are_found_in_a_fixed_order(tmp_path):
    touched(tmp_path, "b/2.JPG", "b/10.png", "a.tiff", "b-c/1.webp", "notes.txt", "._a.png", ".git/x.png")
    names = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert names == ["a.tiff", "b/10.png", "b/2.JPG", "b-c/1.webp"]  # by parts: "b" before "b-c"
    assert find_pictures([tmp_path / "b-c", tmp_path])[0] == tmp_path / "b-c/1.webp"
    assert len(find_pictures([tmp_path / "b-c", tmp_path])) == 4


def test_a_file_stands_for_itself(tmp_path):
    touched(tmp_path, "frame.raw")
    assert find_pictures(str(tmp_path / "frame.raw")) == [tmp_path / "frame.raw"]


def test_links_that_loop_end(tmp_path):
    touched(tmp_path, "a/1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert find_pictures(tmp_path) == [tmp_path / "a/1.png"]


def test_folders_without_pictures_are_named(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"no folder '.*photo'; nearest is '.*photos'; check the name"):
        find_pictures(tmp_path / "photo")
    with pytest.raises(UserError, match=r"photos' is empty; pictures end in"):
        find_pictures(tmp_path / "photos")
    touched(tmp_path / "photos", "a.txt", "b.txt", "c.MP4", "LICENSE")
    with pytest.raises(UserError, match=r"only 4 files of other kinds \(1 \.mp4, 2 \.txt, 1 no suffix\)"):
        find_pictures(tmp_path / "photos")
    with pytest.raises(UserError, match="name at least one"):
        find_pictures([])


def test_suffixes_are_those_pillow_reads():
    pil.init()
    assert set(SUFFIXES) <= set(pil.EXTENSION)


def test_pixels_to_image_and_back():
    for pixels, deep in ((RGB, False), (DEEP[..., :3], True)):
        image = to_image(pixels)
        assert image.shape == (1, 3, 6, 9)
        assert_close(image[0, 1, 2, 3], torch.tensor(float(pixels[2, 3, 1]) / np.iinfo(pixels.dtype).max))
        assert np.array_equal(to_pixels(image, deep), pixels)
    assert to_pixels(torch.tensor([-0.2, 0.5, 1.3]).view(1, 3, 1, 1)).tolist() == [[[0, 128, 255]]]
    with pytest.raises(ValueError, match="batch of 2"):
        to_pixels(torch.rand(2, 3, 4, 4))


def test_hostile_files_end_in_one_sentence(tmp_path):
    good = Path(saved(tmp_path / "x.png", pil.fromarray(RGB))).read_bytes()
    generator = np.random.default_rng(2)
    outcomes = set()
    for i in range(200):  # flipped bytes anywhere after the signature
        data = np.frombuffer(good, np.uint8).copy()
        at = generator.integers(8, len(data), 3)
        data[at] = generator.integers(0, 256, 3)
        path = written(tmp_path / f"{i}.png", data.tobytes())
        try:
            outcomes.add(read_picture(path, max_pixels=10_000).pixels.shape[2])
        except UserError as error:
            outcomes.add("refused")
            outcomes.add(str(error).count("\n"))
    assert outcomes - {3} == {"refused", 0}  # where any survived, it has three channels
