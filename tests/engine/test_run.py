"""Trials run in workers: once each, none takes another with it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reportgen.engine import store as storage
from reportgen.engine import worker
from reportgen.engine.progress import Observer
from reportgen.engine.run import Outcome, Planned, local_executors, plan, run
from reportgen.engine.store import Cost, Store
from reportgen.engine.worker import Failure, Returned, Task
from reportgen.errors import DataError
from reportgen.experiment import (
    Checkpoint,
    DataOptions,
    Dataset,
    Progress,
    Trial,
    TrialResult,
)
from reportgen.registry import Registry


class Listening(Observer):
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.order: list[Trial] = []
        self.ends: list[tuple[str, str]] = []
        self.fractions: dict[str, list[float]] = {}

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def planned(self, trials: object, kept: int) -> None:
        self.order = list(trials)  # type: ignore[call-overload]

    def progressed(self, trial: Trial, progress: Progress) -> None:
        self.fractions.setdefault(trial.label, []).append(progress.fraction)

    def finished(self, trial: Trial, seconds: float) -> None:
        self.ends.append((trial.label, "finished"))

    def failed(self, trial: Trial, message: str) -> None:
        self.ends.append((trial.label, message))


@pytest.fixture
def dataset(toys: Registry, tmp_path: Path) -> Dataset:
    return toys["toy"].source.prepare(DataOptions("sample", None, tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "out" / "store")


def trial(size: int, rule: str = "plain", epochs: int = 3) -> Trial:
    params = {"size": size, "epochs": epochs, "rate": 0.5, "rule": rule}
    return Trial("toy", "toy_training:train", params, 0, f"{rule} {size}", cost=size)


def carry_out(planned: list[Planned], store: Store, observer: Observer, jobs: int = 2) -> Outcome:
    return run(planned, store, local_executors(jobs, 1, store.folder / "log.txt"), observer)


def test_a_second_plan_finds_every_trial_kept(store: Store, dataset: Dataset) -> None:
    trials = [(trial(2), dataset), (trial(3), dataset), (trial(2), dataset)]
    heard = Listening()
    first = carry_out(plan(trials, store, heard), store, heard)
    assert len(first.entries) == 2
    assert sorted(heard.ends) == [("plain 2", "finished"), ("plain 3", "finished")]
    again = plan(trials, store, heard)
    assert all(p.stored is not None for p in again)
    second = carry_out(again, store, Listening())
    for one in first.entries:
        np.testing.assert_array_equal(
            first.entries[one].result.arrays["mean"], second.entries[one].result.arrays["mean"]
        )
        assert first.entries[one].result.history == second.entries[one].result.history


def test_the_longest_starts_first_and_progress_arrives(store: Store, dataset: Dataset) -> None:
    heard = Listening()
    carry_out(plan([(trial(2), dataset), (trial(9), dataset)], store, heard), store, heard, jobs=1)
    assert [t.label for t in heard.order] == ["plain 9", "plain 2"]
    assert heard.fractions["plain 9"][-1] == 1.0


def test_a_trial_that_raises_fails_alone_with_its_reason(store: Store, dataset: Dataset) -> None:
    heard = Listening()
    trials = [(trial(2), dataset), (trial(3, "crash"), dataset), (trial(4, "diverge"), dataset)]
    outcome = carry_out(plan(trials, store, heard), store, heard)
    assert [t.label for t in outcome.entries] == ["plain 2"]
    reasons = {t.label: message for t, message in outcome.failures.items()}
    assert reasons["crash 3"] == "RuntimeError: the toy crashed, as it was told to"
    assert reasons["diverge 4"].startswith("loss is nan in epoch 1: the training diverged")
    assert "the toy crashed" in (store.folder / "log.txt").read_text()


def test_a_worker_that_dies_takes_no_other_trial_with_it(store: Store, dataset: Dataset) -> None:
    heard = Listening()
    trials = [(trial(size), dataset) for size in (2, 3)] + [(trial(9, "die"), dataset)]
    outcome = carry_out(plan(trials, store, heard), store, heard)
    assert sorted(t.label for t in outcome.entries) == ["plain 2", "plain 3"]
    assert [t.label for t in outcome.failures] == ["die 9"]
    assert "ended from outside" in next(iter(outcome.failures.values()))


def test_a_damaged_entry_is_named_and_trained_again(store: Store, dataset: Dataset) -> None:
    planned = plan([(trial(2), dataset)], store, Listening())
    carry_out(planned, store, Listening())
    path = store.path("toy", planned[0].key)
    (path / "arrays.npz").write_bytes(b"")
    heard = Listening()
    again = plan([(trial(2), dataset)], store, heard)
    assert again[0].stored is None
    assert str(path) in heard.warnings[0]
    carry_out(again, store, heard)
    assert store.get("toy", planned[0].key) is not None


def test_an_interrupted_trial_goes_on_from_its_checkpoint_bit_for_bit(
    store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    whole = plan([(trial(5, epochs=6), dataset)], store, Listening())
    expected = carry_out(whole, store, Listening()).entries[whole[0].trial].result
    part = plan([(trial(5, epochs=2), dataset)], store, Listening())
    begun = carry_out(part, store, Listening()).entries[part[0].trial].result

    other = Store(tmp_path / "elsewhere")
    planned = plan([(trial(5, epochs=6), dataset)], other, Listening())
    checkpoint = Checkpoint(2, dict(begun.history), begun.arrays)
    spent = Cost(1000.0, 900.0, 1)
    storage.save_checkpoint(other.checkpoint_path(planned[0].key), checkpoint, spent)
    heard = Listening()
    entry = carry_out(planned, other, heard).entries[planned[0].trial]
    result, cost = entry.result, entry.cost
    assert min(heard.fractions["plain 5"]) > 2 / 6
    assert result.history["loss"] == expected.history["loss"]
    np.testing.assert_array_equal(result.arrays["mean"], expected.arrays["mean"])
    assert 1000 < cost.wall_seconds < 1100
    assert 900 < cost.cpu_seconds < 1000


def test_equal_trials_of_two_experiments_are_one(toys: Registry) -> None:
    settings = toys["toy"].settings()
    first = toys["toy"].trials(settings, 0, {})
    second = toys["other"].trials(settings, 0, {"toy": settings})
    assert second[0] in first
    assert replace(second[0], seed=1) not in first


def test_trials_do_not_wait_for_those_whose_data_come_later(store: Store, dataset: Dataset) -> None:
    later: Future[list[Planned]] = Future()
    prompt = plan([(trial(2), dataset)], store, Listening())
    done: list[set[str]] = []

    def on_done(outcome: Outcome) -> None:
        done.append({t.label for t in outcome.entries})
        if not later.done():
            later.set_result(plan([(trial(9), dataset), (trial(3), dataset)], store, Listening()))

    executors = local_executors(1, 1, store.folder / "log.txt")
    heard = Listening()
    run(prompt, store, executors, heard, later=[later], on_done=on_done)
    assert done == [{"plain 2"}, {"plain 2", "plain 9"}, {"plain 2", "plain 9", "plain 3"}]


def test_data_that_come_too_late_to_be_good_end_the_trials_and_lose_none_that_is_done(
    store: Store, dataset: Dataset
) -> None:
    later: Future[list[Planned]] = Future()
    prompt = plan([(trial(2), dataset), (trial(3), dataset)], store, Listening())
    with pytest.raises(DataError, match="unreadable"):
        run(
            prompt,
            store,
            local_executors(1, 1, store.folder / "log.txt"),
            Listening(),
            later=[later],
            on_done=lambda outcome: later.set_exception(DataError("unreadable")),
        )
    kept = [p for p in plan([(p.trial, dataset) for p in prompt], store, Listening()) if p.stored]
    assert [p.trial.label for p in kept] == ["plain 3"]


def test_a_worker_has_its_threads_and_no_gpu() -> None:
    code = (
        "import os, threadpoolctl, numpy\n"
        "from reportgen.engine import worker\n"
        "worker.confine(1)\n"
        "names = ('OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS', 'CUDA_VISIBLE_DEVICES')\n"
        "print([os.environ[name] for name in names])\n"
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()})\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['1', '1', '-1']", "{1}"]


class AtOnce:
    """An executor with room for two, whose trials are done as soon as they begin."""

    slots = 2

    def __init__(self, log: list[str], on_begin: Callable[[], None]) -> None:
        self.log, self.on_begin = log, on_begin

    def train(self, task: Task) -> Future[Returned]:
        self.log.append("begins")
        self.on_begin()
        done: Future[Returned] = Future()
        done.set_result((TrialResult({}, {}, {}), Cost(0, 0, 1)))
        return done

    def kill(self) -> None:
        self.log.append("over")


@pytest.mark.parametrize(
    ("preparing", "order"),
    [
        (False, "planned begins begins over"),
        (True, "planned begins planned begins over"),
    ],
)
def test_data_that_are_being_prepared_take_the_room_of_a_trial(
    store: Store, dataset: Dataset, preparing: bool, order: str
) -> None:
    later: Future[list[Planned]] = Future()
    log: list[str] = []

    def on_begin() -> None:
        if not later.done():
            later.set_result([])

    prompt = plan([(trial(2), dataset), (trial(3), dataset)], store, Listening())
    run(
        prompt,
        store,
        lambda _: AtOnce(log, on_begin),
        Listening(),
        later=[later] if preparing else [],
        on_planned=lambda _: log.append("planned"),
    )
    assert log == order.split()


def test_a_worker_keeps_nothing_of_a_trial_that_refers_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Model:
        """Refers to itself, as Keras' models do."""

    left: list[weakref.ref[Model]] = []

    def train(*_: object) -> Failure:
        model = Model()
        model.itself = model  # type: ignore[attr-defined]
        left.append(weakref.ref(model))
        return Failure("", "")

    monkeypatch.setattr(worker, "train", train)
    gc.disable()
    try:
        worker.run(None)  # type: ignore[arg-type]
    finally:
        gc.enable()
    assert left[0]() is None
