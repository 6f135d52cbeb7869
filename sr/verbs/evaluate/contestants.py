"""What is measured: networks, and bicubic beside them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import torch
from torch import nn

from sr.config.nearest import nearest
from sr.errors import UserError
from sr.image.color import gray_again
from sr.image.io import to_image, to_pixels
from sr.inference.networks import find_network
from sr.inference.opening import is_ours, open_network
from sr.inference.upscaler import Upscaler
from sr.models.bicubic import Bicubic
from sr.models.files import ROOM
from sr.models.parameters import parameters_of
from sr.models.scales import scale_of
from sr.models.spandrel import Spandrel
from sr.training.precision import Compute
from sr.training.validation import Upscale, network_upscaler

BICUBIC = "bicubic"


@dataclass(frozen=True)
class Contestant:
    """A network, or bicubic, ready to enlarge.

    Attributes:
        label: as the user called it.
        kind: name of its class.
        scale: of the result.
        parameters: how many it learned.
        content: hash of its file, and of what else says what it computes.
        ours: it was saved by this toolkit, and so is no network that somebody published.
        keeps: nothing else says what it computes; code of its user's own may.
        upscale: enlarges a picture, a gray one to a gray one.
    """

    label: str
    kind: str
    scale: int
    parameters: int
    content: str
    ours: bool
    keeps: bool
    upscale: Upscale


def contestants(models: Sequence[str], scale: int | None, compute: Compute, trust: bool) -> list[Contestant]:
    """Bicubic of every scale that occurs, then the networks as they were named, each once.

    Args:
        models: files, runs, shipped names, or ``bicubic``.
        scale: asked for; a network's own must agree.
        compute: where and how.
        trust: a network from outside this toolkit may be imported.

    Raises:
        UserError: a network cannot be had or has another scale, or nothing says the scale of bicubic.
    """
    networks = [_network(model, compute, trust) for model in dict.fromkeys(models) if model != BICUBIC]
    for one in networks:
        if scale is not None and scale != one.scale:
            raise UserError(f"--scale {scale}, but {one.label} upscales x{one.scale}; leave --scale out")
    scales = dict.fromkeys([*(one.scale for one in networks), *([] if scale is None else [scale])])
    if not scales:
        raise UserError("bicubic needs --scale, for instance --scale 2")
    return [*(_bicubic(one, compute) for one in scales), *networks]


def _bicubic(scale: int, compute: Compute) -> Contestant:
    try:
        network = Bicubic(scale)
    except ValueError as error:
        raise UserError(f"--scale {scale}: {error}") from error
    upscale = network_upscaler(compute.place(network).eval(), compute.device, compute.exact())
    return Contestant(BICUBIC, type(network).__name__, scale, 0, BICUBIC, ours=False, keeps=True, upscale=upscale)


def _network(model: str, compute: Compute, trust: bool) -> Contestant:
    try:
        path = find_network(model)
    except UserError as error:
        if nearest(model, [BICUBIC]):
            raise UserError(f"there is no network '{model}'; did you mean {BICUBIC}?") from error
        raise
    network, _ = open_network(path, trust)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    if isinstance(network, Spandrel):
        content += f" spandrel {version('spandrel')}"
    return Contestant(
        model,
        type(network).__name__,
        scale_of(network),
        parameters_of(network),
        content,
        ours=is_ours(path),
        keeps=type(network).__module__.startswith(f"{ROOM}."),
        upscale=_as_upscale_does(network, compute.device),
    )


def _as_upscale_does(network: nn.Module, device: torch.device) -> Upscale:
    """The pixels that `sr upscale --engine torch --precision 32` writes, of which no digit depends on the machine.

    Left to itself, that verb computes in float16 on a GPU, and by another program on a CPU where that is quicker.
    """
    upscaler = Upscaler([network], device, engine="torch", precision="32", exact=True)

    def upscale(pixels: np.ndarray, gray: bool) -> np.ndarray:
        made = upscaler.image(to_image(pixels))
        return to_pixels(gray_again(made) if gray else made, deep=False)

    return upscale
