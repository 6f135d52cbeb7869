"""`sr bench degradation`: degraded pictures per second, in batches, one at a time, and in a loop of plain PyTorch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from sr.config.building import build, build_device
from sr.config.composing import composed
from sr.console import plain_console
from sr.data.crops import CropBatches
from sr.draws import Draws
from sr.training.machine import machine
from sr.verbs.bench.plain_degradation import PlainLoop
from sr.verbs.bench.shared import high, prepared, wait

_WARM = 2  # batches before the clock starts

Rival = Callable[[Tensor, Draws], object]
"""Degrades a float32 batch; what it returns does not matter."""


def bench_degradation(overrides: Sequence[str], seconds: float, config_dir: Path | None = None) -> None:
    """Print the rate of the degradation in batches beside its alternatives, all measured in turns in one process.

    Args:
        overrides: as for train.py.
        seconds: length of the whole measurement.
        config_dir: a folder of choices of the user's.
    """
    console = plain_console(soft_wrap=True)
    config = composed(["data.val=null", "data.crops=device", *overrides], config_dir)
    degradation, device = build("degradation", config.degradation), build_device(config)
    data = prepared(config, console)
    rivals = _rivals(degradation, config)
    rates = _rates(rivals, data.stream.batches, config.seed, device, seconds)
    _print(console, rates, config)


def _rivals(degradation: Any, config: Any) -> dict[str, Rival]:
    def whole(hr: Tensor, draws: Draws) -> None:
        degradation(hr, draws)

    def one_by_one(hr: Tensor, draws: Draws) -> None:
        for i, sample in enumerate(draws.samples):
            degradation(hr[i : i + 1], Draws(draws.seed, sample[None]))

    rivals: dict[str, Rival] = {f"batch of {config.data.batch_size}": whole, "one at a time": one_by_one}
    second_order = build("degradation", composed(["degradation=second_order", f"scale={config.scale}"]).degradation)
    if getattr(degradation, "key", None) == second_order.key:
        plain = PlainLoop(torch.Generator().manual_seed(config.seed))
        # On the CPU, where a data loader's workers would do it.
        rivals["plain PyTorch loop"] = lambda hr, draws: plain(hr.cpu(), config.scale)
    return rivals


def _rates(
    rivals: dict[str, Rival], batches: CropBatches, seed: int, device: torch.device, seconds: float
) -> dict[str, list[float]]:
    """Pictures per second of each rival on each batch, in turns so that all meet the same noise."""
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    start, number = perf_counter(), 0
    while number < _WARM + 3 or perf_counter() - start < seconds:
        batch = batches[number]
        hr, samples = high(batch).to(device).float() / 255, batch.samples.numpy()
        for name, rival in rivals.items():
            wait(device)
            before = perf_counter()
            with torch.no_grad():
                rival(hr, Draws(seed, samples))
            wait(device)
            if number >= _WARM:
                rates[name].append(len(hr) / (perf_counter() - before))
        number += 1
    return rates


def _print(console: Console, rates: dict[str, list[float]], config: Any) -> None:
    side = config.data.crop * config.scale
    sizes = f"{side}x{side} crops to {config.data.crop}x{config.data.crop}"
    console.print(f"{sizes}; {machine()}, threads: {torch.get_num_threads()}")
    table = Table()
    for column in ("how", "pictures/s (median)", "min", "max", "the batch is faster by"):
        table.add_column(column, justify="left" if column == "how" else "right")
    batched = next(iter(rates.values()))
    for name, own in rates.items():
        ratio = median(b / o for b, o in zip(batched, own, strict=True))
        table.add_row(name, *[f"{f(own):,.1f}" for f in (median, min, max)], "" if own is batched else f"{ratio:.2f}")
    console.print(table)
    console.print(f"medians over {len(batched)} rounds; ratios are taken within a round")
