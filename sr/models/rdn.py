"""Residual dense network (Zhang et al. 2018, arXiv 1802.08797)."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.models.blur import Blur
from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import ConvTranspose2d, Padding, pad_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.types import Image

Features = Float[Tensor, "batch channels height width"]
UPSAMPLERS = ("shuffle", "shuffle_blur", "blur_transpose")


class ResidualDenseBlock(nn.Module):
    """``layers`` 3x3 convolutions that each see all features before them, 1x1 fusion, residual.

    Equations 5 to 8 of the paper.

    Args:
        features: channels in and out (the paper's G0).
        growth: channels that each layer adds (G).
        layers: number of 3x3 convolutions (C).
        memory_lean: see ``Rdn``.
    """

    def __init__(self, features: int, growth: int, layers: int, memory_lean: bool = False) -> None:
        super().__init__()
        self.memory_lean = memory_lean
        self.layers = nn.ModuleList(nn.Conv2d(features + i * growth, growth, 3, padding=1) for i in range(layers))
        self.fusion = nn.Conv2d(features + layers * growth, features, 1)

    def forward(self, x: Features) -> Features:
        """Map (batch, features, h, w) to the same shape."""
        if self.memory_lean:
            return self._without_concatenation(x)
        seen = [x]
        for layer in self.layers:
            seen.append(torch.relu(layer(torch.cat(seen, dim=1))))
        return x + self.fusion(torch.cat(seen, dim=1))

    def _without_concatenation(self, x: Features) -> Features:
        """The same sums in another order: each feature map is convolved at once for all layers that see it.

        The backward pass then keeps every feature map once, not once per layer that sees it.
        """
        convs = [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]
        growth = convs[0].out_channels
        widths = [x.shape[1]] + [growth] * len(convs)
        # columns[i][j]: weights of layer i for feature map j; below, map j goes to layers j, j + 1, ... at once.
        columns = [conv.weight.split(widths[: i + 1], dim=1) for i, conv in enumerate(convs)]
        fusion = self.fusion.weight.split(widths, dim=1)
        biases = torch.cat([conv.bias for conv in convs if conv.bias is not None])
        padded = convs[0]._conv_forward  # all have its border
        pending = padded(x, torch.cat([column[0] for column in columns]), biases)
        fused = F.conv2d(x, fusion[0], self.fusion.bias)
        for j in range(1, len(convs) + 1):
            new = torch.relu(pending[:, :growth])
            fused = fused + F.conv2d(new, fusion[j])
            if j < len(convs):
                weight = torch.cat([column[j] for column in columns[j:]])
                pending = pending[:, growth:] + padded(new, weight, None)
        return x + fused


class Rdn(nn.Module):
    """RDN: shallow features, residual dense blocks, fusion of all their outputs, upsampling, 3x3 to RGB.

    Pictures are moved to [-1, 1] inside, so that an untrained network starts from mid-gray.

    Args:
        scale: 1, 2, 3, 4 or 8. 4 and 8 are made of x2 stages, 3 of one x3 stage, 1 of none.
        features: channels of the trunk (G0).
        growth: channels that each dense layer adds (G).
        blocks: number of residual dense blocks (D).
        layers: convolutions per block (C).
        upsampler: ``shuffle`` is the paper's convolution and pixel shuffle per stage; ``shuffle_blur`` adds
            one 3-tap blur after the last shuffle against checkerboards; ``blur_transpose`` uses a 4-tap blur
            and a transposed convolution per stage instead.
        icnr: start the convolutions before a shuffle without checkerboard (see ``icnr_``).
        memory_lean: compute the dense blocks without concatenation: equal up to rounding, a fraction of the
            memory in training, somewhat slower. The weights are the same.
        padding: what convolutions see beyond the border: ``zeros``, ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale, size, upsampler or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        growth: int = 64,
        blocks: int = 16,
        layers: int = 8,
        upsampler: Literal["shuffle", "shuffle_blur", "blur_transpose"] = "shuffle",
        icnr: bool = True,
        memory_lean: bool = False,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, growth, blocks, layers) < 1:
            raise ValueError(
                f"Rdn needs features, growth, blocks and layers of at least 1, not {features}, {growth}, "
                f"{blocks} and {layers}."
            )
        if upsampler not in UPSAMPLERS:
            raise ValueError(f"Rdn has no upsampler {upsampler!r}; choose from {', '.join(UPSAMPLERS)}.")
        self.checkpointing = checkpointing
        self.shallow1 = nn.Conv2d(3, features, 3, padding=1)
        self.shallow2 = nn.Conv2d(features, features, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualDenseBlock(features, growth, layers, memory_lean) for _ in range(blocks))
        self.fusion1 = nn.Conv2d(blocks * features, features, 1)
        self.fusion2 = nn.Conv2d(features, features, 3, padding=1)
        self.upsample = nn.Sequential(*_upsampling(scale, features, upsampler, icnr))
        self.to_rgb = ExactConv2d(features, 3, 3, padding=1)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        first = self.shallow1(2 * lr - 1)
        x = self.shallow2(first)
        outputs = []
        for block in self.blocks:
            x = run(block, x, self.checkpointing)
            outputs.append(x)
        fused = self.fusion2(self.fusion1(torch.cat(outputs, dim=1))) + first
        return (self.to_rgb(self.upsample(fused)) + 1) / 2

    def grown_name(self, name: str) -> str:
        """The name here of a tensor of the network of half the scale; see `sr.models.growth`."""
        return name


def _upsampling(scale: int, features: int, kind: str, icnr: bool) -> list[nn.Module]:
    """Layers from (features, h, w) to (features, scale*h, scale*w)."""
    layers: list[nn.Module] = []
    for factor in doubling_stages(scale):
        if kind == "blur_transpose":
            # Kernel = factor + 2 * padding makes the output exactly factor times the input.
            layers += [Blur(4), ConvTranspose2d(features, features, factor + 2, stride=factor, padding=1)]
            continue
        conv = nn.Conv2d(features, features * factor**2, 3, padding=1)
        if icnr:
            for parameter in conv.parameters():
                icnr_(parameter, factor)
        layers += [conv, nn.PixelShuffle(factor)]
    if layers and kind == "shuffle_blur":
        layers.append(Blur(3))
    return layers
