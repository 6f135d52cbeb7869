"""Sources that choose from, or change, what another source gives."""

from abc import abstractmethod

from sr.data.contract import OnMessage, OnProgress, PictureSource, Sieve
from sr.types import Picture


class Derived(PictureSource):
    """Another source in another form; whatever a subclass does not say is as in that source.

    Args:
        source: all pictures.
    """

    def __init__(self, source: PictureSource) -> None:
        self.source = source

    @property
    def heavy(self) -> bool:  # type: ignore[override]
        """As the whole source."""
        return self.source.heavy

    def fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """As the whole source."""
        self.source.fetch(on_progress, on_message)

    def __len__(self) -> int:
        return len(self.source)

    def name(self, index: int) -> str:
        """As in the source."""
        return self.source.name(index)

    def sieve(self) -> Sieve | None:
        """As the whole source; it sees the pictures as they are given here."""
        return self.source.sieve()


class Changed(Derived):
    """Another source whose pictures are changed one by one."""

    def read(self, index: int) -> Picture | list[Picture]:
        """One picture of the source, or several, changed."""
        found = self.source.read(index)
        return [self.changed(picture) for picture in found] if isinstance(found, list) else self.changed(found)

    @abstractmethod
    def changed(self, picture: Picture) -> Picture:
        """The picture as this source gives it."""
