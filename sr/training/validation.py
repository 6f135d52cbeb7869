"""Validation: whole pictures by the literature's protocol, upscaled and measured one by one."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate

from sr.data.pairs import ValidationPair
from sr.data.sets import ShownPicture
from sr.image.io import as_batch, to_image, to_pixels
from sr.losses.lr_consistency import downscaled
from sr.metrics.border import border_psnr
from sr.metrics.checkerboard import checkerboard_local
from sr.metrics.functional import measure, sharpness
from sr.metrics.side_by_side import side_by_side
from sr.models.scales import scale_of
from sr.models.upscale import NotFiniteError, upscale_pixels
from sr.training.columns import CONSISTENCY, METRICS, OTHERS, PERCEPTUAL, WATCHED
from sr.training.copies import copied
from sr.training.perceptual import Perceptual
from sr.training.watch import checkerboard, colour_error
from sr.types import UserError

Upscale = Callable[[np.ndarray, bool], np.ndarray]
"""(height, width, 3) uint8, and whether it is gray and stays so, to (scale*height, scale*width, 3) uint8."""
_TOGETHER = 1 << 23  # pixels of pictures that are measured at once, some hundred bytes each


def as_exported(network: nn.Module) -> nn.Module:
    """A copy as the network's file would bring it back: usual layout, evaluation mode, whatever training needs.

    So that a validation chooses the best by the digits that `sr evaluate` gives for the exported network.
    """
    return copied(network).to(memory_format=torch.contiguous_format)


def network_upscaler(network: nn.Module, device: torch.device, autocast: torch.autocast) -> Upscale:
    """A network in evaluation mode as a function on uint8 pictures."""

    def upscale(pixels: np.ndarray, gray: bool) -> np.ndarray:
        with autocast:
            return upscale_pixels(network, pixels, device, gray)

    return upscale


def pictures_inside(network: nn.Module, lr: np.ndarray, device: torch.device) -> dict[str, np.ndarray]:
    """What a network shows of its inside by a method ``pictures(lr)``, enlarged to its result; empty without one.

    Args:
        network: in evaluation mode.
        lr: (height, width, 3) uint8.
        device: where the network lies.

    Returns:
        (scale*height, scale*width, 3) uint8 by what is shown, such as ``switch_1``.
    """
    pictures: Callable[[torch.Tensor], dict[str, torch.Tensor]] | None = getattr(network, "pictures", None)
    if pictures is None:
        return {}
    with torch.inference_mode():
        made = pictures(to_image(lr).to(device))
        size = [scale_of(network) * side for side in lr.shape[:2]]
        return {name: to_pixels(interpolate(picture.float(), size)) for name, picture in made.items()}


def measure_pair(sr: np.ndarray, pair: ValidationPair, scale: int) -> dict[str, float]:
    """All but LPIPS of one picture, a gray one gray.

    Raises:
        UserError: the picture is too small to measure; the message names it.
    """
    # At x1 the input may well have other colours than are wanted: those of another style, or of clipped noise.
    return compared(sr, pair, scale) | watched(sr, pair.lr if scale > 1 else pair.hr, scale)


def compared(sr: np.ndarray, pair: ValidationPair, scale: int) -> dict[str, float]:
    """`METRICS` and `OTHERS` of one picture, a gray one gray.

    Raises:
        UserError: the picture is too small to measure; the message names it.
    """
    try:
        two = as_batch(sr), as_batch(pair.hr)
        values = measure(*two, scale, gray=pair.gray)
        values |= {"sharpness": float(sharpness(*two, scale, gray=pair.gray)[0])}
    except UserError as error:
        raise UserError(f"{pair.name}: {error}") from error
    return values


def measure_border(sr: np.ndarray, pair: ValidationPair) -> list[float]:
    """PSNR on Y of one picture by distance to its border, see `sr.metrics.border`."""
    return border_psnr(as_batch(sr), as_batch(pair.hr), pair.gray)


def watched(sr: np.ndarray, lr: np.ndarray, scale: int) -> dict[str, float]:
    """Colour error and checkerboards of one picture, see `WATCHED`.

    Args:
        sr: (scale*height, scale*width, 3) uint8.
        lr: (height, width, 3) uint8, what it was made from.
        scale: between them; x1 has no checkerboards.
    """
    large, small = (as_batch(pixels).float() / 255 for pixels in (sr, lr))
    values = {"colour_error": float(colour_error(large, small))}
    if scale > 1:
        values |= {"checkerboard": float(checkerboard(large, scale))}
        values |= {"checkerboard_local": float(checkerboard_local(large, scale))}
    return values


def upscaled_alone(
    upscale: Upscale, pictures: Sequence[ShownPicture], scale: int
) -> list[tuple[np.ndarray | None, dict[str, float]]]:
    """Pictures without a truth: what is made of each, and what that tells of itself.

    Args:
        upscale: what is judged.
        pictures: low resolution.
        scale: of the network.

    Returns:
        (picture, or None where it is not finite; `WATCHED` and `CONSISTENCY`) of each.
    """
    found: list[tuple[np.ndarray | None, dict[str, float]]] = []
    for picture in pictures:
        try:
            sr = upscale(picture.lr, picture.gray)
        except NotFiniteError:
            found.append((None, dict.fromkeys((*(WATCHED if scale > 1 else WATCHED[:1]), CONSISTENCY), math.nan)))
            continue
        large, small = (as_batch(pixels).float() / 255 for pixels in (sr, picture.lr))
        consistency = float((downscaled(large, scale, "bicubic") - small).abs().mean())
        found.append((sr, {CONSISTENCY: consistency} | watched(sr, picture.lr, scale)))
    return found


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
    rows: list[dict[str, float]] = []
    seconds = 0.0
    for together in few_at_once(pairs):
        made: list[np.ndarray | None] = []
        for pair in together:
            before = perf_counter()
            try:
                made.append(upscale(pair.lr, pair.gray))
            except NotFiniteError:
                made.append(None)
                continue
            seconds += perf_counter() - before
        found = side_by_side(lambda both: _row(*both, scale, lpips), list(zip(made, together, strict=True)))
        for row, sr in zip(found, made, strict=True):
            rows.append(row)
            if sr is not None:
                on_picture(len(rows) - 1, sr)
    return rows, seconds


def _row(sr: np.ndarray | None, pair: ValidationPair, scale: int, lpips: Perceptual | None) -> dict[str, float]:
    if sr is None:
        return _nothing(scale, lpips is not None)
    return measure_pair(sr, pair, scale) | ({} if lpips is None else {"lpips": lpips(sr, pair.hr)})


def few_at_once(pairs: Iterable[ValidationPair]) -> Iterator[list[ValidationPair]]:
    """As many pairs at once as there are threads, and fewer where they are large: measures need memory for each."""
    together: list[ValidationPair] = []
    for pair in pairs:
        if together and sum(other.hr[..., 0].size for other in (*together, pair)) > _TOGETHER:
            yield together
            together = []
        together.append(pair)
        if len(together) == torch.get_num_threads():
            yield together
            together = []
    if together:
        yield together
