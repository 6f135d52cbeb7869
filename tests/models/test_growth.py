"""Growth: what a network of twice the scale takes over, and that it begins as its definition from the old one."""

import pytest
import torch
import torch.nn.functional as F

from sr.models.edsr import MEAN, Edsr
from sr.models.espcn import Espcn
from sr.models.growth import carried, patterns, why_not
from sr.models.internship_srresnet import InternshipSrResNet
from sr.models.rdn import Rdn
from sr.models.rrdb import RrdbNet
from tests.close import assert_close
from tests.models.test_models import CONFIGS, SLIM, TRANSLATING, build


def leaky(x, slope=0.1):
    return torch.where(x > 0, x, slope * x)


def shuffled(x):
    """Each group of four channels becomes a block of 2x2 pixels."""
    n, c, h, w = x.shape
    return x.view(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // 4, 2 * h, 2 * w)


def bilinear(lr, scale):
    return F.interpolate(lr, scale_factor=scale, mode="bilinear", align_corners=False)


def mean(like):
    return torch.tensor(MEAN).view(1, 3, 1, 1).to(like)


# By the choice of conf/model: scale, last layers' first module in the old network, new stage, last layers.
DEFINED = {
    "internship_srresnet": (
        4,
        "end",
        lambda net, z: F.prelu(shuffled(net.stages[1].conv(z)), net.stages[1].prelu.weight),
        lambda net, x, lr: (torch.tanh(net.end(x)) + 1) / 2,
    ),
    "srresnet": (
        4,
        "block5.1",
        lambda net, z: F.prelu(shuffled(net.block5[1].conv(z)), net.block5[1].prelu.weight),
        lambda net, x, lr: (torch.tanh(net.block5[2](x)) + 1) / 2,
    ),
    "msrresnet": (
        4,
        "conv_hr",
        lambda net, z: leaky(shuffled(net.upconv2(z))),
        lambda net, x, lr: net.conv_last(leaky(net.conv_hr(x))) + bilinear(lr, 4),
    ),
    "edsr": (
        4,
        "conv_last",
        lambda net, z: shuffled(net.upsample[2](z)),
        lambda net, x, lr: net.conv_last(x) / 255 + mean(x),
    ),
    "rdn": (
        4,
        "to_rgb",
        lambda net, z: shuffled(net.upsample[2](z)),
        lambda net, x, lr: (net.to_rgb(x) + 1) / 2,
    ),
    "espcn_progressive": (
        4,
        "tail.5",
        lambda net, z: leaky(net.tail[8](shuffled(leaky(net.tail[5](z))))),
        lambda net, x, lr: net.tail[10](x),
    ),
    "rrdb": (
        8,
        "conv_hr",
        lambda net, z: leaky(net.conv_up3(z.repeat_interleave(2, 2).repeat_interleave(2, 3)), 0.2),
        lambda net, x, lr: net.conv_last(leaky(net.conv_hr(x), 0.2)),
    ),
}
SAME = {"rdn_small": "rdn", "espcn_dilated_progressive": "espcn_progressive"}
"""Choices that are another's class, with other widths."""


def test_every_network_that_grows_is_defined_here():
    with torch.device("meta"):
        growing = {
            name for name in CONFIGS if name not in {"spandrel", *TRANSLATING} and why_not(build(name, 8)) is None
        }
    assert growing == {*DEFINED, *SAME}


@pytest.mark.parametrize("name", DEFINED)
def test_a_grown_network_is_what_it_is_defined_to_be(name):
    scale, end, stage, last = DEFINED[name]
    old, new = (build(name, s, **SLIM.get(name, {})).eval() for s in (scale // 2, scale))
    for norm in (layer for layer in old.modules() if isinstance(layer, torch.nn.BatchNorm2d)):
        norm.running_mean.uniform_(-1, 1)
    untrained = {key: value.clone() for key, value in new.state_dict().items()}
    grown = carried(new, old, old.state_dict())
    new.load_state_dict(grown.tensors, strict=False)
    state = new.state_dict()
    assert len(grown.tensors) == len(old.state_dict())
    assert {key: value.sum() for key, value in grown.tensors.items()} == {
        key: state[key].sum() for key in grown.tensors
    }
    assert sorted(value.sum() for value in grown.tensors.values()) == sorted(v.sum() for v in old.state_dict().values())
    assert {*grown.tensors, *grown.new} == set(state)
    assert all(torch.equal(state[key], untrained[key]) for key in grown.new)

    seen = []
    old.get_submodule(end).register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    lr = torch.rand(2, 3, 6, 5)
    with torch.no_grad():
        old(lr)
        expected = last(new, stage(new, seen[0]), lr)
        assert_close(new(lr), expected)
        assert expected.shape == (2, 3, 6 * scale, 5 * scale)
        assert not torch.allclose(expected, F.interpolate(old(lr), scale_factor=2), atol=1e-4)


def test_the_internships_stage_is_all_that_learns_when_the_rest_is_frozen():
    """147,713 of 1,535,638; the first 90.4 % come from x2."""
    with torch.device("meta"):
        old, new = InternshipSrResNet(2), InternshipSrResNet(4)
    grown = carried(new, old, old.state_dict())
    weights = {name: weight.numel() for name, weight in new.named_parameters()}
    assert sum(number for name, number in weights.items() if name.startswith("stages.1.")) == 147_713
    assert sum(number for name, number in weights.items() if name in grown.new) == 147_713
    assert (
        round(100 * sum(n for name, n in weights.items() if name in grown.tensors) / sum(weights.values()), 1) == 90.4
    )
    assert patterns(grown.new, grown.tensors) == ["stages.1.*"]
    assert patterns(grown.tensors, grown.new) == ["first.*", "blocks.*", "trunk.*", "stages.0.*", "end.*"]


@pytest.mark.parametrize("upsampler", ["shuffle_blur", "blur_transpose"])
def test_other_upsamplers_grow_too(upsampler):
    old, new = (Rdn(scale, 8, 8, 1, 1, upsampler) for scale in (2, 4))
    grown = carried(new, old, old.state_dict())
    new.load_state_dict(grown.tensors, strict=False)
    assert len(grown.new) == 2
    assert torch.equal(new.to_rgb.weight, old.to_rgb.weight)
    assert new(torch.rand(1, 3, 6, 6)).shape == (1, 3, 24, 24)


def test_without_spectral_normalisation_there_are_as_many_weights():
    with torch.device("meta"):
        network = InternshipSrResNet(2, spectral=False)
    assert sum(weight.numel() for weight in network.parameters()) == 1_387_925
    assert not any("parametrizations" in name for name in network.state_dict())


def test_each_convolution_has_a_largest_singular_value_of_one():
    network = InternshipSrResNet(2, features=4, blocks=1).train()
    for _ in range(30):  # a step of the power iteration each
        network(torch.rand(1, 3, 8, 8))
    convs = [layer for layer in network.eval().modules() if isinstance(layer, torch.nn.Conv2d)]
    assert len(convs) == 6
    for conv in convs:
        assert torch.linalg.matrix_norm(conv.weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=1e-2)


def test_the_internships_network_stays_within_the_range():
    network = InternshipSrResNet(4, features=4, blocks=1).eval()
    sr = network(torch.rand(1, 3, 5, 7) * 100 - 50)
    assert 0 <= sr.min() <= sr.max() <= 1


def test_patterns_are_the_shortest_that_name_nothing_else():
    assert patterns(["a.0.w", "a.0.b", "b.c.w"], ["a.1.w"]) == ["a.0.*", "b.*"]
    assert patterns(["a.w", "bias"], ["a.b"]) == ["a.w", "bias"]
    assert patterns([], ["a.b"]) == []


def test_what_does_not_grow_says_why():
    assert why_not(Espcn(4)) == "Espcn grows with model.tail=progressive only, which has a stage for each doubling"
    assert why_not(RrdbNet(4, 8, 1)) == (
        "RrdbNet folds the picture into channels up to x2, so that it grows from x4 to x8 only"
    )
    assert why_not(RrdbNet(8, 8, 1)) is None
    assert why_not(build("imdn", 4, blocks=1)) == "Imdn has no chain of stages"


def test_tensors_of_another_width_or_depth_are_no_half():
    old, new = Edsr(2, features=8, blocks=2), Edsr(4, features=8, blocks=2)
    shallow, narrow = Edsr(2, features=8, blocks=1), Edsr(2, features=4, blocks=2)
    with pytest.raises(ValueError, match=r"does not fit Edsr at x2: 4 missing \(body\.1\.conv1\.weight"):
        carried(new, old, shallow.state_dict())
    with pytest.raises(ValueError, match=r"mis-shaped \(conv_first\.weight \[4, 3, 3, 3\] instead of \[8, 3, 3, 3\]"):
        carried(new, old, narrow.state_dict())
