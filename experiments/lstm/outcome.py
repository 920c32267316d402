"""What came out of the trainings on film reviews, ready to be told by the parts of the chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from experiments.lstm.classification import Confusion, Curves, scores, summaries
from experiments.uncertainty import named, seed_cells, seed_columns
from reportgen.experiment import Array, Dataset, Evidence, Trial, TrialResult
from reportgen.results import Cell, Column, Figure, Number, Prose, Scalar, Table
from reportgen.statistics import Interval

if TYPE_CHECKING:
    from experiments.lstm import LstmSettings

LABELS = ("negative", "positive")
DECISION = 0.5
"""The threshold of accuracy and of the confusion matrix; always among those compared."""
TRAINER = "experiments.training.recurrent:train"
BASELINES = "experiments.baselines.reviews:classify"
SIGNIFICANT = 0.05
"""Below it an adjusted p-value counts as evidence of a difference."""

Item = Prose | Table | Figure


@dataclass(frozen=True)
class Run:
    """One training of the LSTM: what it predicted for the test reviews, and how it went."""

    trial: Trial
    result: TrialResult

    @cached_property
    def probability(self) -> Array:
        """That each test review is positive: float (m,)."""
        return np.asarray(self.result.arrays["test_probability"], float)

    @property
    def chosen(self) -> int:
        """The epoch whose weights were kept, from 1."""
        return int(self.result.scalars["chosen_epoch"])

    @property
    def validation_accuracy(self) -> float:
        """The accuracy on the validation reviews, in the chosen epoch."""
        return float(self.result.history["val_accuracy"][self.chosen - 1])


@dataclass(frozen=True)
class Outcome:
    """What came out, ready to be told: predictions with labels, and what derives from them.

    ``runs`` are the trainings of all seeds. The first is told in detail, and compared with the
    baselines, which were fitted to the same reviews. ``labels`` (m,) are of the test reviews;
    ``in_train`` (m,) is 1 for those that stand in the training part as well.
    """

    settings: LstmSettings
    seeds: tuple[int, ...]
    dataset: Dataset
    runs: tuple[Run, ...]
    baseline_trial: Trial
    baselines: TrialResult
    labels: Array
    in_train: Array

    @classmethod
    def of(cls, evidence: Evidence[LstmSettings]) -> Outcome:
        """The outcome of the trials' results."""
        found = (evidence.of(TRAINER, seed) for seed in evidence.seeds)
        [(baseline_trial, baselines)] = evidence.of(BASELINES, evidence.seed).items()
        return cls(
            evidence.settings,
            evidence.seeds,
            evidence.dataset,
            tuple(Run(trial, result) for trials in found for trial, result in trials.items()),
            baseline_trial,
            baselines,
            np.asarray(evidence.dataset.array("test_labels")),
            np.asarray(evidence.dataset.array("test_in_train")),
        )

    @property
    def run(self) -> Run:
        """The training of the first seed."""
        return self.runs[0]

    @property
    def result(self) -> TrialResult:
        """What the training of the first seed left."""
        return self.run.result

    @property
    def several_seeds(self) -> bool:
        """Whether the LSTM was trained more than once."""
        return len(self.runs) > 1

    @property
    def seed_count(self) -> Number:
        """How many seeds the LSTM was trained with."""
        return Number(len(self.runs), "d", "number of seeds", self.origins)

    @property
    def network(self) -> str:
        """What a sentence calls the network that is told in detail."""
        return "the first seed's network" if self.several_seeds else "the network"

    def seed_columns(self, column: Column) -> tuple[Column, ...]:
        """The columns of a value's mean and deviation over seeds; none for one seed."""
        return seed_columns(column) if self.several_seeds else ()

    def seed_cells(self, name: str, values: Sequence[float | None]) -> dict[str, Scalar]:
        """Their cells, from one value a seed; none for one seed."""
        return seed_cells(name, values) if self.several_seeds else {}

    def at(self, threshold: float) -> list[Confusion]:
        """The counts at a threshold on the test reviews, one a seed."""
        return [Confusion.at(threshold, run.probability, self.labels) for run in self.runs]

    @property
    def origin(self) -> str:
        """The first seed's trial, as the origin of numbers."""
        return named(self.run.trial)

    @property
    def origins(self) -> str:
        """The trials of all seeds, as the origin of numbers."""
        return named(*(run.trial for run in self.runs))

    @property
    def baseline_origin(self) -> str:
        """The trial of the baselines, as the origin of numbers."""
        return named(self.baseline_trial)

    @property
    def probability(self) -> Array:
        """By the first seed's network that each test review is positive: float (m,)."""
        return self.run.probability

    @property
    def right(self) -> Array:
        """Whether it calls each test review right: bool (m,)."""
        right: Array = (self.probability >= DECISION) == (self.labels == 1)
        return right

    @cached_property
    def validation(self) -> tuple[Array, Array]:
        """Its probabilities of the validation reviews, float (v,), and their labels (v,)."""
        chosen = self.result.arrays["validation_index"]
        probability = np.asarray(self.result.arrays["validation_probability"], float)
        return probability, np.asarray(self.dataset.array("train_labels"))[chosen]

    @cached_property
    def confusion(self) -> Confusion:
        """The counts at the threshold 0.5."""
        return Confusion.at(DECISION, self.probability, self.labels)

    @cached_property
    def curves(self) -> Curves:
        """The counts at all thresholds."""
        return Curves.of(self.probability, self.labels)

    @cached_property
    def scores(self) -> Mapping[str, tuple[float, Interval | None]]:
        """Measures that need no threshold, by name, with intervals."""
        return scores(self.probability, self.labels)

    @cached_property
    def summaries(self) -> Sequence[Mapping[str, float]]:
        """The same measures without intervals, one mapping a seed."""
        return [summaries(run.probability, self.labels) for run in self.runs]

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        """The training's metrics, one value an epoch."""
        return self.result.history

    @property
    def epochs(self) -> int:
        """How many epochs were run."""
        return len(self.history["loss"])

    @property
    def chosen(self) -> int:
        """The epoch whose weights were kept, from 1."""
        return self.run.chosen

    @property
    def thresholds(self) -> list[float]:
        """The thresholds that are compared, rising, 0.5 among them."""
        return sorted({*self.settings.thresholds, DECISION})

    @property
    def validation_accuracy(self) -> Number:
        """The accuracy on the validation reviews, in the chosen epoch."""
        return self.metric("val_accuracy", self.chosen, ".2%")

    def metric(self, name: str, epoch: int, format_spec: str = ".4f") -> Number:
        """A metric of the history in an epoch, from 1."""
        return self.number(self.history[name][epoch - 1], format_spec, f"{name} in epoch {epoch}")

    def number(self, value: float, format_spec: str, about: str) -> Number:
        """A number that comes from the first seed's training."""
        return Number(value, format_spec, about, self.origin)


def interval_of(table: Table, column: str, row: int) -> tuple[str, dict[str, Cell]] | None:
    """Places for the ends of an interval in a sentence, ``{x_low} to {x_high}``, and their cells.

    None where the interval does not exist.
    """
    ends = {f"{column}_{end}": Cell(table.id, row, f"{column}_{end}") for end in ("low", "high")}
    if any(table.rows[row][name] is None for name in ends):
        return None
    return f"{{{column}_low}} to {{{column}_high}}", ends
