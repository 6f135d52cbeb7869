"""`sr replay`: see an explosion again, from the bundle that it left."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console
from rich.table import Table

from sr.config.building import build_clock, build_module, seed_everything
from sr.config.composing import changed
from sr.config.stored import opened
from sr.console import plain_console
from sr.data.crops import Batch
from sr.errors import UserError
from sr.training.callbacks.clocked import UpdateCallback, training_module
from sr.training.contract import Trainable
from sr.training.fitting import fit, make_trainer
from sr.training.keeping.bundle import Bundle, read_bundle
from sr.training.keeping.checkpoint import set_random_states, understood
from sr.training.keeping.state import load_trained_state
from sr.training.steps import is_finite


def replay(path: Path, last: int, overrides: Sequence[str], trust: bool = False) -> None:
    """Train from the last good state over the stored batches and print the last updates before the explosion.

    Args:
        path: a bundle.
        last: how many updates to print.
        overrides: ``key=value`` that differ from the run's settings, such as ``trainer.clip=1.0``, to try a way out.
        trust: the user knows who wrote the bundle: what it names outside this toolkit is called, too.

    Raises:
        UserError: the file is no bundle, or a setting does not exist.
    """
    console = plain_console(soft_wrap=True)
    bundle = read_bundle(path)
    config = changed(opened(bundle.config, path, trust), overrides)
    with understood(path):
        _check_scale(bundle.batches, config.scale)
    seed_everything(config.seed)
    module = build_module(config, build_clock(config, lambda _: None))
    compute = module.compute
    updates = len(bundle.batches) // (module.accumulate * module.g_every)
    console.print(
        f"{path}: {bundle.trouble} at update {bundle.update}; {updates} updates from the last good state, "
        f"seed {config.seed}, {compute.device.type}, {compute.reason}"
    )
    seen = _run(module, bundle, path, compute)
    _print(console, seen[-last:])
    console.print(_verdict(seen, config.trainer.guard.threshold, is_finite(module)))


def _verdict(seen: list[tuple[int, dict[str, float]]], threshold: float, weights_finite: bool) -> str:
    bad = next((updates for updates, values in seen if not _finite(values)), None)
    if bad is not None:
        return f"update {bad} is not finite: seen again"
    for updates, values in seen:
        total = values.get("train/g/total", 0.0)
        if total > threshold:
            return f"train/g/total is {total:.4g} at update {updates}, above the threshold {threshold:g}: seen again"
    if not weights_finite:
        return f"a weight is not finite after update {seen[-1][0]}: seen again"
    return f"every value and every weight stayed finite, and train/g/total below {threshold:g}"


def _check_scale(batches: Sequence[Batch], scale: int) -> None:
    """Make sure that crops fit each other.

    Raises:
        ValueError: they do not.
    """
    for lr, hr, _, real, _ in batches:  # low resolution may be made later, or have no truth
        sides = [scale * side for side in lr.shape[2:]] if lr is not None else []
        large = [list(one.shape[2:]) for one in (hr, real) if one is not None] + [sides] * (lr is not None)
        square = large and large[0][0] == large[0][1] and large[0][0] % scale == 0  # as every crop is
        if (lr is None and hr is None) or not square or any(one != large[0] for one in large):
            raise ValueError(f"a batch is not of scale {scale}")


class _Recorder(UpdateCallback):
    """Puts the state in place, and reads every update's values."""

    def __init__(self, bundle: Bundle, path: Path) -> None:
        self.bundle, self.path = bundle, path
        self.seen: list[tuple[int, dict[str, float]]] = []

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        module = training_module(pl_module)
        with understood(self.path):
            load_trained_state(module, self.bundle.trained)
            set_random_states(self.bundle.random)
        module.means.clear()

    def after_update(self, trainer: lightning.Trainer, module: Trainable) -> None:
        self.seen.append((module.updates, module.means.take()))


class _Stored:
    """Batches as a loader; a list would be taken for several loaders."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def _run(
    module: lightning.LightningModule, bundle: Bundle, path: Path, compute: Any
) -> list[tuple[int, dict[str, float]]]:
    recorder = _Recorder(bundle, path)
    trainer = make_trainer(compute, [recorder], [])
    fit(trainer, module, _Stored(bundle.batches))
    return recorder.seen


def _finite(values: dict[str, float]) -> bool:
    return all(torch.isfinite(torch.tensor(value)) for value in values.values())


def _print(console: Console, seen: list[tuple[int, dict[str, float]]]) -> None:
    if not seen:
        raise UserError("the bundle has no complete update; its file was cut short")
    names = list(dict.fromkeys(name for _, values in seen for name in values))
    table = Table("value", *[f"update {updates}" for updates, _ in seen])
    for name in names:
        table.add_row(name, *[f"{values[name]:.5g}" if name in values else "" for _, values in seen])
    console.print(table)
