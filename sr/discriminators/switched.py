"""DL-Art-School's switched discriminator: a U-Net that chooses, pixel by pixel, how it enlarges what it has found."""

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from sr.choices import check_choice
from sr.discriminators.contract import check_counts, check_shown
from sr.discriminators.levels import (
    STAGES,
    UNET_UP,
    UNET_WIDTHS,
    Features,
    Norm,
    Up,
    block,
    descended,
    joint,
    unet_stages,
    unet_verdict,
)
from sr.switches.switch import Attention, mixed
from sr.switches.temperature import Annealing
from sr.switches.watching import anneal, switch_measures
from sr.types import Image, Logits


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
    smallest_side: int = 2**STAGES
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
        self.down = unet_stages("Switched", in_channels, features, norm)
        ups = [multiple * features for multiple in (UNET_WIDTHS[-1], *UNET_UP)]
        blocks: list[nn.Module] = [Up("Switched", ups[0], ups[1], norm)]
        for channels, width in pairwise(ups[1:]):
            if branches == 1:
                blocks.append(Up("Switched", channels, width, norm))
                continue
            attention = Attention(branches, Annealing(temperature, cool_until), attention_norm)
            blocks.append(_Switch(channels, width, attention, norm))
        self.up = nn.ModuleList(blocks)
        self.verdict = unet_verdict("Switched", ups[-1], norm)

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, height, width) in [0, 1]: (batch, 1, height / 4, width / 4) logits, rounded up.

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        found = descended(self.down, shown)
        x = found[-1]
        for up, skip in zip(self.up, reversed(found[1:-1]), strict=True):
            x = up(x, skip)
        return joint([self.verdict(x)], shown, 4)

    def at_update(self, updates: int) -> None:
        """Take the temperature of the update that begins.

        Args:
            updates: so far.
        """
        anneal(self, updates)

    def measures(self) -> dict[str, Tensor]:
        """See `switch_measures`."""
        return switch_measures(self)


class _Switch(nn.Module):
    """A mixture of expansions, without anything around it."""

    def __init__(self, channels: int, width: int, attention: Attention, norm: Norm) -> None:
        super().__init__()
        self.before = block("Switched", channels, channels, norm=norm)
        self.transforms = nn.ModuleList(Up("Switched", channels, width, norm) for _ in range(attention.branches))
        self.multiplexer = Up("Switched", channels, width, norm)
        self.logits = block("Switched", width, attention.branches, norm="none", active=False)
        self.attention = attention
        self.after = block("Switched", width, width, bias=True, norm="none")

    def forward(self, x: Features, skip: Features) -> Features:
        attention = self.attention(self.logits(self.multiplexer(x, skip)))
        seen = self.before(x)
        made: Features = self.after(mixed(attention, [partial(t, seen, skip) for t in self.transforms]))
        return made
