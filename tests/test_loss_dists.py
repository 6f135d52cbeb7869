"""DISTS against torchmetrics' network with the same weights."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchmetrics.functional.image.dists as reference
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf
from torchvision.models import get_model

from sr.errors import UserError
from sr.losses.dists import Dists, L2Pool, similarity
from tests.close import assert_close

CONF = Path(__file__).parents[1] / "conf" / "loss"
pytestmark = pytest.mark.usefixtures("one_thread")


def untrained(**options):
    """Random weights; biases too, since zeros hide mistakes."""
    loss = Dists(weights="random", **options)
    with torch.no_grad():
        for value in loss.features.stack.parameters():
            if value.ndim == 1:
                value.normal_(0, 0.2)
    return loss


def torchmetrics_network(like, monkeypatch):
    """The network of torchmetrics with our weights, and its own factors."""
    with torch.device("meta"):
        stack = get_model("vgg16").features
    stack = stack.to_empty(device="cpu")
    stack.load_state_dict(like.features.stack.state_dict())
    monkeypatch.setattr(reference, "vgg16", lambda weights: SimpleNamespace(features=stack))
    return reference.DISTSNetwork()


def pair(batch=2, height=33, width=40):
    x = torch.rand(batch, 3, height, width)
    return x, (x + 0.3 * torch.rand_like(x)).clamp(0, 1)


def test_equals_torchmetrics(monkeypatch):
    ours = untrained()
    theirs = torchmetrics_network(ours, monkeypatch)
    x, y = pair()
    expected = theirs(x, y, require_grad=True)
    assert expected.min() > 1e-3
    assert_close(ours.per_picture(x, y), expected)
    assert_close(ours(x, y), expected.mean())
    gradients = []
    for function in (ours.double(), lambda a, b: theirs.double()(a, b, require_grad=True).mean()):
        p = x.double().requires_grad_()  # rounding in float32 may switch a ReLU on or off
        function(p, y.double()).backward()
        gradients.append((p.grad / p.grad.abs().max()).float())
    assert_close(*gradients)


@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_pooling_equals_torchmetrics(side):
    x = torch.randn(2, 4, side, side + 3)
    assert_close(L2Pool()(x), reference.L2pooling(channels=4)(x))


def test_pooling_by_hand():
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 2] = 4.0  # its row is at the edge of both windows, weight 1/4; its column amid the second, weight 1/2
    assert_close(L2Pool()(x)[0, 0], torch.tensor([[0.0, 2**0.5], [0.0, 2**0.5]]))


def test_similarity_by_hand():
    """Means 1 and 2; deviations (-1, 1) and (1, -1): texture 4/5, structure -1."""
    x, y = torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2), torch.tensor([3.0, 1.0]).reshape(1, 1, 1, 2)
    one, none = torch.ones(1), torch.zeros(1)
    assert_close(similarity(x, y, one, none), torch.tensor([0.8]))
    assert_close(similarity(x, y, none, one), torch.tensor([-1.0]))


@pytest.mark.parametrize("picture", [torch.rand(1, 3, 32, 32), torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)])
def test_identical_pictures_have_finite_gradients(picture):
    x = picture.clone().requires_grad_()
    value = untrained()(x, picture)
    value.backward()
    assert_close(value.detach(), torch.tensor(0.0))
    assert x.grad.isfinite().all()


def test_bf16_is_close_and_float32():
    loss = untrained()
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
    loss = Dists(weights="random")
    assert torch.equal(torch.get_rng_state(), before)
    torch.nn.Sequential(loss).train()
    assert not any(module.training for module in loss.modules())
    x, y = (z.requires_grad_() for z in pair(1))
    loss(x, y).backward()
    assert x.grad.abs().max() > 0
    assert y.grad is None
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_factors(tmp_path):
    alpha, beta = torch.rand(1, 1475, 1, 1), torch.rand(1, 1475, 1, 1)
    path = tmp_path / "factors.pt"
    torch.save({"alpha": alpha, "beta": beta}, path)
    loss = Dists("random", str(path))
    total = alpha.sum() + beta.sum()
    assert_close(loss.texture, alpha.flatten() / total)
    assert_close(loss.structure, beta.flatten() / total)
    equal = Dists("random", "equal")
    assert_close(equal.texture, torch.full((1475,), 1 / 2950))
    assert_close(equal.structure, equal.texture)
    bundled = Dists("random")
    assert_close(bundled.texture.sum() + bundled.structure.sum(), torch.tensor(1.0))
    torch.save({"alpha": alpha, "gamma": beta[:, :7]}, path)
    with pytest.raises(UserError) as error:
        Dists("random", str(path))
    assert str(error.value) == (
        f"{path} holds no DISTS factors: alpha and beta of 1475 numbers each are needed, and it has alpha "
        "[1, 1475, 1, 1], gamma [1, 7, 1, 1]; name another file, or set factors=equal"
    )


def test_gray_pictures_are_refused():
    with pytest.raises(UserError, match="vgg16 up to relu5_3 needs RGB pictures, not 1 channels"):
        Dists("random")(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32))


def test_config_lists_every_argument():
    config = OmegaConf.load(CONF / "dists.yaml")
    assert list(config.terms) == ["dists"]
    node = config.terms.dists.loss
    assert set(inspect.signature(get_object(node._target_)).parameters) == set(node) - {"_target_"}
    assert instantiate(node, weights="random")(*pair(1)) > 0
