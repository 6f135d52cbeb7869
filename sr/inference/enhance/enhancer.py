"""Denoise, contrast and dither in the log's order, on pictures, on pictures by rows, and on films."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sr.choices import check_choice
from sr.errors import UserError
from sr.inference.enhance.contrast import Limits, limits, log_contrast, steadied, stretched
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


NOTHING = Settings()
"""Leaves pictures as they are."""


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
        return torch.cat([self._made(one, self.limits(one)) for one in image.split(1)])

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

    def _made(self, image: Tensor, of: Limits | None) -> Tensor:
        return self._toned(gentle_denoise(image, *self._denoise), of, 0)

    @property
    def _denoise(self) -> tuple[float, int, int]:
        return self.settings.denoise, self.settings.window, self.settings.kernel

    def _toned(self, image: Tensor, of: Limits | None, top: int) -> Tensor:
        """What is done pixel by pixel."""
        image = _contrasted(image, of, self.settings.contrast_kind)
        if not self.settings.dither:
            return image
        channels = image[:, :1] if self.gray else image
        return dithered(channels, self.settings.dither, self.levels, top).expand_as(image)


class FilmEnhancer:
    """Denoises and stretches the frames of one film in their order; dither belongs to who rounds them (`from_rgb`).

    Args:
        settings: what to do; the log's contrast looks at each frame alone, as it did.
        last: by which the frame before the first one was changed; None where there was none.

    Attributes:
        last: by which the latest frame was changed: from there another one goes on.
    """

    def __init__(self, settings: Settings, last: Limits | None = None) -> None:
        self._settings, self.last = settings, last

    def frame(self, frame: Image) -> Image:
        """The next frame, (1, 3, height, width) in [0, 1]."""
        settings = self._settings
        of = limits(frame, settings.contrast) if settings.contrast else None
        if of is not None and settings.contrast_kind == "steady":
            of = self.last = steadied(of, self.last)
        frame = gentle_denoise(frame, settings.denoise, settings.window, settings.kernel)
        return _contrasted(frame, of, settings.contrast_kind)


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
        return self._enhancer._toned(wide[..., top - start : bottom - start, :], self._of, top)


def _contrasted(image: Tensor, of: Limits | None, kind: ContrastKind) -> Tensor:
    if of is None:
        return image
    return stretched(image, of) if kind == "steady" else log_contrast(image, of)


def _odd(side: int, least: int) -> int:
    """The nearest side that is taken."""
    return min(max(side + 1 - side % 2, least), 31)
