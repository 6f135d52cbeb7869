"""ONNX of every network: the same picture in onnxruntime at every size, and nothing of this machine in the file."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from sr.errors import UserError
from sr.inference.export.onnx import onnx_bytes
from sr.models.espcn import Espcn
from sr.models.outputs import picture_of
from sr.models.rdn import Rdn
from sr.models.sr_resnet18 import SrResnet18
from tests.models.test_models import CONFIGS, SLIM, TRANSLATING, build

SLIMMER = SLIM | {
    "rrdb": {"features": 8, "blocks": 1, "growth": 4},
    "sr_resnet18": {"widths": [4, 8]},
    "edsr": {"features": 8, "blocks": 1},
    "msrresnet": {"features": 8, "blocks": 1},
    "srresnet": {"features": 8, "blocks": 1},
    "imdn": {"features": 16, "blocks": 2},
    "spsr": {"features": 8, "blocks": 4, "growth": 4, "spacing": 1},
    "compact": {"features": 8, "convolutions": 2},
    "espcn": {"features": 8},
    "spandrel": {"arguments": {"num_feat": 8, "num_conv": 2}},
}
SHAPES = ((1, 3, 24, 16), (2, 3, 17, 23), (1, 3, 7, 5))
QUICK = {"bicubic", "compact", "rrdb"}


def run(content: bytes, lr: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["output"], {"input": lr.numpy()})[0])


def largest_difference(network: nn.Module, content: bytes, shape: tuple[int, ...]) -> float:
    lr = torch.rand(shape)
    with torch.no_grad():
        expected = picture_of(network(lr))
    actual = run(content, lr)
    assert actual.shape == expected.shape
    assert actual.dtype == torch.float32
    return float((actual - expected).abs().max())


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CONFIGS])
def test_every_network_makes_the_same_picture_at_three_sizes(name):
    whole = build(name, 1 if name in TRANSLATING else 2, **SLIMMER.get(name, {})).eval()
    network = whole.to_b if name in TRANSLATING else whole
    content = onnx_bytes(network)
    assert max(largest_difference(network, content, shape) for shape in SHAPES) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 3, 4, 8])
@pytest.mark.parametrize("name", ["bicubic", "compact", "espcn", "rdn_small", "rrdb", "sr_resnet18"])
def test_every_scale(name, scale):
    network = build(name, scale, **SLIMMER.get(name, {})).eval()
    content = onnx_bytes(network)
    assert max(largest_difference(network, content, shape) for shape in SHAPES) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        Espcn(2, features=8, dilations=[4], padding="reflect"),
        Espcn(3, features=8, dilations=[2], padding="replicate", tail="progressive"),
        Rdn(2, 8, 8, 1, 2, upsampler="shuffle_blur", memory_lean=True),
        Rdn(4, 8, 8, 1, 2, upsampler="blur_transpose", padding="reflect"),
        SrResnet18(3, padding="replicate", widths=[4, 8]),
    ],
    ids=lambda network: type(network).__name__,
)
def test_borders_and_upsamplers(network):
    content = onnx_bytes(network.eval())
    assert max(largest_difference(network, content, shape) for shape in SHAPES) < 1e-4


def test_a_single_pixel_has_a_neighbour():
    network = build("bicubic", 2).eval()
    content = onnx_bytes(network)
    assert max(largest_difference(network, content, (1, 3, *size)) for size in ((1, 1), (1, 4), (3, 1))) < 1e-6


def test_half_precision_halves_the_file_and_keeps_the_last_layer():
    network = build("compact", 2, features=32, convolutions=4).eval()
    whole, half = onnx_bytes(network), onnx_bytes(network, half=True)
    assert len(half) < 0.6 * len(whole)
    assert 0 < largest_difference(network, half, (1, 3, 17, 23)) < 1e-3
    kinds = [node.op_type for node in onnx.load_from_string(half).graph.node]
    assert kinds.count("Cast") <= 3  # in, out, and before the last convolution; weights are stored as they are used


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sr_resnet18", "srresnet", "espcn", "rrdb", "imdn"])
def test_half_precision_of_others(name):
    network = build(name, 2, **SLIMMER.get(name, {})).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as after training
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    assert largest_difference(network, onnx_bytes(network, half=True), (2, 3, 17, 23)) < 1e-2


def test_the_file_names_its_axes_and_nothing_of_this_machine():
    content = onnx_bytes(build("compact", 2, features=4, convolutions=0))
    graph = onnx.load_from_string(content).graph
    shapes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (*graph.input, *graph.output)]
    assert shapes == [["n", 3, "h", "w"], ["n", 3, "out_h", "out_w"]]
    assert b".py" not in content


def test_the_network_stays_as_it_is():
    network = build("compact", 2, features=4, convolutions=0).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    onnx_bytes(network, half=True)
    assert network.training
    assert all(p.requires_grad for p in network.parameters())
    assert all(np.array_equal(before[name], value) for name, value in network.state_dict().items())


class Stubborn(nn.Module):
    """Decides by the pixels what it does."""

    scale = 2

    def forward(self, lr):
        return nn.functional.pixel_shuffle(lr.repeat(1, 4, 1, 1), 2) if lr.mean().item() > 0.5 else lr


def test_a_network_that_no_graph_can_hold_is_refused():
    with pytest.raises(UserError, match=r"Stubborn cannot be followed for pictures of every size .*--format safetens"):
        onnx_bytes(Stubborn())


def test_missing_packages_are_named_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(UserError, match=r"this needs onnxscript; install with `uv sync --extra onnx`"):
        onnx_bytes(nn.Identity())
