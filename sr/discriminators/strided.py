"""The experiment log's discriminators: plain strided convolutions."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Literal

from torch import nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_dropout, check_shown, check_strides
from sr.types import Image, Logits

Between = Literal["none", "dropout", "batch"]
TREATED = range(1, 4)  # convolutions 2, 3 and 4, counted from 0; never the last one


class Strided(nn.Module):
    """3x3 convolutions with ReLU between them, the last one to a map of one channel.

    The experiment log's three: strides 2, 2, 2, 2 and nothing between (07.5, 09, 10); strides 2, 2, 1, 1, 2, 2
    with dropout (08, 11 to 13) or batch normalisation (14 to 33). Both come *after* the ReLU, there.

    Pictures are moved to [-1, 1] inside, the range of the log.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too (the log's way).
        features: channels between the convolutions.
        strides: of the convolutions, at least two.
        between: what follows the ReLU of convolutions 2, 3 and 4: ``none``, ``dropout`` (whole channels) or ``batch``.
        dropout: probability with which ``dropout`` drops a channel.

    Raises:
        ValueError: a width, stride, probability or ``between`` that does not exist.
    """

    side: int | None = None

    def __init__(
        self,
        in_channels: int,
        features: int = 64,
        strides: Sequence[int] = (2, 2, 2, 2),
        between: Between = "none",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_counts("Strided", {"in_channels": in_channels, "features": features})
        check_strides("Strided", strides, fewest=2)
        check_choice("between", between, Between)
        check_dropout("Strided", dropout)
        self.in_channels = in_channels
        self.cell = prod(strides)
        self.margin = -(self.cell // 2)  # the first convolution's first place is the first pixel
        treated = [index for index in TREATED if index < len(strides) - 1]
        # Each convolution divides the side by its stride, rounding up. Every one is to see more than one cell: batch
        # norm needs that, and CPUs compute the bf16 gradient of a strided convolution on a single cell from unset
        # memory (torch 2.15).
        self.smallest_side = prod(strides[:-1]) + 1
        widths = [in_channels, *[features] * (len(strides) - 1), 1]
        layers: list[nn.Module] = []
        for index, (stride, (before, after)) in enumerate(zip(strides, pairwise(widths), strict=True)):
            layers.append(nn.Conv2d(before, after, 3, stride=stride, padding=1))
            if index < len(strides) - 1:
                layers.append(nn.ReLU(inplace=True))
            if index in treated and between != "none":
                layers.append(nn.Dropout2d(dropout) if between == "dropout" else nn.BatchNorm2d(features))
        self.layers = nn.Sequential(*layers)

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1] by a map of logits.

        Each side of the map is that of the picture, divided by all strides, rounded up.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        return self.layers(2 * shown - 1)
