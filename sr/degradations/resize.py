"""Stages that resize: to the low resolution, by factors drawn per sample, by fixed factors per axis, down and up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sr.choices import check_choice
from sr.degradations.combine import check_weights
from sr.degradations.pictures import Pictures
from sr.degradations.separable import resized_each
from sr.draws import Draws
from sr.image.taps import Mode

Of = Literal["lr", "current"]
UniformIn = Literal["factor", "divisor"]
Rounding = Literal["floor", "round", "even"]
"""What becomes of a fraction of a pixel: `even` cuts it off and raises odd sizes to even ones."""


@dataclass(frozen=True)
class Resize:
    """Resize each picture by a factor drawn for it; without ``factors``, to the size that ``of`` names.

    Args:
        of: what a factor multiplies: the low resolution, or the picture's size when it comes here.
        modes: one of :data:`sr.image.taps.Mode`, or several with weights, drawn per sample.
        factors: ranges [low, high] by any names, such as ``up``, ``down`` and ``keep``.
        weights: how often each range is chosen, by the same names.
        uniform_in: within a range the ``factor`` or its inverse, the ``divisor``, is uniform.
        rounding: of the size.
        gamma: resize in linear light, see :func:`sr.image.separable.resized`; None resizes the values as they are.
        clamp: bring overshoot back to [0, 1].

    Raises:
        ValueError: a setting outside its range, which the message gives.
    """

    of: Of = "lr"
    modes: str | Mapping[str, float] = "bicubic"
    factors: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {"keep": (1.0, 1.0)})
    weights: Mapping[str, float] = field(default_factory=lambda: {"keep": 1.0})
    uniform_in: UniformIn = "factor"
    rounding: Rounding = "floor"
    gamma: float | None = None
    clamp: bool = False

    def __post_init__(self) -> None:
        check_choice("of", self.of, Of)
        check_choice("uniform_in", self.uniform_in, UniformIn)
        check_choice("rounding", self.rounding, Rounding)
        _check_modes("modes", self.modes)
        _check_gamma(self.gamma)
        if set(self.factors) != set(self.weights):
            raise ValueError(
                f"factors name {', '.join(sorted(self.factors))} and weights name "
                f"{', '.join(sorted(self.weights))}; give one weight per range"
            )
        check_weights("weights", self.weights)
        for name, bounds in self.factors.items():
            _check_range(f"factors.{name}", bounds)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Resize; pictures that keep their size keep their values."""
        factor = self._draw(draws)
        modes = _drawn_modes(self.modes, draws)
        basis = (pictures.heights, pictures.widths) if self.of == "current" else pictures.lr_size
        heights, widths = (_rounded(side * factor, self.rounding) for side in basis)
        draws.note("factor", factor)
        draws.note("mode", modes)
        return _clamped(resized_each(pictures, heights, widths, modes, self.gamma), self.clamp)

    def _draw(self, draws: Draws) -> np.ndarray:
        """(batch,) factors."""
        names = list(self.factors)
        chosen = draws.choice("range", [self.weights[name] for name in names])
        low, high = np.array([self.factors[name] for name in names], dtype=np.float64)[chosen].T
        part = draws.uniform("factor")[:, 0]
        if self.uniform_in == "divisor":
            return 1 / (1 / high + (1 / low - 1 / high) * part)
        return low + (high - low) * part


@dataclass(frozen=True)
class ResizeAxes:
    """Multiply height and width by fixed factors, as where a frame's aspect ratio changes.

    Args:
        height: factor of the rows.
        width: factor of the columns.
        mode: see :data:`sr.image.taps.Mode`.
        rounding: of the size.
        gamma: resize in linear light, see :func:`sr.image.separable.resized`; None resizes the values as they are.
        clamp: bring overshoot back to [0, 1].

    Raises:
        ValueError: a setting outside its range, which the message gives.
    """

    height: float
    width: float
    mode: str = "bicubic"
    rounding: Rounding = "floor"
    gamma: float | None = None
    clamp: bool = False

    def __post_init__(self) -> None:
        for name, factor in (("height", self.height), ("width", self.width)):
            if not 0 < factor < float("inf"):
                raise ValueError(f"{name}={factor} must be above 0, such as 0.5 to halve it")
        _check_modes("mode", self.mode)
        check_choice("rounding", self.rounding, Rounding)
        _check_gamma(self.gamma)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Resize all pictures."""
        heights = _rounded(pictures.heights * self.height, self.rounding)
        widths = _rounded(pictures.widths * self.width, self.rounding)
        modes = [self.mode] * len(pictures)
        return _clamped(resized_each(pictures, heights, widths, modes, self.gamma), self.clamp)


@dataclass(frozen=True)
class DownUp:
    """Shrink by a factor drawn per sample and enlarge again, which takes detail and leaves the size.

    Args:
        factor: range [low, high] of the smaller size over the size, within (0, 1].
        down: mode of shrinking, see :data:`sr.image.taps.Mode`.
        up: mode of enlarging.
        probability: with which a sample is changed at all.
        clamp: bring overshoot back to [0, 1].

    Raises:
        ValueError: a setting outside its range, which the message gives.
    """

    factor: tuple[float, float]
    down: str = "area"
    up: str = "area"
    probability: float = 1.0
    clamp: bool = False

    def __post_init__(self) -> None:
        _check_range("factor", self.factor)
        if self.factor[1] > 1:
            raise ValueError(f"factor={list(self.factor)} must end at 1 or below: it shrinks")
        _check_modes("down", self.down)
        _check_modes("up", self.up)
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability={self.probability} must be from 0 to 1")

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Shrink and enlarge some pictures."""
        met = draws.chance("met", self.probability)
        if not met.any():
            return pictures
        factor = draws.between("factor", *self.factor)
        draws.note("factor", factor, where=met)
        here = pictures.at(met)
        heights, widths = (_rounded(side * factor[met], "round") for side in (here.heights, here.widths))
        made = resized_each(here, heights, widths, [self.down] * len(here), None)
        made = resized_each(made, here.heights, here.widths, [self.up] * len(here), None)
        return pictures.put(met, _clamped(made, self.clamp).pixels)


def _rounded(size: np.ndarray, rounding: str) -> np.ndarray:
    """Whole pixels, at least 1; a product that binary numbers leave a hair below a whole number is that number."""
    if rounding == "round":
        whole = np.floor(size + 0.5)
    else:
        whole = np.floor(size + 1e-9)
        whole += whole % 2 if rounding == "even" else 0
    return np.maximum(whole, 1).astype(np.int64)


def _drawn_modes(modes: str | Mapping[str, float], draws: Draws) -> list[str]:
    """One mode per sample."""
    if isinstance(modes, str):
        return [modes] * len(draws)
    names = list(modes)
    return [names[i] for i in draws.choice("mode", list(modes.values()))]


def _clamped(pictures: Pictures, clamp: bool) -> Pictures:
    return pictures.with_pixels(pictures.pixels.clamp(0, 1)) if clamp else pictures


def _check_modes(name: str, modes: str | Mapping[str, float]) -> None:
    for mode in [modes] if isinstance(modes, str) else modes:
        check_choice(name, mode, Mode)
    if not isinstance(modes, str):
        check_weights(name, modes)


def _check_range(name: str, bounds: tuple[float, float]) -> None:
    if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] < float("inf"):
        raise ValueError(f"{name}={list(bounds)} must be two factors above 0, the smaller first, such as [0.5, 1]")


def _check_gamma(gamma: float | None) -> None:
    if gamma is not None and not 0 < gamma < float("inf"):
        raise ValueError(f"gamma={gamma} must be above 0, such as 2.2, or null for none")
