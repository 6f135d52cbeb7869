"""A classifier's residual trunk turned into an upscaler: first network of the experiment log (#00, #05)."""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn
from torchvision.models.resnet import BasicBlock

from sr.models.checkpointing import run
from sr.models.exact import ExactConvTranspose2d
from sr.models.padding import ConvTranspose2d, Padding, pad_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.types import Image

WIDTHS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


class SrResnet18(nn.Module):
    """ResNet-18 (He et al. 2016, arXiv 1512.03385) with every stride 1, and two transposed convolutions.

    The trunk keeps the LR size at all its widths, which makes this network slow for its quality; batch
    normalisation makes its output depend on the training batch. It is kept because the log starts from it.
    Pictures are moved to [-1, 1] inside. Convolutions start with Kaiming's fan-out initialisation.

    Args:
        scale: 1, 2, 3, 4 or 8, done by the last transposed convolution alone (kernel 4, stride 2, padding 3
            at x2).
        relu_between: a ReLU between the two transposed convolutions (absent in #00, present from #05 on).
        padding: what convolutions see beyond the border: ``zeros``, ``reflect`` or ``replicate``.
        widths: channels of the stages of two blocks each; between the transposed convolutions there are as many as in
            the first.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: any other scale or padding, or no widths.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        relu_between: bool = True,
        padding: Padding = "zeros",
        widths: Sequence[int] = WIDTHS,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise ValueError(f"widths={list(widths)} must be channels of at least one stage, as {list(WIDTHS)}")
        self.scale = check_scale(self, scale, self.scales)
        self.checkpointing = checkpointing
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=1, padding=1),
        )
        self.stages = nn.Sequential(*_stages(widths))
        # The first transposed convolution makes h + 2, the second (h + 1) * scale + kernel - 2 * cut.
        # That is scale * h when kernel = 2 * cut - scale. With this padding the windows overlap by half.
        cut = scale + (scale + 1) // 2
        self.widen = ConvTranspose2d(widths[-1], widths[0], 3)
        self.relu = nn.ReLU(inplace=True) if relu_between else nn.Identity()
        self.to_rgb = ExactConvTranspose2d(widths[0], 3, 2 * cut - scale, stride=scale, padding=cut)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        features = self.stem(2 * lr - 1)
        for block in self.stages:
            features = run(block, features, self.checkpointing)
        return (self.to_rgb(self.relu(self.widen(features))) + 1) / 2


def _stages(widths: Sequence[int]) -> list[nn.Module]:
    """The four stages of basic blocks; a 1x1 projection on the shortcut where the width changes."""
    blocks: list[nn.Module] = []
    channels = widths[0]
    for width in widths:
        for _ in range(BLOCKS_PER_STAGE):
            shortcut = None
            if channels != width:
                shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width))
            blocks.append(BasicBlock(channels, width, stride=1, downsample=shortcut))
            channels = width
    return blocks
