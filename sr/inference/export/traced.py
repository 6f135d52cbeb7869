"""A network followed by PyTorch's exporter: the graph that ONNX and `torch.export` files hold."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from sr.errors import UserError
from sr.models.outputs import picture_of
from sr.printable import printable

TRIED = (2, 3, 20, 24)  # shape of the picture that the graph is followed with; of it only the 3 stays
_LOUD = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")  # they report what they try on the way
_LARGEST = 200  # characters of somebody else's message


class PictureOnly(nn.Module):
    """A network without its side outputs.

    Args:
        network: a generator.
        half: 16 bits between the first and the last layer, as in training: `sr.models.exact` says what stays float32.
    """

    def __init__(self, network: nn.Module, half: bool) -> None:
        super().__init__()
        self.network = network
        self.half_inside = half

    def forward(self, input: Tensor) -> Tensor:  # the name that other programs see
        """Upscale (n, 3, h, w) to (n, 3, s*h, s*w)."""
        with torch.autocast("cpu", torch.float16, enabled=self.half_inside):
            return picture_of(self.network(input)).float()


def traced(network: nn.Module, half: bool = False) -> ExportedProgram:
    """The graph of a network for any number of pictures of any size.

    Args:
        network: a generator; a copy of it is taken to the CPU and to evaluation mode.
        half: compute in float16 where the network computes in bfloat16 in training.

    Returns:
        A program that maps (n, 3, h, w) float32 RGB in [0, 1] to (n, 3, s*h, s*w) float32, not clipped.

    Raises:
        UserError: the network does something with its input's size that a graph cannot hold.
    """
    alone = PictureOnly(copy.deepcopy(network).cpu().float(), half).eval()
    sides = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(alone, (torch.rand(TRIED),), dynamic_shapes=sides, strict=False)
    except Exception as error:  # whatever a network of somebody else meets in the exporter
        raise UserError(
            f"{type(network).__name__} cannot be followed for pictures of every size ({short(error)}); "
            "--format safetensors or pth holds its weights alone"
        ) from error


def short(error: BaseException) -> str:
    """The first line of another library's message."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[0])[:_LARGEST]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters' notes about their own work from the user."""
    loggers: list[Any] = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
