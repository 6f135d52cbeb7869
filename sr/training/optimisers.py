"""Optimisers of a run: made by name, their learning rates set on the updates clock, gradients measured and clipped."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn
from torch.optim import Optimizer

from sr.types import UserError

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


def make_optimizer(factory: OptimizerFactory, network: nn.Module, name: str) -> Optimizer:
    """An optimiser of the weights that may change; each group remembers its base rate as ``initial_lr``.

    Args:
        factory: makes it from parameters.
        network: whose.
        name: of the setting, for the message.

    Raises:
        UserError: it refuses its settings.
    """
    try:
        optimizer = factory([p for p in network.parameters() if p.requires_grad])
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return optimizer


def set_rates(optimizer: Optimizer, factor: float) -> None:
    """Every group's learning rate is its base rate times ``factor``."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def clipped_norm(optimizer: Optimizer, clip: float | None) -> Tensor:
    """Norm of all gradients, before they are clipped.

    Args:
        optimizer: whose parameters.
        clip: largest norm that is left, or None.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if clip is not None:
        return nn.utils.clip_grad_norm_(parameters, clip)
    return nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
