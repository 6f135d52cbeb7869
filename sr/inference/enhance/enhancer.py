"""Denoise, contrast and dither in the log's order, on pictures, on pictures by rows, and on films."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from sr.choices import check_choice
from sr.errors import UserError
from sr.inference.enhance.contrast import Limits, SteadyLimits, limits, log_contrast, stretched
from sr.inference.enhance.denoise import KERNEL, WINDOW, gentle_denoise, margin
from sr.inference.enhance.dither import dithered
from sr.inference.rows import Rows
from sr.types import Image

ContrastKind = Literal["steady", "log"]


@dataclass(frozen=True)
class Settings:
    """What to do. The defaults do nothing.

    Attributes:
        denoise: strength of the gentle denoising, levels of 255; 0 for none.
        window: side of its template, odd pixels.
        kernel: side of its box blur, odd pixels.
        contrast: percent of the pixels that do not count for the range; 0 for no contrast.
        contrast_kind: ours, which leaves the brightness, or the log's with its fault.
        dither: width of the dither in levels of the file; 0 for none.

    Raises:
        UserError: a value is out of its range; the message names the flag.
    """

    denoise: float = 0.0
    window: int = WINDOW
    kernel: int = KERNEL
    contrast: float = 0.0
    contrast_kind: ContrastKind = "steady"
    dither: float = 0.0

    def __post_init__(self) -> None:
        ranges = (("denoise", self.denoise, 100), ("contrast", self.contrast, 50), ("dither", self.dither, 10))
        wrong = [
            f"--{name} {value:g} is not within 0 and {most}; nearest is {0 if not value > 0 else most}"
            for name, value, most in ranges
            if not 0 <= value <= most
        ]
        sides = (("window", self.window, 1), ("kernel", self.kernel, 3))
        wrong += [
            f"--{name} {side} is not an odd number of pixels from {least} to 31; nearest is {_odd(side, least)}"
            for name, side, least in sides
            if side % 2 == 0 or not least <= side <= 31
        ]
        try:
            check_choice("--contrast-kind", self.contrast_kind, ContrastKind)
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise UserError(*wrong)

    @property
    def nothing(self) -> bool:
        """Whether pictures stay as they are."""
        return not (self.denoise or self.contrast or self.dither)


class Enhancer:
    """Enhances pictures in [0, 1].

    Args:
        settings: what to do.
        levels: of the files that the pictures go into, 255 or 65535: the dither's unit.
        gray: the pictures are gray, and so is their dither.
    """

    def __init__(self, settings: Settings, levels: int = 255, gray: bool = False) -> None:
        self.settings, self.levels, self.gray = settings, levels, gray

    def image(self, image: Image) -> Image:
        """Each picture of (n, 3, height, width) by itself."""
        return torch.cat([self._made(one, self.limits(one), 0, 0) for one in image.split(1)])

    def limits(self, image: Image) -> Limits | None:
        """The range that `rows` needs, of the picture or of a smaller version of it; None without contrast."""
        return limits(image, self.settings.contrast) if self.settings.contrast else None

    def rows(self, source: Rows, of: Limits | None) -> Rows:
        """The enhanced picture, made as it is read, pixel for pixel what `image` makes of it with these limits.

        Args:
            source: a picture in [0, 1]; to enhance an enlargement, the rows that the upscaler gives.
            of: its range (`limits`); that of the picture before it is enlarged will do, and costs no second pass.
        """
        return _EnhancedRows(self, source, of)

    def film(self) -> "FilmEnhancer":
        """For the frames of one film, from the first to the last."""
        return FilmEnhancer(self)

    def _made(self, image: Tensor, of: Limits | None, top: int, seed: int) -> Tensor:
        return self._toned(gentle_denoise(image, *self._denoise), of, top, seed)

    @property
    def _denoise(self) -> tuple[float, int, int]:
        return self.settings.denoise, self.settings.window, self.settings.kernel

    def _toned(self, image: Tensor, of: Limits | None, top: int, seed: int) -> Tensor:
        """What is done pixel by pixel."""
        if of is not None:
            image = stretched(image, of) if self.settings.contrast_kind == "steady" else log_contrast(image, of)
        if not self.settings.dither:
            return image
        channels = image[:, :1] if self.gray else image
        return dithered(channels, self.settings.dither, self.levels, seed, top).expand_as(image)


class FilmEnhancer:
    """Enhances the frames of one film in their order: the contrast is steady, the dither another for each frame.

    Args:
        enhancer: what to do; the log's contrast looks at each frame alone, as it did.
    """

    def __init__(self, enhancer: Enhancer) -> None:
        self._enhancer, self._steady, self._frame = enhancer, SteadyLimits(), 0

    def frames(self, frames: Image) -> Image:
        """The next frames, (n, 3, height, width) in [0, 1]."""
        return torch.cat([self._next(frame) for frame in frames.split(1)])

    def _next(self, frame: Tensor) -> Tensor:
        of = self._enhancer.limits(frame)
        if of is not None and self._enhancer.settings.contrast_kind == "steady":
            of = self._steady.next(of)
        self._frame += 1
        return self._enhancer._made(frame, of, 0, self._frame)


class Enlarger(Protocol):
    """What enlarges pictures that are in memory, as `sr.inference.upscaler.Upscaler`."""

    @property
    def scale(self) -> float:
        """By which they are enlarged."""

    def image(self, lr: Tensor) -> Tensor:
        """Enlarge (n, 3, h, w) in [0, 1]."""


class FilmUpscaler:
    """Enlarges and then enhances the frames of one film, in their order.

    Args:
        enlarger: networks at work.
        enhancer: what else to do.

    Attributes:
        scale: of the enlarger.
    """

    def __init__(self, enlarger: Enlarger, enhancer: Enhancer) -> None:
        self.scale, self._enlarger, self._film = enlarger.scale, enlarger, enhancer.film()

    def image(self, lr: Image) -> Image:
        """The next frames, (n, 3, h, w) in [0, 1]."""
        return self._film.frames(self._enlarger.image(lr))


class _EnhancedRows:
    """See `Enhancer.rows`."""

    def __init__(self, enhancer: Enhancer, source: Rows, of: Limits | None) -> None:
        self.height, self.width = source.height, source.width
        self._enhancer, self._source, self._of = enhancer, source, of
        settings = enhancer.settings
        self._margin = margin(settings.window, settings.kernel) if settings.denoise else 0

    def read(self, top: int, bottom: int) -> Tensor:
        """See `Rows.read`."""
        start, end = max(0, top - self._margin), min(self.height, bottom + self._margin)
        wide = gentle_denoise(self._source.read(start, end), *self._enhancer._denoise)
        return self._enhancer._toned(wide[..., top - start : bottom - start, :], self._of, top, 0)


def _odd(side: int, least: int) -> int:
    """The nearest side that is taken."""
    return min(max(side + 1 - side % 2, least), 31)
