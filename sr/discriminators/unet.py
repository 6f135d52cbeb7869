"""Real-ESRGAN's discriminator: a U-Net that judges every pixel."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.discriminators.contract import check_counts, check_shown
from sr.spectral import spectral_norm
from sr.types import Image, Logits

SLOPE = 0.2
LEVELS = 3  # strided convolutions down, and enlargements up again


class UNet(nn.Module):
    """U-Net with spectral normalisation (Real-ESRGAN, Wang et al. 2021, arXiv 2107.10833); one logit per pixel.

    Three strided 4x4 convolutions down, each doubling the channels; three times up: bilinear to the size of the map
    on the way down, 3x3 convolution that halves the channels, sum with that map. Then two 3x3 convolutions and one
    to the logits. LeakyReLU 0.2 after each but the last.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        features: channels at full size; 8 times as many at an eighth of it.
        spectral: spectral normalisation (Miyato et al. 2018, arXiv 1802.05957) of all convolutions but the first and
            the last. They have no bias.

    Raises:
        ValueError: a width that does not exist.
    """

    side: int | None = None
    cell: int | None = 1
    margin: int = 0

    def __init__(self, in_channels: int, features: int = 64, spectral: bool = True) -> None:
        super().__init__()
        check_counts("UNet", {"in_channels": in_channels, "features": features})
        self.in_channels = in_channels
        self.smallest_side = 2**LEVELS
        widths = [features * 2**level for level in range(LEVELS + 1)]
        self.first = nn.Conv2d(in_channels, features, 3, padding=1)
        self.down = nn.ModuleList(_conv(width, 2 * width, 4, 2, spectral) for width in widths[:-1])
        self.up = nn.ModuleList(_conv(2 * width, width, 3, 1, spectral) for width in reversed(widths[:-1]))
        self.refine = nn.ModuleList(_conv(features, features, 3, 1, spectral) for _ in range(2))
        self.last = nn.Conv2d(features, 1, 3, padding=1)

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1] pixel by pixel: (batch, 1, height, width) logits.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        x = _leaky(self.first(shown))
        skips = []
        for conv in self.down:
            skips.append(x)
            x = _leaky(conv(x))
        for conv, skip in zip(self.up, reversed(skips), strict=True):
            # To the size of the skip, not by 2: halving an odd side has rounded it down.
            enlarged = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = _leaky(conv(enlarged)) + skip
        for conv in self.refine:
            x = _leaky(conv(x))
        return self.last(x)


def _leaky(x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
    """LeakyReLU in place: convolutions do not need their output again."""
    return F.leaky_relu(x, SLOPE, inplace=True)


def _conv(channels: int, width: int, kernel: int, stride: int, spectral: bool) -> nn.Module:
    """Convolution without bias, padded by 1."""
    conv = nn.Conv2d(channels, width, kernel, stride=stride, padding=1, bias=False)
    return spectral_norm(conv) if spectral else conv
