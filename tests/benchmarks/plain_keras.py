"""The three experiments as a notebook would have them: ``model.fit``, one after the other.

This is what reportgen is compared to. Architectures, epochs and batch sizes are those of the
literature: the autoencoder of "Building Autoencoders in Keras" (Chollet 2016; 50 epochs, batches
of 256), and Embedding → LSTM → Dense on reviews padded to 500 words (5 epochs, batches of 128).
All else is as Keras has it by default. As many examples are set aside for validation as reportgen
does: 5,000 of 60,000 images and 2,500 of 25,000 reviews.

    python tests/benchmarks/plain_keras.py --data-dir FOLDER --out FOLDER [--scale 0.1] [--seed 0]

The data folder holds ``mnist.npz`` and ``imdb.npz`` as Keras distributes them. Into the output
folder go the figures and ``metrics.json``: seconds by stage, and what was measured on the test
data. ``--scale`` makes the epochs and the training and validation examples fewer, so that their
product is that share of the full training (see ``workload.scaled``). The test data stay whole.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)
from workload import scaled

from experiments.data.npz import read_array, read_integer_lists, read_npz

LATENT_DIMS = (16, 32, 64, 128)
DENOISING_DIM = 32
NOISE = 0.5
IMAGE_EPOCHS, IMAGE_BATCH, VALIDATION_IMAGES = 50, 256, 5000

WORDS, LENGTH = 10_000, 500
REVIEW_EPOCHS, REVIEW_BATCH, VALIDATION_REVIEWS = 5, 128, 2500
THRESHOLDS = (0.3, 0.5, 0.7)

seconds: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure what a part of the work takes."""
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began


# ------------------------------------------------------------------------------------------ data


def load_images(folder: Path) -> tuple[Any, Any]:
    """Training and test images, float32 (n, 784) in 0..1."""
    with np.load(folder / "mnist.npz", allow_pickle=False) as arrays:
        return tuple(
            arrays[name].reshape(-1, 784).astype("float32") / 255 for name in ("x_train", "x_test")
        )


def load_reviews(folder: Path) -> tuple[Any, Any, Any, Any]:
    """Padded reviews and labels: training x and y, test x and y.

    The ids are those of ``keras.datasets.imdb.load_data(num_words=10_000)``, in its order: 1
    starts a review, 2 is an unknown word, words count from 4. (Keras itself accepts only its own
    copy of the file. The reader takes the same lists from it, and runs nothing that it holds.)
    """
    readers = {"x_train": read_integer_lists, "y_train": read_array}
    readers |= {"x_test": read_integer_lists, "y_test": read_array}
    arrays = read_npz(folder / "imdb.npz", readers)
    order = np.random.RandomState(113)
    parts = []
    for part in ("train", "test"):
        ranks, offsets = arrays[f"x_{part}"]
        chosen = np.arange(len(offsets) - 1)
        order.shuffle(chosen)
        reviews = [ranks[offsets[i] : offsets[i + 1]].tolist() for i in chosen]
        ids = [[1] + [w + 3 if w + 3 < WORDS else 2 for w in review] for review in reviews]
        parts += [keras.utils.pad_sequences(ids, maxlen=LENGTH), arrays[f"y_{part}"][chosen]]
    return tuple(parts)


def portion(count: int, validation: int, epochs: int, scale: float) -> tuple[int, int, float]:
    """Epochs, examples to use, and the share of them that validates; full at scale 1."""
    epochs, fitted = scaled(epochs, count - validation, scale)
    used = round(count * fitted / (count - validation))
    return epochs, used, validation / count


# ---------------------------------------------------------------------------------- autoencoders


def autoencoder(latent_dim: int) -> keras.Model:
    """Input(784) → Dense(latent, relu) → Dense(784, sigmoid), compiled."""
    image = keras.Input(shape=(784,))
    encoded = layers.Dense(latent_dim, activation="relu")(image)
    decoded = layers.Dense(784, activation="sigmoid")(encoded)
    model = keras.Model(image, decoded)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


def fit_images(model: keras.Model, seen: Any, clean: Any, scale: float) -> dict[str, list[float]]:
    """Train an autoencoder to make the clean images out of the seen ones; the history."""
    epochs, used, share = portion(len(clean), VALIDATION_IMAGES, IMAGE_EPOCHS, scale)
    history = model.fit(
        seen[:used],
        clean[:used],
        epochs=epochs,
        batch_size=IMAGE_BATCH,
        validation_split=share,
        verbose=2,
    )
    return dict(history.history)


def errors(predicted: Any, images: Any) -> dict[str, float]:
    """Binary cross-entropy in nats and squared error, means over all pixels."""
    bce = keras.losses.binary_crossentropy(images, predicted)
    return {
        "test_bce": float(np.mean(bce)),
        "test_mse": float(np.mean((predicted - images) ** 2, dtype="float64")),
    }


def run_autoencoders(
    x_train: Any, x_test: Any, out: Path, scale: float
) -> tuple[dict[int, keras.Model], dict[str, Any]]:
    """Q1: autoencoders of several latent dimensions; the models and their test errors."""
    models, histories, predictions, metrics = {}, {}, {}, {}
    for dim in LATENT_DIMS:
        with stage(f"autoencoder {dim}"):
            models[dim] = autoencoder(dim)
            histories[f"latent {dim}"] = fit_images(models[dim], x_train, x_train, scale)
            predictions[f"latent {dim}"] = models[dim].predict(x_test, verbose=0)
            metrics[str(dim)] = errors(predictions[f"latent {dim}"], x_test)
    with stage("autoencoder figures"):
        plot_histories(histories, out / "autoencoder_loss.png")
        plot_images({"original": x_test} | predictions, out / "autoencoder_images.png")
    return models, metrics


def run_denoising(
    basic: keras.Model, x_train: Any, x_test: Any, out: Path, scale: float
) -> dict[str, Any]:
    """Q2: an autoencoder trained on noisy images against the basic one; test errors by method."""
    with stage("denoising"):
        noisy_train, noisy_test = (
            np.clip(x + NOISE * np.random.normal(size=x.shape), 0, 1).astype("float32")
            for x in (x_train, x_test)
        )
        model = autoencoder(DENOISING_DIM)
        history = fit_images(model, noisy_train, x_train, scale)
        predictions = {
            "noisy input": noisy_test,
            "basic autoencoder": basic.predict(noisy_test, verbose=0),
            "denoising autoencoder": model.predict(noisy_test, verbose=0),
        }
        metrics = {name: errors(images, x_test) for name, images in predictions.items()}
    with stage("denoising figures"):
        plot_histories({"denoising": history}, out / "denoising_loss.png")
        plot_images({"original": x_test} | predictions, out / "denoising_images.png")
    return metrics


# ---------------------------------------------------------------------------------------- reviews


def classifier() -> keras.Model:
    """Embedding → LSTM → Dense(1, sigmoid), compiled."""
    model = keras.Sequential(
        [
            layers.Embedding(WORDS, 128),
            layers.LSTM(64, dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


def run_lstm(data: Path, out: Path, scale: float) -> dict[str, Any]:
    """Q3: the sentiment of reviews; measures on the test reviews by threshold."""
    with stage("reviews"):
        x_train, y_train, x_test, y_test = load_reviews(data)
    with stage("lstm"):
        epochs, used, share = portion(len(x_train), VALIDATION_REVIEWS, REVIEW_EPOCHS, scale)
        model = classifier()
        history = model.fit(
            x_train[:used],
            y_train[:used],
            epochs=epochs,
            batch_size=REVIEW_BATCH,
            validation_split=share,
            verbose=2,
        ).history
    with stage("lstm test"):
        probability = model.predict(x_test, verbose=0)[:, 0]
    measures = {"accuracy": accuracy_score}
    measures |= {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    metrics = {
        str(threshold): {
            name: float(measure(y_test, probability >= threshold))
            for name, measure in measures.items()
        }
        for threshold in THRESHOLDS
    }
    with stage("lstm figures"):
        plot_histories({"LSTM": history}, out / "lstm_loss.png")
        plot_confusion(y_test, probability, out / "lstm_confusion.png")
        plot_thresholds(metrics, out / "lstm_thresholds.png")
    return metrics


# ---------------------------------------------------------------------------------------- figures


def plot_histories(histories: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Loss by epoch, on training and validation data."""
    figure, axes = plt.subplots(1, len(histories), figsize=(4 * len(histories), 3), squeeze=False)
    for axis, (name, history) in zip(axes[0], histories.items(), strict=True):
        for metric in ("loss", "val_loss"):
            axis.plot(range(1, len(history[metric]) + 1), history[metric], label=metric)
        axis.set(title=name, xlabel="epoch", ylabel="binary cross-entropy")
        axis.legend()
    save(figure, path)


def plot_images(rows: dict[str, Any], path: Path) -> None:
    """The first ten test images, one row a method."""
    figure, axes = plt.subplots(len(rows), 10, figsize=(12, 1.3 * len(rows)))
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=False):
            axis.imshow(image.reshape(28, 28), cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
        line[0].set_title(name, loc="left")
    save(figure, path)


def plot_confusion(labels: Any, probability: Any, path: Path) -> None:
    """The confusion matrix at the threshold 0.5."""
    matrix = confusion_matrix(labels, probability >= 0.5)
    display = ConfusionMatrixDisplay(matrix, display_labels=["negative", "positive"])
    save(display.plot().figure_, path)


def plot_thresholds(metrics: dict[str, dict[str, float]], path: Path) -> None:
    """Precision and recall by threshold."""
    figure, axis = plt.subplots()
    for name in ("precision", "recall"):
        axis.plot(THRESHOLDS, [measures[name] for measures in metrics.values()], "o-", label=name)
    axis.set(xlabel="threshold")
    axis.legend()
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure and forget it."""
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)


# ------------------------------------------------------------------------------------------- main


def main() -> None:
    """Run the three experiments and write what they measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the npz files")
    parser.add_argument("--out", type=Path, required=True, help="folder for figures and metrics")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the training to do")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    plt.switch_backend("Agg")
    keras.utils.set_random_seed(given.seed)

    with stage("images"):
        x_train, x_test = load_images(given.data_dir)
    models, basic = run_autoencoders(x_train, x_test, given.out, given.scale)
    denoising = run_denoising(models[DENOISING_DIM], x_train, x_test, given.out, given.scale)
    lstm = run_lstm(given.data_dir, given.out, given.scale)

    metrics = {"autoencoder": basic, "denoising": denoising, "lstm": lstm}
    record = {"scale": given.scale, "seed": given.seed, "seconds": seconds, "test": metrics}
    (given.out / "metrics.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    for name, value in seconds.items():
        print(f"{name}: {value:.1f} s")


if __name__ == "__main__":
    main()
