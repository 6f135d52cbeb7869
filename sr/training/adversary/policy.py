"""When a discriminator learns."""

from typing import Any, Literal

import torch
from torch import Tensor

from sr.choices import check_choice
from sr.training.processes import average_over_processes

Order = Literal["g_first", "d_first"]


def hysteresis(throttled: bool, loss: float, off: float, on: float) -> bool:
    """Whether the discriminator rests: from a loss below ``off`` until one above ``on``.

    Args:
        throttled: whether it rested at the last step.
        loss: at the last step.
        off: it is too good below.
        on: it must learn again above.
    """
    if loss < off:
        return True
    return False if loss > on else throttled


class Stepper:
    """Lets the discriminator rest while it is too good (experiment log #25 on).

    What it decides on is the loss of the previous step, which the device has finished by then: reading it does not
    keep the device waiting. A resting discriminator is measured in evaluation mode: no weight and no statistic moves.

    Args:
        rest_below: it is switched off as soon as the loss falls below.
        learn_above: it is switched on again as soon as the loss rises above.

    Raises:
        ValueError: off is above on, or negative.
    """

    def __init__(self, rest_below: float, learn_above: float) -> None:
        if not 0 <= rest_below <= learn_above:
            low, high = sorted((abs(rest_below), abs(learn_above)))
            raise ValueError(
                f"the stepper switches off below rest_below={rest_below} and on above learn_above={learn_above}, so "
                f"off must not be above on; write rest_below={low} and learn_above={high}."
            )
        self.rest_below, self.learn_above = rest_below, learn_above
        self._throttled = False
        self._loss: Tensor | None = None
        self._copied: torch.cuda.Event | None = None

    def throttled(self) -> bool:
        """Whether the discriminator rests in this step; asks for the loss that `note` was given."""
        if self._loss is not None:
            if self._copied is not None:
                self._copied.synchronize()
            self._throttled = hysteresis(self._throttled, float(self._loss), self.rest_below, self.learn_above)
            self._loss, self._copied = None, None
        return self._throttled

    def note(self, loss: Tensor) -> None:
        """Remember this step's loss; processes that train together agree on its mean."""
        loss = average_over_processes(loss.detach())
        if loss.device.type != "cuda":
            self._loss = loss.cpu()
            return
        # Only memory that is pinned takes a copy without keeping this process waiting.
        self._loss = torch.empty((), dtype=loss.dtype, pin_memory=True).copy_(loss, non_blocking=True)
        self._copied = torch.cuda.Event()
        self._copied.record()

    def state_dict(self) -> dict[str, float | bool]:
        """Plain values."""
        throttled = self.throttled()
        return {"throttled": throttled}

    def load_state_dict(self, state: dict[str, float | bool]) -> None:
        """Take back what ``state_dict`` gave."""
        self._throttled, self._loss, self._copied = bool(state["throttled"]), None, None


class UpdatePolicy:
    """The order of play between generator and discriminator.

    Args:
        d_steps: discriminator updates per batch, all on the same fakes (each with its own shift, noise and swap).
        regenerate: the discriminator learns from fakes of the generator as it is after its update, instead of those
            that the generator was judged by.
        g_every: the generator is updated at every so many-th batch only; at the others the discriminator learns alone.
        start: updates before which the discriminator rests and its opinion does not count.
        stop: updates from which on the discriminator rests; its opinion counts on. None for never.
        every_epochs: learn in one of so many epochs, the first; 1 for all.
        epoch: length of an epoch in updates; the first begins at ``start``.
        stepper: lets the discriminator rest while it is too good, or None.
        order: ``g_first``: the generator is judged by the discriminator as the step finds it, which learns afterwards;
            ``d_first``: the discriminator learns from the batch's fakes, and the same fakes are then judged by what it
            has become.

    Raises:
        ValueError: a number below its least, ``stop`` not after ``start``, no such order, or one that leaves nothing to
            regenerate.
    """

    def __init__(
        self,
        d_steps: int = 1,
        regenerate: bool = False,
        g_every: int = 1,
        start: int = 0,
        stop: int | None = None,
        every_epochs: int = 1,
        epoch: int = 1000,
        stepper: Stepper | None = None,
        order: Order = "g_first",
    ) -> None:
        check_choice("order", order, Order)
        if regenerate and order == "d_first":
            raise ValueError(
                "regenerate=true takes fakes of the generator after its update, and order=d_first learns before that; "
                "set regenerate=false, or order=g_first."
            )
        for name, value in {
            "d_steps": d_steps,
            "g_every": g_every,
            "every_epochs": every_epochs,
            "epoch": epoch,
        }.items():
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1.")
        if start < 0:
            raise ValueError(f"start={start} counts updates; use 0 to learn from the first on.")
        if stop is not None and stop <= start:
            raise ValueError(f"the discriminator learns from start={start} to stop={stop}; stop must be the larger.")
        self.d_steps, self.regenerate, self.g_every = d_steps, regenerate, g_every
        self.start, self.stop, self.every_epochs, self.epoch = start, stop, every_epochs, epoch
        self.stepper, self.order = stepper, order

    def counts(self, updates: int) -> bool:
        """Whether the discriminator's opinion counts for the generator: not before it has begun to learn."""
        return updates >= self.start

    def learns(self, updates: int) -> bool:
        """Whether the discriminator may learn at this update, the stepper apart."""
        within = updates >= self.start and (self.stop is None or updates < self.stop)
        return within and ((updates - self.start) // self.epoch) % self.every_epochs == 0

    def throttled(self) -> bool:
        """Whether the stepper lets the discriminator rest."""
        return self.stepper is not None and self.stepper.throttled()

    def note(self, loss: Tensor) -> None:
        """Tell the stepper the loss of this step."""
        if self.stepper is not None:
            self.stepper.note(loss)

    def state_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {} if self.stepper is None else self.stepper.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave; a stepper that the saved run did not have begins afresh."""
        if self.stepper is not None and "throttled" in state:
            self.stepper.load_state_dict(state)
