"""A generator that is let go where it wins: the adversary's opinion does not count while it is good enough."""

import math

import torch
from torch import Tensor

from sr.training.processes import average_over_processes
from sr.types import Scalar

LAST = 10


class MinLoss:
    """Takes the gradient out of an adversary's opinion while the mean of its last ten values is below a number.

    DL-Art-School's ``min_loss`` (dd9d7b2, 2020). Before there are ten values, each counts. Nothing waits for
    the device. Processes that train together decide by the mean of theirs.

    Args:
        value: of the loss before its weight.

    Raises:
        ValueError: it is not positive.
    """

    def __init__(self, value: float) -> None:
        if not 0 < value < math.inf:
            raise ValueError(
                f"min_loss={value} must be a positive number, below which the generator has won; bce says 0.69 of an "
                "undecided discriminator, and null always counts."
            )
        self.value = value
        self._last: list[Tensor] = []

    def __call__(self, loss: Scalar) -> Scalar:
        """The same value, with gradient or without."""
        self._last = [*self._last, average_over_processes(loss.detach())][-LAST:]
        if len(self._last) < LAST:
            return loss
        return torch.where(torch.stack(self._last).mean() < self.value, loss.detach(), loss)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """The last values, for the checkpoint."""
        return {"last": list(self._last)}

    def load_state_dict(self, state: dict[str, list[Tensor]], device: torch.device) -> None:
        """Continue from ``state_dict()``'s value; of a run without, there is none."""
        self._last = [value.to(device) for value in state.get("last", [])][-LAST:]
