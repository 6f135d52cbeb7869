"""Networks with published key names: what their files say of them, and the same pixels as another implementation."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sr.models.compact import Compact
from sr.models.edsr import MEAN, Edsr, from_authors_names
from sr.models.imdn import Imdn
from sr.models.msrresnet import MsrResNet
from sr.models.padding import pad_to
from sr.models.published import factor_of
from sr.models.rrdb import RrdbNet
from sr.models.span import Span
from sr.models.srresnet import SrResNet
from tests.choices import refusal
from tests.close import assert_close

SMALL = {
    Compact: {"features": 8, "convolutions": 2},
    RrdbNet: {"features": 8, "blocks": 2, "growth": 4},
    MsrResNet: {"features": 8, "blocks": 2},
    Edsr: {"features": 8, "blocks": 2, "branch": 1.0},
    SrResNet: {"features": 8, "blocks": 2},
    Imdn: {"features": 16, "blocks": 2},
    Span: {"features": 8, "norm": True},
}
FIRST = {
    Compact: ["body.0.weight", "body.0.bias", "body.1.weight"],
    RrdbNet: ["conv_first.weight", "conv_first.bias", "body.0.rdb1.conv1.weight"],
    MsrResNet: ["conv_first.weight", "conv_first.bias", "body.0.conv1.weight"],
    Edsr: ["conv_first.weight", "conv_first.bias", "body.0.conv1.weight"],
    SrResNet: ["block1.0.weight", "block1.0.bias", "block1.1.weight"],
    Span: ["conv_1.sk.weight", "conv_1.sk.bias", "conv_1.conv.0.weight"],
    Imdn: ["fea_conv.weight", "fea_conv.bias", "IMDB1.c1.weight"],
}


def made(network, scale, **arguments):
    return network(scale=scale, **{**SMALL[network], **arguments}).eval()


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_a_file_says_what_it_was_made_of(network, scale):
    state = made(network, scale).state_dict()
    assert list(state)[:3] == FIRST[network]
    expected = {"scale": scale, **SMALL[network]}
    if (network, scale) in ((RrdbNet, 3), (MsrResNet, 1)):  # others read the same names as another network
        expected = None
    assert network.described_by(state) == expected


@pytest.mark.parametrize("network", SMALL)
def test_nobody_takes_the_file_of_another(network):
    state = made(network, 4).state_dict()
    assert [other for other in SMALL if other.described_by(state) is not None] == [network]


def test_the_full_edsr_weighs_its_branches_by_a_tenth():
    with torch.device("meta"):
        state = Edsr(2, features=256, blocks=1).state_dict()
    assert Edsr.described_by(state)["branch"] == 0.1


def test_no_pixel_shuffle_of_other_channels():
    assert factor_of(48, 3) == 4
    with pytest.raises(ValueError, match="no pixel shuffle makes 3 channels of 50"):
        factor_of(50, 3)


def test_impossible_sizes_are_quoted():
    assert "not 0, 23 and 32" in refusal(RrdbNet, 2, features=0)
    assert "not 64 and 0" in refusal(MsrResNet, 2, blocks=0)
    assert "not 64 and 0" in refusal(Edsr, 2, blocks=0)
    assert "not 64 and 0" in refusal(SrResNet, 2, blocks=0)
    assert "at least 3 features, as that many carry the picture, not 2" in refusal(Span, 2, features=2)
    assert "a multiple of 4 and at least 1 block, not 6 and 6" in refusal(Imdn, 2, features=6)


# ------------------------------------------------------------------------- against other implementations


def theirs(network):
    """spandrel's network for a file with these weights."""
    spandrel = pytest.importorskip("spandrel")
    return spandrel.ModelLoader().load_from_state_dict(dict(network.state_dict())).model.eval()


@torch.no_grad()
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_rrdbnet_is_the_published_network(scale):
    network = made(RrdbNet, scale, growth=32)
    for parameter in network.parameters():  # it starts with tiny branches, which could hide anything
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    lr = torch.rand(1, 3, 9, 14).double()
    expected = theirs(network).double()(lr)
    assert_close(network.double()(lr), expected)
    assert expected.std() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("norm", [True, False])
def test_span_is_the_published_network(norm):
    """Whose files hold the convolution that is made of its parts as well."""
    published = pytest.importorskip("spandrel.architectures.SPAN").SPANArch
    theirs = published().load(_span_file(norm)).model.eval()
    network = Span(2, features=8, norm=norm).eval()
    network.load_state_dict(theirs.state_dict())
    lr = torch.rand(1, 3, 9, 14)
    assert_close(network(lr), theirs(lr))
    assert Span.described_by(theirs.state_dict()) == {"scale": 2, "features": 8, "norm": norm}


def _span_file(norm):
    """Random weights that are not small, so that nothing hides."""
    from spandrel.architectures.SPAN.__arch.span import SPAN

    network = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2, norm=norm)
    for parameter in network.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.1)
    return network.state_dict()


@torch.no_grad()
def test_an_untrained_span_enlarges_by_nearest_neighbour():
    lr = torch.rand(1, 3, 9, 14)
    for norm in (True, False):
        difference = Span(2, norm=norm)(lr) - F.interpolate(lr, scale_factor=2, mode="nearest")
        assert difference.abs().mean() < 0.02


@torch.no_grad()
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_compact_is_the_published_network(scale):
    network = Compact(scale, features=16, convolutions=3).eval()
    lr = torch.rand(1, 3, 9, 14)
    assert_close(network(lr), theirs(network)(lr))


@torch.no_grad()
def test_edsr_by_its_equations():
    """x = 255 (lr - mean) through the layers, by functions; the names are the file's."""
    network = made(Edsr, 4, branch=0.5)
    w = network.state_dict()
    lr = torch.rand(2, 3, 7, 5)
    shift = torch.tensor(MEAN).view(3, 1, 1)

    def conv(x, name):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    first = x = conv(255 * (lr - shift), "conv_first")
    for block in ("body.0", "body.1"):
        x = x + 0.5 * conv(F.relu(conv(x, f"{block}.conv1")), f"{block}.conv2")
    x = first + conv(x, "conv_after_body")
    for name in ("upsample.0", "upsample.2"):
        x = F.pixel_shuffle(conv(x, name), 2)
    assert_close(network(lr), conv(x, "conv_last") / 255 + shift)


@torch.no_grad()
def test_edsr_of_its_authors_is_renamed():
    """Their classes: head, body of blocks and a convolution, tail of an upsampler and a convolution, fixed shifts."""
    network = made(Edsr, 4)
    block = lambda: nn.ModuleDict({"body": nn.Sequential(conv(), nn.ReLU(), conv())})  # noqa: E731
    conv = lambda out=8: nn.Conv2d(8, out, 3, padding=1)  # noqa: E731
    original = nn.ModuleDict(
        {
            "sub_mean": nn.Conv2d(3, 3, 1),
            "add_mean": nn.Conv2d(3, 3, 1),
            "head": nn.Sequential(nn.Conv2d(3, 8, 3)),
            "body": nn.Sequential(block(), block(), conv()),
            "tail": nn.Sequential(nn.Sequential(conv(32), nn.PixelShuffle(2), conv(32), nn.PixelShuffle(2)), conv(3)),
        }
    )
    renamed = from_authors_names(original.state_dict())
    assert Edsr.described_by(renamed) == {"scale": 4, **SMALL[Edsr]}
    network.load_state_dict(renamed)
    assert network.body[1].conv2.weight.equal(original["body"][1]["body"][2].weight)
    assert network.conv_after_body.weight.equal(original["body"][2].weight)
    assert network.upsample[2].weight.equal(original["tail"][0][2].weight)
    assert from_authors_names(network.state_dict()) is None


@torch.no_grad()
def test_msrresnet_corrects_bilinear():
    network = made(MsrResNet, 3)
    lr = torch.rand(1, 3, 6, 5)
    correction = network(lr) - F.interpolate(lr, scale_factor=3, mode="bilinear")
    assert 0 < correction.abs().max() < 0.05
    nn.init.zeros_(network.conv_last.weight)
    assert_close(network(lr), F.interpolate(lr, scale_factor=3, mode="bilinear"))


@torch.no_grad()
def test_srresnet_stays_within_the_range():
    network = made(SrResNet, 2)
    network.block5[-1].weight.mul_(100)
    sr = network(torch.rand(1, 3, 6, 5))
    assert sr.min() >= 0
    assert sr.max() <= 1
    assert sr.std() > 0.3


def test_imdn_has_a_gradient_on_a_flat_picture():
    """The root of the variance has none at 0."""
    network = made(Imdn, 2, padding="replicate")
    network(torch.full((1, 3, 8, 8), 0.5)).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@torch.no_grad()
def test_imdn_attention_by_hand():
    """Channel values 1, 3 (mean 2, deviation 1) are weighed by the sigmoid of what the two layers make of 3."""
    attention = Imdn(2, features=4, blocks=1).IMDB1.cca
    for parameter in attention.parameters():
        nn.init.zeros_(parameter)
    attention.conv_du[0].weight[0, 0] = 2.0
    attention.conv_du[2].weight[:, 0] = 0.5
    features = torch.tensor([1.0, 3.0]).expand(1, 4, 1, 2)
    assert_close(attention(features), features * torch.sigmoid(torch.tensor(3.0)))


# -------------------------------------------------------------------------------------------------- sizes


def test_pictures_go_on_mirrored_and_then_repeated():
    row = torch.arange(3.0).view(1, 1, 1, 3)
    assert pad_to(row, 1) is row
    assert pad_to(row, 4)[0, 0, 0].tolist() == [0, 1, 2, 1]
    assert pad_to(row, 4).shape == (1, 1, 4, 4)
    assert pad_to(row, 1, minimum=7)[0, 0, 0].tolist() == [0, 1, 2, 1, 0, 0, 0]


@torch.no_grad()
@pytest.mark.parametrize("scale", [1, 2])
def test_tiles_at_multiples_of_the_grid_are_the_whole(scale):
    network = made(RrdbNet, scale, blocks=1)
    lr = torch.rand(1, 3, 24, 160)
    whole = network(lr)
    shift = 4 * network.grid
    reach = 20 * network.grid * scale
    tile = network(lr[..., shift:])
    assert_close(tile[..., reach:], whole[..., shift * scale + reach :])
    off = network(lr[..., shift + 1 :])
    assert (off[..., reach:] - whole[..., (shift + 1) * scale + reach :]).abs().max() > 1e-4


# ------------------------------------------------------------------------------------------ published files


@pytest.mark.parametrize(
    ("file", "network", "arguments"),
    [
        ("realesr-animevideov3.pth", Compact, {"scale": 4, "features": 64, "convolutions": 16}),
        ("SRGAN_x4_leftthomas.pth", SrResNet, {"scale": 4, "features": 64, "blocks": 5}),
        ("IMDN_x2.pth", Imdn, {"scale": 2, "features": 64, "blocks": 6}),
    ],
)
def test_published_files_are_recognised(file, network, arguments):
    from sr.models.weights import read_weights

    path = Path(os.environ.get("SR_WEIGHTS", "/nowhere")) / file
    if not path.is_file():
        pytest.skip(f"needs {file} in the folder SR_WEIGHTS")
    assert network.described_by(read_weights(path)) == arguments
