"""What the data room asks of a source of pictures, and how long work tells how far it is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from sr.types import Picture

OnProgress = Callable[[str, int, int], None]
"""Called with (what is being made, how much is done, how much there is in all)."""

OnMessage = Callable[[str], None]
"""Called with one line that the user should know."""


class Sieve(Protocol):
    """Decides, picture after picture in the order of a store, which are kept."""

    def admit(self, pixels: np.ndarray) -> bool:
        """Whether a picture, (height, width, 3) uint8, is kept."""


Found = Picture | list[Picture] | str
"""What a file gives: a picture, several, or the reason why it cannot be used."""


class PictureSource(ABC):
    """Where the pictures of a store come from. Instances travel to worker processes, so they must pickle."""

    heavy = False
    """Making a picture is so slow that worker processes pay, even for a few dozen."""

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:  # noqa: B027 (most sources have nothing to fetch)
        """Download what is missing; called once before anything else. Sources of local files have nothing to do.

        Raises:
            UserError: something is missing and cannot be downloaded.
        """

    @abstractmethod
    def stamp(self) -> str:
        """A text that changes whenever any picture would."""

    @abstractmethod
    def __len__(self) -> int:
        """How many files there are."""

    @abstractmethod
    def name(self, index: int) -> str:
        """A name for messages and files."""

    @abstractmethod
    def read(self, index: int) -> Picture | list[Picture]:
        """Decode one picture, or a list of pictures (perhaps empty) where one file gives several.

        Raises:
            UserError: why it cannot be used.
        """

    def sieve(self) -> Sieve | None:
        """What drops pictures that others already show, or None where every picture is kept."""
        return None


class Pools(Protocol):
    """What makes the kernels and noise that a degradation reads, where nobody has."""

    def make(self, wanted: Sequence[str], on_progress: OnProgress, on_message: OnMessage) -> None:
        """Make those that are asked for and not there.

        Args:
            wanted: files and folders that the degradation reads.
            on_progress: told how far it is.
            on_message: given one line for each thing that the user should know.

        Raises:
            UserError: they cannot be made.
        """
