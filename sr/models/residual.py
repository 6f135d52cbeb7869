"""The residual block without normalisation that EDSR, MSRResNet and their descendants share."""

from typing import Literal

import torch
from torch import nn

from sr.types import Image

Norm = Literal["none", "batch"]
SMALL = 0.1  # of the usual initialisation: each residual branch begins near nothing


class ResidualBlock(nn.Module):
    """3x3 convolution, ReLU, 3x3 convolution, weighted, added to the input (Lim et al. 2017, arXiv 1707.02921).

    Args:
        features: channels in and out.
        weight: of the branch; 0.1 keeps wide networks stable in training.
        norm: ``batch``: batch normalisation behind each convolution, as the blocks that these came after had it.
    """

    def __init__(self, features: int, weight: float = 1.0, norm: Norm = "none") -> None:
        super().__init__()
        self.weight = weight
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.norm1, self.norm2 = (nn.BatchNorm2d(features) if norm == "batch" else nn.Identity() for _ in range(2))
        start_small_(self.conv1, self.conv2)

    def forward(self, features: Image) -> Image:
        """Map (batch, features, h, w) to the same shape."""
        branch: Image = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(features)))))
        return features + self.weight * branch


@torch.no_grad()
def start_small_(*convs: nn.Conv2d, gain: float = SMALL) -> None:
    """Kaiming's initialisation times ``gain``, biases 0: at 0.1 how BasicSR starts its networks."""
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight).mul_(gain)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
