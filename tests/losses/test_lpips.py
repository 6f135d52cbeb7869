"""LPIPS against torchmetrics' network with the same weights, and against the authors' published example."""

import os
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as reference
from PIL import Image

from sr.errors import UserError
from sr.losses.lpips import Lpips, Net, unit
from sr.losses.pretrained import found
from tests.choices import refusal
from tests.close import assert_close
from tests.feature_networks import pair, torchvisions, with_biases

pytestmark = pytest.mark.usefixtures("one_thread")


def torchmetrics_network(net, like, monkeypatch):
    """The network of torchmetrics with our weights in its slices, and its own heads."""

    def without_download(name, pretrained=False):
        return torchvisions(name, like.features)

    monkeypatch.setattr(reference, "_get_tv_model_features", without_download)
    return reference._NoTrainLpips(net=net)


@pytest.mark.parametrize("net", get_args(Net))
def test_equals_torchmetrics(net, monkeypatch):
    ours = with_biases(Lpips(net, weights="random"))
    theirs = torchmetrics_network(net, ours, monkeypatch)
    x, y = pair()
    expected = theirs(x, y, normalize=True).flatten()
    assert expected.min() > 1e-3
    assert_close(ours.per_picture(x, y), expected)
    assert_close(ours(x, y), expected.mean())
    gradients = []
    for function in (ours.double(), lambda a, b: theirs.double()(a, b, normalize=True).mean()):
        p = x.double().requires_grad_()  # rounding in float32 may switch a ReLU on or off
        function(p, y.double()).backward()
        gradients.append((p.grad / p.grad.abs().max()).float())
    assert_close(*gradients)


@pytest.mark.parametrize(("name", "value"), [("p0", 0.722), ("p1", 0.138)])
def test_the_authors_example(name, value):
    """Values that the authors' repository prints for its example pictures, to three digits."""
    folder = Path(os.environ.get("SR_WEIGHTS", "/nowhere"))
    if found("alexnet") is None or not (folder / "lpips_ex_ref.png").is_file():
        pytest.skip("needs AlexNet's ImageNet weights and lpips_ex_*.png in the folder SR_WEIGHTS")
    pictures = [np.asarray(Image.open(folder / f"lpips_ex_{n}.png").convert("RGB")) for n in ("ref", name)]
    ref, other = (torch.from_numpy(p.copy()).permute(2, 0, 1)[None].float() / 255 for p in pictures)
    assert round(Lpips("alex").per_picture(other, ref).item(), 3) == value


def test_unit_vectors():
    x = torch.randn(2, 5, 3, 3)
    assert_close(unit(x), torch.nn.functional.normalize(x, dim=1))
    zero = torch.zeros(1, 5, 2, 2, requires_grad=True)
    unit(zero).sum().backward()
    assert zero.grad.isfinite().all()
    assert unit(x.bfloat16()).dtype == torch.float32


def test_heads_of_a_file(tmp_path):
    heads = {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate((64, 192, 384, 256, 256))}
    path = tmp_path / "heads.pth"
    torch.save({k: 3 * v for k, v in heads.items()}, path)
    tripled = Lpips("alex", weights="random", heads=str(path))
    torch.save(heads, path)
    x, y = pair()
    assert_close(tripled(x, y), 3 * Lpips("alex", weights="random", heads=str(path))(x, y))
    with pytest.raises(
        UserError, match=r"another network than vgg: lin1\.model\.1\.weight has 192 numbers instead of 128"
    ):
        Lpips("vgg", weights="random", heads=str(path))
    torch.save({"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}, path)
    with pytest.raises(
        UserError, match=r"heads\.pth holds no LPIPS heads of squeeze: lin1\.model\.1\.weight is missing"
    ):
        Lpips("squeeze", weights="random", heads=str(path))
    with pytest.raises(UserError, match=r"^heads=none\.pth is no file; give the path of a file or bundled$"):
        Lpips("alex", weights="random", heads="none.pth")
    with pytest.raises(UserError, match=r"^heads=bundle is no file; did you mean bundled\?$"):
        Lpips("alex", weights="random", heads="bundle")


def test_mistakes_are_quoted():
    told = "net=alexx is not one of alex, vgg or squeeze; did you mean alex?"
    assert refusal(Lpips, "alexx", weights="random") == told
    with pytest.raises(UserError, match=r"alexnet up to relu5 needs pictures of at least 31x31 pixels, not 30x40"):
        Lpips("alex", weights="random")(torch.zeros(1, 3, 30, 40), torch.zeros(1, 3, 30, 40))
