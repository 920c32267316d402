"""The thresholds that are best on the validation reviews, applied to the test reviews."""

from __future__ import annotations

from experiments.lstm.classification import Change, Confusion, Curves, steps
from experiments.lstm.outcome import DECISION, Item, Outcome
from experiments.uncertainty import interval_cells, interval_columns
from reportgen.results import Cell, Column, Number, Prose, Scalar, Table, Value, prose, ref
from reportgen.statistics import Interval

RULES = ("usual", "highest F1", "least cost")
"""Where the thresholds of ``chosen_thresholds`` come from."""


def chosen_thresholds(outcome: Outcome, table: Table) -> list[Item]:
    """How thresholds were chosen, and what they gain."""
    cost = outcome.settings.false_positive_cost
    whose = " All of it is about the first seed's network." if outcome.several_seeds else ""
    return [
        prose(
            "To pick a threshold by its result on the test reviews and then report that result "
            "would use them to choose. {table} chooses on the validation reviews instead, among "
            "all their probabilities, and applies what was chosen to the test reviews: once for "
            "the highest F1, once for the least cost, where a false negative costs {one} and a "
            "false positive {cost}. That cost is a setting (`lstm.false_positive_cost`), not "
            "a measurement. If probabilities meant what they say, the least cost would be expected "
            f"at the threshold {{expected}} (Elkan 2001).{whose}",
            table=ref(table),
            one=Number(1, "g", "the unit of cost"),
            cost=Number(cost, "g", "the setting lstm.false_positive_cost"),
            expected=Number(cost / (1 + cost), ".3f", "cost ratio c as c / (1 + c)"),
        ),
        table,
        _gains_paragraph(outcome, table),
    ]


def _gains_paragraph(outcome: Outcome, table: Table) -> Prose:
    """What the chosen thresholds gain on the test reviews over 0.5."""
    cost = outcome.settings.false_positive_cost
    texts, values = list[str](), dict[str, Value]()
    for row, name, measure in ((1, "f1", "F1"), (2, "cost", "the cost of a review")):
        threshold = float(table.rows[row]["threshold"] or 0)
        values[f"{name}_threshold"] = Cell(table.id, row, "threshold")
        [step] = steps(sorted((threshold, DECISION)), outcome.probability, outcome.labels)
        raised = step.f1 if name == "f1" else step.cost(cost)
        change = raised if threshold > DECISION else _reversed(raised)
        aim = f"For {measure}, validation chooses {{{name}_threshold}}"
        if change.value is None or change.interval is None:
            texts.append(f"{aim}; on the test reviews it can't be compared with 0.5.")
            continue
        for end, value in zip(("", "_low", "_high"), (change.value, *change.interval), strict=True):
            about = f"change of {measure} from the threshold 0.5, test; 95 % interval (bootstrap)"
            values[f"{name}{end}"] = outcome.number(value, "+.4f", about)
        gained = change.value > 0 if name == "f1" else change.value < 0
        verdict = "a gain" if gained else "a loss"
        if not change.told_from_zero:
            verdict = "which can't be told from no change"
        texts.append(
            f"{aim}; on the test reviews that changes it by {{{name}}} "
            f"({{{name}_low}} to {{{name}_high}}) against 0.5, {verdict}."
        )
    return prose(" ".join(texts), **values)


def _reversed(change: Change) -> Change:
    """The change of lowering the threshold instead of raising it."""
    if change.value is None or change.interval is None:
        return change
    low, high = change.interval
    return Change(0.0 - change.value, Interval(0.0 - high, 0.0 - low), change.p_value)


def chosen_table(outcome: Outcome) -> Table:
    """The usual threshold and the chosen ones, on validation and on test reviews."""
    cost = outcome.settings.false_positive_cost
    over = "test reviews (precision and recall: Wilson; F1 and cost: bootstrap)"
    chosen_by = "validation reviews (bootstrap), as if they had not chosen the threshold"
    columns = (
        Column("rule", "Chosen for", "", "", ""),
        Column("threshold", "Threshold", "", "", ".4f"),
        *interval_columns(Column("validation_f1", "F1, validation", "", "", ".4f"), chosen_by),
        *interval_columns(Column("validation_cost", "Cost, validation", "", "", ".4f"), chosen_by),
        *interval_columns(Column("f1", "F1", "on the test reviews", "", ".4f"), over),
        *interval_columns(
            Column("cost", "Cost", "mean of a test review; 1 is a false negative", "", ".4f"), over
        ),
        *interval_columns(Column("precision", "Precision", "", "", ".3f"), over),
        *interval_columns(Column("recall", "Recall", "", "", ".3f"), over),
    )
    curves = Curves.of(*outcome.validation)
    chosen = (DECISION, curves.best(curves.f1), curves.best(-curves.cost(cost)))
    rows: list[dict[str, Scalar]] = []
    for rule, threshold in zip(RULES, chosen, strict=True):
        validated = Confusion.at(threshold, *outcome.validation)
        at = Confusion.at(threshold, outcome.probability, outcome.labels)
        rows.append(
            {
                "rule": rule,
                "threshold": threshold,
                **_cells("validation_f1", "f1", validated),
                **interval_cells(
                    "validation_cost", validated.cost(cost), validated.cost_interval(cost)
                ),
                **_cells("f1", "f1", at),
                **interval_cells("cost", at.cost(cost), at.cost_interval(cost)),
                **_cells("precision", "precision", at),
                **_cells("recall", "recall", at),
            }
        )
    caption = (
        "Thresholds chosen on the validation reviews, and what they give on the test reviews; the "
        "first row is the usual threshold, for comparison."
    )
    origins = (outcome.origin,) * len(rows)
    return Table("chosen_thresholds", caption, columns, tuple(rows), trials=origins)


def _cells(name: str, measure: str, at: Confusion) -> dict[str, Scalar]:
    """The cells of a measure at a threshold and of its interval."""
    return interval_cells(name, getattr(at, measure), at.intervals[measure])
