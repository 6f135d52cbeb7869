"""`sr degrade`: look at what the network will see, before training."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from sr.config.building import build, build_device
from sr.config.composing import composed
from sr.console import plain_console
from sr.data.crops import Batch
from sr.data.module import CropData
from sr.degradations.pipeline import VALIDATION_SEED
from sr.draws import Draws, Record
from sr.errors import UserError
from sr.image.io import to_pixels
from sr.types import Crops
from sr.verbs.screen.own_sheet import check_sheet
from sr.verbs.screen.progress import StoreProgress
from sr.verbs.screen.sheets import NOTHING_DRAWN, Seen, by_stage, common, contact_sheet, in_words, same_for_all, shown
from sr.verbs.screen.tables import say
from sr.verbs.train.preflight import check_input, try_degradation

_SCOPE = "picture"  # of the draws of pictures made in advance (sr.degradations.pipeline)
_FEW = 6  # different values that are listed with their shares


def degrade(overrides: Sequence[str], output: Path, count: int, samples: int, config_dir: Path | None = None) -> None:
    """Write a contact sheet with histograms, and print what was drawn and how fast.

    Args:
        overrides: as for train.py.
        output: PNG file of the sheet.
        count: crops on the sheet.
        samples: crops that the histograms and the rate come from.
        config_dir: a folder of choices of the user's.

    Raises:
        UserError: a mistake in the overrides or the data, or a file that cannot be written.
    """
    _check(output, count, samples)
    console = plain_console(soft_wrap=True)
    config = composed(["data.val=null", "data.val_lr=null", "data.crops=device", *overrides], config_dir)
    device = build_device(config)
    data: CropData = build("data", config.data)
    degradation, augmentation = build("degradation", config.degradation), build("augmentation", config.augmentation)
    with StoreProgress(console) as progress:
        data.make_pools(degradation, progress.update, partial(say, console))
    try_degradation(degradation, config.data.crop, device)
    with StoreProgress(console) as progress:
        data.prepare(degradation, device, progress.update, partial(say, console))
    check_input(augmentation, data)
    watched = _Watched(degradation, augmentation, data, config.seed, device)
    seen = watched.look(max(count, samples), count)
    made_by = watched.source or _choice(overrides, "degradation", "bicubic")
    title = f"{_choice(overrides, 'data', 'generated')}, {made_by}, x{config.scale}"
    contact_sheet(output, seen, watched.record, watched.crops, title)
    _report(console, watched)
    if watched.rate is not None:
        side = config.data.crop * config.scale
        say(
            console,
            f"{watched.rate:,.0f} pictures/s from {side}x{side} crops on {device.type}, "
            f"{config.data.batch_size} at a time",
        )
    say(console, f"sheet: {output}")


def _check(output: Path, count: int, samples: int) -> None:
    """Refuse before the data is prepared, which may take minutes."""
    for name, value in (("--count", count), ("--samples", samples)):
        if value < 1:
            raise UserError(f"{name} {value} must be at least 1")
    check_sheet(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}; take another folder") from error
    if not os.access(output.parent, os.W_OK):
        raise UserError(f"cannot write {output}: the folder is write-protected; take another one")


def _choice(overrides: Sequence[str], group: str, default: str) -> str:
    return next((o.split("=", 1)[1] for o in overrides if o.startswith(f"{group}=")), default)


class _Watched:
    """Training's way of making batches, with a look at what is drawn.

    Attributes:
        record: what was drawn for each crop.
        crops: how many were looked at.
        rate: degraded pictures per second, or None where nothing is degraded.
        given: low-resolution pictures come from files.
        source: what they are then, in words; empty where they are made.
        stored: they were made in advance (or given).
    """

    def __init__(self, degradation: Any, augmentation: Any, data: CropData, seed: int, device: torch.device) -> None:
        self.degradation, self.augmentation, self.data = degradation, augmentation, data
        self.seed, self.device = seed, device
        self.record = Record()
        self.crops = 0
        self.rate: float | None = None
        self.given = data.train_sides.lr is not None or not data.paired
        self.source = ("given pairs" if data.paired else "unpaired") if self.given else ""
        self.stored = data.stream.batches.lr is not None

    def look(self, samples: int, count: int) -> list[Seen]:
        """Degrade so many samples; the first ``count`` are for the sheet."""
        seen: list[Seen] = []
        rates: list[float] = []
        for batch in self.data.stream:
            draws = Draws(self.seed, batch.samples.numpy(), self.record)
            crops = self._augmented(batch, draws)
            before = perf_counter()
            low = self._low_resolution(crops, draws)
            rates.append(len(low) / (perf_counter() - before))
            self.crops += len(low)
            for i, sample in list(enumerate(batch.samples.tolist()))[: max(0, count - len(seen))]:
                hr = to_pixels(crops.hr[i : i + 1].float() / 255)
                seen.append(Seen(to_pixels(low[i : i + 1]), hr, self.record.of(sample)))
            if self.crops >= samples:
                break
        self.rate = None if self.given else median(rates[1:] or rates)  # the first one fills caches
        return seen

    def _augmented(self, batch: Batch, draws: Draws) -> Crops:
        """As training does it; without a truth the real picture of the same number stands in its place."""
        lr = None if batch.lr is None else batch.lr.to(self.device)
        made: Crops
        if batch.hr is not None:
            made = self.augmentation(Crops(lr, batch.hr.to(self.device)), draws)
            return made
        assert lr is not None
        real = lr if batch.real is None else batch.real.to(self.device)
        alone = [self.augmentation(Crops(None, one), of).hr for one, of in ((lr, draws), (real, draws.within("real")))]
        return Crops(*alone)

    def _low_resolution(self, crops: Crops, draws: Draws) -> Tensor:
        """What the network is given; its draws are recorded."""
        if self.given and crops.lr is not None:
            return crops.lr.float() / 255
        source = crops.hr if crops.seen is None else crops.seen
        if crops.lr is None:
            return self._degraded(source, draws)
        # Made in advance: draws belong to pictures, whatever is in them. They are repeated here for their record.
        pictures = self.data.stream.batches.plan.places(draws.samples).pictures
        found = Record()
        self._degraded(source, Draws(VALIDATION_SEED, pictures, found).within(_SCOPE))
        for sample, picture in zip(draws.samples.tolist(), pictures.tolist(), strict=True):
            for name, value in found.of(picture).items():
                self.record.add(name.removeprefix(f"{_SCOPE}/"), np.array([sample]), [value])
        return crops.lr.float() / 255

    def _degraded(self, source: Tensor, draws: Draws) -> Tensor:
        with torch.no_grad():
            made: Tensor = self.degradation(source.float() / 255, draws)
        if made.device.type == "cuda":
            torch.cuda.synchronize()
        return made


def _report(console: Console, watched: _Watched) -> None:
    record, total = watched.record, watched.crops
    if not watched.data.paired:
        say(console, "low resolution has no truth: beside it are real pictures, which it was not made of")
    elif watched.given:
        say(console, "low-resolution pictures are given: the degradation is not applied")
    elif watched.stored:
        say(console, "low-resolution pictures are made in advance, once for each picture")
    else:
        say(console, "low-resolution pictures are made anew for each crop")
    if not record.values:
        say(console, NOTHING_DRAWN)
        return
    alike = same_for_all(record, total)
    table = Table(title=f"drawn for {total} crops")
    table.add_column("stage: parameter", overflow="fold")
    table.add_column("applied to", justify="right")
    table.add_column("values")
    for stage, names in by_stage(name for name in record.values if name not in alike).items():
        table.add_row(f"{stage}:")
        for name in names:
            values = list(record.values[name].values())
            table.add_row(f"  {name.rpartition('/')[2]}", f"{len(values) / total:.0%}", _spread(values))
    if table.row_count:
        console.print(table)
    if alike:
        say(console, f"the same for every crop: {'; '.join(in_words(alike))}")


def _spread(values: list[Any]) -> str:
    if isinstance(values[0], str) or len(set(values)) <= _FEW:
        shares = common(values, _FEW)
        return shares[0][0] if len(shares) == 1 else ", ".join(f"{name} ({share:.0%})" for name, share in shares)
    return f"{shown(min(values))} to {shown(max(values))}, median {shown(median(values))}"
