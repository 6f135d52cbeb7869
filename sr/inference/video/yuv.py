"""Between the numbers in a video and RGB, exactly: matrix, range, bit depth and where the colour samples lie.

FFmpeg's own conversion is not used: its RGB of more than 8 bits is half a level of 8 bits too dark, and its full range
comes back a level off (measured with PyAV 18.1). Formulas: ITU-T H.273, equations 38 to 52; colour samples of 4:2:0 and
4:2:2 lie on the left brightness sample and, in height, between two, as H.264 and H.265 have it unless told otherwise;
those of older codecs lie between two in width too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from sr.data.preparation.frames import BT709
from sr.inference.enhance.dither import frame_noise

_LUMA = {BT709: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Weights of red and blue in brightness: BT.709, FCC, SMPTE 240M, BT.2020; every other code counts as BT.601."""
_OF_BT601 = (0.299, 0.114)

_Taps = tuple[int, tuple[float, ...]]
"""Where the first sample lies, counted from two before, and the weights of it and the next ones."""

_QUARTER = (-0.0234375, 0.2265625, 0.8671875, -0.0703125)
_BETWEEN: tuple[_Taps, _Taps] = ((0, _QUARTER), (1, _QUARTER[::-1]))
_ON_THE_LEFT: tuple[_Taps, _Taps] = ((2, (1.0,)), (1, (-0.0625, 0.5625, 0.5625, -0.0625)))
"""Keys' cubic kernel (a = -0.5) for both halves of a doubled sample that lies between them, or on the first."""

Planes = Sequence[Integer[Tensor, "batch rows columns"]]
"""Brightness alone, or brightness, blue and red difference, as whole numbers."""


@dataclass(frozen=True)
class Coding:
    """How whole numbers stand for colours.

    Attributes:
        across: brightness columns for one colour column: 1, 2 or 4.
        down: brightness rows for one colour row: 1, 2 or 4.
        bits: of each number, 8 to 16.
        full: 0 is black and the largest number white; else limited range, 16 to 235 at 8 bits.
        matrix: in FFmpeg's numbering, never `UNSPECIFIED`.
        gray: there is no colour.
        centred: colour samples lie between brightness columns, not on the left one.
    """

    across: int
    down: int
    bits: int
    full: bool
    matrix: int
    gray: bool = False
    centred: bool = False

    @property
    def dtype(self) -> type[np.uint8 | np.uint16]:
        """Of the numbers in memory."""
        return np.uint8 if self.bits == 8 else np.uint16

    def levels(self) -> tuple[float, float, float, float]:
        """Black and the distance to white, no colour and the distance from there to twice the fullest colour."""
        step = 2 ** (self.bits - 8)
        if self.full:
            return 0.0, 2.0**self.bits - 1, 128.0 * step, 2.0**self.bits - 1
        return 16.0 * step, 219.0 * step, 128.0 * step, 224.0 * step


def to_rgb(planes: Planes, coding: Coding) -> Float[Tensor, "batch 3 height width"]:
    """Pictures in [0, 1] of what a decoder gave; what lies outside (darker than black) is clipped.

    Args:
        planes: brightness in full size; colours may be smaller.
        coding: what the numbers mean.
    """
    black, white, neutral, chroma = coding.levels()
    luma = (planes[0].to(torch.float32) - black) / white
    if coding.gray:
        return luma.clamp(0, 1)[:, None].expand(-1, 3, -1, -1).contiguous()
    height, width = luma.shape[-2:]
    blue, red = (
        _enlarged((plane.to(torch.float32) - neutral) / chroma, coding)[..., :height, :width] for plane in planes[1:3]
    )
    kr, kb = _LUMA.get(coding.matrix, _OF_BT601)
    r = luma + (2 * (1 - kr)) * red
    b = luma + (2 * (1 - kb)) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return torch.stack((r, g, b), dim=1).clamp_(0, 1)


def from_rgb(
    rgb: Float[Tensor, "batch 3 height width"], coding: Coding, dither: float = 0.0, times: Sequence[int] = ()
) -> list[Integer[Tensor, "batch rows columns"]]:
    """What an encoder takes: three planes of whole numbers (uint8 or int32), on the pictures' device.

    Args:
        rgb: in [0, 1]; sides that colour samples do not divide are lengthened by repeating the last pixels.
        coding: what the numbers shall mean; not gray.
        dither: width of the noise that is added before rounding, in levels of the numbers; 0 for none.
        times: of each frame, in ticks; the noise belongs to them.
    """
    right, bottom = -rgb.shape[-1] % coding.across, -rgb.shape[-2] % coding.down
    if right or bottom:
        rgb = torch.nn.functional.pad(rgb, (0, right, 0, bottom), mode="replicate")
    black, white, neutral, chroma = coding.levels()
    kr, kb = _LUMA.get(coding.matrix, _OF_BT601)
    r, g, b = rgb.to(torch.float32).unbind(1)
    luma = (r * kr).add_(g, alpha=1 - kr - kb).add_(b, alpha=kb)
    gray, blue, red = (_rows_averaged(plane, coding.down) for plane in (luma, b, r))  # before what they differ by:
    blue, red = (_fewer_columns(plane - gray, coding) for plane in (blue, red))  # there are fewer by now
    numbers = (
        (luma * white).add_(black + 0.5),  # so that what is cut off rounds, halves up
        (blue * (chroma / (2 * (1 - kb)))).add_(neutral + 0.5),
        (red * (chroma / (2 * (1 - kr)))).add_(neutral + 0.5),
    )
    if dither:
        for index, plane in enumerate(numbers):
            noise = torch.stack([frame_noise(time, index, *plane.shape[-2:]) for time in times])
            plane.add_(noise.to(plane.device), alpha=dither)
    return [_whole(plane, coding) for plane in numbers]


def _whole(numbers: Tensor, coding: Coding) -> Tensor:
    """What is left of numbers without their fractions; int32, or uint8 where that is enough."""
    if coding.full:  # half a level above the largest number, in theory
        numbers.clamp_(0, 2**coding.bits - 1)
    return numbers.to(torch.uint8 if coding.bits == 8 else torch.int32)


def _enlarged(plane: Tensor, coding: Coding) -> Tensor:
    """A colour plane (n, rows, columns) in the size of brightness, or a little more."""
    for _ in range(coding.down.bit_length() - 1):
        plane = _doubled(plane.mT, _BETWEEN).mT
    for _ in range(coding.across.bit_length() - 1):
        plane = _doubled(plane, _BETWEEN if coding.centred else _ON_THE_LEFT)
    return plane


def _doubled(plane: Tensor, halves: tuple[_Taps, _Taps]) -> Tensor:
    """Twice the columns."""
    columns = plane.shape[-1]
    wide = torch.nn.functional.pad(plane, (2, 2), mode="replicate")
    both = []
    for start, weights in halves:
        parts = [weight * wide[..., start + k : start + k + columns] for k, weight in enumerate(weights)]
        both.append(reduce(torch.add, parts))
    return torch.stack(both, dim=-1).flatten(-2)


def _rows_averaged(plane: Tensor, times: int) -> Tensor:
    """(n, rows, columns) with so many times fewer rows: colour samples lie between rows."""
    for _ in range(times.bit_length() - 1):
        plane = (plane[..., 0::2, :] + plane[..., 1::2, :]).mul_(0.5)
    return plane


def _fewer_columns(plane: Tensor, coding: Coding) -> Tensor:
    """(n, rows, columns) with as many columns as there are of colour, averaged, or weighed 1, 2, 1 on the left ones."""
    if coding.centred:
        return _rows_averaged(plane.mT, coding.across).mT
    for _ in range(coding.across.bit_length() - 1):
        before = torch.cat((plane[..., :1], plane[..., 1:-1:2]), dim=-1)
        plane = before.add_(plane[..., 0::2], alpha=2).add_(plane[..., 1::2]).mul_(0.25)
    return plane
