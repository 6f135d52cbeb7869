"""The experiment log's plateau: the learning rate falls when validations stop gaining from one window to the next."""

import math
from collections.abc import Sequence
from typing import Literal

from sr.training.schedules import OnPlateau, State, checked_ratio, number_of


def windows_gain(metrics: Sequence[float]) -> float:
    """How much better the newer half of some validations is than the older one, doubled: the gain over all of them.

    Means of halves lie half of the window apart, so that twice their difference is what a steady rise brings in one
    window (the experiment log's plateau of February 2021).

    Args:
        metrics: more is better, oldest first; an even number of them.
    """
    half = len(metrics) // 2
    return 2 * (math.fsum(metrics[half:]) - math.fsum(metrics[:half])) / half


class PlateauWindows(OnPlateau):
    """Multiply by ``factor`` when the means of two windows of validations are too close: the experiment log's plateau.

    After each validation the newest ``window`` of them are looked at: the mean of the newer half less that of the older
    half, doubled, is what they gained (`windows_gain`); below ``threshold`` the rate is cut, and the window begins
    anew. A cut below ``stop`` ends the run. Validations that are not finite are left out, as the log's explosion
    detector skipped them.

    The settings are those of 936fa4b to aa88d50 (log #05, #06); #07 has the threshold 0.06, #07.5 0.02. From 4762c19 on
    the log had factor 0.5 and window 30. That the window begins anew after a cut is inferred: without, a standstill
    would cut at each validation, down to the end of the run within three.

    Args:
        factor: of a cut, in (0, 1).
        window: validations that are compared, an even number; half of them are a mean.
        threshold: least gain over a window, in the metric's unit (dB for PSNR).
        stop: the run ends instead of a cut below this factor on the base learning rate; None for no end.
        mode: ``max`` for metrics where more is better (PSNR), ``min`` for the others (LPIPS, losses).
        warmup: updates of linear rise.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        factor: float = 0.1,
        window: int = 10,
        threshold: float = 0.12,
        stop: float | None = 0.01,
        mode: Literal["max", "min"] = "max",
        warmup: int = 0,
    ) -> None:
        super().__init__(factor, mode, warmup)
        if window < 2 or window % 2:
            raise ValueError(
                f"window={window} validations cannot be halved; take an even number, such as {max(2, window + 1)}."
            )
        if not math.isfinite(threshold):
            raise ValueError(f"threshold={threshold} must be a number, in the unit of the metric.")
        self.window, self.threshold = window, threshold
        self.stop = None if stop is None else checked_ratio("stop", stop)
        self.recent: list[float] = []  # since the last cut, at most a window; see `rising`

    @property
    def ended(self) -> bool:  # type: ignore[override]
        """A cut has led below ``stop``."""
        return self.stop is not None and self.current < self.stop * (1 - 1e-9)

    def observe(self, metric: float) -> None:
        """Take note of a validation's result, once per validation."""
        if not math.isfinite(metric):
            return
        self.recent = [*self.recent, self.rising(metric)][-self.window :]
        if len(self.recent) == self.window and windows_gain(self.recent) < self.threshold:
            self.current *= self.cut
            self.recent = []

    def state_dict(self) -> State:
        """Plain numbers for the checkpoint."""
        return {"current": self.current, "recent": list(self.recent)}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict()``'s value."""
        recent = state["recent"]
        if not isinstance(recent, list):
            raise TypeError("the validations of a plateau are a list")
        self.current = number_of(state["current"])
        self.recent = [float(metric) for metric in recent][-self.window :]
