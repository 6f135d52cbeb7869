"""The data module: stores for training and validation, crops for the one, whole pictures for the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import lightning
import numpy as np
import psutil
import torch

from sr.data.contract import OnMessage, OnProgress, PictureSource, Pools
from sr.data.crops import CropBatches, CropPlan, CropStream, Small
from sr.data.degrade import Degradation
from sr.data.edges import EdgeContent, open_edge_maps
from sr.data.kinds.scaled import Filter, check_hr_scale, scaled
from sr.data.kinds.sources import Reduced
from sr.data.sets import Pictures, SetSources, ShownPicture, first_pictures, given_sides, pictures_of, validation_sets
from sr.data.store.building import open_store
from sr.data.store.store import Store, cache_root
from sr.data.store.twins import twin_numbers
from sr.data.telling import about_small, judge_refused, tell_of_animations, warn_of_test_sets
from sr.types import UserError

Part = Literal["train", "val"]

_SHARE_OF_MEMORY = 0.4  # of what is free: the network and its activations need the rest


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


class CropData(lightning.LightningDataModule):
    """Training crops and validation pairs from any two sources of pictures.

    Args:
        train: a source, or folders of pictures (one path or several).
        val: likewise, or several sets by name, of which the first is the main one; None leaves validation out.
        scale: integer factor between low and high resolution.
        crop: side of a training crop in low-resolution pixels.
        batch_size: crops per batch and process.
        seed: another seed, other crops.
        train_lr: low-resolution pictures that are given, twin after twin of ``train``; None makes them with the
            degradation.
        val_lr: likewise, of ``val``: by name where that has names, and then two folders are matched by name too.
        positions: ``uniform`` over all places of all pictures, or by edge content (``edges``).
        edge_background: with ``edges``, what flat regions get, where the strongest edge of a picture gets 1.
        edge_sigma: with ``edges``, how far an edge counts, in high-resolution pixels.
        crops: ``device`` cuts crops in the training process, out of the device's own memory; ``workers`` in
            loader processes; ``auto`` takes ``device`` where the stores fit.
        workers: number of loader processes, and of processes that build a store.
        small: what to do with pictures smaller than the crop: ``pad`` them by reflection, or ``skip`` them.
        refused: the largest share of unreadable pictures, 0..1, with which training still starts.
        val_pictures: validate on the first so many pictures of each set only; None takes all.
        cache: folder of the stores; None takes ``SR_CACHE`` or the user's cache folder.
        hr_scale: shrink whole pictures by this factor, above 0 and at most 1, before anything else is done to them.
            Validation pictures whose twins are given stay as they are.
        hr_filter: ``area``, or ``lanczos`` to even sides; see `sr.data.kinds.scaled.shrunk`.
        pools: makes what the degradation reads before it is used; None where that is there.
        shown: pictures without a truth, which validations upscale and show, and never measure; None for none.

    Raises:
        ValueError: a setting is out of range.
        UserError: a folder is missing or empty, or a validation set cannot have its name.
    """

    def __init__(
        self,
        train: Pictures,
        val: Pictures | Mapping[str, Pictures | None] | None,
        scale: int,
        crop: int,
        batch_size: int,
        seed: int,
        train_lr: Pictures | None = None,
        val_lr: Pictures | Mapping[str, Pictures | None] | None = None,
        positions: Literal["uniform", "edges"] = "uniform",
        edge_background: float = 0.01,
        edge_sigma: float = 9.5,
        crops: Literal["auto", "device", "workers"] = "auto",
        workers: int = 2,
        small: Small = "pad",
        refused: float = 0.1,
        val_pictures: int | None = None,
        cache: str | None = None,
        hr_scale: float = 1.0,
        hr_filter: Filter = "area",
        pools: Pools | None = None,
        shown: Pictures | None = None,
    ) -> None:
        super().__init__()
        check_hr_scale(hr_scale, hr_filter)
        if train_lr is not None and hr_scale != 1:
            raise ValueError(
                f"hr_scale={hr_scale:g} makes pictures smaller than the low-resolution twins that are given beside "
                "them; set hr_scale=1, or train_lr=null to make the twins with the degradation"
            )
        for name, value in {"scale": scale, "crop": crop, "batch_size": batch_size}.items():
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if not 0 <= refused <= 1:
            raise ValueError(f"refused={refused} must be between 0 and 1")
        if workers < (1 if crops == "workers" else 0):
            raise ValueError(f"workers={workers} must be at least {1 if crops == 'workers' else 0} with crops={crops}")
        if val_pictures is not None and val_pictures < 1:
            raise ValueError(f"val_pictures={val_pictures} must be at least 1; val=null leaves validation out")
        sides = given_sides("train", train, train_lr, scale)
        self.train_source, self.train_lr = sides.hr, sides.lr
        self.val_sources = validation_sets(val, val_lr, scale)
        self.shown_source = None if shown is None else pictures_of("shown", shown)
        self.edges = EdgeContent(edge_background, edge_sigma) if positions == "edges" else None
        self.scale, self.crop, self.batch_size, self.seed = scale, crop, batch_size, seed
        self.crops, self.workers, self.small, self.refused = crops, workers, small, refused
        self.val_pictures, self.cache = val_pictures, cache
        self.hr_scale, self.hr_filter = hr_scale, hr_filter
        self.pools = pools
        self.stream: CropStream
        self.sets: dict[str, list[ValidationPair]] = {}
        """Validation pictures by the name of their set, the main one first."""
        self.shown_pictures: list[ShownPicture] = []

    @property
    def pairs(self) -> list[ValidationPair]:
        """Validation pictures of the main set."""
        return next(iter(self.sets.values()), [])

    def make_pools(self, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Make the kernels and noise that the degradation reads, before it is used for the first time.

        Args:
            degradation: tells what it reads by an attribute ``pools``, where it has one.
            on_progress: told how far it is.
            on_message: given one line for each thing that the user should know.

        Raises:
            UserError: they cannot be made.
        """
        if self.pools is not None:
            self.pools.make(getattr(degradation, "pools", ()), on_progress, on_message)

    def prepare(
        self,
        degradation: Degradation,
        device: torch.device,
        on_progress: OnProgress = lambda *_: None,
        on_message: OnMessage = lambda _: None,
        rank: int = 0,
        ranks: int = 1,
        shown: int = 0,
    ) -> None:
        """Download what is missing, open or build the stores and choose how crops are cut.

        Args:
            degradation: makes low-resolution pictures where none are given; one with ``in_advance`` has its result
                stored, another degrades each crop on the device.
            device: where batches are wanted.
            on_progress: told how far a download or a store is.
            on_message: given one line for each thing that the user should know.
            rank: number of this process among those that train together.
            ranks: how many processes train together.
            shown: how many pictures without a truth are wanted.

        Raises:
            UserError: a download failed, pictures to show without a validation, too many unreadable pictures,
                low-resolution pictures of a wrong size, no picture large enough, or no room for the store.
        """
        self.make_pools(degradation, on_progress, on_message)
        for source in (self.train_source, self.train_lr, self.shown_source):
            if source is not None:
                source.fetch(on_progress, on_message)
        if self.shown_source is not None:
            if shown and not self.val_sources:
                raise UserError("data.shown is upscaled at each validation, and there is none: set data.val too")
            self.shown_pictures = first_pictures(self.shown_source, shown, on_message)
        warn_of_test_sets(self.train_source, on_message)
        hr = self._originals("training", self.train_source, self.train_lr, on_progress, on_message)
        lr = None
        if self.train_lr is not None:
            lr = self._given("training", self.train_lr, on_progress, on_message)
        elif degradation.in_advance:
            lr = self._store("training, low resolution", Reduced(hr, degradation), on_progress, on_message)
        twins = None if lr is None else twin_numbers(hr, lr, self.scale, "training", self.refused, on_message)
        usable = None if twins is None else twins >= 0
        plan = CropPlan(hr, self.scale, self.crop, self.small, self.seed, usable)
        if plan.small_names:
            on_message(about_small(plan.small_names, self.small, len(hr)))
        if self.edges is not None:
            plan.edges = open_edge_maps(
                hr,
                plan.shapes,
                self.scale,
                self.crop,
                self.edges,
                partial(on_progress, "preparing edge maps"),
                on_message,
            )
        mode = self._mode(hr.nbytes + (0 if lr is None else lr.nbytes), device, on_message)
        batches = CropBatches(plan, hr, lr, self.batch_size, rank, ranks, twins)
        self.stream = CropStream(batches, device, mode, self.workers)
        self.sets = self.validation_sets(degradation, on_progress, on_message)

    def train_dataloader(self) -> CropStream:
        """Endless batches."""
        return self.stream

    def _originals(
        self,
        what: str,
        source: PictureSource,
        given: PictureSource | None,
        on_progress: OnProgress,
        on_message: OnMessage,
    ) -> Store:
        """High-resolution pictures, shrunk by ``hr_scale`` where no twins are given beside them."""
        if given is None:
            source = scaled(source, self.hr_scale, self.hr_filter)
        elif self.hr_scale != 1:
            on_message(
                f"{what} pictures stay as large as they are: data.hr_scale={self.hr_scale:g} is for pictures whose low "
                "resolution is made here"
            )
        return self._store(what, source, on_progress, on_message)

    def _store(self, what: str, source: PictureSource, on_progress: OnProgress, on_message: OnMessage) -> Store:
        store = open_store(
            source,
            cache_root(self.cache),
            lambda done, total: on_progress(f"preparing {what} pictures", done, total),
            on_message,
            workers=self.workers,
        )
        if not isinstance(source, Reduced):  # `twin_numbers` tells what has become of their originals
            setting = "data.val" if what.startswith("validation") else "data.train"
            judge_refused(store, what, setting, self.refused, on_message)
            tell_of_animations(store, what, on_message)
        return store

    def _mode(self, needed: int, device: torch.device, on_message: OnMessage) -> Literal["device", "workers"]:
        if device.type == "cuda":
            free, where = torch.cuda.mem_get_info(device)[0], "the GPU's memory"
        else:
            free, where = psutil.virtual_memory().available, "memory"
        fits = needed <= _SHARE_OF_MEMORY * free
        mode: Literal["device", "workers"]
        mode = ("device" if fits or self.workers < 1 else "workers") if self.crops == "auto" else self.crops
        how = "in the training process" if device.type == "cpu" else "on the device"
        how = how if mode == "device" else f"by {self.workers} loader processes"
        why = "as asked" if self.crops != "auto" else f"the store {'fits' if fits else 'does not fit'} into {where}"
        on_message(f"crops are cut {how} ({why}: {needed / 2**20:.0f} MiB of {free / 2**20:.0f} MiB free)")
        return mode

    def whole_pairs(
        self, part: Part, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage
    ) -> "WholePairs":
        """Whole pictures with their low-resolution twins, each degraded once with draws of its own.

        Args:
            part: ``train``, or ``val``: its main set.
            degradation: makes twins where none are given.
            on_progress: told how far a download or a store is.
            on_message: given one line for each thing that the user should know.

        Raises:
            UserError: the part has no pictures, or its twins do not fit.
        """
        if part == "train":
            sides = SetSources(self.train_source, self.train_lr)
            return self._whole_pairs("training", sides, degradation, on_progress, on_message)
        if not self.val_sources:
            raise UserError("there are no validation pictures: data.val is null")
        if len(self.val_sources) > 1:
            on_message(f"of the validation sets {', '.join(self.val_sources)} the first is taken")
        return self._val_pairs(next(iter(self.val_sources)), degradation, on_progress, on_message)

    def validation_sets(
        self, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage
    ) -> dict[str, list[ValidationPair]]:
        """Validation pictures by the name of their set, the main one first; its name may be empty.

        Args:
            degradation: makes twins where none are given.
            on_progress: told how far a download or a store is.
            on_message: given one line for each thing that the user should know.

        Raises:
            UserError: a set has no pictures, or its twins do not fit.
        """
        whole = {name: self._val_pairs(name, degradation, on_progress, on_message) for name in self.val_sources}
        return {name: [pairs[i] for i in range(len(pairs))][: self.val_pictures] for name, pairs in whole.items()}

    def _val_pairs(
        self, name: str, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage
    ) -> "WholePairs":
        what = f"validation ({name})" if name else "validation"
        return self._whole_pairs(what, self.val_sources[name], degradation, on_progress, on_message)

    def _whole_pairs(
        self, what: str, sides: SetSources, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage
    ) -> "WholePairs":
        for one in (sides.hr, sides.lr):
            if one is not None:
                one.fetch(on_progress, on_message)
        hr = self._originals(what, sides.hr, sides.lr, on_progress, on_message)
        if sides.lr is None:
            lr = self._store(f"{what}, low resolution", Reduced(hr, degradation), on_progress, on_message)
        else:
            lr = self._given(what, sides.lr, on_progress, on_message)
        twins = twin_numbers(hr, lr, self.scale, what, self.refused, on_message)
        return WholePairs(hr, lr, twins, self.scale)

    def _given(self, what: str, source: PictureSource, on_progress: OnProgress, on_message: OnMessage) -> Store:
        on_message(f"{what} uses the low-resolution pictures that are given; degradation=… is not applied to it")
        return self._store(f"{what}, low resolution", source, on_progress, on_message)


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
