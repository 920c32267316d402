"""What is set as PDF by itself, and how it links to the rest of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

OUTWARD = "report:"
"""In place of ``#``, begins a link to an id that stands in another manuscript."""


class Manuscript(NamedTuple):
    """HTML, and the style sheet that goes with it."""

    html: str
    css: str


Typeset = Callable[[Sequence[Manuscript]], Sequence[bytes]]
"""Sets manuscripts as PDF, each by itself; see :func:`reportgen.render.pdf.typeset`."""
