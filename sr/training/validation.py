"""Validation: whole pictures, the literature's protocol, beside bicubic."""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from sr.data.module import ValidationPair
from sr.metrics.functional import measure
from sr.models.upscale import gray_again, upscale_pixels
from sr.types import UserError

METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")
Upscale = Callable[[np.ndarray], np.ndarray]
"""(height, width, 3) uint8 to (scale*height, scale*width, 3) uint8."""


def network_upscaler(network: nn.Module, device: torch.device, autocast: torch.autocast) -> Upscale:
    """A network in evaluation mode as a function on uint8 pictures."""

    def upscale(pixels: np.ndarray) -> np.ndarray:
        with autocast:
            return upscale_pixels(network, pixels, device)

    return upscale


def measure_pair(sr: np.ndarray, pair: ValidationPair, scale: int) -> dict[str, float]:
    """The four metrics of one picture; a gray picture's upscaling is averaged over its channels first.

    Raises:
        UserError: the picture is too small to measure; the message names it.
    """
    shown = gray_again(sr) if pair.gray else sr
    try:
        return measure(_batch(shown), _batch(pair.hr), scale, gray=pair.gray)
    except UserError as error:
        raise UserError(f"{pair.name}: {error}") from error


def _batch(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]


def means(values: Iterable[dict[str, float]]) -> dict[str, float]:
    """Mean of per-picture values, metric by metric."""
    rows = list(values)
    return {name: float(np.mean([row[name] for row in rows])) for name in METRICS}


def evaluate(
    upscale: Upscale,
    pairs: Sequence[ValidationPair],
    scale: int,
    on_picture: Callable[[int, np.ndarray], None] = lambda *_: None,
) -> tuple[dict[str, float], float]:
    """Mean metrics over pictures, and the seconds that upscaling took.

    Args:
        upscale: what is judged.
        pairs: pictures, at least one.
        scale: pixels cropped at each border.
        on_picture: given (number, super-resolved picture) as they come.
    """
    rows, seconds = [], 0.0
    for number, pair in enumerate(pairs):
        before = perf_counter()
        sr = upscale(pair.lr)
        seconds += perf_counter() - before
        rows.append(measure_pair(sr, pair, scale))
        on_picture(number, sr)
    return means(rows), seconds
