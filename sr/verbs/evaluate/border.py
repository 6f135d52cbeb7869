"""`sr evaluate --border`: PSNR by distance to the border, beside bicubic."""

import warnings

import numpy as np
import torch
from rich.console import Console

from sr.data.pairs import ValidationPair
from sr.metrics.border import ZONES
from sr.models.bicubic import Bicubic
from sr.training.precision import choose_compute
from sr.training.validation import measure_border, network_upscaler
from sr.verbs.screen.tables import print_numbers

COLUMNS = tuple(f"{who}_{zone.replace(' ', '_')}" for who in ("psnr_y", "bicubic") for zone in ZONES)
"""Of the CSV file: the network's zones, then those of bicubic."""


class BorderTable:
    """Collects pictures of sets, and tells the means over each.

    Args:
        scale: of the network that is measured.
    """

    def __init__(self, scale: int) -> None:
        compute = choose_compute(torch.device("cpu"), "32", "auto")
        self._bicubic = network_upscaler(Bicubic(scale), compute.device, compute.exact())
        self._values: dict[str, list[list[float]]] = {}

    def take(self, name: str, sr: np.ndarray, pair: ValidationPair) -> None:
        """Measure a picture of the set ``name``; ``sr`` is what the network made of ``pair.lr``."""
        values = measure_border(sr, pair) + measure_border(self._bicubic(pair.lr, pair.gray), pair)
        self._values.setdefault(name, []).append(values)

    def row(self, name: str) -> dict[str, float]:
        """Means over a set by name of `COLUMNS`; NaN where no picture has the zone."""
        values = np.array(self._values.get(name, [[np.nan] * len(COLUMNS)]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN
            return dict(zip(COLUMNS, np.nanmean(values, axis=0).tolist(), strict=True))

    def print(self, console: Console) -> None:
        """A line per set and zone."""
        console.print("PSNR on Y in dB by distance to the border, nothing cropped:")
        lines = []
        for name in self._values:
            own = list(self.row(name).values())
            for zone, psnr, bicubic in zip(ZONES, own[: len(ZONES)], own[len(ZONES) :], strict=True):
                there = not np.isnan(psnr)
                cells = [f"{psnr:.2f}", f"{bicubic:.2f}", f"{psnr - bicubic:+z.2f}"] if there else [""] * 3
                lines.append((f"{name}, {zone}", cells))
        print_numbers(console, "set, distance", ("psnr_y", "bicubic", "gain"), lines)
