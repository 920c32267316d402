"""What raising the threshold by a step does: tables over reviews and over seeds, finding, claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.lstm.classification import steps
from experiments.lstm.outcome import SIGNIFICANT, Item, Outcome
from experiments.uncertainty import interval_cells, interval_columns, seed_cells, seed_columns
from experiments.wording import p_is
from reportgen.results import (
    Cell,
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
from reportgen.statistics import FEWEST_SEEDS, holm, sign_flip

CHANGES = {
    "precision": Column("precision_change", "Precision", "", "", "+.4f"),
    "recall": Column("recall_change", "Recall", "", "", "+.4f"),
    "accuracy": Column("accuracy_change", "Accuracy", "", "", "+.2%"),
}
"""The changes that are shown, by measure."""
TESTED = ("precision", "accuracy")
"""Recall can't rise, so there is nothing to test."""

Course = Literal["rises", "falls", "can't be told"]


@dataclass(frozen=True)
class Raising:
    """What each step from a threshold to the next changes on the test reviews.

    ``steps`` is the table of the first seed's network; ``over_seeds`` is None for one seed.
    ``changes`` has, by measure and step, the change with each seed, None where there is none.
    """

    steps: Table
    over_seeds: Table | None
    changes: Mapping[str, Sequence[Sequence[float | None]]]
    seeds: Number

    @classmethod
    def of(cls, outcome: Outcome) -> Raising | None:
        """All of it for an outcome; None where only one threshold is compared."""
        if len(outcome.thresholds) == 1:
            return None
        found = [steps(outcome.thresholds, run.probability, outcome.labels) for run in outcome.runs]
        changes = {
            name: [
                [getattr(step, name).value for step in same] for same in zip(*found, strict=True)
            ]
            for name in CHANGES
        }
        return cls(
            _steps_table(outcome),
            _seeds_table(outcome, changes) if outcome.several_seeds else None,
            changes,
            outcome.seed_count,
        )

    def course_of_precision(self, step: int) -> Course:
        """Whether precision rises or falls at a step, or neither can be told.

        The adjusted test over test reviews has to tell it for the first seed, the change has to
        have the same sign with every seed, and so has, with enough seeds, the sign-flip test.
        """
        changes = self.changes["precision"][step]
        p_value, over_seeds = self.steps.rows[step]["precision_p"], _sign_flip(changes)
        untold = p_value is None or float(p_value) >= SIGNIFICANT
        if untold or (over_seeds is not None and over_seeds >= SIGNIFICANT):
            return "can't be told"
        if _rises(changes) == len(changes):
            return "rises"
        return "falls" if _falls(changes) == len(changes) else "can't be told"

    def recall_falls(self, step: int) -> bool:
        """Whether recall falls at a step, with every seed."""
        changes = self.changes["recall"][step]
        return _falls(changes) == len(changes)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the claim by its rule."""
        places = range(len(self.steps.rows))
        courses = [self.course_of_precision(i) for i in places]
        if "falls" in courses:
            return Verdict.NOT_SUPPORTED
        told = set(courses) == {"rises"} and all(map(self.recall_falls, places))
        return Verdict.SUPPORTED if told else Verdict.CANT_TELL


# ----------------------------------------------------------------------------------------- prose


def step_by_step(exhibits: Raising) -> list[Item]:
    """What is compared and tested at each step, and the tables of it."""
    return [
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
            "number of steps (Holm 1979). Effect sizes are Cohen's (1988): h, the difference of "
            "the angles 2 arcsin √p, for shares p such as precision and recall; g for accuracy.",
            steps=ref(exhibits.steps),
        ),
        exhibits.steps,
        *_over_seeds(exhibits),
    ]


def _over_seeds(exhibits: Raising) -> list[Item]:
    """What the steps change over seeds; nothing for one seed."""
    table = exhibits.over_seeds
    if table is None:
        return []
    text = "{table} has the same steps over seeds."
    values: dict[str, Value] = {"table": ref(table)}
    seeds = int(exhibits.seeds.value)
    if seeds >= FEWEST_SEEDS:
        values["least"] = Number(2 / 2**seeds, "p", "2 / 2 to the power of the seeds")
        values["seeds"] = exhibits.seeds
        text += (
            " The p-values are those of the paired sign-flip test over seeds (Fisher 1935). They "
            "are not adjusted: with {seeds} seeds they can't be below {least} anyway. Recall can't "
            "rise and needs no test."
        )
    else:
        values["fewest"] = Number(FEWEST_SEEDS, "d", "fewest seeds for a sign-flip test")
        text += (
            " With fewer than {fewest} seeds no outcome of a sign-flip test could be below 0.05, "
            "so there is none."
        )
    return [prose(text, **values), table]


# ---------------------------------------------------------------------------------------- claims


def finding(trade_off: Prose, exhibits: Raising) -> Finding:
    """What raising the threshold does, and whether that is more than chance."""
    table = exhibits.steps
    if exhibits.verdict is not Verdict.SUPPORTED:
        text, values = _told(exhibits)
        return Finding(
            "thresholds", prose(f"{trade_off.text} {text}.", **trade_off.values, **values)
        )
    largest = max(range(len(table.rows)), key=lambda i: float(table.rows[i]["precision_p"] or 0))
    values = dict(trade_off.values)
    values["p"] = Cell(table.id, largest, "precision_p")
    where, of = "at every step", ""
    if exhibits.over_seeds is not None:
        where, of = "at every step with each of {seeds} seeds", ", first seed"
        values["seeds"] = exhibits.seeds
    largest_p = p_is(float(table.rows[largest]["precision_p"] or 0))
    return Finding(
        "thresholds",
        prose(
            f"{trade_off.text} Precision rises and recall falls {where} (Fisher's exact test of "
            f"precision{of}, largest adjusted {largest_p} {{p}}).",
            **values,
        ),
    )


def claim(exhibits: Raising | None) -> Claim:
    """Whether raising the threshold raises precision and lowers recall, at every step asked for."""
    statement = "Raising the threshold raises precision and lowers recall."
    if exhibits is None:
        evidence = prose("Only one threshold was asked for.")
        return Claim("threshold_trade_off", statement, evidence, Verdict.CANT_TELL, prose(_rule(1)))
    text, values = _told(exhibits)
    where = "{table}"
    values["table"] = ref(exhibits.steps)
    if exhibits.over_seeds is not None:
        where = "{table}, {over_seeds}"
        values["over_seeds"] = ref(exhibits.over_seeds)
    evidence = prose(f"{text} ({where}).", **values)
    rule = prose(_rule(int(exhibits.seeds.value)))
    return Claim("threshold_trade_off", statement, evidence, exhibits.verdict, rule)


def _rule(seeds: int) -> str:
    """By what rule the claim is judged, with so many seeds."""
    rule = (
        "Supported if at every step precision rises, with an adjusted p-value of Fisher's "
        f"exact test below {SIGNIFICANT}, and recall falls, which one positive review that changes "
        "sides shows, as none can change back; not supported if precision falls at a step with "
        "such a p-value."
    )
    if seeds == 1:
        return rule
    rule += " A rise or fall counts if it is seen with every seed"
    if seeds >= FEWEST_SEEDS:
        rule += f" and, for precision, the sign-flip test gives a p-value below {SIGNIFICANT} too"
    return f"{rule}; Fisher's test is about the first seed's network."


def _told(exhibits: Raising) -> tuple[str, dict[str, Value]]:
    """What precision and recall do at each step, in a sentence with its values."""
    table, pieces, values = exhibits.steps, list[str](), dict[str, Value]()
    for i, row in enumerate(table.rows):
        shown, told = ["from", "to"], {}
        for measure in ("precision", "recall"):
            ends = [f"{measure}_change{end}" for end in ("", "_low", "_high")]
            change, low, high = (f"{{{end}{i}}}" for end in ends)
            told[measure] = f"by {change} ({low} to {high}"
            shown += ends if row[ends[0]] is not None else []
        if row["precision_change"] is None:
            precision = "precision can't be compared, as nothing is called positive at one of them"
            recall = f"and recall changes {told['recall']})"
        else:
            shown.append("precision_p")
            p_value = f"{p_is(float(row['precision_p'] or 0))} {{precision_p{i}}}"
            precision = f"precision changes {told['precision']}, {p_value}{_doubt(exhibits, i)})"
            recall = f"recall {told['recall']})"
        values |= {f"{name}{i}": Cell(table.id, i, name) for name in shown}
        seeds, more = _seeds_told(exhibits, i)
        values |= more
        pieces.append(f"from {{from{i}}} to {{to{i}}} {precision}, {recall}{seeds}")
    text = "; ".join(pieces)
    if exhibits.over_seeds is not None:
        return f"With the first seed, {text}", values
    return text[0].upper() + text[1:], values


def _doubt(exhibits: Raising, step: int) -> str:
    """Why it can't be told where precision goes at a step, if it can't."""
    if exhibits.course_of_precision(step) != "can't be told":
        return ""
    p_value = exhibits.steps.rows[step]["precision_p"]
    untold = p_value is None or float(p_value) >= SIGNIFICANT
    return ", not told from chance" if untold else ", but not so with every seed"


def _seeds_told(exhibits: Raising, step: int) -> tuple[str, dict[str, Value]]:
    """With how many seeds precision rises and recall falls at a step; nothing for one seed."""
    table = exhibits.over_seeds
    if table is None:
        return "", {}
    values: dict[str, Value] = {
        f"{name}{step}": Cell(table.id, step, name) for name in ("precision_rises", "recall_falls")
    }
    values["seeds"] = exhibits.seeds
    text = f"precision rises with {{precision_rises{step}}} of {{seeds}} seeds"
    if "precision_p" in table.rows[step]:
        values[f"flip_p{step}"] = Cell(table.id, step, "precision_p")
        p_value = float(table.rows[step]["precision_p"] or 0)
        text += f" (sign-flip test, {p_is(p_value)} {{flip_p{step}}})"
    return f", where {text} and recall falls with {{recall_falls{step}}}", values


# ---------------------------------------------------------------------------------------- tables


def _steps_table(outcome: Outcome) -> Table:
    over = "test reviews, paired (precision: bootstrap; recall: Wilson; accuracy: Bonett and Price)"
    adjusted = "adjusted for the number of steps (Holm)"
    h = "Cohen's, at the higher threshold minus at the lower one"
    g = "Cohen's: share of the gained among reviews that change sides, minus a half"
    columns = (
        Column("from", "From", "", "", "g"),
        Column("to", "To", "", "", "g"),
        Column("moved", "Moved", "reviews that change sides", "", ",d"),
        *interval_columns(CHANGES["precision"], over),
        Column("precision_effect", "h", h, "", "+.3f"),
        Column("precision_p", "p (precision)", f"Fisher's exact test, {adjusted}", "", "p"),
        *interval_columns(CHANGES["recall"], over),
        Column("recall_effect", "h", h, "", "+.3f"),
        *interval_columns(CHANGES["accuracy"], over),
        Column("accuracy_effect", "g", g, "", "+.3f"),
        Column("accuracy_p", "p (accuracy)", f"McNemar's exact test, {adjusted}", "", "p"),
    )
    found = steps(outcome.thresholds, outcome.probability, outcome.labels)
    changes = [{name: getattr(step, name) for name in CHANGES} for step in found]
    adjusted_p = {name: _adjusted([c[name].p_value for c in changes]) for name in TESTED}
    rows: list[dict[str, Scalar]] = []
    for i, (step, change) in enumerate(zip(found, changes, strict=True)):
        low, high = outcome.thresholds[i : i + 2]
        row: dict[str, Scalar] = {"from": low, "to": high}
        row["moved"] = step.moved_positive + step.moved_negative
        for name in CHANGES:
            row |= interval_cells(f"{name}_change", change[name].value, change[name].interval)
            row[f"{name}_effect"] = change[name].effect
        row |= {f"{name}_p": adjusted_p[name][i] for name in TESTED}
        rows.append(row)
    caption = "What raising the threshold by a step changes on the test reviews."
    origins = (outcome.origin,) * len(rows)
    return Table("threshold_steps", caption, columns, tuple(rows), trials=origins)


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted by Holm's method, as many as there are."""
    adjusted = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]


def _seeds_table(
    outcome: Outcome, changes: Mapping[str, Sequence[Sequence[float | None]]]
) -> Table:
    """The same steps over seeds, with a test where there are enough of them."""
    tested = TESTED if len(outcome.runs) >= FEWEST_SEEDS else ()
    columns = [Column("from", "From", "", "", "g"), Column("to", "To", "", "", "g")]
    counted = {
        "precision": Column("precision_rises", "rises", "seeds in which precision rises", "", "d"),
        "recall": Column("recall_falls", "falls", "seeds in which recall falls", "", "d"),
    }
    for name, change in CHANGES.items():
        columns += seed_columns(change)
        columns += [counted[name]] if name in counted else []
        if name in tested:
            columns.append(Column(f"{name}_p", f"p ({name})", "sign-flip test over seeds", "", "p"))
    rows: list[dict[str, Scalar]] = []
    for i in range(len(outcome.thresholds) - 1):
        low, high = outcome.thresholds[i : i + 2]
        row: dict[str, Scalar] = {"from": low, "to": high}
        for name in CHANGES:
            row |= seed_cells(f"{name}_change", changes[name][i])
        row["precision_rises"] = _rises(changes["precision"][i])
        row["recall_falls"] = _falls(changes["recall"][i])
        row |= {f"{name}_p": _sign_flip(changes[name][i]) for name in tested}
        rows.append(row)
    origins = (outcome.origins,) * len(rows)
    caption = "What raising the threshold by a step changes on the test reviews, over seeds."
    return Table("seed_steps", caption, tuple(columns), tuple(rows), trials=origins)


def _sign_flip(changes: Sequence[float | None]) -> float | None:
    """The p-value of the changes; None where one is not defined or there are too few."""
    defined = [change for change in changes if change is not None]
    return sign_flip(defined) if len(defined) == len(changes) else None


def _rises(changes: Sequence[float | None]) -> int:
    """With how many seeds a measure rises."""
    return sum(change is not None and change > 0 for change in changes)


def _falls(changes: Sequence[float | None]) -> int:
    """With how many seeds a measure falls."""
    return sum(change is not None and change < 0 for change in changes)
