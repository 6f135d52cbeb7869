"""LPIPS against torchmetrics' network with the same weights, and against the authors' published example."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as reference
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf
from PIL import Image

from sr.errors import UserError
from sr.losses.lpips import Lpips, unit
from sr.losses.pretrained import found
from tests.close import assert_close

CONF = Path(__file__).parents[1] / "conf" / "loss"
NETS = ("alex", "vgg", "squeeze")
SIDE = 40
pytestmark = pytest.mark.usefixtures("one_thread")


def untrained(net, **options):
    """Random weights; biases too, since zeros hide mistakes."""
    loss = Lpips(net, weights="random", **options)
    with torch.no_grad():
        for value in loss.features.stack.parameters():
            if value.ndim == 1:
                value.normal_(0, 0.2)
    return loss


def torchmetrics_network(net, like, monkeypatch):
    """The network of torchmetrics with our weights in its slices, and its own heads."""
    untrained_features = reference._get_tv_model_features

    def without_download(name, pretrained=False):
        with torch.device("meta"):
            stack = untrained_features(name, False)
        stack = stack.to_empty(device="cpu")
        stack.load_state_dict(like.features.stack.state_dict(), strict=False)  # ours ends at the last layer used
        return stack

    monkeypatch.setattr(reference, "_get_tv_model_features", without_download)
    return reference._NoTrainLpips(net=net)


def pair(batch=3):
    return torch.rand(batch, 3, SIDE, SIDE + 8), torch.rand(batch, 3, SIDE, SIDE + 8)


@pytest.mark.parametrize("net", NETS)
def test_equals_torchmetrics(net, monkeypatch):
    ours = untrained(net)
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


@pytest.mark.parametrize("net", NETS)
def test_identical_and_black_pictures_have_finite_gradients(net):
    loss = untrained(net)
    for picture in (pair(1)[0], torch.zeros(1, 3, SIDE, SIDE)):
        x = picture.clone().requires_grad_()
        value = loss(x, picture)
        value.backward()
        assert value == 0
        assert x.grad.isfinite().all()


def test_bf16_is_close_and_float32():
    loss = untrained("vgg")
    x, y = pair()
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(x, y)
    assert value.dtype == torch.float32
    value.backward()
    assert x.grad.isfinite().all()
    exact = loss(x, y).detach()
    assert value.item() != exact.item()
    assert_close(value.detach().bfloat16(), exact)


def test_frozen_in_eval_mode_with_gradient_to_the_prediction_alone():
    before = torch.get_rng_state()
    loss = Lpips("squeeze", weights="random")
    assert torch.equal(torch.get_rng_state(), before)
    torch.nn.Sequential(loss).train()
    assert not any(module.training for module in loss.modules())
    x, y = (z.requires_grad_() for z in pair(1))
    loss(x, y).backward()
    assert x.grad.abs().max() > 0
    assert y.grad is None
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


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
    with pytest.raises(UserError, match=r"none\.pth is not there; name a file of weights"):
        Lpips("alex", weights="random", heads=str(tmp_path / "none.pth"))


def test_mistakes_are_quoted():
    with pytest.raises(Exception, match="alexx"):  # by the annotation in the tests, by a ValueError outside them
        Lpips("alexx", weights="random")
    with pytest.raises(UserError, match=r"alexnet up to relu5 needs pictures of at least 31x31 pixels, not 30x40"):
        Lpips("alex", weights="random")(torch.zeros(1, 3, 30, 40), torch.zeros(1, 3, 30, 40))


def test_config_lists_every_argument():
    config = OmegaConf.load(CONF / "lpips.yaml")
    assert list(config.terms) == ["lpips"]
    node = config.terms.lpips.loss
    assert set(inspect.signature(get_object(node._target_)).parameters) == set(node) - {"_target_"}
    assert instantiate(node, weights="random")(*pair(1)) > 0
