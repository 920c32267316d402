"""The chapter on the basic autoencoder, from made-up results."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.autoencoder import AutoencoderExperiment, AutoencoderSettings
from reportgen.experiment import Dataset, Evidence, TrialResult
from reportgen.results import Cell, DataSummary, Images, Number, Prose, Section

DIMS = (4, 8, 16)
FALLING, RISING = (0.03, 0.02, 0.01), (0.1, 0.2, 0.3)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Generated images; the test images' labels count backwards from 9."""
    folder = tmp_path_factory.mktemp("images")
    chance = np.random.default_rng(0)
    for part, count in (("train", 200), ("test", 40)):
        drawn = chance.integers(0, 256, (count, 784)) * (chance.random((count, 784)) < 0.2)
        np.save(folder / f"x_{part}.npy", drawn.astype(np.uint8))
        np.save(folder / f"y_{part}.npy", (9 - np.arange(count) % 10).astype(np.uint8))
    return Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)


def result(
    latent_dim: int, mse: float, seconds: float, dead: int = 0, val_loss: Sequence[float] = ()
) -> TrialResult:
    """What a training might have left: test errors around a mean, epochs around a time."""
    chance = np.random.default_rng(latent_dim)
    spread = np.linspace(-0.001, 0.001, 40, dtype=np.float32)
    parameters = 784 * latent_dim
    layers = [
        {"name": "image", "kind": "Input", "units": 784, "activation": None, "parameters": 0},
        {
            "name": "encoder",
            "kind": "Dense",
            "units": latent_dim,
            "activation": "relu",
            "parameters": parameters + latent_dim,
        },
        {
            "name": "decoder",
            "kind": "Dense",
            "units": 784,
            "activation": "sigmoid",
            "parameters": parameters + 784,
        },
    ]
    return TrialResult(
        {
            "loss": [0.3, 0.2, 0.1],
            "val_loss": list(val_loss or [0.31, 0.21, 0.11]),
            "wall_seconds": [9 * seconds, seconds, seconds],
            "cpu_seconds": [8 * seconds, seconds, seconds],
        },
        {
            "layers": layers,
            "parameters": 2 * parameters + latent_dim + 784,
            "training_images": 160,
            "validation_images": 40,
            "dead_units": dead,
            "threads": 1,
            "xla": True,
        },
        {
            "encoder_kernel": chance.normal(size=(784, latent_dim)).astype(np.float32),
            "encoder_bias": np.zeros(latent_dim, np.float32),
            "decoder_kernel": chance.normal(size=(latent_dim, 784)).astype(np.float32),
            "decoder_bias": np.zeros(784, np.float32),
            "test_bce": 3 * mse + spread,
            "test_mse": mse + spread,
        },
    )


def chapter(dataset: Dataset, results: Mapping[int, TrialResult], preset: str = "") -> Section:
    experiment = AutoencoderExperiment()
    settings = AutoencoderSettings(latent_dims=tuple(results))
    trials = experiment.trials(settings, 0, {})
    evidence = Evidence(
        settings, preset, 0, dataset, {t: results[t.params["latent_dim"]] for t in trials}
    )
    return experiment.section(evidence)


def told(
    dataset: Dataset, mse: Sequence[float] = FALLING, seconds: Sequence[float] = RISING
) -> str:
    """The chapter's prose for these errors and times at DIMS."""
    results = {d: result(d, m, s) for d, m, s in zip(DIMS, mse, seconds, strict=True)}
    return words(chapter(dataset, results))


def words(section: Section) -> str:
    """All prose of a section as one text."""
    return "\n".join(written(paragraph, section) for paragraph in section.paragraphs())


def written(paragraph: Prose, section: Section) -> str:
    text = ""
    for piece in paragraph.pieces():
        if isinstance(piece, str):
            text += piece
        elif isinstance(piece, Number):
            text += format(piece.value, piece.format)
        elif isinstance(piece, Cell):
            table = section.tables[piece.table]
            text += format(table.rows[piece.row][piece.column], table.column(piece.column).format)
    return text


def test_every_latent_dimension_is_one_training() -> None:
    trials = AutoencoderExperiment().trials(AutoencoderSettings(latent_dims=(32, 8)), 5, {})
    assert [trial.params["latent_dim"] for trial in trials] == [8, 32]
    assert all(trial.params["noise_sd"] == 0 and trial.seed == 5 for trial in trials)


@pytest.mark.parametrize("dims", [(), (16, 16)])
def test_no_latent_dimension_or_one_twice_is_refused(dims: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="latent_dims"):
        AutoencoderSettings(latent_dims=dims)


def test_the_comparison_holds_the_means_and_the_median_epoch(dataset: Dataset) -> None:
    section = chapter(dataset, {8: result(8, 0.02, 0.5, dead=3), 4: result(4, 0.03, 0.4)})
    table = section.tables["latent_comparison"]
    assert [row["latent_dim"] for row in table.rows] == [4, 8]
    row = table.rows[1]
    assert row["parameters"] == 2 * 784 * 8 + 8 + 784
    assert row["test_mse"] == pytest.approx(0.02, rel=1e-5)
    assert row["test_bce"] == pytest.approx(0.06, rel=1e-5)
    assert (row["seconds_per_epoch"], row["cpu_seconds_per_epoch"]) == (0.5, 0.5)
    assert row["dead_units"] == 3


def test_all_models_reconstruct_the_same_ten_digits(dataset: Dataset) -> None:
    section = chapter(dataset, {d: result(d, 0.01, 0.1) for d in DIMS})
    drawing = section.figures["reconstructions"].drawing
    assert isinstance(drawing, Images)
    assert drawing.row_labels == ("original", "latent 4", "latent 8", "latent 16")
    assert drawing.column_labels == tuple("0123456789")
    first_of_each = dataset.array("x_test")[9::-1].reshape(10, 28, 28)
    assert np.array_equal(drawing.pixels[0], first_of_each)


def test_the_error_is_said_to_fall_only_where_it_does(dataset: Dataset) -> None:
    assert "Test MSE falls at every step" in told(dataset)
    assert "Test MSE rises at every step" in told(dataset, mse=FALLING[::-1])
    mixed = told(dataset, mse=(0.03, 0.01, 0.02))
    assert "does not fall at every step" in mixed
    assert "0.03000, 0.01000 and 0.02000 at 4, 8 and 16 latent dimensions" in mixed


def test_the_time_is_said_to_rise_only_where_it_does(dataset: Dataset) -> None:
    assert "The time of an epoch rises at every step" in told(dataset)
    mixed = told(dataset, seconds=(0.1, 0.3, 0.2))
    assert "The time of an epoch does not rise at every step" in mixed
    assert "Processor time does not rise at every step either" in mixed


def test_pca_is_beaten_only_where_the_numbers_say_so(dataset: Dataset) -> None:
    assert "below that of PCA at every latent dimension" in told(dataset)
    assert "at no latent dimension below that of PCA" in told(dataset, mse=(0.9, 0.8, 0.7))
    some = told(dataset, mse=(0.9, 0.01, 0.005))
    assert "below that of PCA at 8 and 16, but not elsewhere" in some


def test_dead_units_are_named_where_there_are_any(dataset: Dataset) -> None:
    assert "No unit of any bottleneck is dead" in told(dataset)
    text = words(chapter(dataset, {4: result(4, 0.02, 0.1), 8: result(8, 0.01, 0.2, dead=3)}))
    assert "3 at 8" in text


def test_overfitting_is_told_from_the_epoch_of_the_lowest_validation_loss(
    dataset: Dataset,
) -> None:
    assert "none has begun to overfit" in told(dataset)
    turned = result(8, 0.01, 0.2, val_loss=(0.3, 0.2, 0.25))
    text = words(chapter(dataset, {4: result(4, 0.02, 0.1), 8: turned}))
    assert "lowest before the last epoch at 8: in epoch 2" in text
    assert "none has begun" not in text


def test_one_latent_dimension_alone_makes_a_chapter(dataset: Dataset) -> None:
    text = words(chapter(dataset, {8: result(8, 0.01, 0.2)}))
    assert "every step" not in text


def test_only_the_quick_preset_is_said_to_be_quick(dataset: Dataset) -> None:
    results = {8: result(8, 0.01, 0.2)}
    assert "quick preset" in words(chapter(dataset, results, "quick"))
    assert "quick preset" not in words(chapter(dataset, results, "standard"))


def test_chapters_are_told_without_tensorflow() -> None:
    code = (
        "import sys, experiments.autoencoder, experiments.denoising;"
        "print({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "set()"
