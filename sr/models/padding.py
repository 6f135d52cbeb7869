"""What convolutions see beyond the border of a picture."""

from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.types import Image

Padding = Literal["zeros", "reflect", "replicate"]


class ConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution that can go on beyond its border, as `torch.nn.Conv2d` can; see `pad_`.

    Attributes:
        border: what lies there.
    """

    border: Padding = "zeros"

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve (batch, in_channels, height, width)."""
        if self.border == "zeros":
            return super().forward(features, output_size)
        margin = self.margin
        wide = super().forward(F.pad(features, (margin,) * 4, mode=self.border), output_size)
        top, left = (margin * int(stride) for stride in self.stride)
        return wide[..., top : wide.shape[-2] - top, left : wide.shape[-1] - left]

    @property
    def margin(self) -> int:
        """Pixels beyond the border that a pixel of the result can see."""
        return max(-(-(k - 1) // s) for k, s in zip(self.kernel_size, self.stride, strict=True))


def pad_(network: nn.Module, padding: Padding) -> None:
    """Let every convolution of ``network`` see the same beyond the border; call it at the end of a constructor.

    Zeros are black, which marks the outermost pixels of bright pictures; a mirrored or repeated border is more of the
    picture. The weights' names and shapes stay, so that a network can be trained with one and used with another.

    Args:
        network: changed in place.
        padding: ``zeros``, ``reflect`` (mirrored, the outermost pixel not doubled) or ``replicate`` (repeated).

    Raises:
        ValueError: there is no such padding.
    """
    check_choice("padding", padding, Padding)
    reach = 0
    for layer in network.modules():
        if isinstance(layer, ConvTranspose2d):
            layer.border = padding
            reach = max(reach, layer.margin)
        elif isinstance(layer, nn.Conv2d) and any(layer.padding):
            layer.padding_mode = padding
            reach = max(reach, *(int(side) for side in layer.padding))
    if padding == "reflect":
        network.register_forward_pre_hook(_Mirrored(reach))


def pad_to(image: Image, multiple: int, minimum: int = 0) -> Tensor:
    """Go on at the right and the bottom until both sides are multiples of a number.

    Args:
        image: (batch, channels, height, width).
        multiple: at least 1.
        minimum: pixels that each side needs at least.

    Returns:
        The picture, mirrored as far as it reaches and repeated from there on.
    """
    height, width = image.shape[-2:]
    down, right = (-(-max(side, minimum) // multiple) * multiple - side for side in (height, width))
    if not (down or right):
        return image
    mirrored = min(right, width - 1), min(down, height - 1)
    image = F.pad(image, (0, mirrored[0], 0, mirrored[1]), mode="reflect")
    return F.pad(image, (0, right - mirrored[0], 0, down - mirrored[1]), mode="replicate")


class _Mirrored:
    """Refuses pictures that are too small to be mirrored.

    Args:
        reach: largest number of pixels beyond the border.
    """

    def __init__(self, reach: int) -> None:
        self.reach = reach

    def __call__(self, network: nn.Module, inputs: tuple[Any, ...]) -> None:
        height, width = inputs[0].shape[-2:]
        if min(height, width) <= self.reach:
            raise UserError(
                f"{type(network).__name__} with padding=reflect needs pictures of at least {self.reach + 1} pixels a "
                f"side, not {width}x{height}; padding=replicate or zeros takes any"
            )
