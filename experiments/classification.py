"""How good predicted probabilities are for two classes: counts at a threshold, curves, areas.

Everywhere, ``probability`` is float (n,), the predicted probability of the positive class, and
``labels`` is (n,) of 0 and 1; an example counts as positive if its probability is *at least* the
threshold. Each measure is None where it would divide by zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.experiment import Array


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
    def accuracy(self) -> float | None:
        """The share of all examples that are called what they are."""
        wrong = self.false_positive + self.false_negative
        right = self.true_positive + self.true_negative
        return _share(right, right + wrong)

    @property
    def precision(self) -> float | None:
        """The share of positive ones among those called positive."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float | None:
        """The share of the positive ones that are called positive."""
        return _share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        wrong = self.false_positive + self.false_negative
        return _share(2 * self.true_positive, 2 * self.true_positive + wrong)


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
