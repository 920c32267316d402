"""Keeps datasets as plain arrays on disk, and finds them again without reading their sources."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reportgen.errors import DataError
from reportgen.experiment import Array, DataOptions, Dataset, Json
from reportgen.results import DataSummary

FORMAT_VERSION = 1
"""Part of every key: a change of the layout below, or of how arrays are made, raises it."""

DESCRIPTION = "dataset.json"


@dataclass(frozen=True)
class Contents:
    """What was read from a dataset's files.

    ``origin``, ``source`` and ``note`` are those of :class:`~reportgen.results.DataSummary`.
    ``quoted`` names arrays that a report may quote but no training sees: the fingerprint leaves
    them out.
    """

    arrays: Mapping[str, Array]
    origin: str
    source: str
    note: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)
    quoted: frozenset[str] = frozenset()


class Stamp(NamedTuple):
    """By what a file is recognised as unchanged: its path, size in bytes, time of change in ns."""

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of a file that exists; DataError if it can't be looked at."""
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
        return cls(str(path.absolute()), status.st_size, status.st_mtime_ns)


def fingerprint(arrays: Mapping[str, Array], quoted: Iterable[str] = ()) -> str:
    """The SHA-256 over names, dtypes, shapes and bytes of the arrays, but for those ``quoted``."""
    digest = hashlib.sha256()
    for name in sorted(set(arrays) - set(quoted)):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def folder_for(dataset: str, version: int, stamps: Iterable[Stamp], options: DataOptions) -> Path:
    """Where the arrays that were made from files with these stamps lie, if they were kept."""
    lines = [f"{stamp.path}\0{stamp.size}\0{stamp.changed}\n" for stamp in stamps]
    key = hashlib.sha256(f"{FORMAT_VERSION} {version}\n{''.join(lines)}".encode()).hexdigest()
    return options.cache / "prepared" / f"{dataset}-{key[:16]}"


def load(folder: Path) -> Dataset | None:
    """The dataset in ``folder``; None if there is none, or it is not whole.

    Whole means that the description can be read and each array has the size written down there.
    That is cheap and enough: a folder gets its name only when all is written, so what can damage
    it is a crash before the disk had everything, a full disk or a deletion, which change sizes.
    """
    try:
        with (folder / DESCRIPTION).open(encoding="utf-8") as file:
            description = json.load(file)
        sizes = {name: (folder / name).stat().st_size for name in description["sizes"]}
        if sizes != description["sizes"]:
            return None
        return Dataset(DataSummary(**description["summary"]), folder, description["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(name: str, title: str, contents: Contents, folder: Path, options: DataOptions) -> Dataset:
    """Write the arrays and their description to ``folder``, or to a temporary one if it can't be.

    Raises:
        DataError: if the temporary folder can't be written either.
    """
    summary = DataSummary(
        name=name,
        title=title,
        origin=contents.origin,
        source=contents.source,
        fingerprint=fingerprint(contents.arrays, contents.quoted),
        note=contents.note,
    )
    try:
        return _write(contents, summary, folder)
    except OSError as error:
        options.notify(
            f"The cache {options.cache} can't be written ({error.strerror or error}): "
            "the prepared data are kept only for this run."
        )
    try:
        return _write(contents, summary, temporary_folder() / folder.name)
    except OSError as error:
        raise DataError(
            f"No room to prepare {title}: neither {options.cache} nor the temporary folder "
            f"{tempfile.gettempdir()} can be written ({error.strerror or error})."
        ) from error


def temporary_folder() -> Path:
    """A new folder that goes away with this process."""
    folder = Path(tempfile.mkdtemp(prefix="reportgen-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _write(contents: Contents, summary: DataSummary, folder: Path) -> Dataset:
    """Write under a temporary name beside ``folder`` and rename when whole; OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        sizes = {}
        for name, array in contents.arrays.items():
            path = unfinished / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            sizes[path.name] = path.stat().st_size
        description = {
            "sizes": sizes,
            "summary": asdict(summary),
            "facts": dict(contents.facts),
        }
        text = json.dumps(description, indent=2, allow_nan=False)
        (unfinished / DESCRIPTION).write_text(text, encoding="utf-8")
        unfinished.chmod(0o755)  # mkdtemp's folders are for their owner alone
        _rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Dataset(summary, folder, contents.facts)


def _rename(unfinished: Path, folder: Path) -> None:
    """Give the folder its name; what stands there already is kept if another run wrote it."""
    if folder.exists() and load(folder) is None:
        shutil.rmtree(folder)
    try:
        os.rename(unfinished, folder)
    except OSError:
        if load(folder) is None:
            raise
