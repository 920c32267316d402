"""The doctor says what is missing, and what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reportgen import doctor
from reportgen.experiment import DataOptions
from reportgen.registry import Registry
from reportgen.render import pdf
from reportgen.render.pdf import PangoMissing


def examine(toys: Registry, directory: Path | None = None) -> dict[str, doctor.Check]:
    options = DataOptions("auto", directory, Path("cache"))
    return {check.name: check for check in doctor.examine(toys, options, Path("build"))}


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str, str], None]:
    """Let the process that imports TensorFlow end so."""

    def end(code: int, out: str, err: str) -> None:
        done = SimpleNamespace(returncode=code, stdout=out, stderr=err)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    return end


def test_a_machine_with_everything_has_no_faults(toys: Registry, tensorflow: Any) -> None:
    tensorflow(0, "2.21.0 3.15.1\n", "")
    checks = examine(toys)
    assert all(check.ok is not False for check in checks.values())
    assert checks["TensorFlow"].detail == "2.21.0, Keras 3.15.1"
    assert checks["Data numbers"].ok is None
    assert "reportgen data fetch" in checks["Data numbers"].detail


def test_data_that_are_there_are_named(toys: Registry, tensorflow: Any, tmp_path: Path) -> None:
    tensorflow(0, "2.21.0 3.15.1\n", "")
    (tmp_path / "numbers.txt").write_text("1 2")
    assert examine(toys, tmp_path)["Data numbers"].ok


def test_a_tensorflow_that_cannot_be_imported_is_told(toys: Registry, tensorflow: Any) -> None:
    tensorflow(1, "", "Traceback\nModuleNotFoundError: No module named 'tensorflow'\n")
    check = examine(toys)["TensorFlow"]
    assert check.ok is False
    assert "No module named 'tensorflow'; run 'pip install tensorflow'" in check.detail


def test_a_missing_pango_is_told(
    toys: Registry, tensorflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise PangoMissing("Install Pango.")

    tensorflow(0, "2.21.0 3.15.1\n", "")
    monkeypatch.setattr(pdf, "pango_version", missing)
    assert examine(toys)["Pango"] == doctor.Check("Pango", False, "Install Pango.")


def test_a_full_disk_is_told(
    toys: Registry, tensorflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensorflow(0, "2.21.0 3.15.1\n", "")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    checks = examine(toys)
    assert checks["Disk (output)"].ok is False
    assert "0.5 GiB" in checks["Disk (output)"].detail


def test_the_real_tensorflow_is_found(toys: Registry) -> None:
    assert doctor._tensorflow().ok
