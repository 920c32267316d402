"""IMDB reviews in all their forms, whole, damaged and hostile."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.data import imdb
from experiments.data.imdb import ImdbSource
from experiments.data.prepared import fingerprint
from experiments.data.reviews import text_of, tokenise, words_of
from reportgen.errors import DataError
from reportgen.experiment import DataOptions, Dataset

Options = Callable[..., DataOptions]
Write = Callable[..., Any]
FORMS = ["text_folder", "archive_folder", "token_folder"]


def prepare(folder: Path, options: Options) -> Dataset:
    return ImdbSource().prepare(options("real", folder))


def reviews_in(dataset: Dataset, part: str) -> list[tuple[int, str]]:
    """Label and words of each review, in the dataset's order."""
    tokens, offsets = dataset.array(f"{part}_tokens"), dataset.array(f"{part}_offsets")
    labels = dataset.array(f"{part}_labels")
    return [
        (int(label), " ".join(words_of(dataset, tokens[i:j])))
        for label, i, j in zip(labels, offsets, offsets[1:], strict=False)
    ]


# ----------------------------------------------------------------------------------------- reading


def test_words_are_those_of_keras_tokenizer() -> None:
    assert tokenise("It's GOOD<br /><br />(very, very-good): caf\xe9\x85end!\tYes_no.") == (
        ["it's", "good", "br", "br", "very", "very", "good", "caf\xe9", "end", "yes", "no"]
    )


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_labels_and_words(
    form: str, options: Options, request: pytest.FixtureRequest
) -> None:
    dataset = prepare(request.getfixturevalue(form), options)
    assert sorted(reviews_in(dataset, "train")) == [
        (0, "bad bad bad the film is not fine it is the end"),
        (0, "not a film at all a bad end"),
        (1, "a fine film br br i don't think that the end is bad"),
        (1, "the end the very end of a fine caf\xe9 film"),
    ]
    dtypes = {"tokens": np.int32, "offsets": np.int64, "labels": np.uint8}
    for name, dtype in dtypes.items():
        assert dataset.array(f"test_{name}").dtype == dtype


def test_folder_and_archive_are_the_same_dataset(
    text_folder: Path, archive_folder: Path, options: Options
) -> None:
    assert prepare(text_folder, options).fingerprint == prepare(archive_folder, options).fingerprint


def test_text_and_tokens_differ_only_in_words_that_no_training_review_has(
    text_folder: Path, token_folder: Path, options: Options
) -> None:
    text, tokens = prepare(text_folder, options), prepare(token_folder, options)
    assert reviews_in(text, "train") == reviews_in(tokens, "train")
    known = int(tokens.facts["train_words"])
    for (_, with_all), (_, with_known) in zip(
        reviews_in(text, "test"), reviews_in(tokens, "test"), strict=True
    ):
        assert [word for word in with_all.split() if word not in ("about", "zebra")] == (
            with_known.split()
        )
    assert sorted(words_of(text, range(known + 1, int(text.facts["words"]) + 1))) == [
        "about",
        "zebra",
    ]
    assert "lack words" in tokens.summary.note


def test_text_is_preferred_to_tokens_because_it_can_be_quoted(
    write_tokens: Write, archive_folder: Path, options: Options
) -> None:
    write_tokens(archive_folder)
    assert prepare(archive_folder, options).summary.source == "aclImdb_v1.tar.gz"


@pytest.mark.parametrize("form", FORMS)
def test_ranks_follow_how_often_training_reviews_use_a_word(
    form: str, options: Options, request: pytest.FixtureRequest
) -> None:
    dataset = prepare(request.getfixturevalue(form), options)
    # "the" 5 and "end" 5 in training; "bad" 5, "film" 4, "a" 4, "is" 3, "fine" 3; ties by alphabet
    assert words_of(dataset, range(1, 8)) == ["bad", "end", "the", "a", "film", "fine", "is"]


def test_test_reviews_do_not_decide_ranks(
    text_folder: Path, review_texts: dict[str, str], options: Options
) -> None:
    before = words_of(prepare(text_folder, options), range(1, 20))
    path = text_folder / "aclImdb/test/pos/0_10.txt"
    path.write_text("zebra " * 50 + "very " * 50)
    assert words_of(prepare(text_folder, options), range(1, 20)) == before


@pytest.mark.parametrize("form", FORMS)
def test_test_reviews_that_stand_word_for_word_in_training_are_marked(
    form: str, options: Options, request: pytest.FixtureRequest
) -> None:
    dataset = prepare(request.getfixturevalue(form), options)
    marked = dataset.array("test_in_train")
    repeated = [
        words for (_, words), mark in zip(reviews_in(dataset, "test"), marked, strict=True) if mark
    ]
    assert repeated == ["not a film at all a bad end"]
    assert dataset.facts["test_in_train"] == 1


def test_the_order_of_reviews_tells_nothing(
    write_archive: Write, tmp_path: Path, review_texts: dict[str, str], options: Options
) -> None:
    prints = set()
    for i, names in enumerate((sorted(review_texts), sorted(review_texts, reverse=True))):
        path = tmp_path / str(i) / "aclImdb_v1.tar.gz"
        write_archive(path, {name: review_texts[name].encode() for name in names})
        prints.add(prepare(path.parent, options).fingerprint)
    assert len(prints) == 1


def test_reviews_are_quoted_as_written_where_the_text_is_known(
    archive_folder: Path, options: Options
) -> None:
    dataset = prepare(archive_folder, options)
    quoted = {text_of(dataset, i) for i in range(4)}
    assert "A film about the end. Fine!" in quoted
    words = [words for _, words in reviews_in(dataset, "test")]
    for i in range(4):
        spoken = [word for word in words[i].split() if word != "br"]
        assert tokenise(text_of(dataset, i)) == spoken


def test_reviews_are_decoded_where_only_tokens_are_known(
    token_folder: Path, options: Options
) -> None:
    dataset = prepare(token_folder, options)
    assert "a film the end fine" in {text_of(dataset, i) for i in range(4)}


def test_a_changed_review_in_the_folder_is_noticed(text_folder: Path, options: Options) -> None:
    before = prepare(text_folder, options).fingerprint
    (text_folder / "aclImdb/train/pos/0_9.txt").write_text("A fine, fine film.")
    assert prepare(text_folder, options).fingerprint != before


# ----------------------------------------------------------------------------------------- origin


@pytest.mark.parametrize("form", FORMS)
def test_published_reviews_are_known_by_their_contents(
    form: str, options: Options, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = request.getfixturevalue(form)
    other = prepare(folder, options)
    assert other.summary.origin == "other"
    assert "4 training and 4 test reviews are not those" in other.summary.note
    monkeypatch.setattr(ImdbSource, "published_contents", frozenset({other.fingerprint}))
    again = options("real", folder, cache=folder / "cache")
    assert ImdbSource().prepare(again).summary.origin == "published"


def test_the_published_npz_is_known_by_its_checksum(
    token_folder: Path, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (token_folder / "imdb.npz").read_bytes()
    monkeypatch.setattr(ImdbSource, "published_npz", hashlib.sha256(content).hexdigest())
    assert prepare(token_folder, options).summary.origin == "published"


def test_quoted_text_is_no_part_of_the_fingerprint(archive_folder: Path, options: Options) -> None:
    dataset = prepare(archive_folder, options)
    arrays = {path.stem: np.load(path) for path in dataset.folder.glob("*.npy")}
    del arrays["test_text"], arrays["test_text_offsets"]
    assert fingerprint(arrays) == dataset.fingerprint


# -------------------------------------------------------------------------------- damaged archives


def add(archive: tarfile.TarFile, name: str, content: bytes, **fields: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


def test_members_of_other_names_and_kinds_are_passed_over_and_nothing_is_unpacked(
    tmp_path: Path, review_texts: dict[str, str], archive_folder: Path, options: Options
) -> None:
    expected = prepare(archive_folder, options).fingerprint
    path = tmp_path / "hostile" / "aclImdb_v1.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for name in (
            "../../escaped.txt",
            "/tmp/escaped.txt",
            "aclImdb/train/pos/../../../escaped.txt",
            "aclImdb/train/unsup/0_0.txt",
            "aclImdb/train/pos/0_1.exe",
            "aclImdb/train/posing/0_1.txt",
        ):
            add(archive, name, b"escaped")
        add(archive, "aclImdb/train/pos/9_9.txt", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "aclImdb/train/pos/8_9.txt", b"", type=tarfile.FIFOTYPE)
        for name, text in review_texts.items():
            add(archive, f"./{name}", text.encode())
    before = set(tmp_path.rglob("*"))
    assert prepare(path.parent, options).fingerprint == expected
    new = {path for path in set(tmp_path.rglob("*")) - before if "cache" not in path.parts}
    assert new == set()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"aclImdb/test/neg/0_3.txt": b""}, "1 test reviews without a word"),
        ({"aclImdb/test/neg/0_3.txt": b"caf\xe9"}, "not UTF-8"),
        ({"aclImdb/test/neg/0_3.txt": b"x" * 2000}, r"a review aclImdb/test/neg/0_3.txt of 2,000"),
        (
            {"./aclImdb/train/pos/0_9.txt": b"again", "aclImdb/train/pos/0_9.txt": b"again"},
            "two reviews of the name",
        ),
    ],
    ids=["empty review", "no text", "huge review", "same name spelled twice"],
)
def test_an_archive_with_unusable_reviews_is_refused(
    write_archive: Write,
    archive_folder: Path,
    review_texts: dict[str, str],
    options: Options,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, bytes],
    told: str,
) -> None:
    monkeypatch.setattr(imdb, "LARGEST_REVIEW", 1000)
    members = {name: text.encode() for name, text in review_texts.items()} | changed
    write_archive(archive_folder / "aclImdb_v1.tar.gz", members)
    with pytest.raises(DataError, match=told):
        prepare(archive_folder, options)


def test_an_archive_without_positive_test_reviews_is_refused(
    write_archive: Write, archive_folder: Path, review_texts: dict[str, str], options: Options
) -> None:
    members = {k: v.encode() for k, v in review_texts.items() if "/test/pos/" not in k}
    write_archive(archive_folder / "aclImdb_v1.tar.gz", members)
    with pytest.raises(DataError, match="found 2 negative and 0 positive"):
        prepare(archive_folder, options)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda whole: b"", "is damaged: empty file"),
        (lambda whole: whole[: len(whole) // 2], "is damaged: "),
        (lambda whole: whole[:-9], "is damaged: Compressed file ended"),
        (lambda whole: whole[:-8] + b"\0\0\0\0" + whole[-4:], "CRC check failed"),
        (lambda whole: b"<html>404</html>", "it holds a web page"),
    ],
    ids=["empty", "half", "end missing", "checksum wrong", "web page"],
)
def test_a_damaged_archive_is_refused(
    archive_folder: Path, options: Options, content: Callable[[bytes], bytes], told: str
) -> None:
    path = archive_folder / "aclImdb_v1.tar.gz"
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(DataError, match=rf"aclImdb_v1\.tar\.gz .*{told}"):
        prepare(archive_folder, options)


def test_a_folder_that_lacks_one_of_the_four_folders_is_refused(
    text_folder: Path, options: Options
) -> None:
    for path in (text_folder / "aclImdb/test/neg").iterdir():
        path.unlink()
    (text_folder / "aclImdb/test/neg").rmdir()
    with pytest.raises(DataError, match="aclImdb lacks reviews: expected text files in test/neg"):
        prepare(text_folder, options)


# ---------------------------------------------------------------------------------- damaged tokens


def test_tokens_without_their_words_are_not_enough(
    token_folder: Path, options: Options, heard: list[str]
) -> None:
    (token_folder / "imdb_word_index.json").unlink()
    ImdbSource().prepare(options("auto", token_folder))
    assert "imdb.npz without imdb_word_index.json" in heard[0]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"x_train": np.array([[1, 2]] * 4)}, "an array of lists was expected, not one of int64"),
        ({"x_train": np.array([[1], [2, 3], [], [4]], object)}, "1 train reviews without a word"),
        ({"x_train": np.array([[1], [2, 99], [5], [4]], object)}, "a word 99 that"),
        ({"x_test": np.array([[1], [2, 0], [5], [4]], object)}, "a word 0 that"),
        ({"y_train": np.array([0, 1])}, "for 4 train reviews expected as many labels"),
        ({"y_test": np.array([0, 1, 2, 1])}, "labels 0 or 1"),
        ({"y_test": np.array([1, 1, 1, 1])}, "found 0 negative and 4 positive"),
    ],
    ids=["no lists", "empty", "unknown", "zero", "too few", "third label", "one label"],
)
def test_tokens_that_do_not_fit_are_refused(
    write_tokens: Write, tmp_path: Path, options: Options, changed: dict[str, Any], told: str
) -> None:
    write_tokens(tmp_path / "tokens", **changed)
    with pytest.raises(DataError, match=rf"imdb\.npz .*{told}"):
        prepare(tmp_path / "tokens", options)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1, 2]",
        "{}",
        '{"the": "1"}',
        '{"the": 0}',
        '{"the": 1, "a": 1}',
        '{"a": 99999999}',
    ],
)
def test_a_broken_word_index_is_refused(token_folder: Path, options: Options, content: str) -> None:
    (token_folder / "imdb_word_index.json").write_text(content)
    with pytest.raises(DataError, match=r"imdb_word_index\.json is no word index"):
        prepare(token_folder, options)


def test_a_word_index_may_have_words_that_no_review_has(
    token_folder: Path, options: Options
) -> None:
    before = prepare(token_folder, options).fingerprint
    path = token_folder / "imdb_word_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"aardvark": 1000}))
    assert prepare(token_folder, options).fingerprint == before


# --------------------------------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "tokens"])
def test_the_real_reviews_are_what_is_published_about_them(
    real_data: Path, real_cache: Path, tmp_path: Path, form: str
) -> None:
    folder = real_data
    if form == "tokens":
        folder = tmp_path
        for name in ("imdb.npz", "imdb_word_index.json"):
            (folder / name).symlink_to(real_data / name)
    dataset = ImdbSource().prepare(DataOptions("real", folder, real_cache))
    lengths = np.diff(dataset.array("train_offsets"))
    assert dataset.summary.origin == "published"
    assert dataset.facts["train_positive"] == dataset.facts["test_positive"] == 12_500
    assert dataset.facts["test_in_train"] == 123
    assert round(lengths.mean()) == 238
    assert round(np.minimum(lengths, 500).mean()) == 221
    assert round((lengths > 500).mean(), 3) == 0.084
    assert words_of(dataset, range(1, 6)) == ["the", "and", "a", "of", "to"]
    assert dataset.facts["text"] == (form == "text")
