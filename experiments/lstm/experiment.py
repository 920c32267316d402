"""Q3: the sentiment of film reviews, told by an LSTM; its settings, trials and chapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from experiments.data.imdb import ImdbSource
from experiments.lstm.accuracy import Accuracy, accuracy, generalisation
from experiments.lstm.against_baselines import LSTM, Baselines, comparison, meaning
from experiments.lstm.against_baselines import claim as baselines_claim
from experiments.lstm.against_baselines import finding as baselines_finding
from experiments.lstm.calibration import Calibration, calibration
from experiments.lstm.errors import Errors, errors
from experiments.lstm.outcome import BASELINES, TRAINER, Item, Outcome
from experiments.lstm.raising import claim as thresholds_claim
from experiments.lstm.raising import finding as thresholds_finding
from experiments.lstm.seeds import seeds
from experiments.lstm.thresholds import ROC_AREA, Thresholds, thresholds, trade_off
from experiments.lstm.training import (
    Training,
    course_of_training,
    data,
    hyperparameter_list,
    method,
    overfitting,
)
from experiments.uncertainty import about_seeds
from reportgen.experiment import DataSource, Evidence, Experiment, Json, Trial, setting
from reportgen.results import Finding, Prose, Section, Value, prose, ref, section_with

UNTRAINED = ("thresholds", "false_positive_cost", "seeds")
"""Settings that are no part of a training."""


@dataclass(frozen=True)
class LstmSettings:
    """Settings of the sentiment experiment, with the sources of their defaults.

    Vocabulary, length and layers are the assignment's. Batches of 128 are those of Keras' IMDB
    examples; clipping at norm 1 (Pascanu et al. 2013) is common practice for LSTMs of this size.
    Adam's rate is three times its default, because averaging the weights (Polyak & Juditsky 1992)
    evens out its noise. Words are left out as Iyyer et al. (2015) do it, at their rate; dropout of
    embedding features is that of Gal & Ghahramani (2016). ``memory_span`` is the longest memory of
    chrono initialisation (Tallec & Ollivier 2018). Rates of dropout, span, step and the number of
    epochs were chosen on validation reviews, never on test reviews; after two epochs fewer of them
    are called right than after these three. The preset ``quick`` takes more and larger steps on
    fewer reviews. That a false positive costs twice as much is an example, not a measurement.
    """

    vocabulary: int = setting(
        10_000, "size of the vocabulary, padding and unknown included", minimum=10, maximum=100_000
    )
    sequence_length: int = setting(
        500, "most words of a review; longer ones keep the last", minimum=5, maximum=5000
    )
    embedding_dim: int = setting(128, "size of a word's embedding", minimum=1, maximum=1024)
    units: int = setting(64, "units of the LSTM", minimum=1, maximum=1024)
    memory_span: int = setting(
        100, "longest initial memory of a cell, in words", minimum=2, maximum=5000
    )
    word_dropout: float = setting(
        0.3, "share of words left out of a batch's reviews", minimum=0, below=1
    )
    input_dropout: float = setting(
        0.5, "share of embedding features left out of a batch", minimum=0, below=1
    )
    output_dropout: float = setting(
        0.5, "share of LSTM outputs left out of a review", minimum=0, below=1
    )
    epochs: int = setting(3, "most passes over the reviews", minimum=1, maximum=100, quick=2)
    batch_size: int = setting(128, "reviews in a batch", minimum=1, maximum=4096, quick=32)
    learning_rate: float = setting(
        3e-3, "Adam's highest learning rate", above=0, maximum=1, quick=0.01
    )
    warm_up: float = setting(
        0.1, "share of the steps in which the rate rises", minimum=0, maximum=1
    )
    gradient_clip: float = setting(1.0, "largest norm of a gradient", above=0)
    averaging: float = setting(
        0.995, "memory of the running average of weights", minimum=0, below=1
    )
    patience: int = setting(
        2, "epochs without a better validation accuracy before stopping", minimum=1
    )
    validation_reviews: int = setting(
        2500, "reviews split off for validation, at most a fifth", minimum=10
    )
    training_reviews: int = setting(0, "most reviews to fit; 0: all", minimum=0, quick=3000)
    thresholds: tuple[float, ...] = setting(
        (0.3, 0.5, 0.7), "thresholds to compare beside 0.5", above=0, below=1
    )
    false_positive_cost: float = setting(
        2.0, "cost of a false positive, in those of a false negative", above=0
    )
    seeds: int = setting(
        0,
        "trainings of each model, with seeds counted up; 0: as build.seeds",
        minimum=0,
        maximum=1000,
    )


class LstmExperiment(Experiment[LstmSettings]):
    """Embedding → LSTM → Dense on the IMDB reviews, judged at several thresholds."""

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "Sentiment of film reviews with an LSTM"
    question: ClassVar[str] = "Q3"
    summary: ClassVar[str] = "classifies IMDB reviews with an LSTM, compares decision thresholds"
    order: ClassVar[int] = 3
    settings = LstmSettings
    source: DataSource = ImdbSource()

    def trials(self, settings: LstmSettings, seed: int, others: Mapping[str, Any]) -> list[Trial]:
        """The one training; thresholds are not part of it."""
        params: dict[str, Json] = {
            field.name: getattr(settings, field.name)
            for field in fields(settings)
            if field.name not in UNTRAINED
        }
        cost = 25.0 * settings.epochs  # seconds on one core, measured on the whole of IMDB
        return [Trial(self.name, TRAINER, params, seed, "LSTM", cost)]

    def baselines(
        self, settings: LstmSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """The linear classifiers, fitted to the words and reviews that the LSTM has."""
        names = ("vocabulary", "sequence_length", "validation_reviews", "training_reviews")
        params: dict[str, Json] = {name: getattr(settings, name) for name in names}
        return [Trial(self.name, BASELINES, params, seed, "linear classifiers", 6.0)]

    def section(self, evidence: Evidence[LstmSettings]) -> Section:
        """The chapter: what was asked, done, found, and what follows from it."""
        told = _Exhibits.of(Outcome.of(evidence))
        return section_with(
            self.name,
            self.title,
            self.question,
            evidence.dataset.summary,
            [
                ("Objective", _objective()),
                ("Data", data(told.outcome, told.training)),
                ("Method", method(told.outcome, told.training)),
                ("Hyperparameters", hyperparameter_list(told.training)),
                ("Results", _results(told)),
                ("Thresholds", thresholds(told.outcome, told.thresholds)),
                ("Calibration", calibration(told.outcome, told.calibration)),
                ("Errors", errors(told.outcome, told.errors)),
                ("Discussion", _discussion(told)),
            ],
            _findings(told),
            [baselines_claim(told.baselines), thresholds_claim(told.thresholds.raising)],
        )


@dataclass(frozen=True)
class _Exhibits:
    """What came out, and all of the chapter's tables and figures by theme."""

    outcome: Outcome
    training: Training
    accuracy: Accuracy
    baselines: Baselines
    thresholds: Thresholds
    calibration: Calibration
    errors: Errors

    @classmethod
    def of(cls, outcome: Outcome) -> _Exhibits:
        return cls(
            outcome,
            Training.of(outcome),
            Accuracy.of(outcome),
            Baselines.of(outcome),
            Thresholds.of(outcome),
            Calibration.of(outcome),
            Errors.of(outcome),
        )


def _objective() -> list[Item]:
    return [
        prose(
            "Can a recurrent network read a film review and tell whether it praises or blames the "
            "film? An embedding turns words into vectors, an LSTM reads them in order, and a dense "
            "unit turns what the LSTM remembers into the probability that the review is positive. "
            "It is asked how often the network is right on reviews that it has never seen, and "
            "whether that is better than simpler classifiers do; how precision and recall change "
            "when the probability from which on a review is called positive is moved; whether the "
            "probabilities mean what they say; and on which reviews the network errs."
        )
    ]


def _results(told: _Exhibits) -> list[Item]:
    return [
        course_of_training(told.outcome, told.training),
        told.training.curves,
        *accuracy(told.outcome, told.accuracy, told.baselines),
        *comparison(told.outcome, told.baselines),
        *seeds(told.outcome, told.baselines),
    ]


def _discussion(told: _Exhibits) -> list[Item]:
    return [
        meaning(told.baselines),
        generalisation(told.outcome, told.baselines),
        overfitting(told.outcome, told.training),
        _costs(told.thresholds),
        about_seeds(told.outcome.seeds),
    ]


def _costs(exhibits: Thresholds) -> Prose:
    return prose(
        "Which threshold is right depends on what a mistake costs. Where a false praise is worse, "
        "as in picking films to recommend, a high threshold serves; where no praise may be "
        "missed, a low one. The thresholds of {given} were given beforehand; {chosen} shows how to "
        "pick one for a purpose without using the test reviews.",
        given=ref(exhibits.measures),
        chosen=ref(exhibits.chosen),
    )


def _findings(told: _Exhibits) -> list[Finding]:
    found = [Finding("accuracy", _right(told)), baselines_finding(told.baselines)]
    if told.thresholds.raising is not None:
        found.append(thresholds_finding(trade_off(told.thresholds), told.thresholds.raising))
    return found


def _right(told: _Exhibits) -> Prose:
    """How often the LSTM is right: over seeds if there are several, and with the first one."""
    table = told.baselines.test
    area = " the area under its ROC curve is {area} ({area_low} to {area_high})."
    values: dict[str, Value] = {
        "accuracy": table.cell("accuracy", method=LSTM),
        "low": table.cell("accuracy_low", method=LSTM),
        "high": table.cell("accuracy_high", method=LSTM),
        "count": told.training.parts.cell("reviews", part="test"),
        "area": told.thresholds.areas.cell("value", measure=ROC_AREA),
        "area_low": told.thresholds.areas.cell("value_low", measure=ROC_AREA),
        "area_high": told.thresholds.areas.cell("value_high", measure=ROC_AREA),
    }
    if not told.outcome.several_seeds:
        calls = "The LSTM calls {accuracy} ({low} to {high}) of {count} unseen reviews right"
        return prose(f"{calls};{area}", **values)
    return prose(
        "The LSTM calls {mean} ± {sd} of {count} unseen reviews right, over {seeds} seeds (mean "
        "and standard deviation). With the first seed it is {accuracy} ({low} to {high}), and"
        f"{area}",
        mean=table.cell("accuracy_mean", method=LSTM),
        sd=table.cell("accuracy_sd", method=LSTM),
        seeds=told.outcome.seed_count,
        **values,
    )
