"""How good predicted probabilities are for two classes: counts at thresholds, curves, areas.

Everywhere, ``probability`` is float (n,), the predicted probability of the positive class, and
``labels`` is (n,) of 0 and 1; an example counts as positive if its probability is *at least* the
threshold. Each measure is None where it would divide by zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy

from reportgen.experiment import Array
from reportgen.statistics import (
    Interval,
    bootstrap_interval,
    bootstrap_intervals,
    cohens_g,
    cohens_h,
    mcnemar,
    proportion_difference,
    ratio,
    wilson,
    wilson_band,
)

CELLS = 500
"""Cells of probability that are resampled instead of single examples."""

F1 = ratio(np.array([2, 0, 0, 0]), np.array([2, 1, 1, 0]))
"""F1 from true positives, false positives, false negatives and true negatives."""


# ----------------------------------------------------------------------------------- one threshold


@dataclass(frozen=True)
class Confusion:
    """How many examples of either class were called positive or negative.

    The measures are those of Manning, Raghavan & Schütze, "Introduction to Information
    Retrieval" (2008), section 8.3.
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @classmethod
    def at(cls, threshold: float, probability: Array, labels: Array) -> Confusion:
        """The counts at a threshold."""
        called, positive = probability >= threshold, labels == 1
        return cls(
            int((called & positive).sum()),
            int((called & ~positive).sum()),
            int((~called & positive).sum()),
            int((~called & ~positive).sum()),
        )

    @property
    def right(self) -> int:
        """How many examples are called what they are."""
        return self.true_positive + self.true_negative

    @property
    def positive(self) -> int:
        """How many examples are positive."""
        return self.true_positive + self.false_negative

    @property
    def called_positive(self) -> int:
        """How many examples are called positive."""
        return self.true_positive + self.false_positive

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return self.right + self.false_positive + self.false_negative

    @property
    def accuracy(self) -> float | None:
        """The share of all examples that are called what they are."""
        return _share(self.right, self.examples)

    @property
    def precision(self) -> float | None:
        """The share of positive ones among those called positive."""
        return _share(self.true_positive, self.called_positive)

    @property
    def recall(self) -> float | None:
        """The share of the positive ones that are called positive."""
        return _share(self.true_positive, self.positive)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        wrong = self.false_positive + self.false_negative
        return _share(2 * self.true_positive, 2 * self.true_positive + wrong)

    def cost(self, of_a_false_positive: float) -> float:
        """The mean cost of an example, where a false negative costs 1."""
        return (of_a_false_positive * self.false_positive + self.false_negative) / self.examples

    def cost_interval(self, of_a_false_positive: float) -> Interval | None:
        """The bootstrap interval of the mean cost of an example."""
        return bootstrap_interval(
            ratio(np.array([0, of_a_false_positive, 1, 0]), np.ones(4)), self._cells
        )

    @property
    def intervals(self) -> dict[str, Interval | None]:
        """Those of ``accuracy``, ``precision`` and ``recall`` (Wilson) and ``f1`` (bootstrap)."""
        return {
            "accuracy": wilson(self.right, self.examples),
            "precision": wilson(self.true_positive, self.called_positive),
            "recall": wilson(self.true_positive, self.positive),
            "f1": bootstrap_interval(F1, self._cells),
        }

    @property
    def _cells(self) -> Array:
        return np.array(
            [self.true_positive, self.false_positive, self.false_negative, self.true_negative]
        )


# ----------------------------------------------------------------------------- several thresholds


@dataclass(frozen=True)
class Change:
    """A measure at the higher of two thresholds minus that at the lower one.

    ``value`` is None where the measure is not defined at one of them. ``p_value`` is for no
    change; None where nothing can be tested. ``effect`` is its size: Cohen's g (1988) of accuracy,
    Cohen's h of precision and recall, None for other measures.
    """

    value: float | None
    interval: Interval | None
    p_value: float | None = None
    effect: float | None = None

    @property
    def told_from_zero(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True)
class Step:
    """A threshold raised: the same examples at the ``low`` and at the ``high`` one.

    Only examples between the two change sides, from positive to negative. So the changes are
    paired, and each comes down to counts of those examples.
    """

    low: Confusion
    high: Confusion

    @property
    def moved_positive(self) -> int:
        """Positive examples that change sides: right before, wrong after."""
        return self.low.true_positive - self.high.true_positive

    @property
    def moved_negative(self) -> int:
        """Negative examples that change sides: wrong before, right after."""
        return self.low.false_positive - self.high.false_positive

    @property
    def accuracy(self) -> Change:
        """The paired change of accuracy, with McNemar's exact test."""
        gained, lost, count = self.moved_negative, self.moved_positive, self.low.examples
        return Change(
            (gained - lost) / count if count else None,
            proportion_difference(gained, lost, count),
            mcnemar(gained, lost),
            cohens_g(gained, lost),
        )

    @property
    def recall(self) -> Change:
        """The paired change of recall.

        It is minus the share of positive examples that change sides, and so can only fall. There
        is nothing to test: one such example shows that it does.
        """
        before, after = self.low.recall, self.high.recall
        found = wilson(self.moved_positive, self.low.positive)
        if before is None or after is None or found is None:
            return Change(None, None)
        return Change(
            0.0 - self.moved_positive / self.low.positive,
            Interval(0.0 - found.high, 0.0 - found.low),
            effect=cohens_h(after, before),
        )

    @property
    def precision(self) -> Change:
        """The paired change of precision, with Fisher's exact test (1935).

        Precision at the low threshold is a mean of that at the high one and of the share of
        positive ones among the examples in between. So it rises exactly if this share is less
        than precision at the high threshold; as they are about different examples, Fisher's test
        of two shares tells whether they differ.
        """
        before, after = self.low.precision, self.high.precision
        if before is None or after is None:
            return Change(None, None)
        called = [self.high.true_positive, self.high.false_positive]
        table = [called, [self.moved_positive, self.moved_negative]]
        return Change(
            after - before,
            self._intervals[0],
            float(scipy.stats.fisher_exact(table)[1]),
            cohens_h(after, before),
        )

    @property
    def f1(self) -> Change:
        """The paired change of F1."""
        before, after = self.low.f1, self.high.f1
        if before is None or after is None:
            return Change(None, None)
        return Change(after - before, self._intervals[1])

    def cost(self, of_a_false_positive: float) -> Change:
        """The paired change of the mean cost of an example, where a false negative costs 1."""
        counts = np.array([self.moved_positive, self.moved_negative, 0])
        counts[2] = self.low.examples - counts.sum()
        added = ratio(np.array([1, -of_a_false_positive, 0]), np.ones(3))
        value = self.high.cost(of_a_false_positive) - self.low.cost(of_a_false_positive)
        return Change(value, bootstrap_interval(added, counts))

    @property
    def _intervals(self) -> list[Interval | None]:
        """Bootstrap intervals of the changes of precision and F1, paired, from counts."""
        both, moved, neither = (
            (self.high.true_positive, self.high.false_positive),
            (self.moved_positive, self.moved_negative),
            (self.low.false_negative, self.low.true_negative),
        )
        before = ratio(
            np.array([[1, 2], [0, 0], [1, 2], [0, 0], [0, 0], [0, 0]]),
            np.array([[1, 2], [1, 1], [1, 2], [1, 1], [0, 1], [0, 0]]),
        )
        after = ratio(
            np.array([[1, 2], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]),
            np.array([[1, 2], [1, 1], [0, 1], [0, 0], [0, 1], [0, 0]]),
        )
        counts = np.array([*both, *moved, *neither])
        return bootstrap_intervals(lambda weights: after(weights) - before(weights), counts)


def steps(thresholds: Sequence[float], probability: Array, labels: Array) -> list[Step]:
    """From each threshold to the next, which must be higher."""
    at = [Confusion.at(threshold, probability, labels) for threshold in thresholds]
    return [Step(low, high) for low, high in pairwise(at)]


@dataclass(frozen=True)
class Band:
    """A measure at each of k thresholds, with the ends of its interval at each alone: float (k,).

    NaN where the measure is not defined.
    """

    value: Array
    low: Array
    high: Array


def bands(thresholds: Array, probability: Array, labels: Array) -> dict[str, Band]:
    """Precision, recall and F1 at rising thresholds; intervals as at one threshold.

    The examples between two thresholds are all alike, so that counts of them are resampled.
    """
    width = len(thresholds) + 1
    place = np.searchsorted(thresholds, probability, side="right") + width * (labels == 1)
    counts = np.bincount(place, minlength=2 * width)
    false, true = np.cumsum(counts.reshape(2, width)[:, ::-1], axis=1)[:, -2::-1]
    positive = np.full(len(true), counts[width:].sum())
    f1 = bootstrap_intervals(_f1_at_thresholds, counts)
    ends = np.array([interval or (np.nan, np.nan) for interval in f1]).T
    return {
        "precision": Band(_shares(true, true + false), *wilson_band(true, true + false)),
        "recall": Band(_shares(true, positive), *wilson_band(true, positive)),
        "F1": Band(_shares(2 * true, true + false + positive), *ends),
    }


def _f1_at_thresholds(weights: Array) -> Array:
    """F1 at k thresholds, (b, k), from weights (b, 2 (k + 1)) of examples between them.

    Negative examples come first, then positive ones, each from the lowest threshold up.
    """
    rows = len(weights)
    false, true = np.moveaxis(weights.reshape(rows, 2, -1), 1, 0)
    called = np.cumsum((false + true)[:, ::-1], axis=1)[:, -2::-1]
    hits = np.cumsum(true[:, ::-1], axis=1)[:, -2::-1]
    return _shares(2 * hits, called + true.sum(axis=1, keepdims=True))


# ------------------------------------------------------------------------------- all thresholds


@dataclass(frozen=True)
class Curves:
    """Counts at every threshold that tells examples apart, from the highest down.

    ``thresholds`` float (k,) are the different probabilities, falling; ``true_positive`` and
    ``false_positive`` int (k,) count the examples that are at least as probable.
    """

    thresholds: Array
    true_positive: Array
    false_positive: Array

    @classmethod
    def of(cls, probability: Array, labels: Array) -> Curves:
        """The counts for these predictions; there must be examples of both classes."""
        order = np.argsort(-probability, kind="stable")
        falling, positive = probability[order], labels[order] == 1
        last_of_equals = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
        return cls(
            falling[last_of_equals],
            np.cumsum(positive)[last_of_equals],
            np.cumsum(~positive)[last_of_equals],
        )

    @property
    def precision(self) -> Array:
        """Precision at each threshold, float (k,)."""
        precision: Array = self.true_positive / (self.true_positive + self.false_positive)
        return precision

    @property
    def recall(self) -> Array:
        """Recall, which is also the true-positive rate, at each threshold, float (k,)."""
        recall: Array = self.true_positive / self.true_positive[-1]
        return recall

    @property
    def fall_out(self) -> Array:
        """The false-positive rate at each threshold, float (k,)."""
        fall_out: Array = self.false_positive / self.false_positive[-1]
        return fall_out

    @property
    def f1(self) -> Array:
        """F1 at each threshold, float (k,)."""
        called = self.true_positive + self.false_positive
        return _shares(2 * self.true_positive, called + self.true_positive[-1])

    def cost(self, of_a_false_positive: float) -> Array:
        """The mean cost of an example at each threshold, where a false negative costs 1: (k,)."""
        missed = self.true_positive[-1] - self.true_positive
        summed = of_a_false_positive * self.false_positive + missed
        mean: Array = summed / (self.true_positive[-1] + self.false_positive[-1])
        return mean

    def best(self, values: Array) -> float:
        """The threshold at which ``values`` (k,) are highest; of equal ones that nearest to 0.5."""
        best = self.thresholds[values == values.max()]
        return float(best[np.argmin(np.abs(best - 0.5))])

    @property
    def area_under_roc(self) -> float:
        """The area under the ROC curve by the trapezoid rule.

        It is the chance that a positive example is given a higher probability than a negative one,
        ties counting half: the Mann-Whitney statistic (Hanley & McNeil 1982).
        """
        x, y = np.append(0, self.fall_out), np.append(0, self.recall)
        return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)

    @property
    def average_precision(self) -> float:
        """The area under the precision-recall curve as a sum of steps, one a threshold."""
        return float(np.sum(np.diff(np.append(0, self.recall)) * self.precision))


def summaries(probability: Array, labels: Array) -> dict[str, float]:
    """Measures that need no threshold.

    ``area_under_roc`` and ``average_precision`` are those of :class:`Curves`; ``brier`` is the
    mean squared error of the probabilities (Brier 1950); ``overconfidence`` is by how much the
    mean probability of the likelier class exceeds the share of examples in which it is right.
    """
    curves = Curves.of(probability, labels)
    brier, overconfidence = _means(probability, labels).mean(axis=0).tolist()
    return {
        "area_under_roc": curves.area_under_roc,
        "average_precision": curves.average_precision,
        "brier": brier,
        "overconfidence": overconfidence,
    }


def _means(probability: Array, labels: Array) -> Array:
    """What each example adds to Brier's score and to overconfidence, both means: (n, 2)."""
    likelier = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == (labels == 1)
    return np.column_stack([(probability - (labels == 1)) ** 2, likelier - right])


def scores(probability: Array, labels: Array) -> dict[str, tuple[float, Interval | None]]:
    """The measures of :func:`summaries` with bootstrap intervals, all from one set of resamples.

    The values are exact. For the intervals, examples of much the same probability are taken
    together in ``CELLS`` cells, so that counts are resampled: for 25,000 reviews that takes a
    tenth of the time, and moves the ends no more than other random draws would.
    """
    means, kinds = _means(probability, labels), RankedKinds.of(probability, labels, CELLS)
    in_kinds = np.column_stack(
        [np.bincount(kinds.kind, column, minlength=len(kinds.counts)) for column in means.T]
    )
    averages = _shares(in_kinds, np.broadcast_to(kinds.counts[:, None], in_kinds.shape), 0.0)

    def statistic(weights: Array) -> Array:
        return np.hstack(
            [kinds.areas(weights), weights @ averages / weights.sum(axis=1, keepdims=True)]
        )

    found = bootstrap_intervals(statistic, kinds.counts)
    exact = summaries(probability, labels)
    return dict(zip(exact, zip(exact.values(), found, strict=True), strict=True))


@dataclass(frozen=True)
class RankedKinds:
    """Examples by cell of probability, the highest first, and by label, negative first.

    ``kind`` int (m,) is each example's kind, 2 · cell + label; ``counts`` int (2 k,) is how many
    there are of each. ``wide`` bool (k,) marks cells in which not all probabilities are equal.
    """

    kind: Array
    counts: Array
    wide: Array

    @classmethod
    def of(cls, probability: Array, labels: Array, cells: int) -> RankedKinds:
        """At most so many cells of about as many examples; equal probabilities share a cell."""
        _, place = np.unique(-probability, return_inverse=True)
        last = np.quantile(place, np.arange(1, cells + 1) / cells, method="inverted_cdf")
        edges = np.unique(last)
        cell = np.searchsorted(edges, place)
        kind = 2 * cell + (labels == 1)
        counts = np.bincount(kind, minlength=2 * len(edges))
        return cls(kind, counts, np.diff(edges, prepend=-1) > 1)

    def areas(self, weights: Array) -> Array:
        """The area under the ROC curve and average precision, (b, 2), from weights (b, 2 k).

        In a cell of one probability no example comes before another; in a wide one they are taken
        to be evenly mixed.
        """
        misses, hits = np.moveaxis(weights.reshape(len(weights), -1, 2), 2, 0)
        false, true = np.cumsum(misses, axis=1), np.cumsum(hits, axis=1)
        precision = _shares(true, true + false, 0.0)
        before = np.concatenate([precision[:, :1], precision[:, :-1]], axis=1)
        precision = np.where(self.wide, (before + precision) / 2, precision)
        positives, negatives = true[:, -1], false[:, -1]
        under_roc = np.sum(misses * (true - hits / 2), axis=1)
        return np.column_stack(
            [
                _shares(under_roc, positives * negatives),
                _shares(np.sum(hits * precision, axis=1), positives),
            ]
        )


# --------------------------------------------------------------------------- groups of examples


@dataclass(frozen=True)
class Bin:
    """Examples with a probability in one stretch: how probable they are, and how often positive."""

    examples: int
    positive: int
    mean_probability: float

    @property
    def share_positive(self) -> float:
        """The share of them that is positive."""
        return self.positive / self.examples


def bins(probability: Array, labels: Array, count: int) -> list[Bin]:
    """The examples in equally wide bins of probability; bins without examples are left out."""
    place = np.minimum((probability * count).astype(int), count - 1)
    examples = np.bincount(place, minlength=count)
    positive = np.bincount(place[labels == 1], minlength=count)
    sums = np.bincount(place, probability, minlength=count)
    return [
        Bin(int(n), int(k), float(total / n))
        for n, k, total in zip(examples, positive, sums, strict=True)
        if n
    ]


def calibration_error(found: Sequence[Bin]) -> float:
    """The expected calibration error (Naeini, Cooper & Hauskrecht 2015) over bins.

    It is the mean distance, over examples, of a bin's mean probability from its share of positive
    ones.
    """
    distances = [b.examples * abs(b.mean_probability - b.share_positive) for b in found]
    return sum(distances) / sum(b.examples for b in found)


def share_difference(first: tuple[int, int], second: tuple[int, int]) -> Interval | None:
    """The interval of the difference of two shares of different examples, first minus second.

    Newcombe (1998), method 10, which joins two intervals of Wilson's.

    Args:
        first: how many of how many examples.
        second: how many of how many others.

    Returns:
        The interval; None where one of the groups is empty.
    """
    by_first, by_second = wilson(*first), wilson(*second)
    if by_first is None or by_second is None:
        return None
    p, q = first[0] / first[1], second[0] / second[1]
    return Interval(
        p - q - float(np.hypot(p - by_first.low, by_second.high - q)),
        p - q + float(np.hypot(by_first.high - p, q - by_second.low)),
    )


def thinned(x: Array, y: Array, points: int) -> tuple[Array, Array]:
    """At most ``points`` of a curve's points, evenly spaced along the curve, with both ends.

    Even spacing keeps flat stretches short and jagged ones whole, so that a drawing of the curve
    in a unit square looks the same.
    """
    if len(x) <= points:
        return x, y
    way = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], points)))
    return x[kept], y[kept]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _shares(part: Array, whole: Array, otherwise: float = np.nan) -> Array:
    """Shares, NaN or something else where there is no whole."""
    shares: Array = np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0)
    return shares
