"""The data module: stores for training and validation, crops for the one, whole pictures for the other."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import lightning
import psutil
import torch

from sr.data.contract import OnMessage, OnProgress, PictureSource, Pools
from sr.data.crops import CropBatches, CropPlan, Small
from sr.data.degrade import Degradation
from sr.data.edges import EdgeContent, open_edge_maps
from sr.data.kinds.scaled import Filter, check_hr_scale
from sr.data.pairs import ValidationPair, WholePairs
from sr.data.references import References
from sr.data.sets import Pictures, ShownPicture, Sides, first_pictures, shown_sources, validation_sets
from sr.data.store.store import Store
from sr.data.store.twins import twin_numbers
from sr.data.stores import Stores
from sr.data.stream import CropStream
from sr.data.telling import about_small, files_of, warn_of_shared, warn_of_test_sets
from sr.data.unpaired import HALF, SIDES, check_apart, first_half, others_of, real_source, training_sides, warn_of_pairs
from sr.types import UserError

Part = Literal["train", "val"]

_SHARE_OF_MEMORY = 0.4  # of what is free: the network and its activations need the rest


class CropData(lightning.LightningDataModule):
    """Training crops and validation pairs from any two sources of pictures.

    Args:
        train: a source, or folders of pictures (one path or several). None: ``train_lr`` are low-resolution pictures
            of their own, without a truth.
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
        shown: pictures without a truth, which validations upscale and show; where there is no ``val``, what can be
            told without a truth is measured of them. For a network that translates, of both sides by name, ``a`` and
            ``b``. None for none.
        real: pictures that belong to no low resolution, which discriminators take as real in place of the truth;
            ``half`` takes the second half of ``train`` and leaves the first to the pairs. None: the truth itself.

    Raises:
        ValueError: a setting is out of range.
        UserError: a folder is missing or empty, or a validation set cannot have its name.
    """

    def __init__(
        self,
        train: Pictures | None,
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
        shown: Pictures | Mapping[str, Pictures] | None = None,
        real: Pictures | None = None,
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
            raise ValueError(f"val_pictures={val_pictures} must be at least 1; null takes all")
        self.paired = train is not None
        """Low resolution has a truth; without, `train_sides` are the low-resolution pictures alone."""
        self.train_sides = training_sides(train, train_lr, scale, real is not None)
        self.real = real_source(real, train)
        if val is None and val_lr is not None and not self.paired:
            raise UserError(
                "data.lr_val is given without data.hr_val; give both, or neither to validate without a truth"
            )
        self.val_sides = validation_sets(val, val_lr, scale)
        self.shown_sources = shown_sources(shown)
        """Pictures without a truth by their side, which is empty but for a network that translates."""
        self.edges = EdgeContent(edge_background, edge_sigma) if positions == "edges" else None
        self.scale, self.crop, self.batch_size, self.seed = scale, crop, batch_size, seed
        self.crops, self.workers, self.small = crops, workers, small
        self.val_pictures, self.pools = val_pictures, pools
        self.stores = Stores(scale, hr_scale, hr_filter, workers, refused, cache)
        self.references: References | None = None
        self.stream: CropStream
        self.sets: dict[str, list[ValidationPair]] = {}
        """Validation pictures by the name of their set, the main one first."""
        self.shown_pictures: list[ShownPicture] = []

    @property
    def pairs(self) -> list[ValidationPair]:
        """Validation pictures of the main set."""
        return next(iter(self.sets.values()), [])

    @property
    def two_sides(self) -> bool:
        """Pictures are of two sides, A and B, that are to be translated into each other."""
        return "a" in self.shown_sources

    @property
    def settings(self) -> tuple[str, str]:
        """By which low resolution without a truth, and real pictures, are given; or both sides."""
        return SIDES if self.two_sides else ("data.lr", "data.hr")

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
        photograph: int | None = None,
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
            shown: how many pictures without a truth are wanted; of two sides ``val_pictures`` of each are.
            photograph: side in pixels of the photograph of each crop that the network is given beside it; None for
                networks that ask for none.

        Raises:
            UserError: a download failed, too many unreadable pictures, low-resolution pictures of a wrong size or the
                same as the real ones, no picture large enough, or no room for the store.
        """
        self.references = None if photograph is None else References(photograph)
        self.make_pools(degradation, on_progress, on_message)
        self._fetch(on_progress, on_message)
        self._tell_of_sources(on_message)
        what = "training" if self.paired else "side A" if self.two_sides else "low-resolution"
        first = self.stores.originals(what, self.train_sides, on_progress, on_message)
        given, lr = self.train_sides.lr, None
        if self.paired and (given is not None or degradation.in_advance):
            lr = self.stores.twins("training", first, given, degradation, on_progress, on_message)
        batches = self._batches(first, lr, rank, ranks, on_progress, on_message)
        mode = self._mode(batches.nbytes, device, on_message)
        self.stream = CropStream(batches, device, mode, self.workers)
        self.sets = self.validation_sets(degradation, on_progress, on_message)
        each = [
            self._of_side(side, source, on_progress, on_message) if side else first_pictures(source, shown, on_message)
            for side, source in self.shown_sources.items()
        ]
        self.shown_pictures = [picture for pictures in each for picture in pictures]

    def _of_side(
        self, side: str, source: PictureSource, on_progress: OnProgress, on_message: OnMessage
    ) -> list[ShownPicture]:
        """Pictures to translate there and back; they lie in a store, as there may be many."""
        what = f"side {side.upper()}, validation"
        store = self.stores.originals(what, Sides(source, None), on_progress, on_message)
        numbered = enumerate(store.entries[: self.val_pictures])
        return [ShownPicture(entry.name, store.picture(number), entry.gray, side) for number, entry in numbered]

    def train_dataloader(self) -> CropStream:
        """Endless batches."""
        return self.stream

    def _fetch(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        for sides in (self.train_sides, *self.val_sides.values()):
            sides.fetch(on_progress, on_message)
        for source in (*self.shown_sources.values(), self.real):
            if isinstance(source, PictureSource):
                source.fetch(on_progress, on_message)

    def _tell_of_sources(self, on_message: OnMessage) -> None:
        train, others = self.train_sides.hr, [self.real] if isinstance(self.real, PictureSource) else []
        if self.paired:
            warn_of_test_sets(train, on_message)
        else:
            on_message(
                "two sides: no picture has a counterpart, and degradation=… changes none"
                if self.two_sides
                else "low resolution has no truth: degradation=… is not applied to the input, and no loss can compare "
                "with hr"
            )
        for real in others:
            if self.paired:
                warn_of_pairs(train, real, on_message)
            else:
                check_apart(train, real, self.settings, on_message)
        warn_of_shared([train, *others], self.val_sides, on_message)
        for setting, side, learned in zip(SIDES, self.shown_sources.values(), (train, *others), strict=False):
            shared = files_of(side) & files_of(learned) if self.two_sides else set()
            if shared:
                on_message(
                    f"validation is on {len(shared)} pictures of {setting} that are trained on too, which flatters; a "
                    "larger data.val_share holds some out"
                )

    def _batches(
        self, first: Store, lr: Store | None, rank: int, ranks: int, on_progress: OnProgress, on_message: OnMessage
    ) -> CropBatches:
        """Of high resolution and perhaps its twins, or where nothing is paired of low resolution alone."""
        refused, scale = self.stores.refused, self.scale if self.paired else 1
        twins = None if lr is None else twin_numbers(first, lr, scale, "training", refused, on_message)
        usable = None if twins is None else twins >= 0
        if self.real == HALF:
            usable = first_half(first) if usable is None else usable & first_half(first)
        given, real = ("", "data.real") if self.paired else self.settings
        plan = CropPlan(first, scale, self.crop, self.small, self.seed, usable, setting=given)
        if plan.small_names:
            on_message(about_small(plan.small_names, self.small, len(first)))
        if self.edges is not None:
            progress = partial(on_progress, "preparing edge maps")
            plan.edges = open_edge_maps(first, plan.shapes, scale, self.crop, self.edges, progress, on_message)
        report = on_progress, on_message
        others = others_of(self.real, first, self.stores, self.crop, self.small, self.seed, report, real)
        hr, low = (first, lr) if self.paired else (None, first)
        return CropBatches(plan, hr, low, self.batch_size, rank, ranks, twins, others, self.references)

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
    ) -> WholePairs:
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
            if not self.paired:
                raise UserError("data.train=null: its low resolution has no truth, so there are no pairs to give")
            return self.stores.pairs("training", self.train_sides, degradation, on_progress, on_message)
        if not self.val_sides:
            raise UserError("there are no validation pictures: data.val is null")
        if len(self.val_sides) > 1:
            on_message(f"of the validation sets {', '.join(self.val_sides)} the first is taken")
        return self._val_pairs(next(iter(self.val_sides)), degradation, on_progress, on_message)

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
        whole = {name: self._val_pairs(name, degradation, on_progress, on_message) for name in self.val_sides}
        return {name: [pairs[i] for i in range(len(pairs))][: self.val_pictures] for name, pairs in whole.items()}

    def _val_pairs(
        self, name: str, degradation: Degradation, on_progress: OnProgress, on_message: OnMessage
    ) -> WholePairs:
        what = f"validation ({name})" if name else "validation"
        degradation = getattr(degradation, "of_validation", degradation)
        return self.stores.pairs(what, self.val_sides[name], degradation, on_progress, on_message)
