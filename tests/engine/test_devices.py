"""Which device trainings run on, on machines that have or lack a GPU, as far as they tell."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from reportgen.build import jobs_of
from reportgen.engine import devices
from reportgen.engine.progress import Observer
from reportgen.engine.run import local_executors, plan
from reportgen.engine.run import run as carry_out
from reportgen.engine.store import Store
from reportgen.errors import RequestError
from reportgen.experiment import DataOptions, Trial
from reportgen.registry import Registry
from reportgen.settings import load

Run = Callable[..., Any]
BUILD = ("build", "--format", "html", "--only", "toy")
LISTED = "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5f7b)"
WANTED = ['nvidia-cudnn-cu12<10.0,>=9.3; extra == "and-cuda"', "numpy>=1.26"]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a ``nvidia-smi`` that says this, and let programs use all GPUs."""

    def install(says: str = LISTED, code: int = 0) -> None:
        folder = tmp_path / "driver"
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

    return install


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what TensorFlow asks for on a GPU be installed."""
    monkeypatch.setattr(devices, "requires", lambda name: WANTED)
    monkeypatch.setattr(devices, "version", lambda name: "9.3")


def ingredients(out: str = "build") -> list[dict[str, Any]]:
    """What the kept trainings were made of."""
    files = sorted(Path(out, "store").glob("toy-*/trial.json"))
    return [json.loads(file.read_text())["ingredients"] for file in files]


# ---------------------------------------------------------------------------------- detection


def test_a_machine_without_the_driver_has_no_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not devices.gpu_is_visible()


def test_a_gpu_that_the_driver_lists_is_visible(driver: Callable[..., None]) -> None:
    driver()
    assert devices.gpu_is_visible()


@pytest.mark.parametrize(
    ("says", "code"),
    [("No devices were found", 0), ("NVIDIA-SMI has failed because of the driver", 9)],
)
def test_a_driver_that_lists_no_gpu_means_none(
    driver: Callable[..., None], says: str, code: int
) -> None:
    driver(says, code)
    assert not devices.gpu_is_visible()


@pytest.mark.parametrize(
    ("allowed", "visible"),
    [
        ("", False),
        ("-1", False),
        ("NoDevFiles", False),
        ("0", True),
        ("2,3", True),
        ("GPU-5", True),
    ],
)
def test_cudas_variable_can_hide_the_gpus(
    driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch, allowed: str, visible: bool
) -> None:
    driver()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert devices.gpu_is_visible() is visible


def test_cuda_is_installed_only_if_all_is_that_tensorflow_asks_for(
    cuda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert devices.cuda_is_installed()

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(devices, "version", missing)
    assert not devices.cuda_is_installed()


@pytest.mark.usefixtures("cuda")
def test_auto_takes_a_gpu_that_tensorflow_can_use(driver: Callable[..., None]) -> None:
    driver()
    assert devices.settled("auto") == "gpu"


def test_auto_stays_on_the_processor_where_cuda_is_not_installed(
    driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver()
    monkeypatch.setattr(devices, "requires", lambda name: ["numpy>=1.26"])
    assert devices.settled("auto") == "auto"


def test_the_processor_is_taken_where_it_is_asked_for(driver: Callable[..., None]) -> None:
    driver()
    assert devices.settled("cpu") == "cpu"


def test_a_gpu_that_is_not_there_is_told_with_what_to_do() -> None:
    with pytest.raises(RequestError, match=r"expected an NVIDIA GPU .* or give --device cpu\.$"):
        devices.settled("gpu")


def test_a_worker_gets_the_first_gpu_that_it_may_use_and_memory_as_it_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    found = devices.variables("gpu")
    assert found["CUDA_VISIBLE_DEVICES"] == "2"
    assert found["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.variables("gpu")["CUDA_VISIBLE_DEVICES"] == "0"


# -------------------------------------------------------------------------------------- builds


def test_on_a_gpu_one_model_is_trained_at_a_time(toys: Registry) -> None:
    flags = {"build.jobs": 4}
    assert jobs_of(load(toys, flags=flags)) == 4
    assert jobs_of(load(toys, flags=flags | {"build.device": "gpu"})) == 1


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("jobs", "told"), [("4", True), ("1", False)])
def test_more_jobs_than_a_gpu_takes_are_told(
    run: Run, driver: Callable[..., None], jobs: str, told: bool
) -> None:
    driver()
    ran = run(*BUILD, "--device", "gpu", "--jobs", jobs)
    assert ran.code == 0, ran.err
    note = f"On a GPU, one model is trained at a time, not {jobs} (--jobs)."
    assert (note in ran.err) is told


@pytest.mark.usefixtures("toys", "cuda")
def test_a_report_that_auto_made_on_a_gpu_names_it_in_its_command(
    run: Run, driver: Callable[..., None]
) -> None:
    driver()
    run(*BUILD)
    command = json.loads(Path("build/results.json").read_text())["command"]
    assert command == "reportgen build --only toy --device gpu"
    assert [parts["device"] for parts in ingredients()] == ["gpu"] * 2


@pytest.mark.usefixtures("toys")
def test_trainings_of_both_devices_are_kept_side_by_side(
    run: Run, driver: Callable[..., None]
) -> None:
    driver()
    run(*BUILD, "--device", "cpu")
    ran = run(*BUILD, "--device", "gpu")
    assert "mean, size 2 (and 1 more): device cpu → gpu\n" in ran.err
    for device in ("cpu", "gpu"):
        assert "2 trained models are kept" in run(*BUILD, "--device", device, "--explain").out


@pytest.mark.usefixtures("toys")
def test_a_report_from_a_gpu_is_verified_where_there_is_none(
    run: Run, driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver()
    run(*BUILD, "--device", "gpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    ran = run("verify")
    assert ran.code == 0, ran.err


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--device", "gpu"], "--device gpu: expected an NVIDIA GPU"),
        (["--device", "gpus"], "out of auto, cpu, gpu, got 'gpus'. Did you mean 'gpu'?"),
        (
            ["--device", "gpu", "--cluster", "tcp://127.0.0.1:1"],
            "on the processors of its workers only; leave one of the two out",
        ),
    ],
)
def test_a_device_that_cant_be_had_is_told_before_anything_is_written(
    run: Run, words: list[str], message: str
) -> None:
    ran = run(*BUILD, *words)
    assert ran.code == 2
    assert message in ran.err
    assert not Path("build/results.json").exists()


# ------------------------------------------------------------------------------------- workers


@pytest.mark.parametrize(("device", "seen"), [("cpu", ["cpu", "-1"]), ("gpu", ["gpu", "2"])])
def test_a_training_is_told_its_device_and_sees_no_other(
    toys: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, seen: list[str]
) -> None:
    (tmp_path / "seeing.py").write_text(
        "import os\nfrom reportgen.experiment import TrialResult\n"
        "def train(params, seed, dataset, context):\n"
        "    seen = [context.device, os.environ['CUDA_VISIBLE_DEVICES']]\n"
        "    return TrialResult({'loss': [0.0]}, {'seen': seen})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    dataset = toys["toy"].source.prepare(DataOptions("sample", None, tmp_path / "cache"))
    trial = Trial("toy", "seeing:train", {}, 0, "seeing")
    store = Store(tmp_path / "store")
    planned = plan([(trial, dataset)], store, Observer(), device=device)
    executors = local_executors(1, 1, tmp_path / "log.txt", device)
    outcome = carry_out(planned, store, executors, Observer())
    assert outcome.entries[trial].result.scalars["seen"] == seen
