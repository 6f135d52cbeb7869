"""Validation: whole pictures by the literature's protocol, upscaled and measured one by one."""

import math
from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from sr.data.pairs import ValidationPair
from sr.losses.lpips import Lpips
from sr.metrics.border import border_psnr
from sr.metrics.checkerboard import checkerboard_local
from sr.metrics.functional import measure, sharpness
from sr.models.upscale import NotFiniteError, gray_again, upscale_pixels
from sr.training.columns import METRICS, OTHERS, PERCEPTUAL, WATCHED
from sr.training.copies import copied
from sr.training.watch import checkerboard, colour_error
from sr.types import UserError

Upscale = Callable[[np.ndarray], np.ndarray]
"""(height, width, 3) uint8 to (scale*height, scale*width, 3) uint8."""


class Perceptual:
    """LPIPS of whole 8-bit RGB pictures in float32, nothing cropped.

    Args:
        network: that measures.
        device: where to.
    """

    def __init__(self, network: Lpips, device: torch.device) -> None:
        self.network, self.device = network.to(device), device

    @property
    def smallest(self) -> int:
        """The shorter side that a picture needs, in pixels."""
        return self.network.features.smallest

    def __call__(self, sr: np.ndarray, hr: np.ndarray) -> float:
        """Of two pictures, (height, width, 3) uint8; NaN where they are smaller than `smallest`."""
        if min(hr.shape[:2]) < self.smallest:
            return math.nan
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            one, two = (_batch(pixels).to(self.device).float() / 255 for pixels in (sr, hr))
            return float(self.network.per_picture(one, two)[0])

    def about_small(self, sizes: Sequence[tuple[int, ...]]) -> str | None:
        """What to say of the pictures that are too small for it; None where none is.

        Args:
            sizes: (height, width) of every picture.
        """
        small = [size for size in sizes if min(size) < self.smallest]
        if not small:
            return None
        of = f"is the mean over the other {len(sizes) - len(small)}" if len(small) < len(sizes) else "is left empty"
        least, (height, width) = f"{self.smallest}x{self.smallest}", min(small, key=min)
        return (
            f"{len(small)} of {len(sizes)} pictures are too small for LPIPS, which needs {least} pixels (the smallest "
            f"is {width}x{height}): LPIPS {of}"
        )


def as_exported(network: nn.Module) -> nn.Module:
    """A copy as the network's file would bring it back: usual layout, evaluation mode, whatever training needs.

    So that a validation chooses the best by the digits that `sr evaluate` gives for the exported network.
    """
    return copied(network).to(memory_format=torch.contiguous_format)


def network_upscaler(network: nn.Module, device: torch.device, autocast: torch.autocast) -> Upscale:
    """A network in evaluation mode as a function on uint8 pictures."""

    def upscale(pixels: np.ndarray) -> np.ndarray:
        with autocast:
            return upscale_pixels(network, pixels, device)

    return upscale


def measure_pair(sr: np.ndarray, pair: ValidationPair, scale: int) -> dict[str, float]:
    """All but LPIPS of one picture; a gray picture's upscaling is averaged over its channels first.

    Raises:
        UserError: the picture is too small to measure; the message names it.
    """
    shown = gray_again(sr) if pair.gray else sr
    try:
        two = _batch(shown), _batch(pair.hr)
        values = measure(*two, scale, gray=pair.gray)
        values |= {"sharpness": float(sharpness(*two, scale, gray=pair.gray)[0])}
    except UserError as error:
        raise UserError(f"{pair.name}: {error}") from error
    return values | watched(shown, pair.lr, scale)


def measure_border(sr: np.ndarray, pair: ValidationPair) -> list[float]:
    """PSNR on Y of one picture by distance to its border, see `sr.metrics.border`."""
    shown = gray_again(sr) if pair.gray else sr
    return border_psnr(_batch(shown), _batch(pair.hr), pair.gray)


def watched(sr: np.ndarray, lr: np.ndarray, scale: int) -> dict[str, float]:
    """Colour error and checkerboards of one picture, see `WATCHED`.

    Args:
        sr: (scale*height, scale*width, 3) uint8.
        lr: (height, width, 3) uint8, what it was made from.
        scale: between them; x1 has no checkerboards.
    """
    large, small = (_batch(pixels).float() / 255 for pixels in (sr, lr))
    values = {"colour_error": float(colour_error(large, small))}
    if scale > 1:
        values |= {"checkerboard": float(checkerboard(large, scale))}
        values |= {"checkerboard_local": float(checkerboard_local(large, scale))}
    return values


def _batch(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]


def _nothing(scale: int, with_lpips: bool) -> dict[str, float]:
    """The row of a picture that cannot be measured."""
    watched_here = WATCHED if scale > 1 else WATCHED[:1]
    return dict.fromkeys(METRICS + OTHERS + watched_here + (PERCEPTUAL if with_lpips else ()), math.nan)


def measured(
    upscale: Upscale,
    pairs: Sequence[ValidationPair],
    scale: int,
    on_picture: Callable[[int, np.ndarray], None] = lambda *_: None,
    lpips: Perceptual | None = None,
) -> tuple[list[dict[str, float]], float]:
    """Metrics of each picture, and the seconds that upscaling took.

    Args:
        upscale: what is judged.
        pairs: pictures.
        scale: pixels cropped at each border.
        on_picture: given (number, super-resolved picture) as they come.
        lpips: measures that too, or None; NaN for pictures that are too small for it, which `means` passes over.

    A picture of which the network makes something that is not finite has no measures: all are NaN then, so that the
    mean is, which is never the best, and ``on_picture`` is not told of it.
    """
    rows, seconds = [], 0.0
    for number, pair in enumerate(pairs):
        before = perf_counter()
        try:
            sr = upscale(pair.lr)
        except NotFiniteError:
            rows.append(_nothing(scale, lpips is not None))
            continue
        seconds += perf_counter() - before
        extra = {} if lpips is None else {"lpips": lpips(sr, pair.hr)}
        rows.append(measure_pair(sr, pair, scale) | extra)
        on_picture(number, sr)
    return rows, seconds
