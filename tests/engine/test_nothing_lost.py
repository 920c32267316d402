"""Nothing is lost: builds that are killed, doubled or found damaged, and what comes after them."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen import registry, settings
from reportgen.engine import store as storage
from reportgen.engine.progress import Observer
from reportgen.engine.run import local_executors, plan, run
from reportgen.engine.store import Cost, Entry, Store
from reportgen.experiment import Checkpoint, DataOptions, Json, Trial, TrialResult

Run = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]

EPOCHS = 4
BUILD = ("build", "--only", "toy", "--set", f"toy.epochs={EPOCHS}", "--set", "toy.sizes=3")
BUILD += ("--format", "html", "--date", "today", "--jobs", "1", "-v")
TIMES = ("wall_seconds", "cpu_seconds")
PATIENCE = 60
"""Seconds after which a process that should have answered is taken for hung."""


def timeless(value: Json) -> Json:
    """A JSON value without the times in it."""
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name not in TIMES}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def left_by_build() -> dict[str, Any]:
    """What a build left in the working folder, but for times; floats compare by every bit."""
    left = {"results.json": timeless(json.loads(Path("build/results.json").read_text()))}
    for folder in sorted(Path("build/store").glob("toy-*")):
        left[f"{folder.name}/record"] = timeless(json.loads((folder / "trial.json").read_text()))
        with np.load(folder / "arrays.npz") as arrays:
            left |= {f"{folder.name}/{name}": arrays[name].tobytes() for name in arrays.files}
    return left


def leftovers() -> list[Path]:
    """What only a build in progress has in its store."""
    store = Path("build/store")
    return [*store.glob(".*"), *store.glob("running/*"), *store.glob("running/.*")]


@pytest.fixture
def uninterrupted(toys: object, run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the build leaves if nobody disturbs it."""
    Path("uninterrupted").mkdir()
    with monkeypatch.context() as patch:
        patch.chdir("uninterrupted")
        assert run(*BUILD).code == 0
        return left_by_build()


# ------------------------------------------------------------------------------------- kill -9


@pytest.mark.parametrize(
    ("fault", "first_epoch"),
    [
        pytest.param("worker toy_arithmetic.step 3 die", 3, id="in an epoch"),
        pytest.param("worker os.fsync 10 die", 3, id="writing a checkpoint"),
        pytest.param("worker pathlib.Path.rename 3 die", 3, id="between a checkpoint's renames"),
        pytest.param("parent os.fsync 2 die", None, id="writing a trial"),
        pytest.param("parent os.fsync 4 die", None, id="after a trial was written"),
    ],
)
def test_a_killed_build_loses_at_most_the_epoch_in_progress(
    uninterrupted: dict[str, Any], run: Run, start: Start, fault: str, first_epoch: int | None
) -> None:
    killed = start(*BUILD, fault=fault)
    output, _ = killed.communicate(timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL, output
    assert not Path("build/results.json").exists()
    assert leftovers()

    ran = run(*BUILD)
    assert ran.code == 0, ran.err
    assert "Warning" not in ran.err
    trained = [int(epoch) for epoch in re.findall(r"epoch (\d+) of \d", ran.err)]
    assert sorted(set(trained)) == list(range(first_epoch or EPOCHS + 1, EPOCHS + 1))
    assert left_by_build() == uninterrupted
    assert leftovers() == []


def test_workers_do_not_outlive_a_build_that_was_killed(
    uninterrupted: dict[str, Any], run: Run, start: Start
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        build = start(*BUILD, fault=f"worker toy_arithmetic.step 2 wait:{server.getsockname()[1]}")
        worker, _ = server.accept()
        with worker:
            worker.settimeout(PATIENCE)
            build.kill()
            build.wait()
            assert worker.recv(1) == b""  # the worker, which waits in an epoch, is gone
    assert run(*BUILD).code == 0
    assert left_by_build() == uninterrupted


def test_a_second_build_into_the_folder_says_so_and_disturbs_nothing(
    uninterrupted: dict[str, Any], run: Run, start: Start
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        first = start(*BUILD, fault=f"worker toy_arithmetic.step 2 wait:{server.getsockname()[1]}")
        worker, _ = server.accept()
        with worker:
            second = run(*BUILD)
            assert second.code == 2
            assert f"Another build (process {first.pid}) is writing to build" in second.err
    output, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, output
    assert left_by_build() == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("autoencoder", ["latent_dims=8", "training_images=500", "epochs=3"]),
        ("lstm", ["training_reviews=64", "sequence_length=50", "units=8", "epochs=3"]),
    ],
)
def test_a_model_whose_worker_was_killed_ends_with_the_same_weights_to_the_bit(
    name: str, changes: list[str], tmp_path: Path, toys: object
) -> None:
    point = next(p for p in registry.entry_points(group=registry.GROUP) if p.name == name)
    experiments = registry.Registry([point])
    assignments = [f"{name}.{change}" for change in changes]
    chosen = settings.load(experiments, flags={"build.preset": "quick"}, assignments=assignments)
    (real, *_) = experiments[name].trials(chosen.experiments[name], 0, {})
    dataset = experiments[name].source.prepare(DataOptions("sample", None, tmp_path / "cache"))
    params = {"trainer": real.trainer, "params": dict(real.params)}
    mortal = Trial(name, "toy_mortal:train", params, 0, "killed in its second epoch", cost=0)

    store = Store(tmp_path / "store")
    planned = plan([(real, dataset), (mortal, dataset)], store, Observer())
    executors = local_executors(1, 1, tmp_path / "log.txt")
    outcome = run(planned, store, executors, Observer())
    assert outcome.failures == {}, (tmp_path / "log.txt").read_text()
    expected, resumed = (outcome.entries[trial].result for trial in (real, mortal))
    assert timeless(dict(resumed.history)) == timeless(dict(expected.history))
    assert timeless(dict(resumed.scalars)) == timeless(dict(expected.scalars))
    assert {n: a.tobytes() for n, a in resumed.arrays.items()} == {
        n: a.tobytes() for n, a in expected.arrays.items()
    }


# -------------------------------------------------------------------- writes that are cut off


class CutOff(BaseException):
    """The process is no more."""


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lets the n-th call from now that changes the disk be the last; half a file is written."""
    left = [0]

    def fragile(call: Callable[..., Any], halves: bool = False) -> Callable[..., Any]:
        def replacement(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                if halves and stat.S_ISREG(os.fstat(args[0]).st_mode):
                    os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
                raise CutOff
            return call(*args, **kwargs)

        return replacement

    for owner, name in ((Path, "mkdir"), (Path, "rename"), (shutil, "rmtree")):
        monkeypatch.setattr(owner, name, fragile(getattr(owner, name)))
    monkeypatch.setattr(storage, "_sync_folder", fragile(storage._sync_folder))
    monkeypatch.setattr(os, "fsync", fragile(os.fsync, halves=True))
    yield lambda count: left.__setitem__(0, count)
    left[0] = 0


def test_wherever_a_write_is_cut_off_the_last_state_or_the_new_one_is_there(
    tmp_path: Path, cut_off: Callable[[int], None]
) -> None:
    key = "a1" * 32
    result = TrialResult({"loss": [0.5]}, {}, {"weights": np.arange(6.0)})
    entry = Entry({"seed": 0}, "a trial", Cost(1.5, 1.25, 1), result)
    for count in itertools.count(1):
        store = Store(tmp_path / str(count))
        path = store.checkpoint_path(key)
        storage.save_checkpoint(path, Checkpoint(1, {}, {"weights": np.zeros(6)}), entry.cost)
        cut_off(count)
        try:
            storage.save_checkpoint(path, Checkpoint(2, {}, {"weights": np.ones(6)}), entry.cost)
            store.put("toy", key, entry)
        except CutOff:
            finished = False
        else:
            finished = True
        cut_off(0)
        before = storage.load_checkpoint(path)
        with store.lock():
            found, after = store.get("toy", key), storage.load_checkpoint(path)
        if found is None:
            assert before is not None, count
            assert after is not None, count
            assert (after[0].epoch, after[0].arrays["weights"].mean()) in ((1, 0), (2, 1))
            assert after[0].epoch == before[0].epoch
        else:
            np.testing.assert_array_equal(found.result.arrays["weights"], np.arange(6.0))
            assert after is None
        assert not [*store.folder.glob(".*"), *store.folder.glob("running/.*")]
        if finished:
            assert found is not None
            break
    assert count > 15


# --------------------------------------------------------------------------------------- damage


def test_damaged_trials_are_named_and_run_again_and_the_others_kept(run: Run, toys: object) -> None:
    build = (*BUILD, "--set", "toy.sizes=2,3,4,5,6")
    run(*build)
    before = left_by_build()
    whole, truncated, flipped, missing, renamed = sorted(Path("build/store").glob("toy-*"))
    with open(truncated / "arrays.npz", "r+b") as file:
        file.truncate(100)
    text = (flipped / "trial.json").read_text()
    (flipped / "trial.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    (missing / "trial.json").unlink()
    half = whole.with_name(f".{whole.name}.new")
    half.mkdir()
    (half / "trial.json").write_text('{"version"')
    renamed.rename(renamed.with_name(f".{renamed.name}.old"))

    ran = run(*build)
    assert ran.code == 0
    warnings = ran.err.split("Warning: ")[1:]
    assert len(warnings) == 3
    for path in (truncated, flipped, missing):
        (warning,) = (w for w in warnings if str(path) in w.replace("\n", ""))
        assert "is damaged" in " ".join(warning.split())
        assert "It is trained again." in " ".join(warning.split())
    assert "Training 3 models; 2 kept" in ran.err
    assert left_by_build() == before
    assert leftovers() == []
