"""The chapter on the denoising autoencoder, from made-up results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.autoencoder import AutoencoderExperiment, AutoencoderSettings, basic_trial
from experiments.denoising import (
    BASIC,
    DENOISING,
    NOISY,
    DenoisingExperiment,
    DenoisingSettings,
    errors_by_level,
)
from experiments.dense_model import DenseModel, scaled
from reportgen.experiment import DataOptions, Dataset, Evidence, TrialResult
from reportgen.results import Cell, DataSummary, Images, Number, Section

REAL = pytest.mark.skipif(
    "REPORTGEN_TEST_DATA" not in os.environ, reason="REPORTGEN_TEST_DATA names no folder of data"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Generated images, all of them about a quarter as bright as can be."""
    folder = tmp_path_factory.mktemp("images")
    chance = np.random.default_rng(0)
    for part, count in (("train", 50), ("test", 20)):
        np.save(folder / f"x_{part}.npy", chance.integers(54, 74, (count, 784), np.uint8))
        np.save(folder / f"y_{part}.npy", (np.arange(count) % 10).astype(np.uint8))
    return Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)


def result(brightness: float, dead: int = 0) -> TrialResult:
    """A training whose model answers every image with one shade of grey."""
    layers = [
        {"name": "image", "kind": "Input", "units": 784, "activation": None, "parameters": 0},
        {"name": "encoder", "kind": "Dense", "units": 2, "activation": "relu", "parameters": 1570},
        {
            "name": "decoder",
            "kind": "Dense",
            "units": 784,
            "activation": "sigmoid",
            "parameters": 2352,
        },
    ]
    return TrialResult(
        {
            "loss": [0.2, 0.1],
            "val_loss": [0.21, 0.11],
            "wall_seconds": [3.0, 1.0],
            "cpu_seconds": [3.0, 1.0],
        },
        {
            "layers": layers,
            "parameters": 3922,
            "training_images": 40,
            "validation_images": 10,
            "dead_units": dead,
            "threads": 1,
        },
        {
            "encoder_kernel": np.zeros((784, 2), np.float32),
            "encoder_bias": np.zeros(2, np.float32),
            "decoder_kernel": np.zeros((2, 784), np.float32),
            "decoder_bias": np.full(784, np.log(brightness / (1 - brightness)), np.float32),
        },
    )


GOOD, POOR, BAD = (result(brightness) for brightness in (0.25, 0.45, 0.99))


def chapter(
    dataset: Dataset,
    basic: TrialResult,
    denoising: TrialResult,
    levels: Sequence[float] = (0.1, 0.5, 0.8),
) -> Section:
    experiment = DenoisingExperiment()
    settings = DenoisingSettings(noise_levels=tuple(levels))
    trials = experiment.trials(settings, 0, {"autoencoder": AutoencoderSettings()})
    results = dict(zip(trials, (basic, denoising), strict=True))
    return experiment.section(Evidence(settings, "standard", 0, dataset, results))


def words(section: Section) -> str:
    """All prose of a section as one text."""
    text = ""
    for paragraph in section.paragraphs():
        for piece in paragraph.pieces():
            if isinstance(piece, str):
                text += piece
            elif isinstance(piece, Number):
                text += format(piece.value, piece.format)
            elif isinstance(piece, Cell):
                table = section.tables[piece.table]
                value = table.rows[piece.row][piece.column]
                text += format(value, table.column(piece.column).format)
        text += "\n"
    return text


def test_the_basic_autoencoder_is_the_training_of_q1() -> None:
    q1 = AutoencoderSettings()
    trials = DenoisingExperiment().trials(DenoisingSettings(), 3, {"autoencoder": q1})
    assert trials[0] in AutoencoderExperiment().trials(q1, 3, {})
    assert trials[0].params["latent_dim"] == 32
    other = AutoencoderSettings(latent_dims=(8,), epochs=7)
    trials = DenoisingExperiment().trials(DenoisingSettings(), 3, {"autoencoder": other})
    assert trials[0] == basic_trial(other, 32, 3)
    assert trials[0].params["epochs"] == 7


def test_the_denoising_training_is_one_of_its_own() -> None:
    settings = DenoisingSettings(noise_sd=0.3, latent_dim=16)
    _, own = DenoisingExperiment().trials(settings, 0, {"autoencoder": AutoencoderSettings()})
    assert (own.params["noise_sd"], own.params["latent_dim"]) == (0.3, 16)


def test_the_methods_are_compared_on_the_same_noisy_images(dataset: Dataset) -> None:
    table = chapter(dataset, BAD, GOOD).tables["denoising_mse"]
    assert [row["method"] for row in table.rows] == [NOISY, BASIC, DENOISING]
    images = scaled(dataset.array("x_test"))
    noisy, basic, denoising = (float(str(row["test_mse"])) for row in table.rows)
    assert basic == pytest.approx(np.square(images - 0.99).mean(), rel=1e-4)
    assert denoising == pytest.approx(np.square(images - 0.25).mean(), rel=1e-4)
    # Clipping keeps the noise's error below its variance.
    assert 0.05 < noisy < 0.25
    removed = [row["removed"] for row in table.rows]
    assert removed == [None, pytest.approx(1 - basic / noisy), pytest.approx(1 - denoising / noisy)]


def test_noise_grows_with_its_level_and_is_the_same_each_time(dataset: Dataset) -> None:
    pixels = dataset.array("x_test")
    errors = errors_by_level({}, pixels, [0.0, 0.1, 0.2])
    again = errors_by_level({}, pixels, [0.2])
    assert np.array_equal(errors[0.2][NOISY], again[0.2][NOISY])
    assert (errors[0.0][NOISY] == 0).all()
    # A tenth of a quarter's brightness is rarely clipped.
    assert errors[0.1][NOISY].mean() == pytest.approx(0.01, rel=0.05)


def test_the_grid_shows_what_the_numbers_are_about(dataset: Dataset) -> None:
    drawing = chapter(dataset, BAD, GOOD).figures["denoised"].drawing
    assert isinstance(drawing, Images)
    assert drawing.row_labels == (NOISY, BASIC, DENOISING, "ground truth")
    assert drawing.column_labels == tuple("0123456789")
    clean = dataset.array("x_test")[:10].reshape(10, 28, 28)
    assert np.array_equal(drawing.pixels[3], clean)
    shown = scaled(drawing.pixels[0].reshape(10, 784))
    errors = errors_by_level({}, dataset.array("x_test"), [0.5])[0.5][NOISY][:10]
    np.testing.assert_allclose(
        np.square(shown - scaled(clean.reshape(10, 784))).mean(1), errors, rtol=0.01
    )


def test_the_best_method_is_named_by_the_numbers(dataset: Dataset) -> None:
    assert "the denoising one restores the digits best" in words(chapter(dataset, BAD, GOOD))
    assert "the basic one restores the digits best" in words(chapter(dataset, GOOD, BAD))
    assert "neither autoencoder improves" in words(chapter(dataset, BAD, BAD))


def test_harm_is_called_harm(dataset: Dataset) -> None:
    assert "The basic autoencoder does harm" in words(chapter(dataset, BAD, GOOD))
    assert "The basic autoencoder, though not trained" in words(chapter(dataset, GOOD, BAD))


def test_the_levels_at_which_denoising_is_better_are_named(dataset: Dataset) -> None:
    text = words(chapter(dataset, BAD, POOR))
    assert "than the basic one at every one, and than the noisy input itself from 0.5 on" in text
    assert "than the basic one at none" in words(chapter(dataset, GOOD, POOR))


def test_every_level_has_a_row_whatever_the_noise_of_the_training(dataset: Dataset) -> None:
    table = chapter(dataset, BAD, GOOD, levels=(0.7, 0.2)).tables["noise_levels"]
    assert [row["noise_sd"] for row in table.rows] == [0.2, 0.7]


def test_the_price_of_denoising_is_told_if_there_is_one(dataset: Dataset) -> None:
    assert "Denoising has a price" in words(chapter(dataset, GOOD, POOR))
    assert "Denoising has a price" not in words(chapter(dataset, POOR, GOOD))


def test_dead_units_of_either_model_are_told(dataset: Dataset) -> None:
    assert "Neither model has a dead unit" in words(chapter(dataset, BAD, GOOD))
    text = words(chapter(dataset, BAD, result(0.25, dead=2)))
    assert "0 in the basic autoencoder and 2 in the denoising one" in text


@pytest.mark.parametrize("levels", [(), (0.1, 0.1)])
def test_no_noise_level_or_one_twice_is_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="noise_levels"):
        DenoisingSettings(noise_levels=levels)


@REAL
def test_noisy_mnist_digits_have_their_known_error(tmp_path: Path) -> None:
    options = DataOptions("real", Path(os.environ["REPORTGEN_TEST_DATA"]), tmp_path)
    mnist = DenoisingExperiment().source.prepare(options)
    models: dict[str, DenseModel] = {}
    errors = errors_by_level(models, mnist.array("x_test"), [0.5])
    assert errors[0.5][NOISY].mean() == pytest.approx(0.1156, abs=1e-4)
