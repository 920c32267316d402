"""Reads arrays from an ``.npz`` file that nobody vouches for, and runs nothing that it holds."""

from __future__ import annotations

import pickle
import zipfile
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from experiments.data.damage import beginning, damaged, unreadable
from reportgen.errors import DataError
from reportgen.experiment import Array

LARGEST_MEMBER = 1 << 30
"""Bytes that one unpacked array may have; the largest of the published files has 47 million."""

Reader = Callable[[IO[bytes]], Any]


def read_npz(path: Path, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The named arrays of the file, each as its reader returns it.

    Raises:
        DataError: if the file is no zip archive, is cut short, lacks an array, or a reader fails.
    """
    check_archive(path)
    arrays: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            held = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [name for name in readers if name not in held]
            if missing:
                found = ", ".join(held) or "none"
                raise damaged(
                    path,
                    f"lacks {', '.join(missing)}: expected the arrays {', '.join(readers)}, "
                    f"found {found}",
                )
            for name, reader in readers.items():
                if held[name].file_size > LARGEST_MEMBER:
                    raise damaged(
                        path,
                        f"has an array {name} of {held[name].file_size:,} bytes when unpacked, "
                        f"more than the {LARGEST_MEMBER:,} that are accepted",
                    )
                with archive.open(held[name]) as member:
                    arrays[name] = reader(member)
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib, NumPy and pickle raise a dozen kinds on damage
        raise unreadable(path, error) from error
    return arrays


def check_archive(path: Path) -> None:
    """Say what a file is that calls itself ``.npz`` but is no zip archive; DataError."""
    if not zipfile.is_zipfile(path):
        found = beginning(path)
        if "PK" in found:
            found = "its end is missing, so it was cut short"
        raise damaged(path, f"is no .npz file (a zip archive): {found}")


def read_array(member: IO[bytes]) -> Array:
    """The array of an ``.npy`` member; one that needs unpickling is refused with ValueError."""
    result: Array = np.lib.format.read_array(member, allow_pickle=False)
    return result


def read_integer_lists(member: IO[bytes]) -> tuple[Array, Array]:
    """The lists of integers in a pickled object array, such as Keras' ``imdb.npz`` has.

    Returns:
        All integers one after the other, int64, and the offsets at which the lists begin and end,
        int64 of shape (lists + 1,).

    Raises:
        pickle.UnpicklingError: if the pickle asks for anything but arrays, lists and integers.
        ValueError, TypeError: if the array is not one of lists of integers.
    """
    _skip_header(member)
    lists = _IntegersUnpickler(member).load()
    if isinstance(lists, _PickledArray):
        lists = lists.content
    if not isinstance(lists, list):
        raise ValueError("the array does not hold lists")
    flat, lengths = array("q"), np.zeros(len(lists), np.int64)
    for i, integers in enumerate(lists):
        if isinstance(integers, _PickledArray):
            integers = integers.integers()
        if not isinstance(integers, list):
            raise ValueError(f"entry {i} is not a list of integers")
        flat.fromlist(integers)
        lengths[i] = len(integers)
    return np.frombuffer(flat, np.int64), np.concatenate([[0], np.cumsum(lengths)])


def _skip_header(member: IO[bytes]) -> None:
    """Read past the ``.npy`` header and check that it announces an object array."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        _, _, dtype = np.lib.format.read_array_header_1_0(member)
    else:
        _, _, dtype = np.lib.format.read_array_header_2_0(member)
    if not dtype.hasobject:
        raise ValueError(f"an array of lists was expected, not one of {dtype}")


# ------------------------------------------------------------------------ restricted unpickling
#
# NumPy's own classes are not safe to hand to a pickle: `dtype.__setstate__` lets it declare raw
# bytes to be object pointers. So the names that an array's pickle uses lead to stand-ins, which
# only remember what they were told, and a pickle can build nothing else beside lists and numbers.


class _PickledDtype:
    """What a pickle says of a dtype."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = code
        self.order: object = "|"

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = state[1]

    def integers(self, content: object) -> list[int]:
        """The integers that the bytes hold; ValueError if this is no dtype of integers."""
        code, order = self.code, self.order
        if (
            not isinstance(code, str)
            or code not in _INTEGER_CODES
            or order not in ("|", "<", ">", "=")
            or not isinstance(content, bytes)
        ):
            raise ValueError(f"an array of {str(code)[:20]} is not one of integers")
        result: list[int] = np.frombuffer(content, np.dtype(f"{order}{code}")).tolist()
        return result


_INTEGER_CODES = frozenset({f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)})


class _PickledArray:
    """What a pickle says of an array."""

    content: object = None
    dtype: object = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _version, _shape, self.dtype, _fortran, self.content = state

    def integers(self) -> list[int]:
        """The array's integers; ValueError if it holds anything else."""
        if not isinstance(self.dtype, _PickledDtype):
            raise ValueError("an array without a dtype")
        return self.dtype.integers(self.content)


def _reconstruct(*_: object) -> _PickledArray:
    """In place of NumPy's function of this name: an array yet to be filled."""
    return _PickledArray()


def _scalar(dtype: object, content: object) -> int:
    """In place of NumPy's function of this name: one integer."""
    if not isinstance(dtype, _PickledDtype):
        raise ValueError("a scalar without a dtype")
    (value,) = dtype.integers(content)
    return value


def _encode(text: object, encoding: object) -> bytes:
    """In place of ``codecs.encode``, with which old pickles spell bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("text in place of bytes")
    return text.encode("latin-1")


_STAND_INS: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): _PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    # NumPy 1 wrote the first spelling, NumPy 2 writes the second.
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
}


class _IntegersUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name of NumPy's; UnpicklingError for any other name."""
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, and may only hold arrays, lists and integers"
            ) from None
