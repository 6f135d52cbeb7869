"""Swapout: now and then the opponent is an earlier one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sr.draws import Draws
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.contract import Trainable
from sr.training.ema import Ema
from sr.training.steps import plain_optimizers
from sr.types import UserError

GENERATOR = "g"
FEWEST = 2
"""Earlier states from which on one is drawn, as in the source."""


@dataclass
class _Earlier:
    """A network as it was after ``at`` updates, with the moments of its optimiser; and how long it plays."""

    tensors: list[Tensor]
    moments: list[dict[str, Any]]
    at: int
    until: int = 0

    def moved(self, device: torch.device) -> "_Earlier":
        return _Earlier(
            [tensor.to(device, copy=True) for tensor in self.tensors],
            [{k: _copied(v, None if k == "step" else device) for k, v in one.items()} for one in self.moments],
            self.at,
            self.until,
        )


class Swapout(UpdateCallback):
    """Exchanges generator and discriminators, each by itself, for one of their earlier states, for a while.

    DL-Art-School's swapout (c8ab89d, 635c534; May 2020: every 113 and 223 updates, for 40), for more diversity: the
    discriminator meets what the generator used to make, and the generator an earlier judge. An earlier network learns
    as it plays, with its own moments; what it learned is thrown away, and the network and its optimiser go on as they
    were. The source let its optimiser run on with moments of another network, and an earlier network could be saved.
    Here it plays within updates only: what is validated, saved, exported and averaged is never an earlier one. The
    states are in main memory and in every checkpoint: ``kept`` times three times the networks, with Adam.

    Args:
        g_every: the generator may be exchanged at each multiple of so many updates; null for never.
        d_every: likewise the discriminators.
        duration: updates that an earlier one plays.
        keep_every: updates from one kept state to the next; at least two are needed before anything is exchanged.
        kept: states that are kept, the newest.
        seed: of what is drawn.

    Raises:
        UserError: a number below 1, a duration that leaves no time of its own to a network, or nothing to exchange.
    """

    def __init__(
        self, g_every: int | None, d_every: int | None, duration: int, keep_every: int, kept: int = 5, seed: int = 0
    ) -> None:
        if g_every is None and d_every is None:
            raise UserError("swapout: g_every=null and d_every=null exchange nothing; set one, or leave swapout out")
        numbers = {"g_every": g_every, "d_every": d_every, "duration": duration, "keep_every": keep_every}
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise UserError(f"swapout: {name}={number} must be at least 1 (updates)")
        for name, every in (("g_every", g_every), ("d_every", d_every)):
            if every is not None and every <= duration:
                raise UserError(
                    f"swapout: {name}={every} must be above duration={duration}; take {duration + 1} or more"
                )
        if kept < FEWEST:
            raise UserError(f"swapout: kept={kept} must be at least {FEWEST}, the fewest that one is drawn from")
        self.g_every, self.d_every, self.duration = g_every, d_every, duration
        self.keep_every, self.kept, self.seed = keep_every, kept, seed
        self._pool: dict[str, list[_Earlier]] = {}
        self._playing: dict[str, _Earlier] = {}
        self._inside = False
        self._restarted = 0
        self._ema: Ema | None = None

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Earlier networks enter where an update begins."""
        module = training_module(pl_module)
        if module.rolled_back:  # an earlier one may be what exploded
            self._playing = {}
            for name, pool in self._pool.items():
                self._pool[name] = [one for one in pool if one.at <= module.updates]
        if module.at_update:
            self._draw(module)
            self._exchange(module, enter=True)

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        """They leave before anybody looks; what is due is kept."""
        self._exchange(module, enter=False)
        self._playing = {name: one for name, one in self._playing.items() if module.updates < one.until}
        if module.updates % self.keep_every == 0:
            for name in self.exchanged(module.adversaries):
                self._pool[name] = [*self._pool.get(name, []), _kept(*self._pair(module, name), module.updates)]
                self._pool[name] = self._pool[name][-self.kept :]

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Whatever ends a step, the networks are the run's own."""
        self._exchange(training_module(pl_module), enter=False)

    def state_dict(self) -> dict[str, Any]:
        """All states, as tensors and plain values."""

        def plain(one: _Earlier) -> dict[str, Any]:
            return {"tensors": one.tensors, "moments": one.moments, "at": one.at, "until": one.until}

        return {
            "pool": {name: [plain(one) for one in pool] for name, pool in self._pool.items()},
            "playing": {name: plain(one) for name, one in self._playing.items()},
        }

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Take back what ``state_dict`` gave.

        Args:
            state: of a checkpoint.
            device: of the networks.
        """
        self._pool = {name: [_Earlier(**one) for one in pool] for name, pool in state["pool"].items()}
        self._playing = {name: _Earlier(**one).moved(device) for name, one in state["playing"].items()}

    def exchanged(self, adversaries: Iterable[str]) -> dict[str, int]:
        """How often each network may be exchanged, by name: ``g`` and those of adversaries.

        Args:
            adversaries: their names.
        """
        every = {GENERATOR: self.g_every, **dict.fromkeys(adversaries, self.d_every)}
        return {name: number for name, number in every.items() if number is not None}

    def doubt(self, adversaries: Iterable[str], end: int | None) -> str | None:
        """A sentence where no network will ever be exchanged.

        Args:
            adversaries: their names.
            end: of the run in updates, or None.
        """
        known = FEWEST * self.keep_every  # updates after which there are states to draw from
        first = min((-(-known // every) * every for every in self.exchanged(adversaries).values()), default=None)
        if first is None:
            return f"swapout exchanges nothing: g_every=null, and d_every={self.d_every} has no adversary"
        if end is None or first < end:
            return None
        return (
            f"swapout exchanges nothing before update {first}, as it keeps a state every keep_every={self.keep_every} "
            f"updates and needs {FEWEST}, and the run ends at {end}"
        )

    def _draw(self, module: Trainable) -> None:
        for name, every in self.exchanged(module.adversaries).items():
            pool = self._pool.get(name, [])
            if name in self._playing or module.updates % every or len(pool) < FEWEST:
                continue
            draws = Draws(self.seed, np.array([module.updates])).within("swapout").within(name)
            earlier = pool[int(draws.integers("which", len(pool))[0])].moved(module.compute.device)
            earlier.until = module.updates + self.duration
            self._playing[name] = earlier

    def _exchange(self, module: Trainable, enter: bool) -> None:
        if self._inside == enter:
            return
        self._inside = enter
        if not enter and module.parts.restarted != self._restarted:  # all optimisers began anew, the run's own too
            for earlier in self._playing.values():
                earlier.moments = [{} for _ in earlier.moments]
        self._restarted = module.parts.restarted
        for name, earlier in self._playing.items():
            _swap(*self._pair(module, name), earlier)
        if enter and GENERATOR in self._playing:
            self._ema, module.ema = module.ema, None
        elif not enter and self._ema is not None:
            self._ema, module.ema = None, self._ema

    @staticmethod
    def _pair(module: Trainable, name: str) -> tuple[nn.Module, Optimizer]:
        generator, *others = plain_optimizers(module)
        if name == GENERATOR:
            return module.network, generator
        return module.adversaries[name].network, others[list(module.adversaries).index(name)]


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _kept(network: nn.Module, optimizer: Optimizer, at: int) -> _Earlier:
    moments = [
        {key: _copied(value, torch.device("cpu")) for key, value in optimizer.state.get(parameter, {}).items()}
        for parameter in _learned(optimizer)
    ]
    return _Earlier([tensor.detach().to("cpu", copy=True) for tensor in _tensors(network)], moments, at)


@torch.no_grad()
def _swap(network: nn.Module, optimizer: Optimizer, earlier: _Earlier) -> None:
    """In place, without copies; a second time, everything is as it was."""
    for index, tensor in enumerate(_tensors(network)):
        tensor.data, earlier.tensors[index] = earlier.tensors[index], tensor.data
    for index, parameter in enumerate(_learned(optimizer)):
        own = optimizer.state.pop(parameter, {})
        if earlier.moments[index]:
            optimizer.state[parameter] = _counted_beside(earlier.moments[index], own)
        earlier.moments[index] = own


def _counted_beside(moments: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """With the count of steps where the optimiser keeps its own: on the CPU, or by the weights where it is fused."""
    step, own_step = moments.get("step"), own.get("step")
    if not isinstance(step, Tensor) or not isinstance(own_step, Tensor) or step.device == own_step.device:
        return moments
    return {**moments, "step": step.to(own_step.device)}


def _learned(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _copied(value: Any, device: torch.device | None) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.detach().to(value.device if device is None else device, copy=True)
