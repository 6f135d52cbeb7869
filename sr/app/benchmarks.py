"""`sr bench`: rates measured on this machine, each against its plain alternative in the same process."""

import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import lightning
import numpy as np
import psutil
import torch
import torch.nn.functional as F
from PIL import Image as PillowImage
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from sr.app.building import build, build_compute, build_module
from sr.app.composing import composed
from sr.app.opponents import build_adversaries
from sr.app.preparing import StoreProgress
from sr.data.crops import Batch, CropBatches
from sr.data.module import CropData
from sr.errors import UserError
from sr.losses.pixel import L1
from sr.training.adversary.adversary import Adversary
from sr.training.callbacks.clocked import UpdateCallback
from sr.training.clock import Clock
from sr.training.fitting import fit, make_trainer
from sr.training.module import SuperResolution
from sr.training.precision import Compute

_PNG_PICTURES = 32


def bench_data(overrides: Sequence[str], seconds: float) -> None:
    """Print pairs of crops per second: store on one core, and PNG files decoded for every crop.

    Args:
        overrides: as for train.py.
        seconds: length of each measurement.
    """
    console = Console()
    config = composed(overrides)
    data = prepared(config, console)
    batches = data.stream.batches
    if batches.lr is None:
        raise UserError("the degradation runs on the device, so the store has no pairs; try degradation=bicubic")
    torch.set_num_threads(1)
    side = batches.plan.crop * batches.plan.scale
    console.print(f"pairs with {side}x{side} HR crops on one core; {machine()}", highlight=False, soft_wrap=True)
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
    console.print(f"the store is {store / png:,.0f} times faster", highlight=False)


def _store_rate(batches: CropBatches, seconds: float) -> float:
    for number in range(20):
        batches[number]
    start, number = perf_counter(), 20
    while perf_counter() - start < seconds:
        batches[number]
        number += 1
    return (number - 20) * batches.batch_size / (perf_counter() - start)


def _png_rate(batches: CropBatches, seconds: float) -> float:
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


def bench_step(overrides: Sequence[str], updates: int, rounds: int) -> None:
    """Print the time of a training step beside that of a bare loop, measured in turns in one process.

    Args:
        overrides: as for train.py.
        updates: per round.
        rounds: of each loop.
    """
    console = Console()
    config = composed(overrides)
    compute = build_compute(config)
    data = prepared(config, console)
    module = build_module(config, compute, Clock(updates * (rounds + 1), None))
    _check_plain(config)
    rivals = build_adversaries(config, compute, build)
    bare = BareLoop(
        build("model", config.model),
        build("optimizer", config.optimizer),
        data.stream.batches,
        compute,
        rivals.get("d"),
    )
    turns = Turns(updates, rounds, bare)
    fit(make_trainer(compute, [turns], []), module, data)
    against = "".join(f" against {type(a.network).__name__}, {type(a.objective).__name__}" for a in rivals.values())
    what = f"{type(module.network).__name__} x{config.scale}{against}, {_batch(config)}, {compute.reason}"
    console.print(f"{what}; {machine()}", highlight=False, soft_wrap=True)
    table = Table()
    for column in ("loop", "median ms/step", "min", "max", "pictures/s"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    for name, times in (("bare PyTorch", turns.bare_times), ("this toolkit", turns.own_times)):
        table.add_row(
            name,
            *[f"{1000 * f(times):.3f}" for f in (median, min, max)],
            f"{config.data.batch_size / median(times):,.0f}",
        )
    console.print(table)
    ratio = median(own / plain for own, plain in zip(turns.own_times, turns.bare_times, strict=True))
    console.print(f"ratio {ratio:.3f} (median over {rounds} rounds of {updates} updates)", highlight=False)


def _check_plain(config: Any) -> None:
    """The bare loop knows L1 and one plain adversary.

    Raises:
        UserError: the configuration has more.
    """
    if set(config.loss.terms) != {"l1"}:
        raise UserError(f"sr bench step compares loss=l1, not {', '.join(config.loss.terms)}")
    for name, node in config.adversary.items():
        more = [key for key in ("noise", "swap") if node.shows.get(key)] + (["replay"] if node.get("replay") else [])
        policy = [f"policy.{key}" for key in ("d_steps", "g_every") if node.policy[key] != 1]
        more += policy + (["shows.shift"] if node.shows.shift else []) + (["r1_gamma"] if node.r1_gamma else [])
        more += ["objective.penalty"] if node.objective.get("penalty") else []
        if more or name != "d":
            raise UserError(f"sr bench step compares one plain adversary; leave {', '.join(more) or name} out")


class BareLoop:
    """What somebody would write in forty lines: cut, convert, forward, L1, backward, step, and the opponent's turn.

    Args:
        network: the generator.
        optimizer: makes its optimiser.
        batches: crops.
        compute: device, number format and layout.
        rival: a discriminator with its objective and optimiser, or None.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[..., Any],
        batches: CropBatches,
        compute: Compute,
        rival: Adversary | None = None,
    ) -> None:
        self.network = compute.place(network).train()
        self.optimizer = optimizer(list(self.network.parameters()))
        self.loss = L1()
        self.compute = compute
        self._stream = _endless(batches)
        self.rival = rival
        self.rival_optimizer = None if rival is None else rival.optimizer()

    def run(self, updates: int) -> None:
        """So many updates."""
        for _ in range(updates):
            batch = next(self._stream)
            hr = self.compute.to_image(batch.hr)
            with torch.no_grad():
                lr = self.compute.to_image(batch.lr if batch.lr is not None else batch.hr)
            with self.compute.autocast():
                sr = self.network(lr)
            loss = self.loss(sr, hr)
            if self.rival is not None:
                beside = self._beside(lr)
                self.rival.network.requires_grad_(False)
                fake, real = self._judged(sr, beside), None
                if self.rival.objective.compares:
                    real = self._judged(hr, beside)
                loss = loss + self.rival.weight(0) * self.rival.objective.generator(fake, real)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            if self.rival is not None:
                self._opponent(sr.detach(), hr, beside)

    def _opponent(self, sr: Tensor, hr: Tensor, beside: list[Tensor]) -> None:
        assert self.rival is not None
        assert self.rival_optimizer is not None
        self.rival.network.requires_grad_(True)
        real, fake = self._judged(hr, beside), self._judged(sr, beside)
        terms = self.rival.objective.discriminator(real, fake, (1.0, 0.0))
        (terms[0] + terms[1]).backward()
        self.rival_optimizer.step()
        self.rival_optimizer.zero_grad()

    def _beside(self, lr: Tensor) -> list[Tensor]:
        assert self.rival is not None
        if self.rival.shows.condition == "none":
            return []
        return [F.interpolate(lr, scale_factor=self.rival.shows.scale, mode="bicubic")]

    def _judged(self, picture: Tensor, beside: list[Tensor]) -> Tensor:
        assert self.rival is not None
        with self.compute.autocast():
            judged: Tensor = self.rival.network(torch.cat([picture.float(), *beside], dim=1))
        return judged


def _endless(batches: CropBatches) -> Iterator[Batch]:
    number = 0
    while True:
        yield batches[number]
        number += 1


class Turns(UpdateCallback):
    """Lets the toolkit's loop and the bare loop run in turns and times both.

    Args:
        updates: per turn.
        rounds: timed turns of each, after one that warms up.
        bare: the bare loop.
    """

    def __init__(self, updates: int, rounds: int, bare: BareLoop) -> None:
        self.updates, self.rounds, self.bare = updates, rounds, bare
        self.own_times: list[float] = []
        self.bare_times: list[float] = []
        self._turn = -1
        self._started = 0.0

    def after_update(self, trainer: lightning.Trainer, module: SuperResolution) -> None:
        """At the end of a turn of the toolkit, time one of the bare loop."""
        if module.updates % self.updates != 0:
            return
        wait(self.bare.compute.device)
        own = perf_counter() - self._started
        started = perf_counter()
        self.bare.run(self.updates)
        wait(self.bare.compute.device)
        if self._turn >= 0:
            self.own_times.append(own / self.updates)
            self.bare_times.append((perf_counter() - started) / self.updates)
        self._turn += 1
        trainer.should_stop = self._turn == self.rounds
        self._started = perf_counter()


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def prepared(config: Any, console: Console) -> CropData:
    """The data module with its stores open."""
    data: CropData = build("data", config.data)
    degradation = build("degradation", config.degradation)
    with StoreProgress(console) as progress:
        data.prepare(
            degradation,
            build_compute(config).device,
            progress.update,
            lambda text: console.print(text, highlight=False, markup=False),
        )
    return data


def _batch(config: Any) -> str:
    return f"batch {config.data.batch_size} of {config.data.crop}x{config.data.crop} LR"


def machine() -> str:
    """Chip and version of PyTorch, which every figure needs beside it."""
    if torch.cuda.is_available():
        chip = torch.cuda.get_device_name()
    else:
        chip = f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores"
    return f"{chip}, torch {torch.__version__}"
