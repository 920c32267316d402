"""What a worker process does: one trial, from its name to its result."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from reportgen.engine import devices, store
from reportgen.engine.background import end_with_parent
from reportgen.engine.store import Cost
from reportgen.errors import ReportgenError
from reportgen.experiment import (
    CPU,
    Checkpoint,
    Dataset,
    Json,
    Progress,
    Trainer,
    Trial,
    TrialResult,
)


class Channel(Protocol):
    """Takes messages to the process that started the worker, such as a queue."""

    def put(self, message: Any) -> None:
        """Send one message."""


@dataclass(frozen=True)
class Message:
    """How far a trial is; ``progress`` is None when it has just started."""

    identity: str
    progress: Progress | None


@dataclass(frozen=True)
class Failure:
    """A trial that raised: one line for the user, and the traceback for the log."""

    message: str
    traceback: str


@dataclass(frozen=True)
class Task:
    """A trial to run: on which data, from what its key was made, where its checkpoint lies."""

    trial: Trial
    dataset: Dataset
    ingredients: Mapping[str, Json]
    checkpoint: Path


Returned = tuple[TrialResult, Cost] | Failure
"""What comes of a trial."""


class Context:
    """A trial's surroundings in this process; see ``experiment.TrainingContext``."""

    def __init__(
        self,
        identity: str,
        threads: int,
        checkpoint: Path,
        channel: Channel | None,
        device: str = CPU,
    ) -> None:
        self.identity, self.threads, self.device = identity, threads, device
        self.checkpoint, self.channel = checkpoint, channel
        self._before = Cost(0.0, 0.0, threads)
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def cost(self) -> Cost:
        """What the trial has taken, with the part of it from which it goes on."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return self._before + Cost(wall, cpu, self.threads)

    def progress(self, progress: Progress) -> None:
        """Send the progress to the parent, if it listens."""
        if self.channel is not None:
            self.channel.put(Message(self.identity, progress))

    def load_checkpoint(self) -> Checkpoint | None:
        """The checkpoint of an interrupted run of this trial."""
        found = store.load_checkpoint(self.checkpoint)
        if found is None:
            return None
        checkpoint, self._before = found
        return checkpoint

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep the state on disk."""
        store.save_checkpoint(self.checkpoint, checkpoint, self.cost)


_channel: Channel | None = None
_threads = 1


def start(threads: int, device: str, channel: Channel | None, log: Path) -> None:
    """Make this process a worker: confine it, send its output to a log, mute Ctrl-C.

    Runs before TensorFlow is imported, which reads these variables when it starts.
    """
    global _channel, _threads
    _channel, _threads = channel, threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends the workers
    end_with_parent()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    confine(threads, device)


def confine(threads: int, device: str = CPU) -> None:
    """Confine this process to a device and so many threads; before TensorFlow is imported."""
    os.environ.update(devices.variables(device))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads)


def run(task: Task) -> Returned:
    """Train one trial in this process, which :func:`start` made a worker."""
    returned = train(task, _threads, _channel)
    _give_back_memory()
    return returned


def _give_back_memory() -> None:
    """Give the system what a trial had: models refer to themselves, and the C library keeps it.

    Otherwise a worker that trains many models grows by 150 MB with each (measured on MNIST).
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # only the GNU library has it
        ctypes.CDLL(None).malloc_trim(0)


def train(task: Task, threads: int, channel: Channel | None) -> Returned:
    """Train one trial in this process, already limited to ``threads``; tell ``channel`` of it."""
    trial = task.trial
    if channel is not None:
        channel.put(Message(trial.identity, None))
    try:
        trainer = _import(trial.trainer)
        device = task.ingredients.get("device", CPU)  # the one under whose key it will be kept
        context = Context(trial.identity, threads, task.checkpoint, channel, device)
        result = _plain(trainer(dict(trial.params), trial.seed, task.dataset, context))
        cost = context.cost
    except Exception as error:
        text = traceback.format_exc()
        print(text, file=sys.stderr, flush=True)  # noqa: T201  (into the worker's log)
        return Failure(_reason(error), text)
    return result, cost


def _plain(result: TrialResult) -> TrialResult:
    """The result as it will be read from the store: plain JSON values, plain arrays."""
    history, scalars = json.loads(json.dumps([result.history, result.scalars], allow_nan=False))
    arrays = {name: np.asarray(array) for name, array in result.arrays.items()}
    return TrialResult(history, scalars, arrays)


def _reason(error: Exception) -> str:
    """One line that says what went wrong."""
    lines = str(error).strip().splitlines()
    if isinstance(error, ReportgenError) and lines:
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _import(name: str) -> Trainer:
    module, _, function = name.partition(":")
    trainer: Trainer = getattr(importlib.import_module(module), function)
    return trainer
