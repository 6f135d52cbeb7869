"""The data module: stores for training and validation, crops for the one, whole pictures for the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import lightning
import numpy as np
import psutil
import torch

from sr.data.crops import CropBatches, CropPlan, CropStream, Small
from sr.data.sources import Folder, Reduced
from sr.data.store import PictureSource, Store, cache_root, open_store
from sr.degradations.bicubic import Bicubic
from sr.types import UserError

OnProgress = Callable[[str, int, int], None]
"""Called with (what is being built, pictures done, pictures in all)."""

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
        val: likewise; None leaves validation out.
        scale: integer factor between low and high resolution.
        crop: side of a training crop in low-resolution pixels.
        batch_size: crops per batch and process.
        seed: another seed, other crops.
        crops: ``device`` cuts crops in the training process, out of the device's own memory; ``workers`` in
            loader processes; ``auto`` takes ``device`` where the stores fit.
        workers: number of loader processes, and of processes that build a store.
        small: what to do with pictures smaller than the crop: ``pad`` them by reflection, or ``skip`` them.
        refused: the largest share of unreadable pictures, 0..1, with which training still starts.
        val_pictures: validate on the first so many pictures only; None takes all.
        cache: folder of the stores; None takes ``SR_CACHE`` or the user's cache folder.
    """

    def __init__(
        self,
        train: PictureSource | str | Sequence[str],
        val: PictureSource | str | Sequence[str] | None,
        scale: int,
        crop: int,
        batch_size: int,
        seed: int,
        crops: Literal["auto", "device", "workers"] = "auto",
        workers: int = 2,
        small: Small = "pad",
        refused: float = 0.1,
        val_pictures: int | None = None,
        cache: str | None = None,
    ) -> None:
        super().__init__()
        for name, value in {"scale": scale, "crop": crop, "batch_size": batch_size}.items():
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if not 0 <= refused <= 1:
            raise ValueError(f"refused={refused} must be between 0 and 1")
        if workers < (1 if crops == "workers" else 0):
            raise ValueError(f"workers={workers} must be at least {1 if crops == 'workers' else 0} with crops={crops}")
        if val_pictures is not None and val_pictures < 1:
            raise ValueError(f"val_pictures={val_pictures} must be at least 1; val=null leaves validation out")
        self.train_source = _source("train", train)
        self.val_source = None if val is None else _source("val", val)
        self.scale, self.crop, self.batch_size, self.seed = scale, crop, batch_size, seed
        self.crops, self.workers, self.small, self.refused = crops, workers, small, refused
        self.val_pictures, self.cache = val_pictures, cache
        self.stream: CropStream

    def prepare(
        self,
        degradation: Bicubic,
        device: torch.device,
        on_progress: OnProgress = lambda *_: None,
        on_message: Callable[[str], None] = lambda _: None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Open or build the stores and choose how crops are cut.

        Args:
            degradation: makes low-resolution pictures; one with ``in_advance`` has its result stored.
            device: where batches are wanted.
            on_progress: told how far a store is.
            on_message: given one line for each thing that the user should know.
            rank: number of this process among those that train together.
            ranks: how many processes train together.

        Raises:
            UserError: too many unreadable pictures, no picture large enough, or no room for the store.
        """
        hr = self._store("training", self.train_source, on_progress, on_message)
        lr = None
        if degradation.in_advance:
            lr = self._store("training, low resolution", Reduced(hr, degradation), on_progress, on_message)
        plan = CropPlan(hr, self.scale, self.crop, self.small, self.seed)
        if plan.small_names:
            on_message(_about_small(plan.small_names, self.small, len(hr)))
        mode = self._mode(hr.nbytes + (0 if lr is None else lr.nbytes), device, on_message)
        batches = CropBatches(plan, hr, lr, self.batch_size, rank, ranks)
        self.stream = CropStream(batches, device, mode, self.workers)
        self.pairs = self._pairs(degradation, on_progress, on_message)

    def train_dataloader(self) -> CropStream:
        """Endless batches."""
        return self.stream

    def _store(
        self, what: str, source: PictureSource, on_progress: OnProgress, on_message: Callable[[str], None]
    ) -> Store:
        store = open_store(
            source,
            cache_root(self.cache),
            lambda done, total: on_progress(what, done, total),
            on_message,
            workers=self.workers,
        )
        _judge_refused(store, what, self.refused, on_message)
        return store

    def _mode(
        self, needed: int, device: torch.device, on_message: Callable[[str], None]
    ) -> Literal["device", "workers"]:
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

    def _pairs(
        self, degradation: Bicubic, on_progress: OnProgress, on_message: Callable[[str], None]
    ) -> list[ValidationPair]:
        if self.val_source is None:
            return []
        hr = self._store("validation", self.val_source, on_progress, on_message)
        return [
            validation_pair(entry.name, hr.picture(i), entry.gray, degradation)
            for i, entry in enumerate(hr.entries[: self.val_pictures])
        ]


def validation_pair(name: str, hr: np.ndarray, gray: bool, degradation: Bicubic) -> ValidationPair:
    """Cut a picture to a multiple of the scale and degrade it.

    Args:
        name: of the picture.
        hr: (height, width, 3) uint8.
        gray: it has one channel.
        degradation: how the low-resolution picture is made.

    Raises:
        UserError: the picture is smaller than one low-resolution pixel.
    """
    scale = degradation.scale
    height, width = (side // scale * scale for side in hr.shape[:2])
    if min(height, width) == 0:
        raise UserError(f"{name} is {hr.shape[1]}x{hr.shape[0]} pixels: too small for scale={scale}")
    return ValidationPair(name, degradation.picture(hr), hr[:height, :width].copy(), gray)


def _source(name: str, given: PictureSource | str | Sequence[str]) -> PictureSource:
    if isinstance(given, str) or (isinstance(given, Sequence) and not hasattr(given, "stamp")):
        return Folder(given)
    if not hasattr(given, "stamp"):
        shown = "null" if given is None else given
        raise ValueError(f"{name}={shown} is no folder of pictures; give its path, or several as [DIR1,DIR2]")
    return given  # type: ignore[return-value]


def _about_small(names: list[str], small: Small, total: int) -> str:
    what = "padded by reflection" if small == "pad" else "skipped"
    return (
        f"{len(names)} of {total} pictures are smaller than the crop and are {what} "
        f"({', '.join(names[:3])}{', …' if len(names) > 3 else ''}); data.small=pad|skip chooses"
    )


def _judge_refused(store: Store, what: str, limit: float, on_message: Callable[[str], None]) -> None:
    refused, total = store.refused, len(store.refused) + len(store)
    if not refused:
        return
    examples = "; ".join(entry.reason for entry in refused[:3]) + ("; …" if len(refused) > 3 else "")
    count = f"{len(refused)} of {total} {what} pictures cannot be used: {examples}"
    if len(refused) > 3:
        count += f" (all are in {store.folder / 'index.jsonl'})"
    if len(store) == 0:
        setting = "data.val" if what == "validation" else "data.train"
        raise UserError(f"{count}. None is left; name other pictures with {setting}=DIR")
    if len(refused) > limit * total:
        raise UserError(f"{count}. Take them out, or allow a larger share than data.refused={limit:g}")
    on_message(count)
