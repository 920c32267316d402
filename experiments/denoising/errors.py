"""How far every denoising method is from the clean images, and which differences can be told."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from experiments.baselines.images import LinearModel, judged, similarity
from experiments.dense_experiment import TRAINER
from experiments.dense_model import DenseModel, scaled, squared_error, test_noise, with_noise
from experiments.image_quality import psnr
from experiments.uncertainty import named
from reportgen.experiment import Array, Dataset, Evidence, Trial, TrialResult
from reportgen.statistics import (
    Difference,
    Interval,
    Spread,
    holm,
    over_seeds,
    paired_differences,
    sign_flip,
)

BASELINE_TRAINER = "experiments.baselines.images:denoise"

NOISY, MEDIAN, PROJECTION = "noisy input", "median filter", "PCA projection"
LOW_RANK, FULL_RANK = "low-rank linear denoiser", "full-rank linear denoiser"
BASIC, DENOISING = "basic autoencoder", "denoising autoencoder"

STORED = {
    NOISY: "noisy",
    MEDIAN: "median",
    PROJECTION: "pca",
    LOW_RANK: "low_rank",
    FULL_RANK: "full_rank",
}
"""The baselines, and what the arrays of their trial call them; the first changes nothing."""

METHODS = (*STORED, BASIC, DENOISING)
"""The compared methods, in the order in which tables show them."""

LINEAR = (PROJECTION, LOW_RANK, FULL_RANK)

AT_LEVELS = (NOISY, BASIC, LOW_RANK, FULL_RANK)
"""What the denoising autoencoder is compared with at every noise level."""

BY_CLASS = (BASIC, FULL_RANK)
"""What it is compared with digit by digit."""

SIGNIFICANCE = 0.05
"""The p-value below which a difference counts."""

CHUNK = 500
"""Images that are judged at a time; so many fit into a processor's cache."""

Restore = Callable[[Array], Array]
"""What a method makes of images: float32 (n, pixels) in 0..1, and the same again."""

Errors = Mapping[float, Mapping[str, Array]]
"""The squared error of every test image, float32 (images,), by noise level and method."""

Measure = Literal["mse", "psnr", "ssim"]

Outcome = Literal["better", "worse", "can't be told apart"]

Key = TypeVar("Key", bound=Hashable)

# ---------------------------------------------------------------------------------------- trials


@dataclass(frozen=True)
class Trained:
    """The chapter's trials with their results: both autoencoders by seed, and the baselines."""

    autoencoders: Mapping[int, Mapping[str, tuple[Trial, TrialResult]]]
    baselines: tuple[Trial, TrialResult]

    @classmethod
    def of(cls, evidence: Evidence[Any]) -> Trained:
        """Tell the trials apart: the basic autoencoder is the one that saw no noise."""
        by_seed = {}
        for seed in evidence.seeds:
            both = evidence.of(TRAINER, seed).items()
            ordered = sorted(both, key=lambda item: float(item[0].params["noise_sd"]))
            by_seed[seed] = dict(zip((BASIC, DENOISING), ordered, strict=True))
        (baselines,) = evidence.of(BASELINE_TRAINER, evidence.seed).items()
        return cls(by_seed, baselines)

    @property
    def first(self) -> dict[str, TrialResult]:
        """The results of the first seed's autoencoders."""
        both = next(iter(self.autoencoders.values()))
        return {method: result for method, (_, result) in both.items()}

    def restorers(self) -> dict[str, Restore]:
        """What the first seed's autoencoders and the linear methods make of images."""
        arrays = self.baselines[1].arrays
        restorers: dict[str, Restore] = {
            name: LinearModel.of(arrays, STORED[name]).restore for name in LINEAR
        }
        for name, result in self.first.items():
            restorers[name] = DenseModel.of(result.arrays).reconstruct
        return restorers

    def origin(self, *methods: str, every_seed: bool = False) -> str:
        """The trials that the numbers of these methods come from; of the first seed or of all."""
        found: list[Trial] = []
        for method in methods:
            if method in STORED:
                found.append(self.baselines[0])
            else:
                trials = [both[method][0] for both in self.autoencoders.values()]
                found += trials if every_seed else trials[:1]
        return named(*dict.fromkeys(found))


# ------------------------------------------------------------------------------ image by image


@dataclass(frozen=True)
class Measured:
    """What was measured for every test image, float32 (images,), for the first seed's models.

    ``mse``, ``psnr`` (dB) and ``ssim`` are those of each method at the noise of the training.
    ``levels`` has the MSE at each noise level from 0 up, of the denoising autoencoder and of
    ``AT_LEVELS``. ``by_seed`` are the mean MSEs of both autoencoders at the noise of the training,
    for every seed; empty for one seed.
    """

    mse: Mapping[str, Array]
    psnr: Mapping[str, Array]
    ssim: Mapping[str, Array]
    levels: Errors
    by_seed: Mapping[int, Mapping[str, float]]
    labels: Array

    @classmethod
    def of(
        cls, trained: Trained, dataset: Dataset, noise_sd: float, levels: Sequence[float]
    ) -> Measured:
        """Let every method restore the test images."""
        images = np.asarray(dataset.array("x_test"))
        stored, restorers = trained.baselines[1].arrays, trained.restorers()
        own = {name: restorers[name] for name in (BASIC, DENOISING)}
        found = judged(own, {"mse": squared_error, "ssim": similarity}, images, noise_sd)
        mse, index = (
            {name: stored[f"{measure}_{called}"] for name, called in STORED.items()}
            | {name: found[f"{measure}_{name}"] for name in own}
            for measure in ("mse", "ssim")
        )
        rising = (0.0, *sorted(levels))
        swept = {name: restorers[name] for name in (*AT_LEVELS, DENOISING) if name != NOISY}
        others = [level for level in rising if level != noise_sd]
        known = {noise_sd: mse, **errors_by_level(swept, images, others)}
        return cls(
            mse=mse,
            psnr={name: psnr(errors) for name, errors in mse.items()},
            ssim=index,
            levels={level: known[level] for level in rising},
            by_seed=_by_seed(trained, images, noise_sd),
            labels=np.asarray(dataset.array("y_test")),
        )

    def of_measure(self, measure: Measure) -> Mapping[str, Array]:
        """One measure of each method at the noise of the training."""
        return {"mse": self.mse, "psnr": self.psnr, "ssim": self.ssim}[measure]


def errors_by_level(
    models: Mapping[str, Restore], pixels: Array, levels: Iterable[float]
) -> Errors:
    """What the noise leaves of the test images, uint8 (n, pixels), and what the models restore.

    The same noise for all models, and scaled for all levels.
    """
    methods = (NOISY, *models)
    errors = {
        level: {method: np.zeros(len(pixels), np.float32) for method in methods} for level in levels
    }
    drawing = test_noise()
    for start in range(0, len(pixels), CHUNK):
        clean = scaled(pixels[start : start + CHUNK])
        noise = drawing.standard_normal(clean.shape, np.float32)
        here = slice(start, start + len(clean))
        for level, of_level in errors.items():
            noisy = with_noise(clean, noise, level)
            of_level[NOISY][here] = squared_error(noisy, clean)
            for method, restore in models.items():
                of_level[method][here] = squared_error(restore(noisy), clean)
    return errors


def _by_seed(trained: Trained, images: Array, noise_sd: float) -> dict[int, dict[str, float]]:
    """The mean MSE of both autoencoders of every seed."""
    if len(trained.autoencoders) == 1:
        return {}
    models = {
        (seed, name): DenseModel.of(result.arrays).reconstruct
        for seed, both in trained.autoencoders.items()
        for name, (_, result) in both.items()
    }
    named_models = {f"{name}, {seed}": model for (seed, name), model in models.items()}
    errors = errors_by_level(named_models, images, [noise_sd])[noise_sd]
    return {
        seed: {name: mean(errors[f"{name}, {seed}"]) for name in (BASIC, DENOISING)}
        for seed in trained.autoencoders
    }


def mean(values: Array) -> float:
    """The mean, added up in float64."""
    return float(values.mean(dtype=np.float64))


# ------------------------------------------------------------------------------- what can be told


@dataclass(frozen=True)
class Estimate:
    """A mean over test images and its interval; neither where a value is infinite."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Against:
    """The denoising autoencoder minus another method, image by image.

    ``p_value`` is that of the difference in MSE, adjusted for all methods that are compared.
    ``closer`` is the share of images of which the denoising autoencoder has the smaller MSE.
    """

    mse: Difference | None
    psnr: Difference | None
    ssim: Difference | None
    p_value: float | None
    closer: float

    @property
    def outcome(self) -> Outcome:
        """Whether the denoising autoencoder is better by MSE."""
        return outcome(self.mse, self.p_value)

    def by(self, measure: Measure) -> Outcome:
        """The same by any measure; of PSNR and SSIM more is better."""
        if measure == "mse":
            return self.outcome
        difference = self.psnr if measure == "psnr" else self.ssim
        found = outcome(difference)
        reverse: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}
        return reverse.get(found, found)


@dataclass(frozen=True)
class Contrast:
    """The denoising autoencoder's MSE minus another method's, one of many such differences.

    ``p_value`` is adjusted for all that are looked at together. Both are None for too few images.
    """

    difference: Difference | None
    p_value: float | None

    @property
    def outcome(self) -> Outcome:
        """Whether the denoising autoencoder is better."""
        return outcome(self.difference, self.p_value)


@dataclass(frozen=True)
class OfClass:
    """One digit: how many images, the denoising autoencoder's MSE, and paired differences."""

    images: int
    mse: Estimate
    differences: Mapping[str, Contrast]


@dataclass(frozen=True)
class OverSeeds:
    """Test MSE by seed and autoencoder, and denoising minus basic: each, mean, deviation, test.

    ``p_value`` is that of the sign-flip test; None with too few seeds for it.
    """

    errors: Mapping[int, Mapping[str, float]]
    differences: tuple[float, ...]
    difference: Spread
    p_value: float | None

    @classmethod
    def of(cls, errors: Mapping[int, Mapping[str, float]]) -> OverSeeds | None:
        """From mean errors; None for fewer than two seeds."""
        differences = [both[DENOISING] - both[BASIC] for both in errors.values()]
        spread = over_seeds(differences)
        return spread and cls(errors, tuple(differences), spread, sign_flip(differences))


@dataclass(frozen=True)
class Comparison:
    """All statistics of the chapter; intervals and tests over test images but for ``seeds``.

    ``levels`` has the paired difference of the denoising autoencoder to each of ``AT_LEVELS`` by
    noise level, from 0 up, all adjusted together, as are those of all ``classes``; ``harm`` is
    that of the basic autoencoder to the noisy input.
    """

    estimates: Mapping[tuple[Measure, str], Estimate]
    against: Mapping[str, Against]
    levels: Mapping[float, Mapping[str, Contrast]]
    harm: Difference | None
    classes: Mapping[int, OfClass]
    seeds: OverSeeds | None

    @classmethod
    def of(cls, measured: Measured) -> Comparison:
        """Derive everything, with as few sets of resamples as can be."""
        measures: tuple[Measure, ...] = ("mse", "psnr", "ssim")
        values = {
            (measure, name): measured.of_measure(measure)[name]
            for measure in measures
            for name in METHODS
        }
        others = [name for name in METHODS if name != DENOISING]
        pairs: dict[Any, tuple[Array, Array]] = {
            (measure, name): (values[measure, DENOISING], values[measure, name])
            for measure in measures
            for name in others
        }
        for level, errors in measured.levels.items():
            for name in AT_LEVELS:
                pairs[level, name] = (errors[DENOISING], errors[name])
        pairs["harm"] = (measured.mse[BASIC], measured.mse[NOISY])
        means, found = told(values, pairs)
        at_levels = adjusted(
            {(level, name): found[level, name] for level in measured.levels for name in AT_LEVELS}
        )
        return cls(
            estimates=means,
            against=_against(found, others, measured.mse),
            levels={
                level: {name: at_levels[level, name] for name in AT_LEVELS}
                for level in measured.levels
            },
            harm=found["harm"],
            classes=_classes(measured),
            seeds=OverSeeds.of(measured.by_seed),
        )


def outcome(difference: Difference | None, p_value: float | None = None) -> Outcome:
    """Whether the first of two errors is smaller: its interval decides, and its test if given."""
    if difference is None or (p_value is not None and p_value >= SIGNIFICANCE):
        return "can't be told apart"
    if difference.interval.high < 0:
        return "better"
    return "worse" if difference.interval.low > 0 else "can't be told apart"


def told(
    values: Mapping[Key, Array], pairs: Mapping[Any, tuple[Array, Array]]
) -> tuple[dict[Key, Estimate], dict[Any, Difference | None]]:
    """Means of values, and of differences, all (n,), from one set of resamples.

    A mean is told as a difference to 0. Where a value is infinite, neither is.
    """
    zero = np.zeros(1)
    asked = {("mean", key): (column, zero) for key, column in values.items()}
    asked |= {("pair", key): pair for key, pair in pairs.items()}
    finite = [key for key, both in asked.items() if all(np.isfinite(part).all() for part in both)]
    changes = [np.subtract(*asked[key], dtype=np.float64) for key in finite]
    stacked = paired_differences(np.stack(changes, axis=1), zero[:, None]) if changes else []
    found = dict(zip(finite, stacked, strict=True))
    estimates = {}
    for key, column in values.items():
        known = ("mean", key) in found
        interval = found[("mean", key)] if known else None
        estimates[key] = Estimate(
            mean(column) if known else None, interval.interval if interval else None
        )
    return estimates, {key: found.get(("pair", key)) for key in pairs}


def adjusted(found: Mapping[Key, Difference | None]) -> dict[Key, Contrast]:
    """Differences with their p-values adjusted for being looked at together (Holm 1979)."""
    tested = {key: pair.p_value for key, pair in found.items() if pair is not None}
    p_values = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {key: Contrast(pair, p_values.get(key)) for key, pair in found.items()}


def _against(
    found: Mapping[Any, Difference | None], others: Sequence[str], errors: Mapping[str, Array]
) -> dict[str, Against]:
    """The comparison with each other method, p-values adjusted for their number."""
    contrasts = adjusted({name: found["mse", name] for name in others})
    return {
        name: Against(
            found["mse", name],
            found["psnr", name],
            found["ssim", name],
            contrasts[name].p_value,
            float((errors[DENOISING] < errors[name]).mean()),
        )
        for name in others
    }


def _classes(measured: Measured) -> dict[int, OfClass]:
    """The errors of each digit's images; the p-values of all digits are adjusted together."""
    images, means = {}, {}
    found: dict[tuple[int, str], Difference | None] = {}
    for label in np.unique(measured.labels).tolist():
        here = measured.labels == label
        own = measured.mse[DENOISING][here]
        pairs = {name: (own, measured.mse[name][here]) for name in BY_CLASS}
        estimates, differences = told({DENOISING: own}, pairs)
        images[label], means[label] = int(here.sum()), estimates[DENOISING]
        found |= {(label, name): differences[name] for name in BY_CLASS}
    contrasts = adjusted(found)
    return {
        label: OfClass(count, means[label], {name: contrasts[label, name] for name in BY_CLASS})
        for label, count in images.items()
    }
