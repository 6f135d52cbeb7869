"""Weights of loss terms and of adversarial terms that change over updates.

The functions are the shapes; the classes hold settings (and, where a weight listens to validation, state). Updates
count from 0. They are not batches: one is an update of the generator or, where nothing that the generator minimises
has a weight, of the discriminator alone (docs/gan.md).
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise


def linear(updates: int, start: float, end: float, length: int, begin: int) -> float:
    """Straight line from ``start`` at ``begin`` to ``end`` at ``begin + length``; level before and after."""
    share = min(max((updates - begin) / length, 0.0), 1.0)
    return (1 - share) * start + share * end  # in this form both ends are met exactly


def stepped(updates: int, values: Sequence[float], milestones: Sequence[int]) -> float:
    """The value whose number is how many of the ascending ``milestones`` have been reached."""
    return values[bisect_right(milestones, updates)]


def sinusoidal(updates: int, upper: float, lower: float, period: int, begin: int) -> float:
    """Cosine between ``upper`` (at ``begin`` and every ``period`` after it) and ``lower`` (halfway between)."""
    phase = max(updates - begin, 0) % period / period
    return lower + (upper - lower) * (1 + math.cos(2 * math.pi * phase)) / 2


class Weight(ABC):
    """A loss weight as a function of the updates done so far.

    Every weight overrides the call; one that listens to validation also overrides ``observe`` and its state.
    """

    @abstractmethod
    def __call__(self, updates: int) -> float:
        """Weight of the next update; finite and at least 0.

        Args:
            updates: done so far.
        """

    def observe(self, metric: float) -> None:  # noqa: B027 (a choice, not a duty)
        """Take note of a validation's result, of which more is better; most weights do not care."""

    def state_dict(self) -> dict[str, float | int]:
        """Plain numbers for the checkpoint; most weights have none."""
        return {}

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:  # noqa: B027
        """Continue from ``state_dict()``'s value."""


class Constant(Weight):
    """The same weight throughout.

    Args:
        value: at least 0; 0 leaves the term out of the sum.

    Raises:
        ValueError: ``value`` is negative or not finite.
    """

    def __init__(self, value: float) -> None:
        self.value = check_weight("value", value)

    def __call__(self, updates: int) -> float:
        """The value."""
        return self.value


class Linear(Weight):
    """Rise or fall in a straight line, then stay.

    Args:
        start: weight up to the update ``begin``.
        end: weight from the update ``begin + updates`` on.
        updates: updates that the change takes, at least 1.
        begin: first update of the change.

    Raises:
        ValueError: a negative or infinite weight, or counts out of range.
    """

    def __init__(self, start: float, end: float, updates: int, begin: int = 0) -> None:
        self.start = check_weight("start", start)
        self.end = check_weight("end", end)
        self.length = _count("updates", updates, least=1)
        self.begin = _count("begin", begin, least=0)

    def __call__(self, updates: int) -> float:
        """See ``linear``."""
        return linear(updates, self.start, self.end, self.length, self.begin)


class Steps(Weight):
    """Jump from value to value at given updates.

    Args:
        values: one more than milestones: the first until the first milestone, and one from each milestone on.
        milestones: updates, ascending, above 0.

    Raises:
        ValueError: a negative or infinite weight, milestones that do not ascend, or counts that do not match.
    """

    def __init__(self, values: Sequence[float], milestones: Sequence[int]) -> None:
        if len(values) != len(milestones) + 1:
            raise ValueError(
                f"{len(milestones)} milestones need {len(milestones) + 1} values, one before the first and one after "
                f"each, but there are {len(values)}: values={list(values)}, milestones={list(milestones)}."
            )
        if any(late <= early for early, late in pairwise([0, *milestones])):
            raise ValueError(
                f"milestones={list(milestones)} must be ascending updates above 0, such as [1000, 5000]; "
                "the first value holds from update 0."
            )
        self.values = tuple(check_weight(f"values[{i}]", value) for i, value in enumerate(values))
        self.milestones = tuple(milestones)

    def __call__(self, updates: int) -> float:
        """See ``stepped``."""
        return stepped(updates, self.values, self.milestones)


class Phases(Weight):
    """Phases of training, each with its weight: on and off, or any others.

    For the order "MSE first, then the discriminator alone, then jointly" the pixel term gets [[0, 1], [1000, 0],
    [1500, 1]] and the adversarial term [[0, 0], [1500, 0.001]].

    Args:
        phases: pairs of the first generator update of a phase and its weight; the first pair starts at update 0.

    Raises:
        ValueError: no phases, a first one that does not start at 0, starts that do not ascend, or a negative or
            infinite weight.
    """

    def __init__(self, phases: Sequence[tuple[int, float]]) -> None:
        shown = [list(phase) for phase in phases]
        if not phases or phases[0][0] != 0:
            raise ValueError(f"phases={shown} must begin with a pair for update 0, such as [[0, 1.0], [1000, 0.0]].")
        starts = [first for first, _ in phases]
        if any(late <= early for early, late in pairwise(starts)):
            raise ValueError(
                f"phases={shown} must be in ascending order of their first updates, each once: {sorted(set(starts))}."
            )
        self.values = tuple(check_weight(f"phases[{i}]'s weight", value) for i, (_, value) in enumerate(phases))
        self.milestones = tuple(starts[1:])

    def __call__(self, updates: int) -> float:
        """See ``stepped``."""
        return stepped(updates, self.values, self.milestones)


class Sinusoidal(Weight):
    """Swing between two weights along a cosine, beginning at the upper one.

    Args:
        upper: weight until ``begin``, and at every whole period after it.
        lower: weight half a period later; at most ``upper``.
        period: updates of a full swing, at least 2.
        begin: first update of the swing.

    Raises:
        ValueError: a negative or infinite weight, ``lower`` above ``upper``, or counts out of range.
    """

    def __init__(self, upper: float, lower: float, period: int, begin: int = 0) -> None:
        self.upper = check_weight("upper", upper)
        self.lower = check_weight("lower", lower)
        if lower > upper:
            raise ValueError(f"lower={lower} is above upper={upper}; exchange them, or use begin to start elsewhere.")
        self.period = _count("period", period, least=2)
        self.begin = _count("begin", begin, least=0)

    def __call__(self, updates: int) -> float:
        """See ``sinusoidal``."""
        return sinusoidal(updates, self.upper, self.lower, self.period, self.begin)


class RaiseWhileImproving(Weight):
    """Raise the weight validation by validation as long as the pictures get better.

    The first validation only sets the mark. Each later one that is better than all before it multiplies the weight by
    ``factor``; ``patience`` in a row that are worse than the best divide it once, and the count starts anew. One that
    equals the best changes nothing. What is not finite counts as worse.

    Args:
        start: first and least weight, above 0.
        factor: of a rise or fall, above 1.
        maximum: the weight never exceeds this.
        patience: validations in a row worse than the best that lower the weight.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(self, start: float, factor: float, maximum: float, patience: int = 1) -> None:
        self.start = check_weight("start", start)
        self.maximum = check_weight("maximum", maximum)
        if start == 0:
            raise ValueError(f"start={start} can never be raised by a factor; take a small one, such as 0.001.")
        if not 1 < factor < math.inf:
            raise ValueError(f"factor={factor} must be a finite number above 1, such as 2; it raises the weight.")
        if maximum < start:
            raise ValueError(f"maximum={maximum} is below start={start}; raise it to {start} or more.")
        self.factor = factor
        self.patience = _count("patience", patience, least=1)
        self.current = start
        self.best = -math.inf
        self.worse = 0

    def __call__(self, updates: int) -> float:
        """The weight that the validations so far have led to."""
        return self.current

    def observe(self, metric: float) -> None:
        """Take note of a validation's result, of which more is better, once per validation."""
        if math.isfinite(metric) and metric > self.best:
            if self.best > -math.inf:
                self.current = min(self.current * self.factor, self.maximum)
            self.best = metric
            self.worse = 0
        elif metric != self.best:  # infinite and NaN too
            self.worse += 1
            if self.worse >= self.patience:
                self.current = max(self.current / self.factor, self.start)
                self.worse = 0

    def state_dict(self) -> dict[str, float | int]:
        """Plain numbers for the checkpoint."""
        return {"current": self.current, "best": self.best, "worse": self.worse}

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Continue from ``state_dict()``'s value, within this object's own limits."""
        self.current = min(max(float(state["current"]), self.start), self.maximum)
        self.best = best if math.isfinite(best := float(state["best"])) else -math.inf
        self.worse = int(state["worse"])


def check_weight(name: str, value: float) -> float:
    """Return ``value`` if it can be a loss weight.

    Args:
        name: of the setting, for the message.
        value: finite and at least 0.

    Raises:
        ValueError: it is not.
    """
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}={value} is no loss weight; give a finite number of at least 0, where 0 means off.")
    return value


def _count(name: str, value: int, least: int) -> int:
    """Return ``value`` if it counts at least so many updates or validations."""
    if value < least:
        raise ValueError(f"{name}={value} must be at least {least}.")
    return value
