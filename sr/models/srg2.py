"""SRG2, the switched generator of DL-Art-School."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from sr.models.checkpointing import run
from sr.models.exact import ExactConv2d
from sr.models.multiplexer import Multiplexer, MultiplexerNorm, Shape, started_
from sr.models.scales import EVERY_SCALE, Upscaled, check_scale, doubling_stages
from sr.models.switch_computer import SLOPE, Start, SwitchComputer
from sr.switches.switch import Attention
from sr.switches.temperature import Annealing
from sr.switches.watching import anneal, attention_pictures, switch_measures
from sr.types import Image


class Srg2(nn.Module):
    """SRG2 (neonbjb, DL-Art-School, ConfigurableSwitchedResidualGenerator2 of commit 5f2c722, July 2020).

    A convolution, ``depth`` switches (`SwitchComputer`) one after the other at the low resolution, nearest neighbour x2
    (x3 at x3) and a convolution per stage, two more convolutions. There is no skip from the picture to its enlargement.
    The author's sizes are the defaults: 200.7 million parameters, of which the multiplexers have nearly all. He has x2
    and x4; the other scales only have other stages.

    Args:
        scale: 1, 2, 3, 4 or 8.
        features: C, channels of the trunk (``transformation_filters``).
        depth: number of switches (``switch_depth``).
        branches: T of each switch (``trans_counts``).
        kernel: of the branches, odd (``trans_kernel_sizes``).
        layers: of each branch, at least 2 (``trans_layers``).
        multiplexer_features: F, a multiple of 8 (``switch_filters``).
        reductions: R, halvings in each multiplexer (``switch_reductions``).
        processing: P (``switch_processing_layers``).
        multiplexer: ``unet`` or ``flat``, see `Multiplexer`.
        multiplexer_norm: ``group``, ``batch`` or ``none``.
        start: ``low`` or ``scalar``, see `SwitchComputer`.
        add_noise: noise on what branches see, in training only.
        attention_norm: branches are used alike, see `AttentionNorm`.
        temperature: of the softmax at first, at least 1.
        cool_until: updates after which it is 1 (``temperature_final_step``).
        coldest: what it falls to after that; 1 for no further (``heightened_temp_min``).
        coldest_at: updates after which it is there, or None (``heightened_final_step``).
        checkpointing: less memory in training, see `sr.models.checkpointing.run`.

    Raises:
        ValueError: a scale or size that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE

    def __init__(
        self,
        scale: int,
        features: int = 64,
        depth: int = 4,
        branches: int = 8,
        kernel: int = 3,
        layers: int = 4,
        multiplexer_features: int = 64,
        reductions: int = 4,
        processing: int = 2,
        multiplexer: Shape = "unet",
        multiplexer_norm: MultiplexerNorm = "group",
        start: Start = "low",
        add_noise: bool = False,
        attention_norm: bool = False,
        temperature: float = 20.0,
        cool_until: int = 50_000,
        coldest: float = 1.0,
        coldest_at: int | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        if min(features, depth) < 1:
            raise ValueError(
                f"Srg2 needs features and depth of at least 1, not {features} and {depth}; choose 64 and 4."
            )
        self.checkpointing = checkpointing
        self.factors = doubling_stages(scale)
        annealing = Annealing(temperature, cool_until, coldest, coldest_at)
        self.first = started_(nn.Conv2d(3, features, 3, padding=1), "linear")
        plan = multiplexer_features, reductions, processing, branches, multiplexer_norm, multiplexer
        self.switches = nn.ModuleList()
        for _ in range(depth):
            attention = Attention(branches, annealing, attention_norm)
            shape = Multiplexer(features, *plan)
            self.switches.append(SwitchComputer(features, attention, shape, kernel, layers, start, add_noise))
        self.up = nn.ModuleList(_active(features) for _ in self.factors)
        self.hr = _active(features)
        self.last = started_(ExactConv2d(features, 3, 3, padding=1), "linear")

    def forward(self, lr: Image) -> Upscaled:
        """Upscale RGB in [0, 1]: (batch, 3, h, w) to (batch, 3, scale*h, scale*w); not clipped."""
        x: Tensor = self.first(lr)
        for switch in self.switches:
            x = run(switch, x, self.checkpointing)
        for conv, factor in zip(self.up, self.factors, strict=True):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=factor, mode="nearest")), SLOPE)
        return self.last(F.leaky_relu(self.hr(x), SLOPE))

    def at_update(self, updates: int) -> None:
        """Take the temperature of the update that begins; see `Annealing`.

        Args:
            updates: so far.
        """
        anneal(self, updates)

    def measures(self) -> dict[str, Tensor]:
        """See `switch_measures`."""
        return switch_measures(self)

    def pictures(self, lr: Image) -> dict[str, Image]:
        """See `attention_pictures`."""
        return attention_pictures(self, lr)


def _active(features: int) -> nn.Conv2d:
    return started_(nn.Conv2d(features, features, 3, padding=1), "leaky_relu")
