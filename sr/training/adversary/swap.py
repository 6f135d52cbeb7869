"""Swapped regions: real and fake exchange boxes, and the discriminator must say where (pix_gan)."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sr.choices import check_choice
from sr.degradations.pictures import to_device
from sr.draws import Draws
from sr.losses.objective import weight_of
from sr.losses.weights import Weight
from sr.types import UserError

Mask = Float[Tensor, "batch 1 height width"]

Labels = Literal["area", "bilinear"]


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


def label_map(
    mask: Mask, size: Sequence[int], cells: Cells, labels: Labels = "area"
) -> Float[Tensor, "batch 1 map_height map_width"]:
    """How much of each cell of the discriminator's map was swapped.

    Args:
        mask: 1 where pixels were swapped, else 0.
        size: rows and columns of the map.
        cells: which pixels they judge; of a cell that reaches beyond the border the pixels inside the picture count.
        labels: ``area`` is the share of swapped pixels; ``bilinear`` takes the mask in the middle of the cell, as
            DL-Art-School does: where a cell has 4 or 8 pixels a side, the mean of the four in its middle.

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
    if labels == "bilinear":
        rows, columns = (_judged(count, cell, margin, side) for count, side in zip(size, sides, strict=True))
        judged = mask[:, :, to_device(rows, mask.device)][..., to_device(columns, mask.device)]
        return F.interpolate(judged, size=tuple(size), mode="bilinear", align_corners=False)
    below, right = (margin + count * cell - side for count, side in zip(size, sides, strict=True))
    borders = (-margin, right, -margin, below)  # where negative, pixels that no cell judges are cut off
    shares, inside = (F.avg_pool2d(F.pad(pixels, borders), cell) for pixels in (mask, torch.ones_like(mask)))
    return shares / inside


def _judged(count: int, cell: int, margin: int, side: int) -> np.ndarray:
    """The rows that all cells judge, in their order; those beyond the border are the outermost."""
    return np.arange(margin, margin + count * cell).clip(0, side - 1)


def swapped(mask: Mask, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures with the regions of ``mask`` exchanged; where boxes overlap they count once."""
    chosen = mask > 0.5
    return torch.where(chosen, fake, real), torch.where(chosen, real, fake)


class RegionSwap:
    """Draws the boxes that real and fake exchange (DL-Art-School, July 2020; CutMix and U-Net GAN are its kin).

    The source went three ways: one box on a grid of 32 pixels with probability 0.75 (26a4a66: ``boxes=1 fewest=1
    smallest=32 largest=0.5 probability=0.75 grid=32``), up to four boxes anywhere in every picture (812c684:
    ``probability=1``), and the same in half of them (14d23b9, the default). The boxes of a sample are united to one
    mask first, so that overlaps do not swap back under a label that says they did.

    Args:
        boxes: at most so many per picture.
        smallest: shortest side of a box in pixels.
        largest: longest side as a share of the picture's side.
        probability: of boxes at all, or a schedule of it (`sr.losses.weights`); at 1 the discriminator learns that a
            clean picture does not exist.
        fewest: least number of boxes where there are any; each number from here to ``boxes`` is as likely.
        grid: sides and places of boxes are multiples of it, the places up to the longest side. With the largest step
            of the discriminator, every cell is swapped as a whole or not at all.
        labels: of the cells of the map, see `label_map`.

    Raises:
        ValueError: numbers out of range.
    """

    def __init__(
        self,
        boxes: int = 4,
        smallest: int = 16,
        largest: float = 0.25,
        probability: float | Weight = 0.5,
        fewest: int = 0,
        grid: int = 1,
        labels: Labels = "area",
    ) -> None:
        check_choice("labels", labels, Labels)
        if boxes < 1 or smallest < 1:
            raise ValueError(f"boxes={boxes} and smallest={smallest} must be at least 1.")
        if not 0 < largest <= 1 or (not isinstance(probability, Weight) and not 0 <= probability <= 1):
            raise ValueError(f"largest={largest} and probability={probability} are shares between 0 and 1.")
        if not 0 <= fewest <= boxes:
            raise ValueError(f"fewest={fewest} must be from 0 to boxes={boxes}.")
        if grid < 1 or smallest % grid:
            nearest = max(1, round(smallest / max(1, grid))) * max(1, grid)
            raise ValueError(f"smallest={smallest} must be a multiple of grid={grid}, from 1 on; take {nearest}.")
        self.boxes, self.smallest, self.largest = boxes, smallest, largest
        self.probability = weight_of(probability)
        self.fewest, self.grid, self.labels = fewest, grid, labels

    @property
    def smallest_side(self) -> int:
        """Of a picture: its largest box must not be smaller than its smallest."""
        return math.ceil(self.smallest / self.largest)

    def mask(self, draws: Draws, height: int, width: int, device: torch.device, updates: int = 0) -> Mask:
        """1 inside the boxes of each sample, else 0; float32 (batch, 1, height, width).

        Args:
            draws: of these samples.
            height: of the pictures.
            width: likewise.
            device: where they are.
            updates: so far; the probability may follow it.
        """
        made = np.zeros((len(draws), 1, height, width), dtype=np.float32)
        some = draws.chance("any", min(self.probability(updates), 1.0))
        counts = np.where(some, self.fewest + draws.integers("boxes", self.boxes + 1 - self.fewest), 0)
        for number in range(self.boxes):
            u = draws.uniform(f"box {number}", 4)
            for sample in np.flatnonzero(counts > number).tolist():
                rows, columns = self._extent(u[sample, :2], height), self._extent(u[sample, 2:], width)
                made[sample, 0, rows, columns] = 1
        return to_device(made, device)

    def _extent(self, u: np.ndarray, side: int) -> slice:
        """Where ``smallest`` pixels fit, on a grid not beyond the longest; what reaches over the border is cut off."""
        longest = max(self.smallest, int(side * self.largest + 1e-9))
        last = side - self.smallest if self.grid == 1 else min(side - self.smallest, longest)
        start = int(u[0] * (last // self.grid + 1)) * self.grid
        smallest, sizes = self.smallest, (longest - self.smallest) // self.grid + 1
        return slice(start, start + smallest + int(u[1] * sizes) * self.grid)
