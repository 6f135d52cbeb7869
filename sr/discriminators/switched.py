"""DL-Art-School's switched discriminator: a U-Net that chooses, pixel by pixel, how it enlarges what it has found."""

from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_shown
from sr.discriminators.norms import norm_layers
from sr.switches.switch import Attention, mixed
from sr.switches.temperature import Annealing
from sr.switches.watching import anneal, switch_measures
from sr.types import Image, Logits

Norm = Literal["group", "none"]
SLOPE = 0.1
WIDTHS = (1, 2, 4, 8, 8)  # of the stages on the way down, in features
UP = (8, 4, 2)  # of the blocks on the way up, likewise


class Switched(nn.Module):
    """U-Net with group norm and two switches on its way up (DL-Art-School, commit dbf6147, July 2020).

    Five stages of two 3x3 convolutions, the second strided; three blocks up, each joined with the map of its size on
    the way down. The second and the third of these are ``branches`` blocks each, mixed at each pixel by weights that
    another such block makes: a discriminator may be incapable of judging all textures by the same weights. One verdict
    for each 4x4 pixels. Its author took it out again after two weeks.

    Args:
        in_channels: 3, or 6 when the upscaled low resolution is shown too.
        features: channels of the first stage; with ``norm=group`` a multiple of 8.
        branches: of each switch, at least 2; 1 has no switches, for comparison.
        attention_norm: branches are used alike, see `sr.switches.attention_norm`.
        temperature: of the softmax at first, at least 1.
        cool_until: updates after which it is 1.
        norm: ``group`` (8 groups) or ``none``.

    Raises:
        ValueError: a width, norm or temperature that does not exist.
    """

    side: int | None = None
    smallest_side: int = 2 ** len(WIDTHS)
    cell: int | None = 4
    margin: int = -2  # of strided convolutions that begin on the first pixel

    def __init__(
        self,
        in_channels: int,
        features: int = 64,
        branches: int = 8,
        attention_norm: bool = True,
        temperature: float = 10.0,
        cool_until: int = 50_000,
        norm: Norm = "group",
    ) -> None:
        super().__init__()
        check_counts("Switched", {"in_channels": in_channels, "features": features, "branches": branches})
        check_choice("norm", norm, Norm)
        self.in_channels = in_channels
        widths = [in_channels, *(times * features for times in WIDTHS)]
        stages = enumerate(pairwise(widths))
        self.down = nn.ModuleList(_stage(one, other, norm, first=number == 0) for number, (one, other) in stages)
        ups = [times * features for times in (WIDTHS[-1], *UP)]
        blocks: list[nn.Module] = [_Expansion(ups[0], ups[1], norm)]
        for channels, width in pairwise(ups[1:]):
            if branches == 1:
                blocks.append(_Expansion(channels, width, norm))
                continue
            attention = Attention(branches, Annealing(temperature, cool_until), attention_norm)
            blocks.append(_Switch(channels, width, attention, norm))
        self.up = nn.ModuleList(blocks)
        self.verdict = nn.Sequential(_unit(ups[-1], ups[-1], norm), _unit(ups[-1], 1, "none", bias=True, active=False))

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1]: (batch, 1, height / 4, width / 4) logits, rounded up.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        x, maps = shown, []
        for stage in self.down:
            x = stage(x)
            maps.append(x)
        for block, skip in zip(self.up, reversed(maps[1:-1]), strict=True):
            x = block(x, skip)
        return self.verdict(x)

    def at_update(self, updates: int) -> None:
        """Take the temperature of the update that begins.

        Args:
            updates: so far.
        """
        anneal(self, updates)

    def measures(self) -> dict[str, Tensor]:
        """See `switch_measures`."""
        return switch_measures(self)


class _Expansion(nn.Module):
    """To the size of the map on the way down, joined with it."""

    def __init__(self, channels: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.thin = _unit(channels, width, norm, kernel=1, active=False)
        self.skip = _unit(width, width, norm, bias=True, active=False)
        self.join = nn.Sequential(_unit(2 * width, width, "none"), _unit(width, width, norm))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        # To the size of the skip, not by 2: halving an odd side has rounded it up.
        enlarged = F.interpolate(x, size=skip.shape[-2:], mode="nearest")
        made: Tensor = self.join(torch.cat([self.thin(enlarged), self.skip(skip)], dim=1))
        return made


class _Switch(nn.Module):
    """A mixture of expansions, without anything around it."""

    def __init__(self, channels: int, width: int, attention: Attention, norm: Norm) -> None:
        super().__init__()
        self.before = _unit(channels, channels, norm)
        self.transforms = nn.ModuleList(_Expansion(channels, width, norm) for _ in range(attention.branches))
        self.multiplexer = _Expansion(channels, width, norm)
        self.logits = _unit(width, attention.branches, "none", active=False)
        self.attention = attention
        self.after = _unit(width, width, "none", bias=True)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        attention = self.attention(self.logits(self.multiplexer(x, skip)))
        seen = self.before(x)
        made: Tensor = self.after(mixed(attention, [partial(t, seen, skip) for t in self.transforms]))
        return made


def _stage(channels: int, width: int, norm: Norm, first: bool) -> nn.Sequential:
    """Two convolutions, the second strided; the very first has a bias and no activation."""
    return nn.Sequential(
        _unit(channels, width, norm, bias=first, active=not first), _unit(width, width, norm, stride=2)
    )


@torch.no_grad()
def _unit(
    channels: int,
    width: int,
    norm: Norm,
    kernel: int = 3,
    stride: int = 1,
    bias: bool = False,
    active: bool = True,
) -> nn.Sequential:
    """Convolution, norm and LeakyReLU, begun by Kaiming's rule for outputs, as in DL-Art-School."""
    conv = nn.Conv2d(channels, width, kernel, stride=stride, padding=kernel // 2, bias=bias)
    kind: Literal["leaky_relu", "linear"] = "leaky_relu" if active else "linear"
    nn.init.kaiming_normal_(conv.weight, a=SLOPE, mode="fan_out", nonlinearity=kind)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return nn.Sequential(conv, *norm_layers("Switched", norm, width), *([nn.LeakyReLU(SLOPE)] if active else []))
