"""Every network of conf/model: sizes, scales, gradients, dtypes; and the initialisations they share."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import nn

from sr.image.resize import bicubic
from sr.inference.engines.choosing import operations_per_pixel
from sr.inference.memory import bytes_per_pixel
from sr.models.bicubic import Bicubic
from sr.models.blur import Blur
from sr.models.espcn import Espcn
from sr.models.init import icnr_
from sr.models.outputs import outputs_of, picture_of
from sr.models.rdn import Rdn, ResidualDenseBlock
from sr.models.scales import doubling_stages
from sr.models.sr_resnet18 import SrResnet18
from sr.models.srresnet import SrResNet
from tests.close import assert_close

CONF = Path(__file__).parents[2] / "conf" / "model"
LOADED = {path.stem: OmegaConf.load(path) for path in sorted(CONF.glob("*.yaml"))}
CONFIGS = {name: config for name, config in LOADED.items() if "_target_" in config}  # the others are second names
TRANSLATING = {"cyclegan"}  # at x1 alone, with two generators: tests/models/test_cyclegan.py
SLIM = {  # the full ones only for their size
    "rdn": {"blocks": 2, "layers": 2, "features": 16, "growth": 8},
    "spsr": {"blocks": 4, "features": 8, "growth": 4, "spacing": 1},
    "rrdb": {"blocks": 1, "features": 16, "growth": 8},
    **{f"rrdb_notes_{size}": {"blocks": 1, "features": 8} for size in ("small", "medium", "large")},
    "span": {"features": 8},
    "msrresnet": {"blocks": 2, "features": 16},
    "srresnet": {"blocks": 2, "features": 16},
    "internship_srresnet": {"blocks": 2, "features": 16},
    "edsr": {"blocks": 2, "features": 16},
    "imdn": {"blocks": 2},
    "spsr_switched": {"features": 8, "branches": 4, "multiplexer_features": 8, "reference": 16},
    "srg2": {"features": 16, "depth": 1, "branches": 3, "multiplexer_features": 16, "reductions": 2},
}


def build(name, scale, **arguments):
    return instantiate(OmegaConf.merge(CONFIGS[name], {"scale": scale, **arguments}))


def size(network):
    return sum(p.numel() for p in network.parameters())


@pytest.fixture(params=[name for name in CONFIGS if name not in TRANSLATING])
def name(request):
    return request.param


def test_what_a_picture_costs_is_counted(name):
    network = build(name, 2, **SLIM.get(name, {})).eval()
    assert operations_per_pixel(network) > 0
    assert bytes_per_pixel(network) > 0


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_output_is_scale_times_the_input_for_odd_sizes(name, scale):
    assert scale in get_class(CONFIGS[name]._target_).scales
    network = build(name, scale, **SLIM.get(name, {})).eval()
    assert network.scale == scale
    with torch.no_grad():
        made = outputs_of(network(torch.rand(1, 3, 7, 5)))
    for picture in made.values():
        assert picture.shape == (1, 3, 7 * scale, 5 * scale)
        assert picture.dtype == torch.float32


def test_gradient_reaches_every_parameter(name):
    network = build(name, 2, **SLIM.get(name, {}))
    lr = torch.rand(2, 3, 9, 8, requires_grad=True)
    sum(picture.square().mean() for picture in outputs_of(network(lr)).values()).backward()
    assert lr.grad.abs().sum() > 0
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle


def test_bf16_autocast_in_channels_last_stays_near_float32(name):
    network = build(name, 2, **SLIM.get(name, {})).eval()
    lr = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        expected = picture_of(network(lr))
        network = network.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            actual = picture_of(network(lr.contiguous(memory_format=torch.channels_last)))
    # bfloat16 has 8 bits; the deepest network here rounds about 20 times in a row.
    assert (actual.float() - expected).abs().mean() < 0.02 * expected.abs().mean()


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in {"compact", "spandrel", *TRANSLATING}])
def test_no_sequential_is_mistaken_for_another_network(name):
    """Loaders of other programs take a file with these two keys for SRVGGNetCompact, which two of ours are, and draw
    wrong pixels."""
    keys = build(name, 2, **SLIM.get(name, {})).state_dict()
    assert not {"body.0.weight", "body.1.weight"} <= set(keys)


def test_the_flexible_generator_of_the_notebook():
    """conv9 3->64, PReLU; five blocks; one stage; conv9 64->3; nothing between the blocks and the sum."""
    assert LOADED["srresnet_flexible"].blocks == 5
    network = SrResNet(2, blocks=5, joining=LOADED["srresnet_flexible"].joining)
    head, stage, last = 3 * 64 * 81 + 64 + 1, 64 * 256 * 9 + 256 + 1, 64 * 3 * 81 + 3
    assert size(network) == head + 5 * (2 * (64 * 64 * 9 + 64) + 2 * 128 + 1) + stage + last == 549_450
    assert SrResNet.described_by(network.state_dict()) == {"scale": 2, "features": 64, "blocks": 5, "joining": False}


def test_edsr_takes_the_normalisation_back():
    """Two scales and two shifts of each channel in each block, and nothing else."""
    with torch.device("meta"):
        plain, normalised = build("edsr", 2), build("edsr", 2, norm="batch")
    assert size(normalised) == size(plain) + 16 * 2 * 2 * 64
    assert {*plain.state_dict()} < {*normalised.state_dict()}


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        # The photo notes' six variants at x4 (counted from their layer lists), the last one also at x2.
        ("espcn_plain", 4, 212_656),
        ("espcn_refine", 4, 463_491),
        ("espcn_dilated", 4, 802_992),
        ("espcn_dilated_short", 4, 802_992),
        ("espcn_progressive", 4, 371_331),
        ("espcn_dilated_progressive", 4, 961_667),
        ("espcn_dilated_progressive", 2, 915_459),
        # RDN x2 of the paper's D = 16, C = 8, G = 64.
        ("rdn", 2, 22_123_395),
        # 3*48*25+48 + 3*(48*48*9+48) + 48*12*9+12
        ("espcn", 2, 71_196),
        # Published: realesr-animevideov3 (x4), RealESRGAN_x4plus and _x2plus, BasicSR's MSRResNet, EDSR's baseline
        # (without the 24 numbers of its fixed shifts of the mean) and IMDN at x2 and x4.
        ("compact", 4, 621_424),
        ("compact", 2, 600_652),
        # The archived class of DL-Art-School, instantiated; a stage less is a convolution less in trunk and branch.
        ("spsr", 4, 24_796_230),
        ("spsr", 2, 24_796_230 - 2 * (64 * 64 * 9 + 64)),
        ("rrdb", 4, 16_697_987),
        ("rrdb", 2, 16_703_171),
        ("msrresnet", 4, 1_517_571),
        ("msrresnet", 2, 1_369_859),
        ("edsr", 2, 1_369_859),
        ("edsr", 4, 1_517_571),
        ("imdn", 2, 694_404),
        ("imdn", 4, 715_176),
        # 3*64*81+64+1 + 16*(2*(64*64*9+64) + 2*128 + 1) + 64*64*9+64+1 + 2*(64*256*9+256+1) + 64*3*81+3
        ("srresnet", 4, 1_549_335),
        # The photo notes' generators 8 and 9 and the latter's predecessor: head, trunk and tail, layer by layer.
        ("rrdb_notes_large", 4, 26_691_504),
        ("rrdb_notes_medium", 2, 16_293_763),
        ("rrdb_notes_small", 2, 10_776_451),
        ("span", 2, 1_824_900),  # 410,700 once each convolution is one, as spandrel's SPAN has it
        # Counted in the internship's repository; 147,713 more for each stage.
        ("internship_srresnet", 2, 1_387_925),
        ("internship_srresnet", 4, 1_535_638),
        ("internship_srresnet", 8, 1_683_351),
        ("spandrel", 2, 600_652),
        ("bicubic", 2, 0),
    ],
)
def test_parameter_counts(name, scale, expected):
    with torch.device("meta"):
        assert size(build(name, scale)) == expected


@pytest.mark.parametrize("network", [Bicubic, Espcn, Rdn, SrResnet18])
def test_impossible_scale_is_refused_with_the_possible_ones(network):
    with pytest.raises(ValueError, match=f"{network.__name__} cannot upscale by 5; choose scale from 1, 2, 3, 4, 8"):
        network(5)


def test_bad_arguments_are_quoted():
    with pytest.raises(ValueError, match=r"not 0, 64 and \[1, 1, 1\]"):
        Espcn(2, features=0)
    with pytest.raises(ValueError, match="not 64, 0, 16 and 8"):
        Rdn(2, growth=0)
    with pytest.raises(ValueError, match=r"Espcn needs a gain above 0, not 0\.0; PyTorch.s own is 1"):
        Espcn(2, gain=0.0)


def test_stages_multiply_to_the_scale():
    assert [doubling_stages(s) for s in (1, 2, 3, 4, 8)] == [(), (2,), (3,), (2, 2), (2, 2, 2)]


# ---------------------------------------------------------------------------------------------- bicubic


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3), (1, 4)])
def test_bicubic_equals_the_resize_of_the_image_room(scale, shape):
    image = torch.rand(2, 3, *shape)
    assert_close(Bicubic(scale)(image), bicubic(image, scale=scale, edge="mirror"))


def test_bicubic_x2_weights_by_hand():
    """Keys' cubic with a = -1/2 at distances 1.25, 0.25, 0.75, 1.75 pixels."""
    impulse = torch.zeros(1, 1, 1, 9)
    impulse[..., 4] = 1
    line = Bicubic(2)(impulse)[0, 0, 0, 5:13]
    left = [-0.0234375, -0.0703125, 0.2265625, 0.8671875]
    assert_close(line, torch.tensor(left + left[::-1]))


def test_bicubic_is_float32_inside_autocast_and_keeps_float64():
    image = torch.rand(1, 3, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Bicubic(2)(image), Bicubic(2)(image))
        assert Bicubic(2)(image).dtype == torch.float32
    assert Bicubic(2)(image.double()).dtype == torch.float64


def test_compact_espcn_starts_near_bicubic():
    image = F.interpolate(torch.rand(1, 3, 6, 6), size=24, mode="bilinear")
    correction = build("espcn", 2)(image) - Bicubic(2)(image)
    assert 0 < correction.abs().max() < 0.05


# -------------------------------------------------------------------------------- initialisation, blur


def test_espcn_begins_at_pytorchs_start_or_at_kaimings():
    arguments = {"features": 64, "tail": "progressive", "global_skip": False, "icnr": False}
    torch.manual_seed(0)
    pytorchs = [layer for layer in Espcn(4, **arguments).modules() if isinstance(layer, nn.Conv2d)]
    torch.manual_seed(0)
    kaimings = [layer for layer in Espcn(4, **arguments, gain=6**0.5).modules() if isinstance(layer, nn.Conv2d)]
    for one, other in zip(pytorchs, kaimings, strict=True):
        assert_close(other.weight, one.weight * 6**0.5)
        assert torch.equal(other.bias, one.bias)
        if one.weight.numel() > 5000:  # He et al. 2015, equation 10: sqrt(2 / n)
            assert float(other.weight.detach().std()) == pytest.approx((2 / one.weight[0].numel()) ** 0.5, rel=0.05)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_icnr_is_nearest_upsampling_of_the_base_convolution(factor):
    conv = nn.Conv2d(4, 5 * factor**2, 3, padding=1)
    base = nn.Conv2d(4, 5, 3, padding=1)
    with torch.no_grad():
        base.weight.copy_(conv.weight[:: factor**2])
        base.bias.copy_(conv.bias[:: factor**2])
    icnr_(conv.weight, factor)
    icnr_(conv.bias, factor)
    x = torch.rand(2, 4, 6, 7)
    assert_close(F.pixel_shuffle(conv(x), factor), F.interpolate(base(x), scale_factor=factor, mode="nearest"))


def test_icnr_refuses_channels_that_do_not_fit():
    with pytest.raises(ValueError, match=r"multiple of factor\*\*2 = 4, not 6"):
        icnr_(torch.zeros(6, 3, 3, 3), 2)


def _checkerboard(network):
    """Largest difference inside the blocks that one LR pixel of a flat picture becomes, away from borders."""
    s = network.scale
    with torch.no_grad():
        sr = network(torch.full((1, 3, 20, 20), 0.7))[..., 8 * s : -8 * s, 8 * s : -8 * s]
    return (sr - sr[..., :1, :1]).abs().max().item()


@pytest.mark.parametrize("tail", ["direct", "refine", "progressive"])
def test_icnr_networks_draw_flat_pictures_flat(tail):
    arguments = {"scale": 4, "features": 16, "dilations": (1,), "tail": tail, "global_skip": False}
    assert _checkerboard(Espcn(**arguments, icnr=True)) < 1e-6
    assert _checkerboard(Espcn(**arguments, icnr=False)) > 1e-3


def test_rdn_icnr_and_blur_draw_flat_pictures_flat():
    slim = {"scale": 2, "features": 8, "growth": 8, "blocks": 1, "layers": 2}
    assert _checkerboard(Rdn(**slim, icnr=True)) < 1e-6
    assert _checkerboard(Rdn(**slim, icnr=False)) > 1e-3
    assert _checkerboard(Rdn(**slim, icnr=False, upsampler="shuffle_blur")) < 1e-6


def test_blur_by_hand():
    impulse = torch.zeros(1, 2, 5, 5)
    impulse[0, 0, 2, 2] = 16
    expected = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    assert_close(Blur(3)(impulse)[0, 0, 1:4, 1:4], expected)
    assert Blur(3)(impulse)[0, 1].abs().max() == 0
    assert_close(Blur(4)(torch.ones(1, 1, 5, 6)), torch.ones(1, 1, 5, 6))


# ---------------------------------------------------------------------------------------------- variants


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("upsampler", ["shuffle", "shuffle_blur", "blur_transpose"])
def test_rdn_upsamplers_give_the_exact_size(scale, upsampler):
    network = Rdn(scale, features=4, growth=4, blocks=1, layers=1, upsampler=upsampler)
    assert network(torch.rand(1, 3, 5, 4)).shape == (1, 3, 5 * scale, 4 * scale)


def test_dense_block_against_its_equations():
    """F_c = relu(W_c [F_0 .. F_{c-1}]), output F_0 + W [F_0 .. F_C], with 1x1 numbers."""
    block = ResidualDenseBlock(features=1, growth=1, layers=2)
    with torch.no_grad():
        for conv, weights in zip([*block.layers, block.fusion], [[2.0], [3.0, -1.0], [1.0, 10.0, 100.0]], strict=True):
            conv.weight.zero_()
            centre = conv.kernel_size[0] // 2
            conv.weight[0, :, centre, centre] = torch.tensor(weights)
            conv.bias.zero_()
    # x = 0.5: F_1 = 1, F_2 = 3 * 0.5 - 1 = 0.5, output 0.5 + (0.5 + 10 + 50) = 61
    assert_close(block(torch.full((1, 1, 1, 1), 0.5)), torch.full((1, 1, 1, 1), 61.0))


def test_memory_lean_rdn_is_the_same_network_and_keeps_less():
    plain, lean = (Rdn(2, 8, 6, 2, 4, memory_lean=lean).double() for lean in (False, True))
    lean.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    kept = []
    for network in (plain, lean):
        storages = {}
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=storages: _note(t, s), lambda t: t):
            sr = network(image)
        kept.append(sum(storages.values()))
        sr.square().sum().backward()
    assert_close(lean(image), plain(image))
    for (name, a), b in zip(lean.named_parameters(), plain.parameters(), strict=True):
        assert a.grad.abs().max() > 0, name
        assert_close(a.grad, b.grad)
    assert kept[1] < kept[0]


def _note(tensor, storages):
    """Count the bytes of each activation that the backward pass keeps, once."""
    if tensor.dim() == 4 and not isinstance(tensor, nn.Parameter) and tensor.shape[0] == 1:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    return tensor


def test_sr_resnet18_trunk_is_torchvisions():
    """Same blocks in the same order: torchvision's weights fit once its stem is replaced."""
    from torchvision.models import resnet18

    theirs = [tuple(v.shape) for k, v in resnet18().state_dict().items() if k.startswith("layer")]
    ours = [tuple(v.shape) for v in SrResnet18(2).stages.state_dict().values()]
    assert ours == theirs


def test_sr_resnet18_relu_between_is_optional():
    assert isinstance(SrResnet18(2, relu_between=False).relu, nn.Identity)
    assert isinstance(SrResnet18(2).relu, nn.ReLU)


def test_sr_resnet18_has_the_widths_that_are_asked_for():
    """A quarter of each: by hand, convolutions and their batch norms stage by stage, then the transposed ones."""
    narrow = SrResnet18(2, widths=(16, 32))
    stem = 3 * 16 * 9 + 2 * 16
    first = 2 * (2 * 16 * 16 * 9 + 2 * 2 * 16)
    second = 16 * 32 * 9 + 3 * 32 * 32 * 9 + 4 * 2 * 32 + 16 * 32 + 2 * 32
    last = 32 * 16 * 9 + 16 + 16 * 3 * 16 + 3
    assert sum(p.numel() for p in narrow.parameters()) == stem + first + second + last
    assert narrow(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)
    with pytest.raises(ValueError, match=r"widths=\[\] must be channels of at least one stage, as \[64, 128"):
        SrResnet18(2, widths=[])
