"""SPSR against its definition, and what the lessons of 2020 say about networks with a gradient branch."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr.models.rrdb import RrdbNet
from sr.models.spsr import Spsr
from tests.close import assert_close

SMALL = {"features": 8, "blocks": 5, "growth": 4, "spacing": 1}


def awake(network):
    """Weights that are not near 0, so that every part of the network shows in what it makes."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=weight.dtype) * 0.15)
    return network


def plain(state, lr, scale, spacing):
    """The network of the paper by its weights alone: (SR, predicted gradient map)."""

    def conv(name, x):
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def act(x):
        return torch.where(x > 0, x, 0.2 * x)

    def rrdb(name, x):
        y = x
        for dense in ("rdb1", "rdb2", "rdb3"):
            seen = [y]
            for layer in range(1, 5):
                seen.append(act(conv(f"{name}.{dense}.conv{layer}", torch.cat(seen, 1))))
            y = y + 0.2 * conv(f"{name}.{dense}.conv5", torch.cat(seen, 1))
        return x + 0.2 * y

    def climb(name, x):
        for stage in range(1, {2: 1, 4: 2, 8: 3}[scale] + 1):
            x = act(conv(f"{name}conv_up{stage}", x.repeat_interleave(2, -1).repeat_interleave(2, -2)))
        return act(conv(f"{name}conv_hr", x))

    wide = F.pad(lr, (1, 1, 1, 1), mode="replicate")
    v, h = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1], wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    edges = (v * v + h * h + 1e-6).sqrt()
    first, branch_first = conv("conv_first", lr), conv("branch.conv_first", edges)
    x, branch, taps = first, branch_first, 0
    for number in range(SMALL["blocks"]):
        x = rrdb(f"body.{number}", x)
        if (number + 1) % spacing == 0 and taps < 4:
            branch = conv(f"branch.joins.{taps}", rrdb(f"branch.blocks.{taps}", torch.cat([branch, x], 1)))
            taps += 1
    features = conv("conv_features", climb("", conv("conv_body", x) + first))
    branch = conv("branch.conv_features", climb("branch.", conv("branch.conv_body", branch) + branch_first))
    y = conv("fusion.1", rrdb("fusion.0", torch.cat([branch, features], 1)))
    return conv("fusion.4", act(conv("fusion.2", y))), conv("branch.conv_map", branch)


@pytest.mark.parametrize("scale", [2, 4])
def test_it_is_its_definition(scale):
    network = awake(Spsr(scale, **SMALL).double())
    lr = torch.rand(2, 3, 7, 6, dtype=torch.float64)
    sr, branch = plain(network.state_dict(), lr, scale, 1)
    made = network(lr)
    assert made._fields == ("sr", "branch")
    assert_close(made.sr, sr)
    assert_close(made.branch, branch)


def test_the_trunk_is_an_rrdbnet_and_sees_nothing_of_the_branch():
    # The lessons: what is joined in goes into branches, and the mainline stays what it is without them.
    network, seen = awake(Spsr(4, **SMALL)), []
    trunk = awake(RrdbNet(4, features=8, blocks=5, growth=4))
    taken = network.load_state_dict({k: v for k, v in trunk.state_dict().items() if "conv_last" not in k}, strict=False)
    assert not taken.unexpected_keys
    assert {key.split(".")[0] for key in taken.missing_keys} == {"branch", "fusion", "conv_features"}
    network.conv_hr.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    trunk.conv_hr.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    lr = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        before = network(lr)
        for weight in network.branch.parameters():
            weight.mul_(-2)
        after = network(lr)
        trunk(lr)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])
    assert not torch.allclose(before.sr, after.sr)


def test_everything_heavy_has_a_bias_and_nothing_is_normalised():
    network = Spsr(4, **SMALL)
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert all(conv.bias is not None and not conv.bias.any() for conv in convs)
    assert not [name for name, layer in network.named_modules() if "Norm" in type(layer).__name__]
    for conv in convs:  # Kaiming's, fan in, times 0.1; of the larger ones, whose deviation can be measured
        if conv.weight.numel() > 5000:
            assert conv.weight.std() == pytest.approx(0.1 * (2 / conv.weight[0].numel()) ** 0.5, rel=0.05)
    bare = Spsr(4, **SMALL, biases=False)
    assert not [name for name, _ in bare.named_parameters() if name.endswith("bias")]
    normed = Spsr(4, **SMALL, norm="group")
    groups = [name for name, layer in normed.named_modules() if isinstance(layer, nn.GroupNorm)]
    assert groups == ["branch.norm_up1", "branch.norm_up2", *(f"branch.norms.{tap}" for tap in range(4))]
    made = [awake(network)(torch.rand(1, 3, 5, 5)) for network in (bare, normed)]
    assert all(picture.shape == (1, 3, 20, 20) for both in made for picture in both)


def test_what_begins_anew_may_begin_larger():
    torch.manual_seed(0)
    published = dict(Spsr(4, **SMALL).named_modules())
    torch.manual_seed(0)
    larger = {name: layer for name, layer in Spsr(4, **SMALL, gain=1.0).named_modules() if isinstance(layer, nn.Conv2d)}
    anew = re.compile(r"(branch|fusion)\.(?!.*rdb\d)")
    for name, layer in larger.items():
        assert_close(layer.weight, published[name].weight * (10 if anew.match(name) else 1))
    assert sum(bool(anew.match(name)) for name in larger) == 14  # of the branch 11, of the fusion 3


def test_checkpointing_changes_nothing():
    lr, found = torch.rand(1, 3, 6, 6, dtype=torch.float64), []
    for forgetful in (False, True):
        network = awake(Spsr(2, **SMALL, checkpointing=forgetful).double())
        made = network(lr)
        (made.sr.square().mean() + made.branch.mean()).backward()
        found.append([made.sr, made.branch, *(weight.grad for weight in network.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_half_precision_in_and_out():
    made = awake(Spsr(2, **SMALL)).bfloat16()(torch.rand(1, 3, 6, 6).bfloat16())
    assert {picture.dtype for picture in made} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, "Spsr cannot upscale by 5; choose scale from 1, 2, 3, 4, 8"),
        (
            {"blocks": 16},
            "spacing=5 takes 4 taps after 20 blocks, and blocks=16; set blocks to at least 20, or spacing=4.",
        ),
        ({"blocks": 3, "spacing": 1}, "set blocks to at least 4."),
        ({"growth": 0}, "of at least 1, not 64, 23, 0 and 5."),
        ({"gain": 0.0}, "Spsr needs a gain above 0, not 0.0; as published it is 0.1."),
        ({"norm": "group", "features": 20}, "norm=group needs features that 8 divides, not 20; take 24."),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=re.escape(message)):
        Spsr(**{"scale": 4} | arguments)
