"""The discriminator of ESRGAN: five pairs of convolutions, one verdict for the whole picture."""

from typing import Literal

from torch import nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts
from sr.discriminators.norms import norm_layers
from sr.discriminators.one_size import OneSize

Norm = Literal["batch", "group"]
WIDTHS = (1, 2, 4, 8, 8)  # of the stages, in features
SHRINKS = 2 ** len(WIDTHS)
HIDDEN = 100
SLOPE = 0.2


class Vgg128(OneSize):
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

    def __init__(self, in_channels: int, side: int, features: int = 64, norm: Norm = "batch") -> None:
        check_counts("Vgg128", {"in_channels": in_channels, "features": features})
        check_choice("norm", norm, Norm)
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
        super().__init__(in_channels, side, layers, SHRINKS, channels, HIDDEN, SLOPE)
