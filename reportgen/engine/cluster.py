"""Runs trials on a Dask scheduler: the only module that talks to Dask, here and on its workers.

A trial is handed to Dask as a call of :func:`carry_out`. On the worker that Dask chooses, it checks
that data, code and libraries are those from which the trial's key was made, trains in the worker's
thread, and sends how far it is as structured events. The result comes back to the build, which
alone writes the store. Dask runs the trials of a lost worker again on another one.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import os
import platform
import sys
import tempfile
import threading
import uuid
from concurrent.futures import CancelledError, Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reportgen.engine import keys, worker
from reportgen.engine.executors import Listener
from reportgen.engine.progress import Observer
from reportgen.engine.run import StartExecutor
from reportgen.errors import ReportgenError, RequestError
from reportgen.experiment import Dataset, Progress

DATA_VARIABLE = "REPORTGEN_CLUSTER_DATA"
"""Set on a worker: the folder that holds its copies of the folders of prepared data."""
TOPIC = "reportgen"
"""The topic of the events that trials send; each names its build."""
CONNECT_SECONDS = 5.0
"""How long a scheduler may take to answer."""


def executors(
    address: str, jobs: int, threads: int, log: Path, observer: Observer
) -> StartExecutor:
    """Starts executors on the scheduler at ``address``: ``jobs`` trials at most, 0 for no limit.

    Each training is limited to ``threads`` threads. Tracebacks of trials go to ``log``. Raises
    RequestError now if the address is wrong, Dask is not installed or no scheduler answers.
    """
    slots = _slots(address)
    if not slots:
        observer.warn(f"The scheduler {address} has no workers yet; the trainings wait for them.")
    for name in (name for name, count in slots.items() if count > 1):
        observer.warn(
            f"The worker {name} has {slots[name]} threads, but trains one model at a time; "
            "start one process a core instead, each with --nthreads 1."
        )
    observer.at_a_time(min(jobs or len(slots), len(slots)) or 1)

    def start(listener: Listener) -> ClusterExecutor:
        return ClusterExecutor(address, jobs or sys.maxsize, threads, listener, log)

    return start


# ------------------------------------------------------------------------------- in the build


@dataclass(frozen=True)
class Surroundings:
    """What must be the same on the worker, beside the ingredients of the trial's key."""

    contents: str
    """The SHA-256 of the files of the dataset, see :func:`contents`."""
    python: str
    """The version of Python: another one may read the same source differently."""


class ClusterExecutor:
    """Hands trials to a Dask scheduler; see ``TrialExecutor``."""

    def __init__(
        self, address: str, limit: int, threads: int, listener: Listener, log: Path
    ) -> None:
        import distributed

        self._address, self._threads = address, threads
        self.slots = limit
        self._listener, self._log = listener, log
        self._build = uuid.uuid4().hex
        self._contents = functools.cache(contents)
        self._lock = threading.Lock()
        self._running: dict[str, Any] = {}
        self._lost = False
        # What Dask would print with a traceback, the user is told as the failure of a trial.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            self._client = distributed.Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False, name=TOPIC
            )
        except OSError as error:
            raise _unreachable(address) from error
        self._client.subscribe_topic(TOPIC, self._hear)

    def train(self, task: worker.Task) -> Future[worker.Returned]:
        """Hand a trial over, with folders named as any process can find them."""
        dataset = replace(task.dataset, folder=task.dataset.folder.absolute())
        task = replace(task, dataset=dataset, checkpoint=task.checkpoint.absolute())
        returned: Future[worker.Returned] = Future()
        with self._lock:
            if self._lost:
                returned.set_result(self._failure_by_loss())
            else:
                self._submit(task, returned)
        return returned

    def kill(self) -> None:
        """Leave the scheduler. Trials that still run end when they next tell how far they are."""
        with self._lock:
            running = list(self._running.values())
        if not self._lost:
            self._client.cancel(running, force=True)
        self._client.close()

    def _submit(self, task: worker.Task, returned: Future[worker.Returned]) -> None:
        surroundings = Surroundings(self._contents(task.dataset.folder), platform.python_version())
        future = self._client.submit(
            carry_out,
            task,
            surroundings,
            self._threads,
            self._build,
            key=f"{TOPIC}-{task.trial.experiment}-{uuid.uuid4().hex}",
            priority=task.trial.cost,  # Dask starts the higher ones first
        )
        self._running[future.key] = future
        future.add_done_callback(functools.partial(self._conclude, returned))

    def _conclude(self, returned: Future[worker.Returned], future: Any) -> None:
        outcome = self._outcome(future)
        with self._lock:
            del self._running[future.key]
        if isinstance(outcome, worker.Failure) and outcome.traceback:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with open(self._log, "a", encoding="utf-8") as file:
                file.write(outcome.traceback)
        returned.set_result(outcome)

    def _outcome(self, future: Any) -> worker.Returned:
        """What a future brought; what Dask itself reports is a failure of the trial."""
        import distributed

        try:
            outcome: worker.Returned = future.result()
        except CancelledError:
            self._lost = True
            return self._failure_by_loss()
        except distributed.KilledWorker as error:
            return worker.Failure(
                f"every worker that trained it was lost ({error.allowed_failures + 1} in all, the "
                f"last one was {error.last_worker.address}), perhaps for want of memory",
                "",
            )
        except Exception as error:  # such as a worker without reportgen, which can't load the call
            return worker.Failure(f"Dask could not run it: {type(error).__name__}: {error}", "")
        return outcome

    def _failure_by_loss(self) -> worker.Failure:
        return worker.Failure(f"the scheduler {self._address} was lost, or dropped the trial", "")

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Pass an event on as the message that it was."""
        content = event[1]
        if content["build"] == self._build:
            progress = content["progress"] and Progress(**content["progress"])
            self._listener(worker.Message(content["identity"], progress))


def _slots(address: str) -> dict[str, int]:
    """The workers of the scheduler at ``address`` with their numbers of threads. RequestError."""
    try:
        parts = urlsplit(address)
        formed = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        formed = False
    if not formed:
        raise RequestError(
            f"--cluster {address}: expected the address of a Dask scheduler, "
            "such as tcp://host:8786."
        )
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise RequestError(
            "--cluster needs Dask, which is not installed: pip install 'reportgen[cluster]'."
        ) from error
    try:
        answer = asyncio.run(asyncio.wait_for(_identity(address), CONNECT_SECONDS))
    except (OSError, ValueError, TypeError) as error:  # also what is no Dask at all may answer
        raise _unreachable(address) from error
    if answer["type"] != "Scheduler":
        raise RequestError(f"--cluster {address}: this is a Dask worker, not its scheduler.")
    return {name: info["nthreads"] for name, info in answer["workers"].items()}


async def _identity(address: str) -> dict[str, Any]:
    """What the process at ``address`` says of itself."""
    import distributed

    security = distributed.Security().get_connection_args("client")
    async with distributed.rpc(
        address, timeout=CONNECT_SECONDS, connection_args=security
    ) as scheduler:
        answer: dict[str, Any] = await scheduler.identity()
        return answer


def _unreachable(address: str) -> RequestError:
    return RequestError(
        f"No Dask scheduler answers at {address}; start one with 'dask scheduler', "
        "or leave --cluster out."
    )


# ------------------------------------------------------------------------------- on the worker

_training = threading.Lock()
"""Held while this process trains: Keras keeps global state, and times are those of the process."""
_loaded: dict[str, str] = {}
"""The fingerprints of the modules that trainers had when this process imported them."""


class Cancelled(BaseException):
    """The build does not want the trial any more. Not an error: trainers must not catch it."""


class Events:
    """A trial's channel to its build; ends the trial if it was cancelled."""

    def __init__(self, build: str) -> None:
        import distributed

        self._build, self._worker = build, distributed.get_worker()
        self._key = self._worker.get_current_task()

    def put(self, message: worker.Message) -> None:
        """Send one message. Raises Cancelled if nobody waits for the trial."""
        state = self._worker.state.tasks.get(self._key)
        if state is None or state.state == "cancelled":
            raise Cancelled
        progress = message.progress and asdict(message.progress)
        if progress:
            progress["metrics"] = {name: float(x) for name, x in progress["metrics"].items()}
        content = {"build": self._build, "identity": message.identity, "progress": progress}
        self._worker.log_event(TOPIC, content)


def carry_out(
    task: worker.Task, surroundings: Surroundings, threads: int, build: str
) -> worker.Returned:
    """Run a trial in a thread of a Dask worker, one at a time in each process."""
    import distributed

    name = distributed.get_worker().address
    with _training, tempfile.TemporaryDirectory(prefix="reportgen-") as temporary:
        worker.confine(threads)
        try:
            dataset = _data_here(task.dataset, surroundings, name)
            _check_software(task, surroundings, name)
        except ReportgenError as error:
            return worker.Failure(str(error), "")
        checkpoint = _checkpoint_here(task.checkpoint, Path(temporary))
        here = replace(task, dataset=dataset, checkpoint=checkpoint)
        try:
            return worker.train(here, threads, Events(build))
        except Cancelled:
            return worker.Failure("cancelled", "")


def _data_here(dataset: Dataset, surroundings: Surroundings, name: str) -> Dataset:
    """The dataset where it lies on this worker. ReportgenError if it is not the build's."""
    folder = dataset.folder
    if DATA_VARIABLE in os.environ:
        folder = Path(os.environ[DATA_VARIABLE]) / folder.name
    found, expected = contents(folder), surroundings.contents
    if found != expected:
        there = f"has other data (SHA-256 {found[:16]}…)" if found else "finds no data"
        raise ReportgenError(
            f"the worker {name} {there} in {folder}, expected the dataset "
            f"'{dataset.summary.name}' as the build has it (SHA-256 {expected[:16]}…); share "
            f"that folder, or copy it and set {DATA_VARIABLE}"
        )
    return replace(dataset, folder=folder)


def contents(folder: Path) -> str:
    """The SHA-256 over names and bytes of the arrays in a folder; empty if there are none.

    Of whole files, so that it holds whatever a data module takes into its fingerprint. Files are
    read once in a process, and again when they changed.
    """
    try:
        files = [(path, path.stat()) for path in sorted(folder.glob("*.npy"))]
        return _contents(tuple((path, s.st_size, s.st_mtime_ns) for path, s in files))
    except OSError:
        return ""


@functools.cache
def _contents(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _, _ in files:
        with open(path, "rb") as file:
            part = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{part}  {path.name}\n".encode())
    return digest.hexdigest() if files else ""


def _check_software(task: worker.Task, surroundings: Surroundings, name: str) -> None:
    """Raise ReportgenError if code or libraries here are not those that the key names."""
    here = keys.ingredients(task.trial, task.dataset)
    versions = {"Python": platform.python_version(), **here["versions"]}
    expected = {"Python": surroundings.python, **task.ingredients["versions"]}
    code: dict[str, str] = task.ingredients["code"]
    differences = [
        f"{library} {versions.get(library, 'missing')} instead of {version}"
        for library, version in expected.items()
        if versions.get(library) != version
    ]
    differences += [
        f"other code in {module}"
        for module in sorted(here["code"].keys() | code.keys())
        if here["code"].get(module) != code.get(module)
    ]
    if differences:
        raise ReportgenError(
            f"the worker {name} would train something else than the build asks for, it has "
            f"{', '.join(differences)}; install there what the build has"
        )
    stale = [module for module, digest in code.items() if _loaded.get(module, digest) != digest]
    if stale:
        raise ReportgenError(
            f"the worker {name} still has an earlier {', '.join(stale)} loaded; restart it"
        )
    _loaded.update(code)


def _checkpoint_here(checkpoint: Path, temporary: Path) -> Path:
    """Where to keep checkpoints: in the store if it can be reached from here, else in ours."""
    store = checkpoint.parent.parent
    return checkpoint if os.access(store, os.W_OK) else temporary / checkpoint.name
