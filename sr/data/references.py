"""The whole photograph that a crop is cut from, small, for networks that look at it."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sr.data.store.store import Store


class References:
    """Gives for each crop its photograph, shrunk by area to a square, and a mask of where the crop lies in it.

    Photographs of every shape become the same square, so that they fit into one batch. Each is shrunk once and kept:
    12 KB at a side of 64.

    Args:
        side: of the square, in pixels.

    Raises:
        ValueError: it is below 8.
    """

    def __init__(self, side: int) -> None:
        if side < 8:
            raise ValueError(f"model.reference={side} is the side of a photograph, and must be at least 8 pixels")
        self.side = side
        self._small: dict[int, Tensor] = {}

    def __call__(self, store: Store, pictures: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int) -> Tensor:
        """The references of a batch.

        Args:
            store: of the pictures, the same at each call.
            pictures: (batch,) picture numbers.
            tops: (batch,) first rows.
            lefts: (batch,) first columns.
            size: side of the crops.

        Returns:
            (batch, 4, side, side) uint8: RGB, and 255 where the crop lies, in at least one pixel.
        """
        made = torch.zeros(len(pictures), 4, self.side, self.side, dtype=torch.uint8)
        for one, picture, top, left in zip(made, pictures.tolist(), tops.tolist(), lefts.tolist(), strict=True):
            one[:3] = self._photograph(store, picture)
            rows, columns = (
                self._covered(first, size, int(sides[picture]))
                for first, sides in ((top, store.heights), (left, store.widths))
            )
            one[3, rows, columns] = 255
        return made

    def _photograph(self, store: Store, picture: int) -> Tensor:
        if picture not in self._small:
            pixels = torch.from_numpy(np.array(store.picture(picture))).permute(2, 0, 1)[None].float()
            small = F.interpolate(pixels, size=(self.side, self.side), mode="area")
            self._small[picture] = small[0].round().to(torch.uint8)
        return self._small[picture]

    def _covered(self, first: int, size: int, length: int) -> slice:
        """Pixels of the square whose middle lies in a crop, or the one at the crop's middle where none does."""
        begin, end = (place * self.side / length for place in (first, min(first + size, length)))
        low, high = int(np.ceil(begin - 0.5)), int(np.ceil(end - 0.5))
        if high <= low:
            low = min(int((begin + end) / 2), self.side - 1)
            high = low + 1
        return slice(max(low, 0), high)
