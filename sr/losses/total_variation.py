"""Total variation of the prediction: punishes noise, and with it texture."""

from typing import Literal

from torch import nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.losses.pixel import at_least_float32
from sr.types import Image, Scalar

Power = Literal[1, 2]
"""Of the differences between neighbours: absolute or squared."""


def total_variation(image: Image, power: Power) -> Scalar:
    """Anisotropic total variation as means over the pairs of neighbours, which the picture's size does not change.

    Args:
        image: (batch, channel, height, width), both sides at least 2.
        power: 1 for mean |v| + mean |h| (Rudin, Osher and Fatemi 1992 take the length of (v, h) instead); 2 for
            2 (mean v^2 + mean h^2), the form of the SRGAN notebook (RexP10r/TelegramStyleBot): its sums run over the
            batch and are divided by the pairs of neighbours of one picture and by the batch, which makes means.

    Raises:
        UserError: a side is below 2 pixels.
    """
    height, width = image.shape[-2:]
    if min(height, width) < 2:
        raise UserError(
            f"total variation needs pictures of at least 2x2 pixels, not {height}x{width}; take a larger data.crop."
        )
    image = at_least_float32(image)
    v, h = image.diff(dim=-2), image.diff(dim=-1)
    return v.abs().mean() + h.abs().mean() if power == 1 else 2 * (v.square().mean() + h.square().mean())


class TotalVariation(nn.Module):
    """Total variation of the prediction; the target does not count.

    Args:
        power: of the differences, see :func:`total_variation`.

    Raises:
        ValueError: ``power`` is neither 1 nor 2.
    """

    def __init__(self, power: Power = 2) -> None:
        super().__init__()
        check_choice("power", power, Power)
        self.power: Power = power

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, 2] (power 1) or [0, 4] (power 2) for pictures in [0, 1].

        Raises:
            UserError: a side is below 2 pixels.
        """
        return total_variation(prediction, self.power)
