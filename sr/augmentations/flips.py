"""Flips and quarter turns, one per sample: any of the eight symmetries of the square."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sr.degradations.pictures import at_once, to_device
from sr.draws import Draws
from sr.types import Crops

Symmetries = Literal["all", "horizontal", "rotations"]


class Flips:
    """Mirror left-right, mirror top-bottom and swap the axes, each with probability 1/2 (together 8 symmetries).

    The low- and the high-resolution picture of a sample get the same symmetry. Valid for degradations that
    commute with it, as all symmetric kernels do.

    Args:
        symmetries: ``all`` eight; ``horizontal`` only mirrors left-right, with probability 1/2; ``rotations`` turns
            by 0, 90, 180 or 270 degrees, each as often.
    """

    changes_input = False

    def __init__(self, symmetries: Symmetries = "all") -> None:
        self.symmetries = symmetries

    def __call__(self, crops: Crops, draws: Draws, together: bool | None = None) -> Crops:
        """Draw one symmetry per sample; arguments as of `sr.augmentations.sequence.Augmentation`.

        Raises:
            ValueError: the pictures are not square.
        """
        height, width = crops.hr.shape[-2:]
        if height != width and self.symmetries != "horizontal":
            raise ValueError(f"quarter turns need square crops, not {height}x{width}")
        coins = draws.uniform("flips", 3) < 0.5
        if self.symmetries == "horizontal":
            coins = coins & [True, False, False]
        elif self.symmetries == "rotations":  # a swap of the axes after an odd number of mirrors is a quarter turn
            coins = np.stack([coins[:, 0], coins[:, 0] ^ coins[:, 2], coins[:, 2]], axis=1)
        turn = _turn_all if at_once(together, crops.hr.device) else _turn_each
        return crops.changed(lambda pictures: turn(pictures, coins))


def _turn_each(x: Tensor, coins: np.ndarray) -> Tensor:
    """Sample by sample: on a CPU four times faster than computing both outcomes for all."""
    turned = torch.empty_like(x)
    for sample, (mirror, upside_down, swap) in enumerate(coins.tolist()):
        picture = x[sample]
        axes = [axis for axis, chosen in ((-1, mirror), (-2, upside_down)) if chosen]
        picture = picture.flip(axes) if axes else picture
        turned[sample] = picture.transpose(-1, -2) if swap else picture
    return turned


def _turn_all(x: Tensor, coins: np.ndarray) -> Tensor:
    """Both outcomes for all samples, then the drawn one: a few kernels and no wait on a GPU."""
    mirror, upside_down, swap = to_device(coins.T, x.device)[:, :, None, None, None]
    x = torch.where(mirror, x.flip(-1), x)
    x = torch.where(upside_down, x.flip(-2), x)
    return torch.where(swap, x.transpose(-1, -2), x) if coins[:, 2].any() else x  # no square, then
