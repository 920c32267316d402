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
    baselines,
    over_seeds,
    paragraph,
    predictions,
    result,
    section,
    text,
    value,
)
from sklearn import metrics

from experiments.lstm.errors import excerpt
from experiments.lstm.experiment import UNTRAINED, LstmExperiment, LstmSettings
from reportgen.experiment import Dataset
from reportgen.results import Lines

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


def test_the_validation_accuracy_is_compared_with_the_test_accuracy(dataset: Dataset) -> None:
    probability, labels = predictions()
    test = float(((probability >= 0.5) == labels).mean())
    for lead, said in ((-0.01, "no more"), (0.01, "somewhat more"), (0.1, "seem to differ")):
        assert said in text(section(dataset, val_accuracy=[0.5, test + lead, 0.5]))


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


def test_one_seed_has_no_tables_over_seeds(dataset: Dataset) -> None:
    assert not {"trainings", "seeds", "seed_steps"} & set(section(dataset).tables)


def test_over_seeds_mean_and_deviation_stand_beside_the_first_seeds_intervals(
    dataset: Dataset,
) -> None:
    seeds = (5, 15, 25)
    chapter = over_seeds(dataset, [result(probability=predictions(seed)[0]) for seed in seeds])
    labels = predictions()[1]
    accuracy = [float(((predictions(seed)[0] >= 0.5) == labels).mean()) for seed in seeds]
    assert [row["accuracy"] for row in chapter.tables["trainings"].rows] == pytest.approx(accuracy)
    row = chapter.tables["seeds"].rows[1]
    assert row["accuracy_mean"] == pytest.approx(np.mean(accuracy))
    assert row["accuracy_sd"] == pytest.approx(np.std(accuracy, ddof=1))
    assert chapter.tables["thresholds"].rows[1]["accuracy"] == pytest.approx(accuracy[0])
    assert chapter.tables["trainings"].trials == ("LSTM, seed 0", "LSTM, seed 1", "LSTM, seed 2")
    assert "so there is none" in text(chapter)
    assert "Another seed" not in text(chapter)


def test_six_seeds_are_tested_by_flipping_signs(dataset: Dataset) -> None:
    results = [result(probability=predictions(seed)[0]) for seed in range(20, 26)]
    rows = over_seeds(dataset, results).tables["seed_steps"].rows
    # In all six precision rises: 2 / 2^6, and twice that for two steps.
    assert [row["precision_p"] for row in rows] == pytest.approx([0.0625, 0.0625])
    assert "recall_p" not in rows[0]


def test_a_seed_without_a_precision_leaves_its_spread_open(dataset: Dataset) -> None:
    mute = np.full(TEST_REVIEWS, 0.6, np.float32)
    chapter = over_seeds(dataset, [result(), result(probability=mute)])
    row = chapter.tables["seeds"].rows[2]
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
