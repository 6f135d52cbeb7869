"""The information multi-distillation network, by its authors' names."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.published import Arguments, Weights, factor_of, number_of
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.types import Image

SLOPE = 0.05
REDUCED = 16  # channels in the narrow middle of the attention: features divided by it
FLATTEST = 1e-12  # variance below which its root counts as this one's: a flat picture has no gradient there


class _Attention(nn.Module):
    """Weighs channels by their mean and standard deviation over the whole picture."""

    def __init__(self, features: int) -> None:
        super().__init__()
        narrow = max(1, features // REDUCED)
        self.conv_du = nn.Sequential(
            nn.Conv2d(features, narrow, 1), nn.ReLU(inplace=True), nn.Conv2d(narrow, features, 1), nn.Sigmoid()
        )

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        mean = features.mean(dim=(2, 3), keepdim=True)
        variance = (features - mean).square().mean(dim=(2, 3), keepdim=True)
        weights: Image = self.conv_du(mean + variance.clamp_min(FLATTEST).sqrt())
        return features * weights


class _Distillation(nn.Module):
    """Four convolutions; a quarter of what the first three find is kept aside, the rest goes on."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.kept = features // 4
        passed = features - self.kept
        self.c1 = nn.Conv2d(features, features, 3, padding=1)
        self.c2 = nn.Conv2d(passed, features, 3, padding=1)
        self.c3 = nn.Conv2d(passed, features, 3, padding=1)
        self.c4 = nn.Conv2d(passed, self.kept, 3, padding=1)
        self.c5 = nn.Conv2d(features, features, 1)
        self.cca = _Attention(features)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        rest, aside = features, []
        for conv in (self.c1, self.c2, self.c3):
            found = F.leaky_relu(conv(rest), SLOPE)
            aside.append(found[:, : self.kept])
            rest = found[:, self.kept :]
        branch: Image = self.c5(self.cca(torch.cat([*aside, self.c4(rest)], dim=1)))
        return features + branch


class Imdn(nn.Module):
    """IMDN (Hui et al. 2019, arXiv 1909.11856): small and fast; its attention looks at the whole picture.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels, a multiple of 4 (published: 64).
        blocks: published: 6.
        icnr: start the convolution before the shuffle without checkerboard (see ``icnr_``).
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
        blocks: int = 6,
        icnr: bool = True,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if features < 4 or features % 4 or blocks < 1:
            raise ValueError(
                f"Imdn needs features that are a multiple of 4 and at least 1 block, not {features} and {blocks}."
            )
        self.checkpointing = checkpointing
        self.blocks = blocks
        self.fea_conv = nn.Conv2d(3, features, 3, padding=1)
        for number in range(1, blocks + 1):
            self.add_module(f"IMDB{number}", _Distillation(features))
        self.c = nn.Sequential(nn.Conv2d(blocks * features, features, 1), nn.LeakyReLU(SLOPE, inplace=True))
        self.LR_conv = nn.Conv2d(features, features, 3, padding=1)
        last = ExactConv2d(features, 3 * scale**2, 3, padding=1)
        for parameter in last.parameters() if icnr else ():
            icnr_(parameter, scale)
        self.upsampler = nn.Sequential(last, nn.PixelShuffle(scale))
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        first = self.fea_conv(lr)
        found = [first]
        for number in range(1, self.blocks + 1):
            found.append(run(self.get_submodule(f"IMDB{number}"), found[-1], self.checkpointing))
        result: Tensor = self.upsampler(self.LR_conv(self.c(torch.cat(found[1:], dim=1))) + first)
        return result

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network; None where it is none."""
        if not {"fea_conv.weight", "IMDB1.cca.conv_du.0.weight", "upsampler.0.weight"} <= set(tensors):
            return None
        return {
            "scale": factor_of(tensors["upsampler.0.weight"].shape[0], 3),
            "features": tensors["fea_conv.weight"].shape[0],
            "blocks": number_of(tensors, r"IMDB\d+\.c1\.weight"),
        }
