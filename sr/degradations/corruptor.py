"""A frozen network makes low resolution worse, as often as asked (DL-Art-School, May 2020)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from sr.degradations.pictures import Pictures, to_device
from sr.draws import Draws


@runtime_checkable
class Networks(Protocol):
    """Frozen networks of scale 1; `repr` tells them apart by their content."""

    @property
    def networks(self) -> Sequence[nn.Module]:
        """At least one."""


@dataclass(frozen=True)
class Corruptor:
    """Replaces some low-resolution pictures by what a network makes of them; behind the resize.

    DL-Art-School's ``network_C``: with probability 0.5 the whole batch is replaced, and every 500 updates (1000 in its
    settings of May) another one of several files is read. Here both are functions of the sample numbers, so that they
    do not depend on processes or restarts. Gradient passes through the network where the pictures want it, as those of
    the view ``degraded(sr)`` do.

    Args:
        networks: that corrupt.
        probability: of a picture to be replaced, 0..1.
        training_only: validation pictures stay as they are, as in the source.
        together: so many samples in a row share one coin: 1 for each its own, ``data.batch_size`` for whole batches.
        every: so many samples in a row meet the same one of several networks, updates times ``data.batch_size``.

    Raises:
        ValueError: a number out of range.
    """

    networks: Networks
    probability: float = 0.5
    training_only: bool = True
    together: int = 1
    every: int = 8000

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability={self.probability:g} must be from 0 to 1")
        for name in ("together", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} counts samples and must be at least 1")

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Replace those whose coin says so."""
        own = [int(sample) for sample in draws.samples]
        met = draws.of(np.array([n // self.together for n in own])).chance("met", self.probability)
        which = draws.of(np.array([n // self.every for n in own])).integers("network", len(self.networks.networks))
        draws.note("met", met.astype(np.float64))
        if not met.any():
            return pictures
        pixels = pictures.pixels.clone()
        with torch.set_grad_enabled(torch.is_grad_enabled() and pixels.requires_grad):
            for number, network in enumerate(self.networks.networks):
                chosen = np.flatnonzero(met & (which == number))
                for rows in _calls(pictures, chosen):
                    height, width = int(pictures.heights[rows[0]]), int(pictures.widths[rows[0]])
                    index = to_device(np.array(rows), pixels.device)
                    part = pictures.pixels[index, :, :height, :width]
                    pixels[index, :, :height, :width] = network.to(part.device)(part).clamp(0, 1)
        return pictures.with_pixels(pixels)


def _calls(pictures: Pictures, chosen: np.ndarray) -> Iterator[list[int]]:
    """Pictures for one call each: all at once where the device likes that and sizes are equal, else one by one."""
    if pictures.together and pictures.filled and len(chosen):
        yield chosen.tolist()
        return
    yield from ([row] for row in chosen.tolist())
