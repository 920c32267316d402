"""What the threshold does to the sentiments called, and which one is best on validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.lstm.choice import chosen_table, chosen_thresholds
from experiments.lstm.classification import (
    Band,
    Confusion,
    bands,
    steps,
    thinned,
)
from experiments.lstm.outcome import Item, Outcome
from experiments.lstm.raising import Raising, step_by_step
from experiments.uncertainty import interval_cells, interval_columns
from reportgen.results import (
    Column,
    Figure,
    LinePanel,
    Lines,
    Marker,
    Prose,
    Scalar,
    Series,
    Table,
    Value,
    prose,
    ref,
)
from reportgen.statistics import wilson

CURVE_POINTS = 300
GRID = np.linspace(0.01, 0.99, 99)
"""The thresholds at which measures are drawn."""
ROC_AREA, AVERAGE_PRECISION = "area under the ROC curve", "average precision"


@dataclass(frozen=True)
class Thresholds:
    """The tables and figures on thresholds; ``raising`` is None where only one is compared."""

    measures: Table
    raising: Raising | None
    chosen: Table
    areas: Table
    over_all: Figure
    precision_recall: Figure
    roc: Figure

    @classmethod
    def of(cls, outcome: Outcome) -> Thresholds:
        """All of them for an outcome."""
        return cls(
            _measures_table(outcome),
            Raising.of(outcome),
            chosen_table(outcome),
            _areas_table(outcome),
            _measures_figure(outcome),
            _precision_recall_figure(outcome),
            _roc_figure(outcome),
        )


# ----------------------------------------------------------------------------------------- prose


def thresholds(outcome: Outcome, exhibits: Thresholds) -> list[Item]:
    """What is measured, what raising the threshold does, and which threshold is best for what."""
    return [
        prose(
            "At a threshold t a review is called positive if its probability is at least t. "
            "Precision is the share of positive reviews among those called positive, recall the "
            "share of the positive reviews that are called positive, F1 their harmonic mean, and "
            "accuracy the share of all reviews that are called right. {table} has them at the "
            "compared thresholds, {figure} at all others.",
            table=ref(exhibits.measures),
            figure=ref(exhibits.over_all),
        ),
        exhibits.measures,
        exhibits.over_all,
        *_raised(outcome, exhibits),
        *chosen_thresholds(outcome, exhibits.chosen),
        _areas_paragraph(exhibits),
        exhibits.areas,
        exhibits.precision_recall,
        exhibits.roc,
    ]


def _raised(outcome: Outcome, exhibits: Thresholds) -> list[Item]:
    """What happens between the thresholds; nothing where there is only one."""
    if exhibits.raising is None:
        return []
    return [_trade_off_paragraph(outcome, exhibits), *step_by_step(exhibits.raising)]


def _trade_off_paragraph(outcome: Outcome, exhibits: Thresholds) -> Prose:
    table = exhibits.measures
    by_f1 = {t: float(table.rows[i]["f1"] or 0) for i, t in enumerate(outcome.thresholds)}
    best = max(by_f1, key=by_f1.__getitem__)
    low, high = outcome.thresholds[0], outcome.thresholds[-1]
    between = (outcome.probability >= low) & (outcome.probability < high)
    moved, share = int(between.sum()), wilson(int(between.sum()), len(between))
    assert share is not None  # the areas need test reviews, too
    trade = trade_off(exhibits)
    values = dict(trade.values)
    rivals = [t for t in outcome.thresholds if t != best and not _f1_differs(outcome, t, best)]
    doubt = ""
    if rivals:
        places = {f"rival{i}": table.cell("threshold", threshold=t) for i, t in enumerate(rivals)}
        doubt = f", but can't be told from {' and '.join(f'{{{name}}}' for name in places)}"
        values |= places
    first = "With the first seed, of" if outcome.several_seeds else "Of"
    return prose(
        f"{trade.text} {first} the compared thresholds, {{best}} has the highest F1, "
        f"{{f1}}{doubt}. The probabilities of {{moved}} reviews ({{share}}; {{share_low}} to "
        "{share_high}) lie between the outermost thresholds: these change sides.",
        best=table.cell("threshold", threshold=best),
        f1=table.cell("f1", threshold=best),
        moved=outcome.number(moved, ",d", "test reviews between the outermost thresholds"),
        share=outcome.number(moved / len(between), ".1%", "their share of the test reviews"),
        share_low=outcome.number(share.low, ".1%", "low end of its 95 % interval (Wilson)"),
        share_high=outcome.number(share.high, ".1%", "high end of its 95 % interval (Wilson)"),
        **values,
    )


def _f1_differs(outcome: Outcome, first: float, second: float) -> bool:
    """Whether the interval of the difference in F1 at two thresholds leaves zero out."""
    pair = sorted((first, second))
    [step] = steps(pair, outcome.probability, outcome.labels)
    return step.f1.told_from_zero


def trade_off(exhibits: Thresholds) -> Prose:
    """What raising the threshold from the lowest to the highest does, as the numbers say."""
    table = exhibits.measures
    over_seeds = any(column.name == "precision_mean" for column in table.columns)
    columns = {name: f"{name}_mean" if over_seeds else name for name in ("precision", "recall")}
    ends = {"low": table.rows[0], "high": table.rows[-1]}
    values: dict[str, Value] = {
        f"{name}_{end}": table.cell(column, threshold=row["threshold"])
        for name, column in ({"threshold": "threshold"} | columns).items()
        for end, row in ends.items()
    }
    precision, recall = (
        _change(measure, ends["low"][column], ends["high"][column])
        for measure, column in columns.items()
    )
    raising = "In the mean over seeds, raising" if over_seeds else "Raising"
    return prose(
        f"{raising} the threshold from {{threshold_low}} to {{threshold_high}} {precision} "
        f"({{precision_low}} to {{precision_high}}) and {recall} "
        "({recall_low} to {recall_high}).",
        **values,
    )


def _change(measure: str, first: Scalar, last: Scalar) -> str:
    """What happens to a measure from the first to the last; None where it does not exist."""
    if first is None or last is None:
        return f"leaves {measure} without a value"
    change = float(last) - float(first)
    if change == 0:
        return f"leaves {measure} as it is"
    return f"raises {measure}" if change > 0 else f"lowers {measure}"


def _areas_paragraph(exhibits: Thresholds) -> Prose:
    return prose(
        "Two areas sum up all thresholds ({table}). That under the ROC curve ({roc}), by the "
        "trapezoid rule, is the Mann–Whitney statistic (Hanley and McNeil 1982): of two reviews "
        "with different labels the positive one gets the higher probability with a chance of "
        "{area}. That under the precision–recall curve ({curve}) is a sum of steps, the average "
        "precision: {precision}, where guessing would reach {level}.",
        table=ref(exhibits.areas),
        roc=ref(exhibits.roc),
        curve=ref(exhibits.precision_recall),
        area=exhibits.areas.cell("value", measure=ROC_AREA),
        precision=exhibits.areas.cell("value", measure=AVERAGE_PRECISION),
        level=exhibits.areas.cell("guessing", measure=AVERAGE_PRECISION),
    )


# ---------------------------------------------------------------------------------------- tables


def _measures_table(outcome: Outcome) -> Table:
    over = "test reviews (Wilson's score; F1 by bootstrap)"
    measures = (
        Column("precision", "Precision", "", "", ".4f"),
        Column("recall", "Recall", "", "", ".4f"),
        Column("f1", "F1", "", "", ".4f"),
        Column("accuracy", "Accuracy", "", "", ".2%"),
    )
    columns = [Column("threshold", "Threshold", "least probability called positive", "", "g")]
    for measure in measures:
        columns += [*interval_columns(measure, over), *outcome.seed_columns(measure)]
    columns.append(Column("called_positive", "Called positive", "", "reviews", ",d"))
    rows: list[dict[str, Scalar]] = []
    for threshold in outcome.thresholds:
        at, *others = outcome.at(threshold)
        row: dict[str, Scalar] = {"threshold": threshold, "called_positive": at.called_positive}
        for name, interval in at.intervals.items():
            row |= interval_cells(name, getattr(at, name), interval)
            row |= outcome.seed_cells(name, [getattr(each, name) for each in (at, *others)])
        rows.append(row)
    caption = "The test reviews judged at several thresholds."
    origins = (outcome.origins,) * len(rows)
    return Table("thresholds", caption, tuple(columns), tuple(rows), key=True, trials=origins)


def _areas_table(outcome: Outcome) -> Table:
    value = Column("value", "Value", "", "", ".4f")
    columns = (
        Column("measure", "Measure"),
        *interval_columns(value, "test reviews (bootstrap)"),
        *outcome.seed_columns(value),
        Column("guessing", "Guessing", "what probabilities by chance would reach", "", ".4f"),
    )
    share = float(outcome.labels.mean())
    rows: list[dict[str, Scalar]] = [
        {
            "measure": measure,
            **interval_cells("value", *outcome.scores[name]),
            **outcome.seed_cells("value", [each[name] for each in outcome.summaries]),
            "guessing": level,
        }
        for measure, name, level in (
            (ROC_AREA, "area_under_roc", 0.5),
            (AVERAGE_PRECISION, "average_precision", share),
        )
    ]
    caption = "Two areas that sum up all thresholds, test reviews."
    return Table("areas", caption, columns, tuple(rows), trials=(outcome.origins,) * len(rows))


# --------------------------------------------------------------------------------------- figures


def _measures_figure(outcome: Outcome) -> Figure:
    found = bands(GRID, outcome.probability, outcome.labels)
    rules = tuple(Marker(t, 0, f"{t:g}") for t in outcome.thresholds)
    panel = LinePanel(
        tuple(_banded(name, band) for name, band in found.items()),
        vertical=rules,
        x_range=(0.0, 1.0),
    )
    return Figure(
        "measures",
        "Precision, recall and F1 of the test reviews over the threshold; the compared thresholds "
        "are marked. Bands are 95 % intervals at each threshold alone (precision and recall: "
        "Wilson; F1: bootstrap); where none is seen it is narrower than its line.",
        "Three curves over the threshold from 0 to 1, with bands around them.",
        Lines("threshold", "measure", (panel,)),
    )


def _banded(label: str, band: Band) -> Series:
    """A measure over the grid with its band, where it is defined."""
    defined = ~np.isnan(band.value + band.low + band.high)
    x, y, low, high = (
        tuple(column[defined].tolist()) for column in (GRID, band.value, band.low, band.high)
    )
    return Series(label, x, y, low=low, high=high)


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
