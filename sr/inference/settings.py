"""What may be asked of an upscaler, whoever asks: Python by names of arguments, the command line by flags."""

from numbers import Integral, Real

from sr.choices import check_choice
from sr.errors import UserError
from sr.inference.colour import Colour
from sr.inference.engines.engine import Kind, Precision

LEAST_TILE = 16
"""Pixels a side."""

SCALES = (1, 64)
"""The smallest and the largest."""


def check_settings(
    engine: str, precision: str, colour: str, tile: int | None, scale: float | None, compile: bool = False
) -> None:
    """Whether there is all of it; see `sr.inference.upscaler.Upscaler`.

    Raises:
        UserError: a line for each value that does not exist, as ``tile=3``.
    """
    wrong = []
    for name, value, hint in (
        ("engine", engine, Kind),
        ("precision", precision, Precision),
        ("colour", colour, Colour),
    ):
        try:
            check_choice(name, value, hint)
        except ValueError as error:
            wrong.append(str(error))
    if tile is not None and not _is_number(tile, Integral):
        wrong.append(f"tile={tile!r} is no number of pixels; give a whole one from {LEAST_TILE} on, or leave it out")
    elif tile is not None and tile < LEAST_TILE:
        wrong.append(f"tile={tile} is too small; the smallest tile has {LEAST_TILE} pixels a side")
    if scale is not None and not _is_number(scale, Real):
        wrong.append(f"scale={scale!r} is no number; give one within {SCALES[0]} and {SCALES[1]}, or leave it out")
    elif scale is not None and not SCALES[0] <= scale <= SCALES[1]:
        nearest = SCALES[1] if scale > SCALES[1] else SCALES[0]
        wrong.append(f"scale={scale:g} is not within {SCALES[0]} and {SCALES[1]}; nearest is {nearest}")
    if compile and engine in ("onnxruntime", "openvino"):
        wrong.append(f"engine={engine} compiles nothing: torch.compile is PyTorch's; leave one of the two out")
    if wrong:
        raise UserError(*wrong)


def _is_number(value: object, kind: type) -> bool:
    """Of Python's kinds or numpy's."""
    return isinstance(value, kind) and not isinstance(value, bool)
