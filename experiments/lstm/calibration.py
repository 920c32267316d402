"""Whether predicted probabilities mean what they say: reliability, Brier's score, sureness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.lstm.classification import bins, calibration_error
from experiments.lstm.outcome import LABELS, Item, Outcome, interval_of
from experiments.uncertainty import interval_cells, interval_columns
from reportgen.results import (
    Column,
    Figure,
    Histogram,
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
from reportgen.statistics import wilson, wilson_band

BINS = 10
"""As many as Guo et al. (2017) draw most often."""
SURE = 0.1
"""A probability this near to 0 or 1 is called sure."""
BRIER, ERROR, OVERCONFIDENCE = "Brier score", "expected calibration error", "overconfidence"


@dataclass(frozen=True)
class Calibration:
    """The table and figures on the probabilities themselves."""

    measures: Table
    reliability: Figure
    probabilities: Figure

    @classmethod
    def of(cls, outcome: Outcome) -> Calibration:
        """All of them for an outcome."""
        return cls(
            _measures_table(outcome), _reliability_figure(outcome), _probabilities_figure(outcome)
        )


# ----------------------------------------------------------------------------------------- prose


def calibration(outcome: Outcome, exhibits: Calibration) -> list[Item]:
    """How sure the network is, and whether it is right as often as that."""
    return [
        _sureness_paragraph(outcome, exhibits),
        exhibits.probabilities,
        _reliability_paragraph(outcome, exhibits),
        exhibits.reliability,
        _measures_paragraph(outcome, exhibits),
        exhibits.measures,
    ]


def _sureness_paragraph(outcome: Outcome, exhibits: Calibration) -> Prose:
    sure = (outcome.probability < SURE) | (outcome.probability > 1 - SURE)
    about = "probabilities below 0.1 or above 0.9"
    values: dict[str, Value] = {
        "figure": ref(exhibits.probabilities),
        "share": outcome.number(float(sure.mean()), ".1%", about),
    }
    text = (
        f"{{figure}} shows how sure {outcome.network} is: {{share}} of its probabilities lie below "
        "0.1 or above 0.9."
    )
    if sure.all() or not sure.any():
        return prose(text, **values)
    intervals = {}
    for name, which, chosen in (("among", "the sure", sure), ("others", "all other", ~sure)):
        hits, count = int(outcome.right[chosen].sum()), int(chosen.sum())
        interval = wilson(hits, count)
        assert interval is not None  # neither group is empty
        about = f"accuracy on {which} test reviews, with its 95 % interval (Wilson)"
        for end, value in zip(("", "_low", "_high"), (hits / count, *interval), strict=True):
            values[f"{name}{end}"] = outcome.number(value, ".1%", about)
        intervals[name] = interval
    if intervals["among"].low > intervals["others"].high:
        verdict = "a probability near the middle is a warning"
    else:
        verdict = "being sure is not seen to make it right more often"
    return prose(
        f"{text} It is right on {{among}} of these reviews ({{among_low}} to {{among_high}}) and "
        f"on {{others}} of the rest ({{others_low}} to {{others_high}}): {verdict}.",
        **values,
    )


def _reliability_paragraph(outcome: Outcome, exhibits: Calibration) -> Prose:
    found = bins(outcome.probability, outcome.labels, BINS)
    low, high = wilson_band(
        np.array([b.positive for b in found]), np.array([b.examples for b in found])
    )
    mean = np.array([b.mean_probability for b in found])
    off = int(np.sum((mean < low) | (mean > high)))
    where = "does the interval of the share leave out the mean probability"
    tells = (
        "the interval of the share leaves out the mean probability, as chance alone does in one "
    )
    tells += "of twenty"
    if not off:
        verdict = f"In none of {{count}} bins {where}: nothing speaks against it"
    elif off == len(found):
        verdict = f"In all {{count}} bins {tells}"
    else:
        verdict = f"In {{off}} of {{count}} bins {tells}"
    values: dict[str, Value] = {
        "figure": ref(exhibits.reliability),
        "count": outcome.number(len(found), "d", "bins of probability that have test reviews"),
    }
    if 0 < off < len(found):
        about = "bins whose interval leaves out the mean probability"
        values["off"] = outcome.number(off, "d", about)
    return prose(
        "Of the reviews that are given 80 %, are 80 % positive? {figure} puts reviews of similar "
        f"probability together and compares. {verdict}.",
        **values,
    )


def _measures_paragraph(outcome: Outcome, exhibits: Calibration) -> Prose:
    table = exhibits.measures
    row = table.index(measure=OVERCONFIDENCE)
    low, high = (table.rows[row][f"value_{end}"] for end in ("low", "high"))
    values: dict[str, Value] = {
        "table": ref(table),
        "brier": table.cell("value", measure=BRIER),
        "guessing": table.cell("guessing", measure=BRIER),
        "error": table.cell("value", measure=ERROR),
        "sureness": table.cell("value", measure=OVERCONFIDENCE),
    }
    if low is None or high is None or float(low) <= 0 <= float(high):
        verdict = f"it can't be told whether {outcome.network} is too sure of itself or not sure "
        verdict += "enough"
    elif float(low) > 0:
        verdict = f"{outcome.network} is surer of itself than it should be"
    else:
        verdict = f"{outcome.network} is less sure of itself than it could be"
    ends = interval_of(table, "value", row)
    interval = ""
    if ends is not None:
        interval = f" ({ends[0]})"
        values |= ends[1]
    return prose(
        "{table} sums this up. Brier's score is the mean squared error of the probabilities: "
        "{brier}, where always giving the share of positive reviews would reach {guessing}. The "
        "expected calibration error, {error}, is the mean distance between the two sides of the "
        "comparison. It has no interval: as a sum of distances it can't be below zero, so it is "
        "too high for every sample, resampling makes it higher still, and no bootstrap interval "
        "of it holds. The mean probability of the label that was called exceeds the share of "
        f"reviews that were called right by {{sureness}}{interval}: {verdict}.",
        **values,
    )


# ------------------------------------------------------------------------------ table and figures


def _measures_table(outcome: Outcome) -> Table:
    value = Column("value", "Value", "", "", ".4f")
    columns = (
        Column("measure", "Measure"),
        *interval_columns(value, "test reviews (bootstrap)"),
        *outcome.seed_columns(value),
        Column("guessing", "Guessing", "always giving the share of positive reviews", "", ".4f"),
    )
    share = float(outcome.labels.mean())
    errors = [
        calibration_error(bins(run.probability, outcome.labels, BINS)) for run in outcome.runs
    ]
    brier, overconfidence = (
        interval_cells("value", *outcome.scores[name])
        | outcome.seed_cells("value", [each[name] for each in outcome.summaries])
        for name in ("brier", "overconfidence")
    )
    error = interval_cells("value", errors[0], None) | outcome.seed_cells("value", errors)
    rows: tuple[dict[str, Scalar], ...] = (
        {"measure": BRIER, **brier, "guessing": share * (1 - share)},
        {"measure": ERROR, **error, "guessing": None},
        {"measure": OVERCONFIDENCE, **overconfidence, "guessing": None},
    )
    caption = "How well probabilities fit, test reviews. The nearer to zero, the better."
    return Table("calibration", caption, columns, rows, trials=(outcome.origins,) * len(rows))


def _reliability_figure(outcome: Outcome) -> Figure:
    found = bins(outcome.probability, outcome.labels, BINS)
    low, high = wilson_band(
        np.array([b.positive for b in found]), np.array([b.examples for b in found])
    )
    curve = Series(
        "LSTM",
        tuple(b.mean_probability for b in found),
        tuple(b.share_positive for b in found),
        "marked",
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
    )
    ideal = Series("as often as said", (0.0, 1.0), (0.0, 1.0), "dashed")
    panel = LinePanel((curve, ideal), x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    return Figure(
        "reliability",
        "Reliability: the share of positive reviews over the mean predicted probability, in "
        f"{BINS} equally wide bins. Below the dashed line fewer reviews are positive than the "
        "probability says, above it more. The band is the 95 % interval of each share (Wilson).",
        "A rising curve of a point per bin beside a dashed diagonal, with a band around it.",
        Lines("mean predicted probability", "share of positive reviews", (panel,)),
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
        "thresholds. Mistakes are negative reviews on the right, positive ones on the left; they "
        "are few, so that the axis of counts is logarithmic.",
        "Two overlaid histograms over the probability from 0 to 1, counts on a logarithmic axis.",
        Histogram(
            "predicted probability of being positive",
            "reviews",
            tuple(edges.tolist()),
            groups,
            tuple(Marker(threshold, 0, f"{threshold:g}") for threshold in outcome.thresholds),
            y_scale="log",
        ),
    )
