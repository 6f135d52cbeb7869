"""KernelGAN finds the kernel that made a picture; kernels keep their convention from estimate to file."""

import numpy as np
import pytest
import torch
from PIL import Image as pil
from scipy.ndimage import center_of_mass, correlate
from skimage import data
from torch.nn import functional

from sr.data.preparation import kernel_gan, kernel_gan_networks
from sr.data.preparation.contact_sheet import contact_sheet, kernel_tile
from sr.data.preparation.kernel_gan import KernelGan, aligned, significant, squared, widths
from sr.degradations.kernel_pool import KernelPool
from sr.draws import Draws
from sr.errors import UserError
from sr.image.io import to_image
from sr.image.resize import bicubic
from sr.verbs.prepare.kernels import prepare_kernels
from tests.close import assert_close


def draws(sample=0):
    return Draws(0, np.array([sample]))


def gaussian(side, sigmas, angle, offset):
    """Correlation kernel with its centre ``offset`` beyond the middle element."""
    rows, columns = np.mgrid[:side, :side] - ((side - 1) / 2 + offset)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    across = np.cos(angle) * rows - np.sin(angle) * columns
    kernel = np.exp(-((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2) / 2)
    return kernel / kernel.sum()


def shrunk(picture, kernel, scale):
    """SciPy's correlation, every ``scale``-th pixel from the first: (height, width, 3) floats."""
    return correlate(picture, kernel[..., None], mode="mirror")[::scale, ::scale]


def psnr(a, b):
    return -10 * np.log10(np.mean((a - b)[8:-8, 8:-8] ** 2))


@pytest.mark.slow
def test_estimate_beats_bicubic_where_the_kernel_is_known(capsys):
    hr = data.chelsea()[:300, :450] / 255
    true = gaussian(13, (1.8, 0.8), 2.2, 0.5)
    lr = np.rint(np.clip(shrunk(hr, true, 2), 0, 1) * 255).astype(np.uint8)
    estimated = KernelGan(updates=300).estimate(lr, draws())
    from_bicubic = bicubic(to_image(data.chelsea()[:300, :450]), 0.5)[0].numpy().transpose(1, 2, 0)
    plain, ours = psnr(from_bicubic, lr / 255), psnr(shrunk(hr, estimated, 2), lr / 255)
    with capsys.disabled():
        print(
            f"\nPSNR to the true low resolution: bicubic {plain:.2f} dB, KernelGAN {ours:.2f} dB ({ours - plain:+.2f})"
        )
    assert ours - plain > 1
    assert estimated.sum() == pytest.approx(1)
    assert estimated.min() >= 0
    # So few updates find how blurred the picture is, not in which direction.
    wide, narrow = widths(estimated)
    assert 0.8 < (wide * narrow) ** 0.5 / (1.8 * 0.8) ** 0.5 < 1.25
    assert center_of_mass(estimated) == pytest.approx((6.5, 6.5), abs=0.02)


def test_the_same_draws_give_the_same_kernel():
    pixels = data.chelsea()[100:180, 100:200]
    first, again, other = (KernelGan(updates=5, width=8).estimate(pixels, draws(i)) for i in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", range(9, 22, 2))
def test_multiplied_layers_are_the_layers_in_a_row(size):
    generator = kernel_gan_networks.Generator(size, 6, draws())
    with torch.no_grad():
        for layer in generator.layers:
            layer.mul_(30)
        picture = torch.from_numpy(np.random.default_rng(0).random((3, 1, 40, 40), dtype=np.float32))
        features = picture
        for layer in generator.layers[:-1]:
            features = functional.conv2d(features, layer)
        expected = functional.conv2d(features, generator.layers[-1], stride=2)
        kernel = generator.kernel()
        assert kernel.shape == (1, 1, size, size)
        assert kernel.sum() > 0
        made = kernel_gan._shrunk(picture.transpose(0, 1), kernel).transpose(0, 1)
    scale = expected.abs().max()
    assert_close(made / scale, expected / scale)


def test_bicubic_start_is_matlabs():
    picture = to_image(data.chelsea()[:64, :64])
    kernel = kernel_gan_networks.bicubic_kernel(13)
    assert_close(kernel_gan._shrunk(picture, kernel), bicubic(picture, 0.5)[..., 3:29, 3:29])


def test_weights_come_divided_by_their_largest_singular_value():
    judge = kernel_gan_networks.Discriminator(8, draws())
    for _ in range(300):
        weights = judge.normalised()
    for weight in weights:
        assert float(torch.linalg.svdvals(weight.detach().flatten(1))[0]) == pytest.approx(1, rel=0.02)


def test_alignment_shifts_nothing():
    ramp = np.broadcast_to(np.arange(60.0)[:, None, None], (60, 60, 1))
    for scale in (2, 4):
        kernel = aligned(gaussian(13, (1.5, 1.0), 0.4, -0.8), scale)
        # Pixel i of the result covers the pixels scale * i to scale * i + scale - 1: their mean is that of the ramp.
        wanted = scale * np.arange(60 // scale) + (scale - 1) / 2
        found = shrunk(ramp, kernel, scale)[:, 30 // scale, 0]
        assert np.allclose(found[4:-4], wanted[4:-4], atol=0.02)


def test_x4_kernel_is_the_x2_kernel_twice():
    kernel = np.zeros((13, 13))
    kernel[4:9, 5:10] = np.random.default_rng(0).random((5, 5))
    kernel /= kernel.sum()
    picture = data.chelsea()[:96, :96] / 255
    twice = shrunk(shrunk(picture, kernel, 2), kernel, 2)
    once = shrunk(picture, squared(kernel), 4)
    assert squared(kernel).shape == (25, 25)
    assert np.allclose(once[6:-6, 6:-6], twice[6:-6, 6:-6], atol=1e-12)
    assert center_of_mass(squared(aligned(kernel, 2))) == pytest.approx((13.5, 13.5), abs=0.02)


def test_negligible_values_go():
    kernel = np.array([[0.01, 0.02, 0.0], [0.1, 1.0, 0.2], [-0.3, 0.04, 0.0]])
    # The 4th largest is 0.04: 0.03 is taken from everything.
    expected = np.array([[0, 0, 0], [0.07, 0.97, 0.17], [0, 0.01, 0]]) / 1.22
    assert np.allclose(significant(kernel, 3), expected)


def test_crops_are_where_the_edges_are():
    pixels = np.full((160, 200, 3), 90, np.uint8)
    pixels[40:80:6, 120:180] = 200
    crops = kernel_gan._Crops(pixels, KernelGan(updates=60, crops=2), draws(), torch.device("cpu"))
    middles = crops.for_discriminator + crops.inner // 2
    assert ((middles > (20, 100)) & (middles < (100, 200))).all()
    assert not (crops.for_generator % 2).any()
    large, small, noise = crops.at(0)
    assert (large.shape, small.shape, noise.shape) == ((2, 3, 64, 64), (2, 3, 26, 26), (2, 2, 3, 26, 26))
    assert float(noise.std()) == pytest.approx(2 / 255, rel=0.1)
    assert small.min() >= -1


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((40, 90, 3), np.uint8), "90x40 pixels are too few to estimate a kernel; 68 a side is the least"),
        (np.full((80, 90, 3), 7, np.uint8), "there are no edges to estimate a kernel from; leave flat pictures out"),
    ],
)
def test_useless_pictures(pixels, message):
    with pytest.raises(UserError) as error:
        KernelGan(updates=1).estimate(pixels, draws())
    assert str(error.value) == message


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="size=12 must be odd and 9 to 21; the nearest is 13"):
        KernelGan(size=12)
    with pytest.raises(ValueError, match="updates=0 must be at least 1; 3000 is usual"):
        KernelGan(updates=0)


def test_contact_sheet_shows_every_tile():
    tiles = [np.full((20, 30, 3), value, np.uint8) for value in (10, 100, 200)]
    sheet = contact_sheet(tiles, ["a", "b", "c"], columns=2)
    assert sheet.shape == (2 * 38 + 4, 2 * 34 + 4, 3)
    assert np.array_equal(sheet[4:24, 38:68], tiles[1])
    assert np.array_equal(sheet[42:62, 4:34], tiles[2])
    tile = kernel_tile(np.array([[0.0, 1.0], [-0.5, 0.5]]), side=4)
    assert tile[0, 2].tolist() == [255, 255, 255]
    assert tile[2, 0].tolist() == [0, 0, 128]


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    (folder / "ep01").mkdir(parents=True)
    pil.fromarray(data.chelsea()[80:160, 100:200]).save(folder / "ep01" / "1.png")
    return folder


def test_verb_writes_a_pool_once(frames, tmp_path, capsys):
    output = tmp_path / "kernels"
    prepare_kernels([frames], output, updates=4, scale=4, accelerator="cpu")
    pool = KernelPool(str(output))
    assert pool.names == ("ep01_1.txt",)
    assert pool.kernels.shape == (1, 25, 25)
    with np.load(output / "kernels.npz") as archive:
        assert np.array_equal(archive["kernels"], pool.kernels)
    assert center_of_mass(pool.kernels[0]) == pytest.approx((13.5, 13.5), abs=0.05)
    with pil.open(output / "sheet.png") as sheet:
        assert sheet.size[0] >= 100
    assert "1 kernels, as wide as Gaussians of sigma" in capsys.readouterr().out
    before = (output / "ep01_1.txt").read_bytes()
    (output / "ep01_1.txt").write_bytes(before + b"\n")  # would vanish if it were made again
    prepare_kernels([frames], output, updates=4, scale=4, accelerator="cpu")
    assert np.array_equal(KernelPool(str(output)).kernels, pool.kernels)
    with pytest.raises(UserError, match=r"updates 4 \(now 5\)"):
        prepare_kernels([frames], output, updates=5, scale=4, accelerator="cpu")


def test_verb_tries_another_start_and_names_what_failed(frames, tmp_path, capsys, monkeypatch):
    seen = []

    def estimate(self, pixels, draws, device, on_update):
        seen.append(int(draws.samples[0]))
        if len(seen) != 2:
            raise ArithmeticError("the kernel sums to nan")
        return gaussian(13, (2, 1), 0, 0.5)

    monkeypatch.setattr(KernelGan, "estimate", estimate)
    prepare_kernels([frames], tmp_path / "a", accelerator="cpu")
    assert "ep01_1: the kernel sums to nan; trying start 2 of 3" in capsys.readouterr().out
    assert len(set(seen)) == 2
    with pytest.raises(UserError, match=r"1\.png: no kernel after 3 starts; leave the picture out"):
        prepare_kernels([frames], tmp_path / "b", accelerator="cpu")
    with pytest.raises(UserError, match="--scale 3: KernelGAN estimates kernels for 2 and 4; the nearest is 4"):
        prepare_kernels([frames], tmp_path / "c", scale=3)
    with pytest.raises(UserError, match="--size=8 must be odd and 9 to 21; the nearest is 9"):
        prepare_kernels([frames], tmp_path / "c", size=8)
