"""The discriminator of ESRGAN: five pairs of convolutions, one verdict for the whole picture."""

from typing import Literal

from torch import nn

from sr.discriminators.contract import Logits, check_choice, check_counts, check_shown, check_side
from sr.discriminators.norms import norm_layers
from sr.types import Image

NORMS = ("batch", "group")
WIDTHS = (1, 2, 4, 8, 8)  # of the stages, in features
SHRINKS = 2 ** len(WIDTHS)
HIDDEN = 100
SLOPE = 0.2


class Vgg128(nn.Module):
    """Five stages of a 3x3 and a strided 4x4 convolution, then two fully connected layers.

    ESRGAN's discriminator (Wang et al. 2018, arXiv 1809.00219) for 128x128 pixels; the lessons learned use it with
    batch or group normalisation. Only the first convolution has no norm, and only it has a bias.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        side: height and width of the pictures, fixed by the first fully connected layer; a multiple of 32 from 64 on.
        features: channels of the first stage; the last two have 8 times as many.
        norm: ``batch`` or ``group`` (8 groups), the latter for batches of very few pictures.

    Raises:
        ValueError: a side, width or norm that does not exist.
    """

    def __init__(
        self, in_channels: int, side: int, features: int = 64, norm: Literal["batch", "group"] = "batch"
    ) -> None:
        super().__init__()
        check_counts("Vgg128", {"in_channels": in_channels, "features": features})
        check_choice("Vgg128", "norm", norm, NORMS)
        self.side = check_side("Vgg128", side, SHRINKS)
        self.in_channels = in_channels
        self.multiple_of = SHRINKS
        self.smallest_side = side
        layers: list[nn.Module] = []
        channels = in_channels
        for index, multiple in enumerate(WIDTHS):
            width = multiple * features
            first = index == 0
            layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=first))
            layers += [] if first else norm_layers("Vgg128", norm, width)
            layers += [nn.LeakyReLU(SLOPE, inplace=True), nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False)]
            layers += [*norm_layers("Vgg128", norm, width), nn.LeakyReLU(SLOPE, inplace=True)]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.verdict = nn.Sequential(
            nn.Linear(channels * (side // SHRINKS) ** 2, HIDDEN),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Linear(HIDDEN, 1),
        )

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, side, side) in [0, 1] by one logit each: (batch, 1, 1, 1).

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        return self.verdict(self.layers(shown).flatten(1))[:, :, None, None]
