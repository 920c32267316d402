"""``reportgen build --explain`` as its users meet it, on the toy experiments."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from reportgen.engine import keys
from reportgen.engine.progress import LiveObserver
from reportgen.engine.store import Store

Run = Callable[..., Any]
ROOT = Path(__file__).parents[1]
BUILD = ("build", "--format", "html", "--only", "toy")
EXPLAIN = (*BUILD, "--explain")


@pytest.fixture
def toy_copy(toys: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the toy's source that a test may edit, found before the original."""
    folder = tmp_path / "toy"
    shutil.copytree(ROOT / "tests" / "toy", folder)
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def built(run: Run, toy_copy: Path) -> None:
    """A build of the toy with both of its sizes."""
    ran = run(*BUILD)
    assert ran.code == 0, ran.err


def state(folder: str) -> dict[Path, tuple[int, bytes]]:
    """Every file with its time and contents."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.usefixtures("toys")
def test_before_the_first_build_every_training_is_new_and_nothing_is_written(run: Run) -> None:
    ran = run("build", "--explain")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "▸ mean, size 2  will be trained",
        "    never trained before",
        "▸ mean, size 3  will be trained",
        "    never trained before",
        "▸ own           will be trained",
        "    never trained before",
        "A build would train 3 models.",
    ]
    assert not Path("build").exists()


@pytest.mark.usefixtures("toys")
def test_only_names_who_needs_a_training_and_what_is_left_out(run: Run) -> None:
    ran = run("build", "--explain", "--only", "other")
    assert "    needed by other" in ran.out.splitlines()
    assert ran.out.endswith("Left out by --only: toy.\n")


@pytest.mark.usefixtures("built")
def test_after_a_build_all_is_kept_and_explaining_changes_no_file(run: Run) -> None:
    before = state("build")
    ran = run(*EXPLAIN)
    assert ran.out.splitlines()[:3] == [
        "✓ mean, size 2  kept, unchanged",
        "✓ mean, size 3  kept, unchanged",
        "Nothing to train: 2 trained models are kept.",
    ]
    assert run(*EXPLAIN, "--set", "toy.epochs=4").code == 0
    assert state("build") == before


@pytest.mark.usefixtures("built")
def test_what_was_changed_on_the_command_line_is_the_reason(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("4\n5\n")
    for words, reason in [
        (["--set", "toy.epochs=4"], "toy.epochs 3 → 4"),
        (["--set", "toy.sizes=2,3,8"], "new: toy.sizes has 8 now"),
        (["--seed", "7"], "seed 0 → 7"),
        (["--data-dir", str(tmp_path)], "data: numbers changed (fingerprint "),
    ]:
        ran = run(*EXPLAIN, *words)
        assert f"will be trained\n    {reason}" in ran.out, words


@pytest.mark.usefixtures("built")
def test_changed_code_libraries_and_files_are_the_reason(
    run: Run, toy_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = sorted(Path("build/store").glob("toy-*"))
    (entries[0] / "arrays.npz").write_bytes(b"")
    ran = run(*EXPLAIN)
    assert ran.err == ""
    assert f"    {entries[0]}/arrays.npz is damaged: its checksum differs\n" in ran.out
    assert "1 kept" in ran.out
    with monkeypatch.context() as patch:
        patch.setattr(keys, "_version", lambda name: "99.0")
        assert " → 99.0\n" in run(*EXPLAIN).out
    code = toy_copy / "toy_training.py"
    code.write_text(code.read_text() + "\nTRIES = 2\n")
    assert run(*EXPLAIN).out.count("    toy_training.py changed\n") == 2


@pytest.mark.usefixtures("built")
def test_explaining_does_not_wait_for_another_build(run: Run) -> None:
    with Store(Path("build/store")).lock():
        assert run(*BUILD).code == 2
        assert run(*EXPLAIN).code == 0


@pytest.mark.usefixtures("built")
def test_a_build_says_shortly_why_it_trains_again(run: Run) -> None:
    ran = run(*BUILD, "--set", "toy.epochs=4")
    said = "Training 2 models.\n  mean, size 2 (and 1 more): toy.epochs 3 → 4\n"
    assert said in ran.err
    ran = run(*BUILD, "--set", "toy.epochs=4")
    assert "Nothing to train: 2 trained models are kept.\n" in ran.err
    assert "toy.epochs" not in ran.err


def test_a_terminal_shows_the_reasons_under_the_plan() -> None:
    shown = io.StringIO()
    with LiveObserver(Console(file=shown, width=80), 1) as observer:
        observer.explained(["mean, size 2: toy.rate 0.5 → 0.25"])
        observer.planned([], kept=1)
    assert shown.getvalue().splitlines()[1] == "  mean, size 2: toy.rate 0.5 → 0.25"


def test_explaining_the_real_experiments_loads_no_tensorflow_and_no_renderer() -> None:
    code = (
        "import atexit, sys\n"
        "from reportgen import cli\n"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}))\n"
        "sys.argv = 'reportgen build --explain --data sample'.split()\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *told, loaded = done.stdout.splitlines()
    assert told.count("    never trained before") >= 6
    heavy = {"tensorflow", "keras", "matplotlib", "weasyprint", "sklearn", "jinja2"}
    assert "experiments" in loaded.split()
    assert not heavy & set(loaded.split())
