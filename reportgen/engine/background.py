"""Threads and processes beside the main one, none of which outlives it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def in_background(function: Callable[[], Result]) -> Future[Result]:
    """Run a function in a thread of its own; the future has what it returned or raised.

    Unlike a ``ThreadPoolExecutor``'s threads, this one ends with the program, in the middle of
    what it does: an interrupted build must not wait for data that nobody needs any more.
    """
    future: Future[Result] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def end_with_parent() -> None:
    """From now on, end this process as soon as the one that started it is gone, even if killed.

    Nobody would take what it makes, and the next build would find it at work on the same files.
    """
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
