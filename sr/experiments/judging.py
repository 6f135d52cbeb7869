"""Claims against runs: which seeds a claim has, what its difference is there, and the verdict."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sr.experiments.claims import Claim
from sr.experiments.needs import NEEDS
from sr.experiments.runs import Run
from sr.experiments.verdicts import NOT_RUN, UNMEASURED, UNTESTABLE, Spread, seen, spread, verdict

Runs = Mapping[str, Mapping[int, Run]]
"""Runs that count, by experiment and seed."""
Quantity = Callable[[Run, str], float | None]
"""The value of a measure in a run; None where it has none."""


@dataclass(frozen=True)
class Judged:
    """A claim and what has become of it.

    Attributes:
        claim: what is said.
        verdict: see `sr.experiments.verdicts`.
        differences: left minus right side by seed; empty where nothing was compared.
        found: their mean and spread; None where nothing was compared.
        seeds: that were used.
        reason: why there is no verdict, or which seeds are left out; empty where there is nothing to say.
        features: feature network that runs of this size learn from in the place of the log's; empty without.
    """

    claim: Claim
    verdict: str
    differences: Mapping[int, float]
    found: Spread | None
    seeds: tuple[int, ...]
    reason: str = ""
    features: str = ""


def judge(claim: Claim, runs: Runs, quantity: Quantity) -> Judged:
    """The verdict on one claim, by the rules alone.

    Args:
        claim: to judge.
        runs: all that count.
        quantity: reads a measure of a run.
    """
    if claim.untestable:
        return Judged(claim, UNTESTABLE, {}, None, (), claim.untestable)
    missing = [entry for entry in claim.entries if not runs.get(entry)]
    if missing:
        return Judged(claim, NOT_RUN, {}, None, (), f"there is no run of {' and of '.join(missing)}")
    common = sorted(set.intersection(*(set(runs[entry]) for entry in claim.entries)))
    if not common:
        return Judged(claim, NOT_RUN, {}, None, (), f"no seed has a run of each of {', '.join(claim.entries)}")
    if claim.explodes:
        return _explosion(claim, [runs[claim.explodes][seed] for seed in common])
    differences: dict[int, float] = {}
    without: dict[str, list[int]] = {}
    for seed in common:
        of_seed = {entry: runs[entry][seed] for entry in claim.entries}
        value = difference(claim, of_seed, quantity)
        if value is not None:
            differences[seed] = value
        for name in _lacking(claim, of_seed, quantity):
            without.setdefault(name, []).append(seed)
    left_out = "; ".join(_no_value(name, seeds) for name, seeds in without.items())
    if not differences or claim.relation is None:
        return Judged(claim, UNMEASURED, {}, None, (), left_out)
    values = list(differences.values())
    found = spread(values) if all(map(math.isfinite, values)) else None
    return Judged(
        claim, verdict(values, claim.relation, claim.margin), differences, found, tuple(differences), left_out
    )


def difference(claim: Claim, runs: Mapping[str, Run], quantity: Quantity) -> float | None:
    """Left minus right side for one seed; None where a run lacks a measure.

    Args:
        claim: with terms.
        runs: by experiment, all of one seed.
        quantity: reads a measure of a run.
    """
    total = 0.0
    for term in claim.left:
        value = 1.0 if not term.entry else quantity(runs[term.entry], term.measure)
        if value is None:
            return None
        total += term.factor * value
    return total


def _lacking(claim: Claim, runs: Mapping[str, Run], quantity: Quantity) -> list[str]:
    """``ENTRY.MEASURE`` of each that a run of one seed lacks."""
    terms = [term for term in claim.left if term.entry]
    return [f"{term.entry}.{term.measure}" for term in terms if quantity(runs[term.entry], term.measure) is None]


def _no_value(name: str, seeds: Sequence[int]) -> str:
    needs = NEEDS.get(name.rpartition(".")[2], "pictures that are finite")
    which = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return f"{name} has no value in {which} (it needs {needs})"


def _explosion(claim: Claim, runs: Sequence[Run]) -> Judged:
    exploded = [run.exploded for run in runs]
    length = max(run.updates for run in runs)
    marks = {run.seed: float(one) for run, one in zip(runs, exploded, strict=True)}
    return Judged(claim, seen(exploded, length), marks, None, tuple(marks))
