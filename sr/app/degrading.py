"""`sr degrade`: look at what the network will see, before training."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from sr.app.building import build, build_compute
from sr.app.composing import composed
from sr.app.preparing import StoreProgress
from sr.app.sheets import Seen, contact_sheet
from sr.app.training import check_input
from sr.data.crops import Batch
from sr.data.module import CropData
from sr.draws import Draws, Record
from sr.errors import UserError
from sr.image.io import to_pixels
from sr.types import Crops


def degrade(overrides: Sequence[str], output: Path, count: int, samples: int) -> None:
    """Write a contact sheet with histograms, and print what was drawn and how fast.

    Args:
        overrides: as for train.py.
        output: PNG file of the sheet.
        count: crops on the sheet.
        samples: crops that the histograms and the rate come from.

    Raises:
        UserError: a mistake in the overrides or the data, or a file that cannot be written.
    """
    if count < 1 or samples < 1:
        raise UserError(f"--count {count} and --samples {samples} must be at least 1")
    if output.suffix.lower() != ".png":
        raise UserError(f"-o {output}: the sheet is a PNG file; give it the suffix .png")
    console = Console(soft_wrap=True)
    config = composed(["data.val=null", "data.crops=device", *overrides])
    compute = build_compute(config)
    data: CropData = build("data", config.data)
    degradation, augmentation = build("degradation", config.degradation), build("augmentation", config.augmentation)
    with StoreProgress(console) as progress:
        data.prepare(degradation, compute.device, progress.update, lambda text: _say(console, text))
    check_input(augmentation, data)
    record = Record()
    seen: list[Seen] = []
    spent, made = 0.0, 0
    for batch in data.stream:
        draws = Draws(config.seed, batch.samples.numpy(), record)
        crops = _augmented(batch, augmentation, draws, compute.device)
        before = perf_counter()
        lr = _low_resolution(crops, degradation, draws)
        spent, made = spent + perf_counter() - before, made + len(lr)
        seen += _shown(crops, lr, batch, record)[: max(0, count - len(seen))]
        if made >= max(samples, count):
            break
    title = (
        f"{_choice(overrides, 'data', 'generated')}, {_choice(overrides, 'degradation', 'bicubic')}, x{config.scale}"
    )
    contact_sheet(output, seen, record, title)
    _report(console, record, made)
    how = "made in advance, so each is stored once" if data.stream.batches.lr is not None else "made anew for each crop"
    side = config.data.crop * config.scale
    _say(
        console,
        f"low-resolution pictures are {how}; {made / spent:,.0f} pictures/s from {side}x{side} crops on "
        f"{compute.device.type}, {config.data.batch_size} at a time",
    )
    _say(console, f"sheet: {output}")


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False)


def _choice(overrides: Sequence[str], group: str, default: str) -> str:
    return next((o.split("=", 1)[1] for o in overrides if o.startswith(f"{group}=")), default)


def _augmented(batch: Batch, augmentation: Any, draws: Draws, device: torch.device) -> Crops:
    lr = None if batch.lr is None else batch.lr.to(device)
    crops: Crops = augmentation(Crops(lr, batch.hr.to(device)), draws)
    return crops


def _low_resolution(crops: Crops, degradation: Any, draws: Draws) -> Tensor:
    """The stored twins, or what the degradation makes; it draws in either case, so that its draws can be shown."""
    source = crops.hr if crops.seen is None else crops.seen
    with torch.no_grad():
        made: Tensor = degradation(source.float() / 255, draws)
    if made.device.type == "cuda":
        torch.cuda.synchronize()
    return made if crops.lr is None else crops.lr.float() / 255


def _shown(crops: Crops, lr: Tensor, batch: Batch, record: Record) -> list[Seen]:
    return [
        Seen(to_pixels(lr[i : i + 1]), to_pixels(crops.hr[i : i + 1].float() / 255), record.of(sample))
        for i, sample in enumerate(batch.samples.tolist())
    ]


def _report(console: Console, record: Record, made: int) -> None:
    if not record.values:
        _say(console, "nothing is drawn: every crop is degraded alike")
        return
    table = Table(title=f"drawn for {made} crops")
    for heading in ("stage/parameter", "applied to", "least", "median", "most"):
        table.add_column(heading, justify="left" if heading == "stage/parameter" else "right", overflow="fold")
    for name, values in record.values.items():
        table.add_row(name, f"{len(values) / made:.0%}", *_spread(list(values.values())))
    console.print(table)


def _spread(values: list[Any]) -> list[str]:
    if isinstance(values[0], str):
        names = sorted(set(values), key=lambda name: -values.count(name))
        return ["", ", ".join(f"{name} {values.count(name) / len(values):.0%}" for name in names), ""]
    return [f"{f(values):.3g}" for f in (min, lambda v: float(np.median(v)), max)]
