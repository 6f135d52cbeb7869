"""From paired differences to a verdict, by rules that are written before the runs.

A claim with a direction compares two quantities of the same seed. It holds where the difference has the claimed sign
in every seed and its mean is beyond the margin; it does not hold where the mean is beyond the margin the other way;
else it is undecided. A claim of no difference holds where the 90 % interval of the mean difference lies within the
margin (two one-sided t tests at 5 %, Schuirmann 1987), does not hold where it lies outside, else it is undecided.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import t as student

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
NOT_RUN, UNMEASURED, UNTESTABLE = "not run", "not measured", "cannot be tested at this size"
Relation = Literal["<", ">", "="]


@dataclass(frozen=True)
class Spread:
    """Differences over seeds.

    Attributes:
        mean: of the differences.
        deviation: sample standard deviation; None with one seed.
        interval: of the mean, 90 %, by Student's t; None with one seed.
    """

    mean: float
    deviation: float | None
    interval: tuple[float, float] | None


def spread(differences: Sequence[float]) -> Spread:
    """Mean, standard deviation and interval.

    Args:
        differences: one per seed, at least one, finite.
    """
    n, mean = len(differences), math.fsum(differences) / len(differences)
    if n < 2:
        return Spread(mean, None, None)
    deviation = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1))
    half = float(student.ppf(0.95, n - 1)) * deviation / math.sqrt(n)
    return Spread(mean, deviation, (mean - half, mean + half))


def verdict(differences: Sequence[float], relation: Relation, margin: float) -> str:
    """Whether a claim holds.

    Args:
        differences: left minus right side, one per seed; a run that exploded may have given what is not finite.
        relation: the claim says that the left side is less, more, or the same.
        margin: the smallest difference that counts, above 0, in the unit of the quantity.

    Raises:
        ValueError: no difference, or no margin.
    """
    if not differences or not margin > 0:
        raise ValueError(f"a verdict needs a difference and a margin above 0, not {list(differences)} and {margin}")
    if not all(map(math.isfinite, differences)):
        return UNDECIDED
    found = spread(differences)
    if relation == "=":
        return _same(found, margin)
    sign = 1 if relation == ">" else -1
    if all(sign * d > 0 for d in differences) and sign * found.mean >= margin:
        return HOLDS
    return FAILS if sign * found.mean <= -margin else UNDECIDED


def _same(found: Spread, margin: float) -> str:
    if found.interval is None:
        return UNDECIDED
    low, high = found.interval
    if -margin <= low and high <= margin:
        return HOLDS
    return FAILS if low > margin or high < -margin else UNDECIDED


def seen(explosions: Sequence[bool], updates: int) -> str:
    """Verdict on "it explodes": in how many seeds it did. That it did not is no proof that it never does.

    Args:
        explosions: one per seed.
        updates: length of the runs.
    """
    return f"seen in {sum(explosions)} of {len(explosions)} seeds within {updates} updates"
