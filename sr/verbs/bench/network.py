"""The network and the size that a benchmark is asked for."""

import re
from pathlib import Path

import torch
from torch import nn

from sr.config.building import build
from sr.config.composing import composed
from sr.errors import UserError
from sr.inference.networks import find_network
from sr.inference.opening import open_network

_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")


def network_named(name: str, scale: int) -> nn.Module:
    """A network as `sr upscale` takes it, or an untrained one of conf/model.

    Args:
        name: a shipped name, a run or a file, or a choice of conf/model.
        scale: of the untrained one.

    Raises:
        UserError: there is none of them.
    """
    try:
        return open_network(find_network(name))[0]
    except UserError:
        if Path(name).exists() or Path(name).suffix or Path(name).name != name:
            raise
    torch.manual_seed(0)
    network: nn.Module = build("model", composed([f"model={name}", f"scale={scale}"]).model)
    return network.eval()


def size_of(text: str) -> tuple[int, int]:
    """Width and height of ``768x512``.

    Raises:
        UserError: it is written otherwise.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UserError(f"--size {text} is not WIDTHxHEIGHT, as 768x512")
    return int(found[1]), int(found[2])
