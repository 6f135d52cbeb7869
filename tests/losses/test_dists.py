"""DISTS against torchmetrics' network with the same weights."""

from types import SimpleNamespace

import pytest
import torch
import torchmetrics.functional.image.dists as reference

from sr.errors import UserError
from sr.losses.dists import Dists, L2Pool, similarity
from tests.close import assert_close
from tests.feature_networks import pair, torchvisions, with_biases

pytestmark = pytest.mark.usefixtures("one_thread")


def torchmetrics_network(like, monkeypatch):
    """The network of torchmetrics with our weights, and its own factors."""
    stack = torchvisions("vgg16", like.features)
    monkeypatch.setattr(reference, "vgg16", lambda weights: SimpleNamespace(features=stack))
    return reference.DISTSNetwork()


def test_equals_torchmetrics(monkeypatch):
    ours = with_biases(Dists(weights="random"))
    theirs = torchmetrics_network(ours, monkeypatch)
    x, y = pair(2, 33, 40)
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
    with pytest.raises(UserError, match=r"^factors=equals is no file; did you mean equal\?$"):
        Dists("random", "equals")
