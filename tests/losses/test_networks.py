"""What every loss on a frozen network promises, whichever network it is."""

import pytest
import torch

from sr.errors import UserError
from sr.losses.dists import Dists
from sr.losses.lpips import Lpips
from sr.losses.vgg import Vgg
from tests.close import assert_close
from tests.feature_networks import pair, with_biases

TWO = [1, 2]
LOSSES = {
    "vgg": lambda: Vgg("vgg16", ["conv1_2", "conv2_1"], weights="random"),
    "vgg l2": lambda: Vgg("vgg16", ["conv2_2", "conv3_3"], distance="l2", weights="random"),
    "vgg pooled": lambda: Vgg("vgg19", ["conv1_2", "relu2_1"], weights="random", pool=2, flattened=True),
    "vgg twice": lambda: Vgg("vgg16", ["conv2_2", "conv3_3"], weights="random", resolutions=TWO, inplace=True, trim=2),
    "vgg_bn": lambda: Vgg("vgg16_bn", ["bn1_2", "relu2_1"], weights="random"),
    "lpips alex": lambda: Lpips("alex", weights="random"),
    "lpips vgg": lambda: Lpips("vgg", weights="random"),
    "lpips squeeze": lambda: Lpips("squeeze", weights="random"),
    "dists": lambda: Dists(weights="random"),
}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=LOSSES)
def make(request):
    return LOSSES[request.param]


@pytest.fixture
def loss(make):
    return with_biases(make())


def test_bf16_is_close_and_float32(loss):
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


def test_a_training_loop_changes_nothing(loss):
    x, y = pair()
    before, value = {k: v.clone() for k, v in loss.state_dict().items()}, loss(x, y)
    torch.nn.Sequential(loss).train()
    assert not any(module.training for module in loss.modules())
    assert torch.equal(loss(x, y), value)
    assert all(torch.equal(v, before[k]) for k, v in loss.state_dict().items())


def test_gradient_reaches_the_prediction_alone(loss):
    x, y = (z.requires_grad_() for z in pair(1))
    loss(x, y).backward()
    assert x.grad.abs().max() > 0
    assert y.grad is None
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


@pytest.mark.parametrize("picture", [torch.rand(1, 3, 40, 48), torch.zeros(1, 3, 40, 48), torch.ones(1, 3, 40, 48)])
def test_identical_pictures_are_at_distance_zero_with_finite_gradients(loss, picture):
    x = picture.clone().requires_grad_()
    value = loss(x, picture)
    value.backward()
    assert_close(value.detach(), torch.tensor(0.0))
    assert x.grad.isfinite().all()


def test_it_never_waits_for_the_device(loss):
    """On the meta device any attempt to read a value raises."""
    x = torch.rand(1, 3, 40, 48, device="meta")
    assert loss.to("meta")(x, x).device.type == "meta"


def test_global_random_numbers_are_left_alone(make):
    x, y = pair(1)
    before = torch.get_rng_state()
    make()(x, y)
    assert torch.equal(torch.get_rng_state(), before)


def test_gray_pictures_are_refused(loss):
    with pytest.raises(UserError, match=r"up to \w+ needs RGB pictures, not 1 channels; convert them to RGB"):
        loss(torch.zeros(1, 1, 40, 48), torch.zeros(1, 1, 40, 48))
