"""Pictures seen from elsewhere: a quadrilateral inside of the target becomes all of it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from sr.augmentations.sequence import refuse_low_resolution
from sr.degradations.pictures import at_once, portions, to_device
from sr.degradations.ranges import Number, checked_range, checked_share
from sr.draws import Draws
from sr.types import Crops


def homography(corners: np.ndarray) -> np.ndarray:
    """The projective map that takes the corners of the square [0, 1] x [0, 1] to four points.

    Args:
        corners: (4, 2) x and y of where (0, 0), (1, 0), (1, 1) and (0, 1) go.

    Returns:
        float64 (3, 3), its last number 1; a point (x, y, 1) times it is the new one but for its last coordinate.
    """
    rows, wanted = [], []
    for (x, y), (u, v) in zip(((0, 0), (1, 0), (1, 1), (0, 1)), corners.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return np.append(np.linalg.solve(np.array(rows, dtype=np.float64), np.array(wanted)), 1.0).reshape(3, 3)


def sampled_at(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where each new pixel comes from.

    Args:
        corners: as of `homography`, in units of the sides.
        height: rows.
        width: columns.

    Returns:
        float32 (height, width, 2), x and y from -1 (middle of the first pixel) to 1 (of the last).
    """
    y, x = np.mgrid[:height, :width] / np.array([max(height - 1, 1), max(width - 1, 1)]).reshape(2, 1, 1)
    u, v, w = np.einsum("ij,jyx->iyx", homography(corners), np.stack([x, y, np.ones_like(x)]))
    return (2 * np.stack([u / w, v / w], axis=-1) - 1).astype(np.float32)


class Perspective:
    """Cut out a quadrilateral whose corners lie a little inside, and stretch it over the whole picture (bilinear).

    Each corner moves inwards by the absolute value of a normal number along either axis, of which more than half a side
    is folded back, as imgaug's PerspectiveTransform draws it. kornia's RandomPerspective shrinks the picture instead,
    into a black frame.

    Args:
        scale: [low, high] of the standard deviation, in units of the side; one per sample.
        probability: of changing a sample.

    Raises:
        ValueError: a number is out of its range.
    """

    changes_input = True

    def __init__(self, scale: Sequence[Number] = (0.05, 0.1), probability: Number = 1.0) -> None:
        self.scale = checked_range("scale", scale, 0, 0.2)
        self.probability = checked_share("probability", probability)

    def corners(self, draws: Draws) -> np.ndarray:
        """(batch, 4, 2) places of the corners (left and right at the top, right and left below), in sides."""
        u, v = draws.uniform("radius", 8), draws.uniform("angle", 8)
        normal = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)  # Box and Muller
        sigma = draws.between("scale", *self.scale)
        draws.note("scale", sigma)
        inwards = np.abs(sigma[:, None] * normal) % 0.5
        whole = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
        return whole + (1 - 2 * whole) * inwards.reshape(-1, 4, 2)

    def __call__(self, crops: Crops, draws: Draws, together: bool | None = None) -> Crops:
        """Change the samples that chance picks; arguments as of `sr.augmentations.sequence.Augmentation`.

        Raises:
            UserError: there is low resolution already.
        """
        refuse_low_resolution(crops, "Perspective")
        where = draws.chance("met", self.probability).nonzero()[0]
        if not len(where):
            return crops
        height, width = crops.hr.shape[-2:]
        grids = [sampled_at(corners, height, width) for corners in self.corners(draws.at(where))]
        index = to_device(where, crops.hr.device)
        grid = to_device(np.stack(grids), crops.hr.device)

        def changed(pictures: Tensor) -> Tensor:
            some = pictures.index_select(0, index).float()
            made = [_sampled(some[part], grid[part]) for part in portions(len(where), at_once(together, some.device))]
            return pictures.index_copy(0, index, torch.cat(made).round_().to(pictures.dtype))

        return crops.changed(changed)


def _sampled(pictures: Tensor, grid: Tensor) -> Tensor:
    return grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=True)
