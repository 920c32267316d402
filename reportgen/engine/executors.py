"""Where trials run: processes on this machine, behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from reportgen.engine import worker

Listener = Callable[[worker.Message], None]


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalExecutor(ProcessPoolExecutor):
    """A pool of fresh processes, each limited to ``threads`` threads.

    Processes are spawned, not forked: TensorFlow does not survive a fork. Messages of running
    trials come to ``listener``, in a thread of this process. What workers print goes to ``log``.
    """

    def __init__(self, jobs: int, threads: int, listener: Listener, log: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._channel: multiprocessing.Queue[worker.Message] = spawn.Queue()
        self._stopping = threading.Event()
        self._listening = threading.Thread(target=self._listen, args=(listener,), daemon=True)
        self._listening.start()
        super().__init__(jobs, spawn, worker.start, (threads, self._channel, log))

    def _listen(self, listener: Listener) -> None:
        # Ends by polling, not by a last message: a worker that was killed while it wrote
        # may hold the channel's lock for ever.
        while not self._stopping.is_set():
            try:
                listener(self._channel.get(timeout=0.1))
            except queue.Empty:
                continue

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool; see ``concurrent.futures.Executor.shutdown``."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._stopping.set()
        self._listening.join()

    def kill(self) -> None:
        """End the workers at once, in the middle of what they do."""
        for process in list((self._processes or {}).values()):
            process.kill()
        self.shutdown(wait=True, cancel_futures=True)
