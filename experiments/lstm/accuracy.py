"""How often the network is right, in which direction it errs, and whether that surprises."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.lstm.against_baselines import LSTM, Baselines
from experiments.lstm.outcome import LABELS, SIGNIFICANT, Item, Outcome
from reportgen.results import Column, Figure, HeatMap, Prose, Scalar, Table, prose, ref
from reportgen.statistics import mcnemar

EXPECTED_LEAD = 0.02
"""By how much validation accuracy may exceed that on the test reviews without a reason given."""


@dataclass(frozen=True)
class Accuracy:
    """The confusion matrix, as a table and as a figure."""

    confusion: Table
    matrix: Figure

    @classmethod
    def of(cls, outcome: Outcome) -> Accuracy:
        """Both for an outcome."""
        return cls(_confusion_table(outcome), _confusion_figure(outcome))


# ----------------------------------------------------------------------------------------- prose


def accuracy(outcome: Outcome, exhibits: Accuracy, baselines: Baselines) -> list[Item]:
    """How often the network is right, and whether it is rather too kind or too harsh."""
    return [_confusion_paragraph(outcome, exhibits, baselines), exhibits.matrix, exhibits.confusion]


def _confusion_paragraph(outcome: Outcome, exhibits: Accuracy, baselines: Baselines) -> Prose:
    kind, harsh = outcome.confusion.false_positive, outcome.confusion.false_negative
    p_value = mcnemar(kind, harsh)
    if p_value >= SIGNIFICANT:
        tendency = "Whether it is rather too kind or too harsh can't be told (exact test, p {p})"
    elif kind > harsh:
        tendency = "It is too kind more often than too harsh (exact test, p {p})"
    else:
        tendency = "It is too harsh more often than too kind (exact test, p {p})"
    table = baselines.test
    return prose(
        "At the threshold 0.5 the network is right on {accuracy} of the test reviews (95 % "
        f"interval {{low}} to {{high}}). {tendency}: {{kind}} negative reviews are taken for "
        "positive and {harsh} positive ones for negative ({figure}, {table}).",
        accuracy=table.cell("accuracy", method=LSTM),
        low=table.cell("accuracy_low", method=LSTM),
        high=table.cell("accuracy_high", method=LSTM),
        p=outcome.number(p_value, "p", "exact test of as many mistakes of either kind"),
        kind=exhibits.confusion.cell("predicted_positive", actual="negative"),
        harsh=exhibits.confusion.cell("predicted_negative", actual="positive"),
        figure=ref(exhibits.matrix),
        table=ref(exhibits.confusion),
    )


def generalisation(outcome: Outcome, baselines: Baselines) -> Prose:
    """How the validation accuracy compares with that on the test reviews."""
    lead = outcome.run.validation_accuracy - (outcome.confusion.accuracy or 0.0)
    if lead <= 0:
        told = "no more than on the test reviews, although the epoch was chosen by them"
    elif lead <= EXPECTED_LEAD:
        told = "somewhat more than on the test reviews, as is to be expected where the epoch was "
        told += "chosen by them"
    else:
        told = "more than the choice of the epoch by them explains: the test reviews seem to "
        told += "differ from the training part"
    return prose(
        f"On the validation reviews the network reached {{validation}}, {told} ({{accuracy}}).",
        validation=outcome.validation_accuracy,
        accuracy=baselines.test.cell("accuracy", method=LSTM),
    )


# ------------------------------------------------------------------------------ table and figure


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
    origins = (outcome.origin,) * len(rows)
    return Table("confusion_matrix", caption, columns, rows, key=True, trials=origins)


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
