"""The baselines of the autoencoders: PCA, linear denoisers, a median filter, an unchanged image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from experiments.data.mnist import SIDE
from experiments.dense_model import (
    cross_entropy,
    scaled,
    squared_error,
    test_noise,
    with_noise,
)
from experiments.image_quality import psnr, ssim
from experiments.training.parts import split
from experiments.yardsticks import entropy_floor
from reportgen.experiment import Array, Dataset, Json, Progress, TrainingContext, TrialResult

CHUNK = 5000
"""Images that are turned into float32 at a time to fit."""

TEST_CHUNK = 1000
"""Images that are restored and judged at a time; so many fit into a processor's cache."""

MEDIAN_SIZE = 3
"""Height and width in pixels of the median filter's window."""

NEGLIGIBLE = 1e-6
"""A share of the largest variance below which a direction is no more than rounding in float32."""

Restore = Callable[[Array], Array]
"""What a method makes of images: float32 (n, pixels) in 0..1, and the same again."""

Measure = Callable[[Array, Array], Array]
"""How far restored images are from clean ones, float32 (n, pixels) each: float32 (n,)."""


# --------------------------------------------------------------------------------------- moments


@dataclass(frozen=True)
class Moments:
    """Mean (columns,) and covariance (columns, columns) of the rows of a matrix, float64."""

    mean: Array
    covariance: Array

    @classmethod
    def of(cls, chunks: Iterable[Array]) -> Moments:
        """The moments of all rows; the chunks are float32 (rows, columns), added up in float64."""
        count, total, products = 0, np.zeros(()), np.zeros(())
        for rows in chunks:
            count += len(rows)
            total = total + rows.sum(axis=0, dtype=np.float64)
            products = products + rows.T @ rows
        mean = total / count
        return cls(mean, products / count - np.outer(mean, mean))


def noisy_levels(noise_sd: float) -> tuple[Array, Array]:
    """What noise makes of each grey level: mean and variance of ``clip(level + noise, 0, 1)``.

    Exact moments of a normal variable that is censored on both sides (Tobin 1958), float64 (256,).
    """
    level = np.arange(256) / 255
    low, high = -level / noise_sd, (1 - level) / noise_sd
    within = scipy.special.ndtr(high) - scipy.special.ndtr(low)
    at_low, at_high = (np.exp(-(z**2) / 2) * noise_sd / np.sqrt(2 * np.pi) for z in (low, high))
    above = scipy.special.ndtr(-high)
    mean = level * within + at_low - at_high + above
    square = (level**2 + noise_sd**2) * within + level * at_low - (level + 1) * at_high + above
    return mean, square - mean**2


def noisy_moments(images: Array, noise_sd: float) -> tuple[Moments, Moments, Array]:
    """Moments of clean images, of noisy ones, and the covariance (noisy, clean) between them.

    The images, uint8 (n, pixels), are given; over the noise the expectation is exact, as if each
    image were seen with every noise there is. Given an image, its pixels' noise is independent, so
    that noise adds its variance to the diagonal alone.
    """
    mean, variance = noisy_levels(noise_sd)
    expected, pixels = mean.astype(np.float32), images.shape[1]
    both = Moments.of(np.hstack([expected[part], scaled(part)]) for part in _chunks(images))
    noisy, clean = slice(pixels), slice(pixels, None)
    total = np.zeros(pixels)
    for part in _chunks(images):
        total += variance[part].sum(axis=0)
    spread = np.diag(total / len(images))
    return (
        Moments(both.mean[clean], both.covariance[clean, clean]),
        Moments(both.mean[noisy], both.covariance[noisy, noisy] + spread),
        both.covariance[noisy, clean],
    )


def _chunks(images: Array, size: int = CHUNK) -> Iterator[Array]:
    """The images, so many at a time."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


# ---------------------------------------------------------------------------------------- models


@dataclass(frozen=True)
class LinearModel:
    """``clip(images @ encoder @ decoder + bias, 0, 1)``: an autoencoder without any bends.

    ``encoder`` float32 (pixels, rank), ``decoder`` float32 (rank, pixels), ``bias`` float32
    (pixels,). The decoder may be None, of a model of full rank: then the encoder is all.
    """

    encoder: Array
    decoder: Array | None
    bias: Array

    @classmethod
    def of(cls, arrays: Mapping[str, Array], name: str) -> LinearModel:
        """The model that a trial's arrays hold under ``name``; KeyError if they don't."""
        decoder = arrays.get(f"{name}_decoder")
        return cls(arrays[f"{name}_encoder"], decoder, arrays[f"{name}_bias"])

    @classmethod
    def between(
        cls, seen: Array, wanted: Array, encoder: Array, decoder: Array | None = None
    ) -> LinearModel:
        """The model of these matrices that makes the mean image ``wanted`` of the mean ``seen``."""
        predicted = seen @ encoder
        if decoder is not None:
            predicted, decoder = predicted @ decoder, decoder.astype(np.float32)
        return cls(encoder.astype(np.float32), decoder, (wanted - predicted).astype(np.float32))

    def arrays(self, name: str) -> dict[str, Array]:
        """The arrays by which :meth:`of` finds the model again."""
        arrays = {f"{name}_encoder": self.encoder, f"{name}_bias": self.bias}
        return arrays if self.decoder is None else arrays | {f"{name}_decoder": self.decoder}

    def restore(self, images: Array) -> Array:
        """What the model makes of the images, float32 (n, pixels) in 0..1: the same again."""
        restored = images @ self.encoder
        if self.decoder is not None:
            restored = restored @ self.decoder
        restored += self.bias
        return np.clip(restored, 0, 1, out=restored)


def principal_components(covariance: Array, count: int) -> tuple[Array, Array]:
    """The first principal components (Pearson 1901), by falling variance.

    Returns:
        The components, orthonormal rows, float64 (count, pixels), and the variance along each,
        float64 (count,).
    """
    variances, vectors = np.linalg.eigh(covariance)
    return vectors.T[::-1][:count], variances[::-1][:count]


def linear_denoisers(
    clean: Moments, noisy: Moments, across: Array, rank: int
) -> tuple[LinearModel, LinearModel]:
    """The two linear denoisers with the least mean squared error: of this rank, and of full rank.

    Reduced-rank regression (Izenman 1975, "Reduced-rank regression for the multivariate linear
    model", with identity weights): the regression of clean on noisy images, projected onto the
    principal components of what it predicts.

    Args:
        clean: mean and covariance of the clean images.
        noisy: the same of the noisy ones.
        across: covariance of each noisy pixel with each clean one, (pixels, pixels).
        rank: the rank of the first denoiser.
    """
    # Almost without noise some directions vary no more than rounding does: they must not count.
    regression = scipy.linalg.pinvh(noisy.covariance, rtol=NEGLIGIBLE) @ across
    components, _ = principal_components(across.T @ regression, rank)
    encoder = regression @ components.T
    return (
        LinearModel.between(noisy.mean, clean.mean, encoder, components),
        LinearModel.between(noisy.mean, clean.mean, regression),
    )


def projection(mean: Array, components: Array) -> LinearModel:
    """PCA's reconstruction: onto components, orthonormal rows (rank, pixels), around the mean."""
    return LinearModel.between(mean, mean, components.T, components)


def median(images: Array) -> Array:
    """Each pixel's median over its neighbourhood, mirrored at the border: float32 (n, pixels)."""
    filtered: Array = scipy.ndimage.median_filter(_squares(images), (1, MEDIAN_SIZE, MEDIAN_SIZE))
    return filtered.reshape(images.shape)


def unchanged(images: Array) -> Array:
    """The images as they are."""
    return images


# -------------------------------------------------------------------------------------- trainers


def _fitted_images(params: Mapping[str, Json], seed: int, dataset: Dataset) -> tuple[Array, int]:
    """The images on which the autoencoder of this seed is fitted; how many validate it."""
    parts = split(
        np.asarray(dataset.array("x_train")),
        params["validation_images"],
        params["training_images"],
        seed,
    )
    return parts.fitted, len(parts.validation)


def reconstruct(
    params: Mapping[str, Json], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Reconstruct the test images by the mean image, and by PCA at each latent dimension.

    Params:
        latent_dims: how many components to keep, one PCA each.
        validation_images, training_images: as in the autoencoders' settings; they and the seed
            give the same fitted images.

    Arrays: ``mse_mean`` and ``bce_mean``, the errors of the mean image, and ``mse_pca_32``,
    ``bce_pca_32`` and so on for each latent dimension, all float32 (test images,); ``mean``,
    float32 (pixels,), and ``components``, float32 (largest latent dimension, pixels), by falling
    variance: ``projection(mean, components[:32])`` reconstructs. Scalars:
    ``explained_variance``, the share of the fitted images' variance that the components of each
    latent dimension hold, in the order of ``latent_dims``; ``entropy_floor``, the least
    possible BCE of the test images.
    """
    fitted, validating = _fitted_images(params, seed, dataset)
    moments = Moments.of(map(scaled, _chunks(fitted)))
    components, variances = principal_components(moments.covariance, max(params["latent_dims"]))
    context.progress(Progress(1, 1, 0.5))
    mean = moments.mean.astype(np.float32)
    methods: dict[str, Restore] = {"mean": lambda images: np.broadcast_to(mean, images.shape)}
    for count in params["latent_dims"]:
        methods[f"pca_{count}"] = projection(moments.mean, components[:count]).restore
    # Only now, with everything fitted, are the test images read.
    test = np.asarray(dataset.array("x_test"))
    errors = judged(methods, {"mse": squared_error, "bce": cross_entropy}, test)
    explained = np.cumsum(variances) / np.trace(moments.covariance)
    scalars: dict[str, Json] = {
        "training_images": len(fitted),
        "validation_images": validating,
        "explained_variance": [float(explained[count - 1]) for count in params["latent_dims"]],
        "entropy_floor": entropy_floor(test),
    }
    context.progress(Progress(1, 1, 1.0))
    arrays = {"mean": mean, "components": components.astype(np.float32)}
    return TrialResult({}, scalars, errors | arrays)


def denoise(
    params: Mapping[str, Json], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Denoise the test images, with the noise that the autoencoders see, by five methods.

    The methods, each giving pixels in 0..1:

    - ``noisy``: the noisy image as it is.
    - ``median``: the median filter.
    - ``pca``: the projection onto the principal components of the clean fitted images.
    - ``low_rank``, ``full_rank``: the best linear denoisers; see :func:`linear_denoisers`.

    Params:
        noise_sd: standard deviation of the noise.
        latent_dim: the number of components, and the rank of ``low_rank``.
        validation_images, training_images: as in the autoencoders' settings; they and the seed
            give the same fitted images. Nothing else depends on the seed.

    Arrays: for each method ``mse_noisy``, ``psnr_noisy`` (dB), ``ssim_noisy``, float32 (test
    images,); and for the linear ones those by which ``LinearModel.of(arrays, "pca")`` finds them
    again.
    """
    fitted, validating = _fitted_images(params, seed, dataset)
    clean, noisy, across = noisy_moments(fitted, params["noise_sd"])
    context.progress(Progress(1, 1, 0.5))
    components, _ = principal_components(clean.covariance, params["latent_dim"])
    low_rank, full_rank = linear_denoisers(clean, noisy, across, params["latent_dim"])
    models = {
        "pca": projection(clean.mean, components),
        "low_rank": low_rank,
        "full_rank": full_rank,
    }
    context.progress(Progress(1, 1, 0.6))
    methods: dict[str, Restore] = {"noisy": unchanged, "median": median}
    methods |= {name: model.restore for name, model in models.items()}
    measures = {"mse": squared_error, "ssim": similarity}
    # Only now, with everything fitted, are the test images read.
    arrays = judged(methods, measures, dataset.array("x_test"), params["noise_sd"])
    arrays |= {f"psnr_{name}": psnr(arrays[f"mse_{name}"]) for name in methods}
    for name, model in models.items():
        arrays |= model.arrays(name)
    context.progress(Progress(1, 1, 1.0))
    return TrialResult(
        {}, {"training_images": len(fitted), "validation_images": validating}, arrays
    )


def judged(
    methods: Mapping[str, Restore],
    measures: Mapping[str, Measure],
    pixels: Array,
    noise_sd: float = 0.0,
) -> dict[str, Array]:
    """What each method makes of test images, by each measure: ``measure_method``, float32 (n,).

    The images, uint8 (n, pixels), are seen with the noise of the test images, if there is to be
    any, and compared with the clean ones.
    """
    drawing = test_noise()
    pieces: dict[str, list[Array]] = {f"{m}_{name}": [] for m in measures for name in methods}
    for part in _chunks(pixels, TEST_CHUNK):
        clean = seen = scaled(part)
        if noise_sd:
            seen = with_noise(clean, drawing.standard_normal(clean.shape, np.float32), noise_sd)
        for name, restore in methods.items():
            restored = restore(seen)
            for measure, of_each in measures.items():
                pieces[f"{measure}_{name}"].append(of_each(restored, clean))
    return {name: np.concatenate(piece) for name, piece in pieces.items()}


def similarity(restored: Array, clean: Array) -> Array:
    """SSIM of flattened images, float32 (n, pixels): float32 (n,)."""
    return ssim(_squares(restored), _squares(clean))


def _squares(images: Array) -> Array:
    """Flattened images (n, pixels) as (n, height, width)."""
    return images.reshape(-1, SIDE, SIDE)
