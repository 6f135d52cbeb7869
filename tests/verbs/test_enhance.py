"""`sr enhance`, as somebody types it."""

import numpy as np
import pytest
import torch
from PIL import Image

from sr.image.io import read_picture, to_image, to_pixels, write_picture
from sr.inference.enhance.enhancer import Enhancer, Settings
from sr.types import Picture
from tests.conftest import smooth_picture
from tests.inference.test_python import small_network


def noisy(height=24, width=32, deep=False):
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    pixels = (smooth_picture(height, width, 0) * 0.5 + 60 + noise).clip(0, 255)
    return (pixels * 257).astype(np.uint16) if deep else pixels.astype(np.uint8)


def expected(pixels, **settings):
    deep = pixels.dtype == np.uint16
    made = Enhancer(Settings(**settings), 65535 if deep else 255).image(to_image(pixels))
    return to_pixels(made, deep)


def test_beside_the_original_under_the_logs_name(sr, tmp_path):
    pixels = noisy()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    code, out, err = sr("enhance", "a.png", "--denoise", "4", "--contrast", "1", "--dither", "1")
    assert (code, err) == (0, "")
    assert "1 of 1 enhanced: a_e.png" in out
    made = read_picture(tmp_path / "a_e.png").pixels
    assert np.array_equal(made, expected(pixels, denoise=4, contrast=1, dither=1))
    assert not np.array_equal(made, pixels)


def test_16_bits_and_alpha_are_kept(sr, tmp_path):
    pixels = noisy(deep=True)
    alpha = np.full((24, 32), 40000, np.uint16)
    write_picture(tmp_path / "a.png", Picture(pixels, alpha))
    code, _, err = sr("enhance", "a.png", "-o", "b.png", "--contrast", "1", "--dither", "1")
    assert (code, err) == (0, "")
    made = read_picture(tmp_path / "b.png")
    assert np.array_equal(made.pixels, expected(pixels, contrast=1, dither=1))
    assert np.array_equal(made.alpha, alpha)


def test_the_logs_contrast_by_its_name(sr, tmp_path):
    dark = (5 + 10 * torch.linspace(0, 1, 64)).round().numpy().astype(np.uint8)[None, :, None].repeat(8, 0).repeat(3, 2)
    Image.fromarray(dark).save(tmp_path / "a.png")
    assert sr("enhance", "a.png", "-o", "b.png", "--contrast", "1", "--contrast-kind", "log")[0] == 0
    assert read_picture(tmp_path / "b.png").pixels.max() == 0  # the fault: black


def test_a_folder_with_a_broken_picture(sr, tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(noisy()).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    code, out, err = sr("enhance", "in", "-o", "out", "--denoise", "4")
    assert code == 1
    assert "1 of 2 enhanced: out" in out
    assert err.startswith("error: cannot read ")
    assert err.count("\n") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    _, out, _ = sr("enhance", "in/a.png", "-o", "out/a.png", "--denoise", "4")
    assert "--force" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "error: --denoise, --contrast and --dither are all 0, and nothing would change; give one of them\n"),
        (["--denoise", "-1"], "error: --denoise -1 is not within 0 and 100; nearest is 0\n"),
        (["--denoise", "4", "-o", "-"], "error: - is not read or written by sr enhance; name files\n"),
        (["--dither", "1", "--format", "pgn"], "error: --format pgn is not written; nearest is png"),
    ],
)
def test_mistakes_are_one_sentence(sr, tmp_path, words, message):
    Image.fromarray(noisy()).save(tmp_path / "a.png")
    code, out, err = sr("enhance", "a.png", *words)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_upscale_takes_the_flags_too(sr, tmp_path):
    """Enlarged and enhanced: both at once, and one after the other."""
    network = small_network(tmp_path / "x2.safetensors", 2)
    Image.fromarray(noisy()).save(tmp_path / "a.png")
    flags = ("--model", network, "--accelerator", "cpu", "--engine", "torch")
    assert sr("upscale", "a.png", "-o", "plain.png", *flags)[0] == 0
    code, _, err = sr("upscale", "a.png", "-o", "both.png", "--denoise", "5", *flags)
    assert (code, err) == (0, "")
    assert sr("enhance", "plain.png", "-o", "after.png", "--denoise", "5")[0] == 0
    both, after = (read_picture(tmp_path / name).pixels.astype(int) for name in ("both.png", "after.png"))
    assert np.abs(both - after).max() <= 1  # rounded once instead of twice
    assert not np.array_equal(after, read_picture(tmp_path / "plain.png").pixels)
