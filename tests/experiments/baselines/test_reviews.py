"""The baselines of the LSTM, against slow counts on a few hundred generated reviews."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from experiments.baselines import reviews as baselines
from experiments.baselines.reviews import Labelled, Occurrences
from experiments.training.reviews import Reviews, split
from reportgen.experiment import Array, Checkpoint, Dataset, Progress, TrialResult
from reportgen.results import DataSummary

VOCABULARY = 30
PARAMS: dict[str, Any] = {
    "vocabulary": VOCABULARY,
    "sequence_length": 25,
    "validation_reviews": 60,
    "training_reviews": 0,
}


class Context:
    """A training context that writes progress into a list."""

    threads = 1

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def progress(self, progress: Progress) -> None:
        self.log.append(f"progress {progress.fraction}")

    def load_checkpoint(self) -> Checkpoint | None:
        return None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        raise AssertionError("a baseline has no epochs, and so no checkpoint to save")


class LoggedDataset(Dataset):
    """A dataset that writes down which arrays were opened, into a list set from outside."""

    log: list[str]

    def array(self, name: str) -> Array:
        self.log.append(name)
        return super().array(name)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> LoggedDataset:
    """Reviews whose labels only the order of two neighbouring words tells: 1 2 or 2 1."""
    folder = tmp_path_factory.mktemp("reviews")
    chance = np.random.default_rng(7)
    for part, count in (("train", 400), ("test", 100)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        lengths = chance.integers(4, 50, count)
        reviews = [chance.integers(3, 40, length) for length in lengths]
        for review, label in zip(reviews, labels, strict=True):
            review[-3:-1] = (1, 2) if label else (2, 1)
        np.save(folder / f"{part}_tokens.npy", np.concatenate(reviews).astype(np.int32))
        np.save(folder / f"{part}_offsets.npy", np.append(0, np.cumsum(lengths)))
        np.save(folder / f"{part}_labels.npy", labels)
    dataset = LoggedDataset(DataSummary("imdb", "reviews", "sample", "generated", "0"), folder)
    object.__setattr__(dataset, "log", [])
    return dataset


@pytest.fixture(scope="module")
def result(dataset: LoggedDataset) -> TrialResult:
    return baselines.classify(PARAMS, 0, dataset, Context([]))


def reviews_of(*words: list[int]) -> Any:
    """Reviews with these ids, as the LSTM's are kept."""
    ends = np.cumsum([len(w) for w in words])
    lengths = np.array([len(w) for w in words])
    ids = np.array([i for w in words for i in w], np.int32)
    return SimpleNamespace(ids=ids, begins=ends - lengths, ends=ends, lengths=lengths)


def words_of(dataset: Dataset, part: str) -> list[list[int]]:
    """The ids of each review: its last 25, ids from the vocabulary's size on being unknown."""
    offsets = dataset.array(f"{part}_offsets")
    ids = dataset.array(f"{part}_tokens") + 1
    pieces = [ids[a:b][-25:] for a, b in pairwise(offsets)]
    return [[int(i) if i < VOCABULARY else 1 for i in piece] for piece in pieces]


def slow_ngrams(words: list[int]) -> list[int]:
    """Words and pairs of neighbours, the unknown 1 in none of them."""
    pairs = [(a + 1) * VOCABULARY + b for a, b in pairwise(words) if a > 1]
    pairs = [pair for pair in pairs if pair % VOCABULARY > 1]
    return [word for word in words if word > 1] + pairs


# ----------------------------------------------------------------------------------------- counts


def test_ngrams_are_counted_as_by_hand() -> None:
    occurrences = Occurrences.of(reviews_of([2, 3, 2, 3], [1, 3, 1, 4]), np.array([0, 1]), 10)
    found = zip(occurrences.ngram, occurrences.review, occurrences.count, strict=True)
    # 2, 3 and 4 alone; "2 3" is 33, "3 2" is 42; nothing with the unknown 1, nothing across.
    expected = [(2, 0, 2), (3, 0, 2), (3, 1, 1), (4, 1, 1), (33, 0, 2), (42, 0, 1)]
    assert [tuple(map(int, pair)) for pair in found] == expected


def test_counts_are_those_of_a_dictionary(dataset: LoggedDataset) -> None:
    words = words_of(dataset, "train")
    chosen = np.array([3, 4, 10, 250])
    occurrences = Occurrences.of(reviews_of(*words), chosen, VOCABULARY)
    counted = [Counter(slow_ngrams(words[i])) for i in chosen]
    every = sorted(set().union(*counted))
    expected = np.array([[counter[ngram] for ngram in every] for counter in counted])
    matrix = occurrences.matrix(np.array(every))
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.dtype == np.float32
    in_two = [
        ngram for ngram, column in zip(every, expected.T, strict=True) if (column > 0).sum() >= 2
    ]
    assert occurrences.frequent(2).tolist() == in_two


def test_ngrams_that_are_no_features_are_left_out() -> None:
    occurrences = Occurrences.of(reviews_of([2, 3], [5]), np.array([0, 1]), 10)
    np.testing.assert_array_equal(occurrences.matrix(np.array([3, 4])).toarray(), [[1, 0], [0, 0]])


# ---------------------------------------------------------------------------------------- weights


def test_tfidf_is_that_of_scikit_learn() -> None:
    chance = np.random.default_rng(0)
    dense = chance.poisson(0.7, (40, 12)).astype(np.float32)
    dense[5] = 0
    counts = csr_matrix(dense)
    ours = baselines.tfidf(counts, baselines.inverse_document_frequency(counts))
    theirs = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-6)


def test_log_count_ratios_are_those_worked_out_by_hand() -> None:
    counts = csr_matrix(np.array([[3, 1, 0], [1, 0, 0], [0, 2, 1]], np.float32))
    # Positive reviews: p = 1 + (2, 1, 0), |p| = 6; negative ones: q = 1 + (0, 1, 1), |q| = 5.
    expected = np.log([(3 / 6) / (1 / 5), (2 / 6) / (2 / 5), (1 / 6) / (2 / 5)])
    np.testing.assert_allclose(
        baselines.log_count_ratio(counts, np.array([1, 1, 0])), expected, rtol=1e-6
    )


def test_nbsvm_counts_an_ngram_once_however_often_it_is_there() -> None:
    chance = np.random.default_rng(0)
    counts = csr_matrix(chance.poisson(1, (60, 8)).astype(np.float32))
    once = csr_matrix((np.ones_like(counts.data), counts.indices, counts.indptr), counts.shape)
    labels = (np.arange(60) % 2).astype(np.uint8)
    models = [baselines.fit_nbsvm(Labelled(matrix, labels), 0) for matrix in (counts, once)]
    np.testing.assert_array_equal(models[0].weights, models[1].weights)
    np.testing.assert_array_equal(models[0].decide(counts), models[0].decide(once))


def test_nbsvm_gives_an_ngram_a_quarter_of_its_own_weight_and_the_rest_of_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]], np.float32))
    labels = np.array([1, 1, 0, 0])
    ratio = baselines.log_count_ratio(counts, labels)
    model = baselines.fit_nbsvm(Labelled(counts, labels), 0)
    monkeypatch.setattr(baselines, "NB_INTERPOLATION", 1.0)
    svm = baselines.fit_nbsvm(Labelled(counts, labels), 0)
    told = ratio != 0
    own = svm.weights[told] / ratio[told]
    mean = np.abs(own).sum() / 3  # where the ratio is 0 the SVM has no use for the n-gram
    expected = ratio[told] * (0.75 * mean + 0.25 * own)
    np.testing.assert_allclose(model.weights[told], expected, rtol=1e-5)
    assert told.tolist() == [True, False, True]


# ---------------------------------------------------------------------------------------- trainer


def test_both_learn_what_only_a_pair_of_words_tells(result: TrialResult, dataset: Dataset) -> None:
    positive = dataset.array("test_labels") == 1
    assert ((result.arrays["tfidf_probability"] >= 0.5) == positive).mean() > 0.9
    assert ((result.arrays["nbsvm_score"] >= 0) == positive).mean() > 0.9
    for name in ("tfidf_probability", "nbsvm_score"):
        assert result.arrays[name].shape == (100,)
        assert result.arrays[name].dtype == np.float32


def test_probabilities_are_those_of_scikit_learn_from_words_to_the_end(
    result: TrialResult, dataset: LoggedDataset
) -> None:
    reviews, parts = baselines_parts(dataset)
    words, test = words_of(dataset, "train"), words_of(dataset, "test")
    vectorizer = TfidfVectorizer(
        analyzer=slow_ngrams, sublinear_tf=True, min_df=baselines.LEAST_REVIEWS
    )
    features = vectorizer.fit_transform([words[i] for i in parts.fitted])
    model = LogisticRegression(C=result.scalars["tfidf_inverse_penalty"], tol=1e-8, max_iter=1000)
    model.fit(features, reviews.labels[parts.fitted])
    expected = model.predict_proba(vectorizer.transform(test))[:, 1]
    np.testing.assert_allclose(result.arrays["tfidf_probability"], expected, atol=0.03)
    assert result.scalars["features"] == len(vectorizer.vocabulary_)
    assert result.scalars["fitted_reviews"] == len(parts.fitted)


def baselines_parts(dataset: Dataset) -> tuple[Any, Any]:
    """The training reviews as the LSTM reads them, and its parts of them."""
    reviews = Reviews.read(dataset, "train", VOCABULARY, 25)
    return reviews, split(reviews, 60, 0, 0)


def test_validation_reviews_are_judged_in_the_order_in_which_the_lstm_has_them(
    result: TrialResult, dataset: LoggedDataset
) -> None:
    reviews, parts = baselines_parts(dataset)
    positive = reviews.labels[parts.validation] == 1
    for name, middle in (("tfidf_validation_probability", 0.5), ("nbsvm_validation_score", 0)):
        judged = result.arrays[name]
        assert (judged.shape, judged.dtype) == (positive.shape, np.float32)
        accuracy = float(((judged >= middle) == positive).mean())
        assert accuracy == result.scalars[f"{name.partition('_')[0]}_validation_accuracy"]
        assert accuracy > 0.9


def test_the_penalty_that_validates_best_is_taken_the_stronger_one_of_equals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = csr_matrix(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32))
    reviews = Labelled(counts, np.array([1, 0, 1, 0]))
    _, scalars = baselines.fit_both(reviews, reviews, 0)
    assert scalars["tfidf_inverse_penalty"] == 1
    accuracy = {1.0: 0.7, 10.0: 0.8}

    def fit(reviews: Labelled, inverse_penalty: float, seed: int) -> Any:
        return SimpleNamespace(accuracy=lambda validation: accuracy[inverse_penalty])

    monkeypatch.setattr(baselines, "fit_tfidf", fit)
    _, scalars = baselines.fit_both(reviews, reviews, 0)
    assert scalars["tfidf_inverse_penalty"] == 10
    assert scalars["tfidf_validation_accuracy"] == 0.8


def test_the_same_seed_gives_the_same_bits(result: TrialResult, dataset: LoggedDataset) -> None:
    again = baselines.classify(PARAMS, 0, dataset, Context([]))
    assert again.scalars == result.scalars
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)


def test_the_test_part_is_not_opened_before_everything_is_fitted_and_chosen(
    dataset: LoggedDataset,
) -> None:
    dataset.log.clear()
    baselines.classify(PARAMS, 0, dataset, Context(dataset.log))
    first_use = next(i for i, entry in enumerate(dataset.log) if entry.startswith("test"))
    assert dataset.log[first_use - 1] == "progress 0.7"
    assert dataset.log[-1] == "progress 1.0"
