"""Optimisers of a run: made by name, their learning rates set on the updates clock, gradients measured and clipped."""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from sr.training.parts import Parts
from sr.types import UserError

OptimizerFactory = Callable[[Iterable[nn.Parameter] | list[dict[str, Any]]], Optimizer]


_ARGUMENTS = {
    "learning rate": ("lr", "1e-3"),
    "epsilon": ("eps", "1e-8"),
    "weight_decay": ("weight_decay", "0"),
    "momentum": ("momentum", "0.9"),
}
"""Torch's words, the argument, and a value that it takes."""
_BETA = r"Invalid beta parameter at index (\d): (\S+)"


def make_optimizer(factory: OptimizerFactory, network: nn.Module, name: str, parts: Parts | None = None) -> Optimizer:
    """An optimiser of the weights that may change; each group remembers its base rate as ``initial_lr``.

    Args:
        factory: makes it from parameters.
        network: whose.
        name: of the setting, for the message.
        parts: that learn at another rate, or None.

    Raises:
        UserError: it refuses its settings.
    """
    if not any(p.requires_grad for p in network.parameters()):
        raise UserError(
            f"{name}: {type(network).__name__} has no weight that learns; choose a network that has (discriminator=… "
            "of an adversary, model=… otherwise)"
        )
    try:
        if parts is None or not parts.rates:
            optimizer = factory([p for p in network.parameters() if p.requires_grad])
        else:
            optimizer = factory(parts.groups(network))
    except ValueError as error:
        raise UserError(_refusal(name, str(error))) from error
    for group in optimizer.param_groups:
        if not math.isfinite(group["lr"]):  # of which torch takes one
            raise UserError(f"{name}.lr={group['lr']} must be finite, such as {name}.lr=1e-3")
        group.setdefault("initial_lr", group["lr"] * group.pop("factor", 1.0))
    return optimizer


def _refusal(name: str, text: str) -> str:
    """Torch's ``Invalid learning rate: -1.0`` by the setting's name, with a value that it takes."""
    one, beta = re.fullmatch(r"Invalid (.+?)(?: value)?: (\S+)", text), re.fullmatch(_BETA, text)
    if one and one[1] in _ARGUMENTS:
        argument, example = _ARGUMENTS[one[1]]
        setting = f"{name}.{argument}"
        return f"{setting}={one[2].removesuffix('.0')} must be positive or 0, such as {setting}={example}"
    if beta:
        return f"{name}.betas[{beta[1]}]={beta[2]} must be at least 0 and below 1, such as '{name}.betas=[0.9,0.999]'"
    return f"{name}: {text}"


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
