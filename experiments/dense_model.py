"""The dense autoencoder in NumPy: what a stored training computes, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.training.fitting import generator
from reportgen.experiment import Array

EPSILON = 1e-7
"""Probabilities are kept so far from 0 and 1 in the cross-entropy: ``keras.config.epsilon()``."""

LOWEST_LOGIT = -80.0
"""Below it the sigmoid is 0 for all purposes, and its exponential would overflow float32."""


@dataclass(frozen=True)
class DenseModel:
    """``Input → Dense(latent, relu) → Dense(pixels, sigmoid)`` with these weights, float32.

    Kernels are (inputs, outputs) and biases (outputs,), as Keras keeps them.
    """

    encoder_kernel: Array
    encoder_bias: Array
    decoder_kernel: Array
    decoder_bias: Array

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> DenseModel:
        """The model that a trial's arrays hold; KeyError if they don't."""
        return cls(
            arrays["encoder_kernel"],
            arrays["encoder_bias"],
            arrays["decoder_kernel"],
            arrays["decoder_bias"],
        )

    def encode(self, images: Array) -> Array:
        """The bottleneck's values: float32 (n, latent) for float32 images (n, pixels) in 0..1."""
        code: Array = images @ self.encoder_kernel + self.encoder_bias
        return np.maximum(code, 0, out=code)

    def decode(self, code: Array) -> Array:
        """Images from the bottleneck's values: float32 (n, pixels) in 0..1."""
        values: Array = code @ self.decoder_kernel + self.decoder_bias
        np.maximum(values, LOWEST_LOGIT, out=values)
        np.exp(np.negative(values, out=values), out=values)
        values += 1
        return np.reciprocal(values, out=values)

    def reconstruct(self, images: Array) -> Array:
        """What the model makes of the images: float32 (n, pixels) in 0..1."""
        return self.decode(self.encode(images))


def scaled(pixels: Array) -> Array:
    """Pixels from 0 to 255 (uint8) as float32 from 0 to 1."""
    return np.asarray(pixels, np.float32) / np.float32(255)


def with_noise(images: Array, noise: Array, noise_sd: float) -> Array:
    """Images plus standard normal noise of this standard deviation, clipped to 0..1: float32."""
    noisy = images + np.float32(noise_sd) * noise
    return np.clip(noisy, 0, 1, out=noisy)


def test_noise() -> np.random.Generator:
    """Draws the noise of the test images: the same in every report, whatever its seed.

    Image after image, so that ``standard_normal((n, pixels), np.float32)`` gives the noise of the
    next n images.
    """
    return generator(0, "noise on test images")


def squared_error(predicted: Array, target: Array) -> Array:
    """The mean squared error of each image over its pixels: float32 (n,)."""
    difference = predicted - target
    error: Array = np.einsum("ij,ij->i", difference, difference) / np.float32(target.shape[1])
    return error


def cross_entropy(predicted: Array, target: Array) -> Array:
    """The binary cross-entropy of each image: float32 (n,), the mean over its pixels, in nats.

    As ``keras.losses.binary_crossentropy`` computes it from probabilities: these are clipped to
    ``EPSILON`` and 1 - ``EPSILON`` first.
    """
    clipped = np.clip(predicted, np.float32(EPSILON), np.float32(1 - EPSILON))
    likelihood = target * np.log(clipped) + (1 - target) * np.log1p(-clipped)
    entropy: Array = -likelihood.mean(axis=1)
    return entropy


def dead_units(code: Array) -> int:
    """How many bottleneck units are above zero for none of the images coded in (n, latent)."""
    return int(np.count_nonzero(code.max(axis=0) <= 0))
