"""The LSTM against its baselines, on the same reviews: tables, what they mean, the claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.lstm.outcome import DECISION, SIGNIFICANT, Item, Outcome
from experiments.uncertainty import interval_cells, interval_columns
from experiments.wording import joined, p_is
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
from reportgen.statistics import cohens_g, holm, mcnemar, proportion_difference, wilson

LSTM, MAJORITY = "LSTM", "majority class"
TFIDF, NBSVM = "TF-IDF, logistic regression", "NB-SVM"
NAMES = {MAJORITY: "the majority class", TFIDF: "TF-IDF with logistic regression", NBSVM: "NB-SVM"}
"""The baselines as sentences call them, in the order of the tables."""


@dataclass(frozen=True)
class Baselines:
    """The comparison on the test reviews, and on the validation reviews.

    ``leads`` has for each baseline by how much the LSTM's accuracy on the test reviews exceeds its,
    one value a seed. All seeds can be compared on these reviews; on validation reviews only the
    first can, since most of another seed's were fitted by the baselines.
    """

    test: Table
    validation: Table
    leads: Mapping[str, Sequence[float]]
    seeds: Number

    @classmethod
    def of(cls, outcome: Outcome) -> Baselines:
        """Both tables for an outcome."""
        on_test = {LSTM: outcome.right, **_right(outcome, outcome.labels, "")}
        probability, labels = outcome.validation
        own = (probability >= DECISION) == (labels == 1)
        leads = _leads(on_test, outcome)
        return cls(
            _test_table(on_test, leads, outcome),
            _table(
                "baselines_validation",
                "The same on the validation reviews, by which the LSTM's epoch and the penalty of "
                "the logistic regression were chosen: both look a little too good here.",
                "validation reviews",
                {LSTM: own, **_right(outcome, labels, "validation_")},
                outcome,
            ),
            leads,
            outcome.seed_count,
        )

    @property
    def several_seeds(self) -> bool:
        """Whether the LSTM was trained more than once."""
        return self.seeds.value > 1

    def told_apart(self, row: Mapping[str, Scalar]) -> str:
        """Whether the LSTM is ``better`` or ``worse`` than the baseline of a row of either table.

        McNemar's test has to tell it for the first seed, and with several seeds each of them has
        to be on that side of the baseline on the test reviews; else it ``can't be told``.
        """
        verdict = by_test(row)
        if not self.several_seeds or verdict == "can't be told":
            return verdict
        leads = self.leads[str(row["method"])]
        sides = [lead > 0 if verdict == "better" else lead < 0 for lead in leads]
        return verdict if all(sides) else "can't be told"

    def verdicts(self, table: Table) -> dict[str, str]:
        """What can be told of each baseline by one of the tables."""
        return {str(row["method"]): self.told_apart(row) for row in table.rows[1:]}


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


def _leads(right: Mapping[str, Array], outcome: Outcome) -> dict[str, list[float]]:
    """By how much each seed's LSTM exceeds each baseline in accuracy on the test reviews.

    ``right`` says by method which of them it calls right, bool (m,).
    """
    own = [at.right for at in outcome.at(DECISION)]
    return {
        method: [(hits - int(judged.sum())) / len(judged) for hits in own]
        for method, judged in right.items()
        if method != LSTM
    }


def _test_table(
    right: Mapping[str, Array], leads: Mapping[str, Sequence[float]], outcome: Outcome
) -> Table:
    """The comparison on the test reviews; with several seeds, each one's side, too."""
    table = _table(
        "baselines",
        "The LSTM and its baselines on the same test reviews, at the threshold 0.5.",
        "test reviews",
        right,
        outcome,
    )
    if not outcome.several_seeds:
        return table
    of_seeds = outcome.seed_columns(table.column("accuracy"))
    place = 1 + table.columns.index(table.column("accuracy_high"))
    ahead = Column("seeds_ahead", "Seeds ahead", "seeds in which the LSTM is ahead", "", "d")
    columns = (*table.columns[:place], *of_seeds, *table.columns[place:], ahead)
    accuracy = outcome.seed_cells("accuracy", [at.accuracy for at in outcome.at(DECISION)])
    rows = []
    for row in table.rows:
        found = leads.get(str(row["method"]))
        spread = accuracy if found is None else dict.fromkeys(accuracy)
        count = None if found is None else sum(lead > 0 for lead in found)
        rows.append({**row, **spread, "seeds_ahead": count})
    return replace(
        table, columns=columns, rows=tuple(rows), trials=_origins(right, outcome.origins, outcome)
    )


def _origins(methods: Iterable[str], lstm: str, outcome: Outcome) -> tuple[str, ...]:
    """The trials that each method's row comes from, ``lstm`` naming those of the LSTM."""
    linear = f"{lstm}; {outcome.baseline_origin}"
    return tuple(lstm if method in (LSTM, MAJORITY) else linear for method in methods)


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
            effect = cohens_g(only_lstm, only_other)
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
    origins = _origins(right, outcome.origin, outcome)
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
    told, values = _told(exhibits, exhibits.test)
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


def by_test(row: Mapping[str, Scalar]) -> str:
    """Whether the first seed's LSTM is ``better`` or ``worse``, by the row's McNemar's test."""
    p_value, difference = row["p_value"], row["difference"]
    if p_value is None or float(p_value) >= SIGNIFICANT:
        return "can't be told"
    return "better" if float(difference or 0) > 0 else "worse"


def _told(exhibits: Baselines, table: Table, prefix: str = "") -> tuple[str, dict[str, Value]]:
    """What a comparison says, one baseline after the other, in a sentence with its values."""
    pieces, values = list[str](), dict[str, Value]()
    for i, row in enumerate(table.rows[1:], 1):
        for column in ("difference", "difference_low", "difference_high", "p_value"):
            values[f"{prefix}{column}{i}"] = table.cell(column, method=row["method"])
        name, told_apart = NAMES[str(row["method"])], exhibits.told_apart(row)
        verdict = {
            "better": f"is better than {name}",
            "worse": f"is worse than {name}",
            "can't be told": f"can't be told apart from {name}",
        }[told_apart]
        place = f"{prefix}difference"
        numbers = f"{{{place}{i}}}, {{{place}_low{i}}} to {{{place}_high{i}}}, "
        numbers += f"{p_is(float(row['p_value'] or 0))} {{{prefix}p_value{i}}}"
        if not pieces:
            first = "the first seed's " if exhibits.several_seeds else ""
            numbers = f"{first}difference in accuracy {numbers}"
        if exhibits.several_seeds and table is exhibits.test:
            values[f"{prefix}ahead{i}"] = table.cell("seeds_ahead", method=row["method"])
            values[f"{prefix}seeds"] = exhibits.seeds
            numbers += f"; ahead with {{{prefix}ahead{i}}} of {{{prefix}seeds}} seeds"
        elif told_apart != by_test(row):
            numbers += ", but seeds disagree on the test reviews"
        pieces.append(f"{verdict} ({numbers})")
    return f"The LSTM {joined(pieces)}", values


def finding(exhibits: Baselines) -> Finding:
    """How the LSTM compares with the baselines on the test reviews."""
    verdicts = exhibits.verdicts(exhibits.test)
    linear = [verdicts[TFIDF], verdicts[NBSVM]]
    told, values = _told(exhibits, exhibits.test)
    if linear == ["worse", "worse"]:
        lead = "Both linear baselines beat the LSTM on the test reviews. "
    elif linear == ["better", "better"]:
        lead = "The LSTM beats both linear baselines on the test reviews. "
    else:
        lead = ""
    by = "by McNemar's test"
    if exhibits.several_seeds:
        by += " of the first seed and the side of each seed"
    return Finding("baselines", prose(f"{lead}{told}, {by}.", **values))


def meaning(exhibits: Baselines) -> Prose:
    """What the comparison with the baselines means."""
    table, verdicts = exhibits.test, exhibits.verdicts(exhibits.test)
    column = "accuracy_mean" if exhibits.several_seeds else "accuracy"
    values: dict[str, Value] = {
        "table": ref(table),
        "accuracy": table.cell(column, method=LSTM),
        "majority": table.cell("accuracy", method=MAJORITY),
    }
    learnt = {
        "better": "the network has learnt to tell praise from blame",
        "worse": "the network has learnt nothing of use",
        "can't be told": "it is not shown that the network has learnt anything: as far as can be "
        "told, it has learnt nothing of use",
    }[verdicts[MAJORITY]]
    mean = " in the mean over seeds" if exhibits.several_seeds else ""
    text = (
        "Always giving the label of most fitted reviews would be right on {majority} of the test "
        f"reviews, the LSTM is on {{accuracy}}{mean}: {learnt}."
    )
    beaten_by = [name for name in (TFIDF, NBSVM) if verdicts[name] == "worse"]
    ahead_of = [name for name in (TFIDF, NBSVM) if verdicts[name] == "better"]
    open_with = [name for name in (TFIDF, NBSVM) if verdicts[name] == "can't be told"]
    if beaten_by:
        verb = "beat" if len(beaten_by) > 1 else "beats"
        text += f" But {_names(beaten_by)} {verb} it ({{table}}), being right more often here."
    if ahead_of:
        text += f" It is right more often here than {_names(ahead_of)} ({{table}})."
    if open_with:
        text += f" It can't be told apart from {_names(open_with)} ({{table}})."
    return prose(text, **values)


def _names(methods: Sequence[str]) -> str:
    return joined([NAMES[method] for method in methods])


def claim(exhibits: Baselines) -> Claim:
    """Whether validation accuracy is better than that of each baseline, stated one by one."""
    table = exhibits.validation
    verdicts = exhibits.verdicts(table).values()
    if "worse" in verdicts:
        verdict = Verdict.NOT_SUPPORTED
    elif set(verdicts) == {"better"}:
        verdict = Verdict.SUPPORTED
    else:
        verdict = Verdict.CANT_TELL
    told, values = _told(exhibits, table)
    on_test, test_values = _told(exhibits, exhibits.test, "test_")
    first, also, beside = "Validation", "", "Beside the rule, on"
    if exhibits.several_seeds:
        first, beside = "The first seed's validation", "On"
        also = (
            ". Other seeds have other validation reviews, most of which the baselines were fitted "
            "to; so these seeds are compared on the test reviews, and better or worse also needs "
            "each seed on that side of the baseline there"
        )
    evidence = prose(
        f"{first} accuracy is {{accuracy}} ({{low}} to {{high}}). {told} ({{table}}). {beside} "
        f"the test reviews: {on_test[0].lower()}{on_test[1:]} ({{test}}).",
        accuracy=table.cell("accuracy", method=LSTM),
        low=table.cell("accuracy_low", method=LSTM),
        high=table.cell("accuracy_high", method=LSTM),
        table=ref(table),
        test=ref(exhibits.test),
        **values,
        **test_values,
    )
    rule = prose(
        "Supported if it is better than each baseline on the same validation reviews, by McNemar's "
        f"exact test with a p-value below {SIGNIFICANT}, adjusted for three comparisons, as the "
        f"intervals are not; not supported if it is worse than one by that test{also}."
    )
    statement = "The LSTM achieves good validation accuracy: better than each baseline."
    return Claim("validation_accuracy", statement, evidence, verdict, rule)
