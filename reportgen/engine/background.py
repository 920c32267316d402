"""Runs what can go on beside the trainings, in threads that do not keep the program alive."""

from __future__ import annotations

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
