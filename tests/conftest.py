"""What all tests share: a toy experiment, a way to run the command line, no traces at home."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reportgen import cli, registry

TOY = Path(__file__).parent / "toy"


@pytest.fixture(autouse=True, scope="session")
def _hear_ctrl_c() -> None:
    """Hear Ctrl-C, which a shell lets those ignore that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _font_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep matplotlib's list of fonts for the whole session, out of each test's own home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


@pytest.fixture(autouse=True)
def _clean_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder of its own, without the user's caches, settings and GPU."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KERAS_HOME", str(home / ".keras"))
    monkeypatch.setenv("REPORTGEN_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("DATA", "DATA_DIR", "OUT", "PRESET", "SEED", "JOBS", "DEVICE", "CLUSTER"):
        monkeypatch.delenv(f"REPORTGEN_{name}", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[registry.Registry]:
    """The toy experiments as the installed ones, in this process and in workers."""
    monkeypatch.syspath_prepend(TOY)
    points = [
        EntryPoint("toy", "toy_experiment:ToyExperiment", registry.GROUP),
        EntryPoint("other", "toy_experiment:OtherExperiment", registry.GROUP),
    ]
    found = registry.Registry(points)
    monkeypatch.setattr(registry, "installed", lambda: found)
    yield found
    for name in [name for name in sys.modules if name.startswith("toy_")]:
        del sys.modules[name]


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``reportgen`` with these words, in this process."""

    def reportgen(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["reportgen", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ran(code, out, err)

    return reportgen


Start = Callable[..., "subprocess.Popen[str]"]
"""Starts ``reportgen`` with these words in a process of its own; ``fault`` as in the toy."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start ``reportgen`` on the toy alone; what still runs when the test ends is killed."""
    started = []

    def reportgen(*words: str, fault: str = "") -> subprocess.Popen[str]:
        path = os.pathsep.join([str(TOY), str(TOY.parents[1])])
        process = subprocess.Popen(
            [sys.executable, str(TOY / "toy_command.py"), *words],
            env={**os.environ, "PYTHONPATH": path} | ({"TOY_FAULT": fault} if fault else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield reportgen
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
