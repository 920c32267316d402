"""Threads beside the trainings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reportgen.engine.background import in_background


def test_a_future_brings_what_was_returned_or_raised() -> None:
    assert in_background(lambda: 3).result() == 3
    with pytest.raises(ZeroDivisionError):
        in_background(lambda: 1 / 0).result()


def test_the_program_does_not_wait_for_what_nobody_needs_any_more() -> None:
    code = (
        "import threading\n"
        "from reportgen.engine.background import in_background\n"
        "in_background(threading.Event().wait)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
