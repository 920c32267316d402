"""The LSTM against its baselines, on the same reviews: tables, what they mean, the claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.lstm.outcome import DECISION, SIGNIFICANT, Item, Outcome
from experiments.uncertainty import interval_cells, interval_columns
from experiments.wording import joined
from reportgen.experiment import Array
from reportgen.results import (
    Claim,
    Column,
    Finding,
    Number,
    Prose,
    Scalar,
    Table,
    Value,
    Verdict,
    prose,
    ref,
)
from reportgen.statistics import holm, mcnemar, proportion_difference, wilson

LSTM, MAJORITY = "LSTM", "majority class"
TFIDF, NBSVM = "TF-IDF, logistic regression", "NB-SVM"
NAMES = {MAJORITY: "the majority class", TFIDF: "TF-IDF with logistic regression", NBSVM: "NB-SVM"}
"""The baselines as sentences call them, in the order of the tables."""


@dataclass(frozen=True)
class Baselines:
    """The comparison on the test reviews, and on the validation reviews."""

    test: Table
    validation: Table

    @classmethod
    def of(cls, outcome: Outcome) -> Baselines:
        """Both tables for an outcome."""
        probability, labels = outcome.validation
        right = (probability >= DECISION) == (labels == 1)
        return cls(
            _table(
                "baselines",
                "The LSTM and its baselines on the same test reviews, at the threshold 0.5.",
                "test reviews",
                {LSTM: outcome.right, **_right(outcome, outcome.labels, "")},
                outcome,
            ),
            _table(
                "baselines_validation",
                "The same on the validation reviews, by which the LSTM's epoch and the penalty of "
                "the logistic regression were chosen: both look a little too good here.",
                "validation reviews",
                {LSTM: right, **_right(outcome, labels, "validation_")},
                outcome,
            ),
        )


def _right(outcome: Outcome, labels: Array, part: str) -> dict[str, Array]:
    """Which reviews each baseline calls right, bool (n,), the ``labels`` being theirs."""
    arrays, fitted = outcome.baselines.arrays, outcome.result.scalars["fitted"]
    majority = 2 * fitted["positive"] >= fitted["reviews"]
    called = {
        MAJORITY: np.full(len(labels), majority),
        TFIDF: arrays[f"tfidf_{part}probability"] >= DECISION,
        NBSVM: arrays[f"nbsvm_{part}score"] >= 0,
    }
    return {name: positive == (labels == 1) for name, positive in called.items()}


def _table(
    name: str, caption: str, over: str, right: Mapping[str, Array], outcome: Outcome
) -> Table:
    """Each method's accuracy, and by how much the LSTM exceeds it.

    Args:
        name: the table's id.
        caption: the table's caption.
        over: which reviews these are.
        right: by method, which of them it calls right, bool (n,); the LSTM's first.
        outcome: what came out.
    """
    own, count = right[LSTM], len(right[LSTM])
    counts = {
        method: (int((own & ~theirs).sum()), int((theirs & ~own).sum()))
        for method, theirs in right.items()
        if method != LSTM
    }
    p_values = dict(zip(counts, holm([mcnemar(*pair) for pair in counts.values()]), strict=True))
    rows: list[dict[str, Scalar]] = []
    for method, judged in right.items():
        only_lstm, only_other = counts.get(method, (None, None))
        difference = interval = effect = None
        if only_lstm is not None and only_other is not None:
            difference = (only_lstm - only_other) / count
            interval = proportion_difference(only_lstm, only_other, count)
            differing = only_lstm + only_other
            effect = only_lstm / differing - 0.5 if differing else 0.0
        hits = int(judged.sum())
        rows.append(
            {
                "method": method,
                **interval_cells("accuracy", hits / count, wilson(hits, count)),
                **interval_cells("difference", difference, interval),
                "only_lstm": only_lstm,
                "only_baseline": only_other,
                "effect": effect,
                "p_value": p_values.get(method),
            }
        )
    linear = outcome.compared_origin
    origins = tuple(outcome.origin if row["method"] in (LSTM, MAJORITY) else linear for row in rows)
    return Table(
        name, caption, _columns(over), tuple(rows), key=name == "baselines", trials=origins
    )


def _columns(over: str) -> tuple[Column, ...]:
    paired = f"{over}, paired (accuracy: Wilson; difference: Bonett and Price)"
    return (
        Column("method", "Method"),
        *interval_columns(Column("accuracy", "Accuracy", "", "", ".2%"), paired),
        *interval_columns(
            Column("difference", "LSTM ahead by", "in points of accuracy", "", "+.2%"), paired
        ),
        Column("only_lstm", "Only LSTM", "reviews that it alone calls right", "", ",d"),
        Column(
            "only_baseline", "Only other", "reviews that the baseline alone calls right", "", ",d"
        ),
        Column("effect", "g", "Cohen's: share of the first in these two, minus a half", "", "+.3f"),
        Column("p_value", "p", "McNemar's exact test, adjusted for three (Holm)", "", "p"),
    )


# ----------------------------------------------------------------------------------------- prose


def comparison(outcome: Outcome, exhibits: Baselines) -> list[Item]:
    """What the baselines are, and how the LSTM compares."""
    scalars = outcome.baselines.scalars
    told, values = _told(exhibits.test)
    return [
        prose(
            "Better than what? {table} compares with three baselines that know the same "
            f"{outcome.settings.vocabulary:,} entries of vocabulary and the same last "
            f"{outcome.settings.sequence_length:,} words of the same reviews: always the label "
            "that most of the fitted reviews have; logistic regression on TF-IDF of words and "
            "pairs of neighbouring words; and NB-SVM, a linear SVM on their log-count ratios (Wang "
            "and Manning 2012). The linear ones have {features} weights, one for each word or "
            "pair that is in three fitted reviews at least. They see no order beyond pairs, but a "
            "pair such as “not good” is a word to them; the LSTM has to learn from single words "
            "what follows from their order. McNemar's exact test asks whether two methods are "
            "right equally often: only the reviews on which one of them is wrong can tell.",
            table=ref(exhibits.test),
            features=Number(
                scalars["features"], ",d", "words and pairs known", outcome.baseline_origin
            ),
        ),
        exhibits.test,
        prose(f"On the test reviews {told[0].lower()}{told[1:]}.", **values),
        exhibits.validation,
    ]


def verdict_on(row: Mapping[str, Scalar]) -> str:
    """Whether the LSTM is ``better`` or ``worse`` than a baseline, or neither can be told."""
    p_value, difference = row["p_value"], row["difference"]
    if p_value is None or float(p_value) >= SIGNIFICANT:
        return "can't be told"
    return "better" if float(difference or 0) > 0 else "worse"


def _told(table: Table, prefix: str = "") -> tuple[str, dict[str, Value]]:
    """What the comparison says, one baseline after the other, in a sentence with its values."""
    pieces, values = list[str](), dict[str, Value]()
    for i, row in enumerate(table.rows[1:], 1):
        for column in ("difference", "difference_low", "difference_high", "p_value"):
            values[f"{prefix}{column}{i}"] = table.cell(column, method=row["method"])
        name = NAMES[str(row["method"])]
        verdict = {
            "better": f"is better than {name}",
            "worse": f"is worse than {name}",
            "can't be told": f"can't be told apart from {name}",
        }[verdict_on(row)]
        place = f"{prefix}difference"
        numbers = (
            f"{{{place}{i}}}, {{{place}_low{i}}} to {{{place}_high{i}}}, p {{{prefix}p_value{i}}}"
        )
        explained = numbers if pieces else f"difference in accuracy {numbers}"
        pieces.append(f"{verdict} ({explained})")
    return f"The LSTM {joined(pieces)}", values


def finding(exhibits: Baselines) -> Finding:
    """How the LSTM compares with the baselines on the test reviews."""
    table = exhibits.test
    verdicts = {str(row["method"]): verdict_on(row) for row in table.rows[1:]}
    linear = [verdicts[TFIDF], verdicts[NBSVM]]
    told, values = _told(table)
    if linear == ["worse", "worse"]:
        lead = "Both linear baselines beat the LSTM on the test reviews. "
    elif linear == ["better", "better"]:
        lead = "The LSTM beats both linear baselines on the test reviews. "
    else:
        lead = ""
    return Finding("baselines", prose(f"{lead}{told}, by McNemar's test.", **values))


def meaning(exhibits: Baselines) -> Prose:
    """What the comparison with the baselines means."""
    table = exhibits.test
    verdicts = {str(row["method"]): verdict_on(row) for row in table.rows[1:]}
    values: dict[str, Value] = {
        "table": ref(table),
        "accuracy": table.cell("accuracy", method=LSTM),
        "majority": table.cell("accuracy", method=MAJORITY),
    }
    learnt = {
        "better": "the network has learnt to tell praise from blame",
        "worse": "the network has learnt nothing of use",
        "can't be told": "it is not shown that the network has learnt anything: as far as can be "
        "told, it has learnt nothing of use",
    }[verdicts[MAJORITY]]
    text = (
        "Always giving the label of most fitted reviews would be right on {majority} of the test "
        f"reviews, the LSTM is on {{accuracy}}: {learnt}."
    )
    beaten_by = [name for name in (TFIDF, NBSVM) if verdicts[name] == "worse"]
    ahead_of = [name for name in (TFIDF, NBSVM) if verdicts[name] == "better"]
    open_with = [name for name in (TFIDF, NBSVM) if verdicts[name] == "can't be told"]
    if beaten_by:
        verb = "beat" if len(beaten_by) > 1 else "beats"
        text += (
            f" But {_names(beaten_by)} {verb} it ({{table}}): with so many reviews, and no word "
            "vectors learnt elsewhere, weighing words and pairs of words serves better than "
            "reading them in order."
        )
    if ahead_of:
        text += f" It is ahead of {_names(ahead_of)} ({{table}}), so reading in order has paid."
    if open_with:
        text += f" It can't be told apart from {_names(open_with)} ({{table}})."
    return prose(text, **values)


def _names(methods: Sequence[str]) -> str:
    return joined([NAMES[method] for method in methods])


def claim(exhibits: Baselines) -> Claim:
    """Whether validation accuracy is better than that of each baseline, stated one by one."""
    table = exhibits.validation
    verdicts = [verdict_on(row) for row in table.rows[1:]]
    if "worse" in verdicts:
        verdict = Verdict.NOT_SUPPORTED
    elif set(verdicts) == {"better"}:
        verdict = Verdict.SUPPORTED
    else:
        verdict = Verdict.CANT_TELL
    told, values = _told(table)
    on_test, test_values = _told(exhibits.test, "test_")
    evidence = prose(
        f"Validation accuracy is {{accuracy}} ({{low}} to {{high}}). {told} ({{table}}). Rule: "
        "supported if it is better than each baseline on the same validation reviews, by McNemar's "
        f"exact test with a p-value below {SIGNIFICANT}, adjusted for three comparisons, as the "
        "intervals are not; not supported if it is worse than one by that test. Beside the rule, "
        f"on the test reviews: {on_test[0].lower()}"
        f"{on_test[1:]} ({{test}}).",
        accuracy=table.cell("accuracy", method=LSTM),
        low=table.cell("accuracy_low", method=LSTM),
        high=table.cell("accuracy_high", method=LSTM),
        table=ref(table),
        test=ref(exhibits.test),
        **values,
        **test_values,
    )
    statement = "The LSTM achieves good validation accuracy: better than each baseline."
    return Claim("validation_accuracy", statement, evidence, verdict)
