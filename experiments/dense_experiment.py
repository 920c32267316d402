"""What the two autoencoder experiments share: settings, trials, and pieces of their chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from experiments.data.mnist import SIDE
from reportgen.experiment import Array, Dataset, Trial, TrialResult, setting
from reportgen.results import Column, Figure, Images, Prose, Scalar, Table, prose

TRAINER = "experiments.training.dense:train"


@dataclass(frozen=True)
class DenseSettings:
    """How a dense autoencoder is trained; the same for the basic and the denoising one.

    Batches of 256 are those of Keras' autoencoder tutorial (Chollet 2016, "Building Autoencoders
    in Keras"), which needs 50 epochs at Adam's default rate. With the schedule here, 20 come below
    what those reach on validation images. The learning rate was chosen by validation loss among
    0.002 and 0.005 (tried without centred inputs), 0.01, 0.02 and 0.04 (with those of
    :class:`experiments.training.dense.Reconstructing`). A short warm-up is that of Goyal et al.
    2017 (section 2.2). 5,000 validation images are a usual share of MNIST's 60,000. Weight decay
    of 0.05 was chosen on validation images with noise: it takes a third from the error that noise
    causes, and adds a thousandth to the loss.
    """

    epochs: int = setting(20, "passes over the training images", minimum=1, maximum=1000, quick=3)
    batch_size: int = setting(256, "images in one step of training", minimum=1, maximum=10_000)
    learning_rate: float = setting(
        0.02, "Adam's learning rate at its highest, after the warm-up", above=0, maximum=1
    )
    warm_up: float = setting(
        0.02, "share of all steps in which the learning rate rises", minimum=0, below=1
    )
    weight_decay: float = setting(
        0.05,
        "share of a kernel that a step takes away, times the learning rate",
        minimum=0,
        below=1,
    )
    validation_images: int = setting(
        5000,
        "training images set aside for validation, at most a fifth of all",
        minimum=1,
        maximum=1_000_000,
    )
    training_images: int = setting(
        0, "most images to train on; 0 for all", minimum=0, maximum=1_000_000, quick=6000
    )
    seeds: int = setting(
        0,
        "trainings of each model, with seeds counted up; 0: as build.seeds",
        minimum=0,
        maximum=1000,
    )


def dense_trial(
    experiment: str, settings: DenseSettings, latent_dim: int, noise_sd: float, seed: int
) -> Trial:
    """The training of one autoencoder; noise 0 makes it a basic one."""
    params = {
        "latent_dim": latent_dim,
        "noise_sd": noise_sd,
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "warm_up": settings.warm_up,
        "weight_decay": settings.weight_decay,
        "validation_images": settings.validation_images,
        "training_images": settings.training_images,
    }
    kind = f"denoising autoencoder, noise {noise_sd:g}" if noise_sd else "autoencoder"
    # Seconds of an epoch on all of MNIST, measured on one core: pixels, units and noise cost.
    seconds = 0.2 + 0.006 * latent_dim + (0.1 if noise_sd else 0)
    label = f"{kind}, latent {latent_dim}"
    return Trial(experiment, TRAINER, params, seed, label, seconds * settings.epochs)


def seconds_per_epoch(result: TrialResult, clock: str) -> float:
    """The median epoch in seconds by the ``wall`` or the ``cpu`` clock.

    The median, because the first epoch also compiles, and other programs disturb some.
    """
    return float(median(result.history[f"{clock}_seconds"]))


def best_epoch(result: TrialResult) -> int:
    """The epoch (from 1) with the lowest validation loss."""
    losses = list(result.history["val_loss"])
    return losses.index(min(losses)) + 1


# ---------------------------------------------------------------------------------------- tables


def data_table(dataset: Dataset, result: TrialResult, origin: str = "") -> Table:
    """The table ``data``: how many images are used for what, as a trial, the origin, counted."""
    counts = {
        "training": result.scalars["training_images"],
        "validation": result.scalars["validation_images"],
        "test": len(dataset.array("x_test")),
    }
    uses = {
        "training": "fitting the weights",
        "validation": "the validation loss after each epoch",
        "test": "all other figures, once training is over",
    }
    unused = len(dataset.array("x_train")) - counts["training"] - counts["validation"]
    if unused:
        counts["left out"], uses["left out"] = unused, "nothing in this report"
    rows = tuple({"part": part, "images": counts[part], "use": uses[part]} for part in counts)
    columns = (
        Column("part", "Part"),
        Column("images", "Images", format=",d"),
        Column("use", "Used for"),
    )
    caption = "The images, and what each part of them is used for."
    return Table("data", caption, columns, rows, trials=(origin,) * len(rows))


def architecture_table(results: Mapping[int, TrialResult], origin: str = "") -> Table:
    """The table ``architecture``: the layers, and their parameters at each latent dimension.

    ``origin`` names the trials that the results are of.
    """
    names = {latent_dim: f"parameters_{latent_dim}" for latent_dim in results}
    rows: list[dict[str, Scalar]] = []
    for same in zip(*(result.scalars["layers"] for result in results.values()), strict=True):
        units = list(dict.fromkeys(layer["units"] for layer in same))
        row: dict[str, Scalar] = {
            "layer": same[0]["name"],
            "kind": same[0]["kind"],
            "units": units[0] if len(units) == 1 else "latent dimension",
            "activation": same[0]["activation"],
        }
        counts = [layer["parameters"] for layer in same]
        rows.append(row | dict(zip(names.values(), counts, strict=True)))
    totals = {names[dim]: result.scalars["parameters"] for dim, result in results.items()}
    rows.append({"layer": "total", "kind": None, "units": None, "activation": None} | totals)
    columns = [
        Column("layer", "Layer"),
        Column("kind", "Kind", "class of the layer in Keras"),
        Column("units", "Outputs", "how many values the layer gives for an image"),
        Column("activation", "Activation"),
    ]
    for latent_dim, name in names.items():
        title = f"Parameters at {latent_dim}" if len(names) > 1 else "Parameters"
        columns.append(Column(name, title, format=",d"))
    caption = (
        "The layers as Keras counts them, and how many parameters each has: trained weights and "
        "biases."
    )
    origins = (origin,) * len(rows)
    return Table("architecture", caption, tuple(columns), tuple(rows), trials=origins)


# ----------------------------------------------------------------------------------------- prose


def about_quick(epochs: int, parts: Table) -> Prose:
    """What the preset ``quick`` means for the figures."""
    return prose(
        "These are figures of the quick preset: {images} training images and "
        f"{'one epoch' if epochs == 1 else f'{epochs} epochs'}. They show that everything works, "
        "not how good the models can be.",
        images=parts.cell("images", part="training"),
    )


# --------------------------------------------------------------------------------------- figures


def first_of_each_class(labels: Array) -> list[int]:
    """The index of the first image of every class, in the order of the classes."""
    return [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]


def image_grid(
    id: str, caption: str, alt: str, rows: Mapping[str, Array], digits: Sequence[int] = ()
) -> Figure:
    """A figure with a labelled row of images a method: float32 (images, pixels) in 0..1 each.

    Columns are labelled with digits, or not at all.
    """
    pixels = np.rint(np.stack(list(rows.values())) * 255).astype(np.uint8)
    pixels = pixels.reshape(len(rows), -1, SIDE, SIDE)
    return Figure(id, caption, alt, Images(tuple(rows), tuple(map(str, digits)), pixels))
