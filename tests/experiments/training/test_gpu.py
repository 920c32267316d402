"""A training for a GPU: it runs there, or not at all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from experiments.training import dense, recurrent
from experiments.training.gpu import gpu_for
from reportgen.errors import TrainingError
from reportgen.experiment import Dataset, Trainer
from reportgen.results import DataSummary

ON_GPU = SimpleNamespace(threads=1, device="gpu")
NOTHING = Dataset(DataSummary("nothing", "Nothing", "sample", "", "0"), Path("nowhere"))


@pytest.mark.parametrize("train", [dense.train, recurrent.train])
def test_a_training_for_a_gpu_fails_where_tensorflow_finds_none(train: Trainer) -> None:
    with pytest.raises(TrainingError, match="finds no GPU") as told:
        train({}, 0, NOTHING, ON_GPU)
    assert 'pip install "tensorflow[and-cuda]"' in str(told.value)
    assert "--device cpu" in str(told.value)


def test_a_training_for_the_processor_asks_for_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: pytest.fail(kind))
    assert gpu_for(SimpleNamespace(threads=1, device="cpu")) == ""


def test_a_training_on_a_gpu_knows_its_name_and_is_deterministic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    experimental = tf.config.experimental
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["the first"])
    monkeypatch.setattr(
        experimental, "get_device_details", lambda device: {"device_name": "NVIDIA A100"}
    )
    monkeypatch.setattr(experimental, "enable_op_determinism", lambda: asked.append("determinism"))
    assert gpu_for(ON_GPU) == "NVIDIA A100"
    assert asked == ["determinism"]
