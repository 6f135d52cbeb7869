"""Sharpening, as cameras and photo programs do it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sr.degradations.filters import filtered, filtered_twice
from sr.degradations.pictures import Pictures, per_picture, to_device
from sr.degradations.ranges import Number, checked_range, checked_share, checked_whole, settle
from sr.draws import Draws


def sharpen_kernels(alpha: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """(1 - alpha) times the identity plus alpha times [[-1, -1, -1], [-1, 8 + lightness, -1], [-1, -1, -1]].

    Source: the recipe that imgaug and albumentations call "sharpen".

    Args:
        alpha: (batch,) share of the sharpened picture, 0 to 1.
        lightness: (batch,) brightness of the sharpened picture: the sum of its kernel.

    Returns:
        float32 (batch, 3, 3) with the sum 1 - alpha + alpha * lightness.
    """
    kernels = np.tile(-np.asarray(alpha, dtype=np.float64)[:, None, None], (1, 3, 3))
    kernels[:, 1, 1] = 1 - alpha + alpha * (8 + lightness)
    return kernels.astype(np.float32)


def unsharp_taps(radius: np.ndarray, canvas: int) -> np.ndarray:
    """One-dimensional Gaussians whose sigma follows from their size, as in OpenCV's `getGaussianKernel`.

    sigma = 0.3 ((k - 1) / 2 - 1) + 0.8 for k taps, k the radius or the next odd number.

    Args:
        radius: (batch,) pixels, whole numbers.
        canvas: odd number of taps of the result, at least the largest radius.

    Returns:
        float32 (batch, canvas), each with the sum 1, zero beyond its own k taps.
    """
    taps = (np.asarray(radius) // 2 * 2 + 1)[:, None]
    sigma = 0.3 * ((taps - 1) / 2 - 1) + 0.8
    offset = (np.arange(canvas) - canvas // 2)[None, :]
    bell = np.exp(-0.5 * (offset / sigma) ** 2) * (np.abs(offset) <= taps // 2)
    return (bell / bell.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Sharpen:
    """Blend each sample with a sharpened copy of itself; the result is clipped to [0, 1], borders are mirrored.

    Attributes:
        alpha: share of the sharpened copy, see `sharpen_kernels`.
        lightness: 1 keeps the brightness. imgaug's own default is [0.5, 1], which darkens.
        probability: of sharpening a sample.

    Raises:
        ValueError: a setting is out of its range.
    """

    alpha: Sequence[Number] = (0.2, 0.5)
    lightness: Sequence[Number] = (1.0, 1.0)
    probability: Number = 1.0

    def __post_init__(self) -> None:
        settle(self, "alpha", checked_range("alpha", self.alpha, 0, 1))
        settle(self, "lightness", checked_range("lightness", self.lightness, 0, 2))
        settle(self, "probability", checked_share("probability", self.probability))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Sharpen the samples that chance picks."""
        where = draws.chance("sharpen", self.probability)
        if not where.any():
            return pictures
        some, draws = pictures.at(where), draws.at(where)
        alpha, lightness = draws.between("alpha", *self.alpha), draws.between("lightness", *self.lightness)
        draws.note("alpha", alpha)
        kernels = to_device(sharpen_kernels(alpha, lightness), some.pixels.device)
        return pictures.put(where, filtered(some.mirrored(1), kernels, together=some.together).clamp_(0, 1))


@dataclass(frozen=True)
class UnsharpMask:
    """Add what a wide Gaussian takes away, where there is enough of it; the result is clipped to [0, 1].

    m = G * (255 |x - G * x| > threshold), per channel; y = m clip(x + amount (x - G * x)) + (1 - m) x, with G the
    Gaussian of `unsharp_taps` and borders mirrored.

    Source: Real-ESRGAN (arXiv 2107.10833), which sharpens its targets so: radius 50, amount 0.5, threshold 10.

    Attributes:
        radius: of the Gaussian, pixels.
        amount: of the difference that is added.
        threshold: smallest difference that counts, in 8-bit levels.
        probability: of sharpening a sample.

    Raises:
        ValueError: a setting is out of its range.
    """

    radius: Sequence[int] = (50, 50)
    amount: Sequence[Number] = (0.5, 0.5)
    threshold: Sequence[Number] = (10.0, 10.0)
    probability: Number = 1.0

    def __post_init__(self) -> None:
        settle(self, "radius", checked_whole("radius", self.radius, 1, 500))
        settle(self, "amount", checked_range("amount", self.amount, 0, 100))
        settle(self, "threshold", checked_range("threshold", self.threshold, 0, 255))
        settle(self, "probability", checked_share("probability", self.probability))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Sharpen the samples that chance picks."""
        where = draws.chance("unsharp", self.probability)
        if not where.any():
            return pictures
        some, draws = pictures.at(where), draws.at(where)
        radius = self.radius[0] + draws.integers("radius", self.radius[1] - self.radius[0] + 1)
        amount, threshold = draws.between("amount", *self.amount), draws.between("threshold", *self.threshold)
        for name, values in (("radius", radius), ("amount", amount), ("threshold", threshold)):
            draws.note(name, values)
        device, reach = some.pixels.device, self.radius[1] // 2
        taps = to_device(unsharp_taps(radius, 2 * reach + 1), device)
        residual = some.pixels - filtered_twice(some.mirrored(reach), taps, some.together)
        marked = some.with_pixels((residual.abs() * 255 > per_picture(threshold, device)).float())
        soft = filtered_twice(marked.mirrored(reach), taps, some.together)
        sharp = (some.pixels + per_picture(amount, device) * residual).clamp(0, 1)
        return pictures.put(where, torch.lerp(some.pixels, sharp, soft).clamp_(0, 1))
