"""`sr bench step`: time and memory of a training step beside those of a bare PyTorch loop, in turns in one process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from rich.table import Table
from torch import Tensor, nn

from sr.config.building import build, build_module
from sr.config.composing import composed
from sr.config.growing import grow_from
from sr.config.opponents import build_adversaries
from sr.config.starting import start_from, start_of
from sr.console import plain_console
from sr.data.crops import Batch, CropBatches
from sr.errors import UserError
from sr.losses.pixel import L1
from sr.models.outputs import picture_of
from sr.training.adversary.adversary import Adversary
from sr.training.callbacks.clocked import UpdateCallback
from sr.training.clock import Clock
from sr.training.contract import Trainable
from sr.training.fitting import fit, make_trainer
from sr.training.machine import machine
from sr.training.optimisers import make_optimizer
from sr.training.peak import peak_bytes
from sr.training.precision import Compute
from sr.verbs.bench.shared import high, prepared, wait


def bench_step(overrides: Sequence[str], updates: int, rounds: int, config_dir: Path | None = None) -> None:
    """Print the time of a training step beside that of a bare loop, measured in turns in one process.

    Args:
        overrides: as for train.py.
        updates: per round.
        rounds: of each loop.
        config_dir: a folder of choices of the user's.
    """
    console = plain_console()
    config = composed(overrides, config_dir)
    if set(config.loss.terms) != {"l1"}:
        raise UserError(f"sr bench step compares loss=l1, not {', '.join(config.loss.terms)}")
    module = build_module(config, Clock(updates * (rounds + 1), None))
    start = start_of(config.init_from, config.grow_from)
    start_from(module, start, console.print)
    grow_from(module, start, config.model, console.print)
    check_plain(module.adversaries)
    data, compute, rivals = prepared(config, console), module.compute, build_adversaries(config, build)
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
    console.print(f"{what}; {machine()}", soft_wrap=True)
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
    peak = peak_bytes(partial(bare.run, 1), compute.device)
    console.print(f"peak memory of a step: {peak / 2**20:,.1f} MiB beyond weights and optimisers, in the bare loop")
    console.print(f"ratio {ratio:.3f} (median over {rounds} rounds of {updates} updates)")


def check_plain(adversaries: Mapping[str, Adversary]) -> None:
    """The bare loop knows one plain adversary.

    Raises:
        UserError: there is more than that; the message names it.
    """
    for name, adversary in adversaries.items():
        shows, policy = adversary.shows, adversary.policy
        beyond = {
            "shows.noise": shows.noise,
            "shows.swap": shows.swap,
            "shows.shift": shows.shift,
            "policy.d_steps": policy.d_steps != 1,
            "policy.g_every": policy.g_every != 1,
            "policy.regenerate": policy.regenerate,
            "policy.stepper": policy.stepper,
            "replay": adversary.replay,
            "r1_gamma": adversary.r1_gamma,
            "objective.penalty": adversary.objective.penalty,
            "mismatched": adversary.mismatched,
            "min_loss": adversary.min_loss,
        }
        more = [f"adversary.{name}.{key}" for key, there in beyond.items() if there]
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
        if rival is not None:
            compute.place(rival.network)
            self.rival_optimizer = make_optimizer(rival.optimizer, rival.network, "adversary.d.optimizer")

    def run(self, updates: int) -> None:
        """So many updates."""
        for _ in range(updates):
            batch = next(self._stream)
            hr = self.compute.to_image(high(batch))
            with torch.no_grad():
                lr = self.compute.to_image(batch.lr if batch.lr is not None else high(batch))
            with self.compute.autocast():
                sr = picture_of(self.network(lr))
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

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
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


def _batch(config: Any) -> str:
    return f"batch {config.data.batch_size} of {config.data.crop}x{config.data.crop} LR"
