"""A fixed low-pass filter against checkerboards."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.types import Image

BINOMIAL = {3: (1.0, 2.0, 1.0), 4: (1.0, 3.0, 3.0, 1.0)}


class Blur(nn.Module):
    """Binomial blur of every channel at unchanged size (Zhang 2019, arXiv 1904.11486, with stride 1).

    Args:
        taps: 3 for [1, 2, 1] / 4, which suppresses the period-2 pattern of a x2 pixel shuffle entirely;
            4 for [1, 3, 3, 1] / 8, which also moves the picture by half a pixel.
    """

    kernel: Tensor

    def __init__(self, taps: Literal[3, 4] = 3) -> None:
        super().__init__()
        line = torch.tensor(BINOMIAL[taps])
        line = line / line.sum()
        self.register_buffer("kernel", torch.outer(line, line)[None, None], persistent=False)
        before, after = (taps - 1) // 2, taps // 2
        self.padding = (before, after, before, after)

    def forward(self, image: Image) -> Image:
        """Blur (batch, channels, height, width), edges reflected; needs ``taps - 1`` pixels per side."""
        channels = image.shape[1]
        kernel = self.kernel.to(image.dtype).expand(channels, -1, -1, -1)
        return F.conv2d(F.pad(image, self.padding, mode="reflect"), kernel, groups=channels)
