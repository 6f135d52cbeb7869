"""Means of logged values since the last time they were read, kept on the device."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class RunningMeans:
    """Adds scalars up without reading them, so that a training step never waits for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._numbers: dict[str, float] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        """Take in one step's scalars (detached here)."""
        for name, value in values.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def add_number(self, name: str, value: float) -> None:
        """Take in a number that the host knows already."""
        self._numbers[name] = self._numbers.get(name, 0.0) + value
        self._counts[name] = self._counts.get(name, 0) + 1

    def peek(self, name: str) -> float | None:
        """One mean so far, or None; this waits for the device."""
        return float(self._sums[name]) / self._counts[name] if name in self._sums else None

    def take(self, average: Callable[[Tensor], Tensor] = lambda values: values) -> dict[str, float]:
        """The means since the last call, in one transfer; then start anew.

        Args:
            average: over the processes that train together.
        """
        names = list(self._sums)
        means = dict[str, float]()
        if names:
            counts = [self._counts[name] for name in names]
            values = torch.stack([self._sums[name].float() / count for name, count in zip(names, counts, strict=True)])
            means |= dict(zip(names, average(values).tolist(), strict=True))
        means |= {name: value / self._counts[name] for name, value in self._numbers.items()}
        self.clear()
        return means

    def clear(self) -> None:
        """Forget all."""
        self._sums, self._counts, self._numbers = {}, {}, {}

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Sums and counts."""
        return {"sums": dict(self._sums), "counts": dict(self._counts), "numbers": dict(self._numbers)}

    def load_state_dict(self, state: dict[str, dict], device: torch.device) -> None:
        """Take back what ``state_dict`` gave."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._numbers = {name: float(value) for name, value in state.get("numbers", {}).items()}
        self._counts = {name: int(state["counts"][name]) for name in (*self._sums, *self._numbers)}
        if any(value.numel() != 1 for value in self._sums.values()):
            raise ValueError("a sum is no single number")
