"""On which film reviews the network errs: short or long, with negation or without, and quoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from experiments.data.reviews import text_of, words_of
from experiments.lstm.classification import share_difference
from experiments.lstm.outcome import DECISION, LABELS, SIGNIFICANT, Item, Outcome
from experiments.uncertainty import interval_cells, interval_columns
from experiments.wording import p_is
from reportgen.experiment import Array, Dataset
from reportgen.results import Column, Prose, Scalar, Table, Value, prose, ref
from reportgen.statistics import wilson

GROUPS = 5
"""Groups of reviews by length, about equally large."""
MISTAKES = 3
"""How many reviews of either label are quoted."""
EXCERPT = 320
"""Characters that are quoted of a review."""
NEGATIONS = frozenset(
    ("no", "not", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot")
)
"""Words that negate, beside those that end in n't."""
ENDINGS = ("n't", "n\N{RIGHT SINGLE QUOTATION MARK}t")


@dataclass(frozen=True)
class Errors:
    """The tables on where the network errs."""

    by_length: Table
    by_negation: Table
    mistakes: Table

    @classmethod
    def of(cls, outcome: Outcome) -> Errors:
        """All of them for an outcome."""
        return cls(_by_length_table(outcome), _by_negation_table(outcome), _mistakes_table(outcome))


# ----------------------------------------------------------------------------------------- prose


def errors(outcome: Outcome, exhibits: Errors) -> list[Item]:
    """Accuracy in groups of reviews, then the worst mistakes."""
    return [
        _length_paragraph(outcome, exhibits),
        exhibits.by_length,
        _negation_paragraph(outcome, exhibits),
        exhibits.by_negation,
        *_mistakes(outcome, exhibits),
    ]


def _length_paragraph(outcome: Outcome, exhibits: Errors) -> Prose:
    table = exhibits.by_length
    rows = table.rows
    if len(rows) == 1:
        return prose("All test reviews are about equally long ({table}).", table=ref(table))
    accuracy = [float(row["accuracy"] or 0) for row in rows]
    worst, best = int(np.argmin(accuracy)), int(np.argmax(accuracy))
    counts = [_hits(table, i) for i in range(len(rows))]
    p_value = homogeneity(counts)
    values: dict[str, Value] = {"table": ref(table)}
    values["p"] = outcome.number(p_value, "p", "chi-squared test of equal accuracy in all groups")
    if p_value >= SIGNIFICANT:
        return prose(
            "Does accuracy differ with the length of a review? By {table} that can't be told: the "
            "differences between the groups are no larger than chance makes them (chi-squared "
            f"test, {p_is(p_value)} {{p}}).",
            **values,
        )
    for name, row in (("worst", worst), ("best", best)):
        for column in ("from", "to", "accuracy"):
            values[f"{name}_{column}"] = table.cell(column, **{"from": rows[row]["from"]})
    values |= _difference(outcome, counts[best], counts[worst], "of the best and worst group")
    return prose(
        "Accuracy differs with the length of a review ({table}; chi-squared test of equal "
        f"accuracy, {p_is(p_value)} {{p}}). Most often {outcome.network} is right on reviews of "
        "{best_from} to {best_to} words, {best_accuracy}, and least often on those of {worst_from} "
        "to {worst_to}, {worst_accuracy}: a difference of {difference} ({low} to {high}), which is "
        "the largest of several and so a little too large."
        f"{_cut_remark(outcome, rows[worst])}",
        **values,
    )


def _cut_remark(outcome: Outcome, group: Mapping[str, Scalar]) -> str:
    """That reviews of a group were cut, if they were."""
    longest = outcome.settings.sequence_length
    if int(group["from"] or 0) > longest:
        return " Of all reviews in that group the beginning is cut off."
    if int(group["to"] or 0) > longest:
        return " Of some reviews in that group the beginning is cut off."
    return ""


def _negation_paragraph(outcome: Outcome, exhibits: Errors) -> Prose:
    table = exhibits.by_negation
    text = (
        "Negation turns what words say: “not good” holds the word “good”. {table} parts the "
        "reviews by whether the words that are kept have one of "
        f"{', '.join(sorted(NEGATIONS))} or a word that ends in n't."
    )
    if len(table.rows) == 1:
        return prose(f"{text} All of them are of one kind.", table=ref(table))
    counts = [_hits(table, i) for i in range(2)]
    p_value = float(scipy.stats.fisher_exact([[k, n - k] for k, n in counts])[1])
    values: dict[str, Value] = {"table": ref(table)}
    values["p"] = outcome.number(p_value, "p", "Fisher's exact test of equal accuracy")
    values |= _difference(outcome, counts[1], counts[0], "with negation minus without")
    if p_value >= SIGNIFICANT:
        verdict = "whether it matters can't be told"
    elif counts[1][0] * counts[0][1] > counts[0][0] * counts[1][1]:
        verdict = "reviews with a negation are judged better"
    else:
        verdict = "reviews with a negation are judged worse"
    return prose(
        f"{text} Accuracy on those with a negation minus accuracy on the others is {{difference}} "
        f"({{low}} to {{high}}; Fisher's exact test, {p_is(p_value)} {{p}}): {verdict}. The two "
        "kinds differ in length and in their shares of labels as well, so this need not be the "
        "negation's doing.",
        **values,
    )


def _difference(
    outcome: Outcome, first: tuple[int, int], second: tuple[int, int], of: str
) -> dict[str, Value]:
    """The difference of two groups' accuracies and the ends of its interval."""
    interval = share_difference(first, second)
    assert interval is not None  # no group is empty
    value = first[0] / first[1] - second[0] / second[1]
    about = f"difference in accuracy, {of}; 95 % interval (Newcombe)"
    return {
        name: outcome.number(number, "+.2%", about)
        for name, number in zip(("difference", "low", "high"), (value, *interval), strict=True)
    }


def _mistakes(outcome: Outcome, exhibits: Errors) -> list[Item]:
    if not exhibits.mistakes.rows:
        return [prose("No test review was judged wrongly, so there are no mistakes to quote.")]
    text = "{table} quotes the reviews on which the network was furthest from the truth."
    if not outcome.dataset.facts.get("text"):
        text += " The data hold the words alone, so case and punctuation are lost."
    text += (
        " Numbers can't tell whether the network is to blame, taken in by irony or by a plot "
        "retold, or a label that contradicts its review; the quotations can."
    )
    return [prose(text, table=ref(exhibits.mistakes)), exhibits.mistakes]


# ---------------------------------------------------------------------------------------- groups


def length_groups(words: Array, count: int) -> list[tuple[int, int]]:
    """The shortest and longest length in each of at most ``count`` groups of about equal size.

    Reviews of one length stay together, so there are fewer groups if many are equally long.

    Args:
        words: int (n,), the reviews' lengths.
        count: the most groups.
    """
    ends = np.unique(np.quantile(words, np.arange(1, count + 1) / count, method="inverted_cdf"))
    begins = [int(words.min()), *(int(words[words > end].min()) for end in ends[:-1])]
    return list(zip(begins, (int(end) for end in ends), strict=True))


def negations(dataset: Dataset, vocabulary: int, length: int) -> Array:
    """How many words that negate each test review has among those the network reads: int (m,).

    Args:
        dataset: the reviews.
        vocabulary: its size, padding and unknown included, as in the settings of the LSTM.
        length: the most words that are kept of a review, its last ones.
    """
    every = len(dataset.array("words_offsets")) - 1
    known = min(vocabulary - 2, every)
    words = words_of(dataset, range(1, known + 1))
    negates = np.zeros(every + 1, bool)
    negates[1 : known + 1] = [w in NEGATIONS or w.endswith(ENDINGS) for w in words]
    places = np.flatnonzero(negates[dataset.array("test_tokens")])
    offsets = np.asarray(dataset.array("test_offsets"))
    begins, ends = np.maximum(offsets[:-1], offsets[1:] - length), offsets[1:]
    counts: Array = np.searchsorted(places, ends) - np.searchsorted(places, begins)
    return counts


def homogeneity(counts: Sequence[tuple[int, int]]) -> float:
    """Pearson's chi-squared test (1900) that groups have equal shares: its p-value.

    Args:
        counts: for each group how many of how many; 1 is returned if all or none are.
    """
    table = np.array([[k, n - k] for k, n in counts])
    if not table.sum(axis=0).all():
        return 1.0
    return float(scipy.stats.chi2_contingency(table, correction=False).pvalue)


def _hits(table: Table, row: int) -> tuple[int, int]:
    """How many reviews of a row are judged rightly, and how many there are."""
    return int(table.rows[row]["right"] or 0), int(table.rows[row]["reviews"] or 0)


# ---------------------------------------------------------------------------------------- tables


def _group_columns() -> tuple[Column, ...]:
    accuracy = Column("accuracy", "Accuracy", "", "", ".2%")
    return (
        Column("reviews", "Reviews", "", "", ",d"),
        Column("right", "Right", "reviews that are judged rightly", "", ",d"),
        *interval_columns(accuracy, "test reviews (Wilson)"),
    )


def _group_cells(right: Array) -> dict[str, Scalar]:
    """A group's cells in :func:`_group_columns`; ``right`` bool (n,) is about its reviews."""
    hits, count = int(right.sum()), len(right)
    cells: dict[str, Scalar] = {"reviews": count, "right": hits}
    return cells | interval_cells("accuracy", hits / count, wilson(hits, count))


def _by_length_table(outcome: Outcome) -> Table:
    columns = (
        Column("from", "From", "", "words", ",d"),
        Column("to", "To", "", "words", ",d"),
        *_group_columns(),
    )
    words = np.diff(np.asarray(outcome.dataset.array("test_offsets")))
    rows = [
        {"from": low, "to": high, **_group_cells(outcome.right[(low <= words) & (words <= high)])}
        for low, high in length_groups(words, GROUPS)
    ]
    caption = (
        "Accuracy on the test reviews by length before cutting, in groups of about equal size, at "
        "the threshold 0.5."
    )
    origins = (outcome.origin,) * len(rows)
    return Table("by_length", caption, columns, tuple(rows), trials=origins)


def _by_negation_table(outcome: Outcome) -> Table:
    columns = (
        Column("negation", "Reviews with a negation"),
        *_group_columns(),
        Column("median_words", "Median length", "", "words", ",d"),
        Column("share_positive", "Positive", "share of positive reviews", "", ".1%"),
    )
    settings, dataset = outcome.settings, outcome.dataset
    has = negations(dataset, settings.vocabulary, settings.sequence_length) > 0
    words = np.diff(np.asarray(dataset.array("test_offsets")))
    rows: list[dict[str, Scalar]] = [
        {
            "negation": name,
            **_group_cells(outcome.right[chosen]),
            "median_words": int(np.quantile(words[chosen], 0.5, method="inverted_cdf")),
            "share_positive": float((outcome.labels[chosen] == 1).mean()),
        }
        for name, chosen in (("no", ~has), ("yes", has))
        if chosen.any()
    ]
    caption = "Accuracy on the test reviews with and without a negation, at the threshold 0.5."
    origins = (outcome.origin,) * len(rows)
    return Table("by_negation", caption, columns, tuple(rows), trials=origins)


def _mistakes_table(outcome: Outcome) -> Table:
    columns = (
        Column("actual", "Actual"),
        Column("probability", "Probability", "predicted, of being positive", "", ".4f"),
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
    origins = (outcome.origin,) * len(rows)
    return Table("mistakes", caption, columns, tuple(rows), trials=origins)


def excerpt(text: str, length: int = EXCERPT) -> str:
    """At most about ``length`` characters of a text: its beginning, an ellipsis, its end.

    A review's verdict often stands at its end, so the end is quoted, too.
    """
    if len(text) <= length:
        return text
    head = text[: length * 3 // 5].rsplit(" ", 1)[0]
    tail = text[-(length * 2 // 5) :].split(" ", 1)[-1]
    return f"{head} […] {tail}"
