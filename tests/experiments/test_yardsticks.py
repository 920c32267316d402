"""What the autoencoders are measured against."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from experiments.data.mnist import MnistSource
from experiments.dense_model import scaled
from experiments.yardsticks import entropy_floor, pca_errors
from reportgen.experiment import Array, DataOptions

REAL = pytest.mark.skipif(
    "REPORTGEN_TEST_DATA" not in os.environ, reason="REPORTGEN_TEST_DATA names no folder of data"
)


def test_pca_agrees_with_that_of_scikit_learn() -> None:
    chance = np.random.default_rng(0)
    low_rank = chance.random((300, 6)) @ chance.random((6, 50)) * 40 + chance.random((300, 50)) * 60
    images = low_rank.clip(0, 255).astype(np.uint8)
    training, test = images[:200], images[200:]
    fitted = PCA(3, svd_solver="full").fit(scaled(training).astype(float))
    restored = fitted.inverse_transform(fitted.transform(scaled(test).astype(float)))
    expected = np.square(np.clip(restored, 0, 1) - scaled(test)).mean()
    errors = pca_errors(training, test, [1, 3])
    assert errors[3] == pytest.approx(expected, rel=1e-4)
    assert errors[1] > errors[3]


def test_the_floor_of_the_cross_entropy_is_the_entropy_of_the_pixels() -> None:
    p = 51 / 255
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert entropy_floor(np.full((3, 784), 51, np.uint8)) == pytest.approx(entropy, rel=1e-6)
    black_and_white: Array = np.array([[0, 255]], np.uint8)
    assert entropy_floor(black_and_white) == pytest.approx(0, abs=1e-5)


@REAL
def test_the_yardsticks_have_their_known_values_on_mnist(tmp_path: Path) -> None:
    options = DataOptions("real", Path(os.environ["REPORTGEN_TEST_DATA"]), tmp_path)
    mnist = MnistSource().prepare(options)
    training, test = mnist.array("x_train"), mnist.array("x_test")
    known = {16: 0.02538, 32: 0.01521, 64: 0.00775, 128: 0.00340}
    assert pca_errors(training, test, list(known)) == pytest.approx(known, abs=6e-6)
    assert entropy_floor(test) == pytest.approx(0.0581, abs=6e-5)
