"""Means of logged values since the last time they were read, kept on the device."""

import torch
from torch import Tensor


class RunningMeans:
    """Adds scalars up without reading them, so that a training step never waits for the device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        """Take in one step's scalars (detached here)."""
        for name, value in values.items():
            value = value.detach()
            self._sums[name] = self._sums[name] + value if name in self._sums else value.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means since the last call, in one transfer; then start anew."""
        if not self._sums:
            return {}
        names = list(self._sums)
        values = torch.stack([self._sums[name].float() for name in names]).tolist()
        means = {name: value / self._counts[name] for name, value in zip(names, values, strict=True)}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, dict[str, Tensor] | dict[str, int]]:
        """Sums and counts."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: dict[str, dict], device: torch.device) -> None:
        """Take back what ``state_dict`` gave."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._counts = dict(state["counts"])
