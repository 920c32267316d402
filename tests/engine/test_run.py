"""Trials run in workers: once each, none takes another with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reportgen.engine import store as storage
from reportgen.engine.progress import Observer
from reportgen.engine.run import Outcome, Planned, local_executors, plan, run
from reportgen.engine.store import Store
from reportgen.experiment import Checkpoint, DataOptions, Dataset, Progress, Trial
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
    storage.save_checkpoint(other.checkpoint_path(planned[0].key), checkpoint)
    heard = Listening()
    result = carry_out(planned, other, heard).entries[planned[0].trial].result
    assert min(heard.fractions["plain 5"]) > 2 / 6
    assert result.history["loss"] == expected.history["loss"]
    np.testing.assert_array_equal(result.arrays["mean"], expected.arrays["mean"])


def test_equal_trials_of_two_experiments_are_one(toys: Registry) -> None:
    settings = toys["toy"].settings()
    first = toys["toy"].trials(settings, 0, {})
    second = toys["other"].trials(settings, 0, {"toy": settings})
    assert second[0] in first
    assert replace(second[0], seed=1) not in first
