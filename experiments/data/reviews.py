"""Film reviews as word ranks: from text to arrays, and from arrays back to words."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reportgen.experiment import Array, Dataset, Json

FILTERED = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""The characters that Keras' ``Tokenizer`` takes for spaces (its documented ``filters``)."""

LINE_BREAK = "br"
"""What is left of ``<br />`` in the tokens; Keras' ``imdb.npz`` counts it as a word, so we do."""

_TO_SPACES = str.maketrans(dict.fromkeys(FILTERED, " "))
_LINE_BREAKS = re.compile(r"(?:\s*<br\s*/?>)+\s*", re.IGNORECASE)


def tokenise(text: str) -> list[str]:
    """The words of a review by the rules of Keras' ``Tokenizer``.

    Lower case, punctuation to spaces, split; but at white space of every kind, where Keras splits
    at spaces alone: that would glue words together at the U+0085 and no-break spaces that a lost
    conversion left in some 690 of the published reviews.
    """
    return text.lower().translate(_TO_SPACES).split()


# --------------------------------------------------------------------------- from text to arrays


@dataclass(frozen=True)
class Part:
    """The reviews of one part, training or test, as read.

    ``ids`` int32 are places in a list of words, all reviews one after the other; ``offsets``
    int64 (n + 1,) are where they begin and end; ``labels`` uint8 (n,) are 1 for praise, 0 for
    blame. ``texts`` are UTF-8, as written; empty if only tokens are known.
    """

    ids: Array
    offsets: Array
    labels: Array
    texts: Sequence[bytes] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def review(self, i: int) -> Array:
        """The ids of one review."""
        ids: Array = self.ids[self.offsets[i] : self.offsets[i + 1]]
        return ids


class Vocabulary:
    """Gives each word an id, in the order in which they are first seen."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, int] = defaultdict()
        self._ids.default_factory = self._ids.__len__

    @property
    def words(self) -> list[str]:
        """The words by id."""
        return list(self._ids)

    def encode(self, reviews: Iterable[tuple[bytes, int]], keep_texts: bool) -> Part:
        """The reviews, each UTF-8 text and a label, as ids."""
        ids, offsets, labels, texts = array("i"), array("q", [0]), array("B"), []
        identify = self._ids.__getitem__
        for text, label in reviews:
            ids.fromlist(list(map(identify, tokenise(text.decode()))))
            offsets.append(len(ids))
            labels.append(label)
            if keep_texts:
                texts.append(text)
        return Part(np.array(ids), np.array(offsets), np.array(labels), texts)


def arrange(train: Part, test: Part, words: Sequence[str]) -> dict[str, Array]:
    """The arrays of a review dataset, the same for the same reviews in whatever order they came.

    Ranks: 1 is the most frequent word of the *training* part; of equally frequent words the
    alphabetically first comes first; words that only the test part has come last, by alphabet.
    The reviews of each part stand in the order of their checksums, so that neither their order
    on disk nor their label shows in it.

    Args:
        train: the training reviews; every id is a place in ``words``.
        test: the test reviews.
        words: all words; those that no review has are left out.

    Returns:
        ``train_tokens`` int32 (ranks, all reviews one after the other), ``train_offsets`` int64
        (n + 1,), ``train_labels`` uint8 (n,), the same with ``test_``; ``test_in_train`` uint8
        (m,), 1 where the same words in the same order are a training review as well; ``words``
        uint8 (UTF-8, by rank) and ``words_offsets`` int64; if there are texts, ``test_text``
        uint8 (UTF-8) and ``test_text_offsets`` int64.
    """
    in_train = np.bincount(train.ids, minlength=len(words))
    in_test = np.bincount(test.ids, minlength=len(words))
    counts = in_train.tolist()
    used = np.flatnonzero(in_train + in_test).tolist()
    by_rank = sorted(used, key=lambda i: (-counts[i], words[i]))
    ranks = np.zeros(len(words), np.int32)
    ranks[by_rank] = np.arange(1, len(by_rank) + 1)
    known = int(np.count_nonzero(in_train))

    arrays = _flat("words", [words[i].encode() for i in by_rank])
    seen: set[bytes] = set()
    for name, part in (("train", train), ("test", test)):
        reviews = [ranks[part.review(i)] for i in range(len(part))]
        labels = part.labels.tolist()
        checksums = [_checksum(*both, known) for both in zip(reviews, labels, strict=True)]
        order = sorted(range(len(part)), key=checksums.__getitem__)
        reviews = [reviews[i] for i in order]
        arrays[f"{name}_tokens"] = np.concatenate(reviews)
        arrays[f"{name}_offsets"] = _offsets(reviews)
        arrays[f"{name}_labels"] = part.labels[order]
        if name == "train":
            seen = {review.tobytes() for review in reviews}
        else:
            found = [review.tobytes() in seen for review in reviews]
            arrays["test_in_train"] = np.array(found, np.uint8)
            if part.texts:
                arrays |= _flat("test_text", [part.texts[i] for i in order])
    return arrays


def facts_of(arrays: Mapping[str, Array]) -> dict[str, Json]:
    """What can be counted in the arrays that :func:`arrange` made."""
    highest = int(arrays["train_tokens"].max())  # ranks of training words have no gaps
    return {
        "train_reviews": len(arrays["train_labels"]),
        "test_reviews": len(arrays["test_labels"]),
        "train_positive": int(arrays["train_labels"].sum()),
        "test_positive": int(arrays["test_labels"].sum()),
        "train_tokens": len(arrays["train_tokens"]),
        "test_tokens": len(arrays["test_tokens"]),
        "train_words": highest,
        "words": len(arrays["words_offsets"]) - 1,
        "test_in_train": int(arrays["test_in_train"].sum()),
        "text": "test_text" in arrays,
    }


def _checksum(review: Array, label: int, known: int) -> bytes:
    """A checksum over a review's label and training words, which all forms of the data have."""
    return hashlib.sha256(bytes([label]) + review[review <= known].tobytes()).digest()


def _flat(name: str, texts: Sequence[bytes]) -> dict[str, Array]:
    """Byte strings as one array and the offsets at which they begin and end."""
    flat = np.frombuffer(b"".join(texts), np.uint8)
    return {name: flat, f"{name}_offsets": _offsets(texts)}


def _offsets(pieces: Sequence[Sequence[object] | Array]) -> Array:
    """Where pieces that are laid one after the other begin and end: int64 (pieces + 1,)."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


# ---------------------------------------------------------------------------- from arrays to words


def words_of(dataset: Dataset, ranks: Iterable[int]) -> list[str]:
    """The words of these ranks (from 1); IndexError for a rank that no word has."""
    flat, offsets = dataset.array("words"), dataset.array("words_offsets")
    words = []
    for rank in ranks:
        if not 1 <= rank < len(offsets):
            raise IndexError(f"ranks go from 1 to {len(offsets) - 1}, not {rank}")
        words.append(bytes(flat[offsets[rank - 1] : offsets[rank]]).decode())
    return words


def text_of(dataset: Dataset, i: int) -> str:
    """The ``i``-th test review for quoting, in one line.

    As it was written, line breaks turned to spaces, if the data have the text; or else its words,
    which have lost case and punctuation.
    """
    if dataset.facts["text"]:
        text = bytes(_piece(dataset, "test_text", i)).decode()
        return " ".join(_LINE_BREAKS.sub(" ", text).split())
    words = words_of(dataset, _piece(dataset, "test_tokens", i, "test_offsets").tolist())
    return " ".join(word for word in words if word != LINE_BREAK)


def _piece(dataset: Dataset, name: str, i: int, offsets_name: str = "") -> Array:
    """The ``i``-th stretch of a flat array."""
    offsets = dataset.array(offsets_name or f"{name}_offsets")
    piece: Array = dataset.array(name)[offsets[i] : offsets[i + 1]]
    return piece
