"""A network as a package of `torch.export`: code and weights in one file, for PyTorch without this toolkit."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from sr.inference.export.traced import quiet, traced


def pt2_bytes(network: nn.Module, half: bool = False) -> bytes:
    """The network as a package, for pictures of any number and size from 2 pixels a side.

    Args:
        network: a generator.
        half: compute in float16 where training has bfloat16.

    Raises:
        UserError: the network cannot be followed.
    """
    program = traced(network, half)
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            node.meta.pop("stack_trace", None)  # paths of this machine
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer)
    return buffer.getvalue()


def pt2_applied(path: Path, lr: Tensor) -> Tensor:
    """What a package makes of pictures.

    Args:
        path: .pt2 that was just written.
        lr: (n, 3, h, w) float32 in [0, 1].
    """
    with quiet(), torch.inference_mode():
        return torch.export.load(path).module()(lr)
