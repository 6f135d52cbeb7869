"""The network that a benchmark is asked for."""

from pathlib import Path

import torch
from torch import nn

from sr.config.building import build
from sr.config.composing import composed
from sr.errors import UserError
from sr.inference.networks import RUNS, find_network
from sr.inference.opening import open_network
from sr.printable import printable


def network_named(name: str, scale: int | None, trust: bool = False) -> nn.Module:
    """A network as `sr upscale` takes it, or an untrained one of conf/model.

    Args:
        name: a shipped name, a run or a file, or a choice of conf/model.
        scale: of the untrained one, x2 where nobody says; another's own must agree.
        trust: a network from outside this toolkit may be imported.

    Raises:
        UserError: there is none of them, it cannot be read, or it has another scale.
    """
    try:
        path = find_network(name)
    except UserError:
        if Path(name).exists() or Path(name).suffix or Path(name).name != name or (RUNS / name).exists():
            raise
        torch.manual_seed(0)
        network: nn.Module = build("model", composed([f"model={name}", f"scale={scale or 2}"]).model)
        return network.eval()
    opened, info = open_network(path, trust)
    if scale not in (None, info.scale):
        raise UserError(f"--scale {scale}, but {printable(name)} upscales x{info.scale}; leave --scale out")
    return opened
