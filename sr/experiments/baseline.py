"""What a network is measured beside: enlargement without any learning."""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import nn

from sr.models.bicubic import Bicubic
from sr.models.scales import Upscaled
from sr.types import Image

_ALIGNED = "bicubic_aligned"


class AlignedBicubic(nn.Module):
    """Bicubic enlargement that keeps the centres of the corner pixels (PyTorch's align_corners=True).

    Args:
        scale: times as many rows and columns.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, lr: Image) -> Upscaled:
        """Enlarge (batch, channels, h, w); may overshoot [0, 1]."""
        return F.interpolate(lr, scale_factor=self.scale, mode="bicubic", align_corners=True)


def is_aligned(config: Mapping[str, Any]) -> bool:
    """Low resolution of a run lies on the grid of aligned corners, where `Bicubic` would be out of place.

    Args:
        config: of the run, plain values.
    """
    stages = (config.get("degradation") or {}).get("stages") or {}
    return [stage.get("modes") for stage in stages.values() if isinstance(stage, Mapping)] == [_ALIGNED]


def baseline(config: Mapping[str, Any]) -> nn.Module:
    """Bicubic enlargement that undoes the run's own reduction in place: most of a gain would be that of the grid.

    Args:
        config: of the run, plain values.
    """
    scale = int(config["scale"])
    return AlignedBicubic(scale) if is_aligned(config) else Bicubic(scale)
