"""Watching: what counts as a source, and builds that follow what is saved."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reportgen import watch
from reportgen.registry import GROUP, Registry
from reportgen.watch import Watched

Start = Callable[..., "subprocess.Popen[str]"]
BUILD = ("build", "--watch", "--only", "toy", "--preset", "quick", "--format", "html")
PATIENCE = 60
"""Seconds after which a process that should have answered is taken for hung."""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """What is watched with an experiment in the package ``my_lab``, another in a lone module."""
    place = tmp_path / ".venv"
    (place / "my_lab" / "data" / "__pycache__").mkdir(parents=True)
    for name in ("my_lab/__init__.py", "my_lab/means.py", "my_lab/data/rows.csv", "lone.py"):
        (place / name).write_text("")
    monkeypatch.syspath_prepend(place)
    points = [
        EntryPoint("means", "my_lab.means:Means", GROUP),
        EntryPoint("lone", "lone:Lone", GROUP),
        EntryPoint("gone", "no_such_package:Gone", GROUP),
    ]
    monkeypatch.chdir(tmp_path)
    return watch.watched(Registry(points), None, Path(".venv/my_lab/build"))


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("reportgen.toml", True),
        (".venv/my_lab/means.py", True),
        (".venv/my_lab/data/rows.csv", True),
        (".venv/lone.py", True),
        ("notes.txt", False),
        (".venv/another.py", False),
        (".venv/my_lab/build/report.html", False),
        (".venv/my_lab/__pycache__/means.cpython-311.pyc", False),
        (".venv/my_lab/.means.py.swp", False),
        (".venv/my_lab/means.py~", False),
        (".venv/my_lab/#means.py#", False),
        (".venv/my_lab/4913", False),
        (".venv/my_lab/.git/index", False),
    ],
)
def test_sources_count_and_output_and_temporary_files_do_not(
    sources: Watched, tmp_path: Path, path: str, counts: bool
) -> None:
    assert sources.counts(tmp_path / path) is counts


def test_templates_and_the_engine_count(sources: Watched) -> None:
    engine = Path(watch.__file__).parent
    assert sources.counts(engine / "templates" / "report.css")
    assert sources.counts(engine / "render" / "html.py")
    assert {engine, engine / "templates", engine / "templates" / "fonts"} <= set(sources.folders())


def test_folders_are_those_of_sources_and_no_others(sources: Watched, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "my_lab" / "build" / "store").mkdir(parents=True)
    place = tmp_path / ".venv"
    found = {folder for folder in sources.folders() if folder.is_relative_to(tmp_path)}
    assert found == {tmp_path, place, place / "my_lab", place / "my_lab" / "data"}


def test_a_file_that_came_and_went_is_not_saved(sources: Watched, tmp_path: Path) -> None:
    package = tmp_path / ".venv" / "my_lab"
    batch = [
        ("added", package / "means.py.a7Bc"),
        ("deleted", package / "means.py.a7Bc"),
        ("modified", package / "means.py"),
        ("modified", package / "data"),
        ("modified", tmp_path / "notes.txt"),
        ("deleted", package / "old.py"),
    ]
    assert watch.saved(batch, sources) == [package / "means.py", package / "old.py"]


def test_each_build_gets_all_flags_but_watch() -> None:
    words = ["python", "/bin/reportgen", "build", "--watch", "--only", "toy", "-v"]
    assert watch.build_command(words) == [
        sys.executable, "/bin/reportgen", "build", "--only", "toy", "-v",
    ]  # fmt: skip


def test_a_failing_build_ends_nothing_and_only_the_first_report_is_fresh_and_opened(
    sources: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = [[], [tmp_path / "report.css"], [tmp_path / "a.py", tmp_path / "b.py"]]
    monkeypatch.setattr(watch, "changes", lambda sources: iter(saved))
    script = (
        "import os, sys; n = len(os.listdir()); open(f'{n} {sys.argv[1:]}', 'w'); sys.exit(2-n)"
    )
    (tmp_path / "builds").mkdir()
    monkeypatch.chdir(tmp_path / "builds")
    heard: list[str] = []
    watch.watch([sys.executable, "-c", script, "-v", "--fresh", "--open"], sources, heard.append)
    # The first ended with 2, without a report; the second with 1, with one that tells a failure.
    whole = "['-v', '--fresh', '--open']"
    assert sorted(os.listdir()) == [f"0 {whole}", f"1 {whole}", "2 ['-v']"]
    assert [line for line in heard if "changed" in line] == [
        "report.css changed: building again.",
        "a.py, b.py changed: building again.",
    ]


def until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines that the process prints until one has the text in it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"It ended without saying {text!r}: {lines}")


@pytest.fixture
def patient_start(start: Start) -> Iterator[Start]:
    """Starts ``reportgen``, and kills it if the test waits for it too long."""
    timers = []

    def patient(*words: str, fault: str = "") -> subprocess.Popen[str]:
        process = start(*words, fault=fault)
        timers.append(threading.Timer(PATIENCE, process.kill))
        timers[-1].start()
        return process

    yield patient
    for timer in timers:
        timer.cancel()


def test_a_saved_setting_builds_again_a_broken_one_is_told_and_ctrl_c_ends_with_130(
    patient_start: Start,
) -> None:
    config = Path("reportgen.toml")
    watching = patient_start(*BUILD)
    assert any("Done in" in line for line in until(watching, "Watching for changes"))

    config.write_text("[report\n")
    lines = until(watching, "Watching for changes")
    assert lines[0] == "reportgen.toml changed: building again.\n"
    assert any("is not valid TOML" in line for line in lines)

    Path("new.toml").write_text('[report]\ntitle = "As it was saved"\n')
    os.replace("new.toml", config)  # the way many editors save
    lines = until(watching, "Watching for changes")
    assert lines[0] == "reportgen.toml changed: building again.\n"
    assert any("Nothing to train" in line for line in lines)
    assert any("Done in" in line for line in lines)
    assert "As it was saved" in Path("build/report.html").read_text()

    watching.send_signal(signal.SIGINT)
    rest, _ = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 130
    assert rest == "No longer watching.\n"


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "kill"])
def test_ctrl_c_in_the_middle_of_a_build_ends_all_of_it(
    patient_start: Start, whole_group: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        port = server.getsockname()[1]
        watching = patient_start(*BUILD, fault=f"worker toy_arithmetic.step 1 wait:{port}")
        worker, _ = server.accept()
        with worker:
            worker.settimeout(PATIENCE)
            (os.killpg if whole_group else os.kill)(watching.pid, signal.SIGINT)
            assert worker.recv(1) == b""  # the worker is gone
    output, _ = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 130
    assert "Traceback" not in output
