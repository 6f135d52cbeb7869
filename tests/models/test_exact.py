"""The last layer of every network is float32 under bf16 autocast; padding by choice."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from sr.config.schema import register_schema
from sr.models.espcn import Espcn
from sr.models.outputs import outputs_of, picture_of
from sr.models.padding import ConvTranspose2d
from sr.models.rdn import Rdn
from sr.types import UserError
from tests.close import assert_close
from tests.models.test_models import SLIM, TRANSLATING

CONF = Path(__file__).parents[2] / "conf" / "model"
LOADED = {path.stem: OmegaConf.load(path) for path in sorted(CONF.glob("*.yaml"))}
CONFIGS = {name: config for name, config in LOADED.items() if "_target_" in config}
LEARNING = [name for name in CONFIGS if name not in ("bicubic", "feature_net")]
PADDED = [name for name in LEARNING if "padding" in CONFIGS[name]]
register_schema()


def build(name, scale=2, **arguments):
    return instantiate(OmegaConf.merge(CONFIGS[name], {"scale": scale, **SLIM.get(name, {}), **arguments}))


@pytest.mark.parametrize("name", LEARNING)
def test_the_last_layer_is_float32_under_bf16_autocast(name):
    network = build(name, 1).to_b if name in TRANSLATING else build(name)
    with torch.no_grad():  # some start with equal values for the pixels of a block
        for parameter in network.parameters():
            parameter.add_(1e-3 * torch.randn_like(parameter))
    seen = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append((layer, inputs[0], output)))
    lr = torch.rand(1, 3, 24, 20)
    with torch.autocast("cpu", torch.bfloat16):
        made = outputs_of(network(lr))
    sr = made["sr"]
    layer, features, output = seen[-1]
    assert features.dtype == torch.bfloat16, "the layers before it run in half precision"
    with torch.no_grad():
        assert_close(output, layer.eval().double()(features.double()).float())
    assert sr.dtype == output.dtype == torch.float32
    assert sr.unique().numel() > 0.9 * sr.numel(), "not on a grid"
    network.float()
    sum(picture.mean() for picture in made.values()).backward()
    assert all(p.grad is not None for p in network.parameters())


# ------------------------------------------------------------------------------------------------ padding


@pytest.mark.parametrize("padding", ["reflect", "replicate"])
@pytest.mark.parametrize("name", PADDED)
def test_a_flat_picture_is_flat_to_its_border(name, padding):
    lr = torch.full((1, 3, 12, 11), 0.9)
    scale, arguments = 2, {"icnr": True} if "icnr" in CONFIGS[name] else {}
    network = build(name, scale, padding=padding, **arguments).eval()
    if name == "spsr":  # which begins with weights so small that nothing reaches its end
        network.load_state_dict({key: 5 * value for key, value in network.state_dict().items()})
    with torch.no_grad():
        sr = picture_of(network(lr))
    # A block of the pixel shuffle at the border is as one inside.
    expected = sr[..., 12:14, 10:12].tile(1, 1, 12, 11)
    assert_close(sr, expected)
    zeros = build(name, scale, **arguments).eval()
    assert zeros.state_dict().keys() == network.state_dict().keys()
    zeros.load_state_dict(network.state_dict())
    with torch.no_grad():
        marked, far = (picture_of(zeros(picture)) for picture in (lr, torch.full((1, 3, 60, 60), 0.9)))
    assert (marked - expected).abs().max() > 1e-4, "black beyond the border marks it"
    assert_close(far[..., 58:62, 58:62], sr[..., 12:14, 10:12].tile(1, 1, 2, 2))


@pytest.mark.parametrize("border", ["reflect", "replicate"])
@pytest.mark.parametrize("factor", [2, 3])
def test_transposed_convolutions_go_on_too(factor, border):
    layer = ConvTranspose2d(4, 3, factor + 2, stride=factor, padding=1)
    layer.border = border
    flat = torch.full((1, 4, 5, 6), 0.5)
    wide = layer(flat)
    assert wide.shape == (1, 3, 5 * factor, 6 * factor)
    assert_close(wide, wide[..., factor : 2 * factor, factor : 2 * factor].tile(1, 1, 5, 6))


@pytest.mark.parametrize("padding", ["reflect", "replicate"])
def test_memory_lean_has_the_same_border(padding):
    plain, lean = (Rdn(2, 8, 6, 2, 3, memory_lean=lean, padding=padding).double() for lean in (False, True))
    lean.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    assert_close(lean(image), plain(image))


def test_what_lies_beyond_the_border_by_hand():
    layer = ConvTranspose2d(1, 1, 3, stride=1, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[0.0, 0, 0], [0, 0, 1], [0, 0, 0]]]]))  # each pixel moves one to the right
    row = torch.tensor([[[[1.0, 2, 3]] * 3]])
    for border, first in (("zeros", 0), ("replicate", 1), ("reflect", 2)):
        layer.border = border
        assert layer(row)[0, 0, 1].tolist() == [first, 1, 2]


def test_too_small_to_be_mirrored_is_a_sentence():
    network = Espcn(2, features=4, dilations=(1, 8), padding="reflect")
    network(torch.rand(1, 3, 9, 9))
    with pytest.raises(UserError, match=r"padding=reflect needs pictures of at least 9 pixels a side, not 40x8; "):
        network(torch.rand(1, 3, 8, 40))
    assert Espcn(2, features=4, dilations=(8,), padding="replicate")(torch.rand(1, 3, 1, 1)).shape == (1, 3, 2, 2)


def test_another_padding_is_refused(train):
    code, _, err = train("model.padding=mirror")
    assert code == 2
    assert "model.padding=mirror does not fit: input should be 'zeros', 'reflect' or 'replicate'" in err
