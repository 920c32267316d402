"""MNIST in all its forms, whole and damaged."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.data import mnist
from experiments.data.mnist import MnistSource
from reportgen.errors import DataError
from reportgen.experiment import Array, DataOptions, Dataset

Options = Callable[..., DataOptions]


def holds(dataset: Dataset, digits: dict[str, Array]) -> bool:
    return all(
        np.array_equal(dataset.array(name), array.reshape(len(array), -1).squeeze())
        for name, array in digits.items()
    )


def test_an_npz_is_read(mnist_folder: Path, digits: dict[str, Array], options: Options) -> None:
    dataset = MnistSource().prepare(options(directory=mnist_folder))
    assert holds(dataset, digits)
    assert dataset.array("x_train").dtype == np.uint8
    assert dataset.facts == {"train_images": 30, "test_images": 20}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("separator", ["-", "."])
def test_the_four_idx_files_are_read_under_all_their_names(
    idx_folder: Path, digits: dict[str, Array], options: Options, separator: str, compressed: bool
) -> None:
    for path in list(idx_folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        name = path.name.replace("-idx", f"{separator}idx") + (".gz" if compressed else "")
        (idx_folder / name).write_bytes(gzip.compress(content) if compressed else content)
    dataset = MnistSource().prepare(options(directory=idx_folder))
    assert holds(dataset, digits)
    assert dataset.summary.source == "the four IDX files"


def test_three_of_the_four_files_are_not_enough_and_the_fourth_is_named(
    idx_folder: Path, options: Options, heard: list[str]
) -> None:
    (idx_folder / "t10k-labels-idx1-ubyte").unlink()
    MnistSource().prepare(options(directory=idx_folder))
    assert "t10k-labels missing beside train-images-idx3-ubyte" in heard[0]


@pytest.mark.parametrize("form", ["mnist_folder", "idx_folder"])
def test_published_digits_are_known_by_the_checksums_of_their_idx_files(
    form: str,
    idx_folder: Path,
    options: Options,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = request.getfixturevalue(form)
    assert MnistSource().prepare(options(directory=folder)).summary.origin == "other"
    names = ("t10k-images", "t10k-labels", "train-images", "train-labels")
    arrays = ("x_test", "y_test", "x_train", "y_train")
    files = sorted(idx_folder.iterdir())
    assert all(path.name.startswith(name) for path, name in zip(files, names, strict=True))
    checksums = {
        array: hashlib.md5(path.read_bytes()).hexdigest()
        for array, path in zip(arrays, files, strict=True)
    }
    monkeypatch.setattr(mnist, "PUBLISHED_MD5", checksums)
    another = options(directory=folder, cache=folder / "cache")
    assert MnistSource().prepare(another).summary.origin == "published"


def test_other_digits_of_the_right_shape_are_named_as_such(
    mnist_folder: Path, options: Options
) -> None:
    summary = MnistSource().prepare(options(directory=mnist_folder)).summary
    assert summary.note == (
        "The 30 training and 20 test images are not those of the published MNIST: "
        "their checksums differ."
    )


# ------------------------------------------------------------------------------------- the sample


def test_the_sample_has_as_many_of_each_digit_and_no_digit_in_both_parts(
    options: Options,
) -> None:
    dataset = MnistSource().prepare(options("sample"))
    assert np.bincount(dataset.array("y_train")).tolist() == [400] * 10
    assert np.bincount(dataset.array("y_test")).tolist() == [100] * 10
    train = {row.tobytes() for row in dataset.array("x_train")}
    assert len(train) == 4000
    assert train.isdisjoint(row.tobytes() for row in dataset.array("x_test"))


def test_the_sample_is_not_sorted_by_digit(options: Options) -> None:
    labels = MnistSource().prepare(options("sample")).array("y_train")
    assert all(len(np.unique(part)) == 10 for part in np.split(labels, 20))


# ------------------------------------------------------------------------------------ damaged files


def change(folder: Path, digits: dict[str, Array], **changed: Any) -> None:
    np.savez(folder / "mnist.npz", **{k: v for k, v in (digits | changed).items() if v is not None})


NPZ_DAMAGE: dict[str, tuple[Callable[[dict[str, Array]], dict[str, Any]], str]] = {
    "array missing": (
        lambda d: {"y_test": None},
        "lacks y_test: expected the arrays x_train, y_train, x_test, y_test, found x_train, ",
    ),
    "wrong type": (
        lambda d: {"x_train": d["x_train"] / 255.0},
        r"expected x_train of uint8 with shape \(n, 28, 28\), found float64 with shape",
    ),
    "wrong shape": (
        lambda d: {"x_test": d["x_test"][:, :14]},
        r"expected x_test of uint8 with shape \(n, 28, 28\), found uint8 .*\(20, 14, 28\)",
    ),
    "no images": (lambda d: {"x_train": d["x_train"][:0]}, r"found uint8 with shape \(0, 28, 28\)"),
    "labels missing": (
        lambda d: {"y_test": d["y_test"][:-1]},
        "found 19 labels for 20 images in the test part",
    ),
    "labels beyond nine": (
        lambda d: {"y_train": d["y_train"] + 1},
        "all digits 0 to 9, has 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    ),
    "pickled": (lambda d: {"y_train": d["y_train"].astype(object)}, "is damaged: Object arrays"),
}


@pytest.mark.parametrize("damage", NPZ_DAMAGE)
def test_an_npz_of_the_wrong_content_is_refused_with_what_was_found(
    mnist_folder: Path, digits: dict[str, Array], options: Options, damage: str
) -> None:
    make, told = NPZ_DAMAGE[damage]
    change(mnist_folder, digits, **make(digits))
    with pytest.raises(DataError, match=rf"mnist\.npz .*{told}.*reportgen data fetch"):
        MnistSource().prepare(options(directory=mnist_folder))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda whole: b"", "it is empty"),
        (lambda whole: whole[: len(whole) // 2], "it was cut short"),
        (lambda whole: b"\n<!DOCTYPE html><title>404</title>", "it holds a web page"),
        (lambda whole: b"x_train = 3", "it begins with b'x_train '"),
        (lambda whole: whole[:5000] + b"????" + whole[5004:], "is damaged: Bad CRC-32"),
    ],
    ids=["empty", "cut short", "web page", "something else", "bytes changed"],
)
def test_a_file_that_is_no_whole_npz_is_refused_with_what_it_is(
    mnist_folder: Path,
    digits: dict[str, Array],
    options: Options,
    content: Callable[[bytes], bytes],
    told: str,
) -> None:
    change(mnist_folder, digits)
    path = mnist_folder / "mnist.npz"
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(DataError, match=rf"mnist\.npz .*{told}"):
        MnistSource().prepare(options(directory=mnist_folder))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda whole: b"", "no IDX file of bytes in 3 dimensions: it is empty"),
        (lambda whole: b"<html>404</html>", "it holds a web page"),
        (lambda whole: b"\0\0\x0d\x03" + whole[4:], "no IDX file of bytes"),
        (lambda whole: whole[:-1], "its head promises 23,520 bytes of data, found 23,519"),
        (lambda whole: whole + b"!", "promises 23,520 bytes of data, found more"),
        (lambda whole: b"\0\0\x08\x03" + b"\xff" * 12, "is damaged: its head promises"),
        (lambda whole: gzip.compress(whole)[:-9], "is damaged: Compressed file ended"),
        (lambda whole: gzip.compress(b"hello"), "its content begins with b'hello'"),
    ],
    ids=[
        "empty",
        "web page",
        "floats",
        "cut short",
        "too long",
        "absurd size",
        "gzip cut short",
        "gzip of something else",
    ],
)
def test_a_damaged_idx_file_is_refused_with_what_was_found(
    idx_folder: Path, options: Options, content: Callable[[bytes], bytes], told: str
) -> None:
    path = idx_folder / "train-images-idx3-ubyte"
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(DataError, match=rf"train-images-idx3-ubyte .*{told}"):
        MnistSource().prepare(options(directory=idx_folder))


# -------------------------------------------------------------------------------------- real data


def test_the_real_digits_are_recognised(real_data: Path, options: Options) -> None:
    dataset = MnistSource().prepare(options("real", real_data))
    assert dataset.summary.origin == "published"
    assert dataset.summary.note == ""
    assert dataset.facts == {"train_images": 60_000, "test_images": 10_000}
