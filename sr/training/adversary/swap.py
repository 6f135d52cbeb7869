"""Swapped regions: real and fake exchange boxes, and the discriminator must say where (pix_gan)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.degradations.pictures import to_device
from sr.draws import Draws
from sr.types import UserError

Mask = Float[Tensor, "batch 1 height width"]


class Cells(NamedTuple):
    """Which pixels the cells of a discriminator's map judge, see `sr.discriminators.contract`.

    Attributes:
        cell: pixels per cell; None where every cell judges the whole picture.
        margin: pixels before the first cell; negative where that reaches beyond the border.
    """

    cell: int | None
    margin: int


def cells_of(network: nn.Module) -> Cells:
    """What the discriminator says of its cells.

    Raises:
        ValueError: nothing, or no such numbers; the message says what to add.
    """
    cell, margin = getattr(network, "cell", 0), getattr(network, "margin", None)
    if not (cell is None or (isinstance(cell, int) and cell >= 1)) or not isinstance(margin, int):
        raise ValueError(
            f"shows.swap labels every cell of the discriminator's map, and {type(network).__name__} does not say where "
            "its cells lie; give it the attributes cell (pixels per cell, None for one verdict on the whole picture) "
            "and margin (pixels before the first cell), or set shows.swap=null."
        )
    return Cells(cell, margin)


def label_map(mask: Mask, size: Sequence[int], cells: Cells) -> Float[Tensor, "batch 1 map_height map_width"]:
    """The share of swapped pixels in each cell of the discriminator's map, by area.

    Args:
        mask: 1 where pixels were swapped, else 0.
        size: rows and columns of the map.
        cells: which pixels they judge; of a cell that reaches beyond the border the pixels inside the picture count.

    Raises:
        UserError: a cell would lie outside the picture.
    """
    cell, margin = cells
    if cell is None:
        return mask.mean(dim=(2, 3), keepdim=True).expand(-1, -1, *size)
    sides = mask.shape[-2:]
    if margin + cell <= 0 or any(margin + (count - 1) * cell >= side for count, side in zip(size, sides, strict=True)):
        raise UserError(
            f"the discriminator's map of {size[0]}x{size[1]} cells does not lie within {sides[0]}x{sides[1]} pixels "
            f"with cell={cell} and margin={margin}; correct these attributes of it."
        )
    below, right = (margin + count * cell - side for count, side in zip(size, sides, strict=True))
    borders = (-margin, right, -margin, below)  # where negative, pixels that no cell judges are cut off
    shares, inside = (F.avg_pool2d(F.pad(pixels, borders), cell) for pixels in (mask, torch.ones_like(mask)))
    return shares / inside


def swapped(mask: Mask, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures with the regions of ``mask`` exchanged; where boxes overlap they count once."""
    chosen = mask > 0.5
    return torch.where(chosen, fake, real), torch.where(chosen, real, fake)


class RegionSwap:
    """Draws the boxes that real and fake exchange (DL-Art-School 2020, 14d23b9; CutMix and U-Net GAN are its kin).

    The boxes of a sample are united to one mask first, so that overlaps do not swap back under a label that says
    they did.

    Args:
        boxes: at most so many per picture, as likely as fewer.
        smallest: shortest side of a box in pixels.
        largest: longest side as a share of the picture's side.
        probability: of boxes at all; at 1 the discriminator learns that a clean picture does not exist.

    Raises:
        ValueError: numbers out of range.
    """

    def __init__(self, boxes: int = 4, smallest: int = 16, largest: float = 0.25, probability: float = 0.5) -> None:
        if boxes < 1 or smallest < 1:
            raise ValueError(f"boxes={boxes} and smallest={smallest} must be at least 1.")
        if not 0 < largest <= 1 or not 0 <= probability <= 1:
            raise ValueError(f"largest={largest} and probability={probability} are shares between 0 and 1.")
        self.boxes, self.smallest, self.largest, self.probability = boxes, smallest, largest, probability

    @property
    def smallest_side(self) -> int:
        """Of a picture: its largest box must not be smaller than its smallest."""
        return math.ceil(self.smallest / self.largest)

    def mask(self, draws: Draws, height: int, width: int, device: torch.device) -> Mask:
        """1 inside the boxes of each sample, else 0; float32 (batch, 1, height, width)."""
        made = np.zeros((len(draws), 1, height, width), dtype=np.float32)
        counts = np.where(draws.chance("any", self.probability), draws.integers("boxes", self.boxes + 1), 0)
        for number in range(self.boxes):
            u = draws.uniform(f"box {number}", 4)
            for sample in np.flatnonzero(counts > number).tolist():
                rows, columns = self._extent(u[sample, :2], height), self._extent(u[sample, 2:], width)
                made[sample, 0, rows, columns] = 1
        return to_device(made, device)

    def _extent(self, u: np.ndarray, side: int) -> slice:
        """Anywhere from which ``smallest`` pixels fit; what reaches beyond the border is cut off."""
        longest = max(self.smallest, int(side * self.largest + 1e-9))
        start = int(u[0] * (side - self.smallest + 1))
        return slice(start, start + self.smallest + int(u[1] * (longest - self.smallest + 1)))
