"""Parts of the generator that learn otherwise than the rest: at another rate, later, or not at all."""

import difflib
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import nn
from torch.optim import Optimizer

from sr.training.clock import Clock
from sr.types import UserError

OTHER_RATES = "the checkpoint was made with other parts.rates; leave them as they were"


class Rate(NamedTuple):
    """Weights that learn at another rate.

    Attributes:
        patterns: of names, as the shell's: ``tail.*``.
        factor: on the learning rate.
    """

    patterns: tuple[str, ...]
    factor: float


class Frozen(NamedTuple):
    """Weights that do not learn.

    Attributes:
        patterns: of names, as the shell's: ``body.*``.
        others: the patterns are of those that do learn, and all others do not.
        until: the update from which on they learn; None for never.
    """

    patterns: tuple[str, ...]
    others: bool
    until: int | None

    def holds(self, name: str, updates: int) -> bool:
        """Whether a weight is frozen in the next update.

        Args:
            name: of the weight.
            updates: done so far.
        """
        return (self.until is None or updates < self.until) and _any_of(self.patterns, name) != self.others


class Parts:
    """Rates, freezing and restarts by names of weights (docs/networks.md).

    Args:
        rates: ``{weights: [patterns], factor: number}``; a weight that several entries name takes the first.
        freeze: ``{weights: [patterns], until: update}``, or ``{all_but: [patterns], until: update}``; without ``until``
            for good. Statistics of batch norm go on, as no gradient moves them.
        restart: fractions of the run, ascending, at which all optimisers begin anew, without the moments of before.
        example: a pattern of weights that there are, for messages.

    Raises:
        ValueError: a factor, an entry or a fraction of another form.
    """

    def __init__(
        self,
        rates: Sequence[Mapping[str, Any]] = (),
        freeze: Sequence[Mapping[str, Any]] = (),
        restart: Sequence[float] = (),
        example: str = "PART.*",
    ) -> None:
        self.rates = tuple(_rate(index, entry, example) for index, entry in enumerate(rates))
        self.freeze = tuple(_frozen(index, entry, example) for index, entry in enumerate(freeze))
        numbers = all(isinstance(at, int | float) for at in restart)
        if not numbers or not all(0 < at < 1 for at in restart) or list(restart) != sorted(set(restart)):
            raise ValueError(
                f"parts.restart={list(restart)} must be ascending fractions of the run between 0 and 1, such as [0.5]"
            )
        self.restart = tuple(restart)
        self.restarted = 0
        self._grouped: list[list[str]] = []

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """What an optimiser is made from: weights of one factor on the rate each, those of factor 1 first."""
        by_factor: dict[float, dict[str, nn.Parameter]] = {1.0: {}}
        for name, weight in network.named_parameters():
            if weight.requires_grad:
                factor = next((rate.factor for rate in self.rates if _any_of(rate.patterns, name)), 1.0)
                by_factor.setdefault(factor, {})[name] = weight
        made = {factor: weights for factor, weights in by_factor.items() if weights}
        self._grouped = [list(weights) for weights in made.values()]
        return [{"params": list(weights.values()), "factor": factor} for factor, weights in made.items()]

    def check_groups(self, state: Mapping[str, Any]) -> None:
        """Make sure that a saved optimiser has the moments of the same weights, in the same groups.

        Args:
            state: what ``state_dict`` gave; that of earlier versions names no weights.

        Raises:
            UserError: it has those of others.
        """
        if self.rates and state.get("groups", self._grouped) != self._grouped:
            raise UserError(OTHER_RATES)

    def check(self, network: nn.Module) -> None:
        """Refuse patterns that no weight has, and freezing that leaves nothing to learn.

        Raises:
            UserError: with what is called similarly.
        """
        names = [name for name, _ in network.named_parameters()]
        patterns = [("rates", pattern) for rate in self.rates for pattern in rate.patterns]
        patterns += [("freeze", pattern) for frozen in self.freeze for pattern in frozen.patterns]
        for setting, pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                kind = type(network).__name__
                raise UserError(f"parts.{setting}: no weight of {kind} is called {pattern}; {_near(pattern, names)}")
        for updates in self.changes:
            if all(self._is_frozen(name, updates) for name in names):
                raise UserError(
                    f"parts.freeze leaves no weight of {type(network).__name__} that learns at update {updates}; let "
                    f"some learn, as in 'parts.freeze=[{{all_but:[{example_part(network)}],until:1000}}]'"
                )

    @property
    def changes(self) -> list[int]:
        """Updates from which on other weights learn than before, the first included."""
        return sorted({0, *(entry.until for entry in self.freeze if entry.until is not None)})

    def learning(self, network: nn.Module, updates: int) -> list[nn.Parameter]:
        """The weights that learn in an update."""
        return [weight for name, weight in network.named_parameters() if not self._is_frozen(name, updates)]

    def _is_frozen(self, name: str, updates: int) -> bool:
        return any(entry.holds(name, updates) for entry in self.freeze)

    def begin(self, network: nn.Module, optimizers: Iterable[Optimizer], updates: int, progress: float) -> None:
        """Before an update: freeze what does not learn in it, and empty the optimisers where they restart.

        Args:
            network: the generator.
            optimizers: all of the run.
            updates: done so far.
            progress: fraction of the run that is done.
        """
        if self.freeze:
            for name, weight in network.named_parameters():
                weight.requires_grad_(not self._is_frozen(name, updates))
        reached = bisect_right(self.restart, progress)
        if reached > self.restarted:
            self.restarted = reached
            for optimizer in optimizers:
                optimizer.state.clear()

    def told(self, network: nn.Module, clock: Clock) -> list[str]:
        """What to say of a network's parts before it is trained.

        Args:
            network: the generator.
            clock: of the run.
        """
        weights = dict(network.named_parameters())
        total = sum(weight.numel() for weight in weights.values())
        lines = [
            f"parts: {sum(weight.numel() for weight in group['params']):,} weights learn at {group['factor']:g} of the "
            "rate"
            for group in self.groups(network)
            if group["factor"] != 1
        ]
        for entry in self.freeze:
            count = sum(weight.numel() for name, weight in weights.items() if entry.holds(name, -1))
            lines.append(f"parts: {count:,} of {total:,} weights are frozen{_until(entry.until, clock.max_updates)}")
        return lines + [_restarts(at, clock) for at in self.restart]

    def state_dict(self) -> dict[str, Any]:
        """Plain values; the names of weights by group only where there are several."""
        return {"restarted": self.restarted, **({"groups": self._grouped} if self.rates else {})}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` gave; restarts that are no more planned do not count."""
        self.restarted = min(int(state["restarted"]), len(self.restart))


def _any_of(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def example_part(network: nn.Module) -> str:
    """A pattern of the last part of a network that has weights: mostly what makes its picture."""
    names = [name for name, _ in network.named_parameters()]
    return f"{names[-1].split('.')[0]}.*" if names else "PART.*"


def _until(until: int | None, end: int | None) -> str:
    if until is None:
        return ""
    never = f", and the run ends at {end}: they will never learn" if end is not None and until >= end else ""
    return f" until update {until}{never}"


def _restarts(at: float, clock: Clock) -> str:
    """When all optimisers begin anew; the update is known where updates alone end the run."""
    line = f"parts: all optimisers begin anew at {at:g} of the run"
    if clock.max_updates is None or clock.max_seconds is not None:
        return line
    end = clock.max_updates
    update = next((update for update in range(int(at * end), end) if update / end >= at), None)
    if update is None:
        return f"parts.restart={at:g}: no update begins that late, as the run ends at {end}: it changes nothing"
    return f"{line}, after update {update}"


def _rate(index: int, entry: Any, part: str) -> Rate:
    example = f"[{{weights:[{part}],factor:0.1}}]"
    _, patterns, factor = _read(f"parts.rates[{index}]", entry, ("weights",), "factor", example)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
        raise ValueError(
            f"parts.rates[{index}].factor={factor} must be a positive factor on the learning rate, as in {example}; "
            "what does not learn at all is for parts.freeze"
        )
    return Rate(patterns, float(factor))


def _frozen(index: int, entry: Any, part: str) -> Frozen:
    example = f"[{{weights:[{part}],until:1000}}]"
    kind, patterns, until = _read(f"parts.freeze[{index}]", entry, ("weights", "all_but"), "until", example)
    if until is not None and (isinstance(until, bool) or not isinstance(until, int) or until < 1):
        raise ValueError(
            f"parts.freeze[{index}].until={until} must be an update, 1 or more, or null for never: {example}"
        )
    return Frozen(patterns, kind == "all_but", until)


def _read(name: str, entry: Any, kinds: Sequence[str], number: str, example: str) -> tuple[str, tuple[str, ...], Any]:
    """Which of ``kinds`` an entry has, its patterns, and its number or None."""
    named = dict(entry) if isinstance(entry, Mapping) else {}
    given = [key for key in kinds if key in named]
    if len(given) > 1:
        raise ValueError(
            f"{name} has both weights and all_but; keep one: weights names what rests, all_but what learns"
        )
    for key in (str(key) for key in named if key not in (*kinds, number)):
        if near := difflib.get_close_matches(key, (*kinds, number), 1):
            raise ValueError(f"{name}.{key}: there is no such setting; did you mean {near[0]}?")
    patterns = named.get(given[0]) if given and named.keys() <= {given[0], number} else None
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, Sequence) or not patterns or not all(isinstance(p, str) for p in patterns):
        raise ValueError(
            f"{name}={_typed(entry)} must have {' or '.join(kinds)}, a list of patterns, and {number}: {example}"
        )
    return given[0], tuple(patterns), named.get(number)


def _typed(value: Any) -> str:
    """As a command line has it."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_typed(child)}' for key, child in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_typed, value))}]"
    return "null" if value is None else str(value)


def _near(pattern: str, names: Sequence[str]) -> str:
    tops = list(dict.fromkeys(name.split(".")[0] for name in names))
    near = difflib.get_close_matches(pattern.split(".")[0], tops, 1)
    if near:
        return f"did you mean {near[0]}.*?"
    return f"its parts are {', '.join(f'{top}.*' for top in tops[:8])}{', …' if len(tops) > 8 else ''}"
