"""What the autoencoders are measured against: PCA, and the least possible cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.dense_model import cross_entropy, scaled, squared_error
from reportgen.experiment import Array

CHUNK = 5000
"""Images that are turned into float32 at a time."""


def pca_errors(training: Array, test: Array, components: Sequence[int]) -> dict[int, float]:
    """Test MSE of PCA (Pearson 1901) by number of components, reconstructions clipped to [0, 1].

    Args:
        training: uint8 (n, pixels), what the components are computed from.
        test: uint8 (m, pixels).
        components: how many components to keep.
    """
    mean = training.mean(axis=0, dtype=np.float64).astype(np.float32) / np.float32(255)
    scatter = np.zeros((training.shape[1],) * 2)
    for start in range(0, len(training), CHUNK):
        centred = scaled(training[start : start + CHUNK]) - mean
        scatter += centred.T @ centred
    vectors = np.linalg.eigh(scatter)[1][:, ::-1].astype(np.float32)
    totals = dict.fromkeys(components, 0.0)
    for start in range(0, len(test), CHUNK):
        images = scaled(test[start : start + CHUNK])
        scores = (images - mean) @ vectors[:, : max(components)]
        for count in components:
            restored = scores[:, :count] @ vectors[:, :count].T + mean
            error = squared_error(np.clip(restored, 0, 1, out=restored), images)
            totals[count] += float(error.sum(dtype=np.float64))
    return {count: total / len(test) for count, total in totals.items()}


def entropy_floor(images: Array) -> float:
    """The binary cross-entropy of perfect reconstructions of uint8 images, in nats a pixel.

    It is not zero, because a grey pixel x is no certain outcome: −x log x − (1 − x) log(1 − x).
    """
    counts = np.bincount(np.ravel(images), minlength=256)
    levels = scaled(np.arange(256))[:, None]
    return float(counts @ cross_entropy(levels, levels).astype(np.float64) / counts.sum())
