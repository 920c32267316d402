"""How the trainings of several seeds differ: each one, and what thresholds do in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.lstm.against_baselines import NAMES, NBSVM, TFIDF, Baselines
from experiments.lstm.classification import Confusion, Curves, steps
from experiments.lstm.outcome import DECISION, Item, Outcome
from experiments.lstm.thresholds import adjusted_p_values
from experiments.uncertainty import named, seed_cells, seed_columns
from experiments.wording import joined
from reportgen.results import Column, Number, Prose, Scalar, Table, Value, prose, ref
from reportgen.statistics import FEWEST_SEEDS, over_seeds, sign_flip

MEASURES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "accuracy": "Accuracy"}
FORMATS = {"accuracy": ".2%"}


@dataclass(frozen=True)
class Seeds:
    """The tables over seeds; ``steps`` is None where only one threshold is compared."""

    trainings: Table
    measures: Table
    steps: Table | None

    @classmethod
    def of(cls, outcome: Outcome) -> Seeds | None:
        """All of them for an outcome; None for one seed."""
        if len(outcome.runs) == 1:
            return None
        several = len(outcome.thresholds) > 1
        return cls(
            _trainings_table(outcome),
            _measures_table(outcome),
            _steps_table(outcome) if several else None,
        )


# ----------------------------------------------------------------------------------------- prose


def seeds(outcome: Outcome, exhibits: Seeds | None, baselines: Baselines) -> list[Item]:
    """How the trainings differ; nothing for one seed."""
    if exhibits is None:
        return []
    return [_trainings_paragraph(outcome, exhibits, baselines), exhibits.trainings]


def thresholds_over_seeds(exhibits: Seeds | None) -> list[Item]:
    """What thresholds do in all trainings; nothing for one seed."""
    if exhibits is None:
        return []
    return [
        _measures_paragraph(exhibits),
        exhibits.measures,
        *([exhibits.steps] if exhibits.steps is not None else []),
    ]


def _trainings_paragraph(outcome: Outcome, exhibits: Seeds, baselines: Baselines) -> Prose:
    accuracy = [float(row["accuracy"] or 0) for row in exhibits.trainings.rows]
    spread = over_seeds(accuracy)
    assert spread is not None  # there are two seeds at least
    about = "accuracy on the test reviews over seeds, threshold 0.5"
    values: dict[str, Value] = {
        "table": ref(exhibits.trainings),
        "count": Number(len(accuracy), "d", "number of seeds", outcome.origins),
        "mean": Number(spread.mean, ".2%", f"mean {about}", outcome.origins),
        "sd": Number(spread.deviation, ".2%", f"standard deviation, {about}", outcome.origins),
    }
    pieces = []
    for name in (TFIDF, NBSVM):
        value = baselines.test.rows[baselines.test.index(method=name)]["accuracy"]
        below = sum(own < float(value or 0) for own in accuracy)
        key = "tfidf" if name == TFIDF else "nbsvm"
        values[key] = baselines.test.cell("accuracy", method=name)
        if 0 < below < len(accuracy):
            about = f"seeds with an accuracy below that of {NAMES[name]}"
            values[f"{key}_below"] = Number(below, "d", about, outcome.origins)
            who = f"{{{key}_below}} of the trainings"
        else:
            who = "all trainings" if below else "no training"
        pieces.append(f"in {who} it is below that of {NAMES[name]} ({{{key}}})")
    return prose(
        "{table} has each of the {count} trainings. Accuracy on the test reviews is {mean} ± {sd} "
        f"(mean and standard deviation over seeds); {joined(pieces)}. No test over seeds is made "
        "of that: the baselines were fitted once, to the first seed's part of the reviews, so all "
        "differences would share the chance in that one fit.",
        **values,
    )


def _measures_paragraph(exhibits: Seeds) -> Prose:
    text = "{measures} has the measures over seeds"
    values: dict[str, Value] = {"measures": ref(exhibits.measures)}
    if exhibits.steps is None:
        return prose(f"{text}.", **values)
    text += ", {steps} what raising the threshold changes in each training."
    values["steps"] = ref(exhibits.steps)
    if any(column.name == "precision_p" for column in exhibits.steps.columns):
        text += (
            " The p-values are those of the paired sign-flip test over seeds (Fisher 1935), "
            "adjusted for the number of steps (Holm 1979); recall can't rise and needs no test."
        )
    else:
        values["fewest"] = Number(FEWEST_SEEDS, "d", "fewest seeds for a sign-flip test")
        text += (
            " With fewer than {fewest} seeds no outcome of a sign-flip test could be below 0.05, "
            "so there is none."
        )
    return prose(text, **values)


# ---------------------------------------------------------------------------------------- tables


def _trainings_table(outcome: Outcome) -> Table:
    columns = (
        Column("seed", "Seed", "", "", "d"),
        Column("chosen_epoch", "Chosen epoch", "", "", "d"),
        Column("validation_accuracy", "Validation accuracy", "", "", ".2%"),
        Column("accuracy", "Test accuracy", "at the threshold 0.5", "", ".2%"),
        Column("area", "Area under ROC curve", "test reviews", "", ".4f"),
    )
    rows: list[dict[str, Scalar]] = [
        {
            "seed": run.trial.seed,
            "chosen_epoch": run.chosen,
            "validation_accuracy": run.validation_accuracy,
            "accuracy": Confusion.at(DECISION, run.probability, outcome.labels).accuracy,
            "area": Curves.of(run.probability, outcome.labels).area_under_roc,
        }
        for run in outcome.runs
    ]
    origins = tuple(named(run.trial) for run in outcome.runs)
    caption = "The trainings of the LSTM, one a seed. Each has validation reviews of its own."
    return Table("trainings", caption, columns, tuple(rows), trials=origins)


def _measures_table(outcome: Outcome) -> Table:
    columns = [Column("threshold", "Threshold", "", "", "g")]
    for name, title in MEASURES.items():
        columns += seed_columns(Column(name, title, "", "", FORMATS.get(name, ".4f")))
    rows: list[dict[str, Scalar]] = []
    for threshold in outcome.thresholds:
        at = [Confusion.at(threshold, run.probability, outcome.labels) for run in outcome.runs]
        row: dict[str, Scalar] = {"threshold": threshold}
        for name in MEASURES:
            row |= _over_seeds(name, [getattr(counts, name) for counts in at])
        rows.append(row)
    origins = (outcome.origins,) * len(rows)
    caption = "The measures on the test reviews over seeds."
    return Table("seeds", caption, tuple(columns), tuple(rows), trials=origins)


def _steps_table(outcome: Outcome) -> Table:
    tested = len(outcome.runs) >= FEWEST_SEEDS
    columns = [Column("from", "From", "", "", "g"), Column("to", "To", "", "", "g")]
    names = ("precision", "recall", "accuracy")
    for name in names:
        specification = f"+{FORMATS.get(name, '.4f')}"
        columns += seed_columns(Column(f"{name}_change", MEASURES[name], "", "", specification))
        if tested and name != "recall":
            columns.append(Column(f"{name}_p", f"p ({name})", "sign-flip test over seeds", "", "p"))
    found = [steps(outcome.thresholds, run.probability, outcome.labels) for run in outcome.runs]
    changes = {
        name: [
            [getattr(step, name).value for step in at_one_step]
            for at_one_step in zip(*found, strict=True)
        ]
        for name in names
    }
    p_values = {
        name: adjusted_p_values([_sign_flip(values) for values in of_steps])
        for name, of_steps in changes.items()
    }
    rows: list[dict[str, Scalar]] = []
    for i in range(len(outcome.thresholds) - 1):
        low, high = outcome.thresholds[i : i + 2]
        row: dict[str, Scalar] = {"from": low, "to": high}
        for name in names:
            row |= _over_seeds(f"{name}_change", changes[name][i])
            if tested and name != "recall":
                row[f"{name}_p"] = p_values[name][i]
        rows.append(row)
    origins = (outcome.origins,) * len(rows)
    caption = "What raising the threshold by a step changes on the test reviews, over seeds."
    return Table("seed_steps", caption, tuple(columns), tuple(rows), trials=origins)


def _sign_flip(changes: Sequence[float | None]) -> float | None:
    """The p-value of the changes; None where one is not defined or there are too few."""
    defined = [change for change in changes if change is not None]
    return sign_flip(defined) if len(defined) == len(changes) else None


def _over_seeds(name: str, values: Sequence[float | None]) -> dict[str, Scalar]:
    """The cells of mean and deviation; empty where a value is not defined for a seed."""
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        return {f"{name}_mean": None, f"{name}_sd": None}
    return seed_cells(name, defined)
