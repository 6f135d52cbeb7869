"""Networks that translate pictures of two sides into each other, and their two generators."""

from typing import Literal

from torch import nn

Side = Literal["a", "b"]


def is_translator(network: nn.Module) -> bool:
    """Whether a network has a generator for each of two sides, and ``cycle(a, b)``, which training calls."""
    return hasattr(network, "cycle")


def generator_to(network: nn.Module, side: Side) -> nn.Module:
    """The generator that makes pictures of a side; it keeps their size, so that its scale is 1.

    Args:
        network: that translates.
        side: ``a`` or ``b``.
    """
    generator: nn.Module = getattr(network, f"to_{side}")
    return generator
