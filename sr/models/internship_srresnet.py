"""The internship's generator: SRResNet with spectral normalisation, which grows from x2 to x4 to x8."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.padding import Padding, pad_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.models.srresnet import Block, Stage
from sr.spectral import spectral_norm
from sr.types import Image


class InternshipSrResNet(nn.Module):
    """SRGAN's generator (Ledig et al. 2017, arXiv 1609.04802) as the internship of 2019 built it.

    9x9 convolution and PReLU (``first``), ``blocks`` residual blocks with batch normalisation and a convolution with
    normalisation and a skip around them (``trunk``), a convolution, a pixel shuffle and a PReLU for each factor of the
    scale (``stages``), a 3x3 convolution to RGB (``end``) and a tanh. Every convolution has spectral normalisation
    (Miyato et al. 2018, arXiv 1802.05957); every PReLU one slope.

    Pictures are moved to [-1, 1] inside.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels (the internship: 64).
        blocks: of two convolutions each (16).
        spectral: spectral normalisation of the convolutions (true).
        icnr: start the convolutions before a shuffle without checkerboard (false; see ``icnr_``).
        padding: what convolutions see beyond the border: ``zeros`` (the internship), ``reflect`` or ``replicate``.
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
        spectral: bool = True,
        icnr: bool = False,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        self.checkpointing = checkpointing
        if min(features, blocks) < 1:
            raise ValueError(
                f"InternshipSrResNet needs features and blocks of at least 1, not {features} and {blocks}."
            )
        self.first = nn.Sequential(nn.Conv2d(3, features, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(*(Block(features) for _ in range(blocks)))
        self.trunk = nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.BatchNorm2d(features))
        self.stages = nn.Sequential(*(Stage(features, factor, icnr) for factor in doubling_stages(scale)))
        self.end = ExactConv2d(features, 3, 3, padding=1)
        pad_(self, padding)
        for layer in [layer for layer in self.modules() if isinstance(layer, nn.Conv2d) and spectral]:
            spectral_norm(layer)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w), within [0, 1]."""
        first = self.first(2 * lr - 1)
        x = first
        for block in self.blocks:
            x = run(block, x, self.checkpointing)
        x = self.stages(first + self.trunk(x))
        result: Tensor = (torch.tanh(self.end(x)) + 1) / 2
        return result

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`."""
        return name
