"""Building again: what is made anew after which change, and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from reportgen import build, chapters, documents
from reportgen.render import figures

Run = Callable[..., Any]
TOY = Path(__file__).parent / "toy"
NAMES = ("results.json", "report.html", "report.pdf", "figures/toy-losses.svg")
UNCHANGED = "Nothing changed: the report is as it was."
pytestmark = pytest.mark.usefixtures("toys")


def contents() -> dict[str, bytes]:
    return {name: Path("build", name).read_bytes() for name in NAMES}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the figures that are drawn from now on."""
    found = []
    draw = figures.svg

    def svg(figure: Any) -> str:
        found.append(figure.id)
        return draw(figure)

    monkeypatch.setattr(figures, "svg", svg)
    return found


def test_a_build_from_which_nothing_changed_writes_nothing(run: Run, drawn: list[str]) -> None:
    run("build")
    first, times = contents(), {n: Path("build", n).stat().st_mtime_ns for n in NAMES}
    drawn.clear()
    ran = run("build")
    assert UNCHANGED in ran.err
    assert contents() == first
    assert {n: Path("build", n).stat().st_mtime_ns for n in NAMES} == times
    assert drawn == []
    assert "build/report.pdf" in ran.out
    assert "sample data" in ran.out


def test_a_build_from_which_nothing_changed_loads_nothing_heavy(run: Run) -> None:
    run("build", "--format", "html")
    code = (
        "import runpy, sys\n"
        "sys.argv = ['reportgen', 'build', '--format', 'html']\n"
        "try:\n"
        "    runpy.run_path(sys.path[1] + '/toy_command.py', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print('code', end.code)\n"
        "heavy = 'tensorflow keras matplotlib weasyprint jinja2 scipy sklearn'\n"
        "print([name for name in heavy.split() if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{TOY}{os.pathsep}{TOY.parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-c", code.replace("sys.path[1]", repr(str(TOY)))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert UNCHANGED in done.stderr
    assert done.stdout.splitlines()[-2:] == ["code 0", "[]"]


def test_the_day_is_that_of_the_last_change_unless_one_is_given(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("build", "--format", "html")
    monkeypatch.setattr("reportgen.build._today", lambda: "1 January 2100")
    assert UNCHANGED in run("build", "--format", "html").err
    run("build", "--format", "html", "--title", "Another")
    assert json.loads(Path("build/results.json").read_text())["identity"]["date"] == (
        "1 January 2100"
    )


def test_a_new_title_trains_and_draws_nothing(run: Run, drawn: list[str]) -> None:
    run("build")
    first = contents()
    drawn.clear()
    ran = run("build", "--title", "Another title")
    assert "Nothing to train: 3 trained models are kept." in ran.err
    assert UNCHANGED not in ran.err
    assert drawn == []
    assert b"Another title" in Path("build/report.html").read_bytes()
    assert contents()["report.pdf"] != first["report.pdf"]
    assert contents()["figures/toy-losses.svg"] == first["figures/toy-losses.svg"]


def test_another_way_to_draw_draws_again_and_trains_nothing(
    run: Run, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("build", "--format", "html")
    drawn.clear()
    monkeypatch.setattr(chapters, "_pens", lambda: "another style of figures")
    ran = run("build", "--format", "html", "--title", "So that it is written again")
    assert "Nothing to train" in ran.err
    assert drawn


def test_another_chapter_text_is_told_again_without_training(
    run: Run, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("build", "--format", "html")
    drawn.clear()
    monkeypatch.setattr(chapters, "_code", lambda module: f"other code in {module}")
    ran = run("build", "--format", "html")
    assert "Nothing to train" in ran.err
    assert UNCHANGED not in ran.err
    assert drawn == []  # the figures came out the same


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_or_missing_file_of_the_report_is_written_again(run: Run, name: str) -> None:
    run("build")
    first = contents()
    path = Path("build", name)
    path.write_bytes(b"damaged")
    assert UNCHANGED not in run("build").err
    assert contents() == first
    path.unlink()
    run("build")
    assert contents() == first


def test_another_format_is_not_nothing(run: Run) -> None:
    run("build", "--format", "html")
    assert UNCHANGED not in run("build").err
    assert Path("build/report.pdf").exists()


def test_fresh_trains_everything_again_to_the_same_numbers(run: Run) -> None:
    run("build", "--format", "html")
    tables = json.loads(Path("build/results.json").read_text())["experiments"]["toy"]["tables"]
    ran = run("build", "--format", "html", "--fresh")
    assert "Training 3 models." in ran.err
    again = json.loads(Path("build/results.json").read_text())["experiments"]["toy"]["tables"]
    assert again["errors"] == tables["errors"]
    assert "Nothing to train: 3" in run("build", "--format", "html").err


def test_a_build_in_which_something_failed_is_not_taken_for_unchanged(run: Run) -> None:
    words = ("build", "--format", "html", "--set", "toy.rule=crash")
    assert run(*words).code == 1
    ran = run(*words)
    assert ran.code == 1
    assert UNCHANGED not in ran.err


def test_chapters_are_set_in_reading_order_before_the_report_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[list[str]] = []
    both = threading.Event()

    def prepare(sections: Sequence[Any], formats: object, shelf: object) -> None:
        ahead.append([section.experiment for section in sections])
        if len(sections) == 2:
            both.set()

    def train(*given: Any, **named: Any) -> Any:
        outcome = run_trials(*given, **named)
        assert both.wait(60)
        return outcome

    run_trials = build.run
    monkeypatch.setattr(documents, "prepare", prepare)
    monkeypatch.setattr(build, "run", train)
    assert run("build", "--format", "html").code == 0
    assert ahead[-1] == ["toy", "other"]
    assert all(names == ahead[-1][: len(names)] for names in ahead)
