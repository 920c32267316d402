"""Counts, curves, changes between thresholds and calibration, against independent values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy
from sklearn import metrics

from experiments.lstm import classification
from experiments.lstm.classification import (
    Confusion,
    Curves,
    RankedKinds,
    Step,
    bands,
    bins,
    calibration_error,
    scores,
    share_difference,
    steps,
    thinned,
)
from reportgen.experiment import Array
from reportgen.statistics import mean_interval

REVIEWS = 400


def predictions(seed: int = 5, reviews: int = REVIEWS) -> tuple[Array, Array]:
    """Probabilities in steps of a hundredth, so that there are ties, and labels.

    None is a threshold itself, so that rounding does not decide.
    """
    chance = np.random.default_rng(seed)
    labels = (np.arange(reviews) % 2).astype(np.uint8)
    spread = chance.normal(labels * 2.5 - 1.25, 1.4)
    return np.floor(100 / (1 + np.exp(-spread))) / 100 + 0.005, labels


def resampled(statistic: Callable[[Array, Array], float], times: int = 1000) -> tuple[float, float]:
    """A slow percentile interval of a statistic: single reviews resampled, one set at a time."""
    probability, labels = predictions()
    chance = np.random.default_rng(99)
    found = []
    for _ in range(times):
        drawn = chance.integers(0, REVIEWS, REVIEWS)
        found.append(statistic(probability[drawn], labels[drawn]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


# ----------------------------------------------------------------------------------- one threshold


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_measures_at_a_threshold_are_those_of_scikit_learn(threshold: float) -> None:
    probability, labels = predictions()
    called = probability >= threshold
    at = Confusion.at(threshold, probability, labels)
    expected = metrics.confusion_matrix(labels, called)
    assert [[at.true_negative, at.false_positive], [at.false_negative, at.true_positive]] == (
        expected.tolist()
    )
    assert at.precision == pytest.approx(metrics.precision_score(labels, called))
    assert at.recall == pytest.approx(metrics.recall_score(labels, called))
    assert at.f1 == pytest.approx(metrics.f1_score(labels, called))
    assert at.accuracy == pytest.approx(metrics.accuracy_score(labels, called))


def test_without_positive_calls_there_is_no_precision() -> None:
    probability, labels = predictions()
    at = Confusion.at(1.5, probability, labels)
    assert at.precision is None
    assert at.intervals["precision"] is None


def test_each_share_has_wilsons_interval_of_its_own_counts() -> None:
    at = Confusion(true_positive=30, false_positive=10, false_negative=20, true_negative=40)
    counts = {"accuracy": (70, 100), "precision": (30, 40), "recall": (30, 50)}
    for name, (hits, of) in counts.items():
        expected = scipy.stats.binomtest(hits, of).proportion_ci(method="wilson")
        assert at.intervals[name] == pytest.approx((expected.low, expected.high))


def test_the_interval_of_f1_is_that_of_resampled_reviews() -> None:
    slow = resampled(lambda p, y: float(metrics.f1_score(y, p >= 0.3)))
    assert Confusion.at(0.3, *predictions()).intervals["f1"] == pytest.approx(slow, abs=0.006)


def test_the_cost_counts_each_kind_of_mistake_at_its_price() -> None:
    at = Confusion(true_positive=30, false_positive=10, false_negative=20, true_negative=40)
    assert at.cost(3) == pytest.approx((3 * 10 + 20) / 100)
    each = mean_interval(np.repeat([0, 3, 1], [70, 10, 20]))
    assert at.cost_interval(3) == pytest.approx(each, abs=0.02)


# ----------------------------------------------------------------------------- several thresholds


def test_bands_are_the_intervals_at_each_threshold() -> None:
    probability, labels = predictions()
    grid = np.array([0.2, 0.5, 0.8])
    found = bands(grid, probability, labels)
    for i, threshold in enumerate(grid):
        at = Confusion.at(threshold, probability, labels)
        for name, band in found.items():
            assert band.value[i] == pytest.approx(getattr(at, name.lower()))
            low, high = at.intervals[name.lower()] or (None, None)
            # F1 is resampled from other cells, so its ends agree but for the draws.
            draws = 0.008 if name == "F1" else 1e-12
            assert band.low[i] == pytest.approx(low, abs=draws)
            assert band.high[i] == pytest.approx(high, abs=draws)


def test_no_band_is_drawn_where_nothing_is_called_positive() -> None:
    found = bands(np.array([0.5, 1.5]), *predictions())
    assert np.isnan(found["precision"].value).tolist() == [False, True]
    assert found["recall"].value[1] == 0
    assert found["F1"].value[1] == 0


def test_the_change_of_accuracy_is_that_of_the_reviews_that_change_sides() -> None:
    probability, labels = predictions()
    [step] = steps([0.3, 0.6], probability, labels)
    right = [(probability >= threshold) == (labels == 1) for threshold in (0.3, 0.6)]
    gained, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
    change = step.accuracy
    assert (step.moved_negative, step.moved_positive) == (gained, lost)
    assert change.value == pytest.approx(right[1].mean() - right[0].mean())
    assert change.p_value == pytest.approx(scipy.stats.binomtest(gained, gained + lost).pvalue)


def test_the_changes_of_precision_and_f1_have_the_intervals_of_resampled_reviews() -> None:
    [step] = steps([0.3, 0.7], *predictions())

    def change(measure: str) -> Callable[[Array, Array], float]:
        def of_resample(p: Array, y: Array) -> float:
            [resample] = steps([0.3, 0.7], p, y)
            value = getattr(resample, measure).value
            return float(value)

        return of_resample

    for measure in ("precision", "f1"):
        slow = resampled(change(measure), 400)
        assert getattr(step, measure).interval == pytest.approx(slow, abs=0.008)


@pytest.mark.parametrize("moved", [(0, 5), (5, 0), (3, 1), (1, 3), (0, 0)])
def test_precision_rises_exactly_if_the_reviews_in_between_are_less_often_positive(
    moved: tuple[int, int],
) -> None:
    high = Confusion(true_positive=12, false_positive=6, false_negative=20, true_negative=40)
    low = Confusion(12 + moved[0], 6 + moved[1], 20 - moved[0], 40 - moved[1])
    change = Step(low, high).precision
    assert change.value is not None
    between = moved[0] / sum(moved) if sum(moved) else 12 / 18
    assert np.sign(change.value) == np.sign(12 / 18 - between)
    if sum(moved) == 0:
        assert change.p_value == 1
    else:  # all tables as unlikely as this one or less, by the hypergeometric distribution
        outcomes = scipy.stats.hypergeom(18 + sum(moved), 12 + moved[0], 18)
        chances = outcomes.pmf(np.arange(19))
        expected = chances[chances <= outcomes.pmf(12) * (1 + 1e-9)].sum()
        assert change.p_value == pytest.approx(expected)


def test_recall_can_only_fall_and_its_interval_says_so() -> None:
    high = Confusion(true_positive=15, false_positive=5, false_negative=15, true_negative=45)
    low = Confusion(true_positive=20, false_positive=9, false_negative=10, true_negative=41)
    change, expected = (
        Step(low, high).recall,
        scipy.stats.binomtest(5, 30).proportion_ci(method="wilson"),
    )
    assert change.value == pytest.approx(-5 / 30)
    assert change.interval == pytest.approx((-expected.high, -expected.low))
    assert change.p_value is None
    still = Step(high, high).recall
    assert (still.value, still.told_from_zero) == (0, False)


def test_without_positive_calls_at_one_threshold_precision_does_not_change() -> None:
    [step] = steps([0.5, 1.5], *predictions())
    assert (step.precision.value, step.precision.interval, step.precision.p_value) == (None,) * 3
    assert step.recall.value == -Confusion.at(0.5, *predictions()).recall  # type: ignore[operator]


def test_the_change_of_cost_is_the_difference_of_costs() -> None:
    probability, labels = predictions()
    [step] = steps([0.4, 0.6], probability, labels)
    change = step.cost(3)

    def each(threshold: float) -> Array:
        called = probability >= threshold
        price: Array = 3.0 * (called & (labels == 0)) + (~called & (labels == 1))
        return price

    paired = each(0.6) - each(0.4)
    assert change.value == pytest.approx(paired.mean())
    assert change.interval == pytest.approx(mean_interval(paired), abs=0.005)


def test_effect_sizes_of_a_step_are_cohens() -> None:
    """Precision rises from 0.5 to 0.75, recall falls from 0.75 to 0.25."""
    low = Confusion(true_positive=36, false_positive=36, false_negative=12, true_negative=28)
    high = Confusion(true_positive=12, false_positive=4, false_negative=36, true_negative=60)
    step = Step(low, high)
    assert step.precision.effect == pytest.approx(2 * np.pi / 3 - np.pi / 2)
    assert step.recall.effect == pytest.approx(np.pi / 3 - 2 * np.pi / 3)
    assert step.accuracy.effect == pytest.approx(32 / (32 + 24) - 0.5)


# ------------------------------------------------------------------------------- all thresholds


def test_areas_are_those_of_scikit_learn_with_ties() -> None:
    probability, labels = predictions()
    curves = Curves.of(probability, labels)
    assert len(curves.thresholds) < len(probability)
    assert curves.area_under_roc == pytest.approx(metrics.roc_auc_score(labels, probability))
    expected = metrics.average_precision_score(labels, probability)
    assert curves.average_precision == pytest.approx(expected)


def test_the_best_threshold_is_that_of_a_search_over_all() -> None:
    probability, labels = predictions()
    curves = Curves.of(probability, labels)
    by_f1 = {t: metrics.f1_score(labels, probability >= t) for t in np.unique(probability)}
    by_cost = {t: -Confusion.at(t, probability, labels).cost(2.5) for t in np.unique(probability)}
    for values, searched in ((curves.f1, by_f1), (-curves.cost(2.5), by_cost)):
        assert values.max() == pytest.approx(max(searched.values()))
        assert searched[curves.best(values)] == pytest.approx(values.max())


def test_of_equally_good_thresholds_that_nearest_to_one_half_is_taken() -> None:
    curves = Curves.of(np.array([0.9, 0.6, 0.2]), np.array([1, 0, 1]))
    assert curves.best(np.array([1.0, 1.0, 1.0])) == 0.6


def test_weighted_areas_are_those_of_scikit_learn_with_ties() -> None:
    probability, labels = predictions()
    kinds = RankedKinds.of(probability, labels, 10_000)
    assert not kinds.wide.any()
    chance = np.random.default_rng(3)
    for _ in range(3):
        weights = chance.integers(0, 3, REVIEWS)
        of_kinds = np.bincount(kinds.kind, weights, minlength=len(kinds.counts))
        expected = [
            metrics.roc_auc_score(labels, probability, sample_weight=weights),
            metrics.average_precision_score(labels, probability, sample_weight=weights),
        ]
        assert kinds.areas(of_kinds[None])[0] == pytest.approx(expected)


def test_areas_over_cells_are_near_the_exact_ones() -> None:
    chance = np.random.default_rng(4)
    labels = np.arange(20_000) % 2
    probability = 1 / (1 + np.exp(-chance.normal(labels * 4.0 - 2, 1.8)))
    kinds = RankedKinds.of(probability, labels, classification.CELLS)
    assert kinds.wide.all()
    curves = Curves.of(probability, labels)
    found = kinds.areas(kinds.counts[None].astype(float))[0]
    assert found == pytest.approx([curves.area_under_roc, curves.average_precision], abs=5e-5)


def test_scores_are_scikit_learns_with_the_intervals_of_resampled_reviews() -> None:
    probability, labels = predictions()
    found = scores(probability, labels)
    called = probability >= 0.5
    sureness = np.where(called, probability, 1 - probability)

    def roc(p: Array, y: Array) -> float:
        return float(metrics.roc_auc_score(y, p))

    def precision(p: Array, y: Array) -> float:
        return float(metrics.average_precision_score(y, p))

    def brier(p: Array, y: Array) -> float:
        return float(metrics.brier_score_loss(y, p))

    for name, statistic in (
        ("area_under_roc", roc),
        ("average_precision", precision),
        ("brier", brier),
    ):
        value, interval = found[name]
        assert value == pytest.approx(statistic(probability, labels))
        assert interval == pytest.approx(resampled(statistic, 400), abs=0.008)
    expected = sureness.mean() - (called == (labels == 1)).mean()
    assert found["overconfidence"][0] == pytest.approx(expected)


def test_equal_probabilities_and_one_label_do_no_harm() -> None:
    labels = np.array([0, 1] * 10)
    found = scores(np.full(20, 0.4), labels)
    assert found["area_under_roc"][0] == pytest.approx(0.5)
    few = scores(np.array([0.2, 0.7]), np.array([0, 1]))
    assert few["brier"][0] == pytest.approx((0.04 + 0.09) / 2)


# --------------------------------------------------------------------------- groups of examples


def test_bins_count_what_lies_in_them() -> None:
    probability, labels = np.array([0.0, 0.05, 0.55, 1.0]), np.array([0, 1, 1, 1])
    found = [(b.examples, b.positive, b.mean_probability) for b in bins(probability, labels, 10)]
    assert found == [(2, 1, 0.025), (1, 1, 0.55), (1, 1, 1.0)]


def test_the_calibration_error_is_that_of_a_sum_by_hand() -> None:
    probability, labels = np.array([0.1, 0.15, 0.85, 0.95]), np.array([0, 0, 1, 0])
    # Two bins: |0.125 - 0| and |0.9 - 0.5|, two examples each.
    assert calibration_error(bins(probability, labels, 2)) == pytest.approx((0.125 + 0.4) / 2)
    assert calibration_error(bins(np.array([0.0, 1.0]), np.array([0, 1]), 10)) == 0


def test_the_interval_of_two_shares_is_newcombes_published_one() -> None:
    """Newcombe (1998), table II, method 10, example (a): 56 of 70 against 48 of 80."""
    assert share_difference((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert share_difference((0, 0), (48, 80)) is None


def test_a_thinned_curve_looks_like_the_whole() -> None:
    chance = np.random.default_rng(1)
    labels = np.arange(20_000) % 2
    curves = Curves.of(chance.normal(labels * 2.0), labels)
    x, y = thinned(curves.recall, curves.precision, 300)
    assert len(x) <= 300
    assert (x[0], x[-1]) == (curves.recall[0], 1)
    whole = np.stack([curves.recall, curves.precision], 1)[::7]
    distances = np.linalg.norm(whole[:, None] - np.stack([x, y], 1), axis=2).min(axis=1)
    assert distances.max() < 0.01
