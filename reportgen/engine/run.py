"""Plans a build's trials and runs those that the store does not hold, longest first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.engine import keys, worker
from reportgen.engine.executors import Listener, LocalExecutor, TrialExecutor
from reportgen.engine.progress import Observer
from reportgen.engine.store import Entry, Store
from reportgen.errors import StoreError
from reportgen.experiment import CPU, Dataset, Trial


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

    def has(self, trials: Iterable[Trial]) -> bool:
        """Whether all these trials are done, well or not."""
        return all(trial in self.entries or trial in self.failures for trial in trials)


StartExecutor = Callable[[Listener], TrialExecutor]
"""Starts an executor whose messages go to a listener."""


def local_executors(jobs: int, threads: int, log: Path, device: str = CPU) -> StartExecutor:
    """Starts local processes: ``jobs`` at most, of ``threads`` threads each, on a device."""

    def start(listener: Listener) -> LocalExecutor:
        log.parent.mkdir(parents=True, exist_ok=True)
        return LocalExecutor(jobs, threads, listener, log, device)

    return start


def plan(
    trials: Iterable[tuple[Trial, Dataset]],
    store: Store,
    observer: Observer,
    *,
    device: str = CPU,
    fresh: bool = False,
) -> list[Planned]:
    """The distinct trials with what the store holds of them; damaged entries count as missing.

    ``device`` is the one that they are to run on. With ``fresh`` nothing counts as held.
    """
    planned: dict[Trial, Planned] = {}
    for trial, dataset in trials:
        if trial in planned:
            continue
        parts = keys.ingredients(trial, dataset, device)
        key = keys.key_of(parts)
        try:
            stored = None if fresh else store.get(trial.experiment, key)
        except StoreError as error:
            observer.warn(f"{error} It is trained again.")
            stored = None
        planned[trial] = Planned(trial, dataset, parts, key, stored)
    return list(planned.values())


def run(
    planned: Sequence[Planned],
    store: Store,
    start_executor: StartExecutor,
    observer: Observer,
    *,
    later: Collection[Future[list[Planned]]] = (),
    on_planned: Callable[[Sequence[Planned]], None] = lambda planned: None,
    on_done: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Run what is not stored, longest first, and keep each trial as soon as it is finished.

    ``later`` are plans whose data are still being prepared; the other trials do not wait for
    them. ``on_planned`` hears of each plan before its trials run, ``on_done`` of each trial that
    ends. A trial that raises, or whose process dies again when it runs alone, is a failure and
    stops no other. KeyboardInterrupt, and what a later plan raises, end the workers at once and
    go on to the caller.
    """
    work = _Work(store, start_executor, observer, on_planned, on_done)
    work.take(planned)
    for suspect in work.serve(set(later)):
        work.serve_alone(suspect)
    return work.outcome


class _Work:
    """The trials of one build: ready to run, running, done."""

    def __init__(
        self,
        store: Store,
        start_executor: StartExecutor,
        observer: Observer,
        on_planned: Callable[[Sequence[Planned]], None],
        on_done: Callable[[Outcome], None],
    ) -> None:
        self.outcome = Outcome()
        self._store, self._start_executor, self._observer = store, start_executor, observer
        self._on_planned, self._on_done = on_planned, on_done
        self._ready: list[Planned] = []
        self._trials: dict[str, Trial] = {}

    def take(self, planned: Sequence[Planned]) -> None:
        """Take a plan: what is stored is done, the rest is ready."""
        missing = sorted((p for p in planned if p.stored is None), key=lambda p: -p.trial.cost)
        self._trials |= {p.trial.identity: p.trial for p in missing}
        self._ready = sorted([*self._ready, *missing], key=lambda p: -p.trial.cost)
        self.outcome.entries |= {p.trial: p.stored for p in planned if p.stored is not None}
        self._on_planned(planned)
        self._observer.planned([p.trial for p in missing], kept=len(planned) - len(missing))

    def serve(self, later: set[Future[list[Planned]]]) -> list[Planned]:
        """Run all that is ready, and what ``later`` brings, in one executor.

        Returns the trials that were left over, if it broke: nobody can tell which one broke it.
        """
        executor: TrialExecutor | None = None
        running: dict[Future[worker.Returned], Planned] = {}
        ended: dict[Future[worker.Returned], Planned] = {}
        left: list[Planned] = []
        try:
            while later or running or ended or self._ready:
                if self._ready:
                    executor = executor or self._start_executor(self._listen)
                    left += self._hand_over(executor, running, len(later))
                # What ended is kept only now, so that no worker waits for the disk.
                left += [p for future, p in ended.items() if not self._keep(future, p)]
                if left:
                    left, self._ready = [*left, *self._ready], []
                waiting: set[Future[Any]] = {*later, *running}
                done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for plan in later & done:
                    later.remove(plan)
                    self.take(plan.result())
                ended = {future: running.pop(future) for future in running.keys() & done}
        finally:
            if executor:
                executor.kill()
        return left

    def _hand_over(
        self,
        executor: TrialExecutor,
        running: dict[Future[worker.Returned], Planned],
        preparing: int,
    ) -> list[Planned]:
        """Start as many trials as there is room for; those that a broken executor did not take.

        Data that are being prepared take the room of a trial, as they take a processor; and the
        longest trial may be waiting for them.
        """
        room = max(executor.slots - preparing, 1) - len(running)
        started, self._ready = self._ready[: max(room, 0)], self._ready[max(room, 0) :]
        for i, planned in enumerate(started):
            try:
                running[executor.train(self._task(planned))] = planned
            except BrokenProcessPool:
                return started[i:]
        return []

    def serve_alone(self, planned: Planned) -> None:
        """Run a trial by itself after an executor broke.

        Alone it can end only its own process; and if memory was short, one trial needs less.
        """
        self._ready = [planned]
        if self.serve(set()):
            message = "its process was ended from outside, perhaps for want of memory"
            self.outcome.failures[planned.trial] = message
            self._observer.failed(planned.trial, message)

    def _listen(self, message: worker.Message) -> None:
        trial = self._trials[message.identity]
        if message.progress is None:
            self._observer.started(trial)
        else:
            self._observer.progressed(trial, message.progress)

    def _task(self, planned: Planned) -> worker.Task:
        checkpoint = self._store.checkpoint_path(planned.key)
        return worker.Task(planned.trial, planned.dataset, planned.ingredients, checkpoint)

    def _keep(self, future: Future[worker.Returned], planned: Planned) -> bool:
        """Keep what a future brought; False if the executor broke before it brought anything."""
        try:
            returned = future.result()
        except (BrokenProcessPool, CancelledError):
            return False
        trial = planned.trial
        if isinstance(returned, worker.Failure):
            self.outcome.failures[trial] = returned.message
            self._observer.failed(trial, returned.message)
        else:
            result, cost = returned
            entry = Entry(planned.ingredients, trial.label, cost, result)
            self._store.put(trial.experiment, planned.key, entry)
            self.outcome.entries[trial] = entry
            self._observer.finished(trial, cost.wall_seconds)
        self._on_done(self.outcome)
        return True
