"""Intervals and tests: how sure a number is, over test examples and over seeds.

Two sources of chance are kept apart. An :class:`Interval` is taken over test examples, for the
trained models as they are; a :class:`Spread` is taken over seeds, for the test examples as they
are. All random draws start from :data:`SEED`, so equal data give equal intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[Any]

LEVEL = 0.95
"""The confidence level of every interval."""

RESAMPLES = 2000
"""Bootstrap resamples of an interval, as many as DiCiccio & Efron (1996) take."""

SEED = 1987
"""Where all random draws start; any number would do."""

JACKKNIFE_ROWS = 200
"""Most examples, or groups of them, that are left out in turn to estimate the acceleration."""

BATCH_NUMBERS = 100_000
"""Numbers in an array of weights that a statistic is given at once, unless one row has more.

So it and a few arrays of its size stay in a processor's cache.
"""

FEWEST_SEEDS = 6
"""With n seeds a two-sided sign-flip test can't give less than 2 / 2^n: 0.0625 for five."""

EXACT_SEEDS = 16
"""Up to so many seeds all sign flips are tried (0.3 s); with more, as many random ones."""

Statistic = Callable[[Array], Array]
"""From weights of examples, float64 (b, m), to a value for each row: float (b,) or (b, k).

A row says how often each kind of example counts. NaN stands for a value that is not defined, such
as a precision where nothing is called positive.
"""


class Interval(NamedTuple):
    """The two ends of a confidence interval, in the unit of what it is about."""

    low: float
    high: float


class Spread(NamedTuple):
    """Mean and standard deviation over seeds, in the unit of the values."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Difference:
    """How two models differ on the same examples, first minus second.

    ``mean`` and ``interval`` are in the unit of the values. ``effect_size`` is d_z (Cohen
    1988), the mean in standard deviations of the differences: 0 where all are zero, None where
    all are the same and not zero. ``p_value`` is that of the two-sided paired t-test (Student
    1908).
    """

    mean: float
    interval: Interval
    effect_size: float | None
    p_value: float


# ------------------------------------------------------------------------------- the bootstrap


def mean_interval(values: Array) -> Interval | None:
    """The BCa interval of the mean of ``values``, (n,); None for fewer than two."""
    return mean_intervals(np.asarray(values)[:, None])[0]


def mean_intervals(values: Array) -> list[Interval | None]:
    """The BCa interval of each column's mean, all from one set of resamples.

    The acceleration of a mean is known: skewness / (6 √n) (Efron 1987).

    Args:
        values: (n, k), k values of each of n examples, such as the errors of k models.

    Returns:
        k intervals; None for all where n is less than two.
    """
    examples, columns = values.shape
    if examples < 2:
        return [None] * columns
    means = values.mean(axis=0, dtype=np.float64)
    centred = values - means
    ones = np.ones(examples, int)
    replicates = _replicates(ratio(centred, ones), ones)
    return _bca(replicates + means, means, _acceleration(centred, ones[:, None]))


def bootstrap_interval(statistic: Statistic, counts: Array) -> Interval | None:
    """The interval of a statistic with one value a row; see :func:`bootstrap_intervals`."""
    return bootstrap_intervals(statistic, counts)[0]


def bootstrap_intervals(statistic: Statistic, counts: Array) -> list[Interval | None]:
    """The BCa interval (Efron 1987) of each value of a statistic, all from one set of resamples.

    Few kinds of examples are resampled far faster than as many different ones: for a confusion
    matrix ``counts`` are its four cells, for a curve over thresholds the cells between them. The
    acceleration comes from leaving out one example at a time or, if there are more than
    ``JACKKNIFE_ROWS`` kinds, one random group at a time (Efron & Narasimhan 2020).

    BCa intervals hold for smooth functions of means (DiCiccio & Efron 1996). A sum of absolute
    values, such as the expected calibration error, is not smooth where a term is zero: resamples
    overstate it there, and no bootstrap interval holds. State Brier's score in its place.

    Args:
        statistic: what is computed from the weights of the m kinds.
        counts: int (m,), how often each kind occurs; ones where no two examples are alike.

    Returns:
        An interval for each of the k values; None where the value is not defined or there are
        fewer than two examples. Resamples in which a value is not defined are left out.
    """
    estimates = statistic(counts[None].astype(np.float64)).reshape(-1)
    if counts.sum() < 2:
        return [None] * len(estimates)
    left_out, times = _jackknife(statistic, counts)
    acceleration = _acceleration(estimates - left_out, times[:, None])
    return _bca(_replicates(statistic, counts), estimates, acceleration)


def ratio(numerator: Array, denominator: Array) -> Statistic:
    """The ratio of two weighted sums over examples: a mean, accuracy, precision, recall or F1.

    Args:
        numerator: (m,) or (m, k), what an example adds to each sum above the line.
        denominator: (m,) or (m, k), what it adds below; a value is NaN where this sums to zero.
    """
    parts = [
        np.asarray(part, np.float64).reshape(len(part), -1) for part in (numerator, denominator)
    ]

    def statistic(weights: Array) -> Array:
        above, below = (weights @ part for part in parts)
        undefined = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
        quotient: Array = np.divide(above, below, out=undefined, where=below != 0)
        return quotient

    return statistic


def _replicates(statistic: Statistic, counts: Array) -> Array:
    """The statistic of ``RESAMPLES`` resamples, float (b, k)."""
    found = [statistic(weights) for weights in _resamples(counts)]
    return np.concatenate(found).reshape(RESAMPLES, -1)


def _resamples(counts: Array) -> Iterator[Array]:
    """How often each kind occurs in resamples of the examples, as float64 (b, m) batches."""
    rng = np.random.default_rng(SEED)
    kinds, examples = len(counts), int(counts.sum())
    kind = np.repeat(np.arange(kinds), counts)
    for rows in _batches(RESAMPLES, kinds):
        if 8 * kinds < examples:  # one binomial draw a kind costs about as much as eight examples
            drawn = rng.multinomial(examples, counts / examples, size=len(rows))
            yield drawn.astype(np.float64)
            continue
        weights = np.empty((len(rows), kinds))
        for row in weights:
            drawn = rng.integers(0, examples, examples, dtype=np.int32)
            row[:] = np.bincount(kind[drawn], minlength=kinds)
        yield weights


def _jackknife(statistic: Statistic, counts: Array) -> tuple[Array, Array]:
    """The statistic with each part of the examples left out, and how often there is such a part.

    Returns:
        Float (r, k), the statistic without each of r parts; (r,), their frequencies.
    """
    parts, times = _parts(counts)
    found = []
    for rows in _batches(len(parts), len(counts)):
        left_out = [np.bincount(parts[row], minlength=len(counts)) for row in rows]
        found.append(statistic((counts - left_out).astype(np.float64)))
    return np.concatenate(found).reshape(len(parts), -1), times


def _parts(counts: Array) -> tuple[Array, Array]:
    """Parts to leave out, as the kinds (r, size) of their examples, and their frequencies (r,)."""
    present = np.flatnonzero(counts)
    if len(present) <= JACKKNIFE_ROWS:
        return present[:, None], counts[present]
    kinds = np.random.default_rng(SEED).permutation(np.repeat(np.arange(len(counts)), counts))
    size = len(kinds) // JACKKNIFE_ROWS
    parts = kinds[: JACKKNIFE_ROWS * size].reshape(JACKKNIFE_ROWS, size)
    return parts, np.ones(JACKKNIFE_ROWS)


def _batches(rows: int, width: int) -> Iterator[range]:
    """Split rows of a width into batches of at most ``BATCH_NUMBERS`` numbers, or of one row."""
    most = max(1, BATCH_NUMBERS // width)
    for start in range(0, rows, most):
        yield range(start, min(start + most, rows))


def _acceleration(influence: Array, times: Array) -> Array:
    """A sixth of the skewness of the sum of influences (r, k), each found ``times`` (r, 1): (k,).

    It is 0 where there is no influence or one is not defined, and by its form never beyond ±1/6.
    """
    influence = influence - (times * influence).sum(axis=0) / times.sum()
    spread = np.sqrt((times * influence**2).sum(axis=0))
    share = np.divide(influence, spread, out=np.zeros(influence.shape), where=spread > 0)
    acceleration: Array = (times * share**2 * share).sum(axis=0) / 6
    return acceleration


def _bca(replicates: Array, estimates: Array, acceleration: Array) -> list[Interval | None]:
    """The BCa interval of each column (Efron & Tibshirani 1993, equations 14.9, 14.10 and 14.14).

    Args:
        replicates: (b, k), the statistic on resamples, NaN where it is not defined.
        estimates: (k,), the statistic on the data.
        acceleration: (k,).
    """
    rows = np.maximum(1, np.sum(~np.isnan(replicates), axis=0))
    below = (np.sum(replicates < estimates, axis=0) + np.sum(replicates <= estimates, axis=0)) / 2
    # All replicates on one side would give an infinite bias; it is as if one were on the other.
    bias = scipy.special.ndtri(np.clip(below / rows, 1 / (rows + 1), rows / (rows + 1)))
    tail = scipy.special.ndtri((1 + LEVEL) / 2)
    shifted = bias + np.array([[-tail], [tail]])
    levels = scipy.special.ndtr(bias + shifted / (1 - acceleration * shifted))
    ends = _quantiles(np.sort(replicates, axis=0), rows, levels).T
    return [None if np.isnan(pair).any() else Interval(*pair.tolist()) for pair in ends]


def _quantiles(rising: Array, rows: Array, levels: Array) -> Array:
    """Quantiles of each column's first ``rows`` values at its own levels (2, k), linear between."""
    place = levels * (rows - 1)
    before = np.floor(place).astype(int)
    low = np.take_along_axis(rising, before, axis=0)
    high = np.take_along_axis(rising, np.minimum(before + 1, rows - 1), axis=0)
    quantiles: Array = low + (place - before) * (high - low)
    return quantiles


# -------------------------------------------------------------------------------- proportions


def wilson(successes: int, trials: int) -> Interval | None:
    """Wilson's score interval (1927) of a proportion; None without trials."""
    if trials == 0:
        return None
    found = scipy.stats.binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return Interval(float(found.low), float(found.high))


def wilson_band(successes: Array, trials: Array) -> tuple[Array, Array]:
    """The ends of Wilson's interval for each of many proportions, such as along a curve.

    Each interval holds for itself, not all of them at once.

    Args:
        successes: int (k,).
        trials: int (k,) or one for all.

    Returns:
        Low and high ends, float64 (k,), NaN where there are no trials.
    """
    successes, trials = np.broadcast_arrays(successes, trials)
    n = np.where(trials > 0, trials, np.nan)
    share, z = successes / n, scipy.special.ndtri((1 + LEVEL) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # The formula gives these ends too, but for rounding.
    low = np.where((successes == 0) & (trials > 0), 0, centre - reach)
    return low, np.where((successes == trials) & (trials > 0), 1, centre + reach)


def proportion_difference(only_first: int, only_second: int, examples: int) -> Interval | None:
    """The interval of the difference of two proportions on the same examples, first minus second.

    Bonett & Price (2012): Wald's interval with one more example on either side. Fagerland, Lydersen
    & Laake (2014) recommend it for paired proportions.

    Args:
        only_first: examples that only the first classifier gets right.
        only_second: examples that only the second gets right.
        examples: all examples; None is returned where there are none.
    """
    if examples == 0:
        return None
    first, second = (only_first + 1) / (examples + 2), (only_second + 1) / (examples + 2)
    variance = (first + second - (first - second) ** 2) / (examples + 2)
    reach = float(scipy.special.ndtri((1 + LEVEL) / 2)) * math.sqrt(variance)
    return Interval(max(-1.0, first - second - reach), min(1.0, first - second + reach))


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact two-sided p-value (1947) that two classifiers are right equally often.

    Args:
        only_first: examples that only the first classifier gets right.
        only_second: examples that only the second gets right.

    Returns:
        The p-value; 1 where they are right on the same examples.
    """
    differing = only_first + only_second
    return float(scipy.stats.binomtest(only_first, differing).pvalue) if differing else 1.0


def cohens_g(only_first: int, only_second: int) -> float:
    """Cohen's effect size g (1988, chapter 5) of two classifiers on the same examples.

    Args:
        only_first: examples that only the first classifier gets right.
        only_second: examples that only the second gets right.

    Returns:
        The share of the first in both together, minus a half; 0 where there are none.
    """
    differing = only_first + only_second
    return only_first / differing - 0.5 if differing else 0.0


def cohens_h(first: float, second: float) -> float:
    """Cohen's effect size h (1988, chapter 6) of two proportions, first minus second.

    It is the difference of the angles 2 arcsin √p, in radians, on which equal steps are about
    equally easy to detect, near 0 and 1 as in the middle.
    """
    return 2 * math.asin(math.sqrt(first)) - 2 * math.asin(math.sqrt(second))


# --------------------------------------------------------------------------- paired differences


def paired_difference(first: Array, second: Array) -> Difference | None:
    """How the values (n,) of two models on the same examples differ; None for fewer than two."""
    return paired_differences(np.asarray(first)[:, None], np.asarray(second)[:, None])[0]


def paired_differences(first: Array, second: Array) -> list[Difference | None]:
    """The same for k comparisons at once, from one set of resamples.

    Args:
        first: (n, k), one column a comparison, or (n, 1) to compare one model with several.
        second: (n, k) or (n, 1).
    """
    differences = np.subtract(first, second, dtype=np.float64)
    intervals = mean_intervals(differences)
    return [
        interval and _difference(column, interval)
        for column, interval in zip(differences.T, intervals, strict=True)
    ]


def _difference(differences: Array, interval: Interval) -> Difference:
    """The difference in the mean, with its interval, effect size and t-test."""
    n, mean = len(differences), float(differences.mean())
    if np.ptp(differences) == 0:
        return Difference(mean, interval, None if mean else 0.0, 0.0 if mean else 1.0)
    effect = mean / float(differences.std(ddof=1))
    # The t statistic is the effect size times √n.
    p_value = 2 * scipy.special.stdtr(n - 1, -abs(effect) * math.sqrt(n))
    return Difference(mean, interval, effect, float(p_value))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being looked at together (Holm 1979), in the given order."""
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, float)[order] * np.arange(count, 0, -1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    result: list[float] = adjusted.tolist()
    return result


# -------------------------------------------------------------------------------------- seeds


def over_seeds(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation (n − 1 below the line) over seeds; None for one seed."""
    if len(values) < 2:
        return None
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)))


def sign_flip(differences: Sequence[float]) -> float | None:
    """The two-sided p-value that paired differences over seeds are as likely of either sign.

    Fisher's randomisation test (1935, section 21) on the mean: under the hypothesis each
    difference could as well have had the other sign.

    Args:
        differences: first minus second, one a seed.

    Returns:
        The p-value, exact up to ``EXACT_SEEDS`` seeds; None for fewer than ``FEWEST_SEEDS``, where
        no outcome could be below 0.05.
    """
    if len(differences) < FEWEST_SEEDS:
        return None
    test = scipy.stats.permutation_test(
        (np.asarray(differences, float),),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**EXACT_SEEDS,
        batch=2**12,
        random_state=np.random.default_rng(SEED),
    )
    return float(test.pvalue)
