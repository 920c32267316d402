"""The contract between the engine and an experiment: what it declares, trains and tells.

An experiment is a subclass of :class:`Experiment`, offered through the entry point group
``reportgen.experiments``. It names its settings (a frozen dataclass of :func:`setting` fields),
its data (a :class:`DataSource`), its trainings (:class:`Trial`) and turns their results into a
:class:`~reportgen.results.Section`. The trainer is a function in a module of its own, named by a
string: only a worker process imports it, so only a worker imports TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from reportgen.results import DataSummary, Section

Json = Any
"""A plain JSON value: None, bool, int, float, str, or a list or dict of them."""

Array = NDArray[Any]

CPU, GPU = "cpu", "gpu"
"""The devices that a training can run on."""

# ------------------------------------------------------------------------------------ settings


def setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
    **presets: Any,
) -> Any:
    """A field of an experiment's settings: its default, its meaning, its range.

    ``minimum`` and ``maximum`` are allowed values themselves, ``above`` and ``below`` are not;
    for a tuple they hold for each entry. ``presets`` gives other defaults by preset name
    (``quick=3``). The field's annotation is one of ``int``, ``float``, ``bool``, ``str``,
    ``tuple[int, ...]``, ``tuple[float, ...]``.
    """
    limits = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    metadata = {"help": help, "choices": tuple(choices), "presets": presets, **limits}
    return field(default=default, metadata=metadata)


# ---------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class DataOptions:
    """Where data may come from. ``mode`` is ``auto``, ``real`` or ``sample``.

    ``directory`` is the user's own folder, or None. ``cache`` is where downloads and prepared
    arrays are kept. ``notify`` takes a sentence for the user about what is going on.
    """

    mode: str
    directory: Path | None
    cache: Path
    notify: Callable[[str], None] = field(default=lambda message: None, compare=False)


@dataclass(frozen=True)
class Dataset:
    """Data ready to train on: one ``.npy`` file an array in ``folder``, and what they are.

    Small and picklable: workers open the arrays themselves, memory-mapped and read-only.
    ``facts`` are plain JSON values that the data module counted while it prepared the arrays.
    """

    summary: DataSummary
    folder: Path
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the arrays' contents; part of every trial's key."""
        return self.summary.fingerprint

    def array(self, name: str) -> Array:
        """The array called ``name``, memory-mapped, read-only; FileNotFoundError if unknown."""
        array: Array = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array


@dataclass(frozen=True)
class DataStatus:
    """One place in which a dataset was looked for, and what was there (``found`` or not)."""

    place: str
    found: bool
    detail: str


class DataSource(ABC):
    """Finds one dataset, fetches it, and prepares it for training."""

    name: ClassVar[str]
    """For the command line and file names: ``mnist``."""
    title: ClassVar[str]
    """For the report: ``MNIST handwritten digits``."""

    @abstractmethod
    def prepare(self, options: DataOptions) -> Dataset:
        """The dataset, found, checked and ready. Raises DataError with what the user can do."""

    @abstractmethod
    def status(self, options: DataOptions) -> Sequence[DataStatus]:
        """Where the dataset is looked for, in order, and what is there. Downloads nothing."""

    @abstractmethod
    def fetch(self, options: DataOptions) -> Path:
        """Download the published files into the cache, verified. Raises DataError."""


# -------------------------------------------------------------------------------------- trials


@dataclass(frozen=True)
class Trial:
    """One independent training. Equal trials are the same training and run once.

    ``trainer`` names a :class:`Trainer` as ``package.module:function``. ``params`` are plain JSON
    values and hold everything beside seed, data and code that decides the numbers. ``label`` is
    for people; ``cost`` is a rough relative duration, by which the longest starts first.
    """

    experiment: str
    trainer: str
    params: Mapping[str, Json]
    seed: int
    label: str = field(compare=False)
    cost: float = field(default=1.0, compare=False)

    def __hash__(self) -> int:
        """By identity, as equality is."""
        return hash(self.identity)

    @property
    def identity(self) -> str:
        """A short hash of trainer, parameters and seed: the trial's name within one build."""
        plain = [self.experiment, self.trainer, dict(self.params), self.seed]
        text = json.dumps(plain, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TrialResult:
    """What a training left: all that is needed to derive its numbers again without training.

    ``history`` has one value an epoch for every name (``loss``, ``val_loss``, ...), among them
    ``wall_seconds`` and ``cpu_seconds``. ``scalars`` are plain JSON values; ``gpu`` names the GPU,
    if it ran on one. ``arrays`` hold the weights and the predictions for the test examples.
    """

    history: Mapping[str, Sequence[float]]
    scalars: Mapping[str, Json] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How far a training is: ``epoch`` of ``epochs`` (from 1), ``fraction`` of the whole, 0..1."""

    epoch: int
    epochs: int
    fraction: float
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """A training's whole state after ``epoch`` epochs, enough to go on bit for bit."""

    epoch: int
    scalars: Mapping[str, Json]
    arrays: Mapping[str, Array]


class TrainingContext(Protocol):
    """What the engine gives to a trainer beside its parameters."""

    threads: int
    """How many threads the training may use; the worker is already limited to them."""
    device: str
    """``cpu``, or ``gpu`` where the training is to run on the one GPU that the worker sees. Its key
    says so; what can use a GPU and finds none must not train on the processor instead."""

    def progress(self, progress: Progress) -> None:
        """Tell how far the training is. Cheap; call it once an epoch and, if long, within."""

    def load_checkpoint(self) -> Checkpoint | None:
        """The state in which an interrupted run of this same trial stopped, if there is one."""

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep the state; a later run of this trial continues from it."""


class Trainer(Protocol):
    """Trains one model: the function that a trial names."""

    def __call__(
        self,
        params: Mapping[str, Json],
        seed: int,
        dataset: Dataset,
        context: TrainingContext,
    ) -> TrialResult:
        """Train and evaluate; the same arguments give the same numbers on the same machine."""


# --------------------------------------------------------------------------------- experiments

P = TypeVar("P")


@dataclass(frozen=True)
class Evidence(Generic[P]):
    """What an experiment tells its section from: settings, data, and its trials' results.

    ``seeds`` are those of the trainings of each model. The first one's are told in detail; the
    others tell how much chance there is in them.
    """

    settings: P
    preset: str
    seeds: tuple[int, ...]
    dataset: Dataset
    trials: Mapping[Trial, TrialResult]

    @property
    def seed(self) -> int:
        """The first seed."""
        return self.seeds[0]

    def of(self, trainer: str, seed: int) -> dict[Trial, TrialResult]:
        """The results of a trainer's trials with this seed, in the order in which they were named.

        Args:
            trainer: as in :attr:`Trial.trainer`.
            seed: one of ``seeds``.
        """
        return {t: r for t, r in self.trials.items() if (t.trainer, t.seed) == (trainer, seed)}


class Experiment(ABC, Generic[P]):
    """One experiment: an objective, settings, trainings, and a chapter of the report."""

    name: ClassVar[str]
    """On the command line and in ``results.json``."""
    title: ClassVar[str]
    question: ClassVar[str]
    """How the assignment calls it: ``Q1``."""
    summary: ClassVar[str]
    """One line for ``reportgen list``."""
    order: ClassVar[int] = 100
    """Its place in the report."""
    settings: type[P]
    """A frozen dataclass of :func:`setting` fields."""
    source: DataSource
    reads: ClassVar[tuple[str, ...]] = ()
    """Other experiments whose settings decide trials of this one."""

    @abstractmethod
    def trials(self, settings: P, seed: int, others: Mapping[str, Any]) -> Sequence[Trial]:
        """The trainings that the section needs. ``others`` has the settings of ``reads``.

        Asked for once for each of the build's seeds, or for as many as a setting ``seeds`` of the
        experiment says.
        """

    def baselines(self, settings: P, seed: int, others: Mapping[str, Any]) -> Sequence[Trial]:
        """What the trainings are compared with, run and kept like them, but for one seed alone."""
        return ()

    @abstractmethod
    def section(self, evidence: Evidence[P]) -> Section:
        """The chapter, from the results of all its trials. Imports NumPy and SciPy only."""
