"""Stores of a run's pictures, and what is said of the pictures when they are opened."""

from dataclasses import dataclass

from sr.data.contract import OnMessage, OnProgress, PictureSource
from sr.data.degrade import Degradation
from sr.data.kinds.scaled import Filter, scaled
from sr.data.kinds.sources import Reduced
from sr.data.pairs import WholePairs
from sr.data.sets import Sides
from sr.data.store.building import open_store
from sr.data.store.store import Store, cache_root
from sr.data.store.twins import twin_numbers
from sr.data.telling import judge_refused, tell_of_animations


@dataclass(frozen=True)
class Stores:
    """Opens stores, and builds those that are not there.

    Attributes:
        scale: between high and low resolution.
        hr_scale: see `sr.data.module.CropData`, likewise the others.
        hr_filter: likewise.
        workers: likewise.
        refused: likewise.
        cache: likewise.
    """

    scale: int
    hr_scale: float
    hr_filter: Filter
    workers: int
    refused: float
    cache: str | None

    def originals(self, what: str, sides: Sides, on_progress: OnProgress, on_message: OnMessage) -> Store:
        """High-resolution pictures, shrunk by ``hr_scale`` where no twins are given beside them.

        Args:
            what: the pictures' part, for messages.
            sides: where they come from, fetched.
            on_progress: told how far a store is.
            on_message: given one line for each thing that the user should know.

        Raises:
            UserError: too many pictures cannot be used.
        """
        source = sides.hr
        if sides.lr is None:
            source = scaled(source, self.hr_scale, self.hr_filter)
        elif self.hr_scale != 1:
            on_message(
                f"{what} pictures stay as large as they are: data.hr_scale={self.hr_scale:g} is for pictures whose low "
                "resolution is made here"
            )
        return self._opened(what, source, on_progress, on_message)

    def twins(
        self,
        what: str,
        hr: Store,
        given: PictureSource | None,
        degradation: Degradation,
        on_progress: OnProgress,
        on_message: OnMessage,
    ) -> Store:
        """Low-resolution pictures: those that are given, else what the degradation makes of ``hr``; see `originals`."""
        if given is not None:
            given_ones = "low-resolution pictures" if self.scale > 1 else "pictures"
            on_message(f"{what} uses the {given_ones} that are given; degradation=… is not applied to it")
        source = Reduced(hr, degradation) if given is None else given
        return self._opened(f"{what}, low resolution", source, on_progress, on_message)

    def pairs(
        self, what: str, sides: Sides, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage
    ) -> WholePairs:
        """Whole pictures with their twins, fetched first; see `originals`.

        Raises:
            UserError: a download failed, too many pictures cannot be used, or their twins do not fit.
        """
        sides.fetch(on_progress, on_message)
        hr = self.originals(what, sides, on_progress, on_message)
        lr = self.twins(what, hr, sides.lr, degradation, on_progress, on_message)
        twins = twin_numbers(hr, lr, self.scale, what, self.refused, on_message)
        return WholePairs(hr, lr, twins, self.scale)

    def _opened(self, what: str, source: PictureSource, on_progress: OnProgress, on_message: OnMessage) -> Store:
        store = open_store(
            source,
            cache_root(self.cache),
            lambda done, total: on_progress(f"preparing {what} pictures", done, total),
            on_message,
            workers=self.workers,
        )
        if not isinstance(source, Reduced):  # `twin_numbers` tells what has become of their originals
            judge_refused(store, what, _setting_of(what), self.refused, on_message)
            tell_of_animations(store, what, on_message)
        return store


def _setting_of(what: str) -> str:
    """The setting that names other pictures of a part."""
    named = {"validation": "data.val", "real": "data.real", "low-resolution": "data.lr", "side A": "data.a"}
    named |= {"side B": "data.b"}
    return next((setting for part, setting in named.items() if what.startswith(part)), "data.train")
