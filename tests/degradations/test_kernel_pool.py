"""Pools of kernels: files of every kind, a portable choice, messages, and where the pixels end up."""

import pickle

import numpy as np
import pytest
import scipy.io
import scipy.ndimage
import torch

from sr.degradations import kernel_pool
from sr.degradations.kernel_files import on_one_canvas, write_kernels
from sr.degradations.kernel_pool import KernelPool, PooledBlur, flipped, shifted_to
from sr.degradations.kernels import gaussian, motion
from sr.degradations.pictures import Pictures
from sr.draws import Draws, Record
from sr.errors import UserError
from tests.close import assert_close
from tests.conftest import smooth_picture


def some_kernels(count=5, k=9):
    return motion(k, np.linspace(2, k - 2, count), np.linspace(0, 2, count))


def bells(k=13, sigma=1.5, count=1):
    return gaussian(k, np.full(count, k), np.full(count, sigma), np.full(count, sigma), np.zeros(count))


def batch(count, height=40, width=38):
    shown = [smooth_picture(height, width, seed) for seed in range(count)]
    return torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in shown]).float() / 255


def whole(image, scale=1):
    return Pictures.of(image, (image.shape[-2] // scale, image.shape[-1] // scale))


def centre(kernel):
    return np.array(scipy.ndimage.center_of_mass(kernel.astype(np.float64))) - kernel.shape[0] // 2


@pytest.fixture
def folder(tmp_path):
    write_kernels(tmp_path / "kernels", some_kernels(), [f"frame_{i}" for i in range(5)])
    return tmp_path / "kernels"


def test_what_was_written_is_read_again_as_text_and_as_npz(folder):
    expected = some_kernels()
    text, together = KernelPool(str(folder)), KernelPool(str(folder / "kernels.npz"))
    assert text.names == tuple(f"frame_{i}.txt" for i in range(5))
    assert np.allclose(text.kernels, expected, atol=1e-7)
    assert np.allclose(together.kernels, expected, atol=1e-7)
    assert text.kernels.dtype == np.float32
    assert np.allclose(np.loadtxt(folder / "frame_3.txt"), expected[3])
    with np.load(folder / "kernels.npz") as archive:
        assert archive["kernels"].shape == (5, 9, 9)
        assert archive["names"].tolist() == [f"frame_{i}" for i in range(5)]


def test_a_single_file_and_kernelgans_mat_in_folders_below(tmp_path):
    kernel = some_kernels()[2]
    np.savetxt(tmp_path / "one.txt", 3 * kernel)
    assert np.allclose(KernelPool(str(tmp_path / "one.txt")).kernels, kernel[None], atol=1e-6)
    (tmp_path / "results" / "img").mkdir(parents=True)
    scipy.io.savemat(tmp_path / "results" / "img" / "img_kernel_x2.mat", {"Kernel": kernel})
    pool = KernelPool(str(tmp_path / "results"))
    assert pool.names == ("img/img_kernel_x2.mat",)
    assert np.allclose(pool.kernels, kernel[None], atol=1e-7)


def test_sizes_share_one_canvas_around_their_origin():
    sides = [np.ones((3, 3)), np.ones((4, 4)), np.ones((1, 7))]
    made = on_one_canvas(sides)
    assert made.shape == (3, 7, 7)
    assert np.allclose(made.sum((1, 2)), 1)
    # Tap k // 2 of the 4 x 4 box is its third: the box reaches two pixels up and one down.
    assert np.flatnonzero(made[1].any(1)).tolist() == [1, 2, 3, 4]
    line = np.random.default_rng(0).random((12, 15))
    for matrix, canvas in zip(sides, made, strict=True):
        same = scipy.ndimage.correlate(line, matrix / matrix.sum(), mode="mirror")
        assert np.allclose(scipy.ndimage.correlate(line, canvas.astype(np.float64), mode="mirror"), same, atol=1e-6)


def test_count_keeps_a_choice_that_grows(folder):
    chosen = KernelPool(str(folder), count=3).names
    # Worked out once; the same on every machine, whatever order its file system lists files in.
    assert chosen == tuple(f"frame_{i}.txt" for i in CHOSEN)
    assert KernelPool(str(folder), count=2).names == chosen[:2]
    assert sorted(KernelPool(str(folder), count=5).names) == sorted(KernelPool(str(folder)).names)


CHOSEN = (3, 4, 2)


def test_repr_tells_the_content_not_the_place(folder, tmp_path):
    write_kernels(tmp_path / "copy", some_kernels(), [f"frame_{i}" for i in range(5)])
    before = repr(PooledBlur(str(folder), 2))
    assert before == repr(PooledBlur(str(tmp_path / "copy"), 2))
    assert "5 of 9x9" in before
    changed = some_kernels()
    changed[4] = changed[4].T
    write_kernels(folder, changed, [f"frame_{i}" for i in range(5)])
    assert repr(PooledBlur(str(folder), 2)) != before


def test_one_kernel_per_sample_and_the_stride_of_the_log(folder):
    image, record = batch(6), Record()
    made = PooledBlur(str(folder), stride=2)(whole(image, 2), Draws(0, np.arange(6), record))
    assert made.pixels.shape == (6, 3, 20, 19)
    assert (made.heights == 20).all()
    assert (made.widths == 19).all()
    for i in range(6):
        kernel = np.loadtxt(folder / str(record.values["kernel"][i]))
        full = [scipy.ndimage.correlate(c, kernel / kernel.sum(), mode="mirror") for c in image[i].double().numpy()]
        assert torch.allclose(made.pixels[i].double(), torch.from_numpy(np.stack(full))[:, ::2, ::2], atol=1e-5)
    assert len(set(record.values["kernel"].values())) > 1


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sizes_are_rounded_up(folder, stride):
    made = PooledBlur(str(folder), stride)(whole(batch(1, 25, 22)), Draws(0, np.arange(1)))
    assert made.pixels.shape[-2:] == (-(-25 // stride), -(-22 // stride))


@pytest.mark.parametrize("settings", [{}, {"flips": True}, {"centred": True}, {"flips": True, "centred": True}])
def test_a_sample_does_not_depend_on_its_batch(folder, settings):
    stage, image, draws = PooledBlur(str(folder), stride=2, **settings), batch(6), Draws(1, np.arange(6))
    together = stage(whole(image, 2), draws).pixels
    for cut in ([0], [1, 2], [5, 3, 4]):
        part = np.array(cut)
        assert torch.equal(stage(whole(image[part], 2), draws.at(part)).pixels, together[part])
    again = pickle.loads(pickle.dumps(stage))
    assert torch.equal(again(whole(image, 2), draws).pixels, together)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_centred_kernels_do_not_shift(tmp_path, stride):
    lopsided = motion(15, np.array([6.0]), np.array([0.4]))[0]
    lopsided[:, 9:] *= 2.5
    write_kernels(tmp_path, [bells()[0], lopsided], ["bell", "lopsided"])
    stage = PooledBlur(str(tmp_path), stride, centred=True)
    for kernel in stage.kernels:
        assert kernel.sum() == pytest.approx(1, abs=1e-5)
        assert np.allclose(centre(kernel), (stride - 1) / 2, atol=0.01)
    # A ramp keeps its values: pixel i of the result lies at s i + (s - 1) / 2.
    ramp = (torch.arange(96.0) / 96)[None, None, None, :].expand(2, 3, 96, 96)
    made = stage(whole(ramp, stride), Draws(0, np.arange(2))).pixels
    expected = (stride * torch.arange(made.shape[-1]) + (stride - 1) / 2) / 96
    inner = slice(24 // stride, 60 // stride)
    assert torch.allclose(made[..., inner], expected[inner].expand_as(made[..., inner]), atol=2e-4)


def test_kernels_of_kernelgan_are_left_as_they_are():
    at_half = shifted_to(bells()[0], 0.5)
    assert np.allclose(centre(at_half), 0.5, atol=1e-3)
    assert shifted_to(at_half / at_half.sum(), 0.5).shape == at_half.shape
    finer = bells(13, 2.0)[0]
    # Half a pixel is what a spline must invent; a Gaussian sampled there is the truth.
    offset = np.arange(13) - 6 - 0.5
    truth = np.exp(-0.5 * (offset / 2.0) ** 2)
    truth = np.outer(truth, truth) / np.outer(truth, truth).sum()
    moved = shifted_to(finer, 0.5)
    room = (len(moved) - 13) // 2
    assert np.allclose(moved[room + 1 : -room - 1, room + 1 : -room - 1], truth[1:-1, 1:-1], atol=5e-4)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_flips_keep_the_low_resolution_pixel_in_place(stride):
    kernel = np.pad(shifted_to(motion(11, np.array([7.0]), np.array([0.5]))[0], (stride - 1) / 2), stride - 1)
    coins = np.array([[a, b, c] for a in (False, True) for b in (False, True) for c in (False, True)])
    made = flipped(np.repeat(kernel[None], 8, axis=0), coins, stride)
    assert np.array_equal(made[0], kernel)
    assert len({one.round(9).tobytes() for one in made}) >= 4
    for one in made:
        assert one.sum() == pytest.approx(kernel.sum())
        assert np.allclose(centre(one), (stride - 1) / 2, atol=0.01)
    if stride == 1:
        assert np.array_equal(made[1], kernel.T)
        assert np.array_equal(made[4], kernel[::-1])


def test_the_pool_is_read_once_and_late(folder, monkeypatch):
    reads = []
    monkeypatch.setattr(
        kernel_pool, "read_kernels", lambda path: reads.append(path) or [("a", np.ones((3, 3))), ("b", np.ones((3, 3)))]
    )
    stage = PooledBlur(str(folder))
    assert reads == []
    for _ in range(3):
        stage(whole(batch(2)), Draws(0, np.arange(2)))
    assert reads == [str(folder)]


def test_a_flat_picture_stays_flat(folder):
    flat = torch.full((3, 3, 20, 20), 0.25)
    assert_close(
        PooledBlur(str(folder), centred=True, stride=2)(whole(flat, 2), Draws(0, np.arange(3))).pixels,
        flat[..., ::2, ::2],
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "0.1 zero\n", "a.txt cannot be read as a kernel .*; mend or remove it"),
        ("a.txt", "", "a.txt holds nothing instead of a matrix"),
        ("a.txt", "0.2 0.3 0.5\n", "a.txt holds 3 instead of a matrix with several rows and columns"),
        ("a.txt", "1 nan\n0 1\n", "a.txt holds values that are not finite"),
        ("a.txt", "1 -1\n-1 1\n", "a.txt sums to 0, so that it cannot be scaled to 1"),
        ("a.mat", "no mat file", "a.mat cannot be read as a kernel"),
        ("a.mat", "", "a.mat cannot be read as a kernel"),
        ("a.npz", "no npz file", "a.npz cannot be read as a kernel"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        KernelPool(str(tmp_path)).kernels  # noqa: B018


def test_archives_without_kernels_are_named(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"K": np.ones((3, 3))})
    with pytest.raises(UserError, match=r"a.mat holds K but no Kernel; store the kernel under Kernel"):
        KernelPool(str(tmp_path / "a.mat")).kernels  # noqa: B018
    np.savez(tmp_path / "b.npz", kernels=np.ones((2, 3, 3, 3)))
    with pytest.raises(UserError, match=r"b.npz\[0\] holds 3x3x3 instead of a matrix"):
        KernelPool(str(tmp_path / "b.npz")).kernels  # noqa: B018


def test_missing_and_empty_places_and_too_large_a_count_are_told(tmp_path, folder):
    with pytest.raises(UserError, match="nowhere does not exist; give a file or folder of kernels"):
        KernelPool(str(tmp_path / "nowhere")).kernels  # noqa: B018
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty has no kernels; give a folder with \.txt, \.mat or \.npz files"):
        KernelPool(str(tmp_path / "empty")).kernels  # noqa: B018
    with pytest.raises(UserError, match=r"count=9 kernels are asked for, but .* has 5; set count=5"):
        KernelPool(str(folder), count=9).kernels  # noqa: B018
    with pytest.raises(ValueError, match="count=0 must be at least 1, or null for all kernels"):
        PooledBlur(str(folder), count=0)
    with pytest.raises(ValueError, match="stride=0 must be at least 1"):
        PooledBlur(str(folder), stride=0)
    with pytest.raises(ValueError, match="2 kernels need as many different names, not 1"):
        write_kernels(tmp_path, some_kernels(2), ["a", "a"])
