"""What predicted sentiments show: the numbers that derive from them, as tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.classification import Confusion, Curves, thinned
from experiments.data.reviews import text_of
from experiments.wording import hyperparameters
from reportgen.experiment import Array, Dataset, Evidence, TrialResult
from reportgen.results import (
    Cell,
    Column,
    Figure,
    HeatMap,
    Histogram,
    LinePanel,
    Lines,
    Marker,
    Number,
    Scalar,
    Series,
    Table,
)

if TYPE_CHECKING:
    from experiments.lstm import LstmSettings

LABELS = ("negative", "positive")
DECISION = 0.5
"""The threshold of accuracy and of the confusion matrix; always among those compared."""
CURVE_POINTS = 300
MISTAKES = 3
"""How many reviews of either label are quoted."""
EXCERPT = 320
"""Characters that are quoted of a review."""


# --------------------------------------------------------------------------------------- outcome


@dataclass(frozen=True)
class Outcome:
    """What came out, ready to be told: predictions with labels, and what derives from them.

    ``probability`` float (m,) and ``labels`` (m,) are of the test reviews; ``in_train`` (m,) is 1
    for those that stand in the training part as well.
    """

    settings: LstmSettings
    seed: int
    dataset: Dataset
    result: TrialResult
    probability: Array
    labels: Array
    in_train: Array
    confusion: Confusion
    curves: Curves

    @classmethod
    def of(cls, evidence: Evidence[LstmSettings], result: TrialResult) -> Outcome:
        """The outcome of the trial's result."""
        probability = np.asarray(result.arrays["test_probability"], float)
        labels = np.asarray(evidence.dataset.array("test_labels"))
        return cls(
            evidence.settings,
            evidence.seed,
            evidence.dataset,
            result,
            probability,
            labels,
            np.asarray(evidence.dataset.array("test_in_train")),
            Confusion.at(DECISION, probability, labels),
            Curves.of(probability, labels),
        )

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
        return int(self.result.scalars["chosen_epoch"])

    @property
    def thresholds(self) -> list[float]:
        """The thresholds that are compared, rising, 0.5 among them."""
        return sorted({*self.settings.thresholds, DECISION})

    @property
    def area(self) -> Number:
        """The area under the ROC curve."""
        return Number(self.curves.area_under_roc, ".4f", "area under the ROC curve, test reviews")

    @property
    def validation_accuracy(self) -> Number:
        """The accuracy on the validation reviews, in the chosen epoch."""
        return self.metric("val_accuracy", self.chosen, ".2%")

    def metric(self, name: str, epoch: int, format_spec: str = ".4f") -> Number:
        """A metric of the history in an epoch, from 1."""
        return Number(self.history[name][epoch - 1], format_spec, f"{name} in epoch {epoch}")


# ---------------------------------------------------------------------------------------- tables


def _parts_table(outcome: Outcome) -> Table:
    columns = (
        Column("part", "Part"),
        Column("reviews", "Reviews", "Number of reviews.", format=",d"),
        Column("positive", "Positive", "Reviews with a positive label.", format=",d"),
        Column("mean_words", "Mean length", "Before cutting.", "words", ".1f"),
        Column("mean_words_kept", "After cutting", "Mean length after cutting.", "words", ".1f"),
        Column("share_cut", "Cut", "Share of reviews that were cut.", format=".1%"),
        Column(
            "share_unknown",
            "Unknown",
            "Share of the words kept that are outside of the vocabulary.",
            format=".1%",
        ),
    )
    names = [column.name for column in columns[1:]]
    rows: list[dict[str, Scalar]] = []
    for part in ("fitted", "validation", "test"):
        facts = outcome.result.scalars[part]
        rows.append({"part": part} | {name: facts[name] for name in names})
    caption = (
        "The reviews that were fitted, those that chose the epoch, both from the training part of "
        "the data, and those of its test part."
    )
    return Table("parts", caption, columns, tuple(rows))


def _layers_table(outcome: Outcome) -> Table:
    layers = outcome.result.scalars["layers"]
    rows: list[dict[str, Scalar]] = [
        {
            "layer": layer["type"],
            "output": " × ".join(str(size) for size in layer["output"]),
            "parameters": layer["parameters"],
        }
        for layer in layers
    ]
    total = sum(layer["parameters"] for layer in layers)
    rows.append({"layer": "Total", "output": None, "parameters": total})
    columns = (
        Column("layer", "Layer"),
        Column("output", "Output", "Shape for one review."),
        Column("parameters", "Parameters", "Numbers that training adjusts.", format=",d"),
    )
    caption = "The layers with their parameters, as counted by the plain Keras model."
    return Table("architecture", caption, columns, tuple(rows))


def _thresholds_table(outcome: Outcome) -> Table:
    columns = (
        Column("threshold", "Threshold", "Least probability that is called positive.", "", "g"),
        Column("precision", "Precision", "Share of positive among called positive.", "", ".4f"),
        Column("recall", "Recall", "Share called positive among positive.", "", ".4f"),
        Column("f1", "F1", "Harmonic mean of precision and recall.", "", ".4f"),
        Column("accuracy", "Accuracy", "Share of reviews called right.", "", ".2%"),
        Column("called_positive", "Called positive", "Reviews called positive.", "", ",d"),
    )
    rows: list[dict[str, Scalar]] = []
    for threshold in outcome.thresholds:
        at = Confusion.at(threshold, outcome.probability, outcome.labels)
        rows.append(
            {
                "threshold": threshold,
                "precision": at.precision,
                "recall": at.recall,
                "f1": at.f1,
                "accuracy": at.accuracy,
                "called_positive": at.true_positive + at.false_positive,
            }
        )
    caption = "The test reviews judged at several thresholds."
    return Table("thresholds", caption, columns, tuple(rows), key=True)


def _confusion_table(outcome: Outcome) -> Table:
    at = outcome.confusion
    columns = (
        Column("actual", "Actual"),
        Column("predicted_negative", "Predicted negative", "Probability below 0.5.", "", ",d"),
        Column("predicted_positive", "Predicted positive", "Probability of 0.5 or more.", "", ",d"),
    )
    counts = ((at.true_negative, at.false_positive), (at.false_negative, at.true_positive))
    rows: tuple[dict[str, Scalar], ...] = tuple(
        {"actual": label, "predicted_negative": low, "predicted_positive": high}
        for label, (low, high) in zip(LABELS, counts, strict=True)
    )
    caption = "Confusion matrix of the test reviews at the threshold 0.5, in reviews."
    return Table("confusion_matrix", caption, columns, rows, key=True)


def _mistakes_table(outcome: Outcome) -> Table:
    columns = (
        Column("actual", "Actual"),
        Column("probability", "Probability", "Predicted, of being positive.", "", ".4f"),
        Column("text", "Review"),
    )
    rows: list[dict[str, Scalar]] = []
    for label in (1, 0):
        wrong = (outcome.labels == label) & ((outcome.probability >= DECISION) != label)
        distance = np.where(wrong, np.abs(outcome.probability - label), -1)
        worst = np.argsort(-distance, kind="stable")[: min(MISTAKES, int(wrong.sum()))]
        for i in worst:
            rows.append(
                {
                    "actual": LABELS[label],
                    "probability": float(outcome.probability[i]),
                    "text": excerpt(text_of(outcome.dataset, int(i))),
                }
            )
    caption = (
        "The test reviews that were judged most wrongly, positive ones first; long ones are quoted "
        "from their beginning and their end."
    )
    return Table("mistakes", caption, columns, tuple(rows))


def excerpt(text: str, length: int = EXCERPT) -> str:
    """At most about ``length`` characters of a text: its beginning, an ellipsis, its end.

    A review's verdict often stands at its end, so the end is quoted, too.
    """
    if len(text) <= length:
        return text
    head = text[: length * 3 // 5].rsplit(" ", 1)[0]
    tail = text[-(length * 2 // 5) :].split(" ", 1)[-1]
    return f"{head} […] {tail}"


# --------------------------------------------------------------------------------------- figures


def _training_figure(outcome: Outcome) -> Figure:
    epochs = tuple(float(epoch) for epoch in range(1, outcome.epochs + 1))
    rule = (Marker(float(outcome.chosen), 0, "chosen"),)

    def panel(metric: str, label: str) -> LinePanel:
        fitted, validated = outcome.history[metric], outcome.history[f"val_{metric}"]
        series = (
            Series("training", epochs, tuple(fitted), "marked"),
            Series("validation", epochs, tuple(validated), "marked"),
        )
        return LinePanel(series, vertical=rule, y_label=label)

    return Figure(
        "training",
        "Loss and accuracy of training and validation reviews by epoch. The vertical rule marks "
        "the epoch whose weights were kept: the one with the highest validation accuracy.",
        "Two panels of curves over the epochs: cross-entropy and accuracy, each for training and "
        "validation.",
        Lines(
            "epoch",
            "",
            (panel("loss", "binary cross-entropy"), panel("accuracy", "accuracy")),
            share_y=False,
        ),
    )


def _confusion_figure(outcome: Outcome) -> Figure:
    at = outcome.confusion
    return Figure(
        "confusion",
        "Confusion matrix of the test reviews at the threshold 0.5: counts, and shares of the "
        "actual label. The errors stand off the diagonal.",
        "A two by two matrix of actual against predicted labels.",
        HeatMap(
            "predicted",
            "actual",
            LABELS,
            LABELS,
            ((at.true_negative, at.false_positive), (at.false_negative, at.true_positive)),
        ),
    )


def _marked(outcome: Outcome) -> tuple[Marker, ...]:
    """The compared thresholds on the precision-recall curve, where there is a precision."""
    markers = []
    for threshold in outcome.thresholds:
        at = Confusion.at(threshold, outcome.probability, outcome.labels)
        if at.precision is not None and at.recall is not None:
            markers.append(Marker(at.recall, at.precision, f"{threshold:g}"))
    return tuple(markers)


def _precision_recall_figure(outcome: Outcome) -> Figure:
    recall, precision = thinned(outcome.curves.recall, outcome.curves.precision, CURVE_POINTS)
    level = float(outcome.labels.mean())
    bottom = max(0.0, np.floor(10 * min(level, precision.min())) / 10 - 0.1)
    return Figure(
        "precision_recall",
        "Precision over recall for all thresholds; the marked points are the compared thresholds. "
        "The dashed line is guessing: the share of positive reviews.",
        "A curve that starts at high precision and falls as recall grows, with marked points.",
        Lines(
            "recall",
            "precision",
            (
                LinePanel(
                    (
                        Series("LSTM", tuple(recall.tolist()), tuple(precision.tolist())),
                        Series("guessing", (0.0, 1.0), (level, level), "dashed"),
                    ),
                    markers=_marked(outcome),
                    x_range=(0.0, 1.0),
                    y_range=(float(bottom), 1.0),
                ),
            ),
        ),
    )


def _roc_figure(outcome: Outcome) -> Figure:
    fall_out, recall = thinned(
        np.append(0.0, outcome.curves.fall_out), np.append(0.0, outcome.curves.recall), CURVE_POINTS
    )
    label = f"LSTM, area {outcome.curves.area_under_roc:.4f}"
    return Figure(
        "roc",
        "ROC curve: the share of positive reviews that are found over the share of negative ones "
        "that are taken for positive. Guessing would stay on the dashed diagonal.",
        "A curve that rises steeply towards the upper left corner, above the diagonal.",
        Lines(
            "false-positive rate",
            "true-positive rate (recall)",
            (
                LinePanel(
                    (
                        Series(label, tuple(fall_out.tolist()), tuple(recall.tolist())),
                        Series("guessing", (0.0, 1.0), (0.0, 1.0), "dashed"),
                    ),
                    x_range=(0.0, 1.0),
                    y_range=(0.0, 1.0),
                ),
            ),
        ),
    )


def _probabilities_figure(outcome: Outcome) -> Figure:
    edges = np.linspace(0, 1, 41)
    groups = tuple(
        (LABELS[label], tuple(np.histogram(outcome.probability[chosen], edges)[0].tolist()))
        for label in (0, 1)
        for chosen in [outcome.labels == label]
    )
    return Figure(
        "probabilities",
        "Predicted probabilities of the test reviews by their actual label, with the compared "
        "thresholds. Mistakes are negative reviews on the right, positive ones on the left.",
        "Two overlaid histograms over the probability from 0 to 1.",
        Histogram(
            "predicted probability of being positive",
            "reviews",
            tuple(edges.tolist()),
            groups,
            tuple(Marker(threshold, 0, f"{threshold:g}") for threshold in outcome.thresholds),
        ),
    )


def _measures_figure(outcome: Outcome) -> Figure:
    grid = np.linspace(0.01, 0.99, 99)
    at = [Confusion.at(t, outcome.probability, outcome.labels) for t in grid]

    def curve(label: str, values: Sequence[float | None]) -> Series:
        pairs = [(float(t), v) for t, v in zip(grid, values, strict=True) if v is not None]
        return Series(label, tuple(t for t, _ in pairs), tuple(v for _, v in pairs))

    return Figure(
        "measures",
        "Precision, recall and F1 of the test reviews over the threshold; the compared thresholds "
        "are marked.",
        "Three curves over the threshold from 0 to 1.",
        Lines(
            "threshold",
            "measure",
            (
                LinePanel(
                    (
                        curve("precision", [c.precision for c in at]),
                        curve("recall", [c.recall for c in at]),
                        curve("F1", [c.f1 for c in at]),
                    ),
                    vertical=tuple(Marker(t, 0, f"{t:g}") for t in outcome.thresholds),
                    x_range=(0.0, 1.0),
                ),
            ),
        ),
    )


@dataclass(frozen=True)
class Exhibits:
    """The chapter's tables and figures."""

    parts: Table
    layers: Table
    settings: Table
    thresholds: Table
    confusion: Table
    mistakes: Table
    training: Figure
    matrix: Figure
    precision_recall: Figure
    roc: Figure
    probabilities: Figure
    measures: Figure

    @property
    def accuracy(self) -> Cell:
        """The accuracy on the test reviews at the threshold 0.5."""
        return self.thresholds.cell("accuracy", threshold=DECISION)

    @classmethod
    def of(cls, outcome: Outcome) -> Exhibits:
        """All tables and figures of an outcome."""
        return cls(
            _parts_table(outcome),
            _layers_table(outcome),
            hyperparameters(outcome.settings, "The hyperparameters of the LSTM."),
            _thresholds_table(outcome),
            _confusion_table(outcome),
            _mistakes_table(outcome),
            _training_figure(outcome),
            _confusion_figure(outcome),
            _precision_recall_figure(outcome),
            _roc_figure(outcome),
            _probabilities_figure(outcome),
            _measures_figure(outcome),
        )
