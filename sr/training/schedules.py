"""Learning-rate schedules over the project's own clock: generator updates and the fraction of the run done.

The functions are the shapes; the classes hold settings (and, for the plateau, state). A schedule gives a
factor for the base learning rate: ``lr = base * factor(updates, progress)``. Progress in [0, 1] is the
caller's: the larger of updates / max_updates and elapsed / max_time, so that a run limited by time is decayed
in full as well.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Literal

State = Mapping[str, float | int | list[float]]
"""Plain numbers for a checkpoint."""


def warmup_factor(updates: int, warmup: int) -> float:
    """Linear rise: update u (from 0) gets (u + 1) / warmup until that reaches 1; no warmup gives 1."""
    return min(1.0, (updates + 1) / warmup) if warmup > 0 else 1.0


def step_factor(progress: float, milestones: Sequence[float], gamma: float) -> float:
    """``gamma`` to the number of milestones passed or reached."""
    return gamma ** sum(progress >= milestone for milestone in milestones)


def exponential_factor(progress: float, final: float) -> float:
    """final^progress: equal ratios in equal times, 1 at the start, ``final`` at the end."""
    return final**progress


def after_warmup(updates: int, progress: float, warmup: int) -> float:
    """Share that is done of what lies behind the warmup: 0 until that ends, 1 at the end of the run.

    Args:
        updates: generator updates done so far.
        progress: fraction of the run done, in [0, 1]. Where it follows the time, the share of it that the warmup took
            is that of ``warmup`` updates of mean length.
        warmup: generator updates of linear rise.
    """
    if updates <= warmup:
        return 0.0 if warmup > 0 else progress
    start = progress * warmup / updates
    return (progress - start) / (1 - start)


def cosine_factor(progress: float, final: float) -> float:
    """Half a cosine from 1 to ``final`` (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5)."""
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2


class Schedule:
    """A factor on the base learning rate; this one never changes after warmup.

    The other schedules override ``shape``; one that listens to validation also overrides ``observe`` and its
    state.

    Args:
        warmup: generator updates over which the factor rises linearly to the schedule's own value; 0 for
            none.

    Raises:
        ValueError: a negative warmup.
    """

    ended = False
    """It will not change any more, and the run may end; see `sr.training.plateau_windows`."""

    def __init__(self, warmup: int = 0) -> None:
        if warmup < 0:
            raise ValueError(f"warmup counts updates and cannot be {warmup}; use 0 for none.")
        self.warmup = warmup

    def factor(self, updates: int, progress: float) -> float:
        """Factor for the next update.

        Args:
            updates: generator updates done so far.
            progress: fraction of the run done; values outside [0, 1] count as the nearer end.
        """
        return warmup_factor(updates, self.warmup) * self.shape(min(max(progress, 0.0), 1.0))

    def shape(self, progress: float) -> float:
        """Factor without warmup at ``progress`` in [0, 1]."""
        return 1.0

    def observe(self, metric: float) -> None:
        """Take note of a validation's result; most schedules do not care."""

    def state_dict(self) -> State:
        """Plain numbers for the checkpoint; most schedules have none."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict()``'s value."""


class Constant(Schedule):
    """The base learning rate throughout, after warmup."""


class Step(Schedule):
    """Multiply by ``gamma`` at each milestone.

    Args:
        milestones: fractions of the run in (0, 1), ascending: [0.5, 0.75] are half and three quarters of it.
        gamma: factor at each, in (0, 1].
        warmup: updates of linear rise.

    Raises:
        ValueError: milestones or gamma out of range.
    """

    def __init__(self, milestones: Sequence[float] = (0.5, 0.75, 0.9), gamma: float = 0.5, warmup: int = 0) -> None:
        super().__init__(warmup)
        if not all(0 < m < 1 for m in milestones) or list(milestones) != sorted(milestones):
            raise ValueError(
                f"milestones are ascending fractions of the run between 0 and 1, such as [0.5, 0.75]; "
                f"not {list(milestones)}."
            )
        self.milestones = tuple(milestones)
        self.gamma = checked_ratio("gamma", gamma)

    def shape(self, progress: float) -> float:
        """See ``step_factor``."""
        return step_factor(progress, self.milestones, self.gamma)


class Phases(Schedule):
    """A list of rates: each part of the run has its own, which may lie above that of the part before.

    Args:
        phases: (fraction of the run at which a part begins, factor in it), the first from 0 on, ascending. Factors lie
            in (0, 1], so the base learning rate is the largest of all parts.
        warmup: updates of linear rise.

    Raises:
        ValueError: no part that begins at 0, fractions that do not ascend below 1, or a factor out of range.
    """

    def __init__(
        self, phases: Sequence[tuple[float, float]] = ((0.0, 1.0), (0.5, 0.3), (0.75, 0.1)), warmup: int = 0
    ) -> None:
        super().__init__(warmup)
        starts = [start for start, _ in phases]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)) or starts[-1] >= 1:
            raise ValueError(
                f"phases={[list(phase) for phase in phases]} must begin with a pair for fraction 0 and ascend below 1, "
                "such as [[0, 1.0], [0.5, 0.3]]."
            )
        self.starts = tuple(starts)
        self.factors = tuple(checked_ratio(f"phases[{i}]'s factor", factor) for i, (_, factor) in enumerate(phases))

    def shape(self, progress: float) -> float:
        """The factor of the part that ``progress`` lies in."""
        return self.factors[bisect_right(self.starts, progress) - 1]


class Exponential(Schedule):
    """Fall by equal ratios in equal times, from the end of the warmup to ``final`` at the end of the run.

    Of a run of N updates with a warmup of W, update u > W gets final^((u - W) / (N - W)), as by the log's "exp".

    Args:
        final: last factor, in (0, 1].
        warmup: updates of linear rise; the fall begins where it ends.
    """

    def __init__(self, final: float = 0.01, warmup: int = 0) -> None:
        super().__init__(warmup)
        self.final = checked_ratio("final", final)

    def factor(self, updates: int, progress: float) -> float:
        """Factor for the next update: the rise first, then the fall."""
        return super().factor(updates, after_warmup(updates, min(max(progress, 0.0), 1.0), self.warmup))

    def shape(self, progress: float) -> float:
        """See ``exponential_factor``."""
        return exponential_factor(progress, self.final)


class Cosine(Schedule):
    """Fall along half a cosine, to ``final`` at the end of the run.

    Args:
        final: last factor, in (0, 1].
        warmup: updates of linear rise.
    """

    def __init__(self, final: float = 0.01, warmup: int = 0) -> None:
        super().__init__(warmup)
        self.final = checked_ratio("final", final)

    def shape(self, progress: float) -> float:
        """See ``cosine_factor``."""
        return cosine_factor(progress, self.final)


class Linear(Schedule):
    """The base learning rate at first, then a straight line down to ``final`` at the end of the run.

    Args:
        begin: fraction of the run at which the line begins, in [0, 1).
        final: last factor, in [0, 1].
        warmup: updates of linear rise.

    Raises:
        ValueError: a fraction or a factor out of range.
    """

    def __init__(self, begin: float = 0.5, final: float = 0.0, warmup: int = 0) -> None:
        super().__init__(warmup)
        if not (0 <= begin < 1 and 0 <= final <= 1):
            raise ValueError(
                f"begin={begin:g} is a fraction of the run from 0 on and below 1, and final={final:g} a factor between "
                "0 and 1; CycleGAN has 0.5 and 0."
            )
        self.begin, self.final = begin, final

    def shape(self, progress: float) -> float:
        """1 up to ``begin``, then evenly down."""
        return 1 - (1 - self.final) * max(0.0, progress - self.begin) / (1 - self.begin)


class OnPlateau(Schedule):
    """What plateaus have in common: a factor that is cut by what validations say.

    Args:
        factor: of a cut, in (0, 1).
        mode: ``max`` for metrics where more is better (PSNR), ``min`` for the others (LPIPS, losses).
        warmup: updates of linear rise.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(self, factor: float, mode: Literal["max", "min"], warmup: int) -> None:
        super().__init__(warmup)
        if mode not in ("max", "min"):
            raise ValueError(f"a plateau's mode is max or min, not {mode!r}.")
        self.cut, self.mode = checked_ratio("factor", factor), mode
        self.current = 1.0

    def shape(self, progress: float) -> float:
        """The factor reached by the cuts so far."""
        return self.current

    def rising(self, metric: float) -> float:
        """The metric, or its negative where less is better."""
        return metric if self.mode == "max" else -metric


class Plateau(OnPlateau):
    """Multiply by ``factor`` whenever ``patience`` validations in a row bring no new best.

    A new best exceeds the best so far by more than ``threshold``. What is not finite is never a new best.

    Args:
        factor: in (0, 1).
        patience: validations without a new best that trigger a cut; the count starts anew after each.
        threshold: least improvement that counts, in the metric's unit (dB for PSNR).
        minimum: the factor on the base learning rate never falls below this.
        mode: ``max`` for metrics where more is better (PSNR), ``min`` for the others (LPIPS, losses).
        warmup: updates of linear rise.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        factor: float = 0.5,
        patience: int = 5,
        threshold: float = 0.0,
        minimum: float = 0.01,
        mode: Literal["max", "min"] = "max",
        warmup: int = 0,
    ) -> None:
        super().__init__(factor, mode, warmup)
        if patience < 1 or threshold < 0:
            raise ValueError(f"a plateau needs patience >= 1 and threshold >= 0, not {patience} and {threshold}.")
        self.patience, self.threshold = patience, threshold
        self.minimum = checked_ratio("minimum", minimum)
        self.best = -math.inf  # see `rising`
        self.stale = 0

    def observe(self, metric: float) -> None:
        """Take note of a validation's result, once per validation."""
        value = self.rising(metric)
        if math.isfinite(value) and value > self.best + self.threshold:
            self.best = value
            self.stale = 0
            return
        self.stale += 1
        if self.stale >= self.patience:
            self.current = max(self.current * self.cut, self.minimum)
            self.stale = 0

    def state_dict(self) -> State:
        """Plain numbers for the checkpoint."""
        return {"current": self.current, "best": self.best, "stale": self.stale}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state_dict()``'s value."""
        self.current = number_of(state["current"])
        self.best = best if math.isfinite(best := number_of(state["best"])) else -math.inf
        self.stale = int(number_of(state["stale"]))


def number_of(value: float | int | list[float]) -> float:
    """A number of a state, which might hold anything.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, list):
        raise TypeError("a list where the state of a schedule has a number")
    return float(value)


def checked_ratio(name: str, value: float) -> float:
    """Return ``value`` if it lies in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"{name} is a factor above 0 and at most 1, not {value}.")
    return value
