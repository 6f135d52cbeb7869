"""Whole pictures beside their low-resolution twins, as validation and `sr prepare pairs` take them."""

from dataclasses import dataclass

import numpy as np

from sr.data.store.store import Store


@dataclass(frozen=True)
class ValidationPair:
    """One validation picture.

    Attributes:
        name: for files and tables.
        lr: (height, width, 3) uint8.
        hr: (scale*height, scale*width, 3) uint8.
        gray: the file has one channel, so its Y is the picture itself.
    """

    name: str
    lr: np.ndarray
    hr: np.ndarray
    gray: bool


def validation_pair(name: str, hr: np.ndarray, lr: np.ndarray, gray: bool, scale: int) -> ValidationPair:
    """A picture cut to the size of its low-resolution twin.

    Args:
        name: of the picture.
        hr: (height, width, 3) uint8.
        lr: (height // scale, width // scale, 3) uint8.
        gray: it has one channel.
        scale: between them.
    """
    return ValidationPair(name, lr, hr[: scale * lr.shape[0], : scale * lr.shape[1]], gray)


class WholePairs:
    """Views into two stores: a hundred large pictures take no memory.

    Args:
        hr: high-resolution pictures.
        lr: their low-resolution twins.
        twins: (pictures of hr,) number of each one's twin, -1 where there is none.
        scale: between them.
    """

    def __init__(self, hr: Store, lr: Store, twins: np.ndarray, scale: int) -> None:
        self.hr, self.lr, self.twins, self.scale = hr, lr, twins, scale
        self._numbers = np.flatnonzero(twins >= 0).tolist()
        self.key = f"{hr.key} {lr.key}"
        """Of both stores."""

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> ValidationPair:
        i = self._numbers[number]
        entry = self.hr.entries[i]
        hr, lr = self.hr.picture(i), self.lr.picture(int(self.twins[i]))
        return validation_pair(entry.name, hr, lr, entry.gray, self.scale)
