"""The sample reviews: neither trivial nor hopeless, and honestly split."""

from __future__ import annotations

import difflib
import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from experiments.data import sample
from experiments.data.imdb import ImdbSource
from experiments.data.reviews import text_of, tokenise
from reportgen.experiment import DataOptions

Reviews = tuple[list[str], np.ndarray]


def reviews(part: str) -> Reviews:
    texts, labels = zip(*sample.reviews(part), strict=True)
    return [text.decode() for text in texts], np.array(labels)


@pytest.fixture(scope="module")
def train() -> Reviews:
    return reviews("train")


@pytest.fixture(scope="module")
def test() -> Reviews:
    return reviews("test")


@pytest.fixture(scope="module")
def sentences() -> dict[str, list[str]]:
    return tomllib.loads(sample.SENTENCES.read_text("utf-8"))


def test_both_parts_are_balanced(train: Reviews, test: Reviews) -> None:
    assert np.bincount(train[1]).tolist() == [2000, 2000]
    assert np.bincount(test[1]).tolist() == [1000, 1000]


def test_counting_words_gets_somewhere_but_not_far(train: Reviews, test: Reviews) -> None:
    count = CountVectorizer(analyzer=tokenise, binary=True)
    model = LogisticRegression(C=0.3, max_iter=1000).fit(count.fit_transform(train[0]), train[1])
    assert 0.60 < model.score(count.transform(test[0]), test[1]) < 0.92


def test_the_length_of_a_review_does_not_tell_its_label(train: Reviews, test: Reviews) -> None:
    def lengths(texts: list[str]) -> np.ndarray:
        return np.array([[len(tokenise(text))] for text in texts])

    model = LogisticRegression().fit(lengths(train[0]), train[1])
    assert abs(model.score(lengths(test[0]), test[1]) - 0.5) < 0.05


def test_reviews_have_some_twenty_to_three_hundred_words(train: Reviews) -> None:
    lengths = [len(tokenise(text)) for text in train[0]]
    low, middle, high = np.percentile(lengths, [2, 50, 98])
    assert 15 < low < 40 < middle < 130 < high < 300


def test_a_quarter_of_the_opinions_is_kept_from_training_and_heard_in_testing(
    train: Reviews, test: Reviews, sentences: dict[str, list[str]]
) -> None:
    told, asked = " ".join(train[0]).lower(), " ".join(test[0]).lower()
    for group in ("praise_clauses", "blame_clauses", "praise_sentences", "blame_sentences"):
        hidden = [text.lower() for text in sentences[group][3::4]]
        assert not [text for text in hidden if text in told]
        assert [text for text in hidden if text in asked] == hidden


def test_no_test_review_is_a_training_review(train: Reviews, test: Reviews) -> None:
    assert set(train[0]).isdisjoint(test[0])


def test_no_two_sentences_are_nearly_the_same_within_their_group(
    sentences: dict[str, list[str]],
) -> None:
    for group in sentences.values():
        words = [tokenise(text) for text in group]
        for one, other in itertools.combinations(words, 2):
            assert difflib.SequenceMatcher(None, one, other).ratio() < 0.8, (one, other)


def test_every_frame_has_just_its_places(sentences: dict[str, list[str]]) -> None:
    for frame in sentences["contrasts"]:
        assert frame.count("{verdict}") == frame.count("{concession}") == 1
    for frame in sentences["denials_of_praise"] + sentences["denials_of_blame"]:
        assert frame.count("{clause}") == 1


def test_the_sample_says_what_it_is(tmp_path: Path, options: Callable[..., DataOptions]) -> None:
    dataset = ImdbSource().prepare(options("sample"))
    assert dataset.summary.origin == "sample"
    assert "A sample: 4,000 training and 2,000 test reviews" in dataset.summary.note
    assert dataset.facts["test_in_train"] == 0
    assert text_of(dataset, 0)[0].isupper()
