"""Distance of gradient maps (SPSR: Ma et al. 2020, arXiv 2003.13081, its gradient loss)."""

from torch import nn

from sr.choices import check_choice
from sr.image.gradient_map import Border, gradient_map
from sr.losses.pixel import DISTANCES, Distance
from sr.types import Image, Scalar


class GradientMap(nn.Module):
    """Distance between gradient maps, which keeps the geometry of lines without fixing their colours.

    Args:
        distance: l1 as the paper writes it, or l2 as its published code and the lessons of 2020 have it.
        border: what lies beyond it, see :data:`Border`.

    Raises:
        ValueError: a choice that does not exist.
    """

    def __init__(self, distance: Distance = "l1", border: Border = "replicate") -> None:
        super().__init__()
        check_choice("distance", distance, Distance)
        check_choice("border", border, Border)
        self.distance = DISTANCES[distance]
        self.border: Border = border

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """Scalar in [0, about 1.4] (l1) or [0, about 2] (l2) for pictures in [0, 1]."""
        return self.distance(gradient_map(prediction, self.border), gradient_map(target, self.border))
