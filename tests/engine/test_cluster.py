"""Trials run on a Dask scheduler with workers of their own processes, as on this machine."""

from __future__ import annotations

import _thread
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.engine import cluster
from reportgen.engine.progress import Observer
from reportgen.engine.run import Outcome, Planned, local_executors, plan, run
from reportgen.engine.store import Store
from reportgen.experiment import DataOptions, Dataset, Progress, Trial
from reportgen.registry import Registry

distributed = pytest.importorskip("distributed")

TOY = Path(__file__).parents[1] / "toy"


# ---------------------------------------------------------------------------------- clusters


@dataclass
class Cluster:
    """A scheduler in a process of its own, and ways to give it workers."""

    address: str
    start_worker: Callable[[], None]


@contextmanager
def started(folder: Path, workers: int, **variables: str) -> Iterator[Cluster]:
    """A scheduler and workers, which see the toys and these variables; killed at the end."""
    file = folder / "scheduler.json"
    surroundings = {**os.environ, "PYTHONPATH": f"{TOY}{os.pathsep}{folder}", **variables}
    with ExitStack() as stack:

        def start(program: str, *words: str) -> None:
            command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *words]
            command += ["--scheduler-file", str(file), "--no-dashboard"]
            with open(folder / "log.txt", "a") as log:
                process = subprocess.Popen(
                    command, cwd=folder, env=surroundings, stdout=log, stderr=log
                )
            stack.callback(process.wait)
            stack.callback(process.kill)

        def start_worker() -> None:
            start("worker", "--nthreads", "1", "--no-nanny")

        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        for _ in range(workers):
            start_worker()
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)
            address = client.scheduler.address
        yield Cluster(address, start_worker)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with started(tmp_path_factory.mktemp("pair"), workers=2) as found:
        yield found


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Cluster]:
    """One worker that has its data and code in folders of its own, and may be lost only once."""
    folder = tmp_path / "lone"
    folder.mkdir()
    variables = {
        cluster.DATA_VARIABLE: str(folder),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    }
    with started(folder, workers=1, **variables) as found:
        yield found


class Listening(Observer):
    """Remembers what it heard, and may act on progress."""

    def __init__(self, act: Callable[[Progress], object] = lambda progress: None) -> None:
        self.act = act
        self.warnings: list[str] = []
        self.starts: list[str] = []
        self.ends: list[tuple[str, str]] = []
        self.fractions: dict[str, list[float]] = {}

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def started(self, trial: Trial) -> None:
        self.starts.append(trial.label)

    def progressed(self, trial: Trial, progress: Progress) -> None:
        self.fractions.setdefault(trial.label, []).append(progress.fraction)
        self.act(progress)

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


def trial(size: int, rule: str = "plain") -> Trial:
    params = {"size": size, "epochs": 3, "rate": 0.5, "rule": rule}
    return Trial("toy", "toy_training:train", params, 0, f"{rule} {size}", cost=size)


def carry_out(
    planned: list[Planned], store: Store, observer: Observer, where: Cluster, jobs: int = 0
) -> Outcome:
    log = store.folder / "log.txt"
    with store.lock():
        executors = cluster.executors(where.address, jobs, 1, log, observer)
        return run(planned, store, executors, observer)


def failure_of(planned: Planned, store: Store, where: Cluster) -> str:
    outcome = carry_out([planned], store, Observer(), where)
    (message,) = outcome.failures.values()
    return message


# ------------------------------------------------------------------------------------- trials


def test_a_cluster_gives_the_results_that_this_machine_gives(
    pair: Cluster, store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    trials = [(trial(size), dataset) for size in (2, 3, 4)]
    heard = Listening()
    found = carry_out(plan(trials, store, heard), store, heard, pair)
    assert {heard.fractions[f"plain {size}"][-1] for size in (2, 3, 4)} == {1.0}
    assert sorted(heard.starts) == ["plain 2", "plain 3", "plain 4"]
    assert heard.warnings == []
    other = Store(tmp_path / "here")
    start = local_executors(1, 1, other.folder / "log.txt")
    expected = run(plan(trials, other, heard), other, start, Observer())
    assert found.entries.keys() == expected.entries.keys()
    for one, entry in expected.entries.items():
        assert found.entries[one].result.history["loss"] == entry.result.history["loss"]
        assert found.entries[one].result.scalars == entry.result.scalars
        np.testing.assert_array_equal(
            found.entries[one].result.arrays["mean"], entry.result.arrays["mean"]
        )
        assert found.entries[one].cost.threads == 1
    assert all(p.stored is not None for p in plan(trials, store, heard))


def test_a_trial_that_raises_fails_alone_with_its_reason(
    pair: Cluster, store: Store, dataset: Dataset
) -> None:
    trials = [(trial(2), dataset), (trial(3, "crash"), dataset)]
    outcome = carry_out(plan(trials, store, Observer()), store, Observer(), pair)
    assert [t.label for t in outcome.entries] == ["plain 2"]
    assert list(outcome.failures.values()) == ["RuntimeError: the toy crashed, as it was told to"]
    assert "Traceback" in (store.folder / "log.txt").read_text()


def test_with_one_job_trials_run_one_by_one_the_longest_first(
    pair: Cluster, store: Store, dataset: Dataset
) -> None:
    heard = Listening()
    planned = plan([(trial(size), dataset) for size in (2, 9, 4)], store, heard)
    carry_out(planned, store, heard, pair, jobs=1)
    assert heard.starts == ["plain 9", "plain 4", "plain 2"]


def test_the_trial_of_a_worker_that_is_killed_goes_on_from_its_checkpoint_on_another(
    pair: Cluster, store: Store, dataset: Dataset
) -> None:
    pair.start_worker()
    watched = Trial("toy", "toy_elsewhere:train_until_killed_once", {}, 0, "watched", cost=9)
    victims: list[int] = []

    def kill_once(progress: Progress) -> None:
        if "process" in progress.metrics and not victims:
            victims.append(int(progress.metrics["process"]))
            os.kill(victims[0], signal.SIGKILL)

    heard = Listening(kill_once)
    planned = plan([(watched, dataset), (trial(2), dataset)], store, heard)
    outcome = carry_out(planned, store, heard, pair)
    assert outcome.failures == {}
    killed, finished = outcome.entries[watched].result.scalars["processes"]
    assert [killed] == victims
    assert finished != killed
    assert heard.starts.count("watched") == 2
    assert not store.checkpoint_path(planned[0].key).exists()


def test_one_worker_trains_the_longest_first(
    lone: Cluster, store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(dataset.folder, tmp_path / "lone" / dataset.folder.name)
    heard = Listening()
    first = Trial("toy", "toy_elsewhere:train_for_a_second", {}, 0, "first", cost=99)
    trials = [first, *(trial(size) for size in (3, 9, 5, 2, 7, 4))]
    carry_out(plan([(one, dataset) for one in trials], store, heard), store, heard, lone)
    assert heard.starts == ["first", *(f"plain {size}" for size in (9, 7, 5, 4, 3, 2))]


def test_a_trial_that_kills_its_workers_fails_with_that_reason(
    lone: Cluster, store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(dataset.folder, tmp_path / "lone" / dataset.folder.name)
    (planned,) = plan([(trial(2, "die"), dataset)], store, Observer())
    message = failure_of(planned, store, lone)
    assert message.startswith("every worker that trained it was lost (1 in all, the last one was")


def test_ctrl_c_ends_the_trials_on_the_cluster(
    pair: Cluster, store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    params = {"ended": str(ended)}
    endless = Trial("toy", "toy_elsewhere:train_until_cancelled", params, 0, "endless")
    heard = Listening(lambda progress: progress.fraction or _thread.interrupt_main())
    with pytest.raises(KeyboardInterrupt):
        carry_out(plan([(endless, dataset)], store, heard), store, heard, pair)
    deadline = time.monotonic() + 20
    while not ended.exists() and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert ended.exists()


# ------------------------------------------------------------------------- what must be the same


def test_a_worker_trains_only_on_the_data_of_the_build(
    lone: Cluster, store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    (planned,) = plan([(trial(2), dataset)], store, Observer())
    copy = tmp_path / "lone" / dataset.folder.name
    message = failure_of(planned, store, lone)
    assert "finds no data" in message
    copy.mkdir()
    np.save(copy / "numbers.npy", np.arange(11.0))
    message = failure_of(planned, store, lone)
    assert "tcp://" in message
    assert f"has other data (SHA-256 {cluster.contents(copy)[:16]}…) in {copy}" in message
    assert f"'numbers' as the build has it (SHA-256 {cluster.contents(dataset.folder)[:16]}…" in (
        message
    )
    shutil.copy(dataset.folder / "numbers.npy", copy)
    assert carry_out([planned], store, Observer(), lone).failures == {}


def test_a_worker_with_other_code_or_libraries_trains_nothing(
    pair: Cluster, store: Store, dataset: Dataset
) -> None:
    (planned,) = plan([(trial(2), dataset)], store, Observer())
    parts: dict[str, Any] = dict(planned.ingredients)
    parts["code"] = {**parts["code"], "toy_training": "0123456789abcdef"}
    parts["versions"] = {**parts["versions"], "numpy": "0.1"}
    message = failure_of(replace(planned, ingredients=parts), store, pair)
    assert f"numpy {np.__version__} instead of 0.1, other code in toy_training" in message


def test_a_worker_that_has_imported_earlier_code_asks_to_be_restarted(
    lone: Cluster,
    store: Store,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "lone"
    shutil.copytree(dataset.folder, folder / dataset.folder.name)
    monkeypatch.syspath_prepend(folder)
    module = folder / "toy_changing.py"
    edited = Trial("toy", "toy_changing:train", {}, 0, "edited")
    source = (
        "from reportgen.experiment import TrialResult\n"
        "def train(*arguments):\n    return TrialResult({'loss': [0.0]})\n"
    )
    module.write_text(source)
    assert carry_out(plan([(edited, dataset)], store, Observer()), store, Observer(), lone).entries
    module.write_text(source.replace("0.0", "1.0"))
    (planned,) = plan([(edited, dataset)], store, Observer())
    message = failure_of(planned, store, lone)
    assert "still has an earlier toy_changing loaded; restart it" in message


# --------------------------------------------------------------------------------- wrong requests


@pytest.mark.parametrize(
    "address", ["host:8786", "tcp://host", "http://host:8786", "tcp://host:port", "tcp://:8786"]
)
def test_a_wrong_address_is_told_with_the_right_form(
    run: Callable[..., Any], toys: Registry, address: str
) -> None:
    ran = run("build", "--cluster", address)
    assert ran.code == 2
    assert "such as tcp://host:8786" in ran.err


def test_a_scheduler_that_does_not_answer_ends_the_build_within_seconds(
    run: Callable[..., Any], toys: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        for _ in range(2):  # it accepts and is silent; then, nobody is there
            ran = run("build", "--cluster", address)
            assert ran.code == 2
            assert ran.err.startswith(f"Error: No Dask scheduler answers at {address}; ")
            assert not Path("build/results.json").exists()
            silent.close()


def test_without_dask_the_extra_is_named(
    run: Callable[..., Any], toys: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    ran = run("build", "--cluster", "tcp://127.0.0.1:1")
    assert ran.code == 2
    assert "pip install 'reportgen[cluster]'" in ran.err


def test_a_build_on_a_cluster_does_not_name_it_in_the_report(
    pair: Cluster, run: Callable[..., Any], toys: Registry
) -> None:
    ran = run("build", "--format", "html", "--cluster", pair.address)
    assert ran.code == 0, ran.err
    assert "tcp://" not in Path("build/results.json").read_text()
