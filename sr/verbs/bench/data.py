"""`sr bench data`: pairs of crops per second from the store, and from PNG files decoded for every crop."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image as PillowImage
from rich.table import Table

from sr.config.composing import composed
from sr.console import plain_console
from sr.data.crops import CropBatches
from sr.errors import UserError
from sr.training.machine import machine
from sr.verbs.bench.shared import prepared

_PNG_PICTURES = 32


def bench_data(overrides: Sequence[str], seconds: float, config_dir: Path | None = None) -> None:
    """Print pairs of crops per second: store on one core, and PNG files decoded for every crop.

    Args:
        overrides: as for train.py.
        seconds: length of each measurement.
        config_dir: a folder of choices of the user's.
    """
    console = plain_console()
    config = composed(overrides, config_dir)
    data = prepared(config, console)
    batches = data.stream.batches
    if batches.lr is None:
        raise UserError("the degradation runs on the device, so the store has no pairs; try degradation=bicubic")
    torch.set_num_threads(1)
    side = batches.plan.crop * batches.plan.scale
    console.print(f"pairs with {side}x{side} HR crops on one core; {machine()}", soft_wrap=True)
    table = Table()
    table.add_column("from")
    table.add_column("pairs/s", justify="right")
    table.add_column("MB/s", justify="right")
    store = _store_rate(batches, seconds)
    png = _png_rate(batches, seconds)
    bytes_per_pair = 3 * batches.plan.crop**2 * (1 + batches.plan.scale**2)
    for name, rate in (("store", store), ("PNG files", png)):
        table.add_row(name, f"{rate:,.0f}", f"{rate * bytes_per_pair / 1e6:,.0f}")
    console.print(table)
    console.print(f"the store is {store / png:,.0f} times faster")


def _store_rate(batches: CropBatches, seconds: float) -> float:
    for number in range(20):
        batches[number]
    start, number = perf_counter(), 20
    while perf_counter() - start < seconds:
        batches[number]
        number += 1
    return (number - 20) * batches.batch_size / (perf_counter() - start)


def _png_rate(batches: CropBatches, seconds: float) -> float:
    assert batches.hr is not None
    assert batches.lr is not None
    count = min(len(batches.hr), _PNG_PICTURES)
    with tempfile.TemporaryDirectory() as temporary:
        for index in range(count):
            for kind, store in (("hr", batches.hr), ("lr", batches.lr)):
                PillowImage.fromarray(store.picture(index)).save(Path(temporary) / f"{kind}{index}.png")
        plan, pairs, number = batches.plan, 0, 0
        start = perf_counter()
        while perf_counter() - start < seconds:
            _, tops, lefts = plan.places(batches.samples(number))
            number += 1
            for top, left in zip(tops.tolist(), lefts.tolist(), strict=True):
                for kind, factor in (("lr", 1), ("hr", plan.scale)):
                    path = Path(temporary) / f"{kind}{pairs % count}.png"
                    pixels = np.asarray(PillowImage.open(path))
                    side = plan.crop * factor
                    pixels[top * factor : top * factor + side, left * factor : left * factor + side].copy()
                pairs += 1
        return pairs / (perf_counter() - start)
