"""Trainers that a test on a cluster can watch: they tell their process and end when told to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.experiment import Checkpoint, Dataset, Progress, TrainingContext, TrialResult


def train_until_killed_once(
    params: Mapping[str, Any], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Stop after the first of two epochs, until the process is killed; then go on elsewhere."""
    checkpoint = context.load_checkpoint()
    if checkpoint is None:
        context.save_checkpoint(Checkpoint(1, {}, {"first": np.array([os.getpid()])}))
        context.progress(Progress(1, 2, 0.5, {"process": os.getpid()}))
        time.sleep(60)  # until the test kills this process
        raise RuntimeError("nobody killed it")
    first = checkpoint.arrays["first"]
    return TrialResult({"loss": [0.0]}, {"processes": [int(first[0]), os.getpid()]})


def train_for_a_second(
    params: Mapping[str, Any], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Keep the worker until all other trials have come to it."""
    time.sleep(1)
    return TrialResult({"loss": [0.0]})


def train_until_cancelled(
    params: Mapping[str, Any], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Tell of progress for a minute; leave a file however it ends."""
    try:
        for step in range(600):
            context.progress(Progress(1, 1, step / 600, {}))
            time.sleep(0.1)
    finally:
        Path(params["ended"]).touch()
    raise RuntimeError("nobody cancelled it")
