"""Where trials run: what the engine asks of an executor, and processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from reportgen.engine import worker
from reportgen.experiment import CPU

Listener = Callable[[worker.Message], None]


class TrialExecutor(Protocol):
    """Runs trials elsewhere than in this thread; those handed over first start first."""

    slots: int
    """So many trials it can use at a time; more would only wait."""

    def train(self, task: worker.Task) -> Future[worker.Returned]:
        """Hand a trial over; what comes of it comes by the future."""

    def kill(self) -> None:
        """End the executor at once, and its trials in the middle of what they do."""


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started within inherit that Ctrl-C is blocked.

    They would hear it, too, and end with a traceback on the screen; their parent ends them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class LocalExecutor(ProcessPoolExecutor):
    """A pool of fresh processes, each limited to ``threads`` threads and a device.

    Processes are spawned, not forked: TensorFlow does not survive a fork. Messages of running
    trials come to ``listener``, in a thread of this process. What workers print goes to ``log``.
    """

    def __init__(
        self, jobs: int, threads: int, listener: Listener, log: Path, device: str = CPU
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._channel: multiprocessing.Queue[worker.Message] = spawn.Queue()
        self._stopping = threading.Event()
        self._listening = threading.Thread(target=self._listen, args=(listener,), daemon=True)
        self._listening.start()
        self.slots = jobs
        super().__init__(jobs, spawn, worker.start, (threads, device, self._channel, log))

    def _listen(self, listener: Listener) -> None:
        # Ends by polling, not by a last message: a worker that was killed while it wrote
        # may hold the channel's lock for ever.
        while not self._stopping.is_set():
            try:
                listener(self._channel.get(timeout=0.1))
            except queue.Empty:
                continue

    def train(self, task: worker.Task) -> Future[worker.Returned]:
        """Run a trial in one of the processes."""
        with deaf_children():
            return self.submit(worker.run, task)

    def kill(self) -> None:
        """End the workers at once; even an idle one would take a second to leave TensorFlow."""
        for process in list((self._processes or {}).values()):
            process.kill()
        self.shutdown(cancel_futures=True)
        self._stopping.set()
        self._listening.join()
