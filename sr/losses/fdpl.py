"""Frequency domain perceptual loss: squared errors of 8x8 cosine transforms, weighted as JPEG would see them."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.choices import check_choice
from sr.image.jpeg_tables import CHROMA_TABLE, LUMA_TABLE, TO_YCC
from sr.losses.pixel import at_least_float32
from sr.types import Image, Scalar, UserError

BLOCK = 8
Reduction = Literal["mean", "sum"]
Coefficients = Float[Tensor, "batch 3 rows columns 8 8"]
Table = Float[Tensor, "3 8 8"]


def cosines() -> Float[Tensor, "8 8"]:
    """The orthonormal DCT-II of 8 values: row u is c(u) cos((2 x + 1) u pi / 16), c(0) = sqrt(1/8), else 1/2."""
    x, u = torch.arange(BLOCK, dtype=torch.float64), torch.arange(BLOCK, dtype=torch.float64)[:, None]
    rows = torch.cos((2 * x + 1) * u * math.pi / (2 * BLOCK)) / 2
    rows[0] = math.sqrt(1 / BLOCK)
    return rows


def to_ycc() -> Float[Tensor, "3 3 1 1"]:
    """JPEG's matrix as a convolution."""
    return torch.tensor(TO_YCC, dtype=torch.float64)[..., None, None]


def coefficients(image: Image, ycc: Tensor | None = None, d: Tensor | None = None) -> Coefficients:
    """Coefficients [u, v] (vertical, horizontal) of each 8x8 block of Y, Cb and Cr.

    Rows and columns that fill no block are left out.

    Args:
        image: RGB, in any range; linear, so that a difference of pictures has the difference of their coefficients.
        ycc: (3, 3, 1, 1) RGB to YCbCr, where it lies on the device already.
        d: (8, 8) from `cosines`, likewise.

    Raises:
        UserError: there is no whole block.
    """
    height, width = image.shape[-2:]
    if min(height, width) < BLOCK:
        raise UserError(
            f"fdpl compares blocks of 8x8 pixels, and the pictures have {height}x{width}; take larger crops"
        )
    image = at_least_float32(image)[..., : height // BLOCK * BLOCK, : width // BLOCK * BLOCK]
    ycc = to_ycc().to(image) if ycc is None else ycc
    d = cosines().to(image) if d is None else d
    blocks = F.conv2d(image, ycc).unflatten(-2, (-1, BLOCK)).unflatten(-1, (-1, BLOCK)).transpose(-3, -2)
    return d @ blocks @ d.T


def relative_differences(enlarged: Image, hr: Image) -> Table:
    """How much of each coefficient's size the low resolution lacks: sum |C(enlarged) - C(hr)| / sum |C(hr)|.

    The source's ``data_mean``. Over many pictures: ``loss.terms.fdpl.loss.differences`` is this table, flattened.

    Args:
        enlarged: LR pictures at the size of HR.
        hr: the truth.
    """
    size = coefficients(hr).abs().sum(dim=(0, 2, 3))
    lacking = coefficients(enlarged - hr).abs().sum(dim=(0, 2, 3))
    return lacking / size.clamp_min(torch.finfo(size.dtype).tiny)


def frequency_weights(differences: Table) -> Table:
    """What lacks, divided by JPEG's step, then by the mean of that over all 192."""
    steps = torch.tensor([LUMA_TABLE, CHROMA_TABLE, CHROMA_TABLE], dtype=differences.dtype).view(3, BLOCK, BLOCK)
    w = differences / steps
    return w / w.mean()


class Fdpl(nn.Module):
    """FDPL (Sims 2020, "Frequency domain perceptual loss for super resolution"), as in DL-Art-School (7629cb0).

    The mean over blocks, channels c and frequencies u, v of w(c, u, v) (C(prediction) - C(target))^2, C the orthonormal
    DCT of 8x8 blocks of YCbCr in [0, 1]; w = (what LR lacks there) / (JPEG's step at quality 50), with mean 1. With all
    weights 1 the Y part would be the mean squared error of luma.

    Args:
        differences: 192 numbers, what LR lacks of each coefficient (see `relative_differences`): Y, Cb, Cr, each row by
            row; None for 1, which leaves JPEG's steps alone.
        reduce: ``mean``; the source takes the ``sum``, whose value grows with batch and crop.

    Raises:
        ValueError: not 192 numbers from 0 on, all 0, or a reduction that does not exist.
    """

    weights: Tensor
    ycc: Tensor
    d: Tensor

    def __init__(self, differences: Sequence[float] | None = None, reduce: Reduction = "mean") -> None:
        super().__init__()
        check_choice("reduce", reduce, Reduction)
        count = 3 * BLOCK * BLOCK
        values = [1.0] * count if differences is None else [float(value) for value in differences]
        if len(values) != count or not all(0 <= value < math.inf for value in values) or not any(values):
            raise ValueError(
                f"differences must be {count} finite numbers of at least 0, not all 0, and not {len(values)} such as "
                f"{values[:2]}; use null for JPEG's steps alone."
            )
        table = frequency_weights(torch.tensor(values, dtype=torch.float64).view(3, BLOCK, BLOCK))
        self.register_buffer("weights", table.float()[:, None, None], persistent=False)
        self.register_buffer("ycc", to_ycc().float(), persistent=False)
        self.register_buffer("d", cosines().float(), persistent=False)
        self.reduce = reduce

    def forward(self, prediction: Image, target: Image) -> Scalar:
        """At least 0.

        Raises:
            UserError: pictures smaller than a block.
        """
        difference = at_least_float32(prediction) - at_least_float32(target)
        exact = self.ycc.to(difference.dtype), self.d.to(difference.dtype)  # of pictures in float64
        weighted = self.weights * coefficients(difference, *exact).square()
        return weighted.mean() if self.reduce == "mean" else weighted.sum()
