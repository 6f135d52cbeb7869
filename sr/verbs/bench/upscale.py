"""`sr bench upscale`: how fast networks enlarge pictures here, by which program, and in how much memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import psutil
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from sr.console import plain_console
from sr.errors import UserError
from sr.inference.engines.choosing import operations_per_pixel
from sr.inference.engines.engine import Kind
from sr.inference.engines.torch import TorchEngine
from sr.inference.rows import Rows
from sr.inference.upscaler import Upscaler
from sr.inference.video.options import VideoOptions
from sr.models.scales import scale_of
from sr.printable import printable
from sr.training.machine import machine
from sr.verbs.bench.shared import wait
from sr.verbs.bench.video import video_rates
from sr.verbs.computing import inference

_KINDS: tuple[Kind, ...] = ("torch", "onnxruntime", "openvino")
_ROUNDS = 3
_STRIP = 64  # rows that are read at once, and forgotten
_PEAK_CHANNELS = 64  # of the convolution that is taken for the machine's best
_PEAK_SIDE = 128
_LEAST, _MOST = 0.01, 10_000.0  # megapixels of the large picture
_PERIOD = 0.02  # seconds between two looks at the memory


class Drawn:
    """A picture of any size that needs no memory: the same few rows again and again.

    Args:
        height: rows in all.
        width: pixels of a row.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._rows = torch.rand(1, 3, _STRIP, width, generator=torch.Generator().manual_seed(0))

    def read(self, top: int, bottom: int) -> Tensor:
        """See `sr.inference.rows.Rows.read`."""
        return self._rows[..., torch.arange(top, bottom) % _STRIP, :]


def bench_upscale(
    network: nn.Module,
    named: str,
    size: tuple[int, int],
    accelerator: str,
    megapixels: float,
    video: Path | None = None,
) -> None:
    """Print rates of the engines, tiles beside the whole, the share of the machine's peak, and the peak of memory.

    Args:
        network: a generator in evaluation mode.
        named: what the user calls it.
        size: (width, height) of the picture on which rates are measured.
        accelerator: cpu, gpu, mps or auto.
        megapixels: of the large picture; 0 for none.
        video: a film whose job is timed beside its network.

    Raises:
        UserError: there is no such device, no picture of that size, or the video cannot be read.
    """
    console = plain_console(soft_wrap=True)
    if megapixels and not _LEAST <= megapixels <= _MOST:
        raise UserError(f"--large {megapixels:g} is not within {_LEAST:g} and {_MOST:g} megapixels; 0 leaves it out")
    device = inference(accelerator).device
    width, height = size
    console.print(f"{named} x{scale_of(network)}, {width}x{height}; {machine()}, threads: {torch.get_num_threads()}")
    rates = _rates(console, network, device, torch.rand(1, 3, height, width))
    _print(console, rates, network, device)
    if megapixels:
        _print_large(console, network, device, megapixels)
    if video is not None:
        film = video_rates(video, Upscaler([network], device, engine="torch"), VideoOptions(), device)
        console.print(
            f"{printable(video)}: {film.frames} frames, {film.job:.2f} frames/s of the whole job, {film.alone:.2f} of "
            f"the network alone: {film.share:.0%}"
        )


def _rates(console: Console, network: nn.Module, device: torch.device, lr: Tensor) -> dict[str, list[float]]:
    """Input megapixels per second of each way, in turns so that all meet the same noise."""
    whole = TorchEngine(network, device)
    ways: dict[str, Callable[[Tensor], Tensor]] = {"torch, whole": whole}
    for kind in _KINDS:
        try:
            upscaler = Upscaler([network], device, engine=kind)
            upscaler.image(lr)
        except UserError as error:
            console.print(f"{kind} is left out: {error}")
            continue
        ways[f"{kind}, tiles"] = upscaler.image
    whole(lr)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            rates[name].append(lr.shape[-2] * lr.shape[-1] / 1e6 / _seconds(partial(way, lr), device))
    return rates


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    wait(device)
    before = perf_counter()
    work()
    wait(device)
    return perf_counter() - before


def _print(console: Console, rates: dict[str, list[float]], network: nn.Module, device: torch.device) -> None:
    peak, operations = _peak(device), operations_per_pixel(network)
    table = Table()
    for column in ("how", "MP/s", "min", "max", "time / whole", "GFLOP/s", "of peak"):
        table.add_column(column, justify="left" if column == "how" else "right")
    first = next(iter(rates.values()))
    for name, own in rates.items():
        ratio = median(one / other for one, other in zip(first, own, strict=True))
        speed = median(own) * 1e6 * operations
        shown = [f"{f(own):.3f}" for f in (median, min, max)]
        table.add_row(name, *shown, f"{ratio:.2f}", f"{speed / 1e9:,.0f}", f"{speed / peak:.0%}")
    console.print(table)
    console.print(
        f"the network needs {operations / 1e3:,.0f} thousand operations per input pixel; the peak is a 3x3 convolution "
        f"of {_PEAK_CHANNELS} channels in float32: {peak / 1e9:,.0f} GFLOP/s; {_ROUNDS} rounds, "
        "medians, megapixels of the input, ratios within a round"
    )


def _peak(device: torch.device) -> float:
    """Operations per second of a convolution that the device likes."""
    layer = nn.Conv2d(_PEAK_CHANNELS, _PEAK_CHANNELS, 3, padding=1).to(device)
    layer = layer.to(memory_format=torch.channels_last)
    features = torch.rand(1, _PEAK_CHANNELS, _PEAK_SIDE, _PEAK_SIDE, device=device)
    features = features.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        layer(features)
        times = [_seconds(lambda: [layer(features) for _ in range(10)], device) / 10 for _ in range(3 * _ROUNDS)]
    return 2 * 9 * _PEAK_CHANNELS**2 * _PEAK_SIDE**2 / min(times)


def _print_large(console: Console, network: nn.Module, device: torch.device, megapixels: float) -> None:
    """A picture that is read and thrown away by strips."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    source = Drawn(height, round(megapixels * 1e6 / height))
    upscaler = Upscaler([network], device, engine="torch")
    with _peak_memory() as above:
        seconds = _seconds(lambda: _drain(upscaler.rows(source)), device)
    console.print(
        f"{source.width}x{height} by strips: {source.width * height / 1e6 / seconds:.3f} MP/s, at most "
        f"{above[0] / 2**30:.2f} GiB beyond what the process had before"
    )


def _drain(rows: Rows) -> None:
    for top in range(0, rows.height, _STRIP):
        rows.read(top, min(top + _STRIP, rows.height))


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """A list whose number becomes the most bytes that this process took beyond what it had."""
    process, ended, most = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not ended.is_set():
            most[0] = max(most[0], process.memory_info().rss - before)
            sleep(_PERIOD)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()
