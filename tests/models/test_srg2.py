"""SRG2: the sizes of the facts, its start, its multiplexer's sizes, what training and checkpointing do to it."""

import pytest
import torch

from sr.models.files import load_network, save_network
from sr.models.multiplexer import Multiplexer
from sr.models.srg2 import Srg2
from sr.models.switch_computer import SwitchComputer
from sr.switches.switch import Attention
from sr.switches.temperature import Annealing
from sr.switches.watching import attentions_of
from tests.choices import refusal
from tests.close import assert_close

MINIATURE = {"features": 16, "depth": 2, "branches": 3, "layers": 2, "multiplexer_features": 8, "reductions": 2}


def miniature(**changed):
    torch.manual_seed(0)
    return Srg2(2, **(MINIATURE | {"processing": 1} | changed))


@pytest.mark.parametrize(
    ("scale", "reductions", "expected"),
    [(4, 4, 200_657_771), (2, 4, 200_620_843), (4, 3, 56_976_235), (4, 2, 21_049_195)],
)
def test_sizes_of_the_facts(scale, reductions, expected):
    """200.7, 57.0 and 21.0 million with the author's other settings."""
    with torch.device("meta"):
        network = Srg2(scale, reductions=reductions)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_multiplexer_narrows_as_the_facts_say():
    """64, 36, 20 and 8 channels."""
    with torch.device("meta"):
        narrow = Multiplexer(64, 64, 1, 0, 8).narrow
    assert [unit[0].out_channels for unit in narrow] == [36, 20, 8]
    assert narrow[-1][0].bias is not None
    assert type(narrow[-1][-1]).__name__ == "SiLU"


def test_logits_end_in_silu():
    """So none is below its least value, -0.278."""
    made = Multiplexer(4, 8, 2, 1, 3)(10 * torch.randn(1, 4, 9, 7))
    assert made.shape == (1, 3, 9, 7)
    assert made.min() >= -0.2785


def test_flat_multiplexer_chooses_for_squares():
    made = Multiplexer(4, 8, 2, 1, 3, shape="flat")(torch.randn(1, 4, 10, 8))
    assert made.shape == (1, 3, 10, 8)
    assert torch.equal(made[..., :4, :4], made[..., :1, :1].expand(1, 3, 4, 4))
    assert not torch.equal(made[..., 3, 0], made[..., 4, 0])


def test_any_size_is_what_its_mirrored_continuation_gives():
    multiplexer = Multiplexer(4, 8, 2, 1, 3).eval()
    features = torch.randn(1, 4, 6, 7)
    longer = torch.cat([features, features[..., [5]]], dim=-1)  # the last column but one, mirrored
    longer = torch.cat([longer, longer[..., [4, 3], :]], dim=-2)
    assert_close(multiplexer(features), multiplexer(longer)[..., :6, :7])


def test_low_start_leaves_the_mainline_to_the_last_convolution():
    """Branches begin at a ten-thousandth and less; with `scalar` the switch begins at a tenth of all they make."""
    x = torch.randn(1, 16, 12, 12)
    low, scalar = (miniature(start=start, layers=4).switches[0] for start in ("low", "scalar"))
    assert low.alpha.item() == 1
    assert scalar.alpha.item() == pytest.approx(0.1)
    with torch.no_grad():
        low.beta.zero_()
        scalar.beta.zero_()
        assert (low(x) - x).std() < 1e-3 * x.std()
        assert (scalar(x) - x).std() > 1e-2 * x.std()


def test_what_branches_see_reaches_the_mainline_through_the_switch_alone():
    computer = SwitchComputer(8, Attention(2, Annealing(), False), Multiplexer(8, 8, 1, 0, 2))
    seen, identity = torch.randn(2, 8, 6, 6).split(1)
    with torch.no_grad():
        computer.alpha.zero_()
        computer.beta.zero_()
        assert torch.equal(computer(seen, identity), identity)


def test_noise_is_for_training_alone():
    network, lr = miniature(add_noise=True), torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        for switch in network.switches:
            switch.noise.fill_(100.0)
        assert not torch.equal(network(lr), network(lr))
        network.eval()
        assert torch.equal(network(lr), network(lr))


@pytest.mark.parametrize("settings", [{"add_noise": True, "attention_norm": True}, {"multiplexer_norm": "batch"}])
def test_checkpointing_changes_neither_gradients_nor_buffers(settings):
    """Also where an update has a pass without gradient, of other pictures."""
    lr, gradients, buffers = torch.rand(1, 3, 9, 8), [], []
    for checkpointing in (False, True):
        network = miniature(checkpointing=checkpointing, **settings)
        torch.manual_seed(1)
        network(lr).square().mean().backward()
        gradients.append([p.grad for p in network.parameters()])
        with torch.no_grad():
            network(torch.zeros_like(lr))
        network.at_update(1)
        buffers.append(list(network.buffers()))
    for plain, again in zip(*gradients, strict=True):
        assert_close(again, plain)
    for plain, again in zip(*buffers, strict=True):
        assert_close(again.float(), plain.float())


def test_a_file_brings_the_temperature():
    network = miniature(cool_until=10)
    network.at_update(5)
    other = miniature(cool_until=10)
    other.load_state_dict(network.state_dict())
    assert [float(a.temperature) for a in attentions_of(other)] == [10.5, 10.5]


@pytest.mark.parametrize(
    "settings",
    [{"cool_until": 50_000}, {"temperature": 1e9, "cool_until": 10**9}, {"coldest": 0.5, "coldest_at": 10**6}],
)
def test_a_file_of_a_small_network_that_cools_slowly_is_read(settings, tmp_path):
    """Times and degrees may be larger than its number of weights: they need no memory."""
    sizes = {"features": 8, "depth": 1, "branches": 2, "layers": 2, "multiplexer_features": 8, "reductions": 1}
    network = Srg2(2, **sizes, **settings)
    assert sum(p.numel() for p in network.parameters()) < network.switches[0].attention.annealing.cool_until
    config = {"_target_": "sr.models.srg2.Srg2", "scale": 2, **sizes, **settings}
    save_network(tmp_path / "x.safetensors", network, config, {})
    loaded, _ = load_network(tmp_path / "x.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_impossible_settings_are_refused():
    assert refusal(Srg2, 2, features=0) == "Srg2 needs features and depth of at least 1, not 0 and 4; choose 64 and 4."
    assert "not multiplexer_features=12 for 8 branches; choose 16." in refusal(Srg2, 2, multiplexer_features=12)
    assert "not layers=1 and kernel=3; choose 4 and 3." in refusal(Srg2, 2, layers=1)
    assert "reductions=-1 and processing=2 must be at least 0" in refusal(Srg2, 2, reductions=-1)
    assert "multiplexer=u_net is not one of unet or flat; did you mean unet?" in refusal(
        Multiplexer, 8, 8, 1, 1, 2, shape="u_net"
    )
