"""SRGAN's discriminator for any size: an average over the picture takes the place of the first linear layer."""

from torch import nn

from sr.discriminators.contract import check_counts, check_shown
from sr.types import Image, Logits


class SrganFlexible(nn.Module):
    """3x3 convolutions at full size, average over all places, two 1x1 convolutions to one logit.

    The "flexible class" of the fourth repository (RexP10r/TelegramStyleBot, its SRGAN notebook), without the sigmoid.
    The convolutions never shrink the map, so it is slow: the cost grows with features**2 and with every pixel.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        features: channels of the first convolution.
        layers: 3x3 convolutions with batch norm after the first one; every second one doubles the channels, so that 7
            of them end at 8 times ``features``.
        negative_slope: of LeakyReLU.

    Raises:
        ValueError: a width or number of layers that does not exist.
    """

    side: int | None = None
    cell: int | None = None
    margin: int = 0

    def __init__(self, in_channels: int, features: int = 64, layers: int = 7, negative_slope: float = 0.2) -> None:
        super().__init__()
        check_counts("SrganFlexible", {"in_channels": in_channels, "features": features, "layers": layers})
        self.in_channels = in_channels
        self.smallest_side = 2  # batch norm wants more than one cell
        body: list[nn.Module] = [
            nn.Conv2d(in_channels, features, 3, padding=1),
            nn.LeakyReLU(negative_slope, inplace=True),
        ]
        channels = features
        for index in range(layers):
            width = channels * (1 + index % 2)
            body += [
                nn.Conv2d(channels, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(negative_slope, inplace=True),
            ]
            channels = width
        self.layers = nn.Sequential(*body)
        self.verdict = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.LeakyReLU(negative_slope, inplace=True),
            nn.Conv2d(2 * channels, 1, 1),
        )

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1] by one logit each: (batch, 1, 1, 1).

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        return self.verdict(self.layers(shown))
