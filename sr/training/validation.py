"""Validation: whole pictures, the literature's protocol, beside bicubic."""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from sr.data.module import ValidationPair
from sr.losses.lpips import Lpips
from sr.metrics.functional import measure, sharpness
from sr.models.upscale import gray_again, upscale_pixels
from sr.types import UserError

METRICS = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")
"""Measured always; more is better."""
OTHERS = ("sharpness",)
"""Measured always; told, but neither more nor less is better."""
PERCEPTUAL = ("lpips",)
"""Measured where the weights are there; less is better."""
Upscale = Callable[[np.ndarray], np.ndarray]
"""(height, width, 3) uint8 to (scale*height, scale*width, 3) uint8."""

Perceptual = Callable[[np.ndarray, np.ndarray], float]
"""LPIPS of two pictures, (height, width, 3) uint8."""


def gain(metric: str, value: float) -> float:
    """The value so that more is better: LPIPS changes its sign."""
    return -value if metric in PERCEPTUAL else value


def lpips_of(network: Lpips, device: torch.device) -> Perceptual:
    """LPIPS of whole 8-bit RGB pictures in float32, nothing cropped."""
    network = network.to(device)

    def distance(sr: np.ndarray, hr: np.ndarray) -> float:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            one, two = (_batch(pixels).to(device).float() / 255 for pixels in (sr, hr))
            return float(network.per_picture(one, two)[0])

    return distance


def network_upscaler(network: nn.Module, device: torch.device, autocast: torch.autocast) -> Upscale:
    """A network in evaluation mode as a function on uint8 pictures."""

    def upscale(pixels: np.ndarray) -> np.ndarray:
        with autocast:
            return upscale_pixels(network, pixels, device)

    return upscale


def measure_pair(sr: np.ndarray, pair: ValidationPair, scale: int) -> dict[str, float]:
    """The metrics of one picture, LPIPS apart; a gray picture's upscaling is averaged over its channels first.

    Raises:
        UserError: the picture is too small to measure; the message names it.
    """
    shown = gray_again(sr) if pair.gray else sr
    try:
        two = _batch(shown), _batch(pair.hr)
        values = measure(*two, scale, gray=pair.gray)
        return values | {"sharpness": float(sharpness(*two, scale, gray=pair.gray)[0])}
    except UserError as error:
        raise UserError(f"{pair.name}: {error}") from error


def _batch(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]


def means(values: Iterable[dict[str, float]]) -> dict[str, float]:
    """Mean of per-picture values, metric by metric; at least one picture."""
    rows = list(values)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def evaluate(
    upscale: Upscale,
    pairs: Sequence[ValidationPair],
    scale: int,
    on_picture: Callable[[int, np.ndarray], None] = lambda *_: None,
    lpips: Perceptual | None = None,
) -> tuple[dict[str, float], float]:
    """Mean metrics over pictures, and the seconds that upscaling took.

    Args:
        upscale: what is judged.
        pairs: pictures, at least one.
        scale: pixels cropped at each border.
        on_picture: given (number, super-resolved picture) as they come.
        lpips: measures that too, or None.
    """
    rows, seconds = [], 0.0
    for number, pair in enumerate(pairs):
        before = perf_counter()
        sr = upscale(pair.lr)
        seconds += perf_counter() - before
        extra = {} if lpips is None else {"lpips": lpips(sr, pair.hr)}
        rows.append(measure_pair(sr, pair, scale) | extra)
        on_picture(number, sr)
    return means(rows), seconds
