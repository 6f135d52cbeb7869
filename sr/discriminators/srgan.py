"""The discriminator of SRGAN: one verdict for the whole picture, through fully connected layers."""

from torch import nn

from sr.discriminators.contract import check_counts
from sr.discriminators.one_size import OneSize
from sr.spectral import spectral_norm
from sr.types import Image, Logits

BLOCKS = ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2))  # (channels / features, stride)
SHRINKS = 16  # product of the strides


class Srgan(OneSize):
    """Eight convolutions and two fully connected layers (Ledig et al. 2017, arXiv 1609.04802), as in the internship.

    The internship adds spectral normalisation (Miyato et al. 2018, arXiv 1802.05957) to the convolutions, keeps batch
    normalisation beside it, and takes 0.01 for the slope of LeakyReLU where the paper has 0.2. Its sigmoid belongs to
    the loss here.

    Pictures are moved to [-1, 1] inside, the range of paper and internship.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        side: height and width of the pictures, fixed by the first fully connected layer; a multiple of 16 from 32 on.
        features: channels of the first convolution; the last has 8 times as many.
        hidden: outputs of the first fully connected layer.
        negative_slope: of LeakyReLU.
        spectral: spectral normalisation of the convolutions.

    Raises:
        ValueError: a side or width that does not exist.
    """

    def __init__(
        self,
        in_channels: int,
        side: int,
        features: int = 64,
        hidden: int = 1024,
        negative_slope: float = 0.01,
        spectral: bool = True,
    ) -> None:
        check_counts("Srgan", {"in_channels": in_channels, "features": features, "hidden": hidden})
        layers: list[nn.Module] = [
            _conv(in_channels, features, 1, spectral),
            nn.LeakyReLU(negative_slope, inplace=True),
        ]
        channels = features
        for width, stride in BLOCKS:
            layers += [
                _conv(channels, width * features, stride, spectral),
                nn.BatchNorm2d(width * features),
                nn.LeakyReLU(negative_slope, inplace=True),
            ]
            channels = width * features
        super().__init__(in_channels, side, layers, SHRINKS, channels, hidden, negative_slope)

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, side, side) in [0, 1] by one logit each: (batch, 1, 1, 1).

        Raises:
            UserError: channels or a size that do not fit.
        """
        return super().forward(2 * shown - 1)


def _conv(channels: int, width: int, stride: int, spectral: bool) -> nn.Module:
    """3x3 convolution. Its bias is superfluous before batch norm; kept so that the counts are the internship's."""
    conv = nn.Conv2d(channels, width, 3, stride=stride, padding=1)
    return spectral_norm(conv) if spectral else conv
