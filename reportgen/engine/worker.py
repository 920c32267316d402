"""What a worker process does: one trial, from its name to its result."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from reportgen.engine import store
from reportgen.engine.store import Cost
from reportgen.errors import ReportgenError
from reportgen.experiment import Checkpoint, Dataset, Progress, Trainer, Trial, TrialResult


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


@dataclass
class Context:
    """A trial's surroundings in this process; see ``experiment.TrainingContext``."""

    identity: str
    threads: int
    checkpoint: Path
    channel: Channel | None = field(repr=False)

    def progress(self, progress: Progress) -> None:
        """Send the progress to the parent, if it listens."""
        if self.channel is not None:
            self.channel.put(Message(self.identity, progress))

    def load_checkpoint(self) -> Checkpoint | None:
        """The checkpoint of an interrupted run of this trial."""
        return store.load_checkpoint(self.checkpoint)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep the state on disk."""
        store.save_checkpoint(self.checkpoint, checkpoint)


_channel: Channel | None = None
_threads = 1


def start(threads: int, channel: Channel | None, log: Path) -> None:
    """Make this process a worker: limit its threads, send its output to a log, mute Ctrl-C.

    Runs before TensorFlow is imported, which reads these variables when it starts.
    """
    global _channel, _threads
    _channel, _threads = channel, threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends the workers
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads)


def run(trial: Trial, dataset: Dataset, checkpoint: Path) -> tuple[TrialResult, Cost] | Failure:
    """Train one trial in this process."""
    if _channel is not None:
        _channel.put(Message(trial.identity, None))
    context = Context(trial.identity, _threads, checkpoint, _channel)
    try:
        trainer = _import(trial.trainer)
        wall, cpu = time.perf_counter(), time.process_time()
        result = _plain(trainer(dict(trial.params), trial.seed, dataset, context))
        cost = Cost(time.perf_counter() - wall, time.process_time() - cpu, _threads)
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
