"""What all trainings share: seeded randomness, and epochs that are timed, told and resumable."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from reportgen.errors import TrainingError
from reportgen.experiment import Array, Checkpoint, Progress, TrainingContext

History = dict[str, list[float]]
Within = Callable[[float, Mapping[str, float]], None]
"""Tells how far the running epoch is (0..1) and its metrics so far."""


def generator(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """Random numbers for one purpose in one epoch.

    A function of its arguments only, so an interrupted training draws on exactly as it would have.
    """
    digest = hashlib.sha256(purpose.encode()).digest()[:8]
    return np.random.default_rng([seed, int.from_bytes(digest, "little"), epoch])


class Fitting(Protocol):
    """A training in progress: one model with its optimizer."""

    def run_epoch(self, epoch: int, within: Within) -> Mapping[str, float]:
        """Train on every example once (``epoch`` counts from 0); the epoch's metrics."""

    def finished(self, history: History) -> bool:
        """Whether to stop before the last epoch, judged by the history alone."""

    def state(self) -> Mapping[str, Array]:
        """All that changes while training: weights, optimizer, best weights so far."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state that :meth:`state` returned."""


def fit(fitting: Fitting, epochs: int, context: TrainingContext) -> dict[str, Sequence[float]]:
    """Run up to ``epochs`` epochs, from the trial's checkpoint if there is one.

    Returns the history: for each metric one value an epoch, and ``wall_seconds`` and
    ``cpu_seconds`` (processor time of this process, all threads) of each epoch. Raises
    TrainingError when a metric is no longer a finite number.
    """
    history: History = {}
    done = 0
    checkpoint = context.load_checkpoint()
    if checkpoint is not None:
        fitting.restore(checkpoint.arrays)
        history = {name: list(values) for name, values in checkpoint.scalars.items()}
        done = checkpoint.epoch
    while done < epochs and not (done and fitting.finished(history)):
        wall, cpu = time.perf_counter(), time.process_time()

        def within(fraction: float, metrics: Mapping[str, float], epoch: int = done) -> None:
            context.progress(Progress(epoch + 1, epochs, (epoch + fraction) / epochs, metrics))

        metrics = dict(fitting.run_epoch(done, within))
        metrics["wall_seconds"] = time.perf_counter() - wall
        metrics["cpu_seconds"] = time.process_time() - cpu
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"{name} is {value} in epoch {done + 1}: the training diverged; "
                    "lower the learning rate."
                )
            history.setdefault(name, []).append(float(value))
        done += 1
        context.save_checkpoint(Checkpoint(done, history, fitting.state()))
        context.progress(Progress(done, epochs, done / epochs, metrics))
    return dict(history)
