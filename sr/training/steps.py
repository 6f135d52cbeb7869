"""What the steps of every training module have in common: its optimisers, its rates, and whether it is sound."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from sr.training.columns import gain
from sr.training.contract import Trainable
from sr.training.optimisers import clipped_norm, set_rates
from sr.training.schedules import Schedule


def optimizers_of(module: Trainable) -> list[LightningOptimizer]:
    """The generators', then the adversaries'."""
    made = module.optimizers()
    return made if isinstance(made, list) else [made]


def plain_optimizers(module: Trainable) -> list[Optimizer]:
    """The same without Lightning's wrappers."""
    return [optimizer.optimizer for optimizer in optimizers_of(module)]


def learning_rates(module: Trainable) -> dict[str, float]:
    """Of the first parameter group of the generators' first optimiser and of each adversary's, by column of the log."""
    optimizers = optimizers_of(module)
    others = zip(module.adversaries, optimizers[len(optimizers) - len(module.adversaries) :], strict=True)
    named = {"train/lr": optimizers[0]} | {f"train/{name}/lr": optimizer for name, optimizer in others}
    return {name: float(optimizer.param_groups[0]["lr"]) for name, optimizer in named.items()}


def only(module: Trainable, optimizer: LightningOptimizer, complete: bool) -> AbstractContextManager[None]:
    """Freeze the other networks, and keep processes from exchanging gradients inside an accumulation.

    Args:
        module: whose step it is.
        optimizer: of the network that may learn.
        complete: its update is complete with this batch.
    """
    if not module.adversaries and module.accumulate == 1:
        return nullcontext()
    return optimizer.toggle_model(sync_grad=complete)


def tell_updates(module: Trainable) -> None:
    """Tell networks that change with training, by a method ``at_update(updates)``, which update begins.

    What they take from it is a function of that number alone, or a buffer: so it is the same when a run goes on, or
    goes back.
    """
    for network in (module.network, *(adversary.network for adversary in module.adversaries.values())):
        at_update: Callable[[int], None] | None = getattr(network, "at_update", None)
        if at_update is not None:
            at_update(module.clock.updates)


def measures_of(network: nn.Module, column: str) -> dict[str, Tensor]:
    """What a network measures of itself by a method ``measures()``, by column of the log; nothing where it has none.

    Args:
        network: that has just been trained.
        column: what the names begin with, such as ``train/sr``.
    """
    measures: Callable[[], dict[str, Tensor]] | None = getattr(network, "measures", None)
    return {} if measures is None else {f"{column}/{name}": value for name, value in measures().items()}


def update(
    module: Trainable, name: str, optimizer: LightningOptimizer, schedule: Schedule, clip: float | None, losses: Tensor
) -> None:
    """Apply the gradients that have gathered, at the rate of this update, and look whether they are finite.

    Args:
        module: whose step it is.
        name: of the network, in the log.
        optimizer: its.
        schedule: factor on its rates.
        clip: largest norm of the gradient, or None.
        losses: that the gradients came from.
    """
    set_rates(optimizer.optimizer, module.rate * schedule.factor(module.clock.updates, module.clock.progress))
    norm = clipped_norm(optimizer.optimizer, clip)
    module.means.add({f"train/{name}/gradient": norm})
    module.alarm.note(module.clock.updates + 1, name, "gradient", [losses, norm])
    optimizer.step()
    optimizer.zero_grad()


def log_losses(module: Trainable, total: Tensor, terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> None:
    """The generators' loss, and each term of it as it is and, where its weight is not 1, weighted.

    Args:
        module: whose step it is.
        total: the sum.
        terms: values by name.
        weights: likewise.
    """
    values = {"total": total} | dict(terms)
    values |= {f"{name}_weighted": weight * terms[name] for name, weight in weights.items() if weight != 1}
    module.means.add({f"train/g/{name}": value for name, value in values.items()})


def observe(module: Trainable, metric: str, value: float) -> None:
    """Tell all schedules how a validation went.

    Args:
        module: whose.
        metric: its name. Learning rates are told the value as it is, as their ``mode`` says what is better.
        value: weights are told it so that more is better.
    """
    module.schedule.observe(value)
    module.objective.observe(gain(metric, value))
    for adversary in module.adversaries.values():
        adversary.observe(value, gain(metric, value))


@torch.no_grad()
def is_finite(module: Trainable) -> bool:
    """Whether every weight of every network is a finite number; this waits for the device."""
    networks = [module.network, module.deliverable, *(a.network for a in module.adversaries.values())]
    weights = [weight for network in networks for weight in network.parameters()]
    return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())
