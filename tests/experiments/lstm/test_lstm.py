"""The sentiment chapter, told from made-up results, without TensorFlow."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_reviews import (
    TEST_REVIEWS,
    VALIDATION_REVIEWS,
    baselines,
    over_seeds,
    paragraph,
    predictions,
    result,
    section,
    text,
    value,
    wrong_on,
)
from sklearn import metrics

from experiments.lstm.classification import bins, calibration_error, share_difference
from experiments.lstm.errors import excerpt
from experiments.lstm.experiment import UNTRAINED, LstmExperiment, LstmSettings
from reportgen.experiment import Array, Dataset, TrialResult
from reportgen.results import Histogram, Lines

ROOT = Path(__file__).parents[3]


def test_the_tables_that_others_rely_on_have_their_ids_columns_and_values(
    dataset: Dataset,
) -> None:
    probability, labels = predictions()
    tables = section(dataset).tables
    rows = {row["threshold"]: row for row in tables["thresholds"].rows}
    assert list(rows) == [0.3, 0.5, 0.7]
    expected = metrics.precision_recall_fscore_support(
        labels, probability >= 0.7, average="binary"
    )[:3]
    assert [rows[0.7][name] for name in ("precision", "recall", "f1")] == pytest.approx(expected)
    assert rows[0.5]["accuracy"] == pytest.approx(((probability >= 0.5) == labels).mean())
    negative, positive = tables["confusion_matrix"].rows
    assert (negative["actual"], positive["actual"]) == ("negative", "positive")
    assert sum(int(negative[f"predicted_{label}"] or 0) for label in ("negative", "positive")) == (
        TEST_REVIEWS // 2
    )


def test_the_chapter_has_all_its_parts_and_figures(dataset: Dataset) -> None:
    chapter = section(dataset)
    assert [part.title for part in chapter.parts] == [
        "Objective",
        "Data",
        "Method",
        "Hyperparameters",
        "Results",
        "Thresholds",
        "Calibration",
        "Errors",
        "Discussion",
    ]
    assert set(chapter.figures) == {
        "training",
        "confusion",
        "precision_recall",
        "roc",
        "probabilities",
        "measures",
        "reliability",
    }
    curve = chapter.figures["precision_recall"].drawing
    assert isinstance(curve, Lines)
    assert [marker.label for marker in curve.panels[0].markers] == ["0.3", "0.5", "0.7"]
    assert "hyperparameters" in chapter.tables


def test_layers_are_listed_as_in_the_other_chapters(dataset: Dataset) -> None:
    table = section(dataset).tables["architecture"]
    assert [column.title for column in table.columns] == [
        "Layer",
        "Kind",
        "Outputs",
        "Activation",
        "Parameters",
    ]
    assert [tuple(row.values()) for row in table.rows] == [
        ("embedding", "Embedding", "500 × 128", None, 1_280_000),
        ("lstm", "LSTM", "64", "tanh, gates sigmoid", 49_408),
        ("dense", "Dense", "1", "sigmoid", 65),
        ("total", None, None, None, 1_329_473),
    ]


def test_columns_are_described_in_lower_case_and_without_a_full_stop(dataset: Dataset) -> None:
    names = {"Brier", "Cohen's", "Fisher's", "McNemar's"}
    chapter = over_seeds(dataset, [result(), result()])
    for table in chapter.tables.values():
        for column in table.columns:
            first = column.description.split(" ")[0].rstrip(":,")
            assert first in names or first == first.lower(), column
            assert not column.description.endswith("."), column


def test_probabilities_are_counted_on_a_logarithmic_axis_where_mistakes_are_seen(
    dataset: Dataset,
) -> None:
    figure = section(dataset).figures["probabilities"]
    assert isinstance(figure.drawing, Histogram)
    assert figure.drawing.y_scale == "log"
    assert "logarithmic" in figure.caption


def test_p_values_stand_in_prose_with_a_sign_of_relation(dataset: Dataset) -> None:
    chapter = section(dataset)
    told = paragraph(chapter, "At the threshold 0.5")
    assert float(value(chapter, told, "p") or 0) > 0.001
    assert "(exact test, p = {p})" in told.text
    one_sided = wrong_on(predictions()[1], range(1, 100, 2))
    assert "(exact test, p {p})" in text(section(dataset, probability=one_sided))


def test_the_chosen_epoch_is_marked_in_the_training_curves(dataset: Dataset) -> None:
    drawing = section(dataset).figures["training"].drawing
    assert isinstance(drawing, Lines)
    assert [panel.vertical[0].x for panel in drawing.panels] == [2, 2]


def test_mistakes_are_quoted_the_worst_first(dataset: Dataset) -> None:
    probability, labels = predictions()
    rows = section(dataset).tables["mistakes"].rows
    worst = int(np.argmin(np.where(labels == 1, probability, 2)))
    assert rows[0] == {
        "actual": "positive",
        "probability": float(probability[worst]),
        "text": f"Test review {worst}.",
    }
    assert [row["actual"] for row in rows] == ["positive"] * 3 + ["negative"] * 3


def test_a_network_without_mistakes_quotes_none(dataset: Dataset) -> None:
    perfect = np.where(predictions()[1] == 1, 0.9, 0.1).astype(np.float32)
    chapter = section(dataset, probability=perfect)
    assert "mistakes" not in chapter.tables
    assert "no mistakes to quote" in text(chapter)


def test_a_long_review_is_quoted_from_both_ends() -> None:
    review = "beginning " + "word " * 200 + "end"
    quoted = excerpt(review)
    assert len(quoted) < 340
    assert quoted.startswith("beginning word")
    assert " […] " in quoted
    assert quoted.endswith("word end")
    assert excerpt("short") == "short"


def test_the_reader_learns_of_reviews_in_both_parts_and_of_the_single_training(
    dataset: Dataset,
) -> None:
    chapter = section(dataset)
    told = paragraph(chapter, "The {count} test reviews")
    assert "used once" in told.text
    assert value(chapter, told, "known") == 6
    probability, labels = predictions()
    others = ((probability >= 0.5) == (labels == 1))[6:]
    assert value(chapter, told, "accuracy") == pytest.approx(others.mean())
    assert "Another seed" in text(chapter)


def test_no_overlap_is_claimed_where_there_is_none(dataset: Dataset) -> None:
    np.save(dataset.folder / "test_in_train.npy", np.zeros(TEST_REVIEWS, np.uint8))
    assert "None of them stands in the training part" in text(section(dataset))


@pytest.mark.parametrize(
    ("val_loss", "loss", "said"),
    [
        ([0.4, 0.33, 0.38], [0.6, 0.3, 0.2], "which is overfitting"),
        ([0.4, 0.33, 0.30], [0.6, 0.3, 0.2], "not seen yet"),
        ([0.4, 0.33, 0.38], [0.6, 0.3, 0.4], "became unsteady"),
    ],
)
def test_overfitting_is_told_when_the_losses_show_it(
    dataset: Dataset, val_loss: list[float], loss: list[float], said: str
) -> None:
    assert said in text(section(dataset, val_loss=val_loss, loss=loss))


def test_the_effect_of_the_threshold_is_told_as_it_is(dataset: Dataset) -> None:
    probability, labels = predictions()
    assert "raises precision" in text(section(dataset))
    worse = probability.copy()
    worse[labels == 0] = 0.95
    flipped = text(section(dataset, probability=worse))
    assert "lowers precision" in flipped
    assert "and lowers recall" in flipped


def test_a_useless_network_is_called_useless(dataset: Dataset) -> None:
    assert "learnt to tell praise from blame" in text(section(dataset))
    constant = np.full(TEST_REVIEWS, 0.6, np.float32)
    told = text(section(dataset, probability=constant))
    assert "learnt nothing of use" in told
    assert "leaves precision without a value" in told


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (range(5), "right more often on the validation reviews"),
        (range(62), "the two can't be told apart"),
        (range(120), "right less often on the validation reviews"),
    ],
)
def test_the_validation_accuracy_is_told_from_the_test_accuracy_by_their_difference(
    dataset: Dataset, wrong: range, said: str
) -> None:
    """Of 400 test reviews 80 are called wrong, of 300 validation reviews 5, 62 or 120."""
    validation = wrong_on((np.arange(VALIDATION_REVIEWS) % 2), wrong)
    test = wrong_on(predictions()[1], range(80))
    chapter = section(dataset, probability=test, validation=validation)
    told = paragraph(chapter, "On the validation reviews")
    assert said in told.text
    expected = share_difference((300 - len(wrong), 300), (320, 400))
    ends = (value(chapter, told, "low"), value(chapter, told, "high"))
    assert ends == pytest.approx(expected)
    assert value(chapter, told, "difference") == pytest.approx(0.2 - len(wrong) / 300)


def test_an_early_stop_is_told(dataset: Dataset) -> None:
    assert "stopped early" in text(section(dataset, LstmSettings(epochs=8)))
    assert "stopped early" not in text(section(dataset, LstmSettings(epochs=3)))


def test_thresholds_costs_and_seeds_retrain_nothing_and_everything_else_does() -> None:
    plain = LstmSettings()
    changed = LstmSettings(thresholds=(0.2, 0.9), false_positive_cost=7, seeds=3)
    experiment = LstmExperiment()
    assert experiment.trials(plain, 0, {}) == experiment.trials(changed, 0, {})
    for field in dataclasses.fields(LstmSettings):
        if field.name not in UNTRAINED:
            other = dataclasses.replace(plain, **{field.name: getattr(plain, field.name) + 1})
            assert experiment.trials(other, 0, {}) != experiment.trials(plain, 0, {}), field.name


def test_one_half_is_always_among_the_thresholds(dataset: Dataset) -> None:
    chapter = section(dataset, LstmSettings(thresholds=(0.9,)))
    assert [row["threshold"] for row in chapter.tables["thresholds"].rows] == [0.5, 0.9]


def test_the_chapter_is_imported_without_tensorflow() -> None:
    code = (
        "import sys, experiments.lstm; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_importing_the_chapter_loads_no_scikit_learn() -> None:
    code = "import sys, experiments.lstm; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False"], done.stderr


# ------------------------------------------------------------------------------------------- seeds


SEEDS = (5, 15, 25)


def of_seeds(*seeds: int, **changes: Array) -> list[TrialResult]:
    """Trainings that differ in what they predict for the test reviews."""
    return [result(probability=predictions(seed)[0], **changes) for seed in seeds]


def test_one_seed_has_no_tables_or_columns_over_seeds(dataset: Dataset) -> None:
    chapter = section(dataset)
    assert not {"trainings", "seed_steps"} & set(chapter.tables)
    columns = {column.name for table in chapter.tables.values() for column in table.columns}
    assert not [name for name in columns if name.endswith(("_mean", "_sd"))]


def test_over_seeds_mean_and_deviation_stand_beside_the_first_seeds_intervals(
    dataset: Dataset,
) -> None:
    chapter = over_seeds(dataset, of_seeds(*SEEDS))
    labels = predictions()[1]
    accuracy = [float(((predictions(seed)[0] >= 0.5) == labels).mean()) for seed in SEEDS]
    assert [row["accuracy"] for row in chapter.tables["trainings"].rows] == pytest.approx(accuracy)
    row = chapter.tables["thresholds"].rows[1]
    assert row["accuracy_mean"] == pytest.approx(np.mean(accuracy))
    assert row["accuracy_sd"] == pytest.approx(np.std(accuracy, ddof=1))
    assert row["accuracy"] == pytest.approx(accuracy[0])
    lstm, *others = chapter.tables["baselines"].rows
    assert lstm["accuracy_mean"] == pytest.approx(np.mean(accuracy))
    assert [row["accuracy_mean"] for row in others] == [None] * 3
    assert chapter.tables["trainings"].trials == ("LSTM, seed 0", "LSTM, seed 1", "LSTM, seed 2")
    assert "so there is none" in text(chapter)
    assert "Another seed" not in text(chapter)


def test_every_measure_of_the_threshold_table_has_its_spread_over_seeds(dataset: Dataset) -> None:
    labels = predictions()[1]
    rows = over_seeds(dataset, of_seeds(*SEEDS)).tables["thresholds"].rows
    measured = [
        metrics.precision_recall_fscore_support(
            labels, predictions(seed)[0] >= 0.7, average="binary"
        )[:3]
        for seed in SEEDS
    ]
    for name, of_seed in zip(
        ("precision", "recall", "f1"), zip(*measured, strict=True), strict=True
    ):
        assert rows[2][f"{name}_mean"] == pytest.approx(np.mean(of_seed))
        assert rows[2][f"{name}_sd"] == pytest.approx(np.std(of_seed, ddof=1))


def test_areas_and_calibration_have_their_spread_over_seeds(dataset: Dataset) -> None:
    labels = predictions()[1]
    tables = over_seeds(dataset, of_seeds(*SEEDS)).tables
    roc, precision = tables["areas"].rows
    brier, error, _ = tables["calibration"].rows
    for row, measure in (
        (roc, metrics.roc_auc_score),
        (precision, metrics.average_precision_score),
        (brier, metrics.brier_score_loss),
    ):
        of_seed = [measure(labels, predictions(seed)[0].astype(float)) for seed in SEEDS]
        assert row["value_mean"] == pytest.approx(np.mean(of_seed))
        assert row["value_sd"] == pytest.approx(np.std(of_seed, ddof=1))
    errors = [
        calibration_error(bins(predictions(seed)[0].astype(float), labels, 10)) for seed in SEEDS
    ]
    assert error["value_mean"] == pytest.approx(np.mean(errors))
    assert error["value_low"] is None


def test_the_first_finding_gives_mean_and_deviation_over_seeds(dataset: Dataset) -> None:
    chapter = over_seeds(dataset, of_seeds(*SEEDS))
    told = chapter.findings[0].sentence
    assert "{mean} ± {sd} of {count} unseen reviews right, over {seeds} seeds" in told.text
    row = chapter.tables["thresholds"].rows[1]
    assert value(chapter, told, "mean") == row["accuracy_mean"]
    assert value(chapter, told, "sd") == row["accuracy_sd"]
    assert value(chapter, told, "seeds") == 3
    assert "over" not in section(dataset).findings[0].sentence.text


def test_what_thresholds_trade_is_told_in_the_mean_over_seeds(dataset: Dataset) -> None:
    chapter = over_seeds(dataset, of_seeds(*SEEDS))
    told = next(f.sentence for f in chapter.findings if f.id == "thresholds")
    assert told.text.startswith("In the mean over seeds, raising")
    means = [row["precision_mean"] for row in chapter.tables["thresholds"].rows]
    assert value(chapter, told, "precision_high") == means[-1]


def test_what_is_told_of_one_network_is_told_of_the_first_seeds(dataset: Dataset) -> None:
    several, single = text(over_seeds(dataset, of_seeds(*SEEDS))), text(section(dataset))
    assert "At the threshold 0.5 the first seed's network is right" in several
    assert "All of it is about the first seed's network" in several
    assert "With the first seed, of the compared thresholds" in several
    assert "the LSTM is on {accuracy} in the mean over seeds" in several
    assert "first seed" not in single


def test_numbers_over_seeds_name_all_trainings_as_their_origin(dataset: Dataset) -> None:
    tables = over_seeds(dataset, of_seeds(*SEEDS)).tables
    every = "LSTM, seed 0; LSTM, seed 1; LSTM, seed 2"
    for name in ("thresholds", "areas", "calibration", "seed_steps"):
        assert set(tables[name].trials) == {every}, name
    assert tables["baselines"].trials[0] == every
    assert tables["baselines"].trials[2] == f"{every}; linear classifiers, seed 0"
    assert tables["threshold_steps"].trials[0] == "LSTM, seed 0"


def test_six_seeds_are_tested_by_flipping_signs(dataset: Dataset) -> None:
    chapter = over_seeds(dataset, of_seeds(*range(20, 26)))
    rows = chapter.tables["seed_steps"].rows
    # In all six precision rises: 2 / 2^6, which can't be smaller and so is not adjusted.
    assert [row["precision_p"] for row in rows] == [0.03125, 0.03125]
    assert [(row["precision_rises"], row["recall_falls"]) for row in rows] == [(6, 6), (6, 6)]
    assert "recall_p" not in rows[0]
    assert "They are not adjusted" in text(chapter)


def test_a_seed_without_a_precision_leaves_its_spread_open(dataset: Dataset) -> None:
    mute = np.full(TEST_REVIEWS, 0.6, np.float32)
    chapter = over_seeds(dataset, [result(), result(probability=mute)])
    row = chapter.tables["thresholds"].rows[2]
    assert row["precision_mean"] is None
    assert row["accuracy_mean"] is not None


# ------------------------------------------------------------------------------------------ honesty


def test_every_table_of_results_names_the_training_it_comes_from(dataset: Dataset) -> None:
    chapter = section(dataset)
    assert set(chapter.tables["thresholds"].trials) == {"LSTM, seed 0"}
    assert chapter.tables["baselines"].trials[-1] == "LSTM, seed 0; linear classifiers, seed 0"
    told_of_data = {"lengths", "hyperparameters"}
    for name, table in chapter.tables.items():
        assert (len(table.trials) == len(table.rows)) == (name not in told_of_data), name


def test_the_reader_learns_how_long_reviews_are_and_how_labels_are_shared(
    dataset: Dataset,
) -> None:
    chapter = section(dataset, LstmSettings(epochs=3, sequence_length=50))
    train, test = chapter.tables["lengths"].rows
    assert (train["shortest"], train["median"], train["longest"]) == (30, 30, 30)
    assert (test["shortest"], test["median"], test["longest"]) == (5, 29, 54)
    assert test["share_longer"] == pytest.approx(4 / 50)
    assert value(chapter, paragraph(chapter, "Positive are"), "test") == 0.5


def test_a_handful_of_reviews_is_told_without_a_crash(dataset: Dataset) -> None:
    few = {"test_labels": 4, "test_in_train": 4, "test_offsets": 5}
    for name, count in few.items():
        array = np.load(dataset.folder / f"{name}.npy")[:count]
        np.save(dataset.folder / f"{name}.npy", array)
    np.save(dataset.folder / "test_in_train.npy", np.zeros(4, np.uint8))
    linear = baselines(tfidf_probability=predictions()[0][:4], nbsvm_score=predictions()[0][:4])
    for probability in (predictions()[0][:4], np.full(4, 0.5), np.full(4, 0.01), np.ones(4)):
        chapter = section(dataset, linear=linear, probability=probability.astype(np.float32))
        assert len(chapter.claims) == 2
