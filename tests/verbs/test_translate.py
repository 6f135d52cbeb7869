"""`sr translate`, `sr export --to` and `sr distance`: networks that translate, at work."""

import numpy as np
import pytest
import torch
from PIL import Image

from sr.errors import UserError
from sr.models.cyclegan import CycleGan
from sr.models.espcn import Espcn
from sr.models.files import save_network
from tests.conftest import smooth_picture

SMALL = {"scale": 1, "features": 4, "blocks": 1}


@pytest.fixture
def translator(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "both.safetensors"
    save_network(path, CycleGan(**SMALL), {"_target_": "sr.models.cyclegan.CycleGan", **SMALL}, {})
    return path


@pytest.fixture
def enlarger(tmp_path):
    config = {"scale": 2, "features": 8, "dilations": [1]}
    path = tmp_path / "x2.safetensors"
    save_network(path, Espcn(**config), {"_target_": "sr.models.espcn.Espcn", **config}, {})
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(smooth_picture(37, 51, 0)).save(path)  # sides that no halving divides
    return path


def by_hand(path, photo, side):
    torch.manual_seed(0)
    network = CycleGan(**SMALL).eval()
    picture = torch.from_numpy(np.asarray(Image.open(photo)).copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        made = getattr(network, f"to_{side}")(picture)
    return (255 * made[0]).round().permute(1, 2, 0).to(torch.uint8).numpy()


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_picture_is_translated_to_the_side_that_is_asked_for(sr, translator, photo, tmp_path, side):
    code, out, err = sr("translate", photo, "-o", tmp_path / "made.png", "--model", translator, "--to", side)
    assert (code, err) == (0, "")
    assert f"1 of 1 translated to {side}" in out
    made = np.asarray(Image.open(tmp_path / "made.png")).astype(int)
    assert np.abs(made - by_hand(translator, photo, side)).max() <= 1


def test_beside_the_picture_a_name_tells_the_side(sr, translator, photo, tmp_path):
    assert sr("translate", photo, "--model", translator, "--to", "B")[0] == 0
    assert (tmp_path / "photo_to_b.png").is_file()


def test_gray_and_tiny_pictures_are_taken(sr, translator, tmp_path):
    (tmp_path / "odd").mkdir()
    Image.new("L", (20, 9), 90).save(tmp_path / "odd/gray.png")
    Image.new("RGB", (1, 2), (9, 90, 200)).save(tmp_path / "odd/tiny.png")
    code, out, _ = sr("translate", tmp_path / "odd", "-o", tmp_path / "made", "--model", translator, "--to", "b")
    assert code == 0
    assert "2 of 2 translated to b" in out
    for name, size in (("gray", (20, 9)), ("tiny", (1, 2))):
        with Image.open(tmp_path / f"made/{name}.png") as made:
            assert (made.size, made.mode) == (size, "RGB")


def test_each_verb_refuses_what_is_the_others(sr, translator, enlarger, photo, tmp_path):
    out = tmp_path / "made.png"
    code, _, err = sr("translate", photo, "-o", out, "--model", enlarger, "--to", "b")
    assert code == 2
    assert "is Espcn x2, which does not translate between two sides; use it by sr upscale" in err
    code, _, err = sr("upscale", photo, "-o", out, "--model", translator)
    assert code == 2
    assert "translates pictures between two sides and enlarges none; use it by sr translate IN -o OUT" in err
    code, _, err = sr("translate", photo, "-o", out, "--model", translator, "--to", "c")
    assert code == 2
    assert "--to c is no side of a translation; write --to a or --to b" in err
    code, _, err = sr("export", translator, "-o", tmp_path / "made.onnx")
    assert code == 2
    assert "or by sr export FILE --to b -o OUT" in err
    assert not out.exists()


def test_one_direction_is_exported(sr, translator, tmp_path):
    pytest.importorskip("onnxruntime")
    code, out, err = sr("export", translator, "--to", "b", "-o", tmp_path / "b.onnx")
    assert code == 0, err
    assert "Generator x1" in out
    assert (tmp_path / "b.onnx").is_file()


def test_distance_says_what_it_lacks(sr, photo, tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    photo.rename(tmp_path / "one/photo.png")
    code, _, err = sr("distance", tmp_path / "one", tmp_path / "one")
    assert code == 2
    assert "has one picture; FID and KID compare sets, of hundreds at best" in err
    Image.new("RGB", (20, 20)).save(tmp_path / "one/other.png")
    monkeypatch.setattr("torchmetrics.image.fid._TORCH_FIDELITY_AVAILABLE", False)
    code, _, err = sr("distance", tmp_path / "one", tmp_path / "one")
    assert code == 2
    assert "FID and KID need torch-fidelity; install with `uv sync --extra fid`" in err


def test_distance_prints_both_numbers_and_their_caveat(sr, tmp_path, monkeypatch):
    class Means(torch.nn.Module):
        def forward(self, pictures):
            return pictures.float().mean(dim=(2, 3))

    monkeypatch.setattr("sr.verbs.distance.inception", lambda device: Means())
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            Image.fromarray(smooth_picture(20, 24, number)).save(tmp_path / folder / f"{number}.png")
    code, out, err = sr("distance", tmp_path / "a", tmp_path / "b")
    assert code == 0, err
    assert "FID 0.00" in out or "FID -0.00" in out
    assert "4 pictures of" in out
    assert "FID of fewer than 2048 pictures is too large" in out


def test_tiles_are_made_where_they_are_asked_for_and_said_to_differ(sr, translator, tmp_path):
    Image.fromarray(smooth_picture(150, 190, 0)).save(tmp_path / "large.png")
    large = tmp_path / "large.png"
    code, out, _ = sr("translate", large, "-o", tmp_path / "whole.png", "--model", translator, "--to", "b")
    assert code == 0
    assert "tiles differ" not in out
    made = np.asarray(Image.open(tmp_path / "whole.png")).astype(int)
    assert np.abs(made - by_hand(translator, large, "b")).max() <= 1
    cut = ("--tile", "64", "--force")
    code, out, _ = sr("translate", large, "-o", tmp_path / "cut.png", "--model", translator, "--to", "b", *cut)
    assert code == 0
    assert "tiles differ from it and from each other in colour and contrast" in " ".join(out.split())


def test_from_python_the_side_is_named(translator, photo):
    import sr

    with pytest.raises(UserError, match=r"from Python by sr\.load\(FILE, to='b'\)"):
        sr.load(translator, device="cpu")
    with Image.open(photo) as picture:
        made = sr.load(translator, device="cpu", engine="torch", to="a")(picture)
    assert np.abs(np.asarray(made).astype(int) - by_hand(translator, photo, "a")).max() <= 1


@pytest.mark.parametrize(
    ("gray", "shape"),
    [
        (Image.new("L", (20, 12), 90), (12, 20, 3)),
        (Image.new("LA", (20, 12), (90, 200)), (12, 20, 4)),
        (Image.fromarray(np.full((12, 20), 30000, np.uint16)), (12, 20, 3)),
        (np.full((12, 20), 90, np.uint8), (12, 20, 3)),
        (np.full((12, 20, 1), 0.3, np.float32), (12, 20, 3)),
        (np.full((12, 20, 2), 90, np.uint8), (12, 20, 4)),
        (torch.full((1, 12, 20), 0.3), (3, 12, 20)),
        (torch.full((2, 1, 12, 20), 0.3), (2, 3, 12, 20)),
    ],
)
def test_gray_pictures_get_colours_from_python_too(translator, gray, shape):
    import sr

    made = sr.load(translator, device="cpu", engine="torch", to="b")(gray)
    assert (np.asarray(made) if isinstance(made, Image.Image) else made).shape == shape
