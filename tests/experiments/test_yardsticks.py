"""The least possible cross-entropy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from experiments.data.mnist import MnistSource
from experiments.yardsticks import entropy_floor
from reportgen.experiment import Array, DataOptions

REAL = pytest.mark.skipif(
    "REPORTGEN_TEST_DATA" not in os.environ, reason="REPORTGEN_TEST_DATA names no folder of data"
)


def test_the_floor_of_the_cross_entropy_is_the_entropy_of_the_pixels() -> None:
    p = 51 / 255
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert entropy_floor(np.full((3, 784), 51, np.uint8)) == pytest.approx(entropy, rel=1e-6)
    black_and_white: Array = np.array([[0, 255]], np.uint8)
    assert entropy_floor(black_and_white) == pytest.approx(0, abs=1e-5)


@REAL
def test_the_floor_has_its_known_value_on_mnist(tmp_path: Path) -> None:
    options = DataOptions("real", Path(os.environ["REPORTGEN_TEST_DATA"]), tmp_path)
    test = MnistSource().prepare(options).array("x_test")
    assert entropy_floor(test) == pytest.approx(0.0581, abs=6e-5)
