"""How often the sentiment chapter's intervals hold the truth, in simulations of reviews.

Scores are normal, of deviation 1, around plus and minus half of ``SEPARATION`` by label, so that
every measure of all reviews there could be is known. They are made probabilities by a logistic
curve, and go the way of real predictions. By chance (one binomial standard error) the share of
intervals that hold the truth is 95 % ± 0.5 % of 2,000 data sets and ± 0.7 % of 1,000.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import scipy

from experiments.lstm import classification
from experiments.lstm.classification import Confusion, Step, bands, scores, share_difference
from reportgen.experiment import Array
from reportgen.statistics import Interval

SHARE = 0.5
SEPARATION = 2.2
STEPS = [(0.3, 0.5), (0.5, 0.7)]
PRICE = 2.0
"""Of a false positive."""


def assert_covers(intervals: Sequence[Interval | None], truth: float) -> None:
    """Check that 93 to 97 % of the intervals hold the truth."""
    ends = np.array(intervals, float)
    covered = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert 0.93 <= covered <= 0.97, covered


def predictions(chance: np.random.Generator, reviews: int) -> tuple[Array, Array]:
    """Probabilities and labels of reviews, the probabilities surer than they should be."""
    labels = (chance.random(reviews) < SHARE).astype(np.uint8)
    score = chance.normal(SEPARATION * (labels - 0.5))
    return scipy.special.expit(1.3 * SEPARATION * score), labels


def called(threshold: float) -> tuple[float, float]:
    """The shares of all reviews that are rightly and wrongly called positive."""
    score = scipy.special.logit(threshold) / (1.3 * SEPARATION)
    true = SHARE * scipy.stats.norm.sf(score, SEPARATION / 2)
    return float(true), float((1 - SHARE) * scipy.stats.norm.sf(score, -SEPARATION / 2))


def measures(threshold: float) -> dict[str, float]:
    """Precision, F1 and cost of all reviews at a threshold."""
    true, false = called(threshold)
    return {
        "precision": true / (true + false),
        "f1": 2 * true / (true + false + SHARE),
        "cost": PRICE * false + SHARE - true,
    }


def stepped(
    stream: int, thresholds: tuple[float, float], reviews: int, repetitions: int
) -> list[Step]:
    """The step between two thresholds on many sets of reviews."""
    chance = np.random.default_rng([4, stream])
    found = []
    for _ in range(repetitions):
        drawn = predictions(chance, reviews)
        found.append(Step(*(Confusion.at(threshold, *drawn) for threshold in thresholds)))
    return found


# ----------------------------------------------------------------------------- several thresholds


@pytest.mark.slow
@pytest.mark.parametrize("thresholds", STEPS)
@pytest.mark.parametrize("measure", ["precision", "f1"])
def test_intervals_of_changes_of_precision_and_f1_cover(
    thresholds: tuple[float, float], measure: str
) -> None:
    """With 1,000 reviews it is 94.1 % for F1 from 0.5 to 0.7, with twice as many 94.9 %."""
    found = stepped(1, thresholds, reviews=2000, repetitions=2000)
    low, high = (measures(threshold)[measure] for threshold in thresholds)
    assert_covers([getattr(step, measure).interval for step in found], high - low)


@pytest.mark.parametrize("thresholds", STEPS)
def test_intervals_of_changes_of_cost_cover(thresholds: tuple[float, float]) -> None:
    found = stepped(2, thresholds, reviews=1000, repetitions=2000)
    low, high = (measures(threshold)["cost"] for threshold in thresholds)
    assert_covers([step.cost(PRICE).interval for step in found], high - low)


@pytest.mark.slow
def test_bands_of_f1_cover_at_each_threshold() -> None:
    chance, grid = np.random.default_rng([4, 3]), np.array([0.05, 0.3, 0.5, 0.7, 0.95])
    found = [bands(grid, *predictions(chance, 1000))["F1"] for _ in range(2000)]
    for place, threshold in enumerate(grid.tolist()):
        ends = [Interval(band.low[place], band.high[place]) for band in found]
        assert_covers(ends, measures(threshold)["f1"])


# ------------------------------------------------------------------------------- all thresholds


@pytest.mark.slow
def test_intervals_of_measures_without_a_threshold_cover(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In coarser cells than the report's, to save time: these lose up to 1 % of a deviation."""
    monkeypatch.setattr(classification, "CELLS", 20)
    chance = np.random.default_rng([4, 4])
    found = [scores(*predictions(chance, 2000)) for _ in range(1000)]
    for name, truth in truths().items():
        assert_covers([each[name][1] for each in found], truth)


def truths() -> dict[str, float]:
    """The measures without a threshold of all reviews, by integrals over positive ones' scores.

    Negative reviews are their mirror image.
    """
    positive = scipy.stats.norm(SEPARATION / 2)

    def precision(score: float) -> float:
        hits, mistakes = positive.sf(score), positive.cdf(-score)
        return float(hits / (hits + mistakes))

    def error(score: float) -> float:
        return float(scipy.special.expit(-1.3 * SEPARATION * score)) ** 2

    def surer(score: float) -> float:
        return float(scipy.special.expit(1.3 * SEPARATION * abs(score))) - (score >= 0)

    return {
        "area_under_roc": float(scipy.stats.norm.cdf(SEPARATION / np.sqrt(2))),
        "average_precision": positive.expect(precision, lb=-10, ub=10),
        "brier": positive.expect(error, lb=-10, ub=10),
        "overconfidence": positive.expect(surer, lb=-10, ub=10),
    }


# --------------------------------------------------------------------------- groups of examples


@pytest.mark.parametrize(
    ("first", "second"),
    [((5000, 0.90), (5000, 0.88)), ((2850, 0.90), (22_150, 0.89)), ((300, 0.9), (200, 0.8))],
)
def test_intervals_of_differences_between_groups_cover(
    first: tuple[int, float], second: tuple[int, float]
) -> None:
    chance = np.random.default_rng([4, 5])
    hits = [chance.binomial(*group, size=2000).tolist() for group in (first, second)]
    found = [
        share_difference((one, first[0]), (other, second[0]))
        for one, other in zip(*hits, strict=True)
    ]
    assert_covers(found, first[1] - second[1])
