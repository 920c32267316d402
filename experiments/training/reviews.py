"""Reviews as a training reads them: cut, parted, in batches of similar length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.training.fitting import generator
from reportgen.experiment import Array, Dataset, Json

PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2
"""The ids: 0 pads in front, 1 is any word outside of the vocabulary, 2 the most frequent word."""

CHUNK = 25
"""Reviews are padded in front to a multiple of so many words: as many are computed at a time."""


@dataclass(frozen=True)
class Reviews:
    """Reviews as word ids, each cut to its last words.

    ``ids`` int32 has the words of all reviews one after the other; review i is
    ``ids[begins[i]:ends[i]]``, and had ``uncut[i]`` words. ``labels`` uint8 (n,) are 1 for
    positive.
    """

    ids: Array
    begins: Array
    ends: Array
    uncut: Array
    labels: Array

    @classmethod
    def read(cls, dataset: Dataset, part: str, vocabulary: int, length: int) -> Reviews:
        """The reviews of ``train`` or ``test``, with ids below ``vocabulary``, cut to ``length``.

        The dataset's ranks count from 1, the most frequent word of the training part.
        """
        ranks = np.asarray(dataset.array(f"{part}_tokens"))
        offsets = np.asarray(dataset.array(f"{part}_offsets"))
        ids = ranks + (FIRST_WORD - 1)
        ids[ids >= vocabulary] = UNKNOWN
        begins = np.maximum(offsets[:-1], offsets[1:] - length)
        labels = np.asarray(dataset.array(f"{part}_labels"))
        return cls(ids.astype(np.int32), begins, offsets[1:], np.diff(offsets), labels)

    @property
    def lengths(self) -> Array:
        """The number of words of each review, int64 (n,)."""
        lengths: Array = self.ends - self.begins
        return lengths

    def padded(self, chosen: Array, columns: int, left_out: Array | None = None) -> Array:
        """The chosen reviews, padded in front: int32 (steps, columns), one column a review.

        ``left_out`` bool (vocabulary,) marks words that are taken out of the reviews. Steps are
        the least multiple of CHUNK that holds the longest of what is left; columns that are left
        over are padding.
        """
        words = np.concatenate([self.ids[self.begins[i] : self.ends[i]] for i in chosen])
        column = np.repeat(np.arange(len(chosen)), self.lengths[chosen])
        if left_out is not None:
            kept = ~left_out[words]
            words, column = words[kept], column[kept]
        counts = np.bincount(column, minlength=len(chosen))
        steps = CHUNK * max(1, -(-int(counts.max()) // CHUNK))
        from_the_end = np.cumsum(counts)[column] - np.arange(len(words))
        padded = np.zeros((steps, columns), np.int32)
        padded[steps - from_the_end, column] = words
        return padded

    def batches(
        self, chosen: Array, size: int, shuffle: np.random.Generator | None = None
    ) -> list[Array]:
        """The chosen reviews in batches of similar length, the shortest's batch perhaps smaller.

        ``shuffle`` mixes reviews of the same number of chunks, and then the batches.
        """
        if shuffle is not None:
            chosen = shuffle.permutation(chosen)
        by_length = chosen[np.argsort(-self._chunks()[chosen], kind="stable")]
        batches = [by_length[i : i + size] for i in range(0, len(chosen), size)]
        if shuffle is not None:
            batches = [batches[i] for i in shuffle.permutation(len(batches))]
        return batches

    def _chunks(self) -> Array:
        """How many chunks of time steps each review takes, at least one."""
        chunks: Array = np.maximum(-(-self.lengths // CHUNK), 1)
        return chunks


@dataclass(frozen=True)
class Split:
    """Which training reviews are fitted and which validate, int64 indexes in order.

    ``left_out`` counts reviews that do neither because a validation review has the same words.
    """

    fitted: Array
    validation: Array
    left_out: int


def split(reviews: Reviews, validation: int, limit: int, seed: int) -> Split:
    """Part the training reviews at random, each part with the labels' shares of the whole.

    The validation part has ``validation`` reviews, but at most a fifth of all. ``limit`` is the
    most reviews to fit; 0 for all that are left.
    """
    count = len(reviews.labels)
    validation = min(validation, count // 5)
    limit = limit or count
    chance = generator(seed, "validation part")
    fitted, validating = [], []
    for label in (0, 1):
        mixed = chance.permutation(np.flatnonzero(reviews.labels == label))
        share = len(mixed) / count
        first = round(validation * share)
        validating.append(mixed[:first])
        fitted.append(mixed[first : first + round(limit * share)])
    kept_for_validation = np.sort(np.concatenate(validating))
    known = {_words(reviews, i) for i in kept_for_validation}
    candidates = np.sort(np.concatenate(fitted))
    twin = np.array([_words(reviews, i) in known for i in candidates], bool)
    return Split(candidates[~twin], kept_for_validation, int(twin.sum()))


def _words(reviews: Reviews, i: int) -> bytes:
    """The words of one review, to compare."""
    words: bytes = reviews.ids[reviews.begins[i] : reviews.ends[i]].tobytes()
    return words


def facts_of(reviews: Reviews, chosen: Array) -> dict[str, Json]:
    """What the chosen reviews are, and what cutting and the vocabulary did to them."""
    unknown = np.append(0, np.cumsum(reviews.ids == UNKNOWN))
    unknown_kept = (unknown[reviews.ends] - unknown[reviews.begins])[chosen]
    kept, uncut = reviews.lengths[chosen], reviews.uncut[chosen]
    return {
        "reviews": len(chosen),
        "positive": int(reviews.labels[chosen].sum()),
        "mean_words": float(uncut.mean()),
        "mean_words_kept": float(kept.mean()),
        "share_cut": float((uncut > kept).mean()),
        "share_unknown": float(unknown_kept.sum() / max(1, kept.sum())),
    }
