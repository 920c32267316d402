"""Q2: the denoising autoencoder against the basic one; its settings, trials and chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from experiments.autoencoder import basic_trial
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
from experiments.dense_model import DenseModel, scaled, squared_error, test_noise, with_noise
from experiments.wording import hyperparameters, joined, loss_panel, single_seed
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
    Marker,
    Number,
    Prose,
    Scalar,
    Section,
    Series,
    Table,
    prose,
    ref,
    section_with,
)

Item = Prose | Table | Figure

NOISY, BASIC, DENOISING = "noisy input", "basic autoencoder", "denoising autoencoder"
"""The compared methods; the first leaves the image as it is."""

CHUNK = 500
"""Images that are judged at a time; so many fit into a processor's cache."""


@dataclass(frozen=True)
class DenoisingSettings(DenseSettings):
    """Settings of the denoising autoencoder.

    Noise, latent dimension and levels are those of the assignment. The basic autoencoder, to
    which it is compared, is trained by the settings of the experiment ``autoencoder``. Under noise
    that is new in every epoch, more epochs than there still lower the validation loss.
    """

    epochs: int = setting(40, "passes over the training images", minimum=1, maximum=1000, quick=3)

    noise_sd: float = setting(
        0.5, "standard deviation of the noise on the images", above=0, maximum=10
    )
    latent_dim: int = setting(32, "latent dimension of both models", minimum=1, maximum=784)
    noise_levels: tuple[float, ...] = setting(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        "standard deviations at which the trained models are compared",
        above=0,
        maximum=10,
    )

    def __post_init__(self) -> None:
        """Check that there are levels to compare at."""
        if not self.noise_levels or len(set(self.noise_levels)) < len(self.noise_levels):
            raise ValueError("noise_levels needs at least one level, and each once.")


class DenoisingExperiment(Experiment[DenoisingSettings]):
    """Noise taken from MNIST digits by an autoencoder that was trained to do so."""

    name: ClassVar[str] = "denoising"
    title: ClassVar[str] = "Denoising autoencoder"
    question: ClassVar[str] = "Q2"
    summary: ClassVar[str] = "compares a denoising autoencoder with the basic one on noisy digits"
    order: ClassVar[int] = 2
    settings = DenoisingSettings
    source: DataSource = MnistSource()
    reads: ClassVar[tuple[str, ...]] = ("autoencoder",)

    def trials(
        self, settings: DenoisingSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """The basic autoencoder, the same training as in Q1, and the denoising one."""
        basic = basic_trial(others["autoencoder"], settings.latent_dim, seed)
        own = dense_trial(self.name, settings, settings.latent_dim, settings.noise_sd, seed)
        return [basic, own]

    def section(self, evidence: Evidence[DenoisingSettings]) -> Section:
        """The chapter: what was asked, done, found, and what follows from it."""
        exhibits = Exhibits.of(evidence)
        return section_with(
            self.name,
            self.title,
            self.question,
            evidence.dataset.summary,
            [
                ("Objective", _objective()),
                ("Data", _data(exhibits)),
                ("Method", _method(exhibits)),
                ("Hyperparameters", _hyperparameters(exhibits)),
                ("Results", _results(exhibits)),
                ("Discussion", _discussion(evidence, exhibits)),
            ],
            _findings(exhibits),
        )


# -------------------------------------------------------------------------------------- exhibits

Errors = Mapping[float, Mapping[str, Array]]
"""The squared error of every test image, float32 (images,), by noise level and method."""


@dataclass(frozen=True)
class Exhibits:
    """The chapter's tables and figures, and the numbers that stand in none."""

    data: Table
    architecture: Table
    settings: Table
    trainings: Table
    comparison: Table
    levels: Table
    loss: Figure
    grid: Figure
    sweep: Figure
    noise: Number
    trained_noise: float
    closer: Number

    @classmethod
    def of(cls, evidence: Evidence[DenoisingSettings]) -> Exhibits:
        """Derive everything from the trials' results and the images."""
        results = _by_method(evidence.trials)
        settings, dataset = evidence.settings, evidence.dataset
        images = dataset.array("x_test")
        models = {name: DenseModel.of(result.arrays) for name, result in results.items()}
        levels = sorted(settings.noise_levels)
        errors = errors_by_level(models, images, sorted({0.0, settings.noise_sd, *levels}))
        at_training = errors[settings.noise_sd]
        sweep = _levels_table(errors, levels)
        return cls(
            data=data_table(dataset, results[DENOISING]),
            architecture=architecture_table({settings.latent_dim: results[DENOISING]}),
            settings=hyperparameters(settings, "The settings of this experiment, all of them."),
            trainings=_trainings_table(results),
            comparison=_comparison_table(at_training, errors[0.0]),
            levels=sweep,
            loss=_loss_figure(results),
            grid=_grid(models, images, dataset.array("y_test"), settings.noise_sd),
            sweep=_sweep_figure(sweep, settings.noise_sd),
            noise=Number(settings.noise_sd, "g", "setting noise_sd"),
            trained_noise=settings.noise_sd,
            closer=Number(
                float((at_training[DENOISING] < at_training[BASIC]).mean()),
                ".1%",
                "test images on which the denoising autoencoder has the smaller squared error",
            ),
        )


def _by_method(trials: Mapping[Trial, TrialResult]) -> dict[str, TrialResult]:
    """The two results, the basic autoencoder first."""
    ordered = sorted(trials.items(), key=lambda item: float(item[0].params["noise_sd"]))
    return dict(zip((BASIC, DENOISING), (result for _, result in ordered), strict=True))


def errors_by_level(
    models: Mapping[str, DenseModel], pixels: Array, levels: Sequence[float]
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
        for level in levels:
            noisy = with_noise(clean, noise, level)
            errors[level][NOISY][here] = squared_error(noisy, clean)
            for method, model in models.items():
                errors[level][method][here] = squared_error(model.reconstruct(noisy), clean)
    return errors


def _mean(errors: Array) -> float:
    return float(errors.mean(dtype=np.float64))


def _comparison_table(noisy: Mapping[str, Array], clean: Mapping[str, Array]) -> Table:
    """The contract table; ``noisy`` and ``clean`` are the errors with and without noise."""
    before = _mean(noisy[NOISY])
    rows: list[dict[str, Scalar]] = [
        {
            "method": method,
            "test_mse": _mean(noisy[method]),
            "removed": None if method == NOISY else 1 - _mean(noisy[method]) / before,
            "clean_mse": None if method == NOISY else _mean(clean[method]),
        }
        for method in (NOISY, BASIC, DENOISING)
    ]
    columns = (
        Column("method", "Method"),
        Column(
            "test_mse",
            "Test MSE",
            "squared error against the clean image, mean over the pixels of all test images",
            format=".5f",
        ),
        Column(
            "removed",
            "Error removed",
            "how much less that is than for the noisy input, as a share of the latter",
            format=".1%",
        ),
        Column("clean_mse", "MSE without noise", "the same for images without noise", "", ".5f"),
    )
    caption = "Mean squared error on the noisy test images, the same ones for every method."
    return Table("denoising_mse", caption, columns, tuple(rows), key=True)


def _trainings_table(results: Mapping[str, TrialResult]) -> Table:
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
        for method, result in results.items()
    ]
    columns = (
        Column("method", "Model"),
        Column("loss", "Training loss", "after the last epoch", "nats", ".4f"),
        Column("val_loss", "Validation loss", "after the last epoch", "nats", ".4f"),
        Column("best_epoch", "Best epoch", "epoch of the lowest validation loss", format="d"),
        Column("epochs", "Epochs", "epochs trained", format="d"),
        Column(
            "dead_units",
            "Dead units",
            "bottleneck units above zero for no test image of the model's own kind",
            format="d",
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
    caption = "How the two trainings ended, each judged by its own task."
    return Table("trainings", caption, columns, tuple(rows))


def _levels_table(errors: Errors, levels: Sequence[float]) -> Table:
    rows: list[dict[str, Scalar]] = [
        {
            "noise_sd": level,
            "noisy_mse": _mean(errors[level][NOISY]),
            "basic_mse": _mean(errors[level][BASIC]),
            "denoising_mse": _mean(errors[level][DENOISING]),
        }
        for level in levels
    ]
    columns = (
        Column("noise_sd", "Noise", "standard deviation, pixels in [0, 1]", format="g"),
        Column("noisy_mse", "Noisy input", "test MSE of the noisy images", format=".5f"),
        Column("basic_mse", "Basic autoencoder", "test MSE of its output", format=".5f"),
        Column("denoising_mse", "Denoising autoencoder", "test MSE of its output", format=".5f"),
    )
    caption = "Test MSE by noise level, with the models as they were trained."
    return Table("noise_levels", caption, columns, tuple(rows))


def _loss_figure(results: Mapping[str, TrialResult]) -> Figure:
    panels = tuple(loss_panel(method, result.history) for method, result in results.items())
    return Figure(
        "loss",
        "Loss after each epoch. The panels have scales of their own, since the tasks differ: one "
        "model sees clean images, the other noisy ones.",
        "Curves of training and validation loss over the epochs, a panel for each model.",
        Lines("epoch", "binary cross-entropy", panels, share_y=False),
    )


def _grid(
    models: Mapping[str, DenseModel], images: Array, labels: Array, noise_sd: float
) -> Figure:
    chosen = first_of_each_class(labels)
    clean = scaled(images[chosen])
    noise = test_noise().standard_normal((max(chosen) + 1, clean.shape[1]), np.float32)
    noisy = with_noise(clean, noise[chosen], noise_sd)
    rows = {NOISY: noisy}
    rows |= {name: model.reconstruct(noisy) for name, model in models.items()}
    rows["ground truth"] = clean
    return image_grid(
        "denoised",
        "The first test image of every digit with noise, what each autoencoder makes of it, and "
        "the image without noise.",
        "Four rows of handwritten digits: with noise, restored by the basic and by the denoising "
        "autoencoder, and clean.",
        rows,
        [int(digit) for digit in labels[chosen]],
    )


def _sweep_figure(levels: Table, trained_noise: float) -> Figure:
    def values(column: str) -> tuple[float, ...]:
        return tuple(float(str(row[column])) for row in levels.rows)

    series = (
        Series(NOISY, values("noise_sd"), values("noisy_mse"), "dashed"),
        Series(BASIC, values("noise_sd"), values("basic_mse"), "marked"),
        Series(DENOISING, values("noise_sd"), values("denoising_mse"), "marked"),
    )
    trained = Marker(trained_noise, 0, "noise in training")
    return Figure(
        "mse_by_noise",
        "Test MSE over the standard deviation of the noise. The rule marks the noise with which "
        "the denoising autoencoder was trained.",
        "Three curves over the noise level: noisy input, basic and denoising autoencoder.",
        Lines(
            "standard deviation of the noise", "test MSE", (LinePanel(series, vertical=(trained,)),)
        ),
    )


# ----------------------------------------------------------------------------------------- prose


def _objective() -> list[Item]:
    return [
        prose(
            "A denoising autoencoder sees a noisy image and has to give back the clean one, so "
            "that it must learn what digits look like rather than copy its input (Vincent et al. "
            "2008). This chapter trains one and compares it, on the same noisy images, with the "
            "basic autoencoder of the same latent dimension, which has never seen noise."
        )
    ]


def _data(exhibits: Exhibits) -> list[Item]:
    return [
        about_data(exhibits.data),
        exhibits.data,
        prose(
            "Noise is drawn from a normal distribution with mean zero and standard deviation "
            "{noise}, independently for every pixel; it is added to the pixels in [0, 1], and the "
            "sum is clipped to [0, 1]. Training images get new noise in every epoch. The noise of "
            "the test images is the same for all models and in all reports; for other levels it "
            "is scaled.",
            noise=exhibits.noise,
        ),
    ]


def _method(exhibits: Exhibits) -> list[Item]:
    return [
        prose(
            "Both models are `Input(784) → Dense(latent_dim, relu) → Dense(784, sigmoid)`, with "
            "the layers of {table}. The basic autoencoder is the one of the chapter on it, the "
            "same training and not a second one. The denoising autoencoder is trained in the same "
            "way, but from noisy input to clean image.",
            table=ref(exhibits.architecture),
        ),
        exhibits.architecture,
        about_training(),
        prose(
            "Models are compared by the mean squared error (MSE) between their output and the "
            "clean image, over all pixels of all test images. The noisy image itself, left as it "
            "is, is the yardstick: a method that has a larger error makes things worse."
        ),
    ]


def _hyperparameters(exhibits: Exhibits) -> list[Item]:
    text = (
        "{table} lists every setting of the denoising autoencoder. Those of the basic one stand "
        "in its own chapter."
    )
    return [prose(text, table=ref(exhibits.settings)), exhibits.settings]


def _results(exhibits: Exhibits) -> list[Item]:
    return [
        prose(
            "{table} compares the methods at the noise of the training, {noise}.",
            table=ref(exhibits.comparison),
            noise=exhibits.noise,
        ),
        exhibits.comparison,
        prose(
            "{figure} shows what that looks like for one digit of every class.",
            figure=ref(exhibits.grid),
        ),
        exhibits.grid,
        prose(
            "{figure} shows the loss of both models after each epoch, {table} how it ended.",
            figure=ref(exhibits.loss),
            table=ref(exhibits.trainings),
        ),
        exhibits.loss,
        exhibits.trainings,
        prose(
            "{figure} and {table} give the error at weaker and stronger noise. The models stay as "
            "they are: the denoising one has seen no other noise than that of its training.",
            figure=ref(exhibits.sweep),
            table=ref(exhibits.levels),
        ),
        exhibits.sweep,
        exhibits.levels,
    ]


def _discussion(evidence: Evidence[DenoisingSettings], exhibits: Exhibits) -> list[Item]:
    paragraphs: list[Item] = [
        _about_methods(exhibits),
        _about_images(exhibits),
        _about_levels(exhibits),
        _about_clean_images(exhibits),
        _about_dead_units(exhibits),
        single_seed(Number(evidence.seed, "d", "seed of both trainings")),
    ]
    if evidence.preset == "quick":
        paragraphs.append(about_quick(evidence.settings.epochs, exhibits.data))
    return paragraphs


def _findings(exhibits: Exhibits) -> list[Finding]:
    return [
        Finding("methods", _about_methods(exhibits)),
        Finding("levels", _about_levels(exhibits)),
    ]


def _value(table: Table, column: str, **where: Scalar) -> float:
    """A number in a table."""
    return float(str(table.rows[table.index(**where)][column]))


def _about_methods(exhibits: Exhibits) -> Prose:
    table = exhibits.comparison
    best = min((NOISY, BASIC, DENOISING), key=lambda m: _value(table, "test_mse", method=m))
    endings = {
        NOISY: "neither autoencoder improves on the noisy input",
        BASIC: "the basic one restores the digits best, although it has never seen noise",
        DENOISING: "the denoising one restores the digits best",
    }
    return prose(
        "With noise of standard deviation {noise}, test MSE is {noisy} for the noisy input, "
        "{basic} for the basic autoencoder and {denoising} for the denoising autoencoder: "
        f"{endings[best]}.",
        noise=exhibits.noise,
        noisy=table.cell("test_mse", method=NOISY),
        basic=table.cell("test_mse", method=BASIC),
        denoising=table.cell("test_mse", method=DENOISING),
    )


def _about_images(exhibits: Exhibits) -> Prose:
    """Image by image, and what a model does that was not trained for it."""
    removed = _value(exhibits.comparison, "removed", method=BASIC)
    origin = "test_mse of the basic autoencoder / test_mse of the noisy input − 1"
    change = Number(abs(removed), ".1%", origin)
    if removed > 0:
        text = "The basic autoencoder, though not trained for it, removes {change} of the error."
    else:
        text = (
            "The basic autoencoder does harm: its error is {change} larger than that of the noisy "
            "input, with which it was never trained to deal."
        )
    return prose(
        "Image by image, the denoising autoencoder comes closer to the clean image than the basic "
        f"one on {{closer}} of the test images. {text}",
        closer=exhibits.closer,
        change=change,
    )


def _about_levels(exhibits: Exhibits) -> Prose:
    rows = exhibits.levels.rows
    return prose(
        "Of the noise levels from {low} to {high}, the denoising autoencoder has a smaller error "
        f"than the basic one {_where_better(exhibits.levels, 'basic_mse')}, and than the noisy "
        f"input itself {_where_better(exhibits.levels, 'noisy_mse')}.",
        low=exhibits.levels.cell("noise_sd", noise_sd=rows[0]["noise_sd"]),
        high=exhibits.levels.cell("noise_sd", noise_sd=rows[-1]["noise_sd"]),
    )


def _where_better(levels: Table, other: str) -> str:
    """At which noise levels the denoising autoencoder's error is below that in a column."""
    all_levels = [f"{row['noise_sd']:g}" for row in levels.rows]
    better = [
        f"{row['noise_sd']:g}"
        for row in levels.rows
        if float(str(row["denoising_mse"])) < float(str(row[other]))
    ]
    if len(better) == len(all_levels):
        return "at every one"
    if not better:
        return "at none"
    if len(better) > 1 and better == all_levels[-len(better) :]:
        return f"from {better[0]} on"
    return f"at {joined(better)} only"


def _about_clean_images(exhibits: Exhibits) -> Prose:
    table = exhibits.comparison
    basic, denoising = (_value(table, "clean_mse", method=m) for m in (BASIC, DENOISING))
    if denoising > basic:
        text = (
            "Denoising has a price: of images without noise the denoising autoencoder makes an "
            "MSE of {denoising}, the basic one {basic}."
        )
    else:
        text = (
            "Even of images without noise the denoising autoencoder makes no larger MSE, "
            "{denoising}, than the basic one, {basic}."
        )
    return prose(
        text,
        denoising=table.cell("clean_mse", method=DENOISING),
        basic=table.cell("clean_mse", method=BASIC),
    )


def _about_dead_units(exhibits: Exhibits) -> Prose:
    table = exhibits.trainings
    cells = {
        "basic": table.cell("dead_units", method=BASIC),
        "denoising": table.cell("dead_units", method=DENOISING),
    }
    if not any(row["dead_units"] for row in table.rows):
        return prose("Neither model has a dead unit: both use their whole bottleneck.")
    return prose(
        "Some units of the bottlenecks are dead, that is, above zero for no test image: {basic} "
        "in the basic autoencoder and {denoising} in the denoising one.",
        **cells,
    )
