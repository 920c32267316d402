"""The baselines of the autoencoders, against brute force on a few hundred generated images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm

from experiments import dense_model
from experiments.baselines import images as baselines
from experiments.baselines.images import LinearModel, Moments, linear_denoisers
from experiments.data.mnist import MnistSource
from experiments.denoising.errors import errors_by_level
from experiments.dense_model import cross_entropy, scaled, squared_error, with_noise
from reportgen.experiment import (
    Array,
    Checkpoint,
    DataOptions,
    Dataset,
    Progress,
    TrialResult,
)
from reportgen.results import DataSummary

REAL = pytest.mark.skipif(
    "REPORTGEN_TEST_DATA" not in os.environ, reason="REPORTGEN_TEST_DATA names no folder of data"
)
PARAMS: dict[str, Any] = {"validation_images": 40, "training_images": 0}
RECONSTRUCT = PARAMS | {"latent_dims": [2, 5]}
DENOISE = PARAMS | {"noise_sd": 0.5, "latent_dim": 5}


class Context:
    """A training context that writes progress into a list."""

    threads = 1

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def progress(self, progress: Progress) -> None:
        self.log.append(f"progress {progress.fraction}")

    def load_checkpoint(self) -> Checkpoint | None:
        return None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        raise AssertionError("a baseline has no epochs, and so no checkpoint to save")


class LoggedDataset(Dataset):
    """A dataset that writes down which arrays were opened, into a list set from outside."""

    log: list[str]

    def array(self, name: str) -> Array:
        self.log.append(name)
        return super().array(name)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> LoggedDataset:
    """Generated images of 784 pixels that vary in few directions, and a little in all."""
    folder = tmp_path_factory.mktemp("images")
    chance = np.random.default_rng(0)
    patterns = chance.random((6, 784)) * (chance.random((6, 784)) < 0.3)
    for part, count in (("train", 350), ("test", 30)):
        drawn = chance.random((count, 6)) @ patterns + 0.1 * chance.random((count, 784))
        np.save(folder / f"x_{part}.npy", (drawn / drawn.max() * 255).astype(np.uint8))
    dataset = LoggedDataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)
    object.__setattr__(dataset, "log", [])
    return dataset


@pytest.fixture(scope="module")
def reconstructed(dataset: LoggedDataset) -> TrialResult:
    return baselines.reconstruct(RECONSTRUCT, 0, dataset, Context([]))


@pytest.fixture(scope="module")
def denoised(dataset: LoggedDataset) -> TrialResult:
    return baselines.denoise(DENOISE, 0, dataset, Context([]))


@pytest.fixture
def log(dataset: LoggedDataset) -> list[str]:
    """What the trainer opens and tells, in order."""
    dataset.log.clear()
    return dataset.log


def noisy_test_images(dataset: Dataset) -> tuple[Array, Array]:
    clean = scaled(dataset.array("x_test"))
    noise = dense_model.test_noise().standard_normal(clean.shape, np.float32)
    return clean, with_noise(clean, noise, 0.5)


# ---------------------------------------------------------------------------------- reconstruction


def test_pca_is_that_of_a_singular_value_decomposition(
    reconstructed: TrialResult, dataset: Dataset
) -> None:
    fitted, _ = baselines._fitted_images(PARAMS, 0, dataset)
    centred = fitted / 255 - (fitted / 255).mean(axis=0)
    _, values, vectors = np.linalg.svd(centred, full_matrices=False)
    test = dataset.array("x_test") / 255
    mean = (fitted / 255).mean(axis=0)
    for rank in (2, 5):
        kept = vectors[:rank]
        restored = np.clip((test - mean) @ kept.T @ kept + mean, 0, 1)
        expected = np.square(restored - test).mean(axis=1)
        assert reconstructed.arrays[f"mse_pca_{rank}"] == pytest.approx(expected, rel=1e-4)
    shares = np.cumsum(values**2) / np.sum(values**2)
    explained = reconstructed.scalars["explained_variance"]
    assert explained == pytest.approx([shares[1], shares[4]], rel=1e-4)


def test_pictures_can_be_computed_again_from_mean_and_components(
    reconstructed: TrialResult, dataset: Dataset
) -> None:
    arrays, clean = reconstructed.arrays, scaled(dataset.array("x_test"))
    model = baselines.projection(arrays["mean"], arrays["components"][:5])
    restored = model.restore(clean)
    np.testing.assert_allclose(squared_error(restored, clean), arrays["mse_pca_5"], rtol=1e-4)
    np.testing.assert_allclose(cross_entropy(restored, clean), arrays["bce_pca_5"], rtol=1e-4)


def test_the_mean_image_is_the_same_for_every_image(
    reconstructed: TrialResult, dataset: Dataset
) -> None:
    fitted, _ = baselines._fitted_images(PARAMS, 0, dataset)
    mean, test = (fitted / 255).mean(axis=0), dataset.array("x_test") / 255
    expected = np.square(test - mean).mean(axis=1)
    assert reconstructed.arrays["mse_mean"] == pytest.approx(expected, rel=1e-4)
    clipped = np.clip(mean, 1e-7, 1 - 1e-7)
    entropy = -(test * np.log(clipped) + (1 - test) * np.log(1 - clipped)).mean(axis=1)
    assert reconstructed.arrays["bce_mean"] == pytest.approx(entropy, rel=1e-4)


def test_the_results_of_a_reconstruction_are_told_image_by_image(
    reconstructed: TrialResult,
) -> None:
    methods = ("mean", "pca_2", "pca_5")
    errors = [f"{measure}_{method}" for measure in ("mse", "bce") for method in methods]
    assert set(reconstructed.arrays) == {*errors, "mean", "components"}
    for name in errors:
        assert reconstructed.arrays[name].shape == (30,)
        assert reconstructed.arrays[name].dtype == np.float32
    assert reconstructed.scalars["training_images"] == 310
    assert reconstructed.scalars["validation_images"] == 40


# --------------------------------------------------------------------------------------- denoising


@pytest.mark.parametrize("noise_sd", [0.05, 0.5, 3])
def test_what_noise_makes_of_a_grey_level_is_the_integral_over_all_noise(noise_sd: float) -> None:
    means, variances = baselines.noisy_levels(noise_sd)
    for pixel in (0, 20, 128, 255):
        moments = []
        for power in (1, 2):
            within, _ = quad(
                lambda t, p=power, x=pixel / 255: t**p * norm.pdf(t, x, noise_sd), 0, 1, limit=200
            )
            moments.append(within + norm.sf(1, pixel / 255, noise_sd))
        assert means[pixel] == pytest.approx(moments[0], abs=1e-9)
        assert variances[pixel] == pytest.approx(moments[1] - moments[0] ** 2, abs=1e-9)


def test_exact_moments_are_those_of_very_many_draws_of_noise() -> None:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (12, 5)).astype(np.uint8)
    many = np.repeat(scaled(images), 20_000, axis=0)
    drawn = np.clip(many + 0.5 * chance.standard_normal(many.shape), 0, 1)
    clean, noisy, across = baselines.noisy_moments(images, 0.5)
    together = np.cov(drawn.T, many.T, bias=True)
    np.testing.assert_allclose(noisy.mean, drawn.mean(axis=0), atol=0.004)
    np.testing.assert_allclose(noisy.covariance, together[:5, :5], atol=0.004)
    np.testing.assert_allclose(across, together[:5, 5:], atol=0.004)
    np.testing.assert_allclose(clean.covariance, together[5:, 5:], atol=1e-6)


@pytest.fixture(scope="module")
def pairs() -> tuple[Array, Array]:
    """Noisy and clean images of six pixels."""
    chance = np.random.default_rng(1)
    clean = (chance.random((200, 3)) @ chance.random((3, 6)) / 3).astype(np.float32)
    return clean + 0.2 * chance.standard_normal(clean.shape).astype(np.float32), clean


def denoisers_of(noisy: Array, clean: Array, rank: int) -> tuple[LinearModel, LinearModel]:
    across = (noisy - noisy.mean(axis=0)).T @ (clean - clean.mean(axis=0)) / len(clean)
    return linear_denoisers(Moments.of([clean]), Moments.of([noisy]), across, rank)


def unclipped(model: LinearModel, images: Array) -> Array:
    decoder = np.eye(model.encoder.shape[1]) if model.decoder is None else model.decoder
    restored: Array = images @ model.encoder @ decoder + model.bias
    return restored


def test_the_denoiser_of_full_rank_is_the_least_squares_solution(
    pairs: tuple[Array, Array],
) -> None:
    noisy, clean = pairs
    with_ones = np.hstack([noisy, np.ones((len(noisy), 1))])
    solution, *_ = np.linalg.lstsq(with_ones, clean, rcond=None)
    _, full = denoisers_of(noisy, clean, 2)
    np.testing.assert_allclose(unclipped(full, noisy), with_ones @ solution, atol=1e-4)


def test_no_search_finds_a_better_denoiser_of_that_rank(pairs: tuple[Array, Array]) -> None:
    noisy, clean = pairs

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        encoder, decoder, bias = flat[:12].reshape(6, 2), flat[12:24].reshape(2, 6), flat[24:]
        difference = noisy @ encoder @ decoder + bias - clean
        by_encoder = noisy.T @ difference @ decoder.T
        by_decoder = (noisy @ encoder).T @ difference
        parts = [by_encoder.ravel(), by_decoder.ravel(), difference.sum(axis=0)]
        scale = 2 / difference.size
        return float(np.mean(difference**2)), scale * np.concatenate(parts)

    starts = np.random.default_rng(2).standard_normal((5, 30))
    options = {"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9}
    found = min(
        minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options).fun
        for start in starts
    )
    low, full = denoisers_of(noisy, clean, 2)
    loss = np.mean((unclipped(low, noisy) - clean) ** 2)
    assert loss == pytest.approx(found, rel=1e-4)
    assert loss > 1.01 * np.mean((unclipped(full, noisy) - clean) ** 2)


def test_the_lower_rank_is_the_full_one_when_it_has_all_pixels(pairs: tuple[Array, Array]) -> None:
    noisy, clean = pairs
    low, full = denoisers_of(noisy, clean, 6)
    np.testing.assert_allclose(unclipped(low, noisy), unclipped(full, noisy), atol=1e-5)


def test_the_noise_is_that_of_the_autoencoders(denoised: TrialResult, dataset: Dataset) -> None:
    errors = errors_by_level({}, dataset.array("x_test"), [0.5])
    np.testing.assert_array_equal(denoised.arrays["mse_noisy"], errors[0.5]["noisy input"])


@pytest.mark.parametrize("method", ["pca", "low_rank", "full_rank"])
def test_denoised_pictures_can_be_computed_again(
    denoised: TrialResult, dataset: Dataset, method: str
) -> None:
    clean, noisy = noisy_test_images(dataset)
    restored = LinearModel.of(denoised.arrays, method).restore(noisy)
    assert 0 <= restored.min() <= restored.max() <= 1
    np.testing.assert_allclose(
        squared_error(restored, clean), denoised.arrays[f"mse_{method}"], rtol=1e-4
    )


def test_fitted_denoisers_are_better_the_more_they_may_do(denoised: TrialResult) -> None:
    order = ("full_rank", "low_rank", "pca", "noisy")
    means = [denoised.arrays[f"mse_{method}"].mean() for method in order]
    assert means == sorted(means)
    assert means[0] < means[-1] / 4


def test_every_method_is_judged_by_three_measures_image_by_image(denoised: TrialResult) -> None:
    for method in ("noisy", "median", "pca", "low_rank", "full_rank"):
        for measure in ("mse", "psnr", "ssim"):
            assert denoised.arrays[f"{measure}_{method}"].shape == (30,)
            assert denoised.arrays[f"{measure}_{method}"].dtype == np.float32
        from_psnr = 10 ** (-denoised.arrays[f"psnr_{method}"] / 10)
        assert denoised.arrays[f"mse_{method}"] == pytest.approx(from_psnr, rel=1e-4)


def test_almost_without_noise_the_denoisers_leave_images_almost_as_they_are(
    dataset: LoggedDataset,
) -> None:
    denoised = baselines.denoise(DENOISE | {"noise_sd": 1e-6}, 0, dataset, Context([]))
    projected = denoised.arrays["mse_pca"].mean()
    assert denoised.arrays["mse_full_rank"].mean() < projected
    assert denoised.arrays["mse_low_rank"].mean() == pytest.approx(projected, rel=0.01)


def test_the_median_takes_a_lone_pixel_away_and_mixes_no_images() -> None:
    squares = np.zeros((2, 28, 28), np.float32)
    squares[1] = 1
    squares[0, 5, 7], squares[1, 0, 0] = 1, 0
    filtered = baselines.median(squares.reshape(2, 784))
    np.testing.assert_array_equal(filtered[0], 0)
    assert (filtered[1] == 1).sum() >= 783
    assert (filtered[1, 1:] == 1).all()


# -------------------------------------------------------------------------------------------- both


@pytest.mark.parametrize(
    ("trainer", "params"),
    [(baselines.reconstruct, RECONSTRUCT), (baselines.denoise, DENOISE)],
    ids=["reconstruct", "denoise"],
)
def test_the_test_part_is_not_opened_before_everything_is_fitted(
    trainer: Any, params: dict[str, Any], dataset: LoggedDataset, log: list[str]
) -> None:
    trainer(params, 0, dataset, Context(log))
    assert log[:2] == ["x_train", "progress 0.5"]
    assert log.index("x_test") == len(log) - 2
    assert log[-1] == "progress 1.0"


def test_another_seed_fits_other_images(reconstructed: TrialResult, dataset: LoggedDataset) -> None:
    other = baselines.reconstruct(RECONSTRUCT, 1, dataset, Context([]))
    assert (other.arrays["mean"] != reconstructed.arrays["mean"]).any()


@REAL
def test_the_linear_denoisers_have_their_known_errors_on_mnist(tmp_path: Path) -> None:
    options = DataOptions("real", Path(os.environ["REPORTGEN_TEST_DATA"]), tmp_path)
    params = {"validation_images": 5000, "training_images": 0, "noise_sd": 0.5, "latent_dim": 32}
    denoised = baselines.denoise(params, 0, MnistSource().prepare(options), Context([]))
    known = {"noisy": 0.1156, "low_rank": 0.0225, "full_rank": 0.0174}
    means = {name: denoised.arrays[f"mse_{name}"].mean() for name in known}
    assert means == pytest.approx(known, abs=2e-4)
