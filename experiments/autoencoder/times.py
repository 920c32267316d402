"""How long Q1's epochs take, by latent dimension, and whether they can be told apart by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

import numpy as np
import scipy

from experiments.autoencoder.trainings import SIGNIFICANT, Trainings
from experiments.uncertainty import interval_cells
from reportgen.experiment import Array
from reportgen.results import Column, Figure, LinePanel, Lines, Scalar, Series, Table
from reportgen.statistics import LEVEL, Interval, holm

Clock = Literal["cpu", "wall"]

Course = Literal["longer", "shorter", "can't be told apart"]

RULE = (
    "Two latent dimensions are told apart if the p-value of Mann and Whitney's test over all "
    "epochs but the first, adjusted for all steps, is below {level}, the intervals of the two "
    "medians don't overlap, and with every seed the medians differ in the same way: epochs of one "
    "training have some disturbances in common, which the p-value knows nothing of."
)


@dataclass(frozen=True)
class TimeStep:
    """From one latent dimension to the next larger one, by processor time.

    ``ratio`` is that of the medians, larger by smaller; ``p_value`` that of the two-sided test of
    Mann and Whitney (1947), adjusted by Holm's method.
    """

    smaller: int
    larger: int
    ratio: float
    p_value: float
    course: Course


def later_epochs(trainings: Trainings, dim: int, clock: Clock) -> Array:
    """The times in seconds of all epochs but the first, float64 (seeds, epochs - 1)."""
    times = [trainings.results[dim, seed].history[f"{clock}_seconds"] for seed in trainings.seeds]
    return np.array([of_one[1:] for of_one in times], np.float64)


def median_interval(values: Array) -> Interval | None:
    """The interval of a median, between order statistics.

    The interval from the d-th smallest value to the d-th largest one covers the median with a
    probability that is known whatever the distribution, but seldom :data:`LEVEL`. The one here
    lies between the two nearest such intervals (Hettmansperger & Sheather 1986, "Confidence
    intervals based on interpolated order statistics", Statistics & Probability Letters 4:75-79),
    so that it covers the median with about that probability.

    Args:
        values: of any shape, such as times in seconds.

    Returns:
        the interval in the unit of the values; None for fewer than six of them, from which no
        interval reaches the level.
    """
    rising = np.sort(values, axis=None)
    depth, share = _depth(len(rising))
    if not depth:
        return None
    low, inner_low = rising[depth - 1 : depth + 1]
    inner_high, high = rising[-depth - 1 : len(rising) - depth + 1]
    return Interval(
        float((1 - share) * low + share * inner_low),
        float((1 - share) * high + share * inner_high),
    )


@cache
def _depth(count: int) -> tuple[int, float]:
    """How deep in ``count`` values the interval ends: at the d-th, and the share of a step beyond.

    The depth is 0 if not even the interval from the smallest to the largest reaches the level.
    """
    coverage = 1 - 2 * scipy.stats.binom.cdf(np.arange(count // 2 + 1) - 1, count, 0.5)
    depth = int(np.flatnonzero(coverage >= LEVEL)[-1])  # coverage[0] is 1
    if not depth:
        return 0, 0.0
    wanted = (coverage[depth] - LEVEL) / (coverage[depth] - coverage[depth + 1])
    return depth, float((count - depth) * wanted / (depth + (count - 2 * depth) * wanted))


def time_steps(trainings: Trainings) -> list[TimeStep]:
    """All steps between neighbours; none if only the first epochs were measured."""
    times = {dim: later_epochs(trainings, dim, "cpu") for dim in trainings.dims}
    pairs = [] if any(not of_dim.size for of_dim in times.values()) else list(pairwise(times))
    tests = [
        float(scipy.stats.mannwhitneyu(times[a].ravel(), times[b].ravel()).pvalue) for a, b in pairs
    ]
    return [
        TimeStep(
            smaller,
            larger,
            float(np.median(times[larger]) / np.median(times[smaller])),
            p_value,
            _course(times[smaller], times[larger], p_value),
        )
        for (smaller, larger), p_value in zip(pairs, holm(tests), strict=True)
    ]


def _course(smaller: Array, larger: Array, p_value: float) -> Course:
    """Whether the epochs of the larger latent dimension take longer; see :data:`RULE`."""
    below, above = median_interval(smaller), median_interval(larger)
    if below is None or above is None or p_value >= SIGNIFICANT:
        return "can't be told apart"
    changes = np.median(larger, axis=1) - np.median(smaller, axis=1)
    if below.high < above.low and (changes > 0).all():
        return "longer"
    if above.high < below.low and (changes < 0).all():
        return "shorter"
    return "can't be told apart"


# -------------------------------------------------------------------------------------- exhibits


def times_table(trainings: Trainings, steps: list[TimeStep]) -> Table:
    """The table ``times``: the median epoch by both clocks, and each step's test."""
    into = {step.larger: step for step in steps}
    rows: list[dict[str, Scalar]] = []
    for dim in trainings.dims:
        row: dict[str, Scalar] = {"latent_dim": dim}
        for clock in ("cpu", "wall"):
            times = later_epochs(trainings, dim, clock)
            row["epochs"] = times.size
            value = float(np.median(times)) if times.size else None
            row |= interval_cells(f"{clock}_seconds", value, median_interval(times))
        step = into.get(dim)
        row |= {"ratio": None, "p_value": None, "verdict": None}
        if step is not None:
            row |= {"ratio": step.ratio, "p_value": step.p_value, "verdict": step.course}
        rows.append(row)
    seeds = "all seeds" if len(trainings.seeds) > 1 else "the training"
    columns = (
        Column("latent_dim", "Latent dimension", "units of the bottleneck", format="d"),
        Column("epochs", "Epochs", f"measured epochs of {seeds}, without the first", format="d"),
        *_clock_columns("cpu", "Processor time", "time of all threads of the training's process"),
        *_clock_columns("wall", "Wall time", "what one waits"),
        Column("ratio", "Ratio", "of processor times, to the row above", format=".2f"),
        Column(
            "p_value",
            "p",
            "of Mann and Whitney's test against the row above, by processor time, Holm-adjusted",
            format="p",
        ),
        Column("verdict", "Verdict", "than the row above"),
    )
    caption = "The median epoch after the first, and each latent dimension against the next lower."
    origins = tuple(trainings.origin(dim, every_seed=True) for dim in trainings.dims)
    return Table("times", caption, columns, tuple(rows), trials=origins)


def _clock_columns(clock: Clock, title: str, description: str) -> list[Column]:
    """The columns of a median time and its interval."""
    name = f"{clock}_seconds"
    interval = "95 % interval of the median over epochs, between order statistics"
    return [
        Column(name, title, f"{description}, median epoch", "s", ".3f"),
        Column(f"{name}_low", f"{title}, low", interval, "s", ".3f"),
        Column(f"{name}_high", f"{title}, high", interval, "s", ".3f"),
    ]


def time_figure(times: Table) -> Figure | None:
    """The figure ``time_by_latent``, from the table; None where nothing but compiling was timed."""
    if any(row["cpu_seconds"] is None for row in times.rows):
        return None
    dims = _numbers(times, "latent_dim")
    series = []
    for clock, label in (("wall", "wall"), ("cpu", "processor")):
        name = f"{clock}_seconds"
        known = all(row[f"{name}_low"] is not None for row in times.rows)
        low, high = (_numbers(times, f"{name}_{end}") if known else () for end in ("low", "high"))
        series.append(Series(label, dims, _numbers(times, name), "marked", low=low, high=high))
    top = max(max(entry.y + entry.high) for entry in series)
    panel = LinePanel(tuple(series), x_scale="log2", y_range=(0.0, 1.1 * top))
    return Figure(
        "time_by_latent",
        "Time of the median epoch over the latent dimension, by the clock on the wall and by the "
        "processor's; the bands are the intervals of the medians.",
        "Two curves over the latent dimension: wall time and processor time of an epoch.",
        Lines("latent dimension", "seconds per epoch", (panel,)),
    )


def _numbers(table: Table, column: str) -> tuple[float, ...]:
    """A column of numbers."""
    return tuple(float(str(row[column])) for row in table.rows)
