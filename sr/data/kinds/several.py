"""Several sources as one."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from sr.data.contract import OnMessage, OnProgress, PictureSource, Sieve
from sr.types import Picture


class Several(PictureSource):
    """The pictures of several sources, one source after the other.

    Args:
        sources: at least one.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, sources: Sequence[PictureSource]) -> None:
        if not sources:
            raise ValueError("sources=[] is empty; give at least one source of pictures")
        self.sources = list(sources)

    @property
    def heavy(self) -> bool:  # type: ignore[override]
        """Whether any of them is."""
        return any(source.heavy for source in self.sources)

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Fetch all of them."""
        for source in self.sources:
            source.fetch(on_progress, on_message)

    def stamp(self) -> str:
        """All stamps."""
        return " + ".join(f"{type(source).__name__} {source.stamp()}" for source in self.sources)

    def __len__(self) -> int:
        return sum(len(source) for source in self.sources)

    def name(self, index: int) -> str:
        """As in its source."""
        source, own = self._at(index)
        return source.name(own)

    def read(self, index: int) -> Picture | list[Picture]:
        """As in its source."""
        source, own = self._at(index)
        return source.read(own)

    def sieve(self) -> Sieve | None:
        """A picture is kept where the sieves of all sources admit it."""
        sieves = [sieve for source in self.sources if (sieve := source.sieve()) is not None]
        return _All(sieves) if sieves else None

    def _at(self, index: int) -> tuple[PictureSource, int]:
        ends = list(accumulate(len(source) for source in self.sources))
        number = bisect_right(ends, index)
        return self.sources[number], index - ([0, *ends])[number]


class _All:
    def __init__(self, sieves: list[Sieve]) -> None:
        self.sieves = sieves

    def admit(self, pixels: np.ndarray) -> bool:
        """Every sieve sees every picture that the ones before it admit."""
        return all(sieve.admit(pixels) for sieve in self.sieves)


def several_or_none(sources: Sequence[PictureSource | None]) -> Several | None:
    """As `Several`; None where all are None, as the twins of sources without given low-resolution pictures are.

    Raises:
        ValueError: some are None and some are not, so that the twins would not fit.
    """
    given = [source for source in sources if source is not None]
    if given and len(given) < len(sources):
        raise ValueError(f"{len(given)} of {len(sources)} sources have low-resolution pictures; give all or none")
    return Several(given) if given else None
