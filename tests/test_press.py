"""The press: each manuscript is set once, wherever it is set."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reportgen.engine.shelf import Shelf
from reportgen.press import Press
from reportgen.render import pdf
from reportgen.render.manuscript import Manuscript

TEXTS = [
    Manuscript(f"<html lang=en><title>{i}</title><p id='p'>{'word ' * 9**i}", "p { color: red }")
    for i in range(4)
]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "derived")


def test_other_processes_set_the_same_bytes(shelf: Shelf) -> None:
    with Press(shelf, helpers=1) as press:
        made = press.typeset(TEXTS)
    assert made == [pdf.typeset(text) for text in TEXTS]


def test_what_was_set_is_not_set_again_unless_it_or_its_style_changed(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Press(shelf) as press:
        [first] = press.typeset(TEXTS[:1])
    calls: list[Manuscript] = []
    monkeypatch.setattr(pdf, "typeset", lambda text: calls.append(text) or b"new")
    restyled = TEXTS[0]._replace(css="p { color: blue }")
    with Press(shelf) as press:
        assert press.typeset([TEXTS[0], restyled, TEXTS[1], TEXTS[0]]) == [
            first,
            b"new",
            b"new",
            first,
        ]
    assert calls == [restyled, TEXTS[1]]


def test_a_process_that_is_ended_from_outside_loses_no_page(shelf: Shelf) -> None:
    def end_it() -> None:
        while not (press._pool and press._pool._processes):
            pass
        for process in list(press._pool._processes.values()):
            process.kill()

    with Press(shelf, helpers=1) as press:
        ending = threading.Thread(target=end_it)
        ending.start()
        made = press.typeset(TEXTS)
        ending.join()
    assert made == [pdf.typeset(text) for text in TEXTS]


def test_helpers_do_not_outlive_a_build_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from reportgen.engine.shelf import Shelf\n"
        "from reportgen.press import Press\n"
        "if __name__ == '__main__':\n"
        "    with Press(Shelf(Path('derived')), helpers=1) as press:\n"
        "        press._pool.submit(os.getpid).result()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "build.py").write_text(code)
    build = subprocess.Popen(
        [sys.executable, "build.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    build.communicate(timeout=60)  # until the last process that could write is gone
    assert build.returncode == -signal.SIGKILL
