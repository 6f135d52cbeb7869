"""A light network of 2024: six blocks of plain convolutions, and attention without weights."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.image.autocast import without_autocast
from sr.models.checkpointing import run
from sr.models.edsr import MEAN
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.published import Arguments, Weights, factor_of
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.types import Image

RANGE = 255.0
GAIN = 2  # how much wider a convolution is in training
BLOCKS = 6
CORRECTION_GAIN = 0.1  # of the last convolution at the start, apart from what hands the picture on


class WideConv(nn.Module):
    """A 3x3 convolution that is trained as 1x1 (wider), 3x3 and 1x1 with a 1x1 beside them, and computed as one.

    Nothing lies between the four, so that they are one convolution. Its weights are made of theirs at each call, which
    costs as much as a handful of pixels; the authors compute all four in training, where a zero beyond the border
    becomes the first one's bias, and one afterwards.

    Args:
        channels: in.
        out: channels out.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.sk = nn.Conv2d(channels, out, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(channels, GAIN * channels, 1),
            nn.Conv2d(GAIN * channels, GAIN * out, 3, padding=1),
            nn.Conv2d(GAIN * out, out, 1),
        )
        self.register_load_state_dict_pre_hook(_without_made_weights)

    def forward(self, features: Image) -> Tensor:
        """Map (batch, channels, h, w) to (batch, out, h, w)."""
        weight, bias = self.made()
        return self.middle._conv_forward(features, weight, bias)

    def made(self) -> tuple[Tensor, Tensor]:
        """The convolution's weight (out, channels, 3, 3) and bias (out,)."""
        (w1, b1), (w2, b2), (w3, b3), (w0, b0) = map(_parameters, (*self.conv, self.sk))
        with without_autocast(w1.device):
            first, last = w1[:, :, 0, 0], w3[:, :, 0, 0]
            weight = torch.einsum("om,mnhw,ni->oihw", last, w2, first) + F.pad(w0, (1, 1, 1, 1))
            return weight, last @ (w2.sum(dim=(2, 3)) @ b1 + b2) + b3 + b0

    @property
    def middle(self) -> nn.Conv2d:
        """The 3x3 convolution, which knows the border."""
        layer = self.conv[1]
        assert isinstance(layer, nn.Conv2d)
        return layer


class AttentionBlock(nn.Module):
    """Three convolutions; what the last one makes also weighs the sum of itself and the input (equations 3 to 6)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.c1_r = WideConv(features, features)
        self.c2_r = WideConv(features, features)
        self.c3_r = WideConv(features, features)

    def forward(self, features: Image) -> tuple[Image, Image]:
        """Map (batch, features, h, w) to the same shape, and to what the first convolution made."""
        first = F.silu(self.c1_r(features))
        last = self.c3_r(F.silu(self.c2_r(first)))
        return (last + features) * (torch.sigmoid(last) - 0.5), first


class Span(nn.Module):
    """SPAN, first of NTIRE 2024's efficient super-resolution (Wan et al. 2024, arXiv 2311.12770).

    Convolution, six blocks, convolution; the first features, those of the first and of the last block (both ends of
    it) meet in a 1x1 convolution before the pixel shuffle. Names are the authors'. Untrained, three features carry the
    picture past the blocks, so that training begins near nearest-neighbour enlargement.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels, at least 3 (published: 48 or 52).
        norm: pictures without DIV2K's mean and times 255 inside, as the authors have it; false: as they are, as other
            programs train it, whose files say so by a tensor ``no_norm``.
        padding: what convolutions see beyond the border: ``zeros`` (published), ``reflect`` or ``replicate``.
        checkpointing: less memory in training for about a third more time, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale, size or padding that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE
    mean: Tensor
    no_norm: Tensor

    def __init__(
        self,
        scale: int,
        features: int = 48,
        norm: bool = False,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if features < 3:
            raise ValueError(f"Span needs at least 3 features, as that many carry the picture, not {features}.")
        self.checkpointing = checkpointing
        self.norm = norm
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        if not norm:
            self.register_buffer("no_norm", torch.zeros(1))
        self.conv_1 = WideConv(3, features)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"block_{number}", AttentionBlock(features))
        self.conv_cat = nn.Conv2d(4 * features, features, 1)
        self.conv_2 = WideConv(features, features)
        last = ExactConv2d(features, 3 * scale**2, 3, padding=1)
        self.upsampler = nn.Sequential(last, nn.PixelShuffle(scale))
        _hand_on_(self.conv_1, self.conv_cat, last, scale, RANGE if norm else 1.0)
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        first: Tensor = self.conv_1((lr - self.mean) * RANGE if self.norm else lr)
        ends, x, inner = [], first, first
        for number in range(1, BLOCKS + 1):
            x, inner = run(self.get_submodule(f"block_{number}"), x, self.checkpointing)
            ends.append(x)
        result: Tensor = self.upsampler(self.conv_cat(torch.cat([first, self.conv_2(x), ends[0], inner], dim=1)))
        return result

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network; None where it is none."""
        if not {"conv_1.sk.weight", "block_6.c3_r.sk.weight", "upsampler.0.weight"} <= set(tensors):
            return None
        return {
            "scale": factor_of(tensors["upsampler.0.weight"].shape[0], 3),
            "features": tensors["conv_cat.weight"].shape[0],
            "norm": "no_norm" not in tensors,
        }


def _parameters(layer: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    return layer.weight, layer.bias


@torch.no_grad()
def _hand_on_(first: WideConv, joining: nn.Conv2d, last: nn.Conv2d, scale: int, factor: float) -> None:
    """Let the first three features be the picture from end to end, and the others add little to it."""
    for layer in (first.conv[2], first.sk, joining):
        weight, bias = _parameters(layer)
        weight[:3] = 0
        bias[:3] = 0
    icnr_(last.weight.mul_(CORRECTION_GAIN / factor), scale)
    last.weight[:, :3] = 0
    _, bias = _parameters(last)
    bias.copy_(torch.tensor(MEAN if factor != 1 else (0.0,) * 3).repeat_interleave(scale**2))
    for colour in range(3):
        first.sk.weight[colour, colour] = 1 / factor
        joining.weight[colour, colour] = 1
        last.weight[colour * scale**2 : (colour + 1) * scale**2, colour, 1, 1] = 1


def _without_made_weights(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Published files hold the made convolution beside its parts."""
    for name in ("weight", "bias"):
        state.pop(f"{prefix}eval_conv.{name}", None)
