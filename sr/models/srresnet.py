"""The generator of SRGAN, by the names of the most used published weights."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.published import Arguments, Weights, factors_of, number_of
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image


class Block(nn.Module):
    """Convolution, batch normalisation, PReLU, convolution, batch normalisation, added to the input."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(features)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(features)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        branch: Image = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(features)))))
        return features + branch


class Stage(nn.Module):
    """Convolution, pixel shuffle, PReLU."""

    def __init__(self, features: int, factor: int, icnr: bool) -> None:
        super().__init__()
        self.factor = factor
        self.conv = nn.Conv2d(features, features * factor**2, 3, padding=1)
        for parameter in self.conv.parameters() if icnr else ():
            icnr_(parameter, factor)
        self.prelu = nn.PReLU()

    def forward(self, features: Image) -> Tensor:
        """Map (batch, features, h, w) to (batch, features, factor*h, factor*w)."""
        enlarged: Tensor = self.prelu(F.pixel_shuffle(self.conv(features), self.factor))
        return enlarged


class SrResNet(nn.Module):
    """SRResNet, the generator of SRGAN (Ledig et al. 2017, arXiv 1609.04802).

    9x9 convolution and PReLU, ``blocks`` residual blocks with batch normalisation and a convolution with a skip around
    them, a convolution and a pixel shuffle per stage, 9x9 convolution, and a tanh that keeps the result within [0, 1].
    Names (``block1``, ``block2`` …) and the convolution after the blocks without normalisation are those of
    leftthomas/SRGAN, whose weights at x2, x4 and x8 are published; the paper's has 16 blocks, theirs 5.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels (published: 64).
        blocks: of two convolutions each.
        icnr: start the convolutions before a shuffle without checkerboard (see ``icnr_``).
        padding: what convolutions see beyond the border: ``zeros`` (published), ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.
        joining: the convolution after the blocks; the fourth seed's notebook defines one and leaves it out.

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
        joining: bool = True,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, blocks) < 1:
            raise ValueError(f"SrResNet needs features and blocks of at least 1, not {features} and {blocks}.")
        self.checkpointing = checkpointing
        stages = [Stage(features, factor, icnr) for factor in doubling_stages(scale)]
        layers = [
            nn.Sequential(nn.Conv2d(3, features, 9, padding=4), nn.PReLU()),
            *(Block(features) for _ in range(blocks)),
            *([nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.PReLU())] if joining else []),
            nn.Sequential(*stages, ExactConv2d(features, 3, 9, padding=4)),
        ]
        for number, layer in enumerate(layers, 1):
            self.add_module(f"block{number}", layer)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w), within [0, 1]."""
        head, *trunk, tail = self.children()
        first = head(lr)
        x = first
        for layer in trunk:
            x = run(layer, x, self.checkpointing)
        result: Tensor = (torch.tanh(tail(first + x)) + 1) / 2
        return result

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`."""
        block = f"block{len(list(self.children()))}."  # of the stages, the last convolution behind them
        stages = len(doubling_stages(self.scale))
        last = f"{block}{stages - 1}."
        return f"{block}{stages}.{name.removeprefix(last)}" if name.startswith(last) else name

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network; None where it is none."""
        if not {"block1.0.weight", "block1.1.weight", "block2.bn1.running_mean"} <= set(tensors):
            return None
        blocks = number_of(tensors, r"block\d+\.conv1\.weight")
        joining = any(name.startswith(f"block{blocks + 3}.") for name in tensors)
        return {
            "scale": factors_of(tensors, [n for n in tensors if n.endswith(".conv.weight") and n.count(".") == 3]),
            "features": tensors["block1.0.weight"].shape[0],
            "blocks": blocks,
        } | ({} if joining else {"joining": False})
