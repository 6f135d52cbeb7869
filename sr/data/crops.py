"""Crops of pictures in a store, chosen by sample number: the same crops in any mode, batch split or restart."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sr.data.edges import EdgeMaps
from sr.data.references import References
from sr.data.store.store import Store
from sr.draws import Draws
from sr.types import UserError

Small = Literal["pad", "skip"]


class Batch(NamedTuple):
    """One batch of crops as it leaves the store.

    Attributes:
        lr: (batch, 3, crop, crop) uint8, or None where the degradation runs on the device.
        hr: (batch, 3, scale*crop, scale*crop) uint8, or None where ``lr`` has no truth.
        samples: (batch,) int64 on the CPU, the number of each sample since the start of the run.
        real: shaped like ``hr``, pictures that belong to no others, for discriminators to take as real in place of
            ``hr``; None where ``hr`` is that too.
        reference: (batch, 4, side, side) uint8, the photograph of each crop as `sr.data.references` makes it; None
            where no network asks for one.
    """

    lr: Tensor | None
    hr: Tensor | None
    samples: Tensor
    real: Tensor | None = None
    reference: Tensor | None = None


class Places(NamedTuple):
    """Where the crops of a batch lie: picture numbers and top left corners in low-resolution pixels."""

    pictures: np.ndarray
    tops: np.ndarray
    lefts: np.ndarray


class CropPlan:
    """Chooses crops uniformly over all positions of all pictures, or by their edge content.

    Args:
        store: high-resolution pictures.
        scale: low-resolution pixels are ``scale`` times larger.
        crop: side of a crop in low-resolution pixels.
        small: what to do with pictures smaller than the crop: ``pad`` them by reflection or ``skip`` them.
        seed: another seed, other crops.
        usable: (pictures,) bool, those that have what a crop needs; None means all.
        scope: name of the draws, so that two plans of one run draw apart; empty for the pairs' own.
        setting: that names the pictures, for messages.

    Raises:
        UserError: no picture is left.
    """

    def __init__(
        self,
        store: Store,
        scale: int,
        crop: int,
        small: Small,
        seed: int,
        usable: np.ndarray | None = None,
        scope: str = "",
        setting: str = "",
    ) -> None:
        self.crop, self.scale, self.seed, self.scope = crop, scale, seed, scope
        rows = store.heights // scale - crop + 1
        columns = store.widths // scale - crop + 1
        too_small = (rows < 1) | (columns < 1)
        self.small_names = [store.entries[i].name for i in np.flatnonzero(too_small)]
        # A padded picture counts as having one position per direction that is too short.
        self._rows, self._columns = np.maximum(rows, 1), np.maximum(columns, 1)
        empty = (store.heights < scale) | (store.widths < scale)
        left_out = (too_small if small == "skip" else empty) | (False if usable is None else ~usable)
        positions = self._rows * self._columns * ~left_out
        if len(store) == 0 or positions.sum() == 0:
            largest = max(zip(store.heights.tolist(), store.widths.tolist(), strict=True), key=min, default=(0, 0))
            at = f" at scale={scale}" if scale > 1 else ""
            raise UserError(
                f"no picture{f' of {setting}' if setting else ''} is as large as the crop: data.crop={crop}{at} needs "
                f"{crop * scale}x{crop * scale} pixels and the largest picture is {largest[1]}x{largest[0]}; "
                f"take data.crop={max(1, min(largest) // scale)} or less, or data.small=pad"
            )
        self._cumulative = np.cumsum(positions)
        self.edges: EdgeMaps | None = None
        """Where crops are drawn by edge content; None draws them uniformly."""

    @property
    def shapes(self) -> np.ndarray:
        """(pictures, 2) possible first rows and columns of a crop in each picture."""
        return np.stack([self._rows, self._columns], axis=1)

    def places(self, samples: np.ndarray) -> Places:
        """The crops of these sample numbers."""
        draws = Draws(self.seed, samples)
        u = (draws.within(self.scope) if self.scope else draws).uniform("crop", 3)
        total = self._cumulative[-1]
        pictures = np.searchsorted(self._cumulative, (u[:, 0] * total).astype(np.int64), side="right")
        if self.edges is not None:
            within = Draws(self.seed, samples).uniform("crop by edges", 3)
            corners = [self.edges.corner(p, v) for p, v in zip(pictures.tolist(), within, strict=True)]
            tops, lefts = np.array(corners, dtype=np.int64).T
            return Places(pictures, tops, lefts)
        tops = (u[:, 1] * self._rows[pictures]).astype(np.int64)
        lefts = (u[:, 2] * self._columns[pictures]).astype(np.int64)
        return Places(pictures, tops, lefts)


def cut(
    store: Store, pictures: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int, multiple: int = 1
) -> Tensor:
    """Cut square crops out of a store on the CPU.

    Args:
        store: the pictures.
        pictures: (batch,) picture numbers.
        tops: (batch,) first rows.
        lefts: (batch,) first columns.
        size: side of the crops; what a picture lacks is mirrored at its border.
        multiple: mirror at the last row and column that is a multiple of this, where the twin ends too.

    Returns:
        (batch, 3, size, size) uint8, channels last in memory.
    """
    crops = np.empty((len(pictures), size, size, 3), dtype=np.uint8)
    for crop, picture, top, left in zip(crops, pictures.tolist(), tops.tolist(), lefts.tolist(), strict=True):
        piece = store.picture(picture)[top : top + size, left : left + size]
        crop[...] = piece if piece.shape == crop.shape else _padded(piece, size, multiple)
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


def _padded(piece: np.ndarray, size: int, multiple: int) -> np.ndarray:
    """Mirror at the border itself: half a pixel outside the last pixel, the same place at every resolution."""
    height, width = (min(side // multiple * multiple, size) for side in piece.shape[:2])
    return np.pad(piece[:height, :width], ((0, size - height), (0, size - width), (0, 0)), mode="symmetric")


class ResidentStore:
    """A store whose pixels lie in the memory of a device; crops are gathered there.

    Args:
        store: the pictures.
        device: where to copy them.
    """

    def __init__(self, store: Store, device: torch.device) -> None:
        self.store = store
        self._pixels = torch.from_numpy(store.all_pixels()).to(device)
        self._large_enough = np.minimum(store.heights, store.widths)

    def cut(self, pictures: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int, multiple: int = 1) -> Tensor:
        """As `cut`, on the device; a batch with a picture that needs padding is cut on the CPU."""
        device = self._pixels.device
        if (self._large_enough[pictures] < size).any():
            return cut(self.store, pictures, tops, lefts, size, multiple).to(device)
        widths = self.store.widths[pictures]
        starts = torch.from_numpy(self.store.offsets[pictures] + (tops * widths + lefts) * 3)
        strides = torch.from_numpy(widths * 3)
        if device.type == "cuda":
            starts, strides = starts.pin_memory(), strides.pin_memory()
        starts, strides = starts.to(device, non_blocking=True), strides.to(device, non_blocking=True)
        rows = starts[:, None] + strides[:, None] * torch.arange(size, device=device)
        index = rows[:, :, None] + torch.arange(3 * size, device=device)
        crops = self._pixels[index].reshape(len(pictures), size, size, 3)
        return crops.permute(0, 3, 1, 2)


class Cut(Protocol):
    """Cuts square crops out of one store: `cut` with its store, or `ResidentStore.cut`."""

    def __call__(
        self, pictures: np.ndarray, tops: np.ndarray, lefts: np.ndarray, size: int, multiple: int = 1
    ) -> Tensor:
        """See `cut`."""


class Others(NamedTuple):
    """Real pictures that belong to no others.

    Attributes:
        plan: chooses their crops.
        store: holds them.
    """

    plan: CropPlan
    store: Store


@dataclass
class CropBatches(Dataset[Batch]):
    """Batch number ``b`` of a run, cut on the CPU; what loader processes hold.

    Attributes:
        plan: chooses the crops; at scale 1 where there is no ``hr``.
        hr: high-resolution store, or None where ``lr`` has no truth.
        lr: its low-resolution twin, or None.
        batch_size: crops per batch in this process.
        rank: number of this process among those that train together.
        ranks: how many processes train together.
        twins: (pictures,) number of each picture's twin in ``lr``; None where the numbers are the same.
        others: real pictures of their own, or None.
        references: makes the photograph of each crop small, or None.
    """

    plan: CropPlan
    hr: Store | None
    lr: Store | None
    batch_size: int
    rank: int = 0
    ranks: int = 1
    twins: np.ndarray | None = None
    others: Others | None = None
    references: References | None = None

    @property
    def nbytes(self) -> int:
        """Of all stores, each counted once."""
        others = None if self.others is None else self.others.store
        stores = {id(store): store for store in (self.hr, self.lr, others) if store is not None}
        return sum(store.nbytes for store in stores.values())

    def twin(self, pictures: np.ndarray) -> np.ndarray:
        """Numbers of these pictures' low-resolution twins."""
        return pictures if self.twins is None else self.twins[pictures]

    def samples(self, batch: int) -> np.ndarray:
        """Sample numbers of batch ``batch``: joint batches follow each other, each split among the processes."""
        first = (batch * self.ranks + self.rank) * self.batch_size
        return np.arange(first, first + self.batch_size, dtype=np.int64)

    def resident(self, device: torch.device) -> Callable[[Store], Cut]:
        """Copies each store to a device when it is first asked for, and cuts there."""
        held: dict[int, ResidentStore] = {}

        def cutter(store: Store) -> Cut:
            if id(store) not in held:
                held[id(store)] = ResidentStore(store, device)
            return held[id(store)].cut

        return cutter

    def made(self, batch: int, cutter: Callable[[Store], Cut]) -> Batch:
        """One batch.

        Args:
            batch: its number.
            cutter: of a store.
        """
        samples = self.samples(batch)
        pictures, tops, lefts = self.plan.places(samples)
        scale, crop = self.plan.scale, self.plan.crop
        lr = None if self.lr is None else cutter(self.lr)(self.twin(pictures), tops, lefts, crop)
        hr = None
        if self.hr is not None:
            hr = cutter(self.hr)(pictures, tops * scale, lefts * scale, crop * scale, scale)
        reference = self.reference(Places(pictures, tops, lefts))
        return Batch(lr, hr, torch.from_numpy(samples), self._real(samples, cutter), reference)

    def _real(self, samples: np.ndarray, cutter: Callable[[Store], Cut]) -> Tensor | None:
        if self.others is None:
            return None
        plan, store = self.others
        pictures, tops, lefts = plan.places(samples)
        return cutter(store)(pictures, tops * plan.scale, lefts * plan.scale, plan.crop * plan.scale, plan.scale)

    def reference(self, places: Places) -> Tensor | None:
        """The photographs that crops are cut from, small, with a mask; None where nobody asks for them.

        In use a network has low resolution alone, so they are made of that where it is at hand.
        """
        if self.references is None:
            return None
        if self.lr is not None:
            return self.references(self.lr, self.twin(places.pictures), places.tops, places.lefts, self.plan.crop)
        if self.hr is None:
            return None
        scale = self.plan.scale
        return self.references(
            self.hr, places.pictures, places.tops * scale, places.lefts * scale, self.plan.crop * scale
        )

    def __getitem__(self, batch: int) -> Batch:
        return self.made(batch, _from_file)


def _from_file(store: Store) -> Cut:
    return partial(cut, store)
