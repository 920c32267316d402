"""Arrays from files that nobody vouches for: read, but never run."""

from __future__ import annotations

import itertools
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.data.npz import read_array, read_integer_lists, read_npz
from reportgen.errors import DataError


def ragged(*lists: Any) -> np.ndarray:
    array = np.empty(len(lists), object)
    array[:] = lists
    return array


def save(path: Path, content: Any, protocol: int = 4) -> Path:
    """An ``.npz`` whose only array has this content as its pickle."""
    header = np.lib.format.header_data_from_array_1_0(ragged([1]))
    pickled = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
    with zipfile.ZipFile(path, "w") as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, header)
        member.write(pickled)
    return path


def read_back(path: Path) -> list[list[int]]:
    flat, offsets = read_npz(path, {"x": read_integer_lists})["x"]
    return [flat[i:j].tolist() for i, j in itertools.pairwise(offsets)]


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_lists_of_integers_are_read(tmp_path: Path, protocol: int) -> None:
    lists = ragged([1, 2, 70_000], [], [2**40])
    assert read_back(save(tmp_path / "x.npz", lists, protocol)) == list(lists)


def test_what_numpy_itself_saved_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=ragged([3, 1], [2]))
    assert read_back(tmp_path / "x.npz") == [[3, 1], [2]]


def test_what_numpy_1_wrote_is_read(tmp_path: Path) -> None:
    pickled = pickle.dumps(ragged([3, 1], [2]), protocol=2)
    old = pickled.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in old
    assert read_back(save(tmp_path / "x.npz", old)) == [[3, 1], [2]]


@pytest.mark.parametrize("dtype", ["int64", "uint8", ">i4"])
def test_arrays_and_scalars_of_integers_count_as_lists_of_integers(
    tmp_path: Path, dtype: str
) -> None:
    numbers = np.array([3, 1, 200], dtype)
    mixed = ragged(numbers, [numbers[2], 5])
    assert read_back(save(tmp_path / "x.npz", mixed)) == [[3, 1, 200], [200, 5]]


class Touch:
    """Unpickled in the ordinary way, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_malicious_pickle_is_refused_and_nothing_is_executed(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    path = save(tmp_path / "x.npz", ragged([1], Touch(trap)))
    with pytest.raises(DataError, match=r"it asks for pathlib\.Path"):
        read_npz(path, {"x": read_integer_lists})
    assert not trap.exists()
    pickle.loads(pickle.dumps(Touch(trap)))
    assert trap.exists()  # the trap would have worked


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy._core.multiarray", "_reconstruct.__globals__"),
    ],
)
def test_no_other_name_can_be_asked_for(tmp_path: Path, module: str, name: str) -> None:
    asks = pickle.PROTO + b"\x04"
    for text in (module, name):
        asks += pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode()
    asks += pickle.STACK_GLOBAL + pickle.STOP
    with pytest.raises(DataError, match="it asks for"):
        read_back(save(tmp_path / "x.npz", asks))


def test_bytes_that_pretend_to_be_object_pointers_are_refused(tmp_path: Path) -> None:
    """With NumPy's own dtype this array would be read from address 0x4141414141414141."""
    pickled = pickle.dumps(np.array([0x4141414141414141]), protocol=2)
    forged = pickled.replace(b"i8", b"O8")
    assert forged != pickled
    with pytest.raises(DataError, match="does not hold lists"):
        read_back(save(tmp_path / "x.npz", forged))


@pytest.mark.parametrize(
    "content",
    [
        ragged(["the", "film"]),
        ragged([1.5]),
        ragged("text"),
        ragged(None),
        ragged(np.array([0.5])),
        ragged([2**70]),
        {"x": [1]},
        b"not a pickle",
        b"",
    ],
    ids=["words", "fractions", "text", "nothing", "array", "huge", "dict", "no pickle", "empty"],
)
def test_anything_but_lists_of_integers_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(DataError, match=r"x\.npz is damaged: "):
        read_back(save(tmp_path / "x.npz", content))


def test_an_array_that_should_be_plain_is_never_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "executed"
    path = save(tmp_path / "x.npz", ragged(Touch(trap)))
    with pytest.raises(DataError, match="allow_pickle=False"):
        read_npz(path, {"x": read_array})
    assert not trap.exists()


def test_an_archive_that_would_unpack_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.data.npz.LARGEST_MEMBER", 1000)
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(2000, np.uint8))
    with pytest.raises(DataError, match="more than the 1,000 that are accepted"):
        read_npz(tmp_path / "x.npz", {"x": read_array})
