"""The U-Net that tells a switch, pixel by pixel, which branches to take."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.choices import check_choice
from sr.models.padding import cut_to, pad_to

MultiplexerNorm = Literal["group", "batch", "none"]
Shape = Literal["unet", "flat"]
GROUPS = 8
LAST_GROUPS = 4  # of the two convolutions before the logits


class Multiplexer(nn.Module):
    """Features to a logit per branch and pixel (ConvBasisMultiplexer of DL-Art-School, commit 5f2c722).

    3x3 convolutions with SiLU: one to ``features`` channels; ``reductions`` times half the size and twice the
    channels; ``processing`` more there; back up with skips; three that narrow to the logits, where the last keeps its
    SiLU, so that no logit is below -0.278. Sizes that are no multiple of 2^reductions are mirrored onwards at the right
    and the bottom, and the logits cut back.

    Args:
        channels: of the features that are given.
        features: F, at full size.
        reductions: R, halvings.
        processing: P, convolutions at the smallest size.
        branches: T, logits.
        norm: ``group`` (8 groups), ``batch`` as before that commit, or ``none``. Group norm looks at the whole
            picture; batch norm in evaluation does not.
        shape: ``unet``, or ``flat``: as before that commit there is no way up, and each logit holds for a square of
            2^reductions pixels.

    Raises:
        ValueError: channels that cannot be grouped, or numbers out of range.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        reductions: int,
        processing: int,
        branches: int,
        norm: MultiplexerNorm = "group",
        shape: Shape = "unet",
    ) -> None:
        super().__init__()
        check_choice("multiplexer_norm", norm, MultiplexerNorm)
        check_choice("multiplexer", shape, Shape)
        if features < GROUPS or features % GROUPS or features < branches:
            nearest = max(GROUPS, -(-max(features, branches) // GROUPS) * GROUPS)
            raise ValueError(
                f"a multiplexer needs features in multiples of {GROUPS}, and at least as many as branches, not "
                f"multiplexer_features={features} for {branches} branches; choose {nearest}."
            )
        if min(reductions, processing) < 0:
            raise ValueError(f"reductions={reductions} and processing={processing} must be at least 0; choose 4 and 2.")
        self.multiple = 2**reductions
        widths = [features * 2**level for level in range(reductions + 1)]
        self.first = _unit(channels, features, norm, bias=True)
        self.down = nn.ModuleList(_Halving(width, norm) for width in widths[:-1])
        self.process = nn.ModuleList(_unit(widths[-1], widths[-1], norm) for _ in range(processing))
        up = reversed(widths[1:]) if shape == "unet" else ()
        self.up = nn.ModuleList(_Expansion(width, norm) for width in up)
        width = features if shape == "unet" else widths[-1]
        gap = features - branches
        narrow = [_multiple(features - taken) for taken in (gap // 2, 3 * gap // 4)]
        self.narrow = nn.ModuleList(
            (
                _unit(width, narrow[0], norm, groups=LAST_GROUPS),
                _unit(narrow[0], narrow[1], norm, groups=LAST_GROUPS),
                _unit(narrow[1], branches, "none", bias=True),
            )
        )

    def forward(
        self, features: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch branches height width"]:
        """Logits of every pixel."""
        height, width = features.shape[-2:]
        x = self.first(pad_to(features, self.multiple))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        for block in self.process:
            x = block(x)
        for block in self.up:
            x = block(x, skips.pop())
        for block in self.narrow:
            x = block(x)
        if skips:
            x = F.interpolate(x, scale_factor=self.multiple, mode="nearest")
        return cut_to(x, height, width)


def _multiple(width: int) -> int:
    """Rounded down, so that the groups of the last convolutions have as many channels each."""
    return max(LAST_GROUPS, width // LAST_GROUPS * LAST_GROUPS)


class _Halving(nn.Module):
    """Half the size, twice the channels; the statistics only of what has been convolved there."""

    def __init__(self, width: int, norm: MultiplexerNorm) -> None:
        super().__init__()
        self.shrink = _unit(width, 2 * width, "none", stride=2)
        self.conv = _unit(2 * width, 2 * width, norm)

    def forward(self, features: Tensor) -> Tensor:
        made: Tensor = self.conv(self.shrink(features))
        return made


class _Expansion(nn.Module):
    """Twice the size, half the channels, joined with what had that size on the way down."""

    def __init__(self, width: int, norm: MultiplexerNorm) -> None:
        super().__init__()
        self.thin = started_(nn.Conv2d(width, width // 2, 1, bias=False), "linear")
        self.join = _unit(width, width // 2, norm, bias=True, active=False)
        self.conv = _unit(width // 2, width // 2, norm)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        enlarged = self.thin(F.interpolate(features, scale_factor=2, mode="nearest"))
        made: Tensor = self.conv(self.join(torch.cat([enlarged, skip], dim=1)))
        return made


def _unit(
    channels: int,
    width: int,
    norm: MultiplexerNorm,
    stride: int = 1,
    bias: bool = False,
    active: bool = True,
    groups: int = GROUPS,
) -> nn.Sequential:
    """Convolution, norm and SiLU; the last two where they are wanted."""
    conv = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=bias)
    layers: list[nn.Module] = [started_(conv, "relu" if active else "linear")]
    if norm != "none":
        layers.append(nn.GroupNorm(groups, width) if norm == "group" else nn.BatchNorm2d(width))
    return nn.Sequential(*layers, *([nn.SiLU()] if active else []))


@torch.no_grad()
def started_(conv: nn.Conv2d, activation: Literal["relu", "leaky_relu", "linear"], factor: float = 1.0) -> nn.Conv2d:
    """Kaiming's initialisation by outputs times a factor, biases 0: how DL-Art-School starts its blocks.

    Args:
        conv: changed in place.
        activation: that follows; ``leaky_relu`` is of slope 0.1.
        factor: on the weights.
    """
    nn.init.kaiming_normal_(conv.weight, a=0.1, mode="fan_out", nonlinearity=activation).mul_(factor)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
