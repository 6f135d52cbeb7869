"""JPEG on the device, a batch at a time: each picture with its own quality.

Source: ITU-T T.81 (1992), annexes A.3 and K.1, and JFIF 1.02 for the colours; where those leave a choice (rounding,
chroma sampling, quality) that of the IJG's libjpeg, which nearly every JPEG file was made with. Only the entropy
coding, which loses nothing, is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from sr.degradations.pictures import Pictures, to_device, write
from sr.degradations.ranges import Number, check_probability, checked_range
from sr.draws import Draws
from sr.image.jpeg_tables import CHROMA_TABLE, LUMA_TABLE, TO_YCC
from sr.types import Image

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

_FACTORS: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}
"""Rows and columns of the picture per chroma sample."""

_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587), (1.0, 1.772, 0.0))
"""Back from `TO_YCC`."""

_SMALL = 96
"""Up to this side of the canvases a CPU, too, is faster with all pictures of a batch at once."""

_AWAY = 1 + 1e-6
"""Coefficients exactly between two steps go to the larger one in size, as libjpeg rounds them."""


@dataclass(frozen=True)
class Jpeg:
    """Compress and decompress. The input counts as 8 bits, clamped to [0, 1]; so is the result.

    Args:
        quality: lowest and highest, 1 to 100; whole numbers, all alike likely.
        choices: qualities to choose one of instead, all alike likely.
        subsampling: of the chroma; ``random`` chooses one of the three for each picture.
        probability: how many pictures are compressed.

    Raises:
        ValueError: a quality that does not exist, both or neither of ``quality`` and ``choices``.
    """

    quality: Sequence[int] | None = None
    choices: Sequence[int] | None = None
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0", "random"] = "4:2:0"
    probability: Number = 1.0

    def __post_init__(self) -> None:
        checked_qualities(self.quality, self.choices)
        check_probability("probability", self.probability)
        if self.subsampling not in (*_FACTORS, "random"):
            raise ValueError(f"subsampling={self.subsampling} must be one of {', '.join(_FACTORS)}, random")

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Compress and decompress."""
        applied = draws.chance("applied", self.probability)
        quality = drawn_quality(draws, checked_qualities(self.quality, self.choices), applied)
        kinds = np.full(len(draws), self.subsampling)
        if self.subsampling == "random":
            kinds = np.array(list(_FACTORS))[draws.integers("subsampling", len(_FACTORS))]
            draws.note("subsampling", kinds.tolist(), where=applied)
        if not applied.any():
            return pictures
        return pictures.put(applied, _each(pictures.at(applied), quality[applied], kinds[applied]))


def checked_qualities(quality: Sequence[int] | None, choices: Sequence[int] | None) -> tuple[int, ...]:
    """The qualities that may be drawn.

    Args:
        quality: lowest and highest, or None.
        choices: all of them, or None.

    Raises:
        ValueError: both or neither is given, or a quality is not a whole number from 1 to 100.
    """
    if (quality is None) == (choices is None):
        raise ValueError("set either quality=[lowest, highest] or choices=[…]")
    if quality is not None:
        low, high = checked_range("quality", quality, 1, 100)
        choices = range(int(low), int(high) + 1)
    if not choices:
        raise ValueError("choices=[] must hold at least one quality")
    for value in choices:
        if not 1 <= value <= 100 or value != int(value):
            raise ValueError(f"choices={list(choices)}: {value} must be a whole number from 1 to 100")
    return tuple(int(value) for value in choices)


def drawn_quality(draws: Draws, choices: Sequence[int], applied: np.ndarray) -> np.ndarray:
    """One quality per sample, int64 (batch,), noted where it is applied."""
    quality = np.asarray(choices)[draws.integers("quality", len(choices))]
    draws.note("quality", quality, where=applied)
    return quality


def quantisation(quality: np.ndarray) -> np.ndarray:
    """Quantisation tables as libjpeg scales them, baseline: each entry from 1 to 255.

    Args:
        quality: (batch,) 1 to 100.

    Returns:
        float64 (batch, 2, 64): for luma and chroma, row by row.
    """
    quality = quality.astype(np.int64)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables = np.array([LUMA_TABLE, CHROMA_TABLE])
    return np.clip((tables * percent[:, None, None] + 50) // 100, 1, 255).astype(np.float64)


def jpeg(image: Image, quality: np.ndarray, subsampling: Subsampling = "4:2:0") -> Image:
    """Compress and decompress pictures of one size. Blocks start in the top left corner; borders repeat the edge.

    Args:
        image: float32 (batch, 3, height, width), clamped to [0, 1] and rounded to 8 bits.
        quality: (batch,) whole numbers from 1 to 100.
        subsampling: chroma is averaged, and enlarged by the triangle filter of libjpeg ("fancy upsampling").

    Returns:
        Same shape; multiples of 1/255 in [0, 1].
    """
    height, width = image.shape[-2:]
    whole = Pictures.of(image, (height, width))
    return _each(whole, quality, np.full(len(image), subsampling))


def _each(some: Pictures, quality: np.ndarray, kinds: np.ndarray) -> Tensor:
    """Pictures that are computed alike at once: those of one subsampling, on a CPU large ones of one size."""
    alone = not some.together and max(some.canvas) > _SMALL
    alike: dict[tuple[Subsampling, int, int], list[int]] = {}
    for i, kind in enumerate(kinds.tolist()):
        size = (int(some.heights[i]), int(some.widths[i])) if alone else some.canvas
        alike.setdefault((kind, *size), []).append(i)
    made = torch.empty_like(some.pixels)
    for (kind, *_), members in alike.items():
        here = np.array(members)
        write(made, here, _coded(some.at(here).trimmed(), quality[here], kind))
    return made


def _coded(some: Pictures, quality: np.ndarray, subsampling: Subsampling) -> Image:
    """Pictures of one subsampling."""
    image = some.pixels if some.filled else some.repeated()
    rows, columns = _FACTORS[subsampling]
    height, width = image.shape[-2:]
    levels = (image * 255).round_().clamp_(0, 255)
    right, bottom = -width % (8 * columns), -height % (8 * rows)
    if right or bottom:
        levels = pad(levels, (0, right, 0, bottom), mode="replicate")
    together = bool(some.together)
    luma, chroma = _ycc(levels, together)
    luma, chroma = _quantised(luma, _averaged(chroma, rows, columns), quality, together)
    if columns == 2:
        chroma = _enlarged(some.with_sizes(chroma, -(-some.heights // rows), -(-some.widths // columns)), rows)
    return _rgb(luma[..., :height, :width], chroma[..., :height, :width], together)


def _ycc(levels: Tensor, together: bool) -> tuple[Tensor, Tensor]:
    """Y - 128 (batch, 1, …) and Cb - 128, Cr - 128 (batch, 2, …), whole numbers."""
    made = _mixed(TO_YCC, levels, together)
    made[:, 0] -= 128
    # Halves go down, as in libjpeg: they are frequent in pure colours, and 255.5 would be no level.
    made[:, 1:] -= 1e-4
    made.round_()
    return made[:, :1], made[:, 1:]


def _rgb(luma: Tensor, chroma: Tensor, together: bool) -> Tensor:
    """[0, 1] from whole numbers."""
    planes = torch.cat((luma, chroma), dim=1)
    return _mixed(_TO_RGB, planes, together).round_().add_(128).clamp_(0, 255).mul_(1 / 255)


def _mixed(matrix: tuple[tuple[float, ...], ...], planes: Tensor, together: bool) -> Tensor:
    weights = _weights(matrix, planes.device)
    flat = planes.flatten(2)
    if together:
        return torch.matmul(weights, flat).view(planes.shape)
    return torch.stack([weights @ picture for picture in flat]).view(planes.shape)


def _averaged(chroma: Tensor, rows: int, columns: int) -> Tensor:
    """Mean of each cell, halves rounded down in even columns and up in odd ones, as libjpeg does."""
    if columns == 1:
        return chroma
    total = chroma if rows == 1 else chroma[..., ::2, :] + chroma[..., 1::2, :]
    total = total[..., ::2] + total[..., 1::2]
    total.mul_(1 / (rows * columns))
    total[..., ::2].add_(0.25 if rows == 2 else 0)
    total[..., 1::2].add_(0.5)
    return total.floor_()


def _enlarged(pictures: Pictures, rows: int) -> Tensor:
    """Twice the columns (and rows, where ``rows`` is 2) by the triangle filter, rounded as libjpeg does.

    3/4 of the nearer sample and 1/4 of the farther; what lies beyond the picture's own chroma repeats its edge.
    """
    chroma = pictures.pixels
    extended = pad(chroma, (1, 1, 1, 1), mode="replicate") if pictures.filled else pictures.repeated(1)
    batch, channels, height, width = chroma.shape
    if rows == 2:
        near = extended[..., 1:-1, :] * 0.75
        tall = torch.empty(batch, channels, height, 2, width + 2, device=chroma.device)
        torch.add(near, extended[..., :-2, :], alpha=0.25, out=tall[..., 0, :])
        torch.add(near, extended[..., 2:, :], alpha=0.25, out=tall[..., 1, :])
        extended = tall.flatten(2, 3)
    else:
        extended = extended[..., 1:-1, :]
    near = extended[..., 1:-1] * 0.75
    even, odd = (0.5, 0.4375) if rows == 2 else (0.25, 0.5)
    made = torch.empty(*near.shape, 2, device=chroma.device)
    torch.add(near + even, extended[..., :-2], alpha=0.25, out=made[..., 0])
    torch.add(near.add_(odd), extended[..., 2:], alpha=0.25, out=made[..., 1])
    return made.floor_().flatten(-2)


def _quantised(luma: Tensor, chroma: Tensor, quality: np.ndarray, together: bool) -> tuple[Tensor, Tensor]:
    """Through the cosine transform and back, coefficients rounded to the steps of the quality."""
    device = luma.device
    count = luma[0].numel() // 64
    blocks = torch.empty(len(luma), count + chroma[0].numel() // 64, 64, device=device)
    parts = (luma, blocks[:, :count]), (chroma, blocks[:, count:])
    for planes, part in parts:
        _cut(part, planes.shape).copy_(_tiles(planes))
    coefficients = _product(blocks, _transform(device), together)
    steps = quantisation(quality)
    inverse = to_device((_AWAY / steps).astype(np.float32), device)
    steps_there = to_device(steps.astype(np.float32), device)
    for kind, part in enumerate((coefficients[:, :count], coefficients[:, count:])):
        part.mul_(inverse[:, kind, None]).round_().mul_(steps_there[:, kind, None])
    blocks.copy_(_product(coefficients, _transform(device).T, together)).round_().clamp_(-128, 127)
    first, second = (_cut(part, planes.shape).transpose(3, 4).reshape(planes.shape) for planes, part in parts)
    return first, second


def _product(blocks: Tensor, matrix: Tensor, together: bool) -> Tensor:
    """Blocks times a matrix, together or picture by picture, so that no bit depends on the batch."""
    if together:
        return blocks @ matrix
    made = torch.empty_like(blocks)
    for own, out in zip(blocks, made, strict=True):
        torch.mm(own, matrix, out=out)
    return made


def _tiles(planes: Tensor) -> Tensor:
    """(batch, channels, block rows, block columns, 8, 8), a view."""
    return planes.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)


def _cut(blocks: Tensor, shape: torch.Size) -> Tensor:
    """The blocks of planes of this shape, in the order of `_tiles`, a view."""
    _, channels, height, width = shape
    return blocks.unflatten(1, (channels, height // 8, width // 8)).unflatten(4, (8, 8))


@cache
def _weights(matrix: tuple[tuple[float, ...], ...], device: torch.device) -> Float[Tensor, "3 3"]:
    return torch.tensor(matrix, dtype=torch.float32).to(device)


@cache
def _transform(device: torch.device) -> Float[Tensor, "64 64"]:
    """Pixels of a block (row by row) to coefficients: the product of two orthonormal DCT-II (T.81, A.3.3)."""
    k, n = np.mgrid[:8, :8]
    single = np.cos(np.pi * (2 * n + 1) * k / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return torch.from_numpy(np.kron(single, single).T.astype(np.float32).copy()).to(device)
