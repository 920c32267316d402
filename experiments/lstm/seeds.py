"""How the trainings of several seeds differ, one by one."""

from __future__ import annotations

from experiments.lstm.against_baselines import LSTM, Baselines
from experiments.lstm.outcome import DECISION, Item, Outcome
from experiments.uncertainty import named
from reportgen.results import Column, Scalar, Table, prose, ref


def seeds(outcome: Outcome, baselines: Baselines) -> list[Item]:
    """How the trainings differ; nothing for one seed."""
    if not outcome.several_seeds:
        return []
    table = _trainings_table(outcome)
    return [
        prose(
            "{table} has each of the {count} trainings. Accuracy on the test reviews is {mean} ± "
            "{sd} (mean and standard deviation over seeds). No test over seeds compares it with "
            "the linear baselines: they were fitted once, to the first seed's part of the reviews, "
            "so all differences would share the chance in that one fit.",
            table=ref(table),
            count=outcome.seed_count,
            mean=baselines.test.cell("accuracy_mean", method=LSTM),
            sd=baselines.test.cell("accuracy_sd", method=LSTM),
        ),
        table,
    ]


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
            "accuracy": at.accuracy,
            "area": summaries["area_under_roc"],
        }
        for run, at, summaries in zip(
            outcome.runs, outcome.at(DECISION), outcome.summaries, strict=True
        )
    ]
    origins = tuple(named(run.trial) for run in outcome.runs)
    caption = "The trainings of the LSTM, one a seed. Each has validation reviews of its own."
    return Table("trainings", caption, columns, tuple(rows), trials=origins)
