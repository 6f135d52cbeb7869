"""Torchmetrics shells: the mean of the per-image values over batches and processes."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torchmetrics import Metric

from sr.metrics.functional import Pictures, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from sr.types import PerPicture


class _PerImageMean(Metric, ABC):
    """Sum and count of per-image values.

    Args:
        scale: pixels cropped at each border.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale must be at least 1, got {scale}; pass the network's scale")
        self.scale = scale
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    @abstractmethod
    def update(self, sr: Pictures, hr: Pictures) -> None:
        """Adds a batch of pictures, [0, 1] or uint8."""

    def compute(self) -> Tensor:
        """Mean of the values of all images so far; infinite as soon as one of them is."""
        return self.total / self.count

    def _add(self, values: PerPicture) -> None:
        self.total += values.sum()
        self.count += len(values)


class PsnrY(_PerImageMean):
    """Mean of :func:`sr.metrics.functional.psnr_y` over all images, in dB.

    Args:
        scale: pixels cropped at each border.
    """

    def update(self, sr: Pictures, hr: Pictures, gray: bool = False) -> None:
        """Adds a batch, [0, 1] or uint8; ``gray``: it comes from gray files and is its own Y."""
        self._add(psnr_y(sr, hr, self.scale, gray))


class SsimY(_PerImageMean):
    """Mean of :func:`sr.metrics.functional.ssim_y` over all images.

    Args:
        scale: pixels cropped at each border.
    """

    def update(self, sr: Pictures, hr: Pictures, gray: bool = False) -> None:
        """Adds a batch, [0, 1] or uint8; ``gray``: it comes from gray files and is its own Y."""
        self._add(ssim_y(sr, hr, self.scale, gray))


class PsnrRgb(_PerImageMean):
    """Mean of :func:`sr.metrics.functional.psnr_rgb` over all images, in dB.

    Args:
        scale: pixels cropped at each border.
    """

    def update(self, sr: Pictures, hr: Pictures) -> None:
        """Adds a batch, [0, 1] or uint8."""
        self._add(psnr_rgb(sr, hr, self.scale))


class SsimRgb(_PerImageMean):
    """Mean of :func:`sr.metrics.functional.ssim_rgb` over all images.

    Args:
        scale: pixels cropped at each border.
    """

    def update(self, sr: Pictures, hr: Pictures) -> None:
        """Adds a batch, [0, 1] or uint8."""
        self._add(ssim_rgb(sr, hr, self.scale))
