"""References: joined low, by the mask's place, and never in the mainline of the lessons."""

import pytest
import torch

from sr.models.reference import ReferenceImageBranch, ReferenceJoinBlock, RefJoiner, middle, own_reference
from sr.models.spsr_switched import SpsrSwitched
from tests.choices import refusal
from tests.close import assert_close

SMALL = {"features": 8, "branches": 4, "multiplexer_features": 8, "reference": 16}


def small(**changed):
    torch.manual_seed(0)
    return SpsrSwitched(2, **(SMALL | changed))


def size(network):
    return sum(p.numel() for p in network.parameters())


def test_sizes_by_hand():
    """C = 64: three convolutions 128 to 96 to 96 to 64, a number, one 64 to 64; Linear 512 to 256 to 64 before it."""
    block = 9 * (128 * 96 + 96 * 96 + 96 * 64) + 1 + 9 * 64 * 64
    with torch.device("meta"):
        assert size(ReferenceJoinBlock(64, 0.1)) == block
        assert size(RefJoiner(512, 64)) == block + 512 * 256 + 256 + 256 * 64 + 64
        assert [size(SpsrSwitched(scale)) for scale in (4, 2)] == [70_410_598, 70_336_806]


def test_a_join_starts_as_its_convolution_alone():
    torch.manual_seed(0)
    block, features = ReferenceJoinBlock(8, 0.01), torch.randn(1, 8, 6, 6)
    with torch.no_grad():
        expected = torch.nn.functional.leaky_relu(block.join(features), 0.1)
        assert_close(block(features, torch.randn(1, 8, 6, 6)), expected)
        block.scale.fill_(1e4)
        assert (block(features, torch.randn(1, 8, 6, 6)) - expected).abs().max() > 1e-2
    assert block.measured is not None


def test_middle_of_a_mask():
    """Rows 2 and 3, columns 4 to 6: the middle lies at row 3.0 and in column 5; of an empty mask in the middle."""
    masks = torch.zeros(2, 8, 8)
    masks[0, 2:4, 4:7] = 1
    assert middle(masks, 1).tolist() == [3, 4]
    assert middle(masks, 2).tolist() == [5, 4]


def test_the_vector_is_of_the_place_of_the_mask():
    torch.manual_seed(0)
    branch = ReferenceImageBranch(8).eval()
    reference = torch.rand(1, 4, 32, 32)
    reference[:, 3] = 0
    reference[:, 3, 9:15, 25:31] = 1
    with torch.no_grad():
        seen = []
        branch.process.register_forward_hook(lambda _, __, made: seen.append(made))
        vector = branch(reference)
    assert vector.shape == (1, 64)
    assert torch.equal(vector, seen[0][:, :, 1, 3])


def test_a_picture_is_its_own_reference_where_none_is_given():
    network, lr = small().eval(), torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        own = network(lr)
        given = network(lr, own_reference(lr, 16))
        other = network(lr, torch.rand(1, 4, 16, 16))
    assert torch.equal(own.sr, given.sr)
    assert not torch.equal(own.sr, other.sr)


def test_own_reference_is_shrunk_by_area():
    """3 pixels to 2: the first has all of pixel 0 and half of pixel 1. Whole factors are PyTorch's area."""
    lr = torch.tensor([0.0, 0.3, 0.9]).expand(1, 3, 3, 3)
    assert_close(own_reference(lr, 2)[0, 0], torch.tensor([0.1, 0.7]).expand(2, 2))
    lr = torch.rand(1, 3, 32, 16)
    made = own_reference(lr, 8)
    assert_close(made[:, :3], torch.nn.functional.interpolate(lr, (8, 8), mode="area"))
    assert torch.equal(made[:, 3], torch.ones(1, 8, 8))


def trunks(network, lr):
    """The mainline for two references and two noises."""
    seen = []
    hook = network.final_lr.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for _ in range(2):
            network(lr, torch.rand(1, 4, 16, 16))
    hook.remove()
    return seen


def silence(network):
    for switch in (network.switch1, network.switch2, network.switch_joint, network.switch_gradient):
        torch.nn.init.zeros_(switch.alpha)
        torch.nn.init.zeros_(switch.beta)


def test_mainline_is_x0_where_switches_are_silent():
    """The lessons' invariant: neither reference nor noise is in it; only branches have them."""
    network, lr = small().train(), torch.rand(1, 3, 12, 10)
    one, other = trunks(network, lr)
    assert not torch.equal(one, other)
    silence(network)
    one, other = trunks(network, lr)
    with torch.no_grad():
        x0 = network.first(lr)
    assert torch.equal(one, x0)
    assert torch.equal(other, x0)


def test_a_polluted_mainline_carries_them():
    network, lr = small(mainline="polluted").train(), torch.rand(1, 3, 12, 10)
    silence(network)
    one, other = trunks(network, lr)
    assert not torch.equal(one, other)


def test_biases_and_norms_are_where_the_lessons_have_them():
    network = small()
    without = [network.gradient_first, *network.gradient_up, network.last, network.switch1.before]
    assert all(conv.bias is None for conv in without)
    biased = [
        *network.gradient_lr,
        network.gradient_last,
        network.final_lr,
        *network.up,
        network.hr,
        network.switch1.after,
    ]
    assert all(conv.bias is not None for conv in biased)
    normed = {name.split(".")[0] for name, part in network.named_modules() if isinstance(part, torch.nn.GroupNorm)}
    assert normed == {"vector", "switch1", "switch2", "switch_gradient", "switch_joint"}
    inside = {name.split(".")[1] for name, part in network.named_modules() if isinstance(part, torch.nn.GroupNorm)}
    assert inside == {"down", "first", "process", "multiplexer"}


def test_deviations_of_joins_are_measured():
    network = small()
    network(torch.rand(1, 3, 8, 8))
    names = [name for name in network.measures() if name.endswith("branch_std_dev")]
    assert names == [
        *(f"{name}_branch_std_dev" for name in ("noise", "gradient", "joint")),
        *(f"reference_{number}_branch_std_dev" for number in (1, 2, 3, 4)),
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": 12}, "SpsrSwitched needs features in multiples of 8, not 12; choose 64."),
        ({"branches": 2}, "SpsrSwitched needs at least 4 branches, of which gradients get half, not 2."),
        ({"reference": 20}, "reference=20 must be a multiple of 8 pixels from 16 to 1024; choose 16."),
        ({"reference": 80_000}, "reference=80000 must be a multiple of 8 pixels from 16 to 1024; choose 1024."),
        ({"mainline": "dirty"}, "mainline=dirty is not one of clean or polluted; choose one of them."),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    assert refusal(SpsrSwitched, 2, **settings) == message
