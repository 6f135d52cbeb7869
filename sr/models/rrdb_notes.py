"""The photo notes' large networks: residual-in-residual dense blocks, on the author's own photographs."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.rrdb import BRANCH, dense
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.types import Image

Tail = Literal["direct", "refine"]
SLOPE = 0.1  # of every LeakyReLU
WITHIN = 3  # dense blocks in each residual
DILATIONS = (1, 2, 4)


class DenseBlock(nn.Module):
    """3x3 convolutions that each see all features before them; the last one, without activation, makes the branch.

    Args:
        features: channels in and out, and those that each convolution adds.
        layers: convolutions with the last one.
    """

    def __init__(self, features: int, layers: int) -> None:
        super().__init__()
        convs = (nn.Conv2d(number * features, features, 3, padding=1) for number in range(1, layers + 1))
        self.convs = nn.ModuleList(convs)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        *convs, last = self.convs
        return dense(convs, last, features, SLOPE)


class DilatedBlock(nn.Module):
    """3x3 convolutions of growing dilation and a 1x1 convolution without activation, which makes the branch."""

    def __init__(self, features: int) -> None:
        super().__init__()
        convs = (nn.Conv2d(features, features, 3, padding=step, dilation=step) for step in DILATIONS)
        self.convs = nn.ModuleList(convs)
        self.last = nn.Conv2d(features, features, 1)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        x = features
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
        branch: Image = self.last(x)
        return features + BRANCH * branch


class ResidualInResidual(nn.Module):
    """Three dense blocks, a dilated one before each where there are such, with a residual around all.

    What goes around is in the branch too, so that the input comes out at 1.2 times its size, as in the notes.
    """

    def __init__(self, features: int, layers: int, dilated: bool) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for _ in range(WITHIN):
            blocks += [DilatedBlock(features)] if dilated else []
            blocks.append(DenseBlock(features, layers))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        branch: Image = self.blocks(features)
        return features + BRANCH * branch


class RrdbNotes(nn.Module):
    """Generators 8 and 9 of the photo notes, and the latter's predecessor (kin of ESRGAN's, arXiv 1809.00219).

    5x5 convolution without activation, ``blocks`` residual-in-residual dense blocks, no skip around them, 3x3
    convolution to twice the features. Then either of

    * ``direct``: 3x3 convolution to 3 * scale**2 channels, shuffle (the x4 of the notes);
    * ``refine``: 1x1 convolution, one shuffle by ``scale`` to ``features`` channels, two 3x3 convolutions (their x2).

    LeakyReLU of slope 0.1 between all of them, none at the end.

    Args:
        scale: 1, 2, 3, 4 or 8, in one shuffle; the notes have x4 with ``direct`` and x2 with ``refine``.
        features: channels, and growth of the dense blocks.
        blocks: residuals of three dense blocks each.
        layers: convolutions of a dense block, at least 1.
        dilated: a block of dilated convolutions before each dense block.
        tail: see above.
        icnr: start the convolution before the shuffle without checkerboard (see ``icnr_``); the notes do not.
        padding: what convolutions see beyond the border: ``zeros`` (the notes), ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale, size, tail or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        blocks: int = 16,
        layers: int = 5,
        dilated: bool = False,
        tail: Tail = "direct",
        icnr: bool = False,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, blocks, layers) < 1:
            raise ValueError(
                f"RrdbNotes needs features, blocks and layers of at least 1, not {features}, {blocks} and {layers}."
            )
        check_choice("tail", tail, Tail)
        self.checkpointing = checkpointing
        self.head = nn.Conv2d(3, features, 5, padding=2)
        self.trunk = nn.ModuleList(ResidualInResidual(features, layers, dilated) for _ in range(blocks))
        self.widen = nn.Conv2d(features, 2 * features, 3, padding=1)
        self.tail = nn.Sequential(*_tail(tail, scale, features))
        for parameter in self.tail[0].parameters() if icnr else ():
            icnr_(parameter, scale)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        x = self.head(lr)
        for block in self.trunk:
            x = run(block, x, self.checkpointing)
        result: Tensor = self.tail(F.leaky_relu(self.widen(x), SLOPE))
        return result


def _tail(kind: Tail, scale: int, features: int) -> list[nn.Module]:
    """Layers from (2 * features, h, w) to (3, scale*h, scale*w)."""
    if kind == "direct":
        return [ExactConv2d(2 * features, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)]
    return [
        nn.Conv2d(2 * features, features * scale**2, 1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.PixelShuffle(scale),
        nn.Conv2d(features, features, 3, padding=1),
        nn.LeakyReLU(SLOPE, inplace=True),
        ExactConv2d(features, 3, 3, padding=1),
    ]
