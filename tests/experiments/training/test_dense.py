"""The training of the dense autoencoders, on a few hundred generated images."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from experiments.denoising.errors import errors_by_level
from experiments.dense_model import DenseModel, cross_entropy, scaled
from experiments.training import dense
from experiments.training.fitting import generator
from experiments.training.parts import split
from reportgen.experiment import Checkpoint, Dataset, Progress, TrialResult
from reportgen.results import DataSummary

PARAMS: dict[str, Any] = {
    "latent_dim": 6,
    "noise_sd": 0.0,
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.01,
    "weight_decay": 0.05,
    "warm_up": 0.1,
    "validation_images": 40,
    "training_images": 0,
}
NOISY = PARAMS | {"noise_sd": 0.5}


class Context:
    """A training context that remembers what was saved, and may be interrupted."""

    threads, device = 1, "cpu"

    def __init__(self, stop_after: int = 99, checkpoint: Checkpoint | None = None) -> None:
        self.stop_after, self.checkpoint = stop_after, checkpoint
        self.fractions: list[float] = []

    def progress(self, progress: Progress) -> None:
        self.fractions.append(progress.fraction)

    def load_checkpoint(self) -> Checkpoint | None:
        return self.checkpoint

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        if checkpoint.epoch == self.stop_after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Generated images, of which 40 validate and 310 are fitted: 38 batches, more than a call."""
    folder = tmp_path_factory.mktemp("images")
    chance = np.random.default_rng(0)
    for part, count in (("train", 350), ("test", 30)):
        drawn = chance.integers(0, 256, (count, 784)) * (chance.random((count, 784)) < 0.2)
        np.save(folder / f"x_{part}.npy", drawn.astype(np.uint8))
    return Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)


@pytest.fixture(scope="module")
def context() -> Context:
    """The context in which the basic autoencoder is trained."""
    return Context()


@pytest.fixture(scope="module")
def basic(dataset: Dataset, context: Context) -> TrialResult:
    return dense.train(PARAMS, 0, dataset, context)


@pytest.fixture(scope="module")
def denoising(dataset: Dataset) -> TrialResult:
    return dense.train(NOISY, 0, dataset, Context())


def test_the_layers_are_those_of_the_assignment() -> None:
    model = dense.build_model(784, 32, 0)
    encoder, decoder = model.layers
    assert model.input_shape == (None, 784)
    assert [type(layer) for layer in model.layers] == [keras.layers.Dense] * 2
    assert [encoder.units, decoder.units] == [32, 784]
    assert [encoder.activation, decoder.activation] == [
        keras.activations.relu,
        keras.activations.sigmoid,
    ]
    assert model.count_params() == 784 * 32 + 32 + 32 * 784 + 784


def test_training_changes_every_weight_and_lowers_the_loss(basic: TrialResult) -> None:
    before = dense.build_model(784, PARAMS["latent_dim"], 0).get_weights()
    names = ["encoder_kernel", "encoder_bias", "decoder_kernel", "decoder_bias"]
    for name, weight in zip(names, before, strict=True):
        assert basic.arrays[name].shape == weight.shape
        assert basic.arrays[name].dtype == np.float32
        assert not np.isclose(basic.arrays[name], weight).all()
    assert basic.history["loss"][-1] < basic.history["loss"][0]


def test_numpy_gives_what_keras_predicts(basic: TrialResult, dataset: Dataset) -> None:
    images = scaled(dataset.array("x_test"))
    model = dense.build_model(784, PARAMS["latent_dim"], 1)
    names = ["encoder_kernel", "encoder_bias", "decoder_kernel", "decoder_bias"]
    model.set_weights([basic.arrays[name] for name in names])
    predicted = model.predict(images, verbose=0)
    ours = DenseModel.of(basic.arrays).reconstruct(images)
    np.testing.assert_allclose(ours, predicted, rtol=0, atol=1e-6)
    entropy = keras.losses.binary_crossentropy(images, predicted).numpy()
    np.testing.assert_allclose(basic.arrays["test_bce"], entropy, rtol=1e-5)
    error = keras.losses.mean_squared_error(images, predicted).numpy()
    np.testing.assert_allclose(basic.arrays["test_mse"], error, rtol=1e-5)


def test_the_stored_weights_have_the_validation_loss_of_the_last_epoch(
    basic: TrialResult, dataset: Dataset
) -> None:
    parts = split(np.asarray(dataset.array("x_train")), 40, 0, 0)
    images = scaled(parts.validation)
    predicted = DenseModel.of(basic.arrays).reconstruct(images)
    entropy = cross_entropy(predicted, images).mean()
    assert basic.history["val_loss"][-1] == pytest.approx(entropy, rel=1e-5)


def test_an_interrupted_training_ends_bit_for_bit_like_an_uninterrupted_one(
    denoising: TrialResult, dataset: Dataset
) -> None:
    interrupted = Context(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        dense.train(NOISY, 0, dataset, interrupted)
    resumed = dense.train(NOISY, 0, dataset, Context(checkpoint=interrupted.checkpoint))
    for name, array in denoising.arrays.items():
        assert np.array_equal(resumed.arrays[name], array), name
    for name in ("loss", "val_loss"):
        assert resumed.history[name] == denoising.history[name]


def test_a_denoising_autoencoder_is_tested_on_the_noise_that_the_chapter_shows(
    denoising: TrialResult, dataset: Dataset
) -> None:
    models = {"denoising": DenseModel.of(denoising.arrays).reconstruct}
    errors = errors_by_level(models, dataset.array("x_test"), [0.5])
    np.testing.assert_allclose(errors[0.5]["denoising"], denoising.arrays["test_mse"], rtol=1e-5)


def test_training_is_compiled_by_xla(dataset: Dataset) -> None:
    parts = split(np.asarray(dataset.array("x_train")), 40, 0, 0)
    fitting = dense.Reconstructing(PARAMS, 0, parts)
    arguments = fitting._call(np.arange(16).reshape(2, 8), None)
    # Raises for a function that is not compiled.
    program = fitting._train.experimental_get_compiler_ir(*arguments)(stage="hlo")
    assert "dot(" in program


def test_progress_is_told_within_an_epoch(basic: TrialResult, context: Context) -> None:
    assert context.fractions == sorted(context.fractions)
    assert 0 < context.fractions[0] < 1 / PARAMS["epochs"]
    assert context.fractions[-1] == 1


def test_validation_images_are_not_fitted() -> None:
    images = np.arange(100)[:, None]
    parts = split(images, 20, 0, seed=0)
    assert len(parts.validation) == 20
    assert sorted([*parts.fitted[:, 0], *parts.validation[:, 0]]) == list(range(100))
    few = split(images, 90, 30, seed=0)
    assert (len(few.fitted), len(few.validation)) == (30, 20)
    assert not np.array_equal(split(images, 20, 0, seed=1).validation, parts.validation)


def test_units_that_no_test_image_excites_are_counted_as_dead() -> None:
    kernel = np.ones((784, 3), np.float32)
    bias = np.array([0, -1000, 0], np.float32)
    model = DenseModel(kernel, bias, np.zeros((3, 784), np.float32), np.zeros(784, np.float32))
    scalars, _ = dense.evaluate(model, np.full((4, 784), 0.5, np.float32), 0.0)
    assert scalars["dead_units"] == 1


def test_noise_is_standard_normal_and_new_in_every_epoch() -> None:
    first, second = (dense.Noise(generator(0, "noise", e), 784).draw((200,)) for e in (0, 1))
    assert first.mean() == pytest.approx(0, abs=0.01)
    assert first.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(first) < 1.96) == pytest.approx(0.95, abs=0.005)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.01


def test_the_mean_input_is_that_of_noisy_images() -> None:
    images = np.array([[0, 128, 255]], np.uint8).repeat(20_000, axis=0)
    noise = np.random.default_rng(0).standard_normal(images.shape)
    expected = np.clip(images / 255 + 0.5 * noise, 0, 1).mean(axis=0)
    np.testing.assert_allclose(dense.mean_input(images, 0.5), expected, atol=0.01)
