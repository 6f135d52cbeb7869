"""Exponential moving average of a network's weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sr.training.copies import copied


def ema_decay(updates: int, decay: float) -> float:
    """Share of the old average kept at update n = ``updates`` (from 0): min(decay, (1 + n) / (10 + n)).

    The ramp lets the average leave the random initial weights behind: 0.1 at first, 0.99 after about 900
    updates.
    """
    return min(decay, (1 + updates) / (10 + updates))


class Ema:
    """Keeps a second network: average <- d * average + (1 - d) * weights after each update.

    Floating-point buffers are averaged as well; integer ones are copied, and those whose layer names them in
    ``copied_buffers``, as a temperature: the average is used at today's. Nothing waits for the device.

    Args:
        decay: d in [0, 1) once the ramp is over; 0.999 averages over about the last 1000 updates.
        warmup: ramp the decay up (see ``ema_decay``); otherwise it is ``decay`` from the first update.

    Raises:
        ValueError: ``decay`` out of range.
    """

    def __init__(self, decay: float = 0.999, warmup: bool = True) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, not {decay}.")
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        self._average: nn.Module | None = None

    def start(self, module: nn.Module) -> None:
        """Begin from a copy of ``module`` on its device; forgets an earlier average."""
        self._average = copied(module)
        self.updates = 0

    def averaged(self) -> nn.Module:
        """The averaged network itself, in eval mode and without gradients; it changes with ``update``.

        Raises:
            RuntimeError: ``start`` was not called.
        """
        if self._average is None:
            raise RuntimeError("call Ema.start(module) before using the average.")
        return self._average

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the weights of ``module``, which has the structure given to ``start``."""
        decay = ema_decay(self.updates, self.decay) if self.warmup else self.decay
        old_floats, old_others = _split(self.averaged())
        new_floats, new_others = _split(module)
        if old_floats:
            torch._foreach_lerp_(old_floats, new_floats, 1 - decay)
        if old_others:
            torch._foreach_copy_(old_others, new_others)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Number of updates and the averaged network's state, for the checkpoint."""
        return {"updates": self.updates, "module": self.averaged().state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``'s value; call ``start`` first, it brings the structure."""
        self.averaged().load_state_dict(state["module"])
        self.updates = int(state["updates"])


def _split(module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters and buffers: those that are averaged, and the rest."""
    buffers = [
        (buffer, buffer.is_floating_point() and name not in getattr(layer, "copied_buffers", ()))
        for layer in module.modules()
        for name, buffer in layer._buffers.items()
        if buffer is not None
    ]
    pairs = [*((p.detach(), p.is_floating_point()) for p in module.parameters()), *buffers]
    return [t for t, averaged in pairs if averaged], [t for t, averaged in pairs if not averaged]
