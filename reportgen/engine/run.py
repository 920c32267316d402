"""Plans a build's trials and runs those that the store does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.engine import keys, worker
from reportgen.engine.executors import LocalExecutor
from reportgen.engine.progress import Observer
from reportgen.engine.store import Entry, Store
from reportgen.errors import StoreError
from reportgen.experiment import Dataset, Trial


@dataclass(frozen=True)
class Planned:
    """A trial with its data, its key, and what the store holds of it."""

    trial: Trial
    dataset: Dataset
    ingredients: Mapping[str, Any]
    key: str
    stored: Entry | None


@dataclass
class Outcome:
    """What came of the planned trials: each is in one of the two."""

    entries: dict[Trial, Entry] = field(default_factory=dict)
    failures: dict[Trial, str] = field(default_factory=dict)


StartExecutor = Callable[[int, Callable[[worker.Message], None]], LocalExecutor]
"""Starts an executor for at most so many trials at a time, whose messages go to a listener."""


def local_executors(jobs: int, threads: int, log: Path) -> StartExecutor:
    """Starts local processes: ``jobs`` at most, of ``threads`` threads each."""

    def start(trials: int, listener: Callable[[worker.Message], None]) -> LocalExecutor:
        log.parent.mkdir(parents=True, exist_ok=True)
        return LocalExecutor(min(jobs, trials), threads, listener, log)

    return start


def plan(
    trials: Iterable[tuple[Trial, Dataset]], store: Store, observer: Observer
) -> list[Planned]:
    """The distinct trials with what the store holds of them; damaged entries count as missing."""
    planned: dict[Trial, Planned] = {}
    for trial, dataset in trials:
        if trial in planned:
            continue
        parts = keys.ingredients(trial, dataset)
        key = keys.key_of(parts)
        try:
            stored = store.get(trial.experiment, key)
        except StoreError as error:
            observer.warn(f"{error} It is trained again.")
            stored = None
        planned[trial] = Planned(trial, dataset, parts, key, stored)
    return list(planned.values())


def run(
    planned: Sequence[Planned], store: Store, start_executor: StartExecutor, observer: Observer
) -> Outcome:
    """Run what is not stored, longest first, and keep each trial as soon as it is finished.

    A trial that raises, or whose process dies again when it runs alone, is a failure and stops no
    other. KeyboardInterrupt ends the workers at once and goes on to the caller.
    """
    outcome = Outcome({p.trial: p.stored for p in planned if p.stored is not None})
    missing = sorted((p for p in planned if p.stored is None), key=lambda p: -p.trial.cost)
    observer.planned([p.trial for p in missing], kept=len(outcome.entries))
    if missing and not _run_pool(missing, store, start_executor, observer, outcome):
        for p in missing:
            if p.trial not in outcome.entries | outcome.failures:
                _run_alone(p, store, start_executor, observer, outcome)
    return outcome


def _run_alone(
    planned: Planned,
    store: Store,
    start_executor: StartExecutor,
    observer: Observer,
    outcome: Outcome,
) -> None:
    """Run a trial by itself after a pool broke, when nobody can tell which trial broke it.

    Alone it can end only its own process; and if memory was short, one trial needs less.
    """
    if not _run_pool([planned], store, start_executor, observer, outcome):
        message = "its process was ended from outside, perhaps for want of memory"
        outcome.failures[planned.trial] = message
        observer.failed(planned.trial, message)


def _run_pool(
    missing: Sequence[Planned],
    store: Store,
    start_executor: StartExecutor,
    observer: Observer,
    outcome: Outcome,
) -> bool:
    """Run trials in one executor until all are done; False if it broke before that."""
    by_identity = {p.trial.identity: p for p in missing}

    def listen(message: worker.Message) -> None:
        trial = by_identity[message.identity].trial
        if message.progress is None:
            observer.started(trial)
        else:
            observer.progressed(trial, message.progress)

    executor = start_executor(len(missing), listen)
    try:
        waiting: dict[Future[Any], Planned] = {
            executor.submit(worker.run, p.trial, p.dataset, store.checkpoint_path(p.key)): p
            for p in missing
        }
        held = True
        while waiting:
            done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                held &= _keep(future, waiting.pop(future), store, observer, outcome)
        executor.shutdown()
    except BrokenProcessPool:  # while trials were still being handed over
        executor.kill()
        return False
    except BaseException:
        executor.kill()
        raise
    return held


def _keep(
    future: Future[Any], planned: Planned, store: Store, observer: Observer, outcome: Outcome
) -> bool:
    """Keep what a future brought; False if the executor broke before it brought anything."""
    try:
        returned = future.result()
    except (BrokenProcessPool, CancelledError):
        return False
    trial = planned.trial
    if isinstance(returned, worker.Failure):
        outcome.failures[trial] = returned.message
        observer.failed(trial, returned.message)
        return True
    result, cost = returned
    entry = Entry(planned.ingredients, trial.label, cost, result)
    store.put(trial.experiment, planned.key, entry)
    outcome.entries[trial] = entry
    observer.finished(trial, cost.wall_seconds)
    return True
