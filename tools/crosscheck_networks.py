"""Networks of `crosscheck_claims.py`, and what its losses look at: VGG's features and edges."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

FEATURES, GROWTH, BLOCKS, LAYERS = 32, 16, 4, 4


class Dense(nn.Module):
    """A residual dense block."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(FEATURES + i * GROWTH, GROWTH, 3, padding=1) for i in range(LAYERS))
        self.fusion = nn.Conv2d(FEATURES + LAYERS * GROWTH, FEATURES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        grown = x
        for conv in self.convs:
            grown = torch.cat([grown, conv(grown).relu()], 1)
        return x + self.fusion(grown)


class Network(nn.Module):
    """A small residual dense network, x2, with PyTorch's own initialisation (no ICNR)."""

    def __init__(self, blur: bool) -> None:
        super().__init__()
        self.blur = blur
        self.first, self.second = nn.Conv2d(3, FEATURES, 3, padding=1), nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        self.blocks = nn.ModuleList(Dense() for _ in range(BLOCKS))
        self.fusion = nn.Sequential(
            nn.Conv2d(BLOCKS * FEATURES, FEATURES, 1), nn.Conv2d(FEATURES, FEATURES, 3, padding=1)
        )
        self.up, self.last = nn.Conv2d(FEATURES, 4 * FEATURES, 3, padding=1), nn.Conv2d(FEATURES, 3, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        """Twice the size of ``lr``, RGB."""
        shallow = self.first(2 * lr - 1)  # the log's pictures are in [-1, 1], so that the network begins at gray
        x, outputs = self.second(shallow), []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        x = F.pixel_shuffle(self.up(shallow + self.fusion(torch.cat(outputs, 1))), 2)
        if self.blur:
            taps = torch.tensor([1.0, 2.0, 1.0]) / 4
            weight = (taps[:, None] * taps).expand(FEATURES, 1, 3, 3)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, groups=FEATURES)
        return (self.last(x) + 1) / 2


def discriminator() -> nn.Sequential:
    """The log's from #14 on: six convolutions, batch norm after the ReLU of the second to the fourth."""
    layers: list[nn.Module] = []
    for i, stride in enumerate((2, 2, 1, 1, 2)):
        layers += [nn.Conv2d(6 if i == 0 else 64, 64, 3, stride, 1), nn.ReLU()]
        layers += [nn.BatchNorm2d(64)] if i in (1, 2, 3) else []
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 3, 2, 1))


def vgg_features(path: Path) -> Callable[[Tensor], Tensor]:
    """VGG16 up to conv2_2 before its ReLU, of pictures in [0, 1] moved to [-1, 1].

    Not averaged to 7x7 as the log's conv4_3 was, which had 8x8 values for its crops of 64: conv2_2 has 16x16 here.
    """
    stack = torchvision.models.vgg16(weights=None).features[:8].requires_grad_(False).eval()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    stack.load_state_dict({name: stored[f"features.{name}"] for name in stack.state_dict()})
    return lambda x: stack(2 * x - 1)


def edges(x: Tensor) -> Tensor:
    """Sobel's magnitude after a Gaussian of 3x3 with sigma 3, per channel, nothing padded."""
    taps = torch.tensor([-1.0, 0.0, 1.0]).square().div(-18).exp()
    taps = taps / taps.sum()
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    smooth = F.conv2d(x, (taps[:, None] * taps).expand(3, 1, 3, 3), groups=3)
    dx, dy = (F.conv2d(smooth, k.expand(3, 1, 3, 3), groups=3) for k in (sobel, sobel.T))
    return (dx.square() + dy.square() + 1e-6).sqrt()
