"""A picture file in, a larger picture file out: decoded, enlarged and encoded strip by strip."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from sr.errors import UserError
from sr.files import write_atomically
from sr.image.alpha import LargerAlpha
from sr.image.details import fitting, read_details
from sr.image.encode import OPAQUE_ONLY, QUALITY, EncodingError, Strip, check_fits, is_opaque, write_strips
from sr.image.form import Form, held
from sr.image.io import check_target, to_pixels
from sr.image.rows import WHOLE, open_rows
from sr.inference.enhance.enhancer import Enhancer, Settings
from sr.inference.rows import GrayRows, Rows
from sr.inference.upscaler import Upscaler
from sr.printable import printable

ONLY_THE_FIRST = "it moves or has several pages, and only the first frame is enlarged"

_ROWS = 128  # of the result, written at once
_SEEN = 1024  # pixels a side, about, of the small version that contrast is measured on


def upscale_file(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    quality: int = QUALITY,
    enhance: Settings | None = None,
    done: Callable[[float], None] = lambda share: None,
    whole: int = WHOLE,
) -> tuple[str, ...]:
    """Enlarge a picture file; bit depth, alpha, grayness, profile, EXIF, XMP and resolution survive.

    A network knows colours only, so alpha is enlarged by bicubic; one that knows only on and off stays so.

    Args:
        upscaler: networks at work.
        source: the picture.
        target: the file to write, in the format that its suffix names; one that is there is replaced.
        quality: 1..100, of JPEG, WebP and AVIF.
        enhance: what else to do with the result.
        done: gets the share that is finished, from time to time.
        whole: pixels up to which a picture is decoded as a whole.

    Returns:
        A line for each thing that the user should know.

    Raises:
        UserError: the picture cannot be read, enlarged or written; no file is left behind then, and an old one stays.
    """
    suffix = check_target(target)
    rows = open_rows(source, whole)
    opaque = rows.alpha is not None and suffix in OPAQUE_ONLY and is_opaque(rows.alpha)
    alpha = None if opaque else rows.alpha
    gray = rows.form.gray and not upscaler.recolours
    larger: Rows = GrayRows(upscaler.rows(rows)) if gray else upscaler.rows(rows)
    form = Form(larger.height, larger.width, rows.form.deep, gray, alpha is not None)
    try:
        check_fits(form, suffix)
    except ValueError as error:
        raise UserError(f"cannot write '{printable(target)}': {error}") from error
    details = fitting(read_details(source), form, suffix)
    if enhance is not None and not enhance.nothing:
        enhancer = Enhancer(enhance, 65535 if held(form, suffix).deep else 255, form.gray)
        larger = enhancer.rows(larger, enhancer.limits(_small(open_rows(source, whole))) if enhance.contrast else None)
    strips = _strips(larger, form, None if alpha is None else LargerAlpha(alpha, form.height, form.width), done)
    try:
        write_atomically(target, lambda file: write_strips(file, form, strips, suffix, details, quality))
    except EncodingError as error:
        raise UserError(f"cannot write '{printable(target)}': {error}") from error
    return (*details.notes, *([ONLY_THE_FIRST] if rows.moving else []))


def _strips(larger: Rows, form: Form, alpha: LargerAlpha | None, done: Callable[[float], None]) -> Iterator[Strip]:
    for top in range(0, form.height, _ROWS):
        bottom = min(top + _ROWS, form.height)
        pixels = to_pixels(larger.read(top, bottom), form.deep)
        yield pixels, None if alpha is None else alpha.rows(top, bottom)
        done(bottom / form.height)


def _small(rows: Rows) -> Tensor:
    """Every nth pixel of every nth row."""
    step = max(1, round((rows.height * rows.width) ** 0.5 / _SEEN))
    strips = range(0, rows.height, step * _ROWS)
    return torch.cat(
        [rows.read(top, min(top + step * _ROWS, rows.height))[..., ::step, ::step] for top in strips], dim=-2
    )
