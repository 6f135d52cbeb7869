"""`sr upscale`, as somebody types it: what comes out, where, and what is said when something is wrong."""

import os
import shutil
import struct
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from sr.image.io import read_picture, write_picture
from sr.models.files import load_network
from sr.types import Picture
from tests.conftest import smooth_picture


def lines(err):
    """The sentences on stderr, checked to be nothing else."""
    found = err.splitlines()
    assert found
    assert all(line.startswith("error: ") for line in found), err
    return found


def png(path, height=10, width=14, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(smooth_picture(height, width, seed)).save(path)
    return path


def opened(path):
    with Image.open(path) as image:
        return image.copy()


def expected(trained, pixels, white):
    """The network on pixels, by hand."""
    network, _ = load_network(trained / "best.safetensors")
    lr = torch.from_numpy(pixels.astype(np.float32) / white).permute(2, 0, 1)[None]
    with torch.no_grad():
        sr = network(lr)
    return (sr[0].permute(1, 2, 0).clamp(0, 1) * white).round().numpy()


# ------------------------------------------------------------------------------------- what comes out


def test_one_file(upscale, trained, tmp_path):
    source = png(tmp_path / "photo.png")
    code, out, err = upscale(source, "-o", "photo_x2.png")
    assert (code, err) == (0, "")
    assert f"network: {trained}/best.safetensors" in out
    assert "1 of 1 upscaled x2: photo_x2.png" in out
    result = np.asarray(opened(tmp_path / "photo_x2.png"))
    assert result.shape == (20, 28, 3)
    assert np.array_equal(result, expected(trained, np.asarray(opened(source)), 255))
    assert not np.array_equal(result, np.asarray(opened(source).resize((28, 20), Image.Resampling.BICUBIC)))


def test_one_file_into_a_folder_that_does_not_exist_yet(upscale, tmp_path):
    code, out, _ = upscale(png(tmp_path / "photo.png"), "-o", "new/deep")
    assert code == 0
    assert "1 of 1 upscaled x2: new/deep/photo.png" in out
    assert opened(tmp_path / "new" / "deep" / "photo.png").size == (28, 20)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif", ".PNG"])
def test_the_outputs_suffix_names_the_format(upscale, tmp_path, suffix):
    assert upscale(png(tmp_path / "photo.png"), "-o", f"a/photo{suffix}")[0] == 0
    with Image.open(tmp_path / "a" / f"photo{suffix}") as written:
        assert written.size == (28, 20)
        assert written.format == {".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".PNG": "PNG"}[suffix]


def test_several_files_and_a_folder(upscale, tmp_path):
    first = png(tmp_path / "a" / "one.png")
    second = tmp_path / "b" / "two.jpg"
    second.parent.mkdir()
    Image.fromarray(smooth_picture(10, 10, 1)).save(second)
    png(tmp_path / "c" / "three.png")
    code, out, _ = upscale(first, second, tmp_path / "c", "-o", "out")
    assert code == 0
    assert "3 of 3 upscaled x2: out" in out
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == ["one.png", "three.png", "two.png"]


def test_a_folders_tree_is_kept(upscale, tmp_path):
    names = ["a.png", "below/b.png", "below/deeper/c.png", "with.dots/d.e.png"]
    for name in names:
        png(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    code, out, _ = upscale("in", "-o", "out")
    assert code == 0
    assert "4 of 4 upscaled" in out
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert found == names


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_survives(upscale, tmp_path, mode):
    alpha = np.zeros((10, 14), np.uint8)
    alpha[:, 7:] = 255
    picture = Image.fromarray(smooth_picture(10, 14, 0)).convert(mode[:-1])
    picture.putalpha(Image.fromarray(alpha))
    assert picture.mode == mode
    picture.save(tmp_path / "in.png")
    assert upscale("in.png", "-o", "out.png")[0] == 0
    result = opened(tmp_path / "out.png")
    assert result.mode == mode
    assert result.size == (28, 20)
    opacity = np.asarray(result)[..., -1]
    assert (opacity[:, :10] == 0).all()
    assert (opacity[:, 18:] == 255).all()


def sprite(hidden, mode="RGBA", soft=False):
    """A green disc with a colour that hides under its transparent surroundings."""
    y, x = np.mgrid[:40, :40] - 19.5
    distance = np.hypot(x, y)
    alpha = np.clip((15 - distance) * 60 + 128, 0, 255) if soft else np.where(distance < 15, 255, 0)
    pixels = np.empty((40, 40, 4), np.uint8)
    pixels[..., 3] = alpha
    pixels[..., :3] = np.where(pixels[..., 3:] > 0, (0, 160, 0), hidden)
    image = Image.fromarray(pixels)
    if mode == "P":
        return image.quantize(8)
    return image.convert(mode)


@pytest.mark.parametrize("hidden", [(255, 255, 255), (255, 0, 255)])
@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGBA", "png"), ("P", "png"), ("RGBA", "gif"), ("RGBA", "webp"), ("LA", "png")]
)
def test_what_hides_under_transparency_makes_no_halo(upscale, tmp_path, mode, suffix, hidden):
    keep = {"lossless": True, "exact": True} if suffix == "webp" else {}
    sprite(hidden, mode).save(tmp_path / f"in.{suffix}", **keep)
    sprite((0, 160, 0), mode).save(tmp_path / "same.png")
    assert upscale(f"in.{suffix}", "-o", "out.png")[0] == 0
    assert upscale("same.png", "-o", "want.png")[0] == 0
    found, wanted = (np.asarray(opened(tmp_path / f"{name}.png").convert("RGBA")) for name in ("out", "want"))
    assert set(np.unique(found[..., 3])) == {0, 255}  # hard alpha stays hard
    assert np.array_equal(found[..., 3], wanted[..., 3])
    assert np.abs(found[..., :3].astype(int) - wanted[..., :3]).max() <= 1


def test_soft_and_deep_transparency_has_no_halo_either(upscale, tmp_path):
    made = []
    for name, hidden in (("white", (255, 255, 255)), ("green", (0, 160, 0))):
        pixels = np.asarray(sprite(hidden, soft=True)).astype(np.uint16) * 257
        write_picture(tmp_path / f"{name}.png", Picture(pixels[..., :3], pixels[..., 3]))
        assert upscale(f"{name}.png", "-o", f"{name}_x2.png")[0] == 0
        made.append(read_picture(tmp_path / f"{name}_x2.png"))
    assert made[0].pixels.dtype == np.uint16
    assert len(np.unique(made[0].alpha)) > 20
    assert np.array_equal(made[0].pixels, made[1].pixels)


def test_a_fully_transparent_picture_is_enlarged_as_it_is(upscale, tmp_path):
    Image.new("RGBA", (8, 8), (200, 100, 50, 0)).save(tmp_path / "in.png")
    assert upscale("in.png", "-o", "out.png")[0] == 0
    assert not np.asarray(opened(tmp_path / "out.png"))[..., 3].any()


def test_only_the_first_frame_is_said(upscale, tmp_path):
    frames = [Image.fromarray(smooth_picture(10, 10, index)) for index in range(3)]
    (tmp_path / "in").mkdir()
    for suffix in ("gif", "webp", "png", "tif"):
        frames[0].save(tmp_path / "in" / f"{suffix}_moves.{suffix}", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "in" / "still.gif")
    frames[0].save(tmp_path / "in" / "phone.mpo", save_all=True, append_images=frames[1:])
    code, out, _ = upscale("in", "-o", "out")
    assert code == 0
    assert "4 pictures (in/gif_moves.gif, in/png_moves.png, in/tif_moves.tif, …): it moves or has several pages" in out
    code, out, _ = upscale("in/gif_moves.gif", "-o", "x.png")
    assert "in/gif_moves.gif: it moves or has several pages, and only the first frame is enlarged" in out


@pytest.mark.parametrize("gray", [False, True])
def test_16_bits_stay_16_bits(upscale, trained, tmp_path, gray):
    pixels = (smooth_picture(10, 14, 0).astype(np.uint16) * 257) ^ 0x5B
    pixels = pixels[..., :1].repeat(3, axis=2) if gray else pixels
    write_picture(tmp_path / "in.png", Picture(pixels, gray=gray))
    assert upscale("in.png", "-o", "out.png")[0] == 0
    # IHDR (PNG specification, 11.2.1): width, height, bit depth, colour type (0 gray, 2 RGB) from byte 16 on.
    header = struct.unpack(">IIBB", (tmp_path / "out.png").read_bytes()[16:26])
    assert header == (28, 20, 16, 0 if gray else 2)
    result = read_picture(tmp_path / "out.png").pixels.astype(np.int64)
    wanted = expected(trained, pixels, 65535)
    wanted = wanted.mean(axis=2, keepdims=True) if gray else wanted
    assert np.abs(result - wanted).max() <= 1  # one step of 65535 for float32 and for the mean of the channels
    assert (result % 257 != 0).any(), "more than 8 bits were computed"


def test_gray_stays_gray(upscale, tmp_path):
    Image.fromarray(smooth_picture(10, 14, 0)).convert("L").save(tmp_path / "in.png")
    assert upscale("in.png", "-o", "out.png")[0] == 0
    result = opened(tmp_path / "out.png")
    assert (result.mode, result.size) == ("L", (28, 20))


# ------------------------------------------------------------------------------------- which network


def test_without_a_model_the_shipped_one_is_taken_and_named(sr, trained, tmp_path, monkeypatch):
    png(tmp_path / "photo.png")
    monkeypatch.setattr("sr.inference.networks.SHIPPED", tmp_path / "shipped")
    code, _, err = sr("upscale", "photo.png")
    assert code == 2
    assert "error: no network came with this installation" in lines(err)[0]
    (tmp_path / "shipped").mkdir()
    shutil.copy(trained / "best.safetensors", tmp_path / "shipped" / "x2.safetensors")
    code, out, _ = sr("upscale", "photo.png", "-o", "out.png", "--accelerator", "cpu")
    assert code == 0
    assert f"network: {tmp_path}/shipped/x2.safetensors" in out.splitlines()
    code, out, _ = sr("upscale", "photo.png", "-o", "again.png", "--model", trained, "--accelerator", "cpu")
    assert f"network: {trained}/best.safetensors" in out.splitlines()
    assert np.array_equal(opened(tmp_path / "out.png"), opened(tmp_path / "again.png"))


def test_a_truncated_network_is_one_sentence(sr, trained, tmp_path):
    png(tmp_path / "photo.png")
    whole = (trained / "best.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) * 2 // 3])
    code, _, err = sr("upscale", "photo.png", "-o", "out.png", "--model", "cut.safetensors")
    assert code == 2
    assert lines(err) == ["error: cut.safetensors is truncated; copy or download it again."]
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("given", ["photo.png", "nothing.safetensors", "folder", "espcn"])
def test_what_is_no_network_is_one_sentence(sr, tmp_path, given):
    png(tmp_path / "photo.png")
    (tmp_path / "folder").mkdir()
    code, _, err = sr("upscale", "photo.png", "-o", "out.png", "--model", given)
    assert code == 2
    assert len(lines(err)) == 1
    assert given in err


def test_unknown_accelerator(sr, trained, tmp_path):
    png(tmp_path / "photo.png")
    model = trained / "best.safetensors"
    code, _, err = sr("upscale", "photo.png", "-o", "o.png", "--model", model, "--accelerator", "gpus")
    assert code == 2
    assert lines(err) == ["error: --accelerator gpus is not one of auto, cpu, gpu, mps"]
    if not torch.cuda.is_available():
        code, _, err = sr("upscale", "photo.png", "-o", "o.png", "--model", model, "--accelerator", "gpu")
        assert code == 2
        assert lines(err) == ["error: --accelerator gpu: PyTorch sees no such device; take cpu or auto"]


# ------------------------------------------------------------------------------------- bad inputs and outputs


def test_missing_inputs_are_named_with_their_neighbours(upscale, tmp_path):
    png(tmp_path / "photo.png")
    code, _, err = upscale("phot.png", "-o", "out.png")
    assert code == 2
    assert lines(err) == ["error: there is no file or folder 'phot.png'; did you mean photo.png?"]
    code, _, err = upscale("photo.png", "phot.png", "absent/x.png", "-o", "out")
    assert code == 2
    assert len(lines(err)) == 2
    assert "no file or folder 'absent/x.png'" in err
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_one_sentence(upscale, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = upscale("empty", "-o", "out")
    assert code == 2
    assert len(lines(err)) == 1
    assert "folder 'empty' is empty" in err


def test_a_broken_picture_does_not_stop_the_others(upscale, tmp_path):
    for name in ("a", "b", "c"):
        png(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "b.png").write_bytes((tmp_path / "in" / "b.png").read_bytes()[:60])
    (tmp_path / "in" / "d.jpg").write_text("no picture")
    (tmp_path / "in" / "e\x1b[31m.jpg").write_text("no picture")
    code, out, err = upscale("in", "-o", "out")
    assert code == 1
    assert "2 of 5 upscaled x2: out" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    first, second, third = lines(err)
    assert "in/b.png" in first
    assert "in/d.jpg" in second
    assert r"in/e\x1b[31m.jpg" in third, "a name cannot colour the terminal"


def test_unknown_suffix(upscale, tmp_path):
    code, _, err = upscale(png(tmp_path / "photo.png"), "-o", "out.pgn")
    assert code == 2
    assert len(lines(err)) == 1
    assert "unknown suffix '.pgn'; nearest is '.png'" in err


def test_transparency_does_not_fit_into_jpeg(upscale, tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 100)).save(tmp_path / "in.png")
    code, _, err = upscale("in.png", "-o", "out.jpg")
    assert code == 2
    assert lines(err) == [
        "error: cannot write 'out.jpg': JPEG holds no transparency; write .png, .webp or .tif instead"
    ]


def test_several_pictures_need_a_folder(upscale, tmp_path):
    for name in ("a", "b", "target"):
        png(tmp_path / f"{name}.png")
    code, _, err = upscale("a.png", "b.png", "-o", "target.png")
    assert code == 2
    assert lines(err) == ["error: -o target.png is a file; several inputs need a folder"]


@pytest.mark.parametrize("target", ["file/out.png", "file/deep/out.png"])
def test_a_file_where_a_folder_should_be_is_one_sentence(upscale, tmp_path, target):
    png(tmp_path / "photo.png")
    (tmp_path / "file").write_text("in the way")
    code, _, err = upscale("photo.png", "-o", target)
    assert code == 2
    assert len(lines(err)) == 1
    assert "could not write into file" in err


def test_twins_in_one_folder_keep_apart(upscale, tmp_path):
    png(tmp_path / "in" / "a.png")
    for name in ("a.jpg", "b.JPG", "sub/a.webp"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        Image.fromarray(smooth_picture(10, 10, 0)).save(tmp_path / "in" / name)
    assert upscale("in", "-o", "out")[0] == 0
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png"))
    assert found == ["a.jpg.png", "a.png", "b.png", "sub/a.png"]
    assert opened(tmp_path / "out" / "a.jpg.png").size == (20, 20)
    assert upscale("in/a.png", "in/a.jpg", "in", "-o", "again")[0] == 0
    assert len(list((tmp_path / "again").rglob("*.png"))) == 4


@pytest.mark.parametrize("typed", ["jpg", ".JPG"])
def test_a_folder_in_another_format(upscale, tmp_path, typed):
    png(tmp_path / "in" / "a.png")
    for name in ("a.jpg", "b.webp"):
        Image.fromarray(smooth_picture(10, 10, 0)).save(tmp_path / "in" / name)
    assert upscale("in", "-o", "out", "--format", typed)[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "a.png.jpg", "b.jpg"]
    assert (tmp_path / "out" / "b.jpg").read_bytes().startswith(b"\xff\xd8")  # of JPEG


def test_formats_that_are_not_written_or_differ(upscale, tmp_path):
    png(tmp_path / "a.png")
    code, _, err = upscale("a.png", "-o", "out", "--format", "jpgg")
    assert code == 2
    assert "--format jpgg is not written; nearest is jpg, all are png, jpg, jpeg, webp, avif, tif, tiff" in err
    code, _, err = upscale("a.png", "-o", "out.png", "--format", "jpg")
    assert code == 2
    assert "-o out.png and --format jpg name two formats; leave --format out" in err
    code, _, err = upscale("a.png", "-o", "out", "--format", "")
    assert "--format '' is not written" in err
    assert upscale("a.png", "-o", "out.jpeg", "--format", "jpg")[0] == 0  # two names of one format


def test_one_name_from_two_folders_is_refused(upscale, tmp_path):
    png(tmp_path / "x" / "a.png")
    png(tmp_path / "y" / "A.png")
    code, _, err = upscale("x", "y", "-o", "out")
    assert code == 2
    assert lines(err) == ["error: x/a.png and y/A.png would become one file; upscale them into separate folders"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("in", "-o", "in"), ("in/a.png", "-o", "in"), ("in/a.png", "-o", "in/a.png")])
def test_originals_are_never_overwritten(upscale, tmp_path, arguments):
    original = png(tmp_path / "in" / "a.png").read_bytes()
    code, _, err = upscale(*arguments)
    assert code == 2
    assert lines(err) == ["error: in/a.png would be overwritten by a result; choose another -o"]
    assert (tmp_path / "in" / "a.png").read_bytes() == original


def test_a_link_to_the_original_is_the_original(upscale, tmp_path):
    original = png(tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert upscale("in", "-o", "link")[0] == 2
    assert (tmp_path / "in" / "a.png").read_bytes() == original


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
def test_a_name_that_is_no_text_can_be_printed(upscale, tmp_path):
    odd = png(tmp_path / "photo.png").rename(tmp_path / os.fsdecode(b"\xe9.png"))
    code, out, _ = upscale(odd, "-o", os.fsdecode(b"\xe9_x2.png"))
    assert code == 0
    assert "1 of 1 upscaled x2: \\udce9_x2.png" in out


def test_out_of_memory_names_the_picture(upscale, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9e12 bytes."
        )

    monkeypatch.setattr("sr.inference.pictures.open_rows", fail)
    code, _, err = upscale(png(tmp_path / "huge.png"), "-o", "out.png")
    assert code == 2
    assert "huge.png is too large for the memory that is free" in lines(err)[0]
