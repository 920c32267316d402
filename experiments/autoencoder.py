"""Q1: the basic autoencoder at several latent dimensions; its settings, trials and chapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from experiments.data.mnist import MnistSource
from experiments.dense_experiment import (
    DenseSettings,
    about_data,
    about_quick,
    about_training,
    architecture_table,
    best_epoch,
    data_table,
    dense_trial,
    first_of_each_class,
    image_grid,
    seconds_per_epoch,
)
from experiments.dense_model import DenseModel, scaled
from experiments.wording import course, hyperparameters, joined, listing, loss_panel, single_seed
from experiments.yardsticks import entropy_floor, pca_errors
from reportgen.experiment import (
    Array,
    DataSource,
    Evidence,
    Experiment,
    Trial,
    TrialResult,
    setting,
)
from reportgen.results import (
    Column,
    Figure,
    Finding,
    LinePanel,
    Lines,
    Number,
    Prose,
    Scalar,
    Section,
    Series,
    Table,
    Value,
    prose,
    ref,
    section_with,
)

Item = Prose | Table | Figure


@dataclass(frozen=True)
class AutoencoderSettings(DenseSettings):
    """Settings of the basic autoencoder; the latent dimensions are those of the assignment."""

    latent_dims: tuple[int, ...] = setting(
        (16, 32, 64, 128), "latent dimensions to compare", minimum=1, maximum=784
    )

    def __post_init__(self) -> None:
        """Check that there is something to train, and nothing twice."""
        if not self.latent_dims or len(set(self.latent_dims)) < len(self.latent_dims):
            raise ValueError("latent_dims needs at least one latent dimension, and each once.")


def basic_trial(settings: AutoencoderSettings, latent_dim: int, seed: int) -> Trial:
    """The training of the basic autoencoder at one latent dimension, listed or not.

    Other experiments that build on this autoencoder name the same training by it.
    """
    return dense_trial("autoencoder", settings, latent_dim, 0.0, seed)


class AutoencoderExperiment(Experiment[AutoencoderSettings]):
    """Reconstruction of MNIST digits through bottlenecks of different widths."""

    name: ClassVar[str] = "autoencoder"
    title: ClassVar[str] = "Basic autoencoder on MNIST"
    question: ClassVar[str] = "Q1"
    summary: ClassVar[str] = "compares dense autoencoders of several latent dimensions on MNIST"
    order: ClassVar[int] = 1
    settings = AutoencoderSettings
    source: DataSource = MnistSource()

    def trials(
        self, settings: AutoencoderSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """One training for each latent dimension."""
        return [basic_trial(settings, dim, seed) for dim in sorted(settings.latent_dims)]

    def section(self, evidence: Evidence[AutoencoderSettings]) -> Section:
        """The chapter: what was asked, done, found, and what follows from it."""
        exhibits = Exhibits.of(evidence)
        return section_with(
            self.name,
            self.title,
            self.question,
            evidence.dataset.summary,
            [
                ("Objective", _objective()),
                ("Data", [about_data(exhibits.data), exhibits.data]),
                ("Method", _method(exhibits)),
                ("Hyperparameters", _hyperparameters(exhibits)),
                ("Results", _results(exhibits)),
                ("Discussion", _discussion(evidence, exhibits)),
            ],
            _findings(exhibits),
        )


# -------------------------------------------------------------------------------------- exhibits


@dataclass(frozen=True)
class Exhibits:
    """The chapter's tables and figures, and the numbers that stand in none."""

    dims: tuple[int, ...]
    data: Table
    architecture: Table
    settings: Table
    comparison: Table
    convergence: Table
    loss: Figure
    reconstructions: Figure
    error: Figure
    time: Figure
    floor: Number
    threads: Number

    @classmethod
    def of(cls, evidence: Evidence[AutoencoderSettings]) -> Exhibits:
        """Derive everything from the trials' results and the images."""
        results = {trial.params["latent_dim"]: r for trial, r in evidence.trials.items()}
        results = dict(sorted(results.items()))
        dataset, any_result = evidence.dataset, next(iter(results.values()))
        projection = pca_errors(dataset.array("x_train"), dataset.array("x_test"), list(results))
        comparison = _comparison(results, projection)
        floor = entropy_floor(dataset.array("x_test"))
        return cls(
            dims=tuple(results),
            data=data_table(dataset, any_result),
            architecture=architecture_table(results),
            settings=hyperparameters(
                evidence.settings, "The settings of this experiment, all of them."
            ),
            comparison=comparison,
            convergence=_convergence(results),
            loss=_loss_figure(results),
            reconstructions=_reconstructions(
                results, dataset.array("x_test"), dataset.array("y_test")
            ),
            error=_error_figure(comparison),
            time=_time_figure(comparison),
            floor=Number(floor, ".4f", "mean binary entropy of the test images' pixels, in nats"),
            threads=Number(any_result.scalars["threads"], "d", "threads of each training"),
        )


def _comparison(results: Mapping[int, TrialResult], projection: Mapping[int, float]) -> Table:
    rows: list[dict[str, Scalar]] = [
        {
            "latent_dim": dim,
            "parameters": result.scalars["parameters"],
            "test_bce": float(result.arrays["test_bce"].mean(dtype=np.float64)),
            "test_mse": float(result.arrays["test_mse"].mean(dtype=np.float64)),
            "pca_mse": projection[dim],
            "dead_units": result.scalars["dead_units"],
            "seconds_per_epoch": seconds_per_epoch(result, "wall"),
            "cpu_seconds_per_epoch": seconds_per_epoch(result, "cpu"),
        }
        for dim, result in results.items()
    ]
    columns = (
        Column("latent_dim", "Latent dimension", "units of the bottleneck", format="d"),
        Column("parameters", "Parameters", "trained weights and biases", format=",d"),
        Column(
            "test_bce",
            "Test BCE",
            "binary cross-entropy, mean over the pixels of all test images",
            "nats",
            ".4f",
        ),
        Column(
            "test_mse",
            "Test MSE",
            "squared error of pixels in [0, 1], mean over the pixels of all test images",
            format=".5f",
        ),
        Column(
            "pca_mse",
            "PCA's MSE",
            "test MSE of as many principal components of the training images, clipped to [0, 1]",
            format=".5f",
        ),
        Column(
            "dead_units", "Dead units", "bottleneck units above zero for no test image", format="d"
        ),
        Column("seconds_per_epoch", "Time per epoch", "wall time, median epoch", "s", ".2f"),
        Column(
            "cpu_seconds_per_epoch",
            "Processor time per epoch",
            "time of all threads of the training's process, median epoch",
            "s",
            ".2f",
        ),
    )
    caption = "Autoencoders by latent dimension: error on the test images, size, time of training."
    return Table("latent_comparison", caption, columns, tuple(rows), key=True)


def _convergence(results: Mapping[int, TrialResult]) -> Table:
    rows: list[dict[str, Scalar]] = [
        {
            "latent_dim": dim,
            "loss": result.history["loss"][-1],
            "val_loss": result.history["val_loss"][-1],
            "best_epoch": best_epoch(result),
            "epochs": len(result.history["val_loss"]),
        }
        for dim, result in results.items()
    ]
    columns = (
        Column("latent_dim", "Latent dimension", "units of the bottleneck", format="d"),
        Column("loss", "Training loss", "after the last epoch", "nats", ".4f"),
        Column("val_loss", "Validation loss", "after the last epoch", "nats", ".4f"),
        Column("best_epoch", "Best epoch", "epoch of the lowest validation loss", format="d"),
        Column("epochs", "Epochs", "epochs trained", format="d"),
    )
    caption = "How the trainings ended: binary cross-entropy after the last epoch."
    return Table("convergence", caption, columns, tuple(rows))


def _loss_figure(results: Mapping[int, TrialResult]) -> Figure:
    panels = tuple(loss_panel(f"latent {dim}", r.history) for dim, r in results.items())
    return Figure(
        "loss",
        "Loss after each epoch, by latent dimension, each panel with a scale of its own. Where the "
        "curves run together, the model does as well on images that it was not fitted to.",
        "Curves of training and validation loss over the epochs, a panel for each of the latent "
        f"dimensions {joined([str(dim) for dim in results])}.",
        Lines("epoch", "binary cross-entropy", panels, share_y=False),
    )


def _reconstructions(results: Mapping[int, TrialResult], images: Array, labels: Array) -> Figure:
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


def _error_figure(comparison: Table) -> Figure:
    dims = tuple(float(str(row["latent_dim"])) for row in comparison.rows)
    series = (
        Series("autoencoder", dims, _values(comparison, "test_mse"), "marked"),
        Series("PCA, as many components", dims, _values(comparison, "pca_mse"), "dashed"),
    )
    panel = LinePanel(series, x_scale="log2", y_scale="log")
    return Figure(
        "mse_by_latent",
        "Test MSE over the latent dimension, with PCA for comparison; both axes are logarithmic.",
        "Two curves over the latent dimension: the test error of the autoencoders and of PCA.",
        Lines("latent dimension", "test MSE", (panel,)),
    )


def _time_figure(comparison: Table) -> Figure:
    dims = tuple(float(str(row["latent_dim"])) for row in comparison.rows)
    wall, cpu = (_values(comparison, f"{clock}seconds_per_epoch") for clock in ("", "cpu_"))
    series = (Series("wall", dims, wall, "marked"), Series("processor", dims, cpu, "marked"))
    panel = LinePanel(series, x_scale="log2", y_range=(0.0, 1.1 * max(wall + cpu)))
    return Figure(
        "time_by_latent",
        "Time of the median epoch over the latent dimension, by the clock on the wall and by the "
        "processor's.",
        "Two curves over the latent dimension: wall time and processor time of an epoch.",
        Lines("latent dimension", "seconds per epoch", (panel,)),
    )


def _values(table: Table, column: str) -> tuple[float, ...]:
    """A column of numbers."""
    return tuple(float(str(row[column])) for row in table.rows)


# ----------------------------------------------------------------------------------------- prose


def _objective() -> list[Item]:
    return [
        prose(
            "An autoencoder is a network that has to give back its own input after it has passed "
            "through a bottleneck. What the bottleneck can't hold is lost, so its width, the "
            "latent dimension, decides how good reconstructions can be. This chapter measures how "
            "reconstruction error, number of parameters and time of training depend on it."
        )
    ]


def _method(exhibits: Exhibits) -> list[Item]:
    dims = joined([str(dim) for dim in exhibits.dims])
    return [
        prose(
            "The model is `Input(784) → Dense(latent_dim, relu) → Dense(784, sigmoid)`: the "
            "encoder turns an image into as many numbers as the latent dimension, none of them "
            "negative, and the decoder turns these into an image. It was trained once for each of "
            f"the latent dimensions {dims}. {{table}} counts the parameters.",
            table=ref(exhibits.architecture),
        ),
        exhibits.architecture,
        about_training(),
        prose(
            "Two errors are measured on the test images: the binary cross-entropy (BCE), which is "
            "also the loss, and the mean squared error (MSE) of the pixels. For grey pixels the "
            "BCE does not go down to zero: a perfect reconstruction of the test images would have "
            "{floor}. As a yardstick, principal component analysis (PCA) with as many components "
            "as the latent dimension was fitted to all training images; no other linear bottleneck "
            "has a smaller squared error on these.",
            floor=exhibits.floor,
        ),
        prose(
            "So that times can be compared, all models were trained by the same code, compiled "
            "with XLA, on {threads} processor thread each. The time of an epoch is the median, "
            "since the first epoch also compiles. Wall time is what one waits; processor time does "
            "not count what other programs took meanwhile.",
            threads=exhibits.threads,
        ),
    ]


def _hyperparameters(exhibits: Exhibits) -> list[Item]:
    text = "{table} lists every setting. All latent dimensions were trained with the same values."
    return [prose(text, table=ref(exhibits.settings)), exhibits.settings]


def _results(exhibits: Exhibits) -> list[Item]:
    return [
        prose(
            "{table} compares the latent dimensions on the test images.",
            table=ref(exhibits.comparison),
        ),
        exhibits.comparison,
        prose(
            "{loss} shows the loss on training and validation images after each epoch, {table} "
            "how it ended.",
            loss=ref(exhibits.loss),
            table=ref(exhibits.convergence),
        ),
        exhibits.loss,
        exhibits.convergence,
        prose(
            "{figure} shows the same ten digits as each autoencoder gives them back.",
            figure=ref(exhibits.reconstructions),
        ),
        exhibits.reconstructions,
        prose(
            "{error} draws the test MSE and {time} the time of training over the latent dimension.",
            error=ref(exhibits.error),
            time=ref(exhibits.time),
        ),
        exhibits.error,
        exhibits.time,
    ]


def _discussion(evidence: Evidence[AutoencoderSettings], exhibits: Exhibits) -> list[Item]:
    paragraphs: list[Item] = [
        _about_error(exhibits),
        *_about_steps(exhibits),
        _about_projection(exhibits),
        _about_convergence(exhibits),
        _about_dead_units(exhibits),
        _about_time(exhibits),
        *_about_processor_time(exhibits),
        single_seed(Number(evidence.seed, "d", "seed of all trainings")),
    ]
    if evidence.preset == "quick":
        paragraphs.append(about_quick(evidence.settings.epochs, exhibits.data))
    return paragraphs


def _findings(exhibits: Exhibits) -> list[Finding]:
    return [
        Finding("error", _about_error(exhibits)),
        Finding("projection", _about_projection(exhibits)),
        Finding("time", _about_time(exhibits)),
    ]


def _ends(exhibits: Exhibits, column: str) -> dict[str, Value]:
    """The values of a column at the smallest and the largest latent dimension, and these."""
    low, high = exhibits.dims[0], exhibits.dims[-1]
    table = exhibits.comparison
    return {
        "low": table.cell(column, latent_dim=low),
        "high": table.cell(column, latent_dim=high),
        "low_dim": table.cell("latent_dim", latent_dim=low),
        "high_dim": table.cell("latent_dim", latent_dim=high),
    }


def _in_order(exhibits: Exhibits, column: str) -> tuple[str, dict[str, Value]]:
    """A column and the latent dimensions as they would stand in a sentence."""
    cells = exhibits.comparison.cell
    values, places = listing("value", [cells(column, latent_dim=d) for d in exhibits.dims])
    dims, dim_places = listing("dim", [cells("latent_dim", latent_dim=d) for d in exhibits.dims])
    return f"{values} at {dims}", places | dim_places


def _about_error(exhibits: Exhibits) -> Prose:
    if len(exhibits.dims) == 1:
        text, values = _in_order(exhibits, "test_mse")
        return prose(f"Test MSE is {text} latent dimensions, the only ones trained.", **values)
    direction = course(_values(exhibits.comparison, "test_mse"))
    if direction == "varies":
        text, values = _in_order(exhibits, "test_mse")
        return prose(
            "Test MSE does not fall at every step to a larger latent dimension: it is "
            f"{text} latent dimensions.",
            **values,
        )
    return prose(
        f"Test MSE {direction} at every step to a larger latent dimension, from {{low}} at "
        "{low_dim} to {high} at {high_dim}.",
        **_ends(exhibits, "test_mse"),
    )


def _about_steps(exhibits: Exhibits) -> list[Prose]:
    """By how much each step changes the error; nothing to say with fewer than two steps."""
    errors = _values(exhibits.comparison, "test_mse")
    if len(errors) < 3:
        return []
    changes = [
        Number(after / before - 1, "+.0%", f"test_mse at {large} / test_mse at {small} − 1")
        for (small, before), (large, after) in pairwise(zip(exhibits.dims, errors, strict=True))
    ]
    text, values = listing("change", changes)
    return [
        prose(
            f"Step by step, test MSE changes by {text}; {{figure}} shows how much of that can be "
            "seen.",
            figure=ref(exhibits.reconstructions),
            **values,
        )
    ]


def _about_projection(exhibits: Exhibits) -> Prose:
    table = exhibits.comparison
    pairs = zip(_values(table, "test_mse"), _values(table, "pca_mse"), strict=True)
    better = [d for d, (own, pca) in zip(exhibits.dims, pairs, strict=True) if own < pca]
    if len(better) == len(exhibits.dims):
        text = "The autoencoder's test MSE is below that of PCA at every latent dimension: "
    elif not better:
        text = "The autoencoder's test MSE is at no latent dimension below that of PCA: "
    else:
        names = joined([str(dim) for dim in better])
        text = f"The autoencoder's test MSE is below that of PCA at {names}, but not elsewhere: "
    dims = exhibits.dims
    compared = [dims[0]] if len(dims) == 1 else [dims[0], dims[-1]]
    parts, values = [], {}
    for i, dim in enumerate(compared):
        parts.append(f"{{own{i}}} against {{pca{i}}} at {{dim{i}}}")
        values[f"own{i}"] = table.cell("test_mse", latent_dim=dim)
        values[f"pca{i}"] = table.cell("pca_mse", latent_dim=dim)
        values[f"dim{i}"] = table.cell("latent_dim", latent_dim=dim)
    return prose(f"{text}{joined(parts)}.", **values)


def _about_convergence(exhibits: Exhibits) -> Prose:
    table = exhibits.convergence
    early = [row["latent_dim"] for row in table.rows if row["best_epoch"] != row["epochs"]]
    if not early:
        text = (
            "Validation loss is lowest after the last epoch for every model: none has begun to "
            "overfit."
        )
        values: dict[str, Value] = {}
    else:
        epochs, values = listing("epoch", [table.cell("best_epoch", latent_dim=d) for d in early])
        names = joined([str(dim) for dim in early])
        text = (
            f"Validation loss was lowest before the last epoch at {names}: in epoch {epochs}. "
            "The weights of the last epoch were tested all the same."
        )
    gap = max(table.rows, key=lambda row: float(str(row["val_loss"])) / float(str(row["loss"])))
    return prose(
        text + " At the end, validation and training loss are {gap_val} and {gap_loss} at "
        "{gap_dim}, where validation is relatively worst.",
        gap_dim=table.cell("latent_dim", latent_dim=gap["latent_dim"]),
        gap_val=table.cell("val_loss", latent_dim=gap["latent_dim"]),
        gap_loss=table.cell("loss", latent_dim=gap["latent_dim"]),
        **values,
    )


def _about_dead_units(exhibits: Exhibits) -> Prose:
    table = exhibits.comparison
    affected = [row["latent_dim"] for row in table.rows if row["dead_units"]]
    if not affected:
        return prose(
            "No unit of any bottleneck is dead: each is above zero for at least one test image, "
            "so every model uses all of its latent dimensions."
        )
    counts, places = listing("dead", [table.cell("dead_units", latent_dim=d) for d in affected])
    names = joined([str(dim) for dim in affected])
    return prose(
        f"Some units of the bottleneck are dead, that is, above zero for no test image: {counts} "
        f"at {names}. Such models use fewer latent dimensions than they have.",
        **places,
    )


def _about_time(exhibits: Exhibits) -> Prose:
    if len(exhibits.dims) == 1:
        text, values = _in_order(exhibits, "seconds_per_epoch")
        return prose(f"An epoch takes a time of {text} latent dimensions, in seconds.", **values)
    direction = course(_values(exhibits.comparison, "seconds_per_epoch"))
    if direction == "varies":
        text, values = _in_order(exhibits, "seconds_per_epoch")
        return prose(
            "The time of an epoch does not rise at every step to a larger latent dimension: in "
            f"seconds, it is {text} latent dimensions.",
            **values,
        )
    return prose(
        f"The time of an epoch {direction} at every step to a larger latent dimension, from "
        "{low} s at {low_dim} to {high} s at {high_dim}.",
        **_ends(exhibits, "seconds_per_epoch"),
    )


def _about_processor_time(exhibits: Exhibits) -> list[Prose]:
    """What the other clock says; nothing to say with one latent dimension."""
    if len(exhibits.dims) == 1:
        return []
    wall, processor = (
        course(_values(exhibits.comparison, f"{clock}seconds_per_epoch")) for clock in ("", "cpu_")
    )
    if processor == "varies":
        verdict = "does not rise at every step" + (" either" if wall == "varies" else "")
    else:
        verdict = f"{processor} at every step" + (" as well" if wall == processor else "")
    text, values = _in_order(exhibits, "cpu_seconds_per_epoch")
    parameters = _growth(exhibits, "parameters")
    seconds = _growth(exhibits, "cpu_seconds_per_epoch")
    reason = ""
    if 1 < seconds.value < parameters.value:
        reason = (
            ", since part of the work, such as the loss of every pixel, is the same for every "
            "bottleneck"
        )
    return [
        prose(
            f"Processor time {verdict}: in seconds, it is {text} latent dimensions. "
            "{parameters} times the parameters take {seconds} times the processor "
            f"time{reason}.",
            parameters=parameters,
            seconds=seconds,
            **values,
        )
    ]


def _growth(exhibits: Exhibits, column: str) -> Number:
    """How many times larger a value is at the largest latent dimension than at the smallest."""
    values = _values(exhibits.comparison, column)
    origin = f"{column} at {exhibits.dims[-1]} / {column} at {exhibits.dims[0]}"
    return Number(values[-1] / values[0], ".1f", origin)
