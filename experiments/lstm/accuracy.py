"""How often the network is right, in which direction it errs, and whether that surprises."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.lstm.against_baselines import LSTM, Baselines
from experiments.lstm.classification import share_difference
from experiments.lstm.outcome import DECISION, LABELS, SIGNIFICANT, Item, Outcome
from experiments.wording import p_is
from reportgen.results import Column, Figure, HeatMap, Prose, Scalar, Table, prose, ref
from reportgen.statistics import mcnemar


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
        tendency = "Whether it is rather too kind or too harsh can't be told"
    elif kind > harsh:
        tendency = "It is too kind more often than too harsh"
    else:
        tendency = "It is too harsh more often than too kind"
    table = baselines.test
    return prose(
        f"At the threshold 0.5 {outcome.network} is right on {{accuracy}} of the test reviews "
        f"(95 % interval {{low}} to {{high}}). {tendency} (exact test, {p_is(p_value)} {{p}}): "
        "{kind} negative reviews are taken for positive and {harsh} positive ones for negative "
        "({figure}, {table}).",
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
    probability, labels = outcome.validation
    right = (probability >= DECISION) == (labels == 1)
    found, test = (int(right.sum()), len(right)), outcome.confusion
    interval = share_difference(found, (test.right, test.examples))
    assert interval is not None  # there are reviews of both parts
    lead = found[0] / found[1] - test.right / test.examples
    about = "validation minus test accuracy; 95 % interval (Newcombe)"
    if interval.low > 0:
        told = "it was right more often on the validation reviews. Some lead is to be expected, as "
        told += "they chose the epoch; whether that is all of it, numbers can't tell"
    elif interval.high < 0:
        told = "it was right less often on the validation reviews, although they chose the epoch"
    else:
        told = "the two can't be told apart"
    return prose(
        f"On the validation reviews {outcome.network} is right on {{validation}}, on the test "
        "reviews on {accuracy}. The difference is {difference} ({low} to {high}; Newcombe's "
        f"interval for different reviews): {told}.",
        validation=baselines.validation.cell("accuracy", method=LSTM),
        accuracy=baselines.test.cell("accuracy", method=LSTM),
        **{
            name: outcome.number(value, "+.2%", about)
            for name, value in zip(("difference", "low", "high"), (lead, *interval), strict=True)
        },
    )


# ------------------------------------------------------------------------------ table and figure


def _confusion_table(outcome: Outcome) -> Table:
    at = outcome.confusion
    columns = (
        Column("actual", "Actual"),
        Column("predicted_negative", "Predicted negative", "probability below 0.5", "", ",d"),
        Column("predicted_positive", "Predicted positive", "probability of 0.5 or more", "", ",d"),
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
