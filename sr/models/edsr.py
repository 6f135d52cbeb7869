"""The network that won NTIRE 2017, by BasicSR's names; its authors' own names are understood too."""

import re
from typing import ClassVar

import torch
from torch import Tensor, nn

from sr.choices import check_choice
from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.published import Arguments, Weights, factors_of, number_of
from sr.models.residual import Norm, ResidualBlock
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image

MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, RGB
RANGE = 255.0  # pictures in the trunk go from 0 to it
WIDE = 256  # from so many features on, published networks weigh their branches by 0.1


class Edsr(nn.Module):
    """EDSR (Lim et al. 2017, arXiv 1707.02921).

    The mean colour of DIV2K is taken off and pictures are in [0, 255] inside; 3x3 convolution, ``blocks`` residual
    blocks and a convolution with a skip around them; a convolution and a pixel shuffle per stage, a convolution.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels (64 of the baseline, 256 of the full network).
        blocks: 16 of the baseline, 32 of the full network.
        branch: weight of each block's branch (1 of the baseline, 0.1 of the full network).
        norm: ``batch``: batch normalisation in the blocks, which the paper takes out of SRResNet's.
        icnr: start the convolutions before a shuffle without checkerboard (see ``icnr_``).
        padding: what convolutions see beyond the border: ``zeros`` (published), ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale, size, norm or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE
    mean: Tensor

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 16,
        branch: float = 1.0,
        norm: Norm = "none",
        icnr: bool = True,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, blocks) < 1:
            raise ValueError(f"Edsr needs features and blocks of at least 1, not {features} and {blocks}.")
        check_choice("norm", norm, Norm)
        self.checkpointing = checkpointing
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv_first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.ModuleList(ResidualBlock(features, branch, norm) for _ in range(blocks))
        self.conv_after_body = nn.Conv2d(features, features, 3, padding=1)
        self.upsample = nn.Sequential()
        for factor in doubling_stages(scale):
            conv = nn.Conv2d(features, features * factor**2, 3, padding=1)
            if icnr:
                for parameter in conv.parameters():
                    icnr_(parameter, factor)
            self.upsample.extend([conv, nn.PixelShuffle(factor)])
        self.conv_last = ExactConv2d(features, 3, 3, padding=1)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        first = self.conv_first((lr - self.mean) * RANGE)
        x = first
        for block in self.body:
            x = run(block, x, self.checkpointing)
        x = self.conv_last(self.upsample(first + self.conv_after_body(x)))
        return x / RANGE + self.mean

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`."""
        return name

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network by BasicSR's names; None where it is none.

        The weight of the branches is not in the file: 0.1 from 256 features on, else 1, as all published ones have it.
        """
        if not {"conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight"} <= set(tensors):
            return None
        features = tensors["conv_first.weight"].shape[0]
        shuffled = [name for name in tensors if re.fullmatch(r"upsample\.\d\.weight", name)]
        return {
            "scale": factors_of(tensors, shuffled),
            "features": features,
            "blocks": number_of(tensors, r"body\.\d+\.conv1\.weight"),
            "branch": 0.1 if features >= WIDE else 1.0,
        }


def from_authors_names(tensors: Weights) -> dict[str, Tensor] | None:
    """The weights of a file of EDSR's authors (``head.0``, ``body.0.body.0``, ``tail.0.0``) by BasicSR's names.

    Args:
        tensors: by name, of any network.

    Returns:
        The same tensors; the fixed shifts of the mean are left out. None where the file is none of theirs.
    """
    if not {"head.0.weight", "body.0.body.0.weight", "tail.1.weight"} <= set(tensors):
        return None
    after = number_of(tensors, r"body\.\d+\.body\.0\.weight")
    rules = (
        (r"head\.0\.", "conv_first."),
        (r"body\.(\d+)\.body\.0\.", r"body.\1.conv1."),
        (r"body\.(\d+)\.body\.2\.", r"body.\1.conv2."),
        (rf"body\.{after}\.(?!body)", "conv_after_body."),
        (r"tail\.0\.(\d+)\.", r"upsample.\1."),
        (r"tail\.1\.", "conv_last."),
    )
    renamed = {}
    for name, tensor in tensors.items():
        if not name.startswith(("sub_mean.", "add_mean.")):
            new = next((re.sub(old, to, name, count=1) for old, to in rules if re.match(old, name)), name)
            renamed[new] = tensor
    return renamed
