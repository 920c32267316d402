"""The sentiment chapter, told from made-up results, without TensorFlow."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from experiments.classification import Confusion, Curves, thinned
from experiments.lstm import LstmExperiment, LstmSettings
from experiments.sentiment import excerpt
from reportgen.experiment import Array, Dataset, Evidence, TrialResult
from reportgen.results import DataSummary, Lines, Section

ROOT = Path(__file__).parents[2]
SUMMARY = DataSummary("imdb", "Film reviews", "other", "made up", "0")
TEST_REVIEWS = 400


def predictions(seed: int = 5) -> tuple[Array, Array]:
    """Probabilities in steps of a hundredth, so that there are ties, and labels.

    None is a threshold itself, so that rounding does not decide.
    """
    chance = np.random.default_rng(seed)
    labels = (np.arange(TEST_REVIEWS) % 2).astype(np.uint8)
    spread = chance.normal(labels * 2.5 - 1.25, 1.4)
    return (np.floor(100 / (1 + np.exp(-spread))) / 100 + 0.005).astype(np.float32), labels


def facts(reviews: int) -> dict[str, Any]:
    return {
        "reviews": reviews,
        "positive": reviews // 2,
        "mean_words": 230.5,
        "mean_words_kept": 215.25,
        "share_cut": 0.08,
        "share_unknown": 0.05,
    }


def result(**changes: Any) -> TrialResult:
    """A training of three epochs of which the second was kept, with predictions."""
    history = {
        "loss": [0.6, 0.3, 0.2],
        "accuracy": [0.7, 0.85, 0.92],
        "val_loss": [0.4, 0.33, 0.38],
        "val_accuracy": [0.8, 0.87, 0.86],
    }
    layers = [
        {"type": "Embedding", "name": "e", "output": [500, 128], "parameters": 1_280_000},
        {"type": "LSTM", "name": "l", "output": [64], "parameters": 49_408},
        {"type": "Dense", "name": "d", "output": [1], "parameters": 65},
    ]
    scalars = {
        "chosen_epoch": 2,
        "layers": layers,
        "fitted": facts(1500),
        "validation": facts(300),
        "test": facts(TEST_REVIEWS),
        "left_out": 4,
    }
    probability = changes.pop("probability", predictions()[0])
    return TrialResult(history | changes, scalars, {"test_probability": probability})


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Test labels, and review texts ``test review 0`` and so on, one of them long."""
    texts = [f"Test review {i}.".encode() for i in range(TEST_REVIEWS)]
    arrays = {
        "test_labels": predictions()[1],
        "test_in_train": (np.arange(TEST_REVIEWS) < 6).astype(np.uint8),
        "test_text": np.frombuffer(b"".join(texts), np.uint8),
        "test_text_offsets": np.append(0, np.cumsum([len(text) for text in texts])),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return Dataset(SUMMARY, tmp_path, {"text": True})


def section(dataset: Dataset, settings: LstmSettings | None = None, **changes: Any) -> Section:
    settings = settings or LstmSettings(epochs=3)
    [trial] = LstmExperiment().trials(settings, 0, {})
    evidence = Evidence(settings, "standard", 0, dataset, {trial: result(**changes)})
    return LstmExperiment().section(evidence)


def text(section: Section) -> str:
    """All prose, with the values' places left as they are."""
    return " ".join(paragraph.text for paragraph in section.paragraphs())


# ---------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_measures_at_a_threshold_are_those_of_scikit_learn(threshold: float) -> None:
    probability, labels = predictions()
    called = probability >= threshold
    at = Confusion.at(threshold, probability, labels)
    expected = metrics.confusion_matrix(labels, called)
    assert [[at.true_negative, at.false_positive], [at.false_negative, at.true_positive]] == (
        expected.tolist()
    )
    assert at.precision == pytest.approx(metrics.precision_score(labels, called))
    assert at.recall == pytest.approx(metrics.recall_score(labels, called))
    assert at.f1 == pytest.approx(metrics.f1_score(labels, called))
    assert at.accuracy == pytest.approx(metrics.accuracy_score(labels, called))


def test_areas_are_those_of_scikit_learn_with_ties() -> None:
    probability, labels = predictions()
    curves = Curves.of(probability, labels)
    assert len(curves.thresholds) < len(probability)
    assert curves.area_under_roc == pytest.approx(metrics.roc_auc_score(labels, probability))
    expected = metrics.average_precision_score(labels, probability)
    assert curves.average_precision == pytest.approx(expected)


def test_without_positive_calls_there_is_no_precision() -> None:
    probability, labels = predictions()
    assert Confusion.at(1.5, probability, labels).precision is None


def test_a_thinned_curve_looks_like_the_whole() -> None:
    chance = np.random.default_rng(1)
    labels = np.arange(20_000) % 2
    curves = Curves.of(chance.normal(labels * 2.0), labels)
    x, y = thinned(curves.recall, curves.precision, 300)
    assert len(x) <= 300
    assert (x[0], x[-1]) == (curves.recall[0], 1)
    whole = np.stack([curves.recall, curves.precision], 1)[::7]
    distances = np.linalg.norm(whole[:, None] - np.stack([x, y], 1), axis=2).min(axis=1)
    assert distances.max() < 0.01


# ---------------------------------------------------------------------------------------- chapter


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
        "Discussion",
    ]
    assert set(chapter.figures) == {
        "training",
        "confusion",
        "precision_recall",
        "roc",
        "probabilities",
        "measures",
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
    paragraph = next(
        p for p in section(dataset).paragraphs() if p.text.startswith("The {count} test reviews")
    )
    assert "used once" in paragraph.text
    known: Any = paragraph.values["known"]
    assert known.value == 6
    assert "Another seed" in text(section(dataset))


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


def test_thresholds_retrain_nothing_and_everything_else_does() -> None:
    plain, changed = LstmSettings(), LstmSettings(thresholds=(0.2, 0.9))
    experiment = LstmExperiment()
    assert experiment.trials(plain, 0, {}) == experiment.trials(changed, 0, {})
    for field in dataclasses.fields(LstmSettings):
        if field.name != "thresholds":
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
