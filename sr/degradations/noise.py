"""Noise: Gaussian, photon (Poisson), speckle and camera noise, each picture with its own strength.

Gray noise is one field for all channels. Every stage clamps its result to [0, 1] unless ``clamp`` is off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sr.degradations.fields import normal_field
from sr.degradations.pictures import Pictures, per_picture, portions, to_device, write
from sr.degradations.poisson import photon_exponents, poisson_noise
from sr.degradations.ranges import Number, check_probability, checked_range
from sr.draws import Draws

_GRAY = (0.299, 0.587, 0.114)
"""Luma weights of BT.601, full range: the gray of picture files."""

_Noisy = Callable[[Pictures, Draws, int], Tensor]
"""Pictures, their draws and the channels of the field (1: gray) to new values."""


@dataclass(frozen=True)
class GaussianNoise:
    """Independent normal noise in every pixel.

    Args:
        sigma: range of the standard deviation, in 8-bit levels.
        gray_probability: how many of the noisy pictures get the same noise in all channels.
        probability: how many pictures get noise at all.
        clamp: the result to [0, 1].

    Raises:
        ValueError: a range or probability that makes no sense.
    """

    sigma: Sequence[Number]
    gray_probability: Number = 0.0
    probability: Number = 1.0
    clamp: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", checked_range("sigma", self.sigma, 0, 255))
        check_probability("gray_probability", self.gray_probability)
        check_probability("probability", self.probability)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Add noise."""
        applied, gray = _coins(draws, self.probability, self.gray_probability)
        return _gaussian(pictures, draws, applied, gray, self.sigma, self.clamp)


@dataclass(frozen=True)
class PoissonNoise:
    """Photon noise: the variance grows with the brightness.

    Source: Wang et al. 2021, "Real-ESRGAN", arXiv 2107.10833, section 3.2, with the rule of its published training:
    the picture is rounded to 8 bits, white stands for v = 2^ceil(log2(number of different levels)) photons, and
    s * (Poisson(x v) / v - x) is added. Gray noise counts and uses the levels of the luma.

    Args:
        scale: range of s.
        gray_probability: how many of the noisy pictures get the same noise in all channels.
        probability: how many pictures get noise at all.
        clamp: the result to [0, 1].

    Raises:
        ValueError: a range or probability that makes no sense.
    """

    scale: Sequence[Number]
    gray_probability: Number = 0.0
    probability: Number = 1.0
    clamp: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", checked_range("scale", self.scale, 0, 100))
        check_probability("gray_probability", self.gray_probability)
        check_probability("probability", self.probability)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Add noise."""
        applied, gray = _coins(draws, self.probability, self.gray_probability)
        return _poisson(pictures, draws, applied, gray, self.scale, self.clamp)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise in some pictures, photon noise in the others, as in Real-ESRGAN.

    Args:
        sigma: see `GaussianNoise`.
        scale: see `PoissonNoise`.
        gaussian_probability: how many of the noisy pictures get Gaussian noise.
        gray_probability: how many of the noisy pictures get the same noise in all channels.
        probability: how many pictures get noise at all.
        clamp: the result to [0, 1].

    Raises:
        ValueError: a range or probability that makes no sense.
    """

    sigma: Sequence[Number]
    scale: Sequence[Number]
    gaussian_probability: Number = 0.5
    gray_probability: Number = 0.0
    probability: Number = 1.0
    clamp: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", checked_range("sigma", self.sigma, 0, 255))
        object.__setattr__(self, "scale", checked_range("scale", self.scale, 0, 100))
        for name in ("gaussian_probability", "gray_probability", "probability"):
            check_probability(name, getattr(self, name))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Add noise."""
        applied, gray = _coins(draws, self.probability, self.gray_probability)
        gaussian = draws.chance("gaussian", self.gaussian_probability)
        pictures = _gaussian(pictures, draws, applied & gaussian, gray, self.sigma, self.clamp)
        return _poisson(pictures, draws, applied & ~gaussian, gray, self.scale, self.clamp)


@dataclass(frozen=True)
class SpeckleNoise:
    """Normal noise times the brightness: x (1 + n).

    Source: one of the noises of Zhang et al. 2021, "Designing a practical degradation model", arXiv 2103.14006.

    Args:
        sigma: range of the standard deviation of n, in 8-bit levels at white.
        gray_probability: how many of the noisy pictures get the same n in all channels.
        probability: how many pictures get noise at all.
        clamp: the result to [0, 1].

    Raises:
        ValueError: a range or probability that makes no sense.
    """

    sigma: Sequence[Number]
    gray_probability: Number = 0.0
    probability: Number = 1.0
    clamp: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", checked_range("sigma", self.sigma, 0, 255))
        check_probability("gray_probability", self.gray_probability)
        check_probability("probability", self.probability)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Multiply with noise."""

        def noisy(some: Pictures, own: Draws, channels: int) -> Tensor:
            return some.pixels * _normal(some, own, channels, own.between("sigma", *self.sigma) / 255).add_(1)

        applied, gray = _coins(draws, self.probability, self.gray_probability)
        draws.note("sigma", draws.between("sigma", *self.sigma), where=applied)
        return _with_noise(pictures, draws, applied, gray, noisy, self.clamp)


@dataclass(frozen=True)
class CameraNoise:
    """Noise of a sensor: shot and read noise in linear light, independent per channel.

    In y = x^gamma the variance is shot * y + read^2; back with 1 / gamma. The result is in [0, 1].
    Source: Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data".

    Args:
        shot: range of the shot noise's variance at white; 0.01 stands for 100 photons.
        read: range of the read noise's standard deviation, where white is 1.
        gamma: of the picture; 1 means that it holds linear light.
        probability: how many pictures get noise.

    Raises:
        ValueError: a range or probability that makes no sense.
    """

    shot: Sequence[Number]
    read: Sequence[Number]
    gamma: Number = 2.2
    probability: Number = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shot", checked_range("shot", self.shot, 0, 1))
        object.__setattr__(self, "read", checked_range("read", self.read, 0, 1))
        check_probability("probability", self.probability)
        if not 0.1 <= self.gamma <= 10:
            raise ValueError(f"gamma={self.gamma} must lie between 0.1 and 10")

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Add noise."""
        applied = draws.chance("applied", self.probability)
        draws.note("shot", draws.between("shot", *self.shot), where=applied)
        draws.note("read", draws.between("read", *self.read), where=applied)
        return _with_noise(pictures, draws, applied, np.zeros(len(draws), dtype=bool), self._noisy, clamp=False)

    def _noisy(self, some: Pictures, own: Draws, channels: int) -> Tensor:
        noise = _normal(some, own, channels, np.ones(len(own)))
        device = some.pixels.device
        shot = per_picture(own.between("shot", *self.shot), device)
        read = per_picture(own.between("read", *self.read), device)
        made = some.pixels.clamp(0, 1)
        for part in portions(len(some), some.together):
            light = made[part].pow_(self.gamma)
            spread = (light * shot[part]).add_(read[part] ** 2).sqrt_()
            light.add_(spread.mul_(noise[part])).clamp_(0, 1).pow_(1 / self.gamma)
        return made


def _coins(draws: Draws, probability: Number, gray_probability: Number) -> tuple[np.ndarray, np.ndarray]:
    return draws.chance("applied", probability), draws.chance("gray", gray_probability)


def _gaussian(
    pictures: Pictures, draws: Draws, applied: np.ndarray, gray: np.ndarray, sigma: Sequence[Number], clamp: bool
) -> Pictures:
    def noisy(some: Pictures, own: Draws, channels: int) -> Tensor:
        return some.pixels + _normal(some, own, channels, own.between("sigma", *sigma) / 255)

    draws.note("sigma", draws.between("sigma", *sigma), where=applied)
    return _with_noise(pictures, draws, applied, gray, noisy, clamp)


def _poisson(
    pictures: Pictures, draws: Draws, applied: np.ndarray, gray: np.ndarray, scale: Sequence[Number], clamp: bool
) -> Pictures:
    def noisy(some: Pictures, own: Draws, channels: int) -> Tensor:
        return some.pixels + _photons(some, own, channels, own.between("scale", *scale))

    draws.note("scale", draws.between("scale", *scale), where=applied)
    return _with_noise(pictures, draws, applied, gray, noisy, clamp)


def _with_noise(
    pictures: Pictures, draws: Draws, applied: np.ndarray, gray: np.ndarray, noisy: _Noisy, clamp: bool
) -> Pictures:
    """Compute noise for the pictures that get some, those with gray noise apart."""
    if not applied.any():
        return pictures
    made = pictures.pixels.clone()
    for chosen, channels in ((applied & ~gray, made.shape[1]), (applied & gray, 1)):
        if chosen.any():
            changed = noisy(pictures.at(chosen), draws.at(chosen), channels)
            write(made, np.flatnonzero(chosen), changed.clamp_(0, 1) if clamp else changed)
    return pictures.with_pixels(made)


def _normal(some: Pictures, own: Draws, channels: int, sigma: np.ndarray) -> Tensor:
    device = some.pixels.device
    field = normal_field(own.bits("field"), channels, *some.canvas, device, some.together)
    return field.mul_(per_picture(sigma, device))


def _photons(some: Pictures, own: Draws, channels: int, scale: np.ndarray) -> Tensor:
    device, keys = some.pixels.device, own.bits("field")
    made = torch.empty(len(some), channels, *some.canvas, device=device)
    for part in portions(len(some), some.together):
        levels = _levels(some.pixels[part], channels)
        exponents = photon_exponents(levels, _own_pixels(some, part))
        made[part] = poisson_noise(levels, exponents, keys[part])
    return made.mul_(per_picture(scale, device))


def _levels(pixels: Tensor, channels: int) -> Tensor:
    """8-bit levels, int32; of the luma where one channel is asked for."""
    # What lies beyond a picture may be anything: the limits are set on integers, which cannot be NaN.
    levels = (pixels * 255).round_().int().clamp_(0, 255)
    if channels == 1 and pixels.shape[1] == 3:
        red, green, blue = levels.unbind(1)
        levels = (red * _GRAY[0] + green * _GRAY[1] + blue * _GRAY[2]).round_().int()[:, None]
    return levels


def _own_pixels(some: Pictures, part: slice) -> Tensor | None:
    if some.filled:
        return None
    height, width = some.canvas
    rows = np.arange(height) < some.heights[part, None]
    columns = np.arange(width) < some.widths[part, None]
    device = some.pixels.device
    return to_device(rows, device)[:, None, :, None] & to_device(columns, device)[:, None, None, :]
