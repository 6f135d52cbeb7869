"""DL-Art-School's U-Net discriminator: verdicts at 1/16, 1/8 and 1/4 of the size."""

from itertools import pairwise

from torch import nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_shown
from sr.discriminators.levels import (
    STAGES,
    UNET_UP,
    UNET_WIDTHS,
    Norm,
    Up,
    descended,
    joint,
    unet_stages,
    unet_verdict,
)
from sr.types import Image, Logits


class UNetGan(nn.Module):
    """U-Net with group norm whose way up is judged at three levels (DL-Art-School, July 2020, 0b71933 and 33ca383).

    Five stages of two 3x3 convolutions, the second strided; three blocks up, each joined with the stage of its size,
    each with a verdict of its own. The maps are enlarged to the finest: (batch, 3, H/4, W/4). Other than in U-Net GAN
    (Schönfeld et al. 2020, arXiv 2002.12655), which its name stands for here, the smallest map has no verdict.
    Sides that are no multiple of 32 are padded by their last rows and columns inside, and the map is cut to the cells
    that see the picture.

    Its strided 3x3 convolutions begin on the first pixel, so a cell's middle is pixel 4 i: ``margin`` is -2. The
    source labels the four pixels behind that one.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        features: channels of the first stage, a multiple of 8 with ``norm=group``.
        norm: ``group`` (8 groups), or ``none``.

    Raises:
        ValueError: a width or norm that does not exist.
    """

    side: int | None = None
    smallest_side: int = 2**STAGES
    cell: int | None = 4
    margin: int = -2

    def __init__(self, in_channels: int, features: int = 64, norm: Norm = "group") -> None:
        super().__init__()
        check_counts("UNetGan", {"in_channels": in_channels, "features": features})
        check_choice("norm", norm, Norm)
        self.in_channels = in_channels
        self.stages = unet_stages("UNetGan", in_channels, features, norm)
        ups = [*(multiple * features for multiple in (UNET_WIDTHS[-1], *UNET_UP))]
        self.ups = nn.ModuleList(Up("UNetGan", a, b, norm) for a, b in pairwise(ups))
        self.verdicts = nn.ModuleList(unet_verdict("UNetGan", width, norm) for width in ups[1:])

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1]: (batch, 3, height / 4, width / 4) logits, rounded up.

        The levels are 1/16, 1/8 and 1/4 of the size.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        found, maps = descended(self.stages, shown), []
        x = found[-1]
        for up, verdict, skip in zip(self.ups, self.verdicts, reversed(found[1:-1]), strict=True):
            x = up(x, skip)
            maps.append(verdict(x))
        return joint(maps, shown, 4)
