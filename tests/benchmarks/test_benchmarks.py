"""The benchmarks' own arithmetic: what a short run is, what is kept, what is called better."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
ROWS = ("build", "three_seeds", "unchanged", "title", "template", "help", "overhead", "workers")
ROWS += ("memory",)
"""The figures in the order of the README's table."""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Import a benchmark's module by its name, as its neighbours do."""
    here = Path(__file__).parent
    monkeypatch.syspath_prepend(here)
    yield importlib.import_module
    for name in ("workload", "measuring", "side_by_side", "daily"):
        sys.modules.pop(name, None)


@pytest.fixture
def measuring(load) -> ModuleType:
    return load("measuring")


@pytest.fixture
def side_by_side(load) -> ModuleType:
    return load("side_by_side")


@pytest.fixture
def daily(load) -> ModuleType:
    return load("daily")


@pytest.mark.parametrize(("epochs", "examples"), [(50, 55_000), (5, 22_500), (4, 22_500)])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.1, 0.02])
def test_a_short_run_does_its_share_of_the_work(
    load, epochs: int, examples: int, scale: float
) -> None:
    fewer, fitted = load("workload").scaled(epochs, examples, scale)
    assert 1 <= fewer <= epochs
    assert fitted <= examples
    assert fewer * fitted == pytest.approx(epochs * examples * scale, rel=0.01)


def test_a_full_run_changes_no_setting_and_a_short_one_changes_existing_ones(side_by_side) -> None:
    assert side_by_side.scaled_settings(1) == {}
    from experiments.autoencoder import AutoencoderSettings
    from experiments.denoising import DenoisingSettings
    from experiments.lstm import LstmSettings

    short = side_by_side.scaled_settings(0.1)
    kinds = {"autoencoder": AutoencoderSettings, "denoising": DenoisingSettings}
    kinds["lstm"] = LstmSettings
    for name, value in short.items():
        experiment, _, field = name.partition(".")
        assert isinstance(getattr(kinds[experiment](), field), int)
        assert value >= 1
    assert {name.partition(".")[0] for name in short} == set(kinds)


def test_higher_accuracy_and_lower_error_are_better(side_by_side) -> None:
    plain = {
        "autoencoder": {"32": {"test_mse": 0.02, "test_bce": 0.1}},
        "denoising": {"noisy input": {"test_mse": 0.115}},
        "lstm": {"0.5": {"accuracy": 0.86, "precision": 0.9}, "0.25": {"accuracy": 0.8}},
    }
    own = {
        "autoencoder": {"32": {"test_mse": 0.01, "test_bce": 0.2}},
        "denoising": {"noisy input": {"test_mse": 0.114}},
        "lstm": {"0.5": {"accuracy": 0.88, "precision": 0.8}},
    }
    verdicts = {m.name: m.verdict for m in side_by_side.compared(plain, own)}
    assert verdicts == {
        "autoencoder 32: test_mse": "better",
        "autoencoder 32: test_bce": "WORSE",
        "denoising noisy input: test_mse": "",
        "lstm 0.5: accuracy": "better",
        "lstm 0.5: precision": "",
    }


def test_measuring_again_replaces_that_figure_alone(measuring, tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.json"
    old, new = {"commit": "old"}, {"commit": "new"}
    measuring.keep(path, {"help": measuring.Figure(0.2, {"seconds": [0.2]})}, old)
    measuring.keep(path, {"workers": measuring.Figure(1.9, {})}, old)
    measuring.keep(path, {"help": measuring.Figure(0.1, {"seconds": [0.1]})}, new)
    figures = measuring.json.loads(path.read_text("utf-8"))["figures"]
    assert {name: (f["value"], f["reached"]) for name, f in figures.items()} == {
        "help": (0.1, True),
        "workers": (1.9, True),
    }
    assert figures["help"]["raw"] == {"seconds": [0.1]}
    assert {name: f["machine"] for name, f in figures.items()} == {"help": new, "workers": old}


def test_a_goal_is_missed_on_its_wrong_side(measuring) -> None:
    goals = measuring.GOALS
    assert goals["build"].reached_by(0.2)
    assert not goals["build"].reached_by(0.21)
    assert not goals["workers"].reached_by(1.79)


def test_a_command_is_measured_with_the_processes_that_it_starts(measuring, tmp_path) -> None:
    child = "import time; a = bytearray(80 << 20); t = time.process_time\nwhile t() < 0.8: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    run = measuring.measured([sys.executable, "-c", parent], tmp_path / "log")
    assert run.cpu_seconds >= 0.8
    if Path("/proc/self/smaps_rollup").exists():
        assert run.peak_bytes is not None
        assert run.peak_bytes > 80 << 20


def test_a_failing_command_ends_the_benchmark_with_what_it_said(measuring, tmp_path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such data')"]
    with pytest.raises(SystemExit, match="no such data"):
        measuring.measured(command, tmp_path / "log")


def test_training_is_the_span_from_the_first_start_to_the_last_end(measuring) -> None:
    def training(wall: float, finished: float) -> object:
        return measuring.Trained("", {}, 1, {}, wall, wall, finished)

    assert measuring.training_span([training(30, 140), training(50, 155)]) == (105, 155)


def test_a_training_of_an_earlier_build_is_not_counted(measuring, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "toy-1"
    folder.mkdir(parents=True)
    record = {
        "label": "toy",
        "ingredients": {"params": {}},
        "history": {"loss": [1.0, 0.5]},
        "scalars": {},
        "cost": {"wall_seconds": 3.0, "cpu_seconds": 2.0, "threads": 1},
    }
    (folder / "trial.json").write_text(measuring.json.dumps(record), "utf-8")
    os.utime(folder / "trial.json", (1000, 1000))
    [found] = measuring.trained(tmp_path)
    assert (found.label, found.epochs, found.finished) == ("toy", 2, 1000)
    assert measuring.trained(tmp_path, since=1001) == []


def test_a_baseline_has_no_epochs(measuring, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "toy-1"
    folder.mkdir(parents=True)
    cost = {"wall_seconds": 3.0, "cpu_seconds": 2.0, "threads": 1}
    record = {"label": "mean", "ingredients": {"params": {}}, "history": {}, "scalars": {}}
    (folder / "trial.json").write_text(measuring.json.dumps(record | {"cost": cost}), "utf-8")
    [found] = measuring.trained(tmp_path)
    assert (found.label, found.epochs, found.cpu_seconds) == ("mean", 0, 2.0)


def test_operations_count_six_a_weight_but_four_in_an_autoencoders_first_layer(
    measuring, daily
) -> None:
    layers = [{"units": units} for units in (784, 32, 784)]
    dense = measuring.Trained(
        "",
        {"latent_dim": 32, "batch_size": 100},
        2,
        {"layers": layers, "training_images": 1050, "batches_per_epoch": 10},
        1,
        1,
        0,
    )
    assert daily.operations(dense) == 2 * 1000 * (4 + 6) * 784 * 32
    reviews = {"fitted": {"reviews": 10, "mean_words_kept": 200.0}}
    lstm = measuring.Trained("", {"embedding_dim": 128, "units": 64}, 3, reviews, 1, 1, 0)
    assert daily.operations(lstm) == 3 * 10 * 200 * 6 * (128 + 64) * 256


def test_the_interpreters_report_names_the_packages_that_were_imported(daily) -> None:
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       100 |        200 |   matplotlib.figure\n"
        "import time:        10 |         20 | json\n"
        "Done in 1 s: tensorflow\n"
    )
    assert {"matplotlib", "json"} <= daily.packages_in(text)
    assert "tensorflow" not in daily.packages_in(text)


def test_the_readme_tells_the_kept_figures_and_their_goals(measuring) -> None:
    root = Path(__file__).parents[2]
    kept = json.loads((root / "benchmarks.json").read_text("utf-8"))["figures"]
    rows = re.findall(r"^\| (.+?) \| ([\d.]+).* \| ([≤≥] [\d.]+).* \|$", README, re.MULTILINE)
    table = {what: (float(value), goal) for what, value, goal in rows}
    assert len(table) == len(measuring.GOALS)
    for name, (value, goal) in zip(ROWS, table.values(), strict=True):
        assert value == pytest.approx(kept[name]["value"], abs=0.005), name
        assert str(measuring.GOALS[name]).startswith(goal), name
