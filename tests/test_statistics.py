"""Intervals and tests against published values, SciPy's slow paths, brute force and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray

from reportgen import statistics
from reportgen.statistics import (
    RESAMPLES,
    Interval,
    Statistic,
    bootstrap_interval,
    bootstrap_intervals,
    cohens_g,
    cohens_h,
    holm,
    mcnemar,
    mean_interval,
    mean_intervals,
    over_seeds,
    paired_difference,
    paired_differences,
    proportion_difference,
    ratio,
    sign_flip,
    wilson,
    wilson_band,
)

Array = NDArray[Any]


def random(stream: int) -> np.random.Generator:
    """A source of test data that has nothing to do with the resampling."""
    return np.random.default_rng([4, stream])


# ------------------------------------------------------------------------------- the bootstrap


class Recorded:
    """A statistic that keeps what it was asked and what it answered."""

    def __init__(self, statistic: Statistic) -> None:
        self.statistic = statistic
        self.weights: list[Array] = []
        self.values: list[Array] = []

    def __call__(self, weights: Array) -> Array:
        self.weights.append(weights)
        self.values.append(self.statistic(weights))
        return self.values[-1]

    @property
    def resamples(self) -> tuple[Array, Array]:
        """The weights of the resamples, and the statistic on each: what was asked last."""
        weights, values = np.concatenate(self.weights), np.concatenate(self.values)
        return weights[-RESAMPLES:], values[-RESAMPLES:].reshape(-1)


def by_scipy(kind: Array, kinds: int, recorded: Recorded) -> Interval:
    """SciPy's BCa interval, with its own jackknife, of the very same resamples.

    ``kind`` (n,) is each example's kind, which is all that the statistic knows of it.
    """

    def statistic(sample: Array, axis: int) -> Array:
        rows = np.moveaxis(sample, axis, -1).reshape(-1, sample.shape[axis]).astype(int)
        weights = np.stack([np.bincount(row, minlength=kinds) for row in rows])
        left = sample.shape[:axis] if axis >= 0 else sample.shape[:-1]
        return recorded.statistic(weights.astype(float)).reshape(left)

    drawn = SimpleNamespace(bootstrap_distribution=recorded.resamples[1])
    found = scipy.stats.bootstrap(
        (kind,), statistic, n_resamples=0, bootstrap_result=drawn, vectorized=True, method="BCa"
    )
    return Interval(*found.confidence_interval)


CELLS = np.array([24, 6, 4, 30])
F1 = ratio(np.array([2, 0, 0, 0]), np.array([2, 1, 1, 0]))
"""F1 from true positives, false positives, false negatives and true negatives."""


def test_a_bootstrap_interval_is_scipys_on_the_same_resamples() -> None:
    values = random(0).lognormal(size=50)
    deviation = Recorded(lambda w: np.sqrt((w @ values**2 - (w @ values) ** 2 / 50) / 50))
    found = bootstrap_interval(deviation, np.ones(50, int))
    assert found == pytest.approx(by_scipy(np.arange(50), 50, deviation), rel=1e-12)


def test_an_interval_of_few_kinds_of_examples_is_scipys_on_the_same_resamples() -> None:
    recorded = Recorded(F1)
    found = bootstrap_interval(recorded, CELLS)
    assert found == pytest.approx(by_scipy(np.repeat(np.arange(4), CELLS), 4, recorded), rel=1e-12)


def test_the_interval_of_a_mean_is_that_of_a_sum_over_a_count() -> None:
    values, ones = random(1).gamma(2, size=60), np.ones(60, int)
    expected = bootstrap_interval(ratio(values, ones), ones)
    assert expected is not None
    assert mean_interval(values) == pytest.approx(expected, rel=1e-12)


def test_columns_have_the_intervals_they_have_alone() -> None:
    values = random(2).gamma(2, size=(300, 3))
    together, alone = mean_intervals(values), [mean_interval(column) for column in values.T]
    np.testing.assert_allclose(np.array(together), np.array(alone), rtol=1e-12)


def test_equal_data_have_equal_intervals() -> None:
    values = random(3).gamma(2, size=500)
    assert mean_interval(values) == mean_interval(values.copy())
    assert bootstrap_interval(F1, CELLS) == bootstrap_interval(F1, CELLS.copy())


def test_an_interval_follows_its_values_unit() -> None:
    values = random(4).gamma(2, size=500)
    low, high = mean_interval(values) or (math.nan, math.nan)
    assert mean_interval(32 - 2 * values) == pytest.approx((32 - 2 * high, 32 - 2 * low), rel=1e-3)


def test_an_interval_leans_towards_the_long_tail() -> None:
    values = random(5).lognormal(size=100)
    low, high = mean_interval(values) or (math.nan, math.nan)
    assert high - values.mean() > 1.1 * (values.mean() - low)


@pytest.mark.parametrize(
    "counts",
    [np.ones(400, int), np.repeat([1, 2, 3], 60), CELLS * 10],
    ids=["all different", "many kinds", "few kinds"],
)
def test_resamples_are_drawn_with_replacement(counts: Array) -> None:
    values = random(6).normal(size=len(counts))
    recorded = Recorded(ratio(values, np.ones(len(counts))))
    bootstrap_interval(recorded, counts)
    weights, means = recorded.resamples
    assert set(weights.sum(axis=1)) == {counts.sum()}
    np.testing.assert_allclose(weights.mean(axis=0), counts, rtol=0.12)
    variance = np.average(values**2, weights=counts) - np.average(values, weights=counts) ** 2
    assert means.std() == pytest.approx(math.sqrt(variance / counts.sum()), rel=0.06)


def test_a_jackknife_by_groups_comes_near_the_whole_one() -> None:
    values = random(7).lognormal(sigma=0.5, size=5000)
    whole = mean_interval(values)
    assert whole is not None
    grouped = bootstrap_interval(ratio(values, np.ones(5000)), np.ones(5000, int))
    assert grouped == pytest.approx(whole, abs=0.01 * (whole.high - whole.low))


def test_a_statistic_is_asked_in_batches_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BATCH_NUMBERS", 5000)
    values = random(8).normal(size=700)
    recorded = Recorded(ratio(values, np.ones(700)))
    bootstrap_interval(recorded, np.ones(700, int))
    assert max(weights.size for weights in recorded.weights) <= 5000


def test_the_size_of_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = random(9).normal(size=(700, 2))
    expected = mean_intervals(values)
    monkeypatch.setattr(statistics, "BATCH_NUMBERS", 1)
    np.testing.assert_allclose(np.array(mean_intervals(values)), np.array(expected), rtol=1e-12)


def test_equal_values_leave_no_room() -> None:
    assert mean_interval(np.full(30, 0.3)) == pytest.approx((0.3, 0.3), rel=1e-12)


def test_one_example_has_no_interval() -> None:
    assert mean_intervals(np.ones((1, 2))) == [None, None]
    assert bootstrap_interval(F1, np.array([1, 0, 0, 0])) is None


def test_a_value_that_is_not_defined_has_no_interval() -> None:
    precision_and_recall = ratio(
        np.array([[1, 1], [0, 0], [0, 0]]), np.array([[1, 1], [1, 0], [0, 1]])
    )
    nothing_called = np.array([0, 0, 40])
    precision, recall = bootstrap_intervals(precision_and_recall, nothing_called)
    assert (precision, recall) == (None, (0, 0))


def test_resamples_without_a_value_are_left_out() -> None:
    precision = ratio(np.array([1, 0, 0]), np.array([1, 1, 0]))
    low, high = bootstrap_interval(precision, np.array([2, 2, 400])) or (math.nan, math.nan)
    assert 0 <= low < 0.5 < high <= 1


def test_a_value_that_hangs_on_one_example_has_an_interval() -> None:
    precision = ratio(np.array([1, 0]), np.array([1, 0]))
    assert bootstrap_interval(precision, np.array([1, 40])) == (1, 1)


def test_an_estimate_beyond_all_its_resamples_has_an_interval() -> None:
    def evenness(weights: Array) -> Array:
        return -(weights**2).sum(axis=1)

    low, high = bootstrap_interval(evenness, np.ones(50, int)) or (math.nan, math.nan)
    assert low <= high < -50


# -------------------------------------------------------------------------------- proportions


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_as_published(
    successes: int, trials: int, low: float, high: float
) -> None:
    """Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I."""
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_no_trials_have_no_interval() -> None:
    assert wilson(0, 0) is None


def test_the_band_is_wilsons_interval_at_each_point() -> None:
    trials = np.array([1, 1, 7, 7, 7, 2500, 2500, 25_000, 25_000, 25_000])
    successes = np.array([0, 1, 0, 3, 7, 1, 2175, 0, 24_999, 25_000])
    expected = [wilson(*pair) for pair in zip(successes.tolist(), trials.tolist(), strict=True)]
    band = np.transpose(wilson_band(successes, trials))
    np.testing.assert_allclose(band, np.array(expected), rtol=1e-12)


def test_the_band_has_a_gap_where_there_are_no_trials() -> None:
    low, high = wilson_band(np.array([0, 3]), np.array([0, 4]))
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == pytest.approx(wilson(3, 4) or ())


def test_the_interval_of_a_paired_difference_of_proportions_is_as_published() -> None:
    """Cavo et al. (2012) in Fagerland, Lydersen & Laake (2017), chapter 8, to four decimals."""
    assert proportion_difference(6, 16, 161) == pytest.approx((-0.1195, -0.0032), abs=5e-5)


def test_a_difference_of_proportions_turns_with_its_sides() -> None:
    low, high = proportion_difference(40, 90, 2500) or (math.nan, math.nan)
    assert proportion_difference(90, 40, 2500) == pytest.approx((-high, -low))


def test_a_difference_of_proportions_stays_within_its_range() -> None:
    low, _ = proportion_difference(0, 3, 3) or (math.nan, math.nan)
    _, high = proportion_difference(3, 0, 3) or (math.nan, math.nan)
    assert (low, high) == (-1, 1)


def test_no_examples_have_no_difference_of_proportions() -> None:
    assert proportion_difference(0, 0, 0) is None


@pytest.mark.parametrize(("first", "second"), [(1, 7), (12, 9), (0, 6), (5, 5)])
def test_mcnemars_test_counts_the_outcomes_as_unlikely(first: int, second: int) -> None:
    outcomes = [math.comb(first + second, k) for k in range(first + second + 1)]
    as_unlikely = sum(count for count in outcomes if count <= outcomes[first])
    assert mcnemar(first, second) == pytest.approx(as_unlikely / sum(outcomes))


def test_mcnemars_test_of_equal_classifiers_finds_nothing() -> None:
    assert mcnemar(0, 0) == 1


# --------------------------------------------------------------------------- paired differences

SLEEP = (
    np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]),
    np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]),
)
"""Hours of sleep gained by ten patients on two drugs (Student 1908)."""


def test_a_paired_difference_is_students() -> None:
    """Mean 1.58 hours, t = 4.0621 with 9 degrees of freedom, p = 0.002833."""
    found = paired_difference(*SLEEP)
    assert found is not None
    assert found.mean == pytest.approx(-1.58)
    assert found.effect_size == pytest.approx(-4.0621 / math.sqrt(10), abs=1e-4)
    assert found.p_value == pytest.approx(0.002833, abs=1e-6)
    assert found.interval == mean_interval(SLEEP[0] - SLEEP[1])


def test_the_p_value_of_a_paired_difference_is_scipys() -> None:
    first, second = random(10).gamma(2, size=(2, 3000, 1))
    second = first + 0.05 * second - 0.09
    [found] = paired_differences(first, second)
    assert found is not None
    assert found.p_value == pytest.approx(scipy.stats.ttest_rel(first, second).pvalue[0], rel=1e-9)


def test_one_model_is_compared_with_several() -> None:
    first, others = random(11).gamma(2, size=(400, 1)), random(12).gamma(2, size=(400, 3))
    found = paired_differences(first, others)
    alone = paired_difference(first[:, 0], others[:, 2])
    assert alone is not None
    assert found[2] is not None
    assert found[2].interval == pytest.approx(alone.interval)
    assert (found[2].mean, found[2].effect_size) == pytest.approx((alone.mean, alone.effect_size))


def test_equal_models_do_not_differ() -> None:
    values = random(13).gamma(2, size=100)
    found = paired_difference(values, values)
    assert found == statistics.Difference(0.0, Interval(0.0, 0.0), 0.0, 1.0)


def test_a_constant_difference_has_no_effect_size() -> None:
    found = paired_difference(np.full(20, 2.0), np.full(20, 1.5))
    assert found == statistics.Difference(0.5, Interval(0.5, 0.5), None, 0.0)


def test_one_pair_has_no_difference() -> None:
    assert paired_difference(np.ones(1), np.zeros(1)) is None


def test_values_of_single_precision_are_subtracted_in_double() -> None:
    first, second = random(14).gamma(2, size=(2, 1000)).astype(np.float32)
    found = paired_difference(first, second)
    assert found == paired_difference(first.astype(float), second.astype(float))


def test_holms_adjustment_is_as_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holms_adjustment_never_exceeds_one() -> None:
    assert holm([0.9, 0.4, 0.6]) == [1, 1, 1]


def test_holms_adjustment_of_nothing_is_nothing() -> None:
    assert holm([]) == []


def stepped_down(p_values: Sequence[float], level: float) -> set[int]:
    """What Holm's procedure rejects, one hypothesis after the other."""
    rejected: set[int] = set()
    for left, index in zip(range(len(p_values), 0, -1), np.argsort(p_values).tolist(), strict=True):
        if p_values[index] > level / left:
            break
        rejected.add(index)
    return rejected


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2, 0.5])
def test_holms_adjusted_p_values_reject_what_his_procedure_rejects(level: float) -> None:
    for p_values in random(15).beta(0.3, 1, size=(200, 6)).tolist():
        rejected = {i for i, p in enumerate(holm(p_values)) if p <= level}
        assert rejected == stepped_down(p_values, level)


# -------------------------------------------------------------------------------------- seeds

MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Darwin's pairs of maize plants, crossed minus self-fertilised, in eighths of an inch."""


def test_the_spread_over_seeds_is_mean_and_standard_deviation() -> None:
    assert over_seeds([2, 4, 4, 4, 5, 5, 7, 9]) == pytest.approx((5, math.sqrt(32 / 7)))


def test_one_seed_has_no_spread() -> None:
    assert over_seeds([0.9]) is None


def test_the_sign_flip_test_gives_fishers_count() -> None:
    """Fisher (1935), section 21: 863 of the 2^15 ways in either tail, 5.267 per cent."""
    assert sign_flip(MAIZE) == pytest.approx(2 * 863 / 2**15)


def test_the_sign_flip_test_counts_all_flips() -> None:
    differences = random(16).normal(0.5, 1, size=7)
    flips = [abs(np.dot(signs, differences)) for signs in itertools.product([-1, 1], repeat=7)]
    as_far = sum(far >= abs(differences.sum()) - 1e-12 for far in flips)
    assert sign_flip(differences.tolist()) == pytest.approx(as_far / 2**7)


def test_six_seeds_of_one_sign_are_just_enough() -> None:
    assert sign_flip([1, 2, 3, 4, 5, 6]) == 2 / 2**6
    assert sign_flip([1, 2, 3, 4, 5]) is None


def test_seeds_without_a_difference_give_a_p_value_of_one() -> None:
    assert sign_flip([0.0] * 6) == 1


def test_many_seeds_are_flipped_at_random_and_alike_each_time() -> None:
    differences = random(17).normal(0.4, 1, size=30).tolist()
    p_value = sign_flip(differences)
    assert p_value == sign_flip(differences)
    assert p_value == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue, rel=0.1)


# -------------------------------------------------------------------------------- effect sizes


def test_effect_size_h_is_that_of_cohens_example() -> None:
    """Cohen (1988), example 6.5, page 203, to the digits that R's package pwr gives for it."""
    assert cohens_h(0.5, 0.4) == pytest.approx(0.2013579, abs=5e-8)


@pytest.mark.parametrize(
    ("first", "second", "angle"),
    [(0.75, 0.25, math.pi / 3), (0, 0.5, -math.pi / 2), (1, 0, math.pi)],
)
def test_effect_size_h_is_a_difference_of_angles(first: float, second: float, angle: float) -> None:
    assert cohens_h(first, second) == pytest.approx(angle)


def test_effect_size_g_is_by_how_much_a_share_exceeds_a_half() -> None:
    assert cohens_g(30, 10) == 0.25  # the least that Cohen (1988, page 147) calls large
    assert cohens_g(10, 30) == -0.25
    assert cohens_g(0, 0) == 0


# ----------------------------------------------------------------------------------- coverage

REPETITIONS = 2000
"""Data sets drawn to see how often an interval covers the truth: 95 % ± 0.5 % by chance."""

SHARE = 0.5
"""Of simulated reviews so many are positive."""

SEPARATION = 2.2
"""Scores are normal, of deviation 1, around plus and minus half of this."""

THRESHOLDS = np.array([-0.6, 0.0, 0.6])


def assert_covers(intervals: Array, truth: float | Array) -> None:
    """Check that 93 to 97 % of the intervals, (repetitions, 2), hold the truth."""
    covered = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
    assert 0.93 <= covered <= 0.97


def reviews(stream: int, examples: int, repetitions: int = REPETITIONS) -> tuple[Array, Array]:
    """Scores and labels (examples, repetitions)."""
    rng = random(stream)
    labels = rng.random((examples, repetitions)) < SHARE
    return rng.normal(SEPARATION * (labels - 0.5)), labels


def called(threshold: float | Array) -> tuple[Any, Any]:
    """The share of all reviews that are rightly called positive, and that of those wrongly so."""
    true = SHARE * scipy.stats.norm.sf(threshold, SEPARATION / 2)
    return true, (1 - SHARE) * scipy.stats.norm.sf(threshold, -SEPARATION / 2)


@pytest.mark.parametrize("examples", [300, 1000])
def test_intervals_of_mean_errors_cover(examples: int) -> None:
    errors = random(20).lognormal(sigma=0.6, size=(examples, REPETITIONS))
    assert_covers(np.array(mean_intervals(errors)), math.exp(0.6**2 / 2))


def test_intervals_of_the_brier_score_cover() -> None:
    scores, labels = reviews(21, 500)
    probability = scipy.special.expit(1.3 * SEPARATION * scores)  # surer than it should be

    def error(score: float) -> float:
        """The squared error of a positive review; that of a negative one is its mirror image."""
        return float(scipy.special.expit(-1.3 * SEPARATION * score)) ** 2

    truth = scipy.stats.norm(SEPARATION / 2).expect(error)
    assert_covers(np.array(mean_intervals((probability - labels) ** 2)), truth)


def test_intervals_of_paired_differences_cover() -> None:
    rng = random(22)
    image = rng.lognormal(sigma=0.6, size=(500, REPETITIONS))  # some are harder for both models
    first, second = (image * rng.gamma(8, mean / 8, image.shape) for mean in (1, 0.97))
    found = paired_differences(first, second)
    assert_covers(np.array([each and each.interval for each in found]), 0.03 * math.exp(0.6**2 / 2))


@pytest.mark.slow
def test_intervals_of_f1_cover_at_each_threshold() -> None:
    scores, labels = reviews(23, 1000)
    place = np.searchsorted(THRESHOLDS, scores) + 4 * labels
    cells = np.stack([np.bincount(column, minlength=8) for column in place.T])

    def f1(weights: Array) -> Array:
        rising = weights.reshape(-1, 2, 4)
        above = np.cumsum(rising[:, :, ::-1], axis=2)[:, :, 2::-1]
        return 2 * above[:, 1] / (above.sum(axis=1) + rising[:, 1].sum(axis=1, keepdims=True))

    found = np.array([bootstrap_intervals(f1, counts) for counts in cells])
    true, false = called(THRESHOLDS)
    for index, truth in enumerate(2 * true / (true + false + SHARE)):
        assert_covers(found[:, index], truth)


def test_intervals_of_precision_cover() -> None:
    scores, labels = reviews(24, 1000)
    positive = scores >= 0
    found = bootstrap_intervals(ratio(positive & labels, positive), np.ones(1000, int))
    true, false = called(0)
    assert_covers(np.array(found), true / (true + false))


def areas(scores: Array, labels: Array) -> Statistic:
    """The area under the ROC curve and the average precision, from weights of the examples."""
    order = np.argsort(-scores)
    positive = labels[order].astype(float)
    inner = partial(np.einsum, "ij,ij->i")

    def statistic(weights: Array) -> Array:
        weights = np.take(weights, order, axis=1)
        step = weights * positive
        reached, true = np.cumsum(weights, axis=1), np.cumsum(step, axis=1)
        positives, negatives = true[:, -1], reached[:, -1] - true[:, -1]
        precision = np.divide(true, reached, out=np.zeros(true.shape), where=reached > 0)
        under_roc = inner(weights - step, true) / (positives * negatives)
        return np.column_stack([under_roc, inner(step, precision) / positives])

    return statistic


@pytest.mark.slow
def test_intervals_of_areas_cover() -> None:
    scores, labels = reviews(25, 200)
    of_each = [areas(*pair) for pair in zip(scores.T, labels.T, strict=True)]
    found = bootstrap_intervals(
        lambda weights: np.hstack([statistic(weights) for statistic in of_each]), np.ones(200, int)
    )

    def step(threshold: float) -> float:
        true, false = called(threshold)
        return float(true / (true + false) * scipy.stats.norm.pdf(threshold, SEPARATION / 2))

    under_roc = scipy.stats.norm.cdf(SEPARATION / math.sqrt(2))
    average_precision, _ = scipy.integrate.quad(step, -10, 10)
    assert_covers(np.array(found[0::2]), under_roc)
    assert_covers(np.array(found[1::2]), average_precision)


@pytest.mark.parametrize("trials", [1000, 2500, 25_000])
@pytest.mark.parametrize("share", [0.5, 0.87, 0.98])
def test_wilsons_intervals_cover(share: float, trials: int) -> None:
    """Summed over all outcomes, not simulated."""
    successes = np.arange(trials + 1)
    low, high = wilson_band(successes, np.array(trials))
    chance = scipy.stats.binom.pmf(successes, trials, share)
    assert 0.93 <= chance[(low <= share) & (share <= high)].sum() <= 0.97


def test_bands_of_precision_and_recall_cover_at_each_threshold() -> None:
    """The number called positive is itself a matter of chance."""
    scores, labels = reviews(26, 1000)
    for threshold in THRESHOLDS:
        true, false = called(threshold)
        positive = scores >= threshold
        hits = (positive & labels).sum(axis=0)
        precision = wilson_band(hits, positive.sum(axis=0))
        assert_covers(np.transpose(precision), true / (true + false))
        assert_covers(np.transpose(wilson_band(hits, labels.sum(axis=0))), true / SHARE)


@pytest.mark.parametrize(("first", "second"), [(0.06, 0.06), (0.08, 0.05), (0.11, 0.02)])
def test_intervals_of_paired_differences_of_proportions_cover(first: float, second: float) -> None:
    """Summed over all outcomes of 150 reviews, not simulated."""
    examples, covered = 150, 0.0
    outcomes = np.array([(a, b) for a in range(60) for b in range(60)])
    counts = np.column_stack([outcomes, examples - outcomes.sum(axis=1)])
    chances = scipy.stats.multinomial.pmf(counts, examples, [first, second, 1 - first - second])
    assert chances.sum() == pytest.approx(1)
    for (a, b), chance in zip(outcomes.tolist(), chances, strict=True):
        low, high = proportion_difference(a, b, examples) or (math.nan, math.nan)
        covered += chance * (low <= first - second <= high)
    assert 0.93 <= covered <= 0.97


def test_intervals_of_differences_of_accuracy_cover_with_many_reviews() -> None:
    counts = random(27).multinomial(5000, [0.055, 0.04, 0.905], size=REPETITIONS)
    found = [proportion_difference(a, b, 5000) for a, b, _ in counts.tolist()]
    assert_covers(np.array(found), 0.015)
