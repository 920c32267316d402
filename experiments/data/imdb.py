"""IMDB reviews: text in a folder or an archive, Keras' ``imdb.npz``, or our own sample."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from experiments.data import sample
from experiments.data.damage import beginning, damaged, unreadable
from experiments.data.download import RemoteFile
from experiments.data.npz import read_array, read_integer_lists, read_npz
from experiments.data.prepared import Contents, Stamp, fingerprint
from experiments.data.reviews import Part, Vocabulary, arrange, facts_of
from experiments.data.sources import Absent, Found, LocatedSource
from reportgen.errors import DataError
from reportgen.experiment import Array

PARTS = ("train", "test")
LABELS = {"neg": 0, "pos": 1}

LARGEST_REVIEW = 1 << 20
"""Bytes that one review may have; the longest of the published ones has 14 thousand."""
MOST_WORDS = 10_000_000
"""The highest rank that a word index may name; the published one ends at 88,584."""

MEMBER = re.compile(r"aclImdb/(?P<part>train|test)/(?P<label>neg|pos)/[^/]+\.txt")
"""The names of labelled reviews in the archive; the published one has unlabelled ones, too."""

QUOTED = frozenset({"test_text", "test_text_offsets"})
"""Arrays to quote from, which no training sees."""


class Review(NamedTuple):
    """A review as found: part ``train`` or ``test``, label 0 or 1, text in UTF-8."""

    name: str
    part: str
    label: int
    text: bytes


class ImdbSource(LocatedSource):
    """The Large Movie Review Dataset (Maas et al. 2011).

    The arrays are those of :func:`experiments.data.reviews.arrange`. Text is preferred to Keras'
    tokens because it can be quoted. Both give the same tokens, but for words that Keras' index
    does not have: those that only test reviews use (1.1 % of the test tokens), and 29 rare ones
    in training reviews.
    """

    name: ClassVar[str] = "imdb"
    title: ClassVar[str] = "IMDB film reviews"
    wanted: ClassVar[str] = (
        "aclImdb_v1.tar.gz, the folder aclImdb, or imdb.npz with imdb_word_index.json"
    )
    version: ClassVar[int] = 1
    downloads: ClassVar[Sequence[Sequence[RemoteFile]]] = (
        (
            RemoteFile(
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
                "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
            ),
            RemoteFile(
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
                "md5:bfafd718b763782e994055a2d397834f",
            ),
        ),
        (
            RemoteFile(
                "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                "sha256:c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
            ),
        ),
    )
    published_npz: ClassVar[str] = downloads[0][0].checksum.removeprefix("sha256:")
    published_contents: ClassVar[frozenset[str]] = frozenset(
        {
            "dc7013d0675693ee629a35597489cf4b79adc73c0f364ad0e05f402aec6c5aa7",
            "89aa386d88518238f7aee72574f245a5e2ed1ef692c76b32dc87a0806be68e29",
        }
    )
    """Fingerprints of the 50,000 published reviews, read from text and from Keras' tokens."""

    def find(self, folder: Path) -> Found | Absent:
        """The folder ``aclImdb``, the archive, or Keras' two files."""
        folder = folder.absolute()  # as part of the stamps, paths have to say where they lie
        texts = folder / "aclImdb"
        if texts.is_dir():
            stamps = _stamps_in(texts)
            return Found("the folder aclImdb", stamps, lambda: self._from_folder(texts, stamps))
        archive = folder / "aclImdb_v1.tar.gz"
        if archive.exists():
            return Found(archive.name, [Stamp.of(archive)], lambda: self._from_archive(archive))
        tokens, index = folder / "imdb.npz", folder / "imdb_word_index.json"
        if tokens.exists() and index.exists():
            stamps = [Stamp.of(tokens), Stamp.of(index)]
            form = f"{tokens.name} and {index.name}"
            return Found(form, stamps, lambda: self._from_tokens(tokens, index))
        if tokens.exists():
            return Absent(f"{tokens.name} without {index.name}, which says what its words are")
        if folder.is_dir():
            return Absent("no folder aclImdb, no aclImdb_v1.tar.gz, no imdb.npz")
        return Absent("no such folder")

    def sample(self) -> Found:
        """The reviews that this project composes from its own sentences."""
        stamps = [Stamp.of(path) for path in sample.FILES]
        return Found("reviews composed from our own sentences", stamps, _from_sample)

    def _from_folder(self, folder: Path, stamps: Sequence[Stamp]) -> Contents:
        """The reviews in the four folders of text files."""
        train, test, words = _encode(folder, _in_folder(stamps))
        source = "the folder aclImdb, as unpacked from aclImdb_v1.tar.gz"
        return self._contents(arrange(train, test, words), source)

    def _from_archive(self, path: Path) -> Contents:
        """The reviews in the archive of text files."""
        train, test, words = _encode(path, _in_archive(path))
        return self._contents(arrange(train, test, words), "aclImdb_v1.tar.gz")

    def _from_tokens(self, tokens: Path, index: Path) -> Contents:
        """The reviews in Keras' two files."""
        train, test, words = _read_tokens(tokens, index)
        contents = self._contents(
            arrange(train, test, words),
            f"{tokens.name} and {index.name}, as distributed with Keras",
            published=_sha256(tokens) == self.published_npz,
        )
        dropped = "In this form of the data, test reviews lack words that no training review has."
        return replace(contents, note=f"{contents.note} {dropped}".strip())

    def _contents(self, arrays: dict[str, Array], source: str, published: bool = False) -> Contents:
        """Arranged reviews as the dataset, named as published or not by their fingerprint."""
        contents = Contents(arrays, "published", source, facts=facts_of(arrays), quoted=QUOTED)
        if published or fingerprint(arrays, QUOTED) in self.published_contents:
            return contents
        note = (
            f"The {len(arrays['train_labels']):,} training and {len(arrays['test_labels']):,} "
            "test reviews are not those of the published dataset: their checksum differs."
        )
        return replace(contents, origin="other", source=source.partition(",")[0], note=note)


def _from_sample() -> Contents:
    """The composed reviews."""
    vocabulary = Vocabulary()
    train = vocabulary.encode(sample.reviews("train"), keep_texts=False)
    test = vocabulary.encode(sample.reviews("test"), keep_texts=True)
    arrays = arrange(train, test, vocabulary.words)
    source = "reviews composed from sentences that were written for this program"
    note = (
        f"A sample: {len(train):,} training and {len(test):,} test reviews, put together from a "
        "few hundred sentences. Nobody wrote them about a film, and figures from them say "
        "nothing about the IMDB reviews."
    )
    return Contents(arrays, "sample", source, note, facts_of(arrays), QUOTED)


# ------------------------------------------------------------------------------------------- text


def _stamps_in(folder: Path) -> list[Stamp]:
    """The stamps of all reviews below ``aclImdb``; DataError if one of the four folders lacks."""
    stamps = []
    for part in PARTS:
        for label in LABELS:
            inner = folder / part / label
            try:
                with os.scandir(inner) as entries:
                    for entry in entries:
                        if entry.name.endswith(".txt") and entry.is_file():
                            status = entry.stat()
                            stamps.append(Stamp(entry.path, status.st_size, status.st_mtime_ns))
            except OSError as error:
                reason = error.strerror or str(error)
                raise damaged(
                    folder, f"lacks reviews: expected text files in {part}/{label} ({reason})"
                ) from error
    return sorted(stamps)


def _in_folder(stamps: Sequence[Stamp]) -> Iterator[Review]:
    """The reviews in these files, which lie in ``train|test/neg|pos``."""
    for stamp in stamps:
        path = Path(stamp.path)
        if stamp.size > LARGEST_REVIEW:
            raise damaged(path, f"is too long for a review: {stamp.size:,} bytes")
        try:
            text = path.read_bytes()
        except OSError as error:
            raise unreadable(path, error) from error
        yield Review(stamp.path, path.parts[-3], LABELS[path.parts[-2]], text)


def _in_archive(path: Path) -> Iterator[Review]:
    """The reviews in an archive, read as a stream; members of any other name are passed over."""
    try:
        with gzip.open(path) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as archive:
            for member in archive:
                name = MEMBER.fullmatch(member.name.removeprefix("./"))
                if name is None or not member.isreg():
                    continue
                if not 0 <= member.size <= LARGEST_REVIEW:
                    raise damaged(path, f"has a review {member.name} of {member.size:,} bytes")
                content = archive.extractfile(member)
                assert content is not None  # it is for members that are no files
                yield Review(name.string, name["part"], LABELS[name["label"]], content.read())
            while unzipped.read(1 << 20):
                pass  # the checksum stands at the end
    except DataError:
        raise
    except gzip.BadGzipFile as error:
        found = beginning(path)
        raise damaged(path, f"is no gzipped archive, or damaged: {found} ({error})") from error
    except Exception as error:  # tarfile, gzip and zlib raise half a dozen kinds on damage
        raise unreadable(path, error) from error


def _encode(path: Path, reviews: Iterable[Review]) -> tuple[Part, Part, list[str]]:
    """The training and test reviews with words as ids, and the words; DataError if unusable."""
    found: dict[str, list[Review]] = {part: [] for part in PARTS}
    names: set[str] = set()
    for review in reviews:
        if review.name in names:
            raise damaged(path, f"has two reviews of the name {review.name}")
        names.add(review.name)
        found[review.part].append(review)
    vocabulary = Vocabulary()
    try:
        train, test = (
            vocabulary.encode(
                ((review.text, review.label) for review in found[part]), keep_texts=part == "test"
            )
            for part in PARTS
        )
    except UnicodeDecodeError as error:
        raise damaged(path, f"has a review that is not UTF-8 text: {error}") from error
    for name, part in zip(PARTS, (train, test), strict=True):
        _check(path, name, part)
    return train, test, vocabulary.words


def _check(path: Path, name: str, part: Part) -> None:
    """DataError unless the part has reviews of both labels, and words in each."""
    counts = np.bincount(part.labels, minlength=2)
    if not counts.all() or len(counts) > 2:
        raise damaged(
            path,
            f"should have negative and positive {name} reviews: found {counts[0]:,} negative and "
            f"{counts[1]:,} positive",
        )
    empty = np.flatnonzero(np.diff(part.offsets) == 0)
    if len(empty):
        raise damaged(path, f"has {len(empty):,} {name} reviews without a word")


# ----------------------------------------------------------------------------------- Keras' tokens


def _read_tokens(tokens: Path, index: Path) -> tuple[Part, Part, list[str]]:
    """The training and test reviews of ``imdb.npz``, and the words by the ranks it uses."""
    words = _read_word_index(index)
    known = {rank for rank, word in enumerate(words) if word}
    readers = {"x_train": read_integer_lists, "y_train": read_array}
    readers |= {"x_test": read_integer_lists, "y_test": read_array}
    arrays = read_npz(tokens, readers)
    parts = []
    for name in PARTS:
        (ranks, offsets), labels = arrays[f"x_{name}"], arrays[f"y_{name}"]
        if labels.shape != (len(offsets) - 1,) or not np.isin(labels, (0, 1)).all():
            raise damaged(
                tokens,
                f"does not fit: for {len(offsets) - 1:,} {name} reviews expected as many labels "
                f"0 or 1, found {labels.dtype} of shape {labels.shape}",
            )
        unknown = set(np.unique(ranks).tolist()) - known
        if unknown:
            raise damaged(tokens, f"has a word {min(unknown)} that {index.name} does not know")
        part = Part(ranks.astype(np.int32), offsets, labels.astype(np.uint8))
        _check(tokens, name, part)
        parts.append(part)
    train, test = parts
    return train, test, words


def _read_word_index(path: Path) -> list[str]:
    """The words by rank; "" where no word has that rank."""
    try:
        index = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, f"is no word index (JSON): {beginning(path)} ({error})") from error
    right = isinstance(index, dict) and all(
        type(rank) is int and 0 < rank <= MOST_WORDS for rank in index.values()
    )
    if not right or not index or len(set(index.values())) != len(index):
        raise damaged(path, "is no word index: expected words, each with a rank of its own from 1")
    words = [""] * (max(index.values()) + 1)
    for word, rank in index.items():
        words[rank] = word
    return words


def _sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
