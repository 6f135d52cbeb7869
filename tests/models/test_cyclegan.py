"""CycleGAN's generators against the facts of the fourth seed, layer by layer."""

import pytest
import torch
from torch import nn

from sr.inference.engines.choosing import operations_per_pixel
from sr.inference.memory import bytes_per_pixel
from sr.models.cyclegan import CycleGan
from sr.models.translators import generator_to, is_translator


def size(network):
    return sum(p.numel() for p in network.parameters())


def conv(kernel, before, after):
    return kernel * kernel * before * after + after


def by_hand(features, blocks, halvings, up=4):
    """conv7 3->h; conv3 to twice the channels a halving; two conv3 a block; conv3 to (c/2)*4 a shuffle; conv7 h->3."""
    widths = [features * 2**i for i in range(halvings + 1)]
    total = conv(7, 3, features) + conv(7, features, 3)
    total += sum(conv(3, w, 2 * w) + conv(3, 2 * w, up * w) for w in widths[:-1])
    return total + blocks * 2 * conv(3, widths[-1], widths[-1])


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"features": 64, "blocks": 9, "halvings": 2}, 12_484_675),  # model 1
        ({}, 2_186_211),  # model 2
        ({"blocks": 4}, 3_514_083),  # what the author wished for
    ],
)
def test_parameter_counts(arguments, count):
    network = CycleGan(1, **arguments)
    whole = {"features": 96, "blocks": 2, "halvings": 1} | arguments
    assert size(network.to_a) == size(network.to_b) == by_hand(**whole) == count


@pytest.mark.parametrize("upsampler", ["transposed", "resize"])
def test_the_other_enlargements_need_a_quarter_of_the_last_weights(upsampler):
    assert size(CycleGan(1, upsampler=upsampler).to_b) == by_hand(96, 2, 1, up=1) == 1_688_259


def test_weights_begin_as_the_seed_has_them():
    torch.manual_seed(0)
    for layer in CycleGan(1, features=64).modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
            assert float(layer.weight.detach().mean().abs()) < 2e-3
            assert not layer.bias.any()
        if isinstance(layer, nn.InstanceNorm2d):
            assert not layer.affine


@pytest.mark.parametrize("upsampler", ["shuffle", "transposed", "resize"])
@pytest.mark.parametrize("sides", [(1, 1), (3, 5), (17, 1), (23, 31), (64, 64)])
def test_any_size_comes_back(upsampler, sides):
    network = CycleGan(1, features=4, halvings=2, upsampler=upsampler).eval()
    with torch.no_grad():
        made = network(torch.rand(2, 3, *sides))
    assert made.shape == (2, 3, *sides)
    assert made.min() >= 0
    assert made.max() <= 1


def test_sides_that_no_halving_divides_equal_a_picture_padded_by_hand():
    network = CycleGan(1, features=4, halvings=2).eval()
    picture = torch.rand(1, 3, 13, 18)
    by_hand = nn.functional.pad(picture, (0, 2, 0, 3), mode="reflect")
    with torch.no_grad():
        assert torch.equal(network(picture), network(by_hand)[..., :13, :18])


def test_a_cycle_goes_there_and_back_on_both_sides():
    network = CycleGan(1, features=4).eval()
    a, b = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        made = network.cycle(a, b)
        assert torch.equal(made.sr, network(a))
        assert torch.equal(made.back, network.to_a(b))
        assert torch.equal(made.again_a, network.to_a(network.to_b(a)))
        assert torch.equal(made.again_b, network.to_b(network.to_a(b)))
        assert torch.equal(made.same_a, network.to_a(a))
        assert torch.equal(made.same_b, network.to_b(b))
    assert is_translator(network)
    assert (generator_to(network, "a"), generator_to(network, "b")) == (network.to_a, network.to_b)


def test_what_a_translation_costs_is_counted():
    network = generator_to(CycleGan(1, features=4), "b").eval()
    assert operations_per_pixel(network) > 0
    assert bytes_per_pixel(network) > 0


def test_bf16_autocast_in_channels_last_stays_near_float32():
    network, picture = CycleGan(1, features=8).eval(), torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        expected = network(picture)
        network = network.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            actual = network(picture.contiguous(memory_format=torch.channels_last))
    assert (actual.float() - expected).abs().mean() < 0.02 * expected.abs().mean()


def test_checkpointing_changes_nothing():
    picture, found = torch.rand(1, 3, 8, 8, dtype=torch.float64), []
    for forgetful in (False, True):
        torch.manual_seed(0)
        network = CycleGan(1, features=4, checkpointing=forgetful).double()
        made = network(picture)
        made.square().mean().backward()
        found.append([made, *(weight.grad for weight in network.to_b.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_gradient_reaches_both_generators():
    network = CycleGan(1, features=4)
    sum(picture.square().mean() for picture in network.cycle(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))).backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 2}, "scale"),
        (
            {"scale": 1, "blocks": 0},
            "CycleGan needs features and blocks of at least 1 and halvings of at least 0",
        ),
    ],
)
def test_what_cannot_be_built_is_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        CycleGan(**arguments)
