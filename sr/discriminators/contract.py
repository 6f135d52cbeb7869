"""What every discriminator promises, and the checks that they share."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from sr.errors import UserError
from sr.types import Image


@runtime_checkable
class Discriminator(Protocol):
    """What adversarial training needs to know of a network, apart from its weights."""

    @property
    def in_channels(self) -> int:
        """3 for RGB; 6 for RGB beside the upscaled low resolution (conditional)."""

    @property
    def smallest_side(self) -> int:
        """Height and width from which on the map has a cell, and every norm two values per channel to work on."""

    @property
    def side(self) -> int | None:
        """The one height and width that it can judge, where the last layers fix it; None elsewhere."""

    @property
    def cell(self) -> int | None:
        """Pixels from one cell of the map to the next; None where it gives one verdict on the whole picture."""

    @property
    def margin(self) -> int:
        """Pixels before the first cell: cell i judges pixels ``margin + i * cell`` to ``margin + (i + 1) * cell``.

        The middle of these is the middle of what the cell sees, to half a pixel. Negative where the first cell reaches
        beyond the border, as it does with strided convolutions that begin on the first pixel.
        """


def check_shown(network: Discriminator, shown: Image) -> None:
    """Compare a batch with what ``network`` can judge; looks at the shape only, so it never waits for the device.

    Raises:
        UserError: wrong number of channels, or another size than it can judge.
    """
    name = type(network).__name__
    _, channels, height, width = shown.shape
    if channels != network.in_channels:
        raise UserError(
            f"{name} judges {network.in_channels} channels but was shown {channels}; "
            f"build it with in_channels={channels}."
        )
    if network.side is not None and (height, width) != (network.side, network.side):
        raise UserError(
            f"{name} judges {network.side}x{network.side} pixels only but was shown {height}x{width}; "
            f"show it that size, or build it with the side of your crops."
        )
    if min(height, width) < network.smallest_side:
        raise UserError(
            f"{name} needs at least {network.smallest_side}x{network.smallest_side} pixels but was shown "
            f"{height}x{width}; train on larger crops."
        )


def nearest_multiple(number: int, step: int) -> int:
    """The multiple of ``step`` that is nearest to ``number``, and at least ``step``."""
    return max(step, (number + step // 2) // step * step)


class SideError(ValueError):
    """A network of one size cannot be made for pictures of this side.

    Attributes:
        side: the nearest that it can be made for.
    """

    def __init__(self, message: str, side: int) -> None:
        super().__init__(message)
        self.side = side


def check_side(name: str, side: int, step: int) -> int:
    """Return ``side`` if it is a multiple of ``step`` and at least twice that.

    Twice, because on a single cell batch norm has one value per channel in a batch of one.

    Raises:
        SideError: it is not; the message names the nearest that is.
    """
    if side < 2 * step or side % step:
        nearest = max(2 * step, nearest_multiple(side, step))
        raise SideError(
            f"{name} judges pictures whose side is a multiple of {step} from {2 * step} on, not {side}; "
            f"choose crops so that {nearest} pixels are shown, or a discriminator for any size.",
            nearest,
        )
    return side


def check_counts(name: str, counts: Mapping[str, int]) -> None:
    """Refuse numbers of channels, layers and the like below 1.

    Raises:
        ValueError: one is; the message says which.
    """
    for key, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} needs {key} of at least 1, not {count}; choose 1 or more.")


def check_strides(name: str, strides: Sequence[int], fewest: int) -> None:
    """Refuse lists of strides that are too short, and strides below 1.

    Raises:
        ValueError: quotes the list.
    """
    if len(strides) < fewest or min(strides) < 1:
        raise ValueError(
            f"{name} needs {fewest} or more strides of at least 1, not {list(strides)}; "
            f"{[2] * max(fewest, len(strides))} would do."
        )


def check_dropout(name: str, dropout: float) -> None:
    """Refuse a probability outside [0, 1).

    Raises:
        ValueError: quotes it.
    """
    if not 0 <= dropout < 1:
        raise ValueError(
            f"{name} needs a dropout from 0 to below 1, not {dropout}; choose {0.0 if dropout < 0 else 0.5}."
        )
