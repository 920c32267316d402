"""Sets the pieces of a report as PDF: each once, and several at a time."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import TracebackType

from reportgen.engine.background import end_with_parent, in_background
from reportgen.engine.executors import available_cores, deaf_children
from reportgen.engine.keys import files_fingerprint, versions
from reportgen.engine.shelf import Shelf
from reportgen.errors import RenderError
from reportgen.render import manuscript as render
from reportgen.render.manuscript import Manuscript

MOST_HELPERS = 3
"""A report has few long chapters; more processes would have nothing to set."""


class Press:
    """Sets manuscripts, and keeps what it set on a shelf.

    ``helpers`` processes help this one. They start with the context, so that they are ready when
    there is something to set, and end with it.
    """

    def __init__(self, shelf: Shelf, helpers: int = 0) -> None:
        self._shelf, self._helpers = shelf, helpers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Press:
        if self._helpers:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._helpers, spawn, end_with_parent)
            with deaf_children():
                for _ in range(self._helpers):
                    self._pool.submit(_make_ready)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def typeset(self, manuscripts: Sequence[Manuscript]) -> list[bytes]:
        """Each manuscript as PDF, from the shelf or set now. Raises RenderError."""
        keys = [_key(manuscript) for manuscript in manuscripts]
        found = {key: self._shelf.get(key) for key in keys}
        new = {m: k for k, m in zip(keys, manuscripts, strict=True) if found[k] is None}
        for manuscript, made in self._set(list(new)).items():
            self._shelf.put(new[manuscript], made)
            found[new[manuscript]] = made
        return [content for key in keys if (content := found[key]) is not None]

    def _set(self, manuscripts: Sequence[Manuscript]) -> dict[Manuscript, bytes]:
        """Each manuscript as PDF, set now: the longest by the helpers."""
        from reportgen.render import pdf

        waiting = deque(sorted(manuscripts, key=lambda m: len(m.html)))
        made: dict[Manuscript, bytes] = {}

        def set_here() -> None:
            with suppress(IndexError):
                while True:
                    manuscript = waiting.popleft()
                    made[manuscript] = pdf.typeset(manuscript)

        def hand_over(pool: ProcessPoolExecutor) -> None:
            while waiting:
                with suppress(IndexError):
                    manuscript = waiting.pop()
                    try:
                        with deaf_children():
                            setting = pool.submit(pdf.typeset, manuscript)
                        made[manuscript] = setting.result()
                    except BrokenProcessPool:  # it was ended from outside
                        waiting.append(manuscript)
                        return

        pools = [self._pool] * self._helpers if self._pool else []
        handing = [in_background(partial(hand_over, pool)) for pool in pools]
        set_here()
        for handed in handing:
            handed.result()
        set_here()  # what broken processes left
        return made


def helpers_here() -> int:
    """How many helpers this machine has room for, beside the process that has them."""
    return min(available_cores() - 1, MOST_HELPERS)


def _make_ready() -> None:
    """Load what sets manuscripts; what is missing is told by the process that has the helpers."""
    from reportgen.render import pdf

    with suppress(RenderError):
        pdf.pango_version()


def _key(manuscript: Manuscript) -> str:
    """What stands for a manuscript and all that decides how it is set."""
    return hashlib.sha256("\0".join([*manuscript, *_machinery()]).encode()).hexdigest()


@cache
def _machinery() -> list[str]:
    """The source and the libraries that set manuscripts."""
    source = Path(render.__file__).with_name("pdf.py")
    return [files_fingerprint([source]), *versions(("weasyprint", "pydyf", "fonttools")).values()]
