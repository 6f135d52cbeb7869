"""Verdicts: by rules, on differences whose answer is known."""

import math
from types import SimpleNamespace

import pytest

from sr.experiments.claims import Claim, Term
from sr.experiments.judging import judge
from sr.experiments.verdicts import spread, verdict

MARGIN = 0.5


@pytest.mark.parametrize(
    ("differences", "relation", "expected"),
    [
        ((1.0, 1.2, 0.8), ">", "holds"),
        ((-1.0, -1.2, -0.8), "<", "holds"),
        ((1.0,), ">", "holds"),
        ((1.0, 1.2, -0.1), ">", "undecided"),  # one seed says otherwise
        ((0.4, 0.3, 0.45), ">", "undecided"),  # too small to count
        ((-0.4, -0.3, -0.45), ">", "undecided"),
        ((-1.0, -1.2, 0.1), ">", "does not hold"),
        ((1.0, 0.9), "<", "does not hold"),
        ((0.0, 0.0, 0.0), ">", "undecided"),  # a run with itself
        ((0.0, 0.0, 0.0), "=", "holds"),
        ((0.01, -0.02, 0.0), "=", "holds"),
        ((0.0,), "=", "undecided"),  # one seed has no interval
        ((0.4, -0.4, 0.0), "=", "undecided"),
        ((2.0, 2.1, 2.05), "=", "does not hold"),
        ((math.inf, 1.0), ">", "undecided"),
        ((math.nan, 1.0), "=", "undecided"),
    ],
)
def test_rules(differences, relation, expected):
    assert verdict(differences, relation, MARGIN) == expected


def test_the_interval_is_students():
    # By hand: mean 2, deviation 1, n = 3, t(0.95; 2) = 2.91999 (tables), 2.91999 / sqrt(3) = 1.68586.
    found = spread([1.0, 2.0, 3.0])
    assert (found.mean, found.deviation) == (2.0, 1.0)
    assert found.interval == pytest.approx((0.31414, 3.68586), abs=1e-4)
    assert spread([2.0]).interval is None


@pytest.mark.parametrize(("differences", "margin"), [((), 0.5), ((1.0,), 0.0), ((1.0,), math.nan)])
def test_no_verdict_without_a_difference_and_a_margin(differences, margin):
    with pytest.raises(ValueError, match="a verdict needs a difference and a margin above 0"):
        verdict(differences, ">", margin)


def run(seed, exploded=False, **measures):
    return SimpleNamespace(seed=seed, exploded=exploded, updates=1000, measures=measures)


def quantity(one, measure):
    return one.measures.get(measure.rpartition(".")[2])


RUNS = {
    "log/31": {1: run(1, psnr=24.0), 2: run(2, psnr=25.0), 3: run(3, psnr=24.5)},
    "log/29": {1: run(1, psnr=22.0), 2: run(2, psnr=23.0), 4: run(4, psnr=10.0)},
    "log/09": {1: run(1), 2: run(2, exploded=True)},
    "log/10": {1: run(1, lpips=0.1)},
}


def claim(left, relation=None, **more):
    return Claim("log/31", "x", "says", left, relation, MARGIN, **more)


def compared(one, other, measure="target.psnr"):
    return (Term(1.0, one, measure), Term(-1.0, other, measure))


def test_only_seeds_that_all_have_count():
    judged = judge(claim(compared("log/31", "log/29"), ">"), RUNS, quantity)
    assert (judged.verdict, judged.seeds, dict(judged.differences)) == ("holds", (1, 2), {1: 2.0, 2: 2.0})


def test_negative_controls():
    """A claim that is false by construction, and a run beside itself."""
    assert judge(claim(compared("log/29", "log/31"), ">"), RUNS, quantity).verdict == "does not hold"
    assert judge(claim(compared("log/31", "log/31"), ">"), RUNS, quantity).verdict == "undecided"
    assert judge(claim(compared("log/31", "log/31"), "="), RUNS, quantity).verdict == "holds"


def test_a_number_on_one_side():
    assert judge(claim((Term(1.0, "log/31", "target.psnr"), Term(-24.9)), ">"), RUNS, quantity).verdict == "undecided"
    assert judge(claim((Term(1.0, "log/31", "target.psnr"), Term(-20.0)), ">"), RUNS, quantity).verdict == "holds"


def test_what_is_not_there_is_not_run():
    judged = judge(claim(compared("log/31", "log/30"), ">"), RUNS, quantity)
    assert (judged.verdict, judged.reason) == ("not run", "there is no run of log/30")
    judged = judge(claim(compared("log/10", "log/29"), ">"), RUNS, quantity)
    assert (judged.verdict, judged.reason) == (
        "not measured",
        "log/10.target.psnr has no value in seed 1 (it needs pictures that are finite)",
    )
    judged = judge(claim(compared("log/09", "log/31", "val.edge_slope"), ">"), RUNS, quantity)
    needs = "needs edges in the network's pictures where the true ones have strong edges"
    assert judged.reason == "; ".join(
        f"{entry}.val.edge_slope has no value in seeds 1, 2 (it {needs})" for entry in ("log/09", "log/31")
    )
    judged = judge(claim((), untestable="needs a GPU day"), RUNS, quantity)
    assert (judged.verdict, judged.reason) == ("cannot be tested at this size", "needs a GPU day")


def test_explosions_are_seen_or_not():
    judged = judge(claim((), explodes="log/09"), RUNS, quantity)
    assert judged.verdict == "seen in 1 of 2 seeds within 1000 updates"
    assert judge(claim((), explodes="log/10"), RUNS, quantity).verdict == "seen in 0 of 1 seeds within 1000 updates"
