"""Three lines of Python: any kind of picture in, the same kind back."""

import re
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

import sr
from sr.errors import UserError
from sr.image.io import to_image, to_pixels
from sr.inference import networks
from sr.inference.pictures import upscale_file
from sr.models.compact import Compact
from sr.models.files import load_network, save_network
from tests.conftest import smooth_picture


def small_network(path, scale):
    """A network file that takes no time."""
    torch.manual_seed(scale)
    network = Compact(scale, features=6, convolutions=1)
    config = {"_target_": "sr.models.compact.Compact", "scale": scale, "features": 6, "convolutions": 1}
    save_network(path, network, config, {})
    return path


def truncated():
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, "JPEG")
    return Image.open(BytesIO(file.getvalue()[:-2000]))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """Stand-ins of the shipped networks."""
    folder = tmp_path_factory.mktemp("shipped")
    for scale in (2, 4):
        small_network(folder / f"x{scale}.safetensors", scale)
    return folder


@pytest.fixture
def network(shipped, monkeypatch, one_thread):
    monkeypatch.setattr(networks, "SHIPPED", shipped)
    return sr.load("x2", device="cpu", engine="torch")


@pytest.fixture
def by_hand(shipped):
    """The network on uint8 or uint16 pixels (height, width, 3), as files are enlarged."""
    own, _ = load_network(shipped / "x2.safetensors")

    def run(pixels):
        with torch.no_grad():
            return to_pixels(own(to_image(pixels)), deep=pixels.dtype == np.uint16)

    return run


RGB = smooth_picture(10, 14, 0)


def near(a, b, levels=1):
    return np.abs(np.asarray(a, dtype=np.int64) - np.asarray(b, dtype=np.int64)).max() <= levels


# ------------------------------------------------------------------------------------- numpy


def test_numpy_bytes_are_what_files_would_hold(network, by_hand):
    made = network(RGB)
    assert (made.shape, made.dtype) == ((20, 28, 3), np.uint8)
    assert np.array_equal(made, by_hand(RGB))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_are_no_picture(network):
    with pytest.raises(UserError, match="a nested tensor is not a picture"):
        network(torch.nested.nested_tensor([torch.zeros(3, 4, 4)]))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_is_a_picture_too(network):
    gray = RGB[..., 0]
    assert np.array_equal(network(np.matrix(gray)), network(gray))


def test_numpy_16_bits(network, by_hand):
    deep = RGB.astype(np.uint16) * 257 + 3
    made = network(deep)
    assert made.dtype == np.uint16
    assert np.array_equal(made, by_hand(deep))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numpy_floating_point_is_not_rounded_to_levels(network, by_hand, dtype):
    made = network((RGB / 255).astype(dtype))
    assert made.dtype == dtype
    assert np.abs(made.astype(np.float64) * 255 - by_hand(RGB)).max() < 0.5 + 255 * np.finfo(np.float16).eps
    assert len(np.unique(made)) > 256 or dtype == np.float16


@pytest.mark.parametrize("shape", [(10, 14), (10, 14, 1), (10, 14, 2), (10, 14, 4)])
def test_numpy_gray_and_alpha_keep_their_shape(network, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made = network(array)
    assert (made.shape, made.dtype) == ((20, 28, *shape[2:]), np.uint8)


@pytest.mark.parametrize(("mode", "dtype"), [("L", np.uint8), ("LA", np.uint8), ("I;16", np.uint16)])
def test_gray_pictures_are_rounded_once_as_files_are(network, tmp_path, mode, dtype):
    shape = (40, 50, 2) if mode == "LA" else (40, 50)
    array = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    Image.fromarray(array).save(tmp_path / "in.png")
    upscale_file(network._upscaler, tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as file:
        assert file.mode == mode
        assert np.array_equal(np.asarray(file), network(array))
        assert np.array_equal(np.asarray(file), np.asarray(network(Image.fromarray(array))))


def test_numpy_views_that_lie_backwards(network):
    assert np.array_equal(network(RGB[::-1, :, ::-1]), network(RGB[::-1, :, ::-1].copy()))


# ------------------------------------------------------------------------------------- torch


def test_torch_with_and_without_a_batch(network, by_hand):
    tensor = to_image(RGB)
    made = network(tensor)
    assert (made.shape, made.dtype) == ((1, 3, 20, 28), torch.float32)
    assert np.array_equal(to_pixels(made), by_hand(RGB))
    assert torch.equal(network(tensor[0]), made[0])
    both = network(torch.cat((tensor, tensor.flip(-1))))
    assert torch.allclose(both[:1], made, atol=1e-6)


def test_torch_bytes_and_gray(network, by_hand):
    made = network(torch.from_numpy(RGB).permute(2, 0, 1))
    assert made.dtype == torch.uint8
    assert np.array_equal(made.permute(1, 2, 0).numpy(), by_hand(RGB))
    assert network(torch.rand(1, 10, 14)).shape == (1, 20, 28)
    assert network(torch.rand(2, 1, 10, 14, dtype=torch.float64)).dtype == torch.float64


def test_torchs_result_can_be_used_in_training(network):
    made = network(torch.rand(3, 8, 8, requires_grad=True))
    weight = torch.ones((), requires_grad=True)
    (made * weight).sum().backward()  # what was made in inference mode could not be saved for this
    assert weight.grad is not None


# ------------------------------------------------------------------------------------- PIL


def test_pil_colour(network, by_hand):
    made = network(Image.fromarray(RGB))
    assert isinstance(made, Image.Image)
    assert (made.mode, made.size) == ("RGB", (28, 20))
    assert np.array_equal(np.asarray(made), by_hand(RGB))


@pytest.mark.parametrize(
    ("mode", "back"), [("L", "L"), ("LA", "LA"), ("RGBA", "RGBA"), ("1", "L"), ("P", "RGB"), ("CMYK", "RGB")]
)
def test_pil_modes(network, mode, back):
    made = network(Image.fromarray(RGB).convert(mode))
    assert (made.mode, made.size) == (back, (28, 20))


def test_pil_16_bit_gray(network):
    gray = (smooth_picture(10, 14, 1)[..., 0].astype(np.uint16) * 257) | 1
    made = network(Image.fromarray(gray))
    assert made.mode == "I;16"
    assert np.array_equal(np.asarray(made), network(gray))
    assert np.array_equal(np.asarray(network(Image.fromarray(gray.astype(np.int32)))), np.asarray(made))


def test_pil_is_turned_upright_once_and_keeps_its_profile(network):
    image = Image.fromarray(RGB)
    image.getexif()[274] = 6
    image.info["icc_profile"] = b"a profile"
    made = network(image)
    assert made.size == (20, 28)
    assert made.getexif().get(274, 1) == 1
    assert made.info["icc_profile"] == b"a profile"
    assert np.array_equal(np.asarray(made), network(np.rot90(RGB, -1)))


def test_what_hides_under_transparency_makes_no_halo(network):
    alpha = np.zeros((12, 12), np.uint8)
    alpha[3:9, 3:9] = 255
    sprites = [
        np.dstack((np.where(alpha[..., None] > 0, np.uint8(120), np.uint8(hidden)).repeat(3, 2), alpha))
        for hidden in (0, 255)
    ]
    made = [network(sprite) for sprite in sprites]
    assert np.array_equal(made[0], made[1])
    assert set(np.unique(made[0][..., 3])) == {0, 255}  # on and off stay so
    soft = np.dstack((RGB, np.linspace(0, 255, 140, dtype=np.uint8).reshape(10, 14)))
    assert len(np.unique(network(soft)[..., 3])) > 100


# ------------------------------------------------------------------------------------- what it says


def test_what_it_is(network, shipped):
    assert network.scale == 2
    assert network.files == (shipped / "x2.safetensors",)
    assert repr(network) == f"<x2 network: {shipped / 'x2.safetensors'}>"
    assert isinstance(network.said, tuple)


def test_what_can_be_chosen(network, shipped):
    picture = to_image(RGB)
    plain = network(picture)
    assert sr.load("x2", device="cpu", engine="torch", scale=3)(RGB).shape == (30, 42, 3)
    assert sr.load("x2", device="cpu", engine="torch", scale=2.5)(RGB[..., 0]).shape == (25, 35)
    ensemble = sr.load("x2", device="cpu", engine="torch", ensemble=True)(picture)
    mirrored = sr.load("x2", device="cpu", engine="torch", ensemble=True)(picture.flip(-1))
    assert torch.allclose(ensemble, mirrored.flip(-1), atol=1e-5)
    assert not torch.allclose(ensemble, plain, atol=1e-4)
    matched = sr.load("x2", device="cpu", engine="torch", colour="match")(picture)
    assert torch.allclose(matched.mean((2, 3)), picture.mean((2, 3)), atol=0.02)
    assert torch.equal(sr.load("x2", device="cpu", engine="torch", tile=16)(picture), plain)


def test_several_are_averaged(network, shipped, tmp_path):
    own, info = load_network(shipped / "x2.safetensors")
    with torch.no_grad():
        for value in own.parameters():
            value.mul_(1.1)
    save_network(tmp_path / "other.safetensors", own, info.config, {})
    tensor = to_image(RGB)
    each = [sr.load(name, device="cpu", engine="torch")(tensor) for name in ("x2", tmp_path / "other.safetensors")]
    both = sr.load(["x2", tmp_path / "other.safetensors"], device="cpu", engine="torch")(tensor)
    inside = (each[0] - each[1]).abs() > 1e-3
    assert inside.any()
    assert not torch.equal(both, each[0])
    with pytest.raises(UserError, match="one scale"):
        sr.load(["x2", "x4"])


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("photo.jpg", "'photo.jpg' is not a PIL image, a numpy array (height, width, channels), or a torch tensor"),
        (None, "None is not a PIL image"),
        (np.zeros((0, 4, 3), np.uint8), "an array of shape (0, 4, 3) is not a picture"),
        (np.zeros((4, 4, 5), np.uint8), "an array of shape (4, 4, 5) is not a picture"),
        (np.zeros((4, 4, 3), np.int64), "an array of int64 is not a picture; give uint8, uint16, or floating point"),
        (np.full((4, 4, 3), 255.0), "the picture's numbers run from 255 to 255, and not from 0 to 1; divide by 255"),
        (np.full((4, 4, 3), np.nan), "the picture's numbers run from nan to nan"),
        (torch.full((3, 4, 4), -1.0), "run from -1 to -1, and not from 0 to 1; bring them into that range"),
        (torch.zeros(4, 4), "a tensor of shape (4, 4) is not a picture; give (3, height, width), or a batch"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "a tensor of torch.int64 is not a picture"),
        (torch.zeros(3, 4, 4, dtype=torch.float8_e4m3fn), "a tensor of torch.float8_e4m3fn is not a picture"),
        (torch.zeros(3, 4, 4).to_sparse(), "a tensor that is sparse or on meta has no pixels"),
        (torch.zeros(3, 4, 4, device="meta"), "a tensor that is sparse or on meta has no pixels"),
        (np.ma.masked_array(np.zeros((4, 4)), False), "a masked array has pixels that are none; fill them first"),
        (truncated(), "the PIL image's file cannot be read (image file is truncated"),
        (Image.new("F", (4, 4)), "a PIL image of mode F has no range"),
        (Image.fromarray(np.full((4, 4), 70000, np.int32)), "a PIL image of mode I has values beyond 0..65535"),
    ],
)
def test_what_is_no_picture_is_one_sentence(network, picture, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        network(picture)
    assert len(caught.value.args) == 1


def test_numbers_a_little_beyond_the_range_are_clipped(network):
    values = torch.linspace(-0.1, 1.1, 3 * 64).reshape(3, 8, 8)
    assert torch.equal(network(values), network(values.clamp(0, 1)))


@pytest.mark.parametrize(
    "device", ["gpuu", "meta", "cuda:97", torch.device("meta"), torch.device("cuda", 97), None, ["cpu"]], ids=str
)
def test_a_device_that_is_not_there(network, device):
    with pytest.raises(
        UserError, match=f"device={re.escape(repr(device))} is not there; give auto, cpu, gpu, mps, or PyTorch's name"
    ):
        sr.load("x2", device=device)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"scale": 1e-4}, "scale=0.0001 is not within 1 and 64; nearest is 1"),
        ({"scale": 65}, "scale=65 is not within 1 and 64; nearest is 64"),
        ({"scale": float("nan")}, "scale=nan is not within 1 and 64; nearest is 1"),
        ({"tile": 3}, "tile=3 is too small; the smallest tile has 16 pixels a side"),
        ({"engine": "torsh"}, "engine=torsh is not one of"),
        ({"engine": "onnxruntime", "precision": "bf16"}, "engine=onnxruntime computes in float32, not bf16; take"),
        ({"name": []}, "there is no network; name at least one"),
        ({"name": None}, 'a network\'s name is text or a Path, as sr.load("x2"), not None'),
        ({"name": 5}, 'a network\'s name is text or a Path, as sr.load("x2"), not 5'),
        ({"name": ["x2", 5]}, 'a network\'s name is text or a Path, as sr.load("x2"), not 5'),
        ({"name": b"x2"}, "a network's name is text or a Path, as sr.load(\"x2\"), not b'x2'"),
        ({"tile": "64"}, "tile='64' is no number of pixels; give a whole one from 16 on"),
        ({"tile": 64.5}, "tile=64.5 is no number of pixels"),
        ({"scale": "2"}, "scale='2' is no number; give one within 1 and 64"),
        ({"scale": True}, "scale=True is no number"),
    ],
)
def test_what_cannot_be_is_told_as_python_asked_for_it(network, setting, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        sr.load(**{"name": "x2", "device": "cpu"} | setting)


def test_numbers_of_numpy_are_numbers(network):
    made = sr.load("x2", device="cpu", engine="torch", tile=np.int64(64), scale=np.float32(2))
    assert np.array_equal(made(RGB), network(RGB))


def test_a_network_may_be_compiled(network, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
    made = sr.load("x2", device="cpu", compile=True)(RGB)
    assert len(compiled) == 1
    assert np.array_equal(made, network(RGB))


def test_an_unknown_name_tells_the_nearest(network):
    with pytest.raises(UserError, match="there is no network 'x22'; did you mean x2"):
        sr.load("x22")


@pytest.mark.slow
def test_importing_sr_takes_nothing_heavy_and_using_it_no_hydra_and_no_lightning(shipped, tmp_path):
    script = f"""
import sys
import sr
assert "load" in sr.__all__ and "three lines" in sr.__doc__
assert not {{"torch", "numpy", "PIL"}} & set(sys.modules), "import sr"
import numpy
network = sr.load({str(shipped / "x2.safetensors")!r}, device="cpu", engine="torch")
assert network(numpy.zeros((6, 5, 3), numpy.uint8)).shape == (12, 10, 3)
heavy = {{"hydra", "omegaconf", "lightning", "pytorch_lightning", "wandb", "typer", "sr.training", "sr.config"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
