"""The tables and figures of the chapter on the denoising autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.denoising.errors import (
    AT_LEVELS,
    BASIC,
    DENOISING,
    FULL_RANK,
    LINEAR,
    LOW_RANK,
    METHODS,
    NOISY,
    Against,
    Comparison,
    Estimate,
    Measured,
    OverSeeds,
    Restore,
    Trained,
    mean,
)
from experiments.dense_experiment import (
    architecture_table,
    best_epoch,
    data_table,
    first_of_each_class,
    image_grid,
    seconds_per_epoch,
)
from experiments.dense_model import scaled, test_noise, with_noise
from experiments.uncertainty import (
    interval_cells,
    interval_columns,
    named,
    seed_cells,
    seed_columns,
)
from experiments.wording import hyperparameters, loss_panel
from reportgen.experiment import Array, Evidence
from reportgen.results import (
    Column,
    Figure,
    LinePanel,
    Lines,
    Marker,
    Number,
    Scalar,
    Series,
    Table,
)
from reportgen.statistics import Difference

OVER = "the test images (BCa bootstrap)"
"""What intervals are taken over, and how."""

ADJUSTED = "paired t-test, adjusted for all differences of the table (Holm 1979)"
"""What p-values are those of."""

SHORT = {NOISY: "noisy", BASIC: "basic", LOW_RANK: "low_rank", FULL_RANK: "full_rank"}
"""What columns call the methods."""


@dataclass(frozen=True)
class Exhibits:
    """The chapter's tables and figures, the statistics behind them, and numbers in no table.

    ``seeds`` is None where each model was trained once.
    """

    comparison: Comparison
    data: Table
    architecture: Table
    settings: Table
    trainings: Table
    methods: Table
    differences: Table
    seeds: Table | None
    levels: Table
    level_differences: Table
    classes: Table
    loss: Figure
    grid: Figure
    sweep: Figure
    noise: Number
    rank: Number
    pixels: Number

    @classmethod
    def of(cls, evidence: Evidence[Any]) -> Exhibits:
        """Derive everything from the trials' results and the images."""
        settings, dataset = evidence.settings, evidence.dataset
        trained = Trained.of(evidence)
        measured = Measured.of(trained, dataset, settings.noise_sd, settings.noise_levels)
        comparison = Comparison.of(measured)
        pixels = dataset.array("x_test").shape[1]
        levels = levels_table(measured, trained)
        return cls(
            comparison=comparison,
            data=data_table(dataset, trained.first[DENOISING], trained.origin(DENOISING)),
            architecture=architecture_table(
                {settings.latent_dim: trained.first[DENOISING]}, trained.origin(DENOISING)
            ),
            settings=hyperparameters(settings, "The settings of this experiment, all of them."),
            trainings=trainings_table(trained),
            methods=methods_table(
                comparison,
                measured,
                trained,
                dict.fromkeys(METHODS[2:], settings.latent_dim) | {FULL_RANK: pixels},
            ),
            differences=differences_table(comparison.against, trained),
            seeds=seeds_table(comparison.seeds, trained) if comparison.seeds else None,
            levels=levels,
            level_differences=level_differences_table(comparison, trained),
            classes=classes_table(comparison, trained),
            loss=loss_figure(trained),
            grid=grid(
                trained.restorers(),
                dataset.array("x_test"),
                dataset.array("y_test"),
                settings.noise_sd,
            ),
            sweep=sweep_figure(levels, settings.noise_sd),
            noise=Number(settings.noise_sd, "g", "setting noise_sd"),
            rank=Number(settings.latent_dim, "d", "setting latent_dim"),
            pixels=Number(pixels, "d", "pixels of an image"),
        )


# ---------------------------------------------------------------------------------------- tables


def methods_table(
    comparison: Comparison, measured: Measured, trained: Trained, bottlenecks: Mapping[str, int]
) -> Table:
    """The contract table: every method at the noise of the training."""
    mse = Column(
        "test_mse",
        "Test MSE",
        "squared error against the clean image, mean over the pixels of all test images",
        format=".5f",
    )
    quality = {
        "psnr": Column("psnr", "PSNR", "mean of the test images' own values", "dB", ".2f"),
        "ssim": Column("ssim", "SSIM", "mean of the test images' own values", "", ".3f"),
    }
    over_seeds = comparison.seeds
    columns = [
        Column("method", "Method"),
        Column(
            "bottleneck", "Bottleneck", "numbers to which an image is reduced in between", "", "d"
        ),
        *interval_columns(mse, OVER),
        *(seed_columns(mse) if over_seeds else ()),
        *interval_columns(quality["psnr"], OVER),
        *interval_columns(quality["ssim"], OVER),
        Column(
            "removed",
            "Error removed",
            "how much less test MSE is than for the noisy input, as a share of the latter",
            format=".1%",
        ),
        Column(
            "clean_mse",
            "MSE without noise",
            "test MSE for images without noise, of the methods compared at every noise level",
            format=".5f",
        ),
    ]
    noisy, clean = mean(measured.mse[NOISY]), measured.levels[0.0]
    rows = []
    for name in METHODS:
        row: dict[str, Scalar] = {"method": name, "bottleneck": bottlenecks.get(name)}
        row |= _estimate("test_mse", comparison.estimates["mse", name])
        if over_seeds:
            row |= _over_seeds(over_seeds, name)
        row |= _estimate("psnr", comparison.estimates["psnr", name])
        row |= _estimate("ssim", comparison.estimates["ssim", name])
        row["removed"] = None if name == NOISY else 1 - mean(measured.mse[name]) / noisy
        row["clean_mse"] = mean(clean[name]) if name in clean and name != NOISY else None
        rows.append(row)
    return Table(
        "denoising_mse",
        "How far the methods are from the clean images: the noisy test images are the same for "
        "every method. Small MSE is good; large PSNR and SSIM are.",
        tuple(columns),
        tuple(rows),
        key=True,
        highlight=(METHODS.index(DENOISING),),
        trials=tuple(trained.origin(name, every_seed=True) for name in METHODS),
    )


def _estimate(name: str, found: Estimate) -> dict[str, Scalar]:
    return interval_cells(name, found.value, found.interval)


def _over_seeds(found: OverSeeds, method: str) -> dict[str, Scalar]:
    """The cells of a trained model's mean and deviation; baselines have none."""
    if method not in (BASIC, DENOISING):
        return {"test_mse_mean": None, "test_mse_sd": None}
    return seed_cells("test_mse", [errors[method] for errors in found.errors.values()])


def differences_table(against: Mapping[str, Against], trained: Trained) -> Table:
    """The paired differences of the denoising autoencoder to every other method."""
    rows: list[dict[str, Scalar]] = [
        {
            "other": other,
            **_difference("mse", found.mse),
            "effect_size": found.mse.effect_size if found.mse else None,
            "p_value": found.p_value,
            "closer": found.closer,
            **_difference("psnr", found.psnr),
            **_difference("ssim", found.ssim),
            "verdict": found.outcome,
        }
        for other, found in against.items()
    ]
    over = f"{OVER}, paired by image"
    columns = (
        Column("other", "Compared with"),
        *interval_columns(Column("mse_difference", "MSE", "", "", "+.5f"), over),
        Column(
            "effect_size",
            "d_z",
            "mean difference in MSE in standard deviations of the differences (Cohen 1988)",
            "",
            "+.2f",
        ),
        Column(
            "p_value", "p", "paired t-test of the MSE, adjusted for all rows (Holm 1979)", "", "p"
        ),
        Column(
            "closer",
            "Closer",
            "share of the test images to which the denoising autoencoder comes closer, by MSE",
            "",
            ".2%",
        ),
        *interval_columns(Column("psnr_difference", "PSNR", "", "dB", "+.2f"), over),
        *interval_columns(Column("ssim_difference", "SSIM", "", "", "+.3f"), over),
        Column(
            "verdict",
            "Verdict",
            "on the denoising autoencoder by MSE: better or worse if the interval leaves out 0 "
            "and p is below 0.05",
        ),
    )
    return Table(
        "differences",
        "The denoising autoencoder minus each other method, image by image. Below 0 it is the "
        "better one by MSE, above 0 by PSNR and SSIM.",
        columns,
        tuple(rows),
        highlight=(list(against).index(BASIC),),
        trials=tuple(trained.origin(DENOISING, other) for other in against),
    )


def _difference(name: str, found: Difference | None) -> dict[str, Scalar]:
    value, interval = (found.mean, found.interval) if found else (None, None)
    return interval_cells(f"{name}_difference", value, interval)


def seeds_table(found: OverSeeds, trained: Trained) -> Table:
    """Both autoencoders' test MSE, seed by seed."""
    rows: list[dict[str, Scalar]] = [
        {
            "seed": seed,
            "basic_mse": errors[BASIC],
            "denoising_mse": errors[DENOISING],
            "difference": errors[DENOISING] - errors[BASIC],
        }
        for seed, errors in found.errors.items()
    ]
    columns = (
        Column("seed", "Seed", format="d"),
        Column("basic_mse", "Basic autoencoder", "test MSE", format=".5f"),
        Column("denoising_mse", "Denoising autoencoder", "test MSE", format=".5f"),
        Column("difference", "Difference", "denoising minus basic", format="+.5f"),
    )
    origins = tuple(
        named(*(trial for trial, _ in trained.autoencoders[seed].values())) for seed in found.errors
    )
    return Table(
        "seeds",
        "Test MSE of both autoencoders by seed. The noisy test images are the same for all seeds.",
        columns,
        tuple(rows),
        trials=origins,
    )


def levels_table(measured: Measured, trained: Trained) -> Table:
    """Test MSE by noise level; without noise there is a column in the contract table."""
    rows: list[dict[str, Scalar]] = [
        {
            "noise_sd": level,
            "noisy_mse": mean(errors[NOISY]),
            "basic_mse": mean(errors[BASIC]),
            "low_rank_mse": mean(errors[LOW_RANK]),
            "full_rank_mse": mean(errors[FULL_RANK]),
            "denoising_mse": mean(errors[DENOISING]),
        }
        for level, errors in measured.levels.items()
        if level
    ]
    columns = (
        Column("noise_sd", "Noise", "standard deviation, pixels in [0, 1]", format="g"),
        Column("noisy_mse", "Noisy input", format=".5f"),
        Column("basic_mse", "Basic autoencoder", format=".5f"),
        Column("low_rank_mse", "Low-rank linear", format=".5f"),
        Column("full_rank_mse", "Full-rank linear", format=".5f"),
        Column("denoising_mse", "Denoising autoencoder", format=".5f"),
    )
    caption = "Test MSE by noise level, with the models as they were trained or fitted."
    origin = trained.origin(*AT_LEVELS, DENOISING)
    return Table("noise_levels", caption, columns, tuple(rows), trials=(origin,) * len(rows))


def level_differences_table(comparison: Comparison, trained: Trained) -> Table:
    """The paired differences at each noise level, from none on."""
    rows: list[dict[str, Scalar]] = []
    for level, found in comparison.levels.items():
        row: dict[str, Scalar] = {"noise_sd": level}
        for name in AT_LEVELS:
            row |= _difference(SHORT[name], found[name].difference)
            row[f"{SHORT[name]}_p"] = found[name].p_value
        rows.append(row)
    titles = {
        NOISY: "To the noisy input",
        BASIC: "To the basic autoencoder",
        LOW_RANK: "To the low-rank linear",
        FULL_RANK: "To the full-rank linear",
    }
    columns = [Column("noise_sd", "Noise", "standard deviation; 0 is no noise", format="g")]
    for name in AT_LEVELS:
        column = Column(f"{SHORT[name]}_difference", titles[name], "", "", "+.5f")
        columns += interval_columns(column, f"{OVER}, paired by image, each for itself")
        columns.append(Column(f"{SHORT[name]}_p", "p", ADJUSTED, format="p"))
    caption = (
        "Test MSE of the denoising autoencoder minus that of other methods, by noise level. Where "
        "an interval lies below 0 and p is below 0.05, the denoising autoencoder is the better one."
    )
    origin = trained.origin(*AT_LEVELS, DENOISING)
    return Table(
        "level_differences", caption, tuple(columns), tuple(rows), trials=(origin,) * len(rows)
    )


def classes_table(comparison: Comparison, trained: Trained) -> Table:
    """The denoising autoencoder's error by digit, and how it compares."""
    rows: list[dict[str, Scalar]] = [
        {
            "digit": digit,
            "images": found.images,
            **_estimate("denoising_mse", found.mse),
            **_difference("basic", found.differences[BASIC].difference),
            "basic_p": found.differences[BASIC].p_value,
            **_difference("full_rank", found.differences[FULL_RANK].difference),
            "full_rank_p": found.differences[FULL_RANK].p_value,
        }
        for digit, found in comparison.classes.items()
    ]
    over = "the test images of the digit (BCa bootstrap), each for itself"
    columns = (
        Column("digit", "Digit", format="d"),
        Column("images", "Images", "test images", format=",d"),
        *interval_columns(
            Column("denoising_mse", "Denoising autoencoder", "test MSE", "", ".5f"), over
        ),
        *interval_columns(
            Column("basic_difference", "Minus the basic one", "paired by image", "", "+.5f"), over
        ),
        Column("basic_p", "p", ADJUSTED, format="p"),
        *interval_columns(
            Column(
                "full_rank_difference", "Minus the full-rank linear", "paired by image", "", "+.5f"
            ),
            over,
        ),
        Column("full_rank_p", "p", ADJUSTED, format="p"),
    )
    caption = (
        "Test MSE of the denoising autoencoder by digit, at the noise of the training, and its "
        "difference to two other methods."
    )
    origin = trained.origin(BASIC, FULL_RANK, DENOISING)
    return Table("by_digit", caption, columns, tuple(rows), trials=(origin,) * len(rows))


def trainings_table(trained: Trained) -> Table:
    """How the first seed's trainings ended."""
    rows: list[dict[str, Scalar]] = [
        {
            "method": method,
            "loss": result.history["loss"][-1],
            "val_loss": result.history["val_loss"][-1],
            "best_epoch": best_epoch(result),
            "epochs": len(result.history["val_loss"]),
            "dead_units": result.scalars["dead_units"],
            "seconds_per_epoch": seconds_per_epoch(result, "wall"),
            "cpu_seconds_per_epoch": seconds_per_epoch(result, "cpu"),
        }
        for method, result in trained.first.items()
    ]
    columns = (
        Column("method", "Model"),
        Column("loss", "Training loss", "after the last epoch", "nats", ".4f"),
        Column("val_loss", "Validation loss", "after the last epoch", "nats", ".4f"),
        Column("best_epoch", "Best epoch", "epoch of the lowest validation loss", format="d"),
        Column("epochs", "Epochs", "epochs trained; the last one's weights are tested", format="d"),
        Column(
            "dead_units",
            "Dead units",
            "bottleneck units above zero for no test image of the model's own kind",
            format="d",
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
    which = "the two trainings" if len(trained.autoencoders) == 1 else "the first seed's trainings"
    caption = f"How {which} ended, each judged by its own task."
    origins = tuple(trained.origin(method) for method in trained.first)
    return Table("trainings", caption, columns, tuple(rows), trials=origins)


# --------------------------------------------------------------------------------------- figures


def loss_figure(trained: Trained) -> Figure:
    """The loss of both models by epoch."""
    results = trained.first.items()
    panels = tuple(loss_panel(method, result.history) for method, result in results)
    return Figure(
        "loss",
        "Loss after each epoch. The panels have scales of their own, since the tasks differ: one "
        "model sees clean images, the other noisy ones.",
        "Curves of training and validation loss over the epochs, a panel for each model.",
        Lines("epoch", "binary cross-entropy", panels, share_y=False),
    )


def grid(restorers: Mapping[str, Restore], images: Array, labels: Array, noise_sd: float) -> Figure:
    """One digit of each class as the methods restore it."""
    chosen = first_of_each_class(labels)
    clean = scaled(images[chosen])
    noise = test_noise().standard_normal((max(chosen) + 1, clean.shape[1]), np.float32)
    noisy = with_noise(clean, noise[chosen], noise_sd)
    shown = [name for name in METHODS if name in restorers and name != LINEAR[0]]
    rows = {NOISY: noisy} | {name: restorers[name](noisy) for name in shown}
    rows["ground truth"] = clean
    return image_grid(
        "denoised",
        "The first test image of every digit with noise, what the linear denoisers and the "
        "autoencoders make of it, and the image without noise.",
        "Rows of handwritten digits: with noise, restored by both linear denoisers, by the basic "
        "and by the denoising autoencoder, and clean.",
        rows,
        [int(digit) for digit in labels[chosen]],
    )


def sweep_figure(levels: Table, trained_noise: float) -> Figure:
    """The test MSE over the noise level."""

    def values(column: str) -> tuple[float, ...]:
        return tuple(float(str(row[column])) for row in levels.rows)

    def series(label: str, column: str, style: str) -> Series:
        return Series(label, values("noise_sd"), values(column), style)

    curves = (
        series(NOISY, "noisy_mse", "dashed"),
        series(BASIC, "basic_mse", "marked"),
        series(DENOISING, "denoising_mse", "marked"),
        series(LOW_RANK, "low_rank_mse", "line"),
        series(FULL_RANK, "full_rank_mse", "line"),
    )
    trained = Marker(trained_noise, 0, "noise in training")
    return Figure(
        "mse_by_noise",
        "Test MSE, on a logarithmic scale, over the standard deviation of the noise. The vertical "
        "line marks the noise for which the denoising autoencoder was trained and the linear "
        "denoisers were fitted.",
        "Five curves over the noise level: noisy input, basic and denoising autoencoder, linear "
        "denoisers of low and of full rank.",
        Lines(
            "standard deviation of the noise",
            "test MSE",
            (LinePanel(curves, y_scale="log", vertical=(trained,)),),
        ),
    )
