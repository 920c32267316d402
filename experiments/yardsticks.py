"""The least possible cross-entropy, above which the autoencoders' counts."""

from __future__ import annotations

import numpy as np

from experiments.dense_model import cross_entropy, scaled
from reportgen.experiment import Array


def entropy_floor(images: Array) -> float:
    """The binary cross-entropy of perfect reconstructions of uint8 images, in nats a pixel.

    It is not zero, because a grey pixel x is no certain outcome: −x log x − (1 − x) log(1 − x).
    """
    counts = np.bincount(np.ravel(images), minlength=256)
    levels = scaled(np.arange(256))[:, None]
    return float(counts @ cross_entropy(levels, levels).astype(np.float64) / counts.sum())
