"""Claims against runs: which seeds a claim has, what its difference is there, and the verdict."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sr.experiments.claims import Claim
from sr.experiments.runs import Run
from sr.experiments.verdicts import NOT_RUN, UNTESTABLE, Spread, seen, spread, verdict

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
    differences, without = {}, []
    for seed in common:
        value = difference(claim, {entry: runs[entry][seed] for entry in claim.entries}, quantity)
        if value is None:
            without.append(seed)
        else:
            differences[seed] = value
    left_out = f"left out for want of a measure: seed {', '.join(map(str, without))}" if without else ""
    if not differences or claim.relation is None:
        return Judged(claim, NOT_RUN, {}, None, (), left_out)
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


def _explosion(claim: Claim, runs: Sequence[Run]) -> Judged:
    exploded = [run.exploded for run in runs]
    length = max(run.updates for run in runs)
    marks = {run.seed: float(one) for run, one in zip(runs, exploded, strict=True)}
    return Judged(claim, seen(exploded, length), marks, None, tuple(marks))
