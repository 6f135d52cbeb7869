"""A switch with its branches and its multiplexer, added to what it was given."""

from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.choices import check_choice
from sr.models.multiplexer import started_
from sr.switches.switch import Attention, mixed
from sr.types import Image

Start = Literal["low", "scalar"]
SLOPE = 0.1
LOW = 0.1  # of the branches' weights, as RRDB begins
POST = 0.1  # weight of the convolution after the switch, at first
NOISE = 1e-3  # deviation of the noise, at first


class Transform(nn.Module):
    """One branch: convolutions without bias, wider inside, times a learned number plus another.

    Args:
        channels: in and out; one and a half times as many inside.
        kernel: of all, odd.
        layers: at least 2.
        factor: on the initial weights.
    """

    def __init__(self, channels: int, kernel: int, layers: int, factor: float) -> None:
        super().__init__()
        widths = [channels, *[channels * 3 // 2] * (layers - 1), channels]
        self.convs = nn.ModuleList(
            started_(
                nn.Conv2d(one, other, kernel, padding=kernel // 2, bias=False),
                "linear" if number == layers - 1 else "leaky_relu",
                factor,
            )
            for number, (one, other) in enumerate(pairwise(widths))
        )
        self.scale = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, features: Image) -> Image:
        """Map (batch, channels, h, w) to the same shape."""
        *convs, last = self.convs
        for conv in convs:
            features = F.leaky_relu(conv(features), SLOPE)
        return last(features) * self.scale + self.bias


class SwitchComputer(nn.Module):
    """x + alpha * switch(branches(x), multiplexer(x)), and then y + beta * LeakyReLU(conv(y)) (DL-Art-School, 5f2c722).

    All branches are computed everywhere: a switch saves no time.

    Args:
        channels: C.
        attention: its weights, which know how many branches there are.
        multiplexer: (batch, C, h, w) to a logit per branch and pixel.
        kernel: of the branches, odd.
        layers: of each branch, at least 2.
        start: ``low``: the branches' weights are a tenth of Kaiming's, as RRDB's are; ``scalar``: they are not, and
            alpha begins at 0.1, as before that commit.
        add_noise: normal noise on what the branches see in training, of a learned deviation from 0.001 on; in
            evaluation there is none, so that a picture is the same each time.

    Raises:
        ValueError: numbers out of range.
    """

    def __init__(
        self,
        channels: int,
        attention: Attention,
        multiplexer: nn.Module,
        kernel: int = 3,
        layers: int = 4,
        start: Start = "low",
        add_noise: bool = False,
    ) -> None:
        super().__init__()
        check_choice("start", start, Start)
        if layers < 2 or kernel < 1 or kernel % 2 == 0:
            raise ValueError(
                f"a branch needs at least 2 layers and an odd kernel, not layers={layers} and kernel={kernel}; "
                "choose 4 and 3."
            )
        factor = LOW if start == "low" else 1.0
        self.before = started_(nn.Conv2d(channels, channels, 3, padding=1, bias=False), "leaky_relu", factor)
        self.transforms = nn.ModuleList(Transform(channels, kernel, layers, factor) for _ in range(attention.branches))
        self.multiplexer = multiplexer
        self.attention = attention
        self.alpha = nn.Parameter(torch.tensor([1.0 if start == "low" else LOW]))
        self.after = started_(nn.Conv2d(channels, channels, 3, padding=1), "leaky_relu")
        self.beta = nn.Parameter(torch.tensor([POST]))
        self.noise = nn.Parameter(torch.tensor([NOISE])) if add_noise else None

    def forward(self, features: Image, identity: Image | None = None) -> Image:
        """Map (batch, C, h, w) to the same shape.

        Args:
            features: what branches and multiplexer see.
            identity: what their result is added to; None: the features themselves. The lesson of DL-Art-School's
                747ded2: what carries noise or a reference belongs into the branches alone.
        """
        mainline = features if identity is None else identity
        attention = self.attention(self.multiplexer(features))
        seen = features
        if self.noise is not None and self.training:
            seen = features + self.noise * torch.randn_like(features)
        seen = F.leaky_relu(self.before(seen), SLOPE)
        y: Tensor = mainline + self.alpha * mixed(attention, [partial(t, seen) for t in self.transforms])
        return y + self.beta * F.leaky_relu(self.after(y), SLOPE)
