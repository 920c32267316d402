"""What the threshold does to the sentiments called, and which one is best on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from experiments.lstm.outcome import SIGNIFICANT, Item, Outcome
from experiments.uncertainty import interval_cells, interval_columns
from reportgen.results import (
    Cell,
    Claim,
    Column,
    Figure,
    Finding,
    LinePanel,
    Lines,
    Marker,
    Prose,
    Scalar,
    Series,
    Table,
    Value,
    Verdict,
    prose,
    ref,
)
from reportgen.statistics import holm, wilson

CURVE_POINTS = 300
GRID = np.linspace(0.01, 0.99, 99)
"""The thresholds at which measures are drawn."""
ROC_AREA, AVERAGE_PRECISION = "area under the ROC curve", "average precision"


@dataclass(frozen=True)
class Thresholds:
    """The tables and figures on thresholds; ``steps`` is None where only one is compared."""

    measures: Table
    steps: Table | None
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
            _steps_table(outcome) if len(outcome.thresholds) > 1 else None,
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
        *_steps_items(outcome, exhibits),
        *chosen_thresholds(outcome, exhibits.chosen),
        _areas_paragraph(exhibits),
        exhibits.areas,
        exhibits.precision_recall,
        exhibits.roc,
    ]


def _steps_items(outcome: Outcome, exhibits: Thresholds) -> list[Item]:
    """What happens between the thresholds; nothing where there is only one."""
    if exhibits.steps is None:
        return []
    return [
        _trade_off_paragraph(outcome, exhibits),
        prose(
            "{steps} takes one step at a time. The comparison is paired, since the same reviews "
            "are judged at both thresholds, and only those in between change sides. Raising the "
            "threshold gains those that are negative and loses those that are positive, which "
            "McNemar's exact test compares for accuracy. Recall is a share of the positive "
            "reviews; none of them can come back, so recall can't rise, and one lost review shows "
            "that it falls: there is nothing to test. Precision is a share of reviews that are "
            "not the same at both thresholds. It rises exactly if the reviews in between are less "
            "often positive than those above, which Fisher's exact test (1935) compares; its "
            "interval is bootstrapped over all reviews together. P-values are adjusted for the "
            "number of steps (Holm 1979).",
            steps=ref(exhibits.steps),
        ),
        exhibits.steps,
    ]


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
    return prose(
        f"{trade.text} Of the compared thresholds, {{best}} has the highest F1, {{f1}}{doubt}. The "
        "probabilities of {moved} reviews ({share}; {share_low} to {share_high}) lie between the "
        "outermost thresholds: these change sides.",
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
    ends = {"low": table.rows[0], "high": table.rows[-1]}
    values: dict[str, Value] = {
        f"{column}_{end}": table.cell(column, threshold=row["threshold"])
        for column in ("threshold", "precision", "recall")
        for end, row in ends.items()
    }
    precision, recall = (
        _change(measure, ends["low"][measure], ends["high"][measure])
        for measure in ("precision", "recall")
    )
    return prose(
        f"Raising the threshold from {{threshold_low}} to {{threshold_high}} {precision} "
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


# ---------------------------------------------------------------------------------------- claims


def finding(exhibits: Thresholds) -> Finding | None:
    """What raising the threshold does, and whether that is more than chance."""
    if exhibits.steps is None:
        return None
    found, table = trade_off(exhibits), exhibits.steps
    if _verdict(table) is not Verdict.SUPPORTED:
        text, values = _step_by_step(table)
        return Finding("thresholds", prose(f"{found.text} {text}.", **found.values, **values))
    largest = max(range(len(table.rows)), key=lambda i: float(table.rows[i]["precision_p"] or 0))
    return Finding(
        "thresholds",
        prose(
            f"{found.text} Precision rises and recall falls at every step (Fisher's exact test of "
            "precision, largest adjusted p {p}).",
            p=Cell(table.id, largest, "precision_p"),
            **found.values,
        ),
    )


def claim(exhibits: Thresholds) -> Claim:
    """Whether raising the threshold raises precision and lowers recall, at every step asked for."""
    statement = "Raising the threshold raises precision and lowers recall."
    rule = (
        "Rule: supported if at every step precision rises, with an adjusted p-value of Fisher's "
        f"exact test below {SIGNIFICANT}, and recall falls, which one positive review that changes "
        "sides shows, as none can change back; not supported if precision falls at a step with "
        "such a p-value."
    )
    if exhibits.steps is None:
        evidence = prose(f"Only one threshold was asked for. {rule}")
        return Claim("threshold_trade_off", statement, evidence, Verdict.CANT_TELL)
    text, values = _step_by_step(exhibits.steps)
    evidence = prose(f"{text} ({{table}}). {rule}", table=ref(exhibits.steps), **values)
    return Claim("threshold_trade_off", statement, evidence, _verdict(exhibits.steps))


def _verdict(table: Table) -> Verdict:
    """The verdict on the claim by its rule."""
    directions = [_direction(row) for row in table.rows]
    if "falls" in directions:
        return Verdict.NOT_SUPPORTED
    recall_falls = all(float(row["recall_change"] or 0) < 0 for row in table.rows)
    rises = set(directions) == {"rises"}
    return Verdict.SUPPORTED if rises and recall_falls else Verdict.CANT_TELL


def _direction(row: Mapping[str, Scalar]) -> str:
    """Whether precision ``rises`` or ``falls`` at a step, or neither can be told."""
    change, p_value = row["precision_change"], row["precision_p"]
    if change is None or p_value is None or float(p_value) >= SIGNIFICANT:
        return "can't be told"
    return "rises" if float(change) > 0 else "falls"


def _step_by_step(table: Table) -> tuple[str, dict[str, Value]]:
    """What precision and recall do at each step, in a sentence with its values."""
    pieces, values = list[str](), dict[str, Value]()
    for i, row in enumerate(table.rows):
        told = {}
        for measure in ("precision", "recall"):
            column = f"{measure}_change"
            for name in (column, f"{column}_low", f"{column}_high"):
                values[f"{name}{i}"] = Cell(table.id, i, name)
            told[measure] = f"{{{column}{i}}} ({{{column}_low{i}}} to {{{column}_high{i}}}"
        values |= {f"{end}{i}": Cell(table.id, i, end) for end in ("from", "to", "precision_p")}
        doubt = ", not told from chance" if _direction(row) == "can't be told" else ""
        pieces.append(
            f"from {{from{i}}} to {{to{i}}} precision changes by {told['precision']}, p "
            f"{{precision_p{i}}}{doubt}), recall by {told['recall']})"
        )
    text = "; ".join(pieces)
    return text[0].upper() + text[1:], values


# ---------------------------------------------------------------------------------------- tables


def _measures_table(outcome: Outcome) -> Table:
    over = "test reviews (Wilson's score; F1 by bootstrap)"
    columns = (
        Column("threshold", "Threshold", "Least probability that is called positive.", "", "g"),
        *interval_columns(Column("precision", "Precision", "", "", ".4f"), over),
        *interval_columns(Column("recall", "Recall", "", "", ".4f"), over),
        *interval_columns(Column("f1", "F1", "", "", ".4f"), over),
        *interval_columns(Column("accuracy", "Accuracy", "", "", ".2%"), over),
        Column("called_positive", "Called positive", "", "reviews", ",d"),
    )
    rows: list[dict[str, Scalar]] = []
    for threshold in outcome.thresholds:
        at = Confusion.at(threshold, outcome.probability, outcome.labels)
        cells: dict[str, Scalar] = {}
        for name, interval in at.intervals.items():
            cells |= interval_cells(name, getattr(at, name), interval)
        rows.append({"threshold": threshold, **cells, "called_positive": at.called_positive})
    caption = "The test reviews judged at several thresholds."
    origins = (outcome.origin,) * len(rows)
    return Table("thresholds", caption, columns, tuple(rows), key=True, trials=origins)


def _steps_table(outcome: Outcome) -> Table:
    over = "test reviews, paired (precision: bootstrap; recall: Wilson; accuracy: Bonett and Price)"
    adjusted = "adjusted for the number of steps (Holm)"
    columns = (
        Column("from", "From", "", "", "g"),
        Column("to", "To", "", "", "g"),
        Column("moved", "Moved", "reviews that change sides", "", ",d"),
        *interval_columns(Column("precision_change", "Precision", "", "", "+.4f"), over),
        Column("precision_p", "p (precision)", f"Fisher's exact test, {adjusted}", "", "p"),
        *interval_columns(Column("recall_change", "Recall", "", "", "+.4f"), over),
        *interval_columns(Column("accuracy_change", "Accuracy", "", "", "+.2%"), over),
        Column("accuracy_p", "p (accuracy)", f"McNemar's exact test, {adjusted}", "", "p"),
    )
    found = steps(outcome.thresholds, outcome.probability, outcome.labels)
    changes = [{name: getattr(step, name) for name in _CHANGES} for step in found]
    adjusted_p = {name: adjusted_p_values([c[name].p_value for c in changes]) for name in _CHANGES}
    rows: list[dict[str, Scalar]] = []
    for i, (step, change) in enumerate(zip(found, changes, strict=True)):
        low, high = outcome.thresholds[i : i + 2]
        row: dict[str, Scalar] = {"from": low, "to": high}
        row["moved"] = step.moved_positive + step.moved_negative
        for name in _CHANGES:
            row |= interval_cells(f"{name}_change", change[name].value, change[name].interval)
        row |= {f"{name}_p": adjusted_p[name][i] for name in ("precision", "accuracy")}
        rows.append(row)
    caption = "What raising the threshold by a step changes on the test reviews."
    origins = (outcome.origin,) * len(rows)
    return Table("threshold_steps", caption, columns, tuple(rows), trials=origins)


_CHANGES = ("precision", "recall", "accuracy")


def adjusted_p_values(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted by Holm's method, as many as there are."""
    adjusted = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def _areas_table(outcome: Outcome) -> Table:
    columns = (
        Column("measure", "Measure"),
        *interval_columns(Column("value", "Value", "", "", ".4f"), "test reviews (bootstrap)"),
        Column("guessing", "Guessing", "what probabilities by chance would reach", "", ".4f"),
    )
    share = float(outcome.labels.mean())
    rows: list[dict[str, Scalar]] = [
        {"measure": measure, **interval_cells("value", *outcome.scores[name]), "guessing": level}
        for measure, name, level in (
            (ROC_AREA, "area_under_roc", 0.5),
            (AVERAGE_PRECISION, "average_precision", share),
        )
    ]
    caption = "Two areas that sum up all thresholds, test reviews."
    return Table("areas", caption, columns, tuple(rows), trials=(outcome.origin,) * len(rows))


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
