"""A network followed by PyTorch's exporter: the graph that ONNX and `torch.export` files hold."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from sr.errors import UserError
from sr.inference.export.plain import Plain
from sr.printable import first_line

TRIED = (2, 3, 71, 77)  # shape of the pictures that the graph is followed with: odd, so that no padding is left out
_LOUD = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")  # they report what they try on the way


def traced(network: nn.Module, half: bool = False) -> ExportedProgram:
    """The graph of a network for any number of pictures of any size.

    Args:
        network: a generator; it stays as it is.
        half: compute in float16 where the network may compute in half precision in training.

    Returns:
        A program that maps (n, 3, h, w) float32 RGB in [0, 1] to (n, 3, s*h, s*w) float32, not clipped.

    Raises:
        UserError: the network does something with its input's size that a graph cannot hold.
    """
    sides = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(
                Plain(network, half).eval(), (torch.zeros(TRIED),), dynamic_shapes=sides, strict=False
            )
    except Exception as error:  # whatever a network of somebody else meets in the exporter
        raise UserError(
            f"{type(network).__name__} cannot be followed for pictures of every size ({first_line(error)}); "
            "--format safetensors or pth holds its weights alone"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters' notes about their own work from the user."""
    loggers = [logging.getLogger(name) for name in _LOUD]
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
