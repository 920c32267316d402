"""Q1's tables and figures that compare latent dimensions with each other and with PCA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.autoencoder.errors import ErrorAnalysis
from experiments.autoencoder.times import TimeStep, time_figure, time_steps, times_table
from experiments.autoencoder.trainings import MEASURES, Comparisons, Contrast, Trainings
from experiments.dense_experiment import (
    architecture_table,
    best_epoch,
    data_table,
    first_of_each_class,
    image_grid,
    seconds_per_epoch,
)
from experiments.dense_model import DenseModel, scaled
from experiments.uncertainty import interval_cells, interval_columns, seed_cells, seed_columns
from experiments.wording import hyperparameters, joined, loss_panel
from reportgen.experiment import Array, Evidence, TrialResult
from reportgen.results import Column, Figure, LinePanel, Lines, Number, Scalar, Series, Table

IMAGES = "test images (BCa bootstrap)"
"""What the intervals of errors are taken over, and how."""


@dataclass(frozen=True)
class Exhibits:
    """The chapter's tables and figures, and what stands in none."""

    trainings: Trainings
    comparisons: Comparisons
    time_steps: list[TimeStep]
    data: Table
    architecture: Table
    settings: Table
    comparison: Table
    neighbours: Table | None
    neighbours_over_seeds: Table | None
    baselines: Table
    convergence: Table
    each_training: Table | None
    times: Table
    loss: Figure
    reconstructions: Figure
    error: Figure
    time: Figure | None
    analysis: ErrorAnalysis
    floor: Number
    threads: Number
    on_gpu: bool

    @property
    def dims(self) -> tuple[int, ...]:
        """The latent dimensions, rising."""
        return self.trainings.dims

    @property
    def several_seeds(self) -> bool:
        """Whether each model was trained more than once."""
        return len(self.trainings.seeds) > 1

    @classmethod
    def of(cls, evidence: Evidence[Any]) -> Exhibits:
        """Derive everything from the trials' results and the images."""
        trainings, dataset = Trainings.of(evidence), evidence.dataset
        comparisons, steps = Comparisons.of(trainings), time_steps(trainings)
        comparison = comparison_table(trainings, comparisons)
        baselines = baselines_table(trainings, comparisons)
        times = times_table(trainings, steps)
        first, origin = trainings.first, trainings.origin(*trainings.dims)
        several, step = len(trainings.seeds) > 1, bool(comparisons.steps)
        any_result = next(iter(first.values()))
        return cls(
            trainings=trainings,
            comparisons=comparisons,
            time_steps=steps,
            data=data_table(dataset, any_result, trainings.origin(trainings.dims[0])),
            architecture=architecture_table(first, origin),
            settings=hyperparameters(
                evidence.settings, "The settings of this experiment, all of them."
            ),
            comparison=comparison,
            neighbours=neighbours_table(trainings, comparisons) if step else None,
            neighbours_over_seeds=(
                neighbours_over_seeds_table(trainings, comparisons) if step and several else None
            ),
            baselines=baselines,
            convergence=convergence_table(trainings),
            each_training=trainings_table(trainings) if several else None,
            times=times,
            loss=loss_figure(trainings),
            reconstructions=reconstructions_figure(
                first, dataset.array("x_test"), dataset.array("y_test")
            ),
            error=error_figure(comparison),
            time=time_figure(times),
            analysis=ErrorAnalysis.of(trainings, dataset),
            floor=Number(
                trainings.floor,
                ".4f",
                "mean binary entropy of the test images' pixels, in nats",
                trainings.origin(baseline=True),
            ),
            threads=Number(any_result.scalars["threads"], "d", "threads of each training", origin),
            on_gpu="gpu" in any_result.scalars,
        )


LATENT = Column("latent_dim", "Latent dimension", "units of the bottleneck", format="d")


# --------------------------------------------------------------------------------------- tables


def comparison_table(trainings: Trainings, comparisons: Comparisons) -> Table:
    """The table ``latent_comparison``."""
    several = len(trainings.seeds) > 1
    pca = dict(zip(trainings.dims, _means(trainings.baseline_errors("mse")), strict=True))
    rows = []
    for dim, result in trainings.first.items():
        row: dict[str, Scalar] = {
            "latent_dim": dim,
            "parameters": result.scalars["parameters"],
            "pca_mse": pca[dim],
            "dead_units": result.scalars["dead_units"],
            "seconds_per_epoch": seconds_per_epoch(result, "wall"),
            "cpu_seconds_per_epoch": seconds_per_epoch(result, "cpu"),
        }
        for measure in MEASURES:
            name, values = f"test_{measure}", trainings.over_seeds(measure, dim)
            row |= interval_cells(name, values[0], comparisons.intervals[measure, dim])
            row |= seed_cells(name, values) if several else {}
        row["bce_above_floor"] = trainings.over_seeds("bce", dim)[0] - trainings.floor
        rows.append(row)
    bce = Column(
        "test_bce", "Test BCE", "binary cross-entropy, mean over all test pixels", "nats", ".4f"
    )
    mse = Column(
        "test_mse",
        "Test MSE",
        "squared error of pixels in [0, 1], mean over all test pixels",
        format=".5f",
    )
    above = "BCE minus that of perfect reconstructions"
    columns = (
        LATENT,
        Column("parameters", "Parameters", "trained weights and biases", format=",d"),
        *interval_columns(bce, IMAGES),
        *(finer(seed_columns(bce)) if several else ()),
        Column("bce_above_floor", "BCE above floor", above, "nats", ".4f"),
        *interval_columns(mse, IMAGES),
        *(finer(seed_columns(mse)) if several else ()),
        Column("pca_mse", "PCA's MSE", "with as many principal components", format=".5f"),
        Column(
            "dead_units", "Dead units", "bottleneck units above zero for no test image", format="d"
        ),
        Column("seconds_per_epoch", "Wall time per epoch", "median epoch", "s", ".2f"),
        Column(
            "cpu_seconds_per_epoch",
            "Processor time per epoch",
            "time of all threads of the training's process, median epoch",
            "s",
            ".2f",
        ),
    )
    caption = "Autoencoders by latent dimension: error on the test images, size, time of training."
    origins = tuple(trainings.origin(dim, every_seed=True, baseline=True) for dim in trainings.dims)
    return Table("latent_comparison", caption, columns, tuple(rows), key=True, trials=origins)


CHANGES = (
    Column("mse_change", "MSE difference", format="+.5f"),
    Column("bce_change", "BCE difference", unit="nats", format="+.4f"),
)
"""By how much the two errors differ between neighbours."""


def finer(pair: tuple[Column, Column]) -> tuple[Column, Column]:
    """Columns of a mean and a deviation, this with one more decimal and no sign: it is small."""
    mean, deviation = pair
    decimals = int(mean.format.removeprefix("+")[1:-1])
    return mean, replace(deviation, format=f".{decimals + 1}f")


def neighbours_table(trainings: Trainings, comparisons: Comparisons) -> Table:
    """The table ``neighbours``: each latent dimension against the next smaller one, by image."""
    rows = []
    for step in comparisons.steps:
        row: dict[str, Scalar] = {"larger": step.larger, "smaller": step.smaller}
        for measure, contrast in (("mse", step.mse), ("bce", step.bce)):
            row |= contrast_cells(measure, contrast)
        rows.append(row | {"verdict": step.verdict})
    columns = (
        Column("larger", "Latent dimension", format="d"),
        Column("smaller", "against", format="d"),
        *contrast_columns(CHANGES[0], "mse"),
        *contrast_columns(CHANGES[1], "bce"),
        Column("verdict", "Verdict", "on the first of the two"),
    )
    caption = (
        "Neighbouring latent dimensions on the same test images: mean difference, larger minus "
        "smaller, so that below zero the larger one is better."
    )
    origins = tuple(trainings.origin(s.smaller, s.larger) for s in comparisons.steps)
    return Table("neighbours", caption, columns, tuple(rows), key=True, trials=origins)


def contrast_cells(measure: str, contrast: Contrast | None) -> dict[str, Scalar]:
    """The cells of a paired difference in a measure, empty where there is none."""
    name, found = f"{measure}_change", contrast.difference if contrast else None
    if contrast is None or found is None:
        return interval_cells(name, None, None) | {f"{measure}_effect": None, f"{measure}_p": None}
    return interval_cells(name, found.mean, found.interval) | {
        f"{measure}_effect": found.effect_size,
        f"{measure}_p": contrast.p_value,
    }


def contrast_columns(change: Column, measure: str) -> tuple[Column, ...]:
    """The columns of :func:`contrast_cells`; ``change`` is that of the difference itself."""
    effect = "the mean difference in standard deviations of the differences"
    p_value = "two-sided paired t-test over test images, Holm-adjusted"
    return (
        *interval_columns(change, IMAGES),
        Column(f"{measure}_effect", "d_z", effect, format="+.2f"),
        Column(f"{measure}_p", "p", p_value, format="p"),
    )


def neighbours_over_seeds_table(trainings: Trainings, comparisons: Comparisons) -> Table:
    """The table ``neighbours_over_seeds``: the same steps, one difference a seed."""
    rows: list[dict[str, Scalar]] = []
    for step in comparisons.steps:
        row: dict[str, Scalar] = {"larger": step.larger, "smaller": step.smaller}
        for measure, contrast in (("mse", step.mse), ("bce", step.bce)):
            row |= seed_cells(f"{measure}_change", contrast.by_seed)
            row[f"{measure}_lower"] = sum(change < 0 for change in contrast.by_seed)
            row[f"{measure}_p"] = contrast.seeds_p_value
        rows.append(row)
    columns = [
        Column("larger", "Latent dimension", format="d"),
        Column("smaller", "against", format="d"),
    ]
    lower, test = "seeds with a lower error at the larger one", "sign-flip test over the seeds"
    for change in CHANGES:
        measure = change.name.removesuffix("_change")
        columns += [
            *finer(seed_columns(change)),
            Column(f"{measure}_lower", f"{measure.upper()} lower", lower, format="d"),
            Column(f"{measure}_p", "p", test, format="p"),
        ]
    if rows[0]["mse_p"] is None:
        columns = [column for column in columns if not column.name.endswith("_p")]
        rows = [{c.name: row[c.name] for c in columns} for row in rows]
    caption = (
        f"The same steps over {len(trainings.seeds)} seeds: mean and standard deviation of the "
        "difference in test error, and with how many seeds the larger latent dimension is better."
    )
    origins = tuple(
        trainings.origin(s.smaller, s.larger, every_seed=True) for s in comparisons.steps
    )
    return Table("neighbours_over_seeds", caption, tuple(columns), tuple(rows), trials=origins)


def baselines_table(trainings: Trainings, comparisons: Comparisons) -> Table:
    """The table ``baselines``: PCA by number of components; without any, the mean image."""
    explained = trainings.baseline.scalars["explained_variance"]
    arrays, rows = trainings.baseline.arrays, []
    for dim in (0, *trainings.dims):
        row: dict[str, Scalar] = {
            "components": dim,
            "method": "PCA" if dim else "mean image",
            "explained": explained[trainings.projected[dim]] if dim else 0.0,
        }
        for measure in MEASURES:
            error = arrays[f"{measure}_pca_{dim}" if dim else f"{measure}_mean"]
            value, interval = (
                _means(error[:, None])[0],
                comparisons.baseline_intervals[measure, dim],
            )
            row |= interval_cells(measure, value, interval)
        rows.append(row | contrast_cells("mse", comparisons.projection.get(dim)))
    columns = (
        Column("components", "Components", "principal components kept", format="d"),
        Column("method", "Method", "the mean image is that of the training part"),
        Column("explained", "Variance", "of the training images, held", format=".1%"),
        *interval_columns(Column("mse", "Test MSE", format=".5f"), IMAGES),
        *interval_columns(Column("bce", "Test BCE", "", "nats", ".4f"), IMAGES),
        *contrast_columns(
            Column("mse_change", "Autoencoder's MSE, difference", "minus PCA's", "", "+.5f"), "mse"
        ),
    )
    caption = (
        "The baselines, clipped to [0, 1], and how much the MSE of the autoencoder of as many "
        "latent dimensions differs on the same images."
    )
    origins = [trainings.origin(baseline=True)]
    origins += [trainings.origin(dim, baseline=True) for dim in trainings.dims]
    return Table("baselines", caption, columns, tuple(rows), trials=tuple(origins))


def convergence_table(trainings: Trainings) -> Table:
    """The table ``convergence``: how the trainings of the first seed ended."""
    rows: list[dict[str, Scalar]] = [
        {
            "latent_dim": dim,
            "loss": result.history["loss"][-1],
            "val_loss": result.history["val_loss"][-1],
            "best_epoch": best_epoch(result),
            "epochs": len(result.history["val_loss"]),
        }
        for dim, result in trainings.first.items()
    ]
    columns = (
        LATENT,
        Column("loss", "Training loss", "after the last epoch", "nats", ".4f"),
        Column("val_loss", "Validation loss", "after the last epoch", "nats", ".4f"),
        Column("best_epoch", "Best epoch", "epoch of the lowest validation loss", format="d"),
        Column("epochs", "Tested epoch", "the last, by rule", format="d"),
    )
    caption = "How the trainings ended: binary cross-entropy after the last epoch."
    origins = tuple(trainings.origin(dim) for dim in trainings.dims)
    return Table("convergence", caption, columns, tuple(rows), trials=origins)


def trainings_table(trainings: Trainings) -> Table:
    """The table ``trainings``: every training of every seed."""
    rows: list[dict[str, Scalar]] = [
        {
            "latent_dim": dim,
            "seed": seed,
            **{f"test_{m}": _means(result.arrays[f"test_{m}"][:, None])[0] for m in MEASURES},
            "val_loss": result.history["val_loss"][-1],
            "best_epoch": best_epoch(result),
            "dead_units": result.scalars["dead_units"],
            "cpu_seconds_per_epoch": seconds_per_epoch(result, "cpu"),
        }
        for (dim, seed), result in trainings.results.items()
    ]
    columns = (
        LATENT,
        Column("seed", "Seed", format="d"),
        Column("test_mse", "Test MSE", format=".5f"),
        Column("test_bce", "Test BCE", "", "nats", ".4f"),
        Column("val_loss", "Validation loss", "after the last epoch", "nats", ".4f"),
        Column("best_epoch", "Best epoch", "epoch of the lowest validation loss", format="d"),
        Column("dead_units", "Dead units", format="d"),
        Column("cpu_seconds_per_epoch", "Processor time per epoch", "median epoch", "s", ".2f"),
    )
    origins = tuple(trainings.origin_of(*key) for key in trainings.results)
    return Table("trainings", "Every training.", columns, tuple(rows), trials=origins)


def _means(errors: Array) -> list[float]:
    """The mean of each column."""
    means: list[float] = errors.mean(axis=0, dtype=np.float64).tolist()
    return means


# -------------------------------------------------------------------------------------- figures


def loss_figure(trainings: Trainings) -> Figure:
    """The figure ``loss``: the first seed's curves, within bands from lowest to highest seed."""
    panels = []
    for dim, result in trainings.first.items():
        panel = loss_panel(f"latent {dim}", result.history)
        if len(trainings.seeds) > 1:
            bands = [_banded(trainings, dim, name) for name in ("loss", "val_loss")]
            series = tuple(
                replace(one, low=low, high=high)
                for one, (low, high) in zip(panel.series, bands, strict=True)
            )
            panel = replace(panel, series=series)
        panels.append(panel)
    caption = (
        "Loss after each epoch, by latent dimension, each panel with a scale of its own. Where the "
        "curves run together, the model does as well on images that it was not fitted to. The "
        "model of the last epoch is tested."
    )
    if len(trainings.seeds) > 1:
        caption += " The curves are those of the first seed; the bands reach over all seeds."
    return Figure(
        "loss",
        caption,
        "Curves of training and validation loss over the epochs, a panel for each of the latent "
        f"dimensions {joined([str(dim) for dim in trainings.dims])}.",
        Lines("epoch", "binary cross-entropy", tuple(panels), share_y=False),
    )


def _banded(trainings: Trainings, dim: int, name: str) -> tuple[tuple[float, ...], ...]:
    """The lowest and the highest value over the seeds, after each epoch."""
    histories = [trainings.results[dim, seed].history[name] for seed in trainings.seeds]
    epochs = list(zip(*histories, strict=True))
    return tuple(map(min, epochs)), tuple(map(max, epochs))


def reconstructions_figure(
    results: Mapping[int, TrialResult], images: Array, labels: Array
) -> Figure:
    """The figure ``reconstructions``: the first of each digit, by every autoencoder."""
    chosen = first_of_each_class(labels)
    originals = scaled(images[chosen])
    rows = {"original": originals}
    for dim, result in results.items():
        rows[f"latent {dim}"] = DenseModel.of(result.arrays).reconstruct(originals)
    return image_grid(
        "reconstructions",
        "The first test image of every digit, and what each autoencoder makes of it.",
        "Handwritten digits in the top row; below, one row of reconstructions for each of the "
        f"latent dimensions {joined([str(dim) for dim in results])}.",
        rows,
        [int(digit) for digit in labels[chosen]],
    )


def error_figure(comparison: Table) -> Figure:
    """The figure ``mse_by_latent``."""
    dims, own, pca = (
        tuple(float(str(row[column])) for row in comparison.rows)
        for column in ("latent_dim", "test_mse", "pca_mse")
    )
    series = (
        Series("autoencoder", dims, own, "marked"),
        Series("PCA, as many components", dims, pca, "dashed"),
    )
    panel = LinePanel(series, x_scale="log2", y_scale="log")
    return Figure(
        "mse_by_latent",
        "Test MSE over the latent dimension, with PCA for comparison; both axes are logarithmic.",
        "Two curves over the latent dimension: the test error of the autoencoders and of PCA.",
        Lines("latent dimension", "test MSE", (panel,)),
    )
