"""DL-Art-School's pixel discriminator: a pyramid of verdicts at 1/32, 1/16 and 1/8 of the size."""

from itertools import pairwise

import torch
from torch import nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_shown
from sr.discriminators.levels import STAGES, Norm, block, descended, enlarged, joint
from sr.discriminators.norms import norm_layers
from sr.types import Image, Logits

WIDTHS = (1, 2, 4, 8, 8)  # of the stages, in features
SLOPE = 0.2  # of the stages; the heads have 0.1


class PixDisc(nn.Module):
    """The trunk of ESRGAN's discriminator with group norm, and heads on the way up again (DL-Art-School, July 2020).

    Five stages of a 3x3 and a strided 4x4 convolution, only the first convolution without norm and with a bias. Each
    head takes the stage below it, enlarged, beside its own. The three maps are enlarged to the finest, so that each
    level weighs the same: (batch, 3, H/8, W/8). ``adversary=pix_gan`` labels its cells. Sides that are no multiple of
    32 are padded by their last rows and columns inside, and the map is cut to the cells that see the picture.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        features: channels of the first stage, a multiple of 8 with ``norm=group``.
        norm: ``group`` (8 groups), or ``none``.

    Raises:
        ValueError: a width or norm that does not exist.
    """

    side: int | None = None
    smallest_side: int = 2**STAGES
    cell: int | None = 8
    margin: int = 0

    def __init__(self, in_channels: int, features: int = 64, norm: Norm = "group") -> None:
        super().__init__()
        check_counts("PixDisc", {"in_channels": in_channels, "features": features})
        check_choice("norm", norm, Norm)
        self.in_channels = in_channels

        def head(channels: int, width: int, kernel: int = 3, bias: bool = False, active: bool = True) -> nn.Module:
            return block("PixDisc", channels, width, kernel, bias=bias, norm=norm, active=active)

        def verdict(channels: int, width: int) -> nn.Module:
            return nn.Sequential(head(channels, width), block("PixDisc", width, 1, norm="none", active=False))

        widths = [in_channels, *(multiple * features for multiple in WIDTHS)]
        self.stages = nn.ModuleList(_stage(a, b, norm, first=i == 0) for i, (a, b) in enumerate(pairwise(widths)))
        half, whole = 4 * features, 8 * features
        self.verdict_32 = verdict(whole, half)
        self.up_16 = head(whole, whole, bias=True, active=False)
        self.merge_16 = nn.Sequential(head(2 * whole, whole), head(whole, whole))
        self.verdict_16 = verdict(whole, half)
        self.up_8 = head(whole, half, kernel=1, bias=True, active=False)
        self.merge_8 = nn.Sequential(head(2 * half, half), head(half, half))
        self.verdict_8 = verdict(half, 2 * features)

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1]: (batch, 3, height / 8, width / 8) logits, rounded up.

        The levels are 1/32, 1/16 and 1/8 of the size.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        _, _, eighth, sixteenth, smallest = descended(self.stages, shown)
        at_16 = self.merge_16(torch.cat([self.up_16(enlarged(smallest)), sixteenth], dim=1))
        at_8 = self.merge_8(torch.cat([self.up_8(enlarged(at_16)), eighth], dim=1))
        return joint([self.verdict_32(smallest), self.verdict_16(at_16), self.verdict_8(at_8)], shown, 8)


def _stage(channels: int, width: int, norm: Norm, first: bool) -> nn.Sequential:
    """3x3, then 4x4 that halves the sides; PyTorch's own start of the weights."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=first),
        *([] if first else norm_layers("PixDisc", norm, width)),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False),
        *norm_layers("PixDisc", norm, width),
        nn.LeakyReLU(SLOPE, inplace=True),
    )
