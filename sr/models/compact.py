"""A plain chain of convolutions at the LR size, in the form that other programs open by the name of Compact."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.init import icnr_
from sr.models.padding import Padding, pad_
from sr.models.published import Arguments, Weights, factor_of, number_of
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale
from sr.types import Image

SLOPE = 0.25  # of every PReLU at the start, PyTorch's own
TOGETHER = 8  # convolutions and activations that are computed again as one
CORRECTION_GAIN = 0.1  # of the last convolution at the start: training begins near nearest-neighbour enlargement


class Compact(nn.Module):
    """SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021, arXiv 2107.10833; realesr-animevideov3, realesr-general).

    3x3 convolution and PReLU, ``convolutions`` times the same again, 3x3 convolution to 3 * scale**2 channels, pixel
    shuffle, plus the input enlarged by nearest neighbour. The weights have the published names (``body.0.weight``,
    ``body.1.weight``, …), so that published files load and files of ours open in programs built on spandrel.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: channels between the convolutions (published: 64).
        convolutions: how many lie between the first and the last one (published: 16 or 32).
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
        convolutions: int = 16,
        padding: Padding = "zeros",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if features < 1 or convolutions < 0:
            raise ValueError(
                f"Compact needs features of at least 1 and convolutions of at least 0, not {features} and "
                f"{convolutions}."
            )
        self.checkpointing = checkpointing
        layers: list[nn.Module] = []
        for channels in (3, *[features] * convolutions):
            conv = nn.Conv2d(channels, features, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, a=SLOPE)
            layers += [conv, nn.PReLU(features, init=SLOPE)]
        self.body = nn.ModuleList([*layers, _last(features, scale)])
        pad_(self, padding)

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        x = lr
        for start in range(0, len(self.body), TOGETHER):
            x = run(nn.Sequential(*self.body[start : start + TOGETHER]), x, self.checkpointing)
        return F.pixel_shuffle(x, self.scale) + F.interpolate(lr, scale_factor=self.scale, mode="nearest")

    @classmethod
    def described_by(cls, tensors: Weights) -> Arguments | None:
        """The arguments of a published file's network; None where it is none."""
        names = [name for name in tensors if name.startswith("body.") and name.endswith(".bias")]
        if not {"body.0.weight", "body.1.weight", "body.2.bias"} <= set(tensors) or tensors["body.1.weight"].dim() != 1:
            return None
        last = tensors[max(names, key=lambda name: int(name.split(".")[1]))]
        return {
            "scale": factor_of(last.shape[0], 3),
            "features": tensors["body.0.weight"].shape[0],
            "convolutions": number_of(tensors, r"body\.\d+\.bias") - 2,
        }


@torch.no_grad()
def _last(features: int, scale: int) -> nn.Conv2d:
    """The convolution before the shuffle: it starts small and without checkerboard."""
    conv = ExactConv2d(features, 3 * scale**2, 3, padding=1)
    conv.weight.mul_(CORRECTION_GAIN)
    torch.nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    icnr_(conv.weight, scale)
    return conv
