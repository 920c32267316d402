"""The baselines of the LSTM: linear classifiers of the words and word pairs that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from experiments.training.fitting import generator
from experiments.training.reviews import FIRST_WORD, Reviews, split
from reportgen.experiment import Array, Dataset, Json, Progress, TrainingContext, TrialResult

LEAST_REVIEWS = 3
"""N-grams in fewer fitted reviews are left out: three of four are, which costs no accuracy."""

INVERSE_PENALTIES = (1.0, 10.0)
"""The values of C between which validation decides, for logistic regression on TF-IDF."""

NB_SMOOTHING, NB_INVERSE_PENALTY, NB_INTERPOLATION = 1.0, 1.0, 0.25
"""Alpha, C and beta of NB-SVM as Wang & Manning (2012) fix them for all their datasets."""

TOLERANCE = 0.1
"""LIBLINEAR's own default for its dual solvers (Fan et al. 2008); no finer one validates better."""

MOST_PASSES = 1000
"""LIBLINEAR's own limit of passes over the reviews; a dozen are usual."""


# --------------------------------------------------------------------------------------- n-grams


@dataclass(frozen=True)
class Occurrences:
    """How often which n-gram occurs in which review, by rising n-gram and then review.

    ``ngram``, ``review`` and ``count`` are int64 (pairs,), the pairs of an n-gram and a review
    that has it; ``reviews`` is the number of reviews. The n-gram of a single word is the word's
    id; that of a pair is (first + 1) · vocabulary + second.
    """

    ngram: Array
    review: Array
    count: Array
    reviews: int

    @classmethod
    def of(cls, reviews: Reviews, chosen: Array, vocabulary: int) -> Occurrences:
        """Count in the chosen of the LSTM's reviews, each cut to its last words as they are there.

        Words outside of the vocabulary count for nothing, and no pair reaches over them.
        """
        words = np.concatenate([reviews.ids[reviews.begins[i] : reviews.ends[i]] for i in chosen])
        words = words.astype(np.int64)
        review = np.repeat(np.arange(len(chosen)), reviews.lengths[chosen])
        known = words >= FIRST_WORD
        paired = known[:-1] & known[1:] & (review[:-1] == review[1:])
        pairs = (words[:-1] + 1) * vocabulary + words[1:]
        # One number for n-gram and review: a single sort both counts and puts in order.
        single = words[known] * len(chosen) + review[known]
        double = pairs[paired] * len(chosen) + review[:-1][paired]
        both, count = np.unique(np.concatenate([single, double]), return_counts=True)
        return cls(*np.divmod(both, len(chosen)), count, len(chosen))

    def frequent(self, least: int) -> Array:
        """The n-grams that occur in at least so many reviews, rising: int64 (features,)."""
        first = np.flatnonzero(np.diff(self.ngram, prepend=-1))
        reviews_with_it = np.diff(first, append=len(self.ngram))
        frequent: Array = self.ngram[first[reviews_with_it >= least]]
        return frequent

    def matrix(self, features: Array) -> csr_matrix:
        """The counts of these n-grams, rising, alone: float32 (reviews, features)."""
        column = np.minimum(np.searchsorted(features, self.ngram), len(features) - 1)
        kept = features[column] == self.ngram
        places = (self.review[kept], column[kept])
        shape = (self.reviews, len(features))
        return csr_matrix((self.count[kept].astype(np.float32), places), shape)


def presence(counts: csr_matrix) -> csr_matrix:
    """1 where a review has an n-gram."""
    return with_values(counts, np.ones_like(counts.data))


def with_values(matrix: csr_matrix, values: Array) -> csr_matrix:
    """A matrix with other values in the same places."""
    return csr_matrix((values, matrix.indices, matrix.indptr), matrix.shape)


# --------------------------------------------------------------------------------------- weights


def inverse_document_frequency(counts: csr_matrix) -> Array:
    """How rare each n-gram is: ln((1 + reviews) / (1 + reviews with it)) + 1, float32 (features,).

    Smoothed as by scikit-learn's ``TfidfTransformer``, as if one more review had every n-gram.
    """
    reviews, features = counts.shape
    frequency = np.bincount(counts.indices, minlength=features)
    rarity: Array = (np.log((1 + reviews) / (1 + frequency)) + 1).astype(np.float32)
    return rarity


def tfidf(counts: csr_matrix, rarity: Array) -> csr_matrix:
    """(1 + ln count) · rarity, each review scaled to length 1 (Salton & Buckley 1988)."""
    values = (1 + np.log(counts.data)) * rarity[counts.indices]
    review = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    lengths = np.sqrt(np.bincount(review, values**2, minlength=counts.shape[0]))
    return with_values(counts, values / lengths[review].astype(np.float32))


def log_count_ratio(counts: csr_matrix, labels: Array) -> Array:
    """How much more often positive reviews have an n-gram than negative ones: float32 (features,).

    r = log((p / |p|) / (q / |q|)) of Wang & Manning (2012), where p and q are ``NB_SMOOTHING``
    plus the number of positive or negative reviews that have the n-gram.
    """
    positive, negative = (
        np.bincount(counts[labels == label].indices, minlength=counts.shape[1]) + NB_SMOOTHING
        for label in (1, 0)
    )
    ratio: Array = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
    return np.asarray(ratio, np.float32)


# ----------------------------------------------------------------------------------- classifiers


@dataclass(frozen=True)
class Labelled:
    """Counts of n-grams, (reviews, features), and the reviews' labels, 0 or 1 (reviews,)."""

    counts: csr_matrix
    labels: Array


@dataclass(frozen=True)
class LinearClassifier:
    """Calls a review positive if ``features @ weights + intercept`` is at least 0.

    ``rarity`` float32 (features,) makes TF-IDF of the counts; without, only presence counts.
    """

    weights: Array
    intercept: float
    rarity: Array | None = None

    def decide(self, counts: csr_matrix) -> Array:
        """How far each review is on the positive side: float32 (reviews,)."""
        features = presence(counts) if self.rarity is None else tfidf(counts, self.rarity)
        decision: Array = features @ self.weights + np.float32(self.intercept)
        return decision

    def accuracy(self, reviews: Labelled) -> float:
        """The share of reviews that are on the right side."""
        right = (self.decide(reviews.counts) >= 0) == (reviews.labels == 1)
        return float(right.mean())


def fit_tfidf(reviews: Labelled, inverse_penalty: float, seed: int) -> LinearClassifier:
    """Logistic regression on TF-IDF, its weights penalised by their squares (L2).

    Fitted by dual coordinate descent (Yu, Huang & Lin 2011). ``seed`` decides its order.
    """
    rarity = inverse_document_frequency(reviews.counts)
    model = LogisticRegression(
        C=inverse_penalty,
        solver="liblinear",
        dual=True,
        tol=TOLERANCE,
        max_iter=MOST_PASSES,
        random_state=seed,
    )
    model.fit(tfidf(reviews.counts, rarity), reviews.labels)
    weights = model.coef_[0].astype(np.float32)
    return LinearClassifier(weights, float(model.intercept_[0]), rarity)


def fit_nbsvm(reviews: Labelled, seed: int) -> LinearClassifier:
    """NB-SVM (Wang & Manning 2012): a linear SVM on log-count ratios, drawn towards naive Bayes.

    An n-gram that a review has counts with its ratio, however often it is there. The SVM has the
    squared hinge loss (L2), as theirs; ``seed`` decides the order of its coordinate descent.
    """
    ratio = log_count_ratio(reviews.counts, reviews.labels)
    model = LinearSVC(
        C=NB_INVERSE_PENALTY, tol=TOLERANCE, max_iter=MOST_PASSES, dual=True, random_state=seed
    )
    model.fit(with_values(reviews.counts, ratio[reviews.counts.indices]), reviews.labels)
    by_svm = model.coef_[0]
    weights = (1 - NB_INTERPOLATION) * np.abs(by_svm).mean() + NB_INTERPOLATION * by_svm
    return LinearClassifier((ratio * weights).astype(np.float32), float(model.intercept_[0]))


def fit_both(
    fitted: Labelled, validation: Labelled, seed: int
) -> tuple[dict[str, LinearClassifier], dict[str, Json]]:
    """Both classifiers, and as scalars what was chosen and how well they validate."""
    # In rising order, so that of equally accurate ones the stronger penalty is taken.
    candidates = {penalty: fit_tfidf(fitted, penalty, seed) for penalty in INVERSE_PENALTIES}
    accuracy = {penalty: model.accuracy(validation) for penalty, model in candidates.items()}
    chosen = max(accuracy, key=accuracy.__getitem__)
    nbsvm = fit_nbsvm(fitted, seed)
    scalars: dict[str, Json] = {
        "tfidf_inverse_penalty": chosen,
        "tfidf_validation_accuracy": accuracy[chosen],
        "nbsvm_validation_accuracy": nbsvm.accuracy(validation),
    }
    return {"tfidf": candidates[chosen], "nbsvm": nbsvm}, scalars


# --------------------------------------------------------------------------------------- trainer


def classify(
    params: Mapping[str, Json], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Fit both classifiers to the words that the LSTM sees, then classify the test reviews.

    Params:
        vocabulary, sequence_length, validation_reviews, training_reviews: as in the settings of
            the LSTM; they and the seed give the same words of the same fitted reviews.

    Arrays: ``tfidf_probability`` float32 (test reviews,), of TF-IDF with logistic regression, that
    the review is positive; ``nbsvm_score`` float32 (test reviews,), of NB-SVM, at least 0 for
    positive; ``tfidf_validation_probability`` and ``nbsvm_validation_score``, the same of the
    validation reviews, which are those of the LSTM in the same order. Scalars: ``features``, how
    many words and pairs of words they know; ``fitted_reviews``; ``tfidf_validation_accuracy`` and
    ``nbsvm_validation_accuracy``; and ``tfidf_inverse_penalty``, the C that validated best.
    """
    vocabulary, length = params["vocabulary"], params["sequence_length"]
    reviews = Reviews.read(dataset, "train", vocabulary, length)
    limits = params["validation_reviews"], params["training_reviews"]
    parts = split(reviews, *limits, seed)
    fitted = Occurrences.of(reviews, parts.fitted, vocabulary)
    ngrams = fitted.frequent(LEAST_REVIEWS)
    validating = Occurrences.of(reviews, parts.validation, vocabulary)
    context.progress(Progress(1, 1, 0.4))
    validation = Labelled(validating.matrix(ngrams), reviews.labels[parts.validation])
    classifiers, scalars = fit_both(
        Labelled(fitted.matrix(ngrams), reviews.labels[parts.fitted]),
        validation,
        int(generator(seed, "order in LIBLINEAR").integers(1 << 31)),
    )
    context.progress(Progress(1, 1, 0.7))
    # Only now, with everything fitted and chosen, are the test reviews read.
    test = Reviews.read(dataset, "test", vocabulary, length)
    counts = Occurrences.of(test, np.arange(len(test.labels)), vocabulary).matrix(ngrams)
    arrays = {}
    for part, of_part in (("", counts), ("validation_", validation.counts)):
        arrays[f"tfidf_{part}probability"] = expit(classifiers["tfidf"].decide(of_part))
        arrays[f"nbsvm_{part}score"] = classifiers["nbsvm"].decide(of_part)
    context.progress(Progress(1, 1, 1.0))
    scalars |= {"features": len(ngrams), "fitted_reviews": len(parts.fitted)}
    return TrialResult({}, scalars, arrays)
