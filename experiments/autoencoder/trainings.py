"""Q1's trainings and baselines in order, and how sure one can be of what they differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from experiments.dense_experiment import TRAINER
from experiments.uncertainty import named
from reportgen.experiment import Array, Evidence, Trial, TrialResult
from reportgen.results import Number, Value
from reportgen.statistics import (
    FEWEST_SEEDS,
    Difference,
    Interval,
    holm,
    mean_intervals,
    paired_differences,
    sign_flip,
)

BASELINE = "experiments.baselines.images:reconstruct"
"""The trainer of what the autoencoders are compared with: PCA and the mean image."""

MEASURES = ("mse", "bce")
"""The two errors of a reconstruction."""

SIGNIFICANT = 0.05
"""Adjusted p-values below it count."""

Verdict = Literal["better", "worse", "can't be told apart"]


@dataclass(frozen=True)
class Trainings:
    """The results of all trials: autoencoders by (latent dimension, seed), and the baseline."""

    dims: tuple[int, ...]
    seeds: tuple[int, ...]
    trials: Mapping[tuple[int, int], Trial]
    results: Mapping[tuple[int, int], TrialResult]
    baseline_trial: Trial
    baseline: TrialResult

    @classmethod
    def of(cls, evidence: Evidence[Any]) -> Trainings:
        """Put the evidence in order, the latent dimensions rising."""
        trials = {
            (trial.params["latent_dim"], seed): trial
            for seed in evidence.seeds
            for trial in evidence.of(TRAINER, seed)
        }
        trials = dict(sorted(trials.items()))
        (baseline,) = evidence.of(BASELINE, evidence.seed)
        return cls(
            tuple(dict.fromkeys(dim for dim, _ in trials)),
            evidence.seeds,
            trials,
            {key: evidence.trials[trial] for key, trial in trials.items()},
            baseline,
            evidence.trials[baseline],
        )

    @property
    def first(self) -> dict[int, TrialResult]:
        """The results of the first seed by latent dimension; these are told in detail."""
        return {dim: self.results[dim, self.seeds[0]] for dim in self.dims}

    @property
    def floor(self) -> float:
        """The BCE of perfect reconstructions of the test images, in nats."""
        return float(self.baseline.scalars["entropy_floor"])

    @property
    def projected(self) -> dict[int, int]:
        """By latent dimension, its place among those of the baseline."""
        dims = self.baseline_trial.params["latent_dims"]
        return {dim: dims.index(dim) for dim in self.dims}

    def errors(self, measure: str) -> Array:
        """The first seed's errors of each test image, float (test images, latent dimensions)."""
        return np.stack([r.arrays[f"test_{measure}"] for r in self.first.values()], axis=1)

    def baseline_errors(self, measure: str) -> Array:
        """The same of PCA with as many components as each latent dimension."""
        arrays = self.baseline.arrays
        return np.stack([arrays[f"{measure}_pca_{dim}"] for dim in self.dims], axis=1)

    def over_seeds(self, measure: str, dim: int) -> list[float]:
        """The mean error over all test images, one value a seed."""
        arrays = [self.results[dim, seed].arrays[f"test_{measure}"] for seed in self.seeds]
        return [float(array.mean(dtype=np.float64)) for array in arrays]

    def origin_of(self, dim: int, seed: int) -> str:
        """One training, as the origin of numbers."""
        return named(self.trials[dim, seed])

    def origin(self, *dims: int, every_seed: bool = False, baseline: bool = False) -> str:
        """The trials at these latent dimensions, as the origin of numbers."""
        seeds = self.seeds if every_seed else self.seeds[:1]
        trials = [self.trials[dim, seed] for dim in dims for seed in seeds]
        return named(*trials, *([self.baseline_trial] if baseline else []))


# ------------------------------------------------------------------------------------ contrasts


@dataclass(frozen=True)
class Contrast:
    """How the error of one model differs from another's, first minus second.

    ``difference`` is over test images, for the first seed; None for fewer than two images.
    ``p_value`` is that of its paired t-test, adjusted by Holm's method. ``by_seed`` has the
    difference in the mean error, one value a seed.
    """

    difference: Difference | None
    p_value: float
    by_seed: tuple[float, ...]

    @cached_property
    def seeds_p_value(self) -> float | None:
        """That of the paired sign-flip test over seeds; None for too few seeds."""
        return sign_flip(self.by_seed)

    @property
    def difference_or_zero(self) -> float:
        """The mean difference over test images; 0 if there is none."""
        return self.difference.mean if self.difference else 0.0

    @property
    def agreed(self) -> bool:
        """Whether the difference has the same sign with every seed."""
        return len({np.sign(change) for change in self.by_seed}) == 1

    @property
    def verdict(self) -> Verdict:
        """What can be said of the first model; see :func:`rule`."""
        if self.difference is None or self.p_value >= SIGNIFICANT:
            return "can't be told apart"
        sign = np.sign(self.difference.mean)
        if self.seeds_p_value is None:
            sure = self.agreed
        else:
            sure = self.seeds_p_value < SIGNIFICANT and np.sign(np.mean(self.by_seed)) == sign
        if not sure:
            return "can't be told apart"
        return "better" if sign < 0 else "worse"


def rule(seeds: int) -> tuple[str, dict[str, Value]]:
    """By what rule two models are told apart, with so many seeds, and what fills its places."""
    text = "Two models are told apart if the adjusted p-value over test images is below {level}"
    if seeds >= FEWEST_SEEDS:
        text += " and that over seeds, of the same sign, is so too"
    elif seeds > 1:
        text += " and the difference has the same sign with every seed"
    return f"{text}.", {"level": Number(SIGNIFICANT, ".2f", "level of significance")}


@dataclass(frozen=True)
class Step:
    """From one latent dimension to the next larger one: its error minus the smaller one's."""

    smaller: int
    larger: int
    mse: Contrast
    bce: Contrast

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """What can be said of the larger latent dimension, by MSE and by BCE."""
        return self.mse.verdict, self.bce.verdict

    @property
    def verdict(self) -> str:
        """Both verdicts in words."""
        mse, bce = self.verdicts
        return mse if mse == bce else f"MSE: {mse}; BCE: {bce}"


@dataclass(frozen=True)
class Comparisons:
    """All intervals of errors and all paired comparisons, from two sets of resamples.

    ``intervals`` and ``baseline_intervals`` are by measure and latent dimension; the mean image's
    stand under latent dimension 0. ``projection`` has the autoencoder's MSE minus PCA's.
    """

    intervals: Mapping[tuple[str, int], Interval | None]
    baseline_intervals: Mapping[tuple[str, int], Interval | None]
    steps: tuple[Step, ...]
    projection: Mapping[int, Contrast]

    @classmethod
    def of(cls, trainings: Trainings) -> Comparisons:
        """Compute them."""
        own, pca = _intervals(trainings)
        mse, bce = (trainings.errors(measure) for measure in MEASURES)
        steps = mse.shape[1] - 1
        found = paired_differences(
            np.hstack([mse[:, 1:], bce[:, 1:], mse]),
            np.hstack([mse[:, :-1], bce[:, :-1], trainings.baseline_errors("mse")]),
        )
        return cls(
            own,
            pca,
            tuple(_steps(trainings, found[: 2 * steps])),
            _projection(trainings, found[2 * steps :]),
        )


def _intervals(
    trainings: Trainings,
) -> tuple[dict[tuple[str, int], Interval | None], dict[tuple[str, int], Interval | None]]:
    """The intervals of the autoencoders' errors, and those of the baselines'."""
    keys = [(measure, dim) for measure in MEASURES for dim in trainings.dims]
    baselines = [*keys, *((measure, 0) for measure in MEASURES)]
    columns = [trainings.errors(measure) for measure in MEASURES]
    columns += [trainings.baseline_errors(measure) for measure in MEASURES]
    columns += [trainings.baseline.arrays[f"{measure}_mean"][:, None] for measure in MEASURES]
    found = mean_intervals(np.hstack(columns))
    count = len(keys)
    return (
        dict(zip(keys, found[:count], strict=True)),
        dict(zip(baselines, found[count:], strict=True)),
    )


def _steps(trainings: Trainings, found: Sequence[Difference | None]) -> list[Step]:
    """The steps between neighbours; their p-values, of both errors, are adjusted together."""
    pairs = list(pairwise(trainings.dims))
    adjusted = _adjusted(found)
    contrasts: list[Contrast] = []
    for place, (measure, (smaller, larger)) in enumerate(
        (measure, pair) for measure in MEASURES for pair in pairs
    ):
        by_seed = np.subtract(
            trainings.over_seeds(measure, larger), trainings.over_seeds(measure, smaller)
        )
        contrasts.append(Contrast(found[place], adjusted[place], tuple(by_seed.tolist())))
    return [
        Step(*pair, contrasts[place], contrasts[place + len(pairs)])
        for place, pair in enumerate(pairs)
    ]


def _projection(trainings: Trainings, found: Sequence[Difference | None]) -> dict[int, Contrast]:
    """The autoencoder against PCA at each latent dimension."""
    adjusted, pca = _adjusted(found), trainings.baseline_errors("mse").mean(0, dtype=np.float64)
    contrasts = {}
    for place, dim in enumerate(trainings.dims):
        by_seed = np.subtract(trainings.over_seeds("mse", dim), pca[place])
        contrasts[dim] = Contrast(found[place], adjusted[place], tuple(by_seed.tolist()))
    return contrasts


def _adjusted(differences: Sequence[Difference | None]) -> list[float]:
    """Their p-values, adjusted by Holm's method; 1 where there is none."""
    return holm([1.0 if found is None else found.p_value for found in differences])
