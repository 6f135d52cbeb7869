"""Every network of conf/discriminator: counts, maps and receptive fields as documented, gradients, sizes, refusals."""

import inspect
import math
import re
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import nn

from sr.discriminators.contract import SideError
from sr.discriminators.patch import Patch
from sr.discriminators.patchgan import PatchGan
from sr.discriminators.srgan import Srgan
from sr.discriminators.srgan_flexible import SrganFlexible
from sr.discriminators.strided import Strided
from sr.discriminators.switched import Switched
from sr.discriminators.unet import UNet
from sr.discriminators.vgg128 import Vgg128
from sr.errors import UserError
from sr.switches.watching import attentions_of
from sr.training.adversary.swap import cells_of, label_map
from tests.choices import refusal
from tests.close import assert_close

REPOSITORY = Path(__file__).parents[2]
FILES = {path.stem: path for path in sorted((REPOSITORY / "conf" / "discriminator").glob("*.yaml"))}
NAMES = [name for name in FILES if name != "none"]
FIXED = {name for name in NAMES if "side" in OmegaConf.load(FILES[name])}  # the size that they judge
LEVELS = {"pixdisc": 3, "unet_gan": 3}  # of those that judge at several sizes
COLUMNS = ("source", "parameters_3", "parameters_6", "field", "map_96", "map_256", "norm", "sizes")


def documented():
    """The table of docs/discriminators.md: {name: {column: text}}."""
    lines = (REPOSITORY / "docs" / "discriminators.md").read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("| `") and "=`" not in line
    ]
    return {row[0].strip("`"): dict(zip(COLUMNS, row[1:], strict=True)) for row in rows}


TABLE = documented()


def build(name, in_channels=3, side=64, **arguments):
    """As configured, with numbers in the place of the two resolvers."""
    numbers = {"in_channels": in_channels} | ({"side": side} if name in FIXED else {})
    return instantiate(OmegaConf.merge(OmegaConf.load(FILES[name]), numbers, arguments))


def on_paper(name, in_channels=3, side=128, **arguments):
    """The same without memory or arithmetic: shapes only."""
    with torch.device("meta"):
        return build(name, in_channels, side, **arguments)


def builds(name, side):
    quick = {"spectral": False} if "spectral" in OmegaConf.load(FILES[name]) else {}
    try:
        on_paper(name, side=side, **quick)
    except InstantiationException as error:
        assert "judges pictures whose side is a multiple of" in str(error)  # noqa: PT017
        return False
    return True


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def working_side(name):
    """A size that every network judges quickly."""
    return 64 if name in FIXED else 32


def narrow(name):
    """The two with 25 million weights and more, in a width that takes less time."""
    return {"features": 16} if name in LEVELS else {}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


# ------------------------------------------------------------------------------- files and documentation


def test_the_table_has_every_network():
    assert sorted(TABLE) == sorted(NAMES)


def test_none_is_no_network():
    assert OmegaConf.load(FILES["none"]) == {}


def test_files_list_every_argument_and_take_what_is_shown_from_the_run(name):
    config = OmegaConf.to_container(OmegaConf.load(FILES[name]), resolve=False)
    arguments = set(inspect.signature(get_class(config.pop("_target_"))).parameters)
    assert set(config) == arguments
    assert config["in_channels"] == "${shown_channels:}"
    assert config.get("side", "${shown_side:}") == "${shown_side:}"


def test_files_begin_with_their_numbers(name):
    comment = FILES[name].read_text().split("_target_")[0]
    assert f"{size(on_paper(name)):,} parameters" in comment
    field = TABLE[name]["field"].split()[0]
    assert (f"{field}x{field} pixels" if field != "all" else "one verdict per picture") in comment


@pytest.mark.parametrize("in_channels", [3, 6])
def test_parameters_are_those_of_the_table(name, in_channels):
    text = TABLE[name][f"parameters_{in_channels}"]
    assert text.split()[0] == f"{size(on_paper(name, in_channels)):,}"
    assert ("at 128x128" in text) == (name in FIXED)


@pytest.mark.parametrize("side", [96, 256])
def test_maps_are_those_of_the_table(name, side):
    network = on_paper(name, side=side)
    height, width = network(torch.empty(2, 3, side, side, device="meta")).shape[2:]
    assert TABLE[name][f"map_{side}"] == f"{height}x{width}"


def test_sizes_are_those_of_the_table(name):
    network = on_paper(name)
    if network.side is None:
        assert TABLE[name]["sizes"] == f"any from {network.smallest_side}"
        return
    assert network.side == network.smallest_side == 128
    possible = [side for side in range(1, 129) if builds(name, side)]
    step = possible[0] // 2
    assert possible == list(range(2 * step, 129, step))
    assert TABLE[name]["sizes"] == f"one multiple of {step} from {2 * step}"


@pytest.mark.parametrize(
    ("name", "in_channels", "side", "expected"),
    [
        # The experiment log's, conditional.
        ("conv", 6, None, 77_953),
        ("rev", 6, None, 151_809),
        ("rev_norm", 6, None, 152_193),
        # The photo notes'.
        ("patch_shallow", 3, None, 174_817),
        ("patch_deep", 3, None, 368_801),
        ("patch_dilated", 3, None, 2_504_001),
        # The internship's, the lessons learned', Real-ESRGAN's.
        ("srgan", 3, 128, 38_245_569),
        ("srgan", 3, 64, 13_079_745),
        ("vgg128", 3, 128, 14_499_401),
        ("unet", 3, None, 4_376_897),
        # The fourth repository's: added up by hand, PatchGAN's without the biases that instance norm removes.
        ("srgan_flexible", 3, None, 5_215_425),
        ("patchgan", 3, None, 662_593),
        # DL-Art-School's: counted from the layers of the facts; see also the one without switches below.
        ("switched", 3, None, 51_016_577),
    ],
)
def test_parameter_counts(name, in_channels, side, expected):
    assert size(on_paper(name, in_channels, side)) == expected


def test_dilated_map_of_the_notes():
    """256 pixels are cut to 248 by the random shift; the judge's map has 31x31 cells."""
    assert on_paper("patch_dilated")(torch.empty(1, 3, 248, 248, device="meta")).shape == (1, 1, 31, 31)
    trimmed = on_paper("patch_shallow", trim=16)
    assert trimmed(torch.empty(1, 3, 252, 252, device="meta")).shape == (1, 1, 31, 31)
    assert trimmed.smallest_side == 132


# ---------------------------------------------------------------------------------------- receptive field


def transparent(name, side, **arguments):
    """The network, narrow, with positive weights and averages for maxima: no gradient is lost or cancelled."""
    config = OmegaConf.load(FILES[name])
    slim = {"features": 2} if "features" in config else {}
    slim |= {"hidden": 2} if "hidden" in config else {}
    slim |= {"branches": 2} if "branches" in config else {}
    slim |= {"spectral": False} if "spectral" in config else {}
    slim |= {"norm": "none"} if config.get("norm") in ("instance", "group") else {}
    if OmegaConf.is_list(config.get("layers")):
        slim["layers"] = [re.sub(r"x\d+", "x2", word) for word in config.layers]
    network = build(name, side=side, **(slim | arguments)).double().eval()
    for module in list(network.modules()):
        for key, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, key, nn.AvgPool2d(2))
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.1)
    return network


def receptive_field(network, side):
    """Largest square that a cell in the middle sees; of eight neighbours, as a U-Net's cells differ."""
    shown = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    verdict = network(shown)
    widest = 0
    for offset in range(min(8, verdict.shape[-1])):
        middle = verdict.shape[-1] // 2
        place = (middle + offset) % verdict.shape[-1]
        (gradient,) = torch.autograd.grad(verdict[0, :, place, place].sum(), shown, retain_graph=True)
        seen = gradient[0].abs().sum(dim=0) > 0
        rows, columns = (seen.any(dim=d).nonzero().flatten() for d in (1, 0))
        assert len(rows) == len(columns)
        widest = max(widest, int(rows[-1] - rows[0]) + 1)
    return widest


def test_receptive_fields_are_those_of_the_table(name):
    field = TABLE[name]["field"].split()[0]
    side = 64 if field == "all" else int(field) + 128  # far from the borders
    expected = side if field == "all" else int(field)
    assert receptive_field(transparent(name, side), side) == expected


def test_instance_norm_and_mean_see_the_whole_picture():
    assert TABLE["patchgan"]["field"] == "46 (all, through instance norm)"
    assert receptive_field(transparent("patchgan", 80, reduce="mean"), 80) == 80
    network = PatchGan(3, features=2).double()
    shown = torch.rand(1, 3, 96, 96, dtype=torch.float64, requires_grad=True)
    network(shown)[0, 0, 5, 5].backward()
    assert shown.grad.abs().sum(dim=1).count_nonzero() == 96 * 96


def test_patchgan_of_the_paper_sees_70_pixels():
    assert receptive_field(transparent("patchgan", 200, strides=[2, 2, 2, 1]), 200) == 70


# --------------------------------------------------------------------------------- which pixels a cell judges


def centres(network, side):
    """(column of the map, place of the middle of what it sees) for cells of the finest level that see no border."""
    shown = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    verdict = network(shown)
    middle = verdict.shape[-1] // 2
    found = []
    for column in range(max(0, middle - 8), min(verdict.shape[-1], middle + 8)):
        (gradient,) = torch.autograd.grad(verdict[0, -1, middle, column], shown, retain_graph=True)
        weight = gradient[0].abs().sum(dim=(0, 1))
        if weight[0] == weight[-1] == 0:
            found.append((column, ((torch.arange(side) + 0.5) * weight).sum().item() / weight.sum().item()))
    return found


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, {}) for name in NAMES),
        ("conv", {"strides": [3, 2]}),
        ("conv", {"strides": [1, 3, 3]}),
        ("patch_shallow", {"trim": 3}),
        ("patch_deep", {"trim": 1}),
        ("patch_shallow", {"trim": 3, "downsample": "stride"}),
        ("patch_deep", {"downsample": "strided_conv"}),
        ("patchgan", {"strides": [2, 2, 2, 1]}),
        ("patchgan", {"strides": [3, 2]}),
        ("patchgan", {"strides": [1]}),
        ("patchgan", {"reduce": "mean"}),
    ],
)
def test_cells_lie_where_the_network_says(name, arguments):
    """The middle of a cell's pixels is the middle of what it sees; half a pixel off at most, as both are integers."""
    whole = TABLE[name]["field"] == "all" or "reduce" in arguments
    side = 64 if whole else int(TABLE[name]["field"].split()[0]) + 128
    network = transparent(name, side, **arguments)
    if name == "unet_gan":  # what it has enlarged lies up to a coarse cell beside it: its own size says where it looks
        for parameter in network.ups[-1].reduce.parameters():
            nn.init.zeros_(parameter)
    cell, margin = cells_of(network)
    if name == "switched":  # where its finest map lies: the nearest neighbour shifts what comes from the coarser ones
        for key, parameter in network.up[-1].named_parameters():
            if ".reduce." in key:
                nn.init.zeros_(parameter)
    if whole:
        assert cell is None
        assert network(torch.ones(1, 3, side, side, dtype=torch.float64)).shape == (1, 1, 1, 1)
        assert receptive_field(network, side) == side
        return
    found = centres(network, side)
    assert len(found) >= 5
    for column, centre in found:
        assert abs(margin + (column + 0.5) * cell - centre) <= 0.5 + 1e-9, column


def test_cells_by_hand():
    """PatchGAN: 8 pixels apart, around 8, 16, ... 88 of 96; the log's: 16 apart, around the pixels 0, 16, ... 80."""
    assert cells_of(on_paper("patchgan")) == (8, 4)
    assert cells_of(on_paper("patchgan", strides=[2, 2, 2, 1])) == (8, 8)
    assert cells_of(on_paper("conv")) == cells_of(on_paper("rev")) == (16, -8)
    assert cells_of(on_paper("patch_shallow", trim=16)) == (4, 64)
    assert cells_of(on_paper("unet")) == (1, 0)
    assert cells_of(on_paper("pixdisc")) == (8, 0)  # 4x4 convolutions of stride 2, padded by 1: pixels 8 i to 8 i + 7
    assert cells_of(on_paper("unet_gan")) == (4, -2)  # 3x3 ones: around pixel 4 i


def test_every_cell_lies_in_the_picture_at_any_size(name):
    network = on_paper(name, **({"branches": 2} if name == "switched" else {}))
    first = network.smallest_side
    for side in range(first, first + (20 if network.side is None else 1), 5 if name in LEVELS else 1):
        size = network(torch.empty(1, 3, side, side, device="meta")).shape[2:]
        assert torch.equal(label_map(torch.ones(1, 1, side, side), size, cells_of(network)), torch.ones(1, 1, *size))


# ----------------------------------------------------------------------------- every network, as configured


@pytest.mark.parametrize("in_channels", [3, 6])
def test_gradient_reaches_every_parameter_and_the_picture(name, in_channels):
    side = working_side(name)
    network = build(
        name, in_channels, **narrow(name)
    ).eval()  # in training mode batch norm takes out the biases before it
    shown = torch.rand(2, in_channels, side, side, requires_grad=True)
    network(shown).square().mean().backward()
    assert (shown.grad.abs().sum(dim=(0, 2, 3)) > 0).all()
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle


def test_bf16_autocast_trains_finitely(name):
    side = working_side(name)
    network = build(name, **narrow(name)).to(memory_format=torch.channels_last)
    shown = torch.rand(2, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        verdict = network(shown)
        loss = F.softplus(verdict.float()).mean()
    loss.backward()
    assert verdict.shape[:2] == (2, LEVELS.get(name, 1))
    assert verdict.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    assert all(value.dtype != torch.bfloat16 for value in network.state_dict().values())


def test_verdicts_are_raw(name):
    """No sigmoid or other bound at the end: ten times the last weights give ten times the verdict."""
    side = working_side(name)
    network = build(name, **narrow(name)).eval()
    shown = torch.rand(1, 3, side, side)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    last = [m for m in layers if name in LEVELS and m.out_channels == 1] or layers[-1:]
    assert len(last) == LEVELS.get(name, 1)
    with torch.no_grad():
        before = network(shown)
        for parameter in (parameter for layer in last for parameter in layer.parameters()):
            parameter.mul_(-10)
        assert_close(network(shown), -10 * before)


ODD_MAPS = {  # of 37x41 pixels
    "conv": (3, 3),
    "rev": (3, 3),
    "rev_norm": (3, 3),
    "patch_shallow": (9, 10),
    "patch_deep": (9, 10),
    "patch_dilated": (4, 5),
    "patchgan": (3, 4),
    "unet": (37, 41),
    "pixdisc": (5, 6),
    "unet_gan": (10, 11),
    "srgan_flexible": (1, 1),
    "switched": (10, 11),
}


def test_odd_sizes(name):
    network = on_paper(name)
    shown = torch.empty(1, 3, 37, 41, device="meta")
    if name in FIXED:
        with pytest.raises(UserError, match="judges 128x128 pixels only but was shown 37x41"):
            network(shown)
    else:
        verdict = network(shown)
        assert verdict.numel() > 0
        assert verdict.shape[2:] == ODD_MAPS[name]


def test_the_smallest_side_works_for_a_single_picture_and_one_less_is_refused(name):
    network = build(name, **narrow(name)).train()
    side = network.smallest_side
    verdict = network(torch.rand(1, 3, side, side))
    assert verdict.shape[:2] == (1, LEVELS.get(name, 1))
    assert verdict.numel() > 0
    assert verdict.isfinite().all()
    if side > 1 and name not in FIXED:
        message = f"{type(network).__name__} needs at least {side}x{side} pixels but was shown {side}x{side - 1}; train"
        with pytest.raises(UserError, match=message):
            network(torch.rand(1, 3, side, side - 1))


@pytest.mark.parametrize("strides", [(1,), (2, 1), (3, 2), (2, 2, 2, 1), (4,)])
def test_smallest_side_of_other_strides(strides):
    for network in (PatchGan(1, 2, strides, norm="instance"), PatchGan(1, 2, strides, norm="none")):
        side = network.smallest_side
        assert network(torch.rand(1, 1, side, side)).shape == (1, 1, 1, 1)
        with pytest.raises(
            (RuntimeError, ValueError), match=r"Kernel size can't be greater|more than 1 spatial element"
        ):
            network.layers(torch.rand(1, 1, side - 1, side - 1))
    strided = Strided(1, 2, [*strides, 2, 2])
    seen = []
    for layer in strided.layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    for side, enough in ((strided.smallest_side, True), (strided.smallest_side - 1, False)):
        seen.clear()
        assert strided.layers(torch.rand(1, 1, side, side)).numel() > 0
        assert (min(seen) >= 2) == enough  # cells that the convolutions look at


def test_wrong_channels_are_refused(name):
    network = on_paper(name, in_channels=6)
    message = f"{type(network).__name__} judges 6 channels but was shown 3; build it with in_channels=3"
    with pytest.raises(UserError, match=message):
        network(torch.empty(1, 3, 128, 128, device="meta"))


# ------------------------------------------------------------------------------------------------- switched


def test_without_switches_it_is_the_u_net_of_the_lessons():
    """Whose 25,332,995 parameters have two heads more, of 8 and of 4 times 64 channels: conv, norm, conv with bias."""
    heads = sum(9 * width * width + 2 * width + 9 * width + 1 for width in (512, 256))
    assert size(on_paper("switched", branches=1)) + heads == 25_332_995


@pytest.mark.parametrize("side", [32, 37])
def test_without_switches_it_begins_and_judges_as_the_u_net_does(side):
    """Weights fit in the same places, biases are drawn as PyTorch does, its verdict is the finest of the three."""
    plain, other = build("switched", features=8, branches=1), build("unet_gan", features=8)
    assert all(m.bias.abs().max() > 0 for m in plain.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)
    other.stages.load_state_dict(plain.down.state_dict())
    other.ups.load_state_dict(plain.up.state_dict())
    other.verdicts[-1].load_state_dict(plain.verdict.state_dict())
    shown = torch.rand(1, 3, side, side)
    assert_close(plain(shown), other(shown)[:, 2:])


def test_switched_cools_and_remembers_use_at_updates_only():
    torch.manual_seed(0)
    network = build("switched", features=8, branches=3, cool_until=10)
    assert network.measures() == {}
    network(torch.rand(1, 3, 32, 32))
    assert [float(a.temperature) for a in attentions_of(network)] == [10, 10]
    assert [int(a.norm.seen) for a in attentions_of(network)] == [0, 0]
    network.at_update(5)
    assert [float(a.temperature) for a in attentions_of(network)] == [5.5, 5.5]
    assert [int(a.norm.seen) for a in attentions_of(network)] == [1, 1]
    assert network.measures().keys() == {
        "switch_temperature",
        *(f"switch_{number}_{what}" for number in (1, 2) for what in ("specificity", "busiest")),
    }


def test_switched_refuses_what_it_cannot_be():
    assert refusal(Switched, 3, branches=0) == "Switched needs branches of at least 1, not 0; choose 1 or more."
    assert refusal(Switched, 3, 64, temperature=0.5) == (
        "temperature=0.5 must be a number from 1 on; take 1 for no annealing."
    )
    assert "norm=batch is not one of group or none" in refusal(Switched, 3, norm="batch")


# ---------------------------------------------------------------------------------------- what is between


def kinds(network):
    return "".join(
        {"Conv2d": "c", "ReLU": "r", "Dropout2d": "d", "BatchNorm2d": "b"}[type(m).__name__] for m in network
    )


def test_dropout_and_batch_norm_follow_the_relu_of_convolutions_2_3_4():
    assert kinds(build("conv").layers) == "crcrcrc"
    assert kinds(build("rev").layers) == "cr" + 3 * "crd" + "crc"
    assert kinds(build("rev_norm").layers) == "cr" + 3 * "crb" + "crc"
    assert kinds(Strided(3, strides=(2, 2, 2, 2), between="batch").layers) == "cr" + 2 * "crb" + "c"


def test_dropout_is_for_training_only():
    network = build("rev")
    shown = torch.rand(2, 3, 32, 32)
    assert not torch.equal(network(shown), network(shown))
    network.eval()
    assert torch.equal(network(shown), network(shown))


def test_dropout_of_patch_is_optional_and_for_training_only():
    network = Patch(3, ["3x8", "pool", "3x8"], dropout=0.5)
    assert sum(isinstance(m, nn.Dropout) for m in network.layers) == 2
    assert not any(isinstance(m, nn.Dropout) for m in Patch(3, ["3x8"]).layers)
    shown = torch.rand(2, 3, 16, 16)
    assert not torch.equal(network(shown), network(shown))
    network.eval()
    assert torch.equal(network(shown), network(shown))


@pytest.mark.parametrize("network", [Srgan(3, 32, features=8, hidden=4), UNet(3, features=8)])
def test_spectral_norm_moves_its_vectors_in_training_only_and_ends_at_one(network):
    vectors = {key: value for key, value in network.state_dict().items() if key.endswith(("._u", "._v"))}
    assert len(vectors) == 2 * 8
    shown = torch.rand(2, 3, 32, 32)
    before = {key: value.clone() for key, value in vectors.items()}
    network.eval()(shown)
    assert all(torch.equal(before[key], value) for key, value in vectors.items())
    network.train()
    for _ in range(200):
        network(shown)
    assert not any(torch.equal(before[key], value) for key, value in vectors.items())
    network.eval()
    normed = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d) and hasattr(m, "parametrizations")]
    for weight in normed:
        largest = torch.linalg.svdvals(weight.flatten(1))[0]
        assert 0.98 < largest < 1.02  # power iteration comes near slowly where two singular values are close


def test_patchgan_starts_as_the_papers_do():
    network = PatchGan(3)
    convs = [m for m in network.layers if isinstance(m, nn.Conv2d)]
    assert all(0.019 < conv.weight.std() < 0.021 for conv in convs)
    assert all(conv.bias is None or conv.bias.abs().max() == 0 for conv in convs)


# ------------------------------------------------------------------------- numbers, against plain functions


def normalised(x, dims, weight=None, bias=None):
    """(x - mean) / sqrt(variance + 1e-5) over ``dims``, then scale and shift per channel."""
    x = (x - x.mean(dim=dims, keepdim=True)) / (x.var(dim=dims, keepdim=True, unbiased=False) + 1e-5).sqrt()
    return x if weight is None else x * weight[:, None, None] + bias[:, None, None]


def leaky(x, slope):
    return torch.where(x > 0, x, slope * x)


def weights_of(network):
    return iter([parameter.detach() for parameter in network.parameters()])


def scrambled(network):
    """Weights large enough that every layer tells on the result; norms with a scale and shift of their own."""
    for parameter in network.parameters():
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        nn.init.normal_(parameter, std=(2 / fan) ** 0.5 if fan > 1 else 0.5)
    return network.double()


def test_strided_with_batch_norm():
    network = scrambled(Strided(2, 5, (2, 2, 1, 1, 2, 2), between="batch"))
    shown = torch.rand(3, 2, 19, 24, dtype=torch.float64)
    weights = weights_of(network)
    x = shown * 2 - 1
    for index, stride in enumerate((2, 2, 1, 1, 2, 2)):
        x = F.conv2d(x, next(weights), next(weights), stride=stride, padding=1)
        x = x.clamp(min=0) if index < 5 else x
        x = normalised(x, (0, 2, 3), next(weights), next(weights)) if index in (1, 2, 3) else x
    assert x.shape == (3, 1, ceil(19 / 16), ceil(24 / 16))
    assert_close(network(shown), x)


def test_patch_with_dilation_pool_and_trim():
    network = scrambled(Patch(2, ["5x4", "pool", "3x6d2", "1x3"], negative_slope=0.3, trim=2))
    shown = torch.rand(2, 2, 21, 26, dtype=torch.float64)
    weights = weights_of(network)
    x = shown
    for padding, dilation, pooled in ((2, 1, True), (2, 2, False), (0, 1, False)):
        x = F.conv2d(F.pad(x, [padding] * 4), next(weights), dilation=dilation)
        x = leaky(normalised(x, (0, 2, 3), next(weights), next(weights)), 0.3)
        if pooled:
            x = x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
            x = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax(dim=(3, 5))
    x = F.conv2d(x, next(weights), next(weights))
    assert x.shape == (2, 1, 10, 13)
    assert_close(network(shown), x[..., 2:8, 2:11])


@pytest.mark.parametrize(("downsample", "strides"), [("stride", (2, 1)), ("strided_conv", (1, 2, 1))])
def test_patch_with_strides_instead_of_pools(downsample, strides):
    network = scrambled(Patch(2, ["5x4", "pool", "3x6"], norm="none", trim=1, downsample=downsample))
    shown = torch.rand(2, 2, 21, 26, dtype=torch.float64)
    weights = weights_of(network)
    x = shown
    for stride in strides:
        kernel = next(weights)
        x = leaky(F.conv2d(x, kernel, next(weights), stride=stride, padding=kernel.shape[-1] // 2), 0.1)
    x = F.conv2d(x, next(weights), next(weights))
    assert x.shape == (2, 1, 11, 13)
    assert_close(network(shown), x[..., 1:10, 1:12])


@pytest.mark.parametrize("downsample", ["stride", "strided_conv"])
def test_strided_patches_say_which_sizes_fit_and_where_cells_lie(downsample):
    """An extra convolution costs more: 32, 64 channels in and out; a stride costs nothing."""
    network = on_paper("patch_shallow", downsample=downsample)
    extra = (9 * (32**2 + 64**2) + 2 * (32 + 64)) if downsample == "strided_conv" else 0
    assert size(network) == 174_817 + extra
    assert cells_of(network) == (4, -2)
    first = network.smallest_side
    for side in range(first, first + 9):
        shape = network(torch.empty(1, 3, side, side, device="meta")).shape[2:]
        assert torch.equal(label_map(torch.ones(1, 1, side, side), shape, cells_of(network)), torch.ones(1, 1, *shape))
    judge = Patch(3, ["3x4", "pool", "3x4"], downsample=downsample).train()
    assert judge(torch.rand(1, 3, judge.smallest_side, judge.smallest_side)).isfinite().all()


def test_patch_by_hand():
    network = Patch(1, ["1x1", "pool"], norm="none")
    for parameter, value in zip(network.parameters(), (2.0, -1.0, 3.0, 0.5), strict=True):
        nn.init.constant_(parameter, value)
    # 2x - 1 = -0.8 .. -0.2; times the slope 0.1; the largest is -0.02; 3 * -0.02 + 0.5
    shown = torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]])
    assert_close(network(shown), torch.full((1, 1, 1, 1), 0.44))


def test_srgan_without_spectral_norm():
    network = scrambled(Srgan(3, 32, features=3, hidden=5, spectral=False))
    shown = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    weights = weights_of(network)
    x = leaky(F.conv2d(shown * 2 - 1, next(weights), next(weights), padding=1), 0.01)
    for stride in (2, 1, 2, 1, 2, 1, 2):
        x = F.conv2d(x, next(weights), next(weights), stride=stride, padding=1)
        x = leaky(normalised(x, (0, 2, 3), next(weights), next(weights)), 0.01)
    assert x.shape == (2, 24, 2, 2)
    x = leaky(x.reshape(2, 96) @ next(weights).T + next(weights), 0.01) @ next(weights).T + next(weights)
    assert_close(network(shown), x.reshape(2, 1, 1, 1))


def test_srgan_flexible():
    network = scrambled(SrganFlexible(3, features=3))
    assert [m.out_channels // 3 for m in network.layers if isinstance(m, nn.Conv2d)] == [1, 1, 2, 2, 4, 4, 8, 8]
    shown = torch.rand(2, 3, 9, 12, dtype=torch.float64)
    weights = weights_of(network)
    x = leaky(F.conv2d(shown, next(weights), next(weights), padding=1), 0.2)
    for _ in range(7):
        x = F.conv2d(x, next(weights), next(weights), padding=1)
        x = leaky(normalised(x, (0, 2, 3), next(weights), next(weights)), 0.2)
    x = x.mean(dim=(2, 3), keepdim=True)
    x = F.conv2d(leaky(F.conv2d(x, next(weights), next(weights)), 0.2), next(weights), next(weights))
    assert_close(network(shown), x)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_vgg128(norm):
    network = scrambled(Vgg128(3, 64, features=8, norm=norm))
    shown = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    weights = weights_of(network)

    def norm_and_leaky(x):
        if norm == "batch":
            return leaky(normalised(x, (0, 2, 3), next(weights), next(weights)), 0.2)
        x = normalised(x.unflatten(1, (8, -1)), (2, 3, 4)).flatten(1, 2)
        return leaky(x * next(weights)[:, None, None] + next(weights)[:, None, None], 0.2)

    x = leaky(F.conv2d(shown, next(weights), next(weights), padding=1), 0.2)
    for stage in range(5):
        x = norm_and_leaky(F.conv2d(x, next(weights), padding=1)) if stage else x
        x = norm_and_leaky(F.conv2d(x, next(weights), stride=2, padding=1))
    x = leaky(x.reshape(2, 256) @ next(weights).T + next(weights), 0.2) @ next(weights).T + next(weights)
    assert_close(network(shown), x.reshape(2, 1, 1, 1))


@pytest.mark.parametrize("reduce", ["none", "mean"])
def test_patchgan(reduce):
    network = scrambled(PatchGan(3, features=3, strides=(2, 2, 2, 1, 1), reduce=reduce))
    widths = [m.out_channels for m in network.layers if isinstance(m, nn.Conv2d)]
    assert widths == [3, 6, 12, 24, 24, 1]
    shown = torch.rand(2, 3, 45, 50, dtype=torch.float64)
    weights = weights_of(network)
    x = leaky(F.conv2d(shown * 2 - 1, next(weights), next(weights), stride=2, padding=1), 0.2)
    for stride in (2, 2, 1, 1):
        x = leaky(normalised(F.conv2d(x, next(weights), stride=stride, padding=1), (2, 3)), 0.2)
    x = F.conv2d(x, next(weights), next(weights), padding=1)
    assert x.shape == (2, 1, 2, 3)
    assert_close(network(shown), x if reduce == "none" else x.mean(dim=(2, 3), keepdim=True))


def bilinear(before, after):
    """(after, before) matrix of half-pixel bilinear interpolation, borders repeated."""
    matrix = torch.zeros(after, before, dtype=torch.float64)
    for row in range(after):
        place = max(0.0, (row + 0.5) * before / after - 0.5)
        left = int(place)
        matrix[row, left] += 1 - (place - left)
        matrix[row, min(left + 1, before - 1)] += place - left
    return matrix


def test_unet_on_odd_sizes():
    network = scrambled(UNet(3, features=2, spectral=False))
    weights = dict(network.named_parameters())
    shown = torch.rand(2, 3, 13, 18, dtype=torch.float64)
    maps = [leaky(F.conv2d(shown, weights["first.weight"], weights["first.bias"], padding=1), 0.2)]
    for level in range(3):
        maps.append(leaky(F.conv2d(maps[-1], weights[f"down.{level}.weight"], stride=2, padding=1), 0.2))
    x = maps.pop()
    for level in range(3):
        skip = maps.pop()
        rows, columns = (bilinear(x.shape[d], skip.shape[d]) for d in (2, 3))
        x = leaky(F.conv2d(rows @ x @ columns.T, weights[f"up.{level}.weight"], padding=1), 0.2) + skip
    for index in range(2):
        x = leaky(F.conv2d(x, weights[f"refine.{index}.weight"], padding=1), 0.2)
    x = F.conv2d(x, weights["last.weight"], weights["last.bias"], padding=1)
    assert x.shape == (2, 1, 13, 18)
    assert_close(network(shown), x)


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_levels_weigh_the_same_and_gradients_have_gradients(name):
    """Coarse cells are repeated up to the finest, and group norm can be differentiated twice, as penalties need."""
    network = build(name, features=8)
    shown = torch.rand(1, 3, 64, 64, requires_grad=True)
    verdict = network(shown)
    for level, times in enumerate((4, 2)):
        coarse = verdict[:, level : level + 1, ::times, ::times]
        assert torch.equal(F.interpolate(coarse, scale_factor=times), verdict[:, level : level + 1])
    (gradient,) = torch.autograd.grad(verdict.sum(), shown, create_graph=True)
    gradient.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    assert all(p.grad.abs().sum() > 0 for p in network.stages[1].parameters())


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_odd_sides_are_padded_by_their_last_pixels(name):
    network = build(name, features=8).eval()
    shown = torch.rand(1, 3, 40, 50)
    whole = F.pad(shown, (0, 14, 0, 24), mode="replicate")
    with torch.no_grad():
        expected = network(whole)[..., : math.ceil(40 / network.cell), : math.ceil(50 / network.cell)]
        assert torch.equal(network(shown), expected)


def test_pools_make_the_dilated_judge_follow_shifts_of_8_pixels():
    """Photo notes, part T: three pools, so a shift by 8 pixels shifts the map by one cell, away from borders."""
    network = build("patch_dilated", layers=["5x4", "pool", "3x4d2", "pool", "3x4", "pool"]).eval()
    picture = torch.rand(1, 3, 104, 104)
    with torch.no_grad():
        here, there = network(picture[..., :96, :96]), network(picture[..., 8:, 8:])
    assert_close(here[..., 4:9, 4:9], there[..., 3:8, 3:8])


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Strided(0), "Strided needs in_channels of at least 1, not 0; choose 1 or more"),
        (lambda: Strided(3, features=-1), "Strided needs features of at least 1, not -1"),
        (lambda: Strided(3, strides=[2]), r"2 or more strides of at least 1, not \[2\]; \[2, 2\] would do"),
        (lambda: Strided(3, strides=[2, 0, 2]), r"not \[2, 0, 2\]; \[2, 2, 2\] would do"),
        (lambda: Strided(3, dropout=1.0), r"dropout from 0 to below 1, not 1.0; choose 0.5"),
        (lambda: Patch(3, ["3x8"], dropout=-0.1), r"dropout from 0 to below 1, not -0.1; choose 0.0"),
        (lambda: Patch(3, ["3-64"]), "cannot read the layer '3-64'; write kernel x channels as in '3x64'"),
        (lambda: Patch(3, ["4x64"]), "even kernel of '4x64'; choose an odd one, such as '5x64'"),
        (lambda: Patch(3, ["0x64d4"]), "even kernel of '0x64d4'; choose an odd one, such as '1x64d4'"),
        (lambda: Patch(3, ["3x0"]), "channels in '3x0' of at least 1, not 0"),
        (lambda: Patch(3, ["3x8d0"]), "dilation in '3x8d0' of at least 1, not 0"),
        (
            lambda: Patch(3, ["3x8", "pool", "pool"], downsample="stride"),
            "lets the convolution before each 'pool' halve, and one of them has none of its own; choose downsample=",
        ),
        (lambda: Patch(3, ["3x8"], trim=-2), "cannot trim -2 cells; choose trim=0"),
        (lambda: Patch(3, ["3x13"], norm="group"), "multiples of 8, not 13; choose 16 or another norm"),
        (lambda: Srgan(3, 100), "side is a multiple of 16 from 32 on, not 100; choose crops so that 96 pixels"),
        (lambda: Srgan(3, 16), "multiple of 16 from 32 on, not 16; choose crops so that 32 pixels"),
        (lambda: Srgan(3, 64, hidden=0), "Srgan needs hidden of at least 1, not 0"),
        (lambda: SrganFlexible(3, layers=0), "SrganFlexible needs layers of at least 1, not 0"),
        (lambda: Vgg128(3, 150), "side is a multiple of 32 from 64 on, not 150; choose crops so that 160 pixels"),
        (lambda: Vgg128(3, 64, features=4, norm="group"), "Vgg128 with norm=group needs channels in multiples of 8"),
        (lambda: PatchGan(3, strides=[]), r"PatchGan needs 1 or more strides of at least 1, not \[\]; \[2\] would do"),
        (lambda: UNet(3, features=0), "UNet needs features of at least 1, not 0"),
    ],
)
def test_bad_arguments_are_quoted_with_a_way_out(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("kind", "key", "wrong", "message"),
    [
        (Strided, "between", "bach", "between=bach is not one of none, dropout or batch; did you mean batch?"),
        (Patch, "norm", "Batch", "norm=Batch is not one of batch, none or group; did you mean batch?"),
        (PatchGan, "norm", "instanse", "norm=instanse is not one of instance, batch or none; did you mean instance?"),
        (PatchGan, "reduce", "max", "reduce=max is not one of none or mean; choose one of them."),
        (Vgg128, "norm", "none", "norm=none is not one of batch or group; choose one of them."),
    ],
)
def test_unknown_choices_are_refused_with_the_possible_ones(kind, key, wrong, message):
    arguments = {"layers": ["3x8"]} if kind is Patch else {"side": 64} if kind is Vgg128 else {}
    assert refusal(kind, 3, **arguments, **{key: wrong}) == message
    for choice in get_args(inspect.signature(kind).parameters[key].annotation):
        kind(3, **{"features": 8} if kind is not Patch else {}, **arguments, **{key: choice})


@pytest.mark.parametrize(("make", "side"), [(lambda: Srgan(3, 100), 96), (lambda: Vgg128(3, 20), 64)])
def test_a_refused_side_comes_with_the_nearest_for_the_program_too(make, side):
    with pytest.raises(SideError) as error:
        make()
    assert error.value.side == side


def test_networks_of_one_size_keep_the_names_in_their_files():
    """As saved before they shared their ends: convolutions and norms by place, then the two linear layers."""
    for network, convolutions in (
        (Vgg128(3, 64, features=2), [0, 2, 5, 8, 11, 14, 17, 20, 23, 26]),
        (Srgan(3, 32, features=2, hidden=2, spectral=False), [0, 2, 5, 8, 11, 14, 17, 20]),
    ):
        keys = list(network.state_dict())
        found = [
            int(key.split(".")[1]) for key in keys if key.startswith("layers.") and network.state_dict()[key].dim() == 4
        ]
        assert found == convolutions
        assert keys[:2] == ["layers.0.weight", "layers.0.bias"]
        assert keys[-4:] == ["verdict.0.weight", "verdict.0.bias", "verdict.2.weight", "verdict.2.bias"]


def test_networks_of_one_size_refuse_others_with_both_numbers():
    for network in (Srgan(3, 32, features=2, hidden=2), Vgg128(3, 64, features=2)):
        side = network.side
        for height, width in pairwise((side, side + 32, side)):
            message = f"judges {side}x{side} pixels only but was shown {height}x{width}; show it that size"
            with pytest.raises(UserError, match=message):
                network(torch.rand(1, 3, height, width))
