"""Reading constructor arguments off the weights of a published file; each network's ``described_by`` uses it."""

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

Weights = Mapping[str, Tensor]
Arguments = dict[str, Any]
"""``scale`` and whatever else the constructor takes."""


def number_of(tensors: Weights, pattern: str) -> int:
    """How many names match a regular expression as a whole: blocks are counted by a weight that each has once.

    Args:
        tensors: by name.
        pattern: that matches whole names.
    """
    whole = re.compile(pattern)
    return sum(whole.fullmatch(name) is not None for name in tensors)


def factor_of(channels: int, shuffled: int) -> int:
    """The factor of the pixel shuffle that makes ``shuffled`` channels of ``channels``.

    Raises:
        ValueError: there is none.
    """
    factor = math.isqrt(channels // shuffled)
    if factor**2 * shuffled != channels:
        raise ValueError(f"no pixel shuffle makes {shuffled} channels of {channels}")
    return factor


def factors_of(tensors: Weights, names: list[str]) -> int:
    """The product of the factors of convolutions that lie before pixel shuffles to their own number of channels.

    Args:
        tensors: by name.
        names: of these convolutions' weights (out, in, height, width).
    """
    sizes = [tensors[name].shape for name in names]
    return math.prod(factor_of(out, channels) for out, channels, _, _ in sizes)
