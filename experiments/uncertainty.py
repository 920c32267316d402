"""How tables say how sure their numbers are: intervals over test examples, spread over seeds.

The two are kept apart. An interval is about the first seed's models, and covers the choice of
test examples; mean and standard deviation over seeds cover initial weights, the order of examples
and the validation part, for the test examples as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from reportgen.experiment import Trial
from reportgen.results import Column, Number, Prose, Scalar, prose
from reportgen.statistics import Interval, over_seeds


def interval_columns(column: Column, over: str) -> tuple[Column, Column, Column]:
    """A column, and the two of the interval around it, which was taken ``over`` what and how."""
    described = f"95 % interval over {over}, for the first seed"
    low, high = (
        Column(f"{column.name}_{end}", f"{column.title}, {end}", described, "", column.format)
        for end in ("low", "high")
    )
    return column, low, high


def interval_cells(name: str, value: Scalar, interval: Interval | None) -> dict[str, Scalar]:
    """The cells of a value and its interval; an interval that does not exist is empty."""
    low, high = interval or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def seed_columns(column: Column) -> tuple[Column, Column]:
    """The columns of a value's mean and standard deviation over seeds, the latter unsigned."""
    return (
        Column(f"{column.name}_mean", f"{column.title} over seeds", "", column.unit, column.format),
        Column(
            f"{column.name}_sd",
            f"{column.title}, deviation",
            "mean and standard deviation over the seeds",
            column.unit,
            column.format.removeprefix("+"),
        ),
    )


def seed_cells(name: str, values: Sequence[float | None]) -> dict[str, Scalar]:
    """The cells of a value's mean and standard deviation, one value a seed; two at least.

    They are empty where the value is not defined for one of the seeds.
    """
    if len(values) < 2:
        raise ValueError(f"{name} has one value, which has no deviation")
    defined = [value for value in values if value is not None]
    spread = over_seeds(defined) if len(defined) == len(values) else None
    mean, deviation = spread or (None, None)
    return {f"{name}_mean": mean, f"{name}_sd": deviation}


def named(*trials: Trial) -> str:
    """Trials with their seeds, as the origin of numbers: ``LSTM, seed 0; LSTM, seed 1``."""
    return "; ".join(f"{t.label.removesuffix(f', seed {t.seed}')}, seed {t.seed}" for t in trials)


def about_seeds(seeds: Sequence[int]) -> Prose:
    """What the report covers of the chance in trainings, and what it does not."""
    first = Number(seeds[0], "d", "first seed of the trainings")
    if len(seeds) == 1:
        return prose(
            "Every model was trained once, with seed {seed}. Another seed would give other initial "
            "weights, another order of examples and another validation part, and so somewhat other "
            "figures. How much they would differ is not covered here: the intervals are about the "
            "choice of test examples alone. More seeds (`--seeds`) would tell.",
            seed=first,
        )
    return prose(
        "Every model was trained {count} times, with the seeds from {seed} to {last}. Mean and "
        "standard deviation over the seeds cover the chance in training: initial weights, the "
        "order of examples, the validation part. The intervals cover another chance, that of the "
        "test examples, for the models of the first seed, which are also those in all pictures.",
        count=Number(len(seeds), "d", "number of seeds"),
        seed=first,
        last=Number(seeds[-1], "d", "last seed of the trainings"),
    )
