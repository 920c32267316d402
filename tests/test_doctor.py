"""The doctor says what is missing, and what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reportgen import doctor
from reportgen.engine import devices
from reportgen.experiment import DataOptions
from reportgen.registry import Registry
from reportgen.render import pdf
from reportgen.render.pdf import PangoMissing


def examine(
    toys: Registry, directory: Path | None = None, device: str = "auto"
) -> dict[str, doctor.Check]:
    options = DataOptions("auto", directory, Path("cache"))
    return {check.name: check for check in doctor.examine(toys, options, Path("build"), device)}


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


@pytest.mark.parametrize(
    ("visible", "cuda", "usable", "device", "ok", "detail"),
    [
        (False, False, False, "auto", None, "none is visible; trainings run on the processor"),
        (False, False, False, "gpu", False, "none is visible"),
        (True, True, True, "auto", True, "NVIDIA A100; trainings run on it, one at a time"),
        (True, True, True, "cpu", None, "trainings run on the processor, as asked for"),
        (True, False, False, "auto", None, "TensorFlow is without CUDA; run 'pip install"),
        (True, True, False, "auto", False, "TensorFlow can't use it; run 'pip install"),
        (True, False, True, "gpu", True, "NVIDIA A100"),
    ],
)
def test_a_gpu_is_told_with_whether_it_will_be_used(
    monkeypatch: pytest.MonkeyPatch,
    tensorflow: Any,
    visible: bool,
    cuda: bool,
    usable: bool,
    device: str,
    ok: bool | None,
    detail: str,
) -> None:
    tensorflow(0 if usable else 1, "NVIDIA A100\n" if usable else "", "")
    monkeypatch.setattr(devices, "gpu_is_visible", lambda: visible)
    monkeypatch.setattr(devices, "cuda_is_installed", lambda: cuda)
    check = doctor._gpu(device)
    assert check.ok is ok
    assert detail in check.detail


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
