"""`sr bench degradation`: degraded pictures per second, batched and one at a time."""

from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from sr.app.benchmarks import machine, prepared, wait
from sr.app.building import build, build_compute
from sr.app.composing import composed
from sr.draws import Draws

_WARM = 2  # batches before the clock starts


def bench_degradation(overrides: Sequence[str], seconds: float) -> None:
    """Print the rate of the degradation in batches beside the same on one picture at a time, measured in turns.

    Args:
        overrides: as for train.py.
        seconds: length of the whole measurement.
    """
    console = Console(soft_wrap=True)
    config = composed(["data.val=null", "data.crops=device", *overrides])
    degradation, device = build("degradation", config.degradation), build_compute(config).device
    data = prepared(config, console)
    whole, single = _rates(degradation, data.stream.batches, config.seed, device, seconds)
    side = config.data.crop * config.scale
    console.print(f"{side}x{side} crops to {config.data.crop}x{config.data.crop}; {machine()}", highlight=False)
    table = Table()
    for column in ("at a time", "pictures/s (median)", "min", "max"):
        table.add_column(column, justify="right")
    for size, rates in ((config.data.batch_size, whole), (1, single)):
        table.add_row(str(size), *[f"{f(rates):,.1f}" for f in (median, min, max)])
    console.print(table)
    console.print(f"ratio {median(w / s for w, s in zip(whole, single, strict=True)):.2f}", highlight=False)


def _rates(
    degradation: Any, batches: Any, seed: int, device: torch.device, seconds: float
) -> tuple[list[float], list[float]]:
    """Pictures per second of each batch, whole and picture by picture, in turns so that both meet the same noise."""
    whole: list[float] = []
    single: list[float] = []
    start, number = perf_counter(), 0
    while number < _WARM + 3 or perf_counter() - start < seconds:
        batch = batches[number]
        hr, samples = batch.hr.to(device).float() / 255, batch.samples.numpy()
        rates = []
        for step in (len(hr), 1):
            before = perf_counter()
            for first in range(0, len(hr), step):
                _degraded(degradation, hr[first : first + step], Draws(seed, samples[first : first + step]))
            wait(device)
            rates.append(len(hr) / (perf_counter() - before))
        number += 1
        if number > _WARM:
            whole.append(rates[0])
            single.append(rates[1])
    return whole, single


def _degraded(degradation: Any, hr: Tensor, draws: Draws) -> Tensor:
    with torch.no_grad():
        lr: Tensor = degradation(hr, draws)
    return lr
