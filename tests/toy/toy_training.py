"""The toy's trainer: finds the mean of the numbers by steps, and can fail in every way."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import toy_arithmetic

from experiments.training.fitting import fit, generator
from reportgen.experiment import Dataset, TrainingContext, TrialResult


class Descent:
    def __init__(self, params: Mapping[str, Any], seed: int, numbers: Any) -> None:
        self.params, self.seed, self.numbers = params, seed, numbers
        self.mean = np.zeros(params["size"])

    def run_epoch(self, epoch: int, within: Any) -> dict[str, float]:
        if self.params["rule"] == "diverge":
            return {"loss": float("nan")}
        noise = generator(self.seed, "noise", epoch).normal(size=self.mean.shape) / 100
        self.mean = toy_arithmetic.step(self.mean, self.numbers.mean() + noise, self.params["rate"])
        loss = float(np.square(self.mean - self.numbers.mean()).mean())
        within(1.0, {"loss": loss})
        return {"loss": loss}

    def finished(self, history: Any) -> bool:
        return False

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def restore(self, state: Any) -> None:
        self.mean = state["mean"]


def train(
    params: Mapping[str, Any], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    if params["rule"] == "crash":
        raise RuntimeError("the toy crashed, as it was told to")
    if params["rule"] == "die":
        os._exit(9)
    if params["rule"] == "sleep" and params["size"] < 100:
        time.sleep(60)  # until the test interrupts it
    descent = Descent(params, seed, np.array(dataset.array("numbers")))
    history = fit(descent, params["epochs"], context)
    return TrialResult(history, {"error": history["loss"][-1]}, {"mean": descent.mean})
