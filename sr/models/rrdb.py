"""The network of ESRGAN and Real-ESRGAN, by the names under which BasicSR publishes it."""

from collections.abc import Iterable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.padding import Padding, cut_to, pad_, pad_to
from sr.models.published import Arguments, Weights, number_of
from sr.models.residual import start_small_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image

UNSHUFFLED = {1: 4, 2: 2}
"""By how much the picture is folded into channels first, by scale: the trunk of x1 and x2 is as fast as that of x4."""
BRANCH = 0.2  # weight of every residual branch
SLOPE = 0.2
LAYERS = 5


def dense(convs: Iterable[nn.Module], last: nn.Module, features: Image, slope: float) -> Image:
    """Convolutions that each see all features before them; ``BRANCH`` times what the last makes is added.

    Args:
        convs: each with a leaky ReLU of this slope behind it.
        last: without one.
        features: (batch, features, h, w).
        slope: of the leaky ReLUs.
    """
    seen = [features]
    for conv in convs:
        seen.append(F.leaky_relu(conv(torch.cat(seen, dim=1)), slope))
    branch: Image = last(torch.cat(seen, dim=1))
    return features + BRANCH * branch


class DenseBlock(nn.Module):
    """Five 3x3 convolutions that each see all features before them; the last one makes the branch.

    Args:
        features: channels in and out.
        growth: channels that each of the first four adds.
    """

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(LAYERS):
            out = features if number == LAYERS - 1 else growth
            conv = nn.Conv2d(features + number * growth, out, 3, padding=1)
            start_small_(conv)
            self.add_module(f"conv{number + 1}", conv)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        *convs, last = self.children()
        return dense(convs, last, features, SLOPE)


class ResidualInResidual(nn.Module):
    """Three dense blocks with a residual around them."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(features, growth)
        self.rdb2 = DenseBlock(features, growth)
        self.rdb3 = DenseBlock(features, growth)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        branch: Image = self.rdb3(self.rdb2(self.rdb1(features)))
        return features + BRANCH * branch


class RrdbNet(nn.Module):
    """RRDBNet (Wang et al. 2018, arXiv 1809.00219; x1 and x2 by pixel unshuffle: Real-ESRGAN, arXiv 2107.10833).

    3x3 convolution, ``blocks`` residual-in-residual dense blocks and a convolution with a skip around them; nearest
    neighbour x2 (x3 at x3) and a convolution per stage; two convolutions at the SR size. The weights have the names of
    BasicSR (``conv_first``, ``body.0.rdb1.conv1``, ``conv_up1``, …), so that files of Real-ESRGAN, of BSRGAN's
    successors and of ours are interchangeable at x1, x2 and x4. No published network has x3 or x8 by these names.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels of the trunk (published: 64).
        blocks: published: 23; 6 in RealESRGAN_x4plus_anime_6B.
        growth: channels that a dense layer adds; other programs assume the published 32.
        padding: what convolutions see beyond the border: ``zeros`` (published), ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Attributes:
        grid: pictures are cut into tiles at multiples of it, as pixels are folded into channels by it.

    Raises:
        ValueError: a scale, size or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 23,
        growth: int = 32,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, blocks, growth) < 1:
            raise ValueError(
                f"RrdbNet needs features, blocks and growth of at least 1, not {features}, {blocks} and {growth}."
            )
        self.checkpointing = checkpointing
        self.grid = UNSHUFFLED.get(scale, 1)
        self.factors = doubling_stages(scale * self.grid)
        self.conv_first = nn.Conv2d(3 * self.grid**2, features, 3, padding=1)
        self.body = nn.ModuleList(ResidualInResidual(features, growth) for _ in range(blocks))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        for number in range(1, len(self.factors) + 1):
            self.add_module(f"conv_up{number}", nn.Conv2d(features, features, 3, padding=1))
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = ExactConv2d(features, 3, 3, padding=1)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped.

        Sizes that are no multiple of ``grid`` are mirrored onwards at the right and the bottom, and cut afterwards.
        """
        height, width = lr.shape[-2:]
        folded = lr if self.grid == 1 else F.pixel_unshuffle(pad_to(lr, self.grid), self.grid)
        first = self.conv_first(folded)
        x = first
        for block in self.body:
            x = run(block, x, self.checkpointing)
        x = first + self.conv_body(x)
        for number, factor in enumerate(self.factors, 1):
            enlarged = F.interpolate(x, scale_factor=factor, mode="nearest")
            x = F.leaky_relu(self.get_submodule(f"conv_up{number}")(enlarged), SLOPE)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), SLOPE))
        return cut_to(x, self.scale * height, self.scale * width)

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`.

        Raises:
            ValueError: x2 folds the picture into channels, which x4 does not.
        """
        if self.scale // 2 in UNSHUFFLED:
            raise ValueError("RrdbNet folds the picture into channels up to x2, so that it grows from x4 to x8 only")
        return name

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network; None where it is none, or of a variant that is not here.

        A single ``conv_up1`` behind 3 channels is a x2 without unshuffle in other programs, not our x3.
        """
        if "conv_first.weight" not in tensors or "body.0.rdb1.conv1.weight" not in tensors:
            return None
        features, channels = tensors["conv_first.weight"].shape[:2]
        stages = number_of(tensors, r"conv_up\d\.weight")
        scale = {(3, 2): 4, (3, 3): 8, (12, 2): 2, (48, 2): 1}.get((channels, stages))
        if scale is None:
            return None
        blocks = number_of(tensors, r"body\.\d+\.rdb1\.conv1\.weight")
        growth = tensors["body.0.rdb1.conv1.weight"].shape[0]
        return {"scale": scale, "features": features, "blocks": blocks, "growth": growth}
