"""Differences and whether chance explains them, against numbers worked out apart from our code."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sr.errors import UserError
from sr.experiments.comparing import LARGER, NOT_LARGER, TOO_FEW, compare, pictures_interval, seeds_interval
from sr.experiments.table import Row
from sr.training.keeping.command import Command
from tests.experiments.report.made_runs import Made, rows_below

NAMES = {"": [f"{letter}.png" for letter in "abcdefgh"]}


class Told(Row):
    """A row whose values of pictures are given."""

    values: dict = {}  # noqa: RUF012

    def by_picture(self, at):
        return self.values


def told(rows: list[Row], values: dict[str, list[float]], number: int = 0) -> Told:
    own = Told(**vars(rows[number]))
    count = len(next(iter(values.values())))
    pictures = {("", f"{index}.png"): {m: column[index] for m, column in values.items()} for index in range(count)}
    object.__setattr__(own, "values", pictures)
    return own


@pytest.fixture
def rows(tmp_path):
    return rows_below(tmp_path, *(Made(seed=seed, pictures=NAMES) for seed in (1, 2, 3, 4)))


def test_pairs_of_pictures_find_what_means_would_hide(rows):
    """Pictures differ by 10 dB, the two networks by 0.1 dB in each: only pairs can see it."""
    rng = np.random.default_rng(0)
    base = 30 + 10 * rng.random(12)
    better = base + 0.1 + 0.02 * rng.standard_normal(12)
    (one,) = compare([told(rows, {"psnr_y": list(base)})], [told(rows, {"psnr_y": list(better)})])
    assert one.difference == pytest.approx(float((better - base).mean()))
    assert 0 < one.low < one.difference < one.high < 0.15
    assert (one.words, one.pictures, one.seeds) == (f"{LARGER} over pictures; one seed", 12, (1, 1))
    (back,) = compare([told(rows, {"psnr_y": list(better)})], [told(rows, {"psnr_y": list(base)})])
    assert back.difference == pytest.approx(-one.difference)


def test_what_goes_both_ways_is_not_larger(rows):
    base = np.arange(8.0)
    other = base + np.array([1, -1, 1, -1, 1, -1, 1, -1.0])
    (one,) = compare([told(rows, {"psnr_y": list(base)})], [told(rows, {"psnr_y": list(other)})])
    assert one.words == f"{NOT_LARGER} over pictures; one seed"
    assert one.low < 0 < one.high


def test_few_pictures_tell_nothing(rows):
    side = [told(rows, {"psnr_y": [1.0] * 5})], [told(rows, {"psnr_y": [2.0] * 5})]
    (one,) = compare(*side)
    assert (one.difference, one.words) == (1.0, TOO_FEW)
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_seeds_decide_too(rows):
    """Every picture is better by far, and yet one seed more could turn it round."""
    a = [told(rows, {"psnr_y": [30.0 + shift] * 8}, number) for number, shift in enumerate((0.0, 2.0))]
    b = [told(rows, {"psnr_y": [30.5 + shift] * 8}, number) for number, shift in enumerate((2.0, 0.0))]
    (one,) = compare(a, b)
    assert one.difference == pytest.approx(0.5)
    assert (one.words, one.seeds) == (NOT_LARGER, (2, 2))
    b = [told(rows, {"psnr_y": [30.5 + shift] * 8}, number) for number, shift in enumerate((0.0, 2.0))]
    (one,) = compare(a, b)
    assert one.words == LARGER, "the same seeds are pairs"


def test_the_interval_over_seeds_is_students():
    """Paired against scipy's own test, unpaired against its Welch test: their intervals, by another way."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(30, 1, 5), rng.normal(31, 2, 5)
    low, high = seeds_interval(dict(enumerate(a)), dict(enumerate(b)))
    expected = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (low, high) == pytest.approx((float(expected.low), float(expected.high)))
    low, high = seeds_interval(dict(enumerate(a)), dict(enumerate(b, 9)))
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert (low, high) == pytest.approx((float(expected.low), float(expected.high)))
    assert seeds_interval({1: 1.0}, {1: 2.0, 2: 3.0}) is None
    assert seeds_interval({1: 1.0, 2: 1.0}, {3: 2.0, 4: 2.0}) == (1.0, 1.0)


@pytest.mark.parametrize("pictures", [6, 14])
def test_the_interval_covers_what_it_says(pictures):
    """Of 300 samples of a known mean 95 % of the intervals hold it, give or take 3.5 %: three standard deviations."""
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        low, high = pictures_interval(rng.normal(0.3, 1, pictures))
        inside += low <= 0.3 <= high
    assert 274 <= inside <= 298


def test_equal_differences_have_no_width():
    assert pictures_interval(np.full(7, 0.25)) == (0.25, 0.25)
    assert pictures_interval(np.zeros(7)) == (0, 0)
    assert pictures_interval(np.full(5, 0.25)) is None
    low, high = pictures_interval(np.array([0.1 + 0.2] * 3 + [0.3] * 3))  # equal but for rounding
    assert low == high == pytest.approx(0.3)


def test_two_values_only_have_an_interval():
    low, high = pictures_interval(np.array([0.1] * 11 + [0.2]))
    assert 0 < low < 0.1 + 0.1 / 12 < high


def test_only_pictures_and_metrics_that_all_have(rows):
    a = told(rows, {"psnr_y": [1.0] * 7, "lpips": [0.1] * 7})
    b = told(rows, {"psnr_y": [2.0] * 6})
    (one,) = compare([a], [b])
    assert (one.metric, one.pictures) == ("psnr_y", 6)


def test_the_same_seed_again_is_no_other_seed(rows):
    twice = [told(rows, {"psnr_y": [30.0] * 6}), told(rows, {"psnr_y": [30.2] * 6})]
    (one,) = compare(twice, [told(rows, {"psnr_y": [30.3] * 6}), told(rows, {"psnr_y": [30.5] * 6})])
    assert one.difference == pytest.approx(0.3)
    assert (one.seeds, one.words) == ((1, 1), f"{LARGER} over pictures; one seed")


def test_other_scales_and_pictures_are_not_compared(rows, tmp_path):
    fine, other = rows[0], replace(rows[1], bicubic={"psnr_y": 24.0})
    with pytest.raises(
        UserError, match=r"^0_run and 1_run are measured on other pictures, .*`sr evaluate` measures both"
    ):
        compare([fine], [other])
    (x4,) = rows_below(tmp_path / "x4", Made(settings={"scale": 4}))
    with pytest.raises(UserError, match=r"^0_run is x2 and 0_run is x4: numbers of two scales are not compared$"):
        compare([fine], [x4])
    (rows[1].folder / "val" / "metrics.csv").unlink()
    with pytest.raises(UserError, match=r"^1_run has no values of its pictures \(val/metrics.csv\), so it cannot be"):
        compare([fine], [rows[1]])


def test_a_set_with_a_name_has_its_own_metrics(tmp_path):
    sets = {"main": list("abcdef"), "noisy": list("abcdef")}
    a, b = rows_below(tmp_path, Made(seed=1, pictures=sets), Made(seed=2, pictures=sets, gain=2.0))
    found = {one.metric: one for one in compare([a], [b])}
    assert list(found) == ["psnr_y", "ssim_y", "noisy/psnr_y", "noisy/ssim_y"]
    assert found["psnr_y"].difference == pytest.approx(1.01)
    assert a.command == Command()


def test_both_sides_of_a_translation_are_one_set(rows):
    """A run's column is the mean over both sides: one that gains on A what it loses on B has gained nothing."""

    def both(a, b, number):
        own = told(rows, {"cycle_psnr": a}, number)
        values = {(side, f"{i}.png"): {"cycle_psnr": v} for side, vs in (("a", a), ("b", b)) for i, v in enumerate(vs)}
        object.__setattr__(own, "values", values)
        return own

    base = [20.0, 22.0, 24.0, 26.0]
    (one,) = compare([both(base, base, 0)], [both([v + 1 for v in base], [v - 5 for v in base], 1)])
    assert (one.metric, one.pictures) == ("cycle_psnr", 8)
    assert one.difference == pytest.approx(-2.0)
