"""Random windows of equally large pictures, so that no comparison hangs on the grid of a network's poolings."""

import torch
from torch import Tensor

from sr.draws import Draws
from sr.errors import UserError


def shifted(draws: Draws, shift: int, *pictures: Tensor) -> list[Tensor]:
    """The same random window of each: ``shift`` rows and columns are lost, 0 to ``shift`` - 1 of them before it.

    Args:
        draws: of the samples of the batch.
        shift: rows and columns to lose; 0 gives the pictures back.
        pictures: (batch, channels, height, width) each, of the same height and width.

    Returns:
        (batch, channels, height - shift, width - shift) each.

    Raises:
        UserError: nothing is left.
    """
    if shift == 0:
        return list(pictures)
    tops, lefts = draws.integers("top", shift).tolist(), draws.integers("left", shift).tolist()
    height, width = (side - shift for side in pictures[0].shape[-2:])
    if min(height, width) < 1:
        raise UserError(
            f"shift={shift} leaves nothing of pictures of {height + shift}x{width + shift}; take larger crops, or "
            f"shift={min(height, width) + shift - 1} at most"
        )
    return [
        torch.stack([x[:, t : t + height, n : n + width] for x, t, n in zip(picture, tops, lefts, strict=True)])
        for picture in pictures
    ]
