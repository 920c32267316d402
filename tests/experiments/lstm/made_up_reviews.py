"""Made-up trainings on made-up film reviews, and the chapter that is told from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lstm import LstmExperiment, LstmSettings
from reportgen.experiment import Array, Dataset, Evidence, TrialResult
from reportgen.results import Cell, Claim, DataSummary, Number, Prose, Scalar, Section

SUMMARY = DataSummary("imdb", "Film reviews", "other", "made up", "0")
TEST_REVIEWS = 400
VALIDATION_REVIEWS = 300
WORDS = ("the", "film", "not", "good", "don't", "never", "plot", "rare")
"""By rank, from 1."""


def predictions(seed: int = 5, reviews: int = TEST_REVIEWS) -> tuple[Array, Array]:
    """Probabilities in steps of a hundredth, so that there are ties, and labels.

    None is a threshold itself, so that rounding does not decide.
    """
    chance = np.random.default_rng(seed)
    labels = (np.arange(reviews) % 2).astype(np.uint8)
    spread = chance.normal(labels * 2.5 - 1.25, 1.4)
    return (np.floor(100 / (1 + np.exp(-spread))) / 100 + 0.005).astype(np.float32), labels


def wrong_on(labels: Array, wrong: Sequence[int]) -> Array:
    """Probabilities that are on the right side but for these reviews."""
    right = np.where(labels == 1, 0.9, 0.1)
    right[list(wrong)] = 1 - right[list(wrong)]
    return right.astype(np.float32)


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
        {"type": "Embedding", "name": "embedding", "output": [500, 128], "parameters": 1_280_000},
        {"type": "LSTM", "name": "lstm", "output": [64], "parameters": 49_408},
        {"type": "Dense", "name": "dense", "output": [1], "parameters": 65},
    ]
    scalars = {
        "chosen_epoch": 2,
        "layers": layers,
        "fitted": facts(1500),
        "validation": facts(VALIDATION_REVIEWS),
        "test": facts(TEST_REVIEWS),
        "left_out": 4,
    }
    arrays = {
        "test_probability": changes.pop("probability", predictions()[0]),
        "validation_probability": changes.pop("validation", predictions(6, VALIDATION_REVIEWS)[0]),
        "validation_index": np.arange(VALIDATION_REVIEWS) * 2 + np.arange(VALIDATION_REVIEWS) % 2,
    }
    return TrialResult(history | changes, scalars, arrays)


def baselines(**changes: Array) -> TrialResult:
    """Linear classifiers of about the network's accuracy; NB-SVM is told by probabilities, too."""
    arrays = {
        "tfidf_probability": predictions(7)[0],
        "nbsvm_score": predictions(8)[0],
        "tfidf_validation_probability": predictions(9, VALIDATION_REVIEWS)[0],
        "nbsvm_validation_score": predictions(10, VALIDATION_REVIEWS)[0],
    } | changes
    for name in ("nbsvm_score", "nbsvm_validation_score"):
        arrays[name] = arrays[name] - np.float32(0.5)
    return TrialResult({}, {"features": 4321, "fitted_reviews": 1500}, arrays)


def dataset_in(folder: Path) -> Dataset:
    """Labels, review texts ``Test review 0`` and so on, and words: every fourth negates."""
    texts = [f"Test review {i}.".encode() for i in range(TEST_REVIEWS)]
    lengths = np.arange(TEST_REVIEWS) % 50 + 5
    tokens = np.ones(lengths.sum(), np.int32)
    tokens[(np.cumsum(lengths) - 2)[::4]] = WORDS.index("not") + 1
    words = [word.encode() for word in WORDS]
    arrays = {
        "train_labels": np.arange(600) % 2 == 1,
        "train_offsets": np.append(0, np.cumsum(np.full(600, 30))),
        "test_labels": predictions()[1],
        "test_in_train": (np.arange(TEST_REVIEWS) < 6).astype(np.uint8),
        "test_tokens": tokens,
        "test_offsets": np.append(0, np.cumsum(lengths)),
        "test_text": np.frombuffer(b"".join(texts), np.uint8),
        "test_text_offsets": np.append(0, np.cumsum([len(text) for text in texts])),
        "words": np.frombuffer(b"".join(words), np.uint8),
        "words_offsets": np.append(0, np.cumsum([len(word) for word in words])),
    }
    arrays["train_labels"] = arrays["train_labels"].astype(np.uint8)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return Dataset(SUMMARY, folder, {"text": True})


def section(
    dataset: Dataset,
    settings: LstmSettings | None = None,
    linear: TrialResult | None = None,
    **changes: Any,
) -> Section:
    """The chapter of one training."""
    return over_seeds(dataset, [result(**changes)], settings, linear)


def over_seeds(
    dataset: Dataset,
    results: Sequence[TrialResult],
    settings: LstmSettings | None = None,
    linear: TrialResult | None = None,
) -> Section:
    """The chapter of as many trainings as there are results."""
    settings = settings or LstmSettings(epochs=3)
    experiment = LstmExperiment()
    seeds = tuple(range(len(results)))
    trials = [trial for seed in seeds for trial in experiment.trials(settings, seed, {})]
    found = dict(zip(trials, results, strict=True))
    [baseline] = experiment.baselines(settings, 0, {})
    found[baseline] = linear or baselines()
    return experiment.section(Evidence(settings, "standard", seeds, dataset, found))


def text(section: Section) -> str:
    """All prose, with the values' places left as they are."""
    return " ".join(paragraph.text for paragraph in section.paragraphs())


def paragraph(section: Section, beginning: str) -> Prose:
    return next(p for p in section.paragraphs() if p.text.startswith(beginning))


def value(section: Section, paragraph: Prose, name: str) -> Scalar:
    """What a place in a sentence is filled with."""
    found = paragraph.values[name]
    if isinstance(found, Cell):
        return section.tables[found.table].rows[found.row][found.column]
    assert isinstance(found, Number)
    return found.value


def claim(section: Section, name: str) -> Claim:
    return next(claim for claim in section.claims if claim.id == name)
