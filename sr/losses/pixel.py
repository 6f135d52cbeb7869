"""Distances between pictures, pixel by pixel. All are means over every value, computed in float32."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from sr.types import Image, Scalar

Distance = Literal["l1", "l2"]
"""Mean absolute or mean squared difference, see :func:`l1` and :func:`l2`."""


def at_least_float32(x: Image) -> Image:
    """Half precision to float32 (a mean of many half-precision values is not accurate); float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def l1(prediction: Image, target: Image) -> Scalar:
    """Mean absolute difference; in the pictures' unit."""
    return (at_least_float32(prediction) - at_least_float32(target)).abs().mean()


def l2(prediction: Image, target: Image) -> Scalar:
    """Mean squared difference; in the pictures' unit squared."""
    return (at_least_float32(prediction) - at_least_float32(target)).square().mean()


DISTANCES: dict[Distance, Callable[[Image, Image], Scalar]] = {"l1": l1, "l2": l2}


def charbonnier(prediction: Image, target: Image, eps: float) -> Scalar:
    """Mean of sqrt(d^2 + eps^2) over differences d (Lai et al. 2017, arXiv 1704.03915, equation 2)."""
    d = at_least_float32(prediction) - at_least_float32(target)
    return (d.square() + eps**2).sqrt().mean()


class L1(nn.Module):
    """Mean absolute difference. On [0, 1] pictures; a weight w on [-1, 1] pictures is 2 w here."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, 1] for pictures in [0, 1]."""
        return l1(prediction, target)


class L2(nn.Module):
    """Mean squared difference. On [0, 1] pictures; a weight w on [-1, 1] pictures is 4 w here."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, 1] for pictures in [0, 1]; PSNR is -10 log10 of it."""
        return l2(prediction, target)


class Charbonnier(nn.Module):
    """L1 with a rounded tip: quadratic below about ``eps``, linear above; never below ``eps``.

    Args:
        eps: width of the tip in [0, 1] units, squared inside the root as in LapSRN and MPRNet (1e-3, a
            quarter of an 8-bit step). Code that adds its constant unsquared (1e-12, say) means ``eps`` = 1e-6
            here.

    Raises:
        ValueError: ``eps`` is not positive.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        if not eps > 0:
            raise ValueError(f"Charbonnier needs eps > 0, not {eps}; use L1 for eps = 0.")
        self.eps = eps

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [eps, about 1] for pictures in [0, 1]."""
        return charbonnier(prediction, target, self.eps)
