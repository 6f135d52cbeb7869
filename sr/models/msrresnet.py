"""SRResNet without normalisation, the network that ESRGAN's authors begin with, by BasicSR's names."""

from typing import ClassVar

import torch.nn.functional as F
from torch import nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.published import Arguments, Weights, factors_of, number_of
from sr.models.residual import ResidualBlock, start_small_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image

SLOPE = 0.1


class MsrResNet(nn.Module):
    """MSRResNet (Wang et al. 2018, arXiv 1809.00219; BasicSR): SRResNet without normalisation, corrects bilinear.

    3x3 convolution, ``blocks`` residual blocks, a convolution and a pixel shuffle per stage, two convolutions at the SR
    size, plus the bilinear enlargement of the input. Names as BasicSR's (``conv_first``, ``body.0.conv1``,
    ``upconv1``, ``conv_hr``, ``conv_last``), which has x2, x3 and x4.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels (published: 64).
        blocks: published: 16.
        icnr: start the convolutions before a shuffle without checkerboard (see ``icnr_``).
        padding: what convolutions see beyond the border: ``zeros`` (published), ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale, size or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 16,
        icnr: bool = True,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, blocks) < 1:
            raise ValueError(f"MsrResNet needs features and blocks of at least 1, not {features} and {blocks}.")
        self.checkpointing = checkpointing
        self.factors = doubling_stages(scale)
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.ModuleList(ResidualBlock(features) for _ in range(blocks))
        for number, factor in enumerate(self.factors, 1):
            conv = nn.Conv2d(features, features * factor**2, 3, padding=1)
            start_small_(conv)
            if icnr:
                icnr_(conv.weight, factor)
            self.add_module(f"upconv{number}", conv)
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = ExactConv2d(features, 3, 3, padding=1)
        start_small_(self.conv_first, self.conv_hr, self.conv_last)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        x = F.leaky_relu(self.conv_first(lr), SLOPE)
        for block in self.body:
            x = run(block, x, self.checkpointing)
        for number, factor in enumerate(self.factors, 1):
            x = F.leaky_relu(F.pixel_shuffle(self.get_submodule(f"upconv{number}")(x), factor), SLOPE)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), SLOPE))
        return x + F.interpolate(lr, scale_factor=self.scale, mode="bilinear", align_corners=False)

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`."""
        return name

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network; None where it is none."""
        if not {"conv_first.weight", "body.0.conv1.weight", "conv_hr.weight", "upconv1.weight"} <= set(tensors):
            return None
        stages = number_of(tensors, r"upconv\d\.weight")
        return {
            "scale": factors_of(tensors, [f"upconv{number}.weight" for number in range(1, stages + 1)]),
            "features": tensors["conv_first.weight"].shape[0],
            "blocks": number_of(tensors, r"body\.\d+\.conv1\.weight"),
        }
