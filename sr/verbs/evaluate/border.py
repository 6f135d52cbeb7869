"""`sr evaluate --border`: PSNR by distance to the border, beside bicubic."""

import warnings

import numpy as np
from rich.console import Console

from sr.data.pairs import ValidationPair
from sr.metrics.border import ZONES
from sr.training.validation import measure_border
from sr.verbs.evaluate.contestants import BICUBIC
from sr.verbs.screen.tables import print_numbers

COLUMNS = tuple(f"{who}_{zone.replace(' ', '_')}" for who in ("psnr_y", "bicubic") for zone in ZONES)
"""Of the CSV file: the network's zones, then those of bicubic."""


_NOTHING = [np.nan] * len(ZONES)


class BorderTable:
    """Collects pictures of sets, as networks of one scale and bicubic make them, and tells the means over each set."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[str, list[float]]] = {}

    def take(self, name: str, who: str, sr: np.ndarray, pair: ValidationPair) -> None:
        """Measure a picture of the set ``name``; ``sr`` is what ``who`` made of ``pair.lr``."""
        self._values.setdefault((name, who), {})[pair.name] = measure_border(sr, pair)

    def row(self, name: str, who: str) -> dict[str, float]:
        """Means over a set by name of `COLUMNS`, of pictures that ``who`` made; NaN where none has the zone."""
        bicubic = self._values.get((name, BICUBIC), {})
        own = self._values.get((name, who), {"": _NOTHING})
        values = np.array([mine + bicubic.get(picture, _NOTHING) for picture, mine in own.items()])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN
            return dict(zip(COLUMNS, np.nanmean(values, axis=0).tolist(), strict=True))

    def print(self, console: Console) -> None:
        """A line per set and zone."""
        console.print("PSNR on Y in dB by distance to the border, nothing cropped:")
        lines = []
        for name, who in self._values:
            own = list(self.row(name, who).values())
            for zone, psnr, bicubic in zip(ZONES, own[: len(ZONES)], own[len(ZONES) :], strict=True):
                there = not np.isnan(psnr)
                cells = [f"{psnr:.2f}", f"{bicubic:.2f}", f"{psnr - bicubic:+z.2f}"] if there else [""] * 3
                lines.append((f"{name} {who}, {zone}", cells))
        print_numbers(console, "set, network, distance", ("psnr_y", "bicubic", "gain"), lines)
