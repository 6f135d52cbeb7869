"""The generators of CycleGAN, as the fourth seed's repository has them: halvings, residual blocks, enlargements."""

from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.padding import cut_to, pad_to
from sr.models.scales import Upscaled, check_scale
from sr.types import Image

Upsampler = Literal["shuffle", "transposed", "resize"]


class Block(nn.Module):
    """Convolution, norm, ReLU, convolution, norm, and ReLU where the seed's code has one; added to the input."""

    def __init__(self, features: int, activated: bool) -> None:
        super().__init__()
        second = [nn.ReLU(inplace=True)] if activated else []
        self.body = nn.Sequential(*_unit(features), *_unit(features)[:-1], *second)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        branch: Image = self.body(features)
        return features + branch


class Up(nn.Module):
    """An enlargement by 2, norm and ReLU.

    Args:
        features: channels of the input.
        out: channels of the result.
        upsampler: see `CycleGan`.
    """

    def __init__(self, features: int, out: int, upsampler: Upsampler) -> None:
        super().__init__()
        self.upsampler = upsampler
        if upsampler == "transposed":
            self.conv: nn.Module = nn.ConvTranspose2d(features, out, 3, stride=2, padding=1, output_padding=1)
        else:
            many = 4 if upsampler == "shuffle" else 1
            self.conv = nn.Conv2d(features, out * many, 3, padding=1, padding_mode="reflect")
        self.norm = nn.Sequential(nn.InstanceNorm2d(out), nn.ReLU(inplace=True))

    def forward(self, features: Image) -> Tensor:
        """Map (batch, features, h, w) to (batch, out, 2*h, 2*w)."""
        if self.upsampler == "resize":
            features = F.interpolate(features, scale_factor=2.0, mode="nearest")
        made = self.conv(features)
        if self.upsampler == "shuffle":
            made = F.pixel_shuffle(made, 2)
        result: Tensor = self.norm(made)
        return result


class Generator(nn.Module):
    """One direction of `CycleGan`, whose arguments these are. Pictures are moved to [-1, 1] inside."""

    scale = 1
    recolours = True
    """Gray pictures may become coloured ones."""

    def __init__(
        self, features: int, blocks: int, halvings: int, upsampler: Upsampler, activated: bool, checkpointing: bool
    ) -> None:
        super().__init__()
        self.multiple = 2**halvings
        self.checkpointing = checkpointing
        widths = [features * 2**index for index in range(halvings + 1)]
        self.head = nn.Sequential(*_with_norm(nn.Conv2d(3, features, 7, padding=3, padding_mode="reflect"), features))
        halved = [_with_norm(nn.Conv2d(width, 2 * width, 3, 2, padding=1), 2 * width) for width in widths[:-1]]
        self.down = nn.Sequential(*(nn.Sequential(*layers) for layers in halved))
        self.blocks = nn.Sequential(*(Block(widths[-1], activated) for _ in range(blocks)))
        self.up = nn.Sequential(*(Up(2 * width, width, upsampler) for width in reversed(widths[:-1])))
        self.end = ExactConv2d(features, 3, 7, padding=3, padding_mode="reflect")
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, 0.0, 0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, picture: Image) -> Image:
        """Translate RGB in [0, 1] to the same size, within [0, 1]."""
        height, width = picture.shape[-2:]
        # Mirroring three pixels wants four, and the blocks two each side of what the halvings leave.
        x = self.down(self.head(2 * pad_to(picture, self.multiple, max(4, 2 * self.multiple)) - 1))
        for block in self.blocks:
            x = run(block, x, self.checkpointing)
        made = (torch.tanh(self.end(self.up(x))) + 1) / 2
        result: Tensor = cut_to(made, height, width)
        return result


class Cycle(NamedTuple):
    """What both generators make of pictures of both sides, RGB in [0, 1]; its views by these names.

    Attributes:
        sr: those of A as of B.
        back: those of B as of A.
        again_a: those of A there and back.
        again_b: likewise, of B.
        same_a: those of A, as if they were of B and to be made ones of A: they should stay as they are.
        same_b: likewise, of B.
    """

    sr: Image
    back: Image
    again_a: Image
    again_b: Image
    same_a: Image
    same_b: Image


class CycleGan(nn.Module):
    """Two generators, from A to B and back, of CycleGAN (Zhu et al. 2017, arXiv 1703.10593) as the fourth seed has it.

    Each: 7x7 convolution, ``halvings`` convolutions of stride 2 that double the channels, ``blocks`` residual blocks,
    as many enlargements that halve the channels, 7x7 convolution, tanh. Instance normalisation without weights and ReLU
    behind each convolution but the last; borders are mirrored but for the strided and transposed ones. Weights begin at
    N(0, 0.02), biases at 0. Sides that no halving divides go on mirrored, and are cut back. Instance normalisation
    looks at the whole picture.

    Args:
        scale: 1, as both sides have one size.
        features: channels at full size (model 1 of the seed: 64, model 2: 96).
        blocks: residual ones (9; 2).
        halvings: and enlargements (2; 1).
        upsampler: ``shuffle``, a convolution and a pixel shuffle (the seed); ``transposed``, a transposed convolution
            (the paper); ``resize``, nearest neighbours and a convolution.
        activated: ReLU at the end of each block's branch, as in the seed's code; the paper has none.
        checkpointing: less memory in training, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale, size or upsampler that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = (1,)
    of_real: ClassVar[tuple[str, ...]] = ("back", "again_b", "same_b")
    """Of `Cycle`, what is made of pictures of B."""

    def __init__(
        self,
        scale: int,
        features: int = 96,
        blocks: int = 2,
        halvings: int = 1,
        upsampler: Upsampler = "shuffle",
        activated: bool = True,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        check_choice("upsampler", upsampler, Upsampler)
        if min(features, blocks) < 1 or halvings < 0:
            raise ValueError(
                f"CycleGan needs features and blocks of at least 1 and halvings of at least 0, not {features}, "
                f"{blocks} and {halvings}; choose 96, 2 and 1."
            )
        sizes = features, blocks, halvings, upsampler, activated, checkpointing
        self.to_b, self.to_a = Generator(*sizes), Generator(*sizes)

    def forward(self, lr: Image) -> Upscaled:
        """Translate RGB in [0, 1] from A to B: (batch, 3, h, w) to the same size, within [0, 1]."""
        made: Tensor = self.to_b(lr)
        return made

    def cycle(self, a: Image, b: Image) -> Cycle:
        """What training compares.

        Args:
            a: pictures of A, (batch, 3, h, w) RGB in [0, 1].
            b: of B, which need not belong to them.
        """
        sr, back = self.to_b(a), self.to_a(b)
        return Cycle(sr, back, self.to_a(sr), self.to_b(back), self.to_a(a), self.to_b(b))


def _with_norm(conv: nn.Module, features: int) -> list[nn.Module]:
    return [conv, nn.InstanceNorm2d(features), nn.ReLU(inplace=True)]


def _unit(features: int) -> list[nn.Module]:
    return _with_norm(nn.Conv2d(features, features, 3, padding=1, padding_mode="reflect"), features)
