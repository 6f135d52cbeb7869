"""Distance between edge strengths: what a pixel loss blurs first."""

import math
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr.errors import UserError
from sr.losses.pixel import at_least_float32, l1
from sr.types import Image, Scalar

SIGMA = 3.0
_SHARES = [math.exp(-(i**2) / (2 * SIGMA**2)) for i in (-1, 0, 1)]
GAUSSIAN = tuple(share / sum(_SHARES) for share in _SHARES)
"""Three taps of a Gaussian of sigma 3, nearly a box; both axes together are the source's 3x3 kernel."""

DIFFERENCE, SMOOTHING = (-1.0, 0.0, 1.0), (1.0, 2.0, 1.0)
"""Sobel's kernel is their outer product."""

LEAST = 5
"""Smallest side: each of the two unpadded 3x3 filters takes two pixels."""

EdgeMap = Float[Tensor, "batch channel height-4 width-4"]


def edge_map(image: Image, epsilon: float) -> EdgeMap:
    """Strength of the edges of each channel: sqrt(gx^2 + gy^2 + epsilon) of the slightly blurred picture.

    Args:
        image: (batch, channel, height, width), both sides at least 5.
        epsilon: under the root, in the pictures' unit squared. With 0 the gradient is NaN wherever the picture is
            exactly flat.

    Returns:
        float32 or wider, 2 pixels smaller at each border; at least sqrt(epsilon), and 8 times the slope on a ramp.

    Raises:
        UserError: a side is below 5 pixels.
    """
    if min(image.shape[-2:]) < LEAST:
        height, width = image.shape[-2:]
        raise UserError(
            f"the edge loss needs pictures of at least {LEAST}x{LEAST} pixels, not {height}x{width}; "
            "take a larger data.crop."
        )
    blurred = _filtered(at_least_float32(image), GAUSSIAN, GAUSSIAN)
    horizontal = _filtered(blurred, SMOOTHING, DIFFERENCE)
    vertical = _filtered(blurred, DIFFERENCE, SMOOTHING)
    return (horizontal.square() + vertical.square() + epsilon).sqrt()


def _filtered(image: Tensor, down: tuple[float, ...], across: tuple[float, ...]) -> Tensor:
    """Separable correlation without padding; as sums of shifted pictures, which no TF32 convolution rounds."""
    for axis, taps in ((-2, down), (-1, across)):
        length = image.shape[axis] - len(taps) + 1
        shifted = [image.narrow(axis, i, length) * tap for i, tap in enumerate(taps) if tap != 0]
        image = reduce(torch.add, shifted)
    return image


class Edge(nn.Module):
    """Mean absolute difference of the edge strengths, per channel.

    Source: the experiment log of 2021 (xiyori/SR_base, from entry 29 on), without epsilon: there, weight 2 on pictures
    in [-1, 1], which is 4 here, beside L1 with 0.01, which is 0.02 here.

    Args:
        epsilon: under the root, in [0, 1] units squared. 0 is the source's form: exactly flat spots of a prediction
            (a saturated sky, a drawing's fill) then have NaN gradients, which end a training.

    Raises:
        ValueError: ``epsilon`` is negative or not finite.
    """

    def __init__(self, epsilon: float = 1e-6) -> None:
        super().__init__()
        if not 0 <= epsilon < math.inf:
            raise ValueError(f"epsilon={epsilon} must be a finite number of at least 0; 1e-6 is usual.")
        self.epsilon = epsilon

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, about 3] for pictures in [0, 1].

        Raises:
            UserError: a side is below 5 pixels.
        """
        return l1(edge_map(prediction, self.epsilon), edge_map(target, self.epsilon))
