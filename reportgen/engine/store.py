"""Keeps trials on disk: one folder a trial, whole or not there, with a checksum over its files.

A trial's folder ``<experiment>-<key>`` holds ``trial.json`` (what it was, how it went),
``arrays.npz`` (no pickles) and ``SHA256SUMS`` (as ``sha256sum --check`` reads it). It is written
under a temporary name and renamed when whole. ``running/`` holds the checkpoints of trials that
are not finished, in the same form.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.errors import RequestError, StoreError
from reportgen.experiment import Array, Checkpoint, Json, TrialResult

VERSION = 1


@dataclass(frozen=True)
class Cost:
    """What a trial took: ``cpu_seconds`` is processor time of the training process, all threads."""

    wall_seconds: float
    cpu_seconds: float
    threads: int

    def __add__(self, other: Cost) -> Cost:
        """Both together, such as the two parts of an interrupted trial."""
        wall, cpu = self.wall_seconds + other.wall_seconds, self.cpu_seconds + other.cpu_seconds
        return Cost(wall, cpu, max(self.threads, other.threads))


@dataclass(frozen=True)
class Entry:
    """A finished trial as the store keeps it."""

    ingredients: Mapping[str, Json]
    label: str
    cost: Cost
    result: TrialResult


@dataclass(frozen=True)
class Kept:
    """What is known of a kept trial without its result. ``saved`` is a time in nanoseconds."""

    ingredients: Mapping[str, Json]
    label: str
    cost: Cost
    saved: int


class Store:
    """The trials kept in one folder. The folder appears with the first trial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, experiment: str, key: str) -> Path:
        """The folder of a trial."""
        return self.folder / f"{experiment}-{key[:16]}"

    def get(self, experiment: str, key: str) -> Entry | None:
        """The trial with this key, or None if it is not kept. Raises StoreError if damaged."""
        path = self.path(experiment, key)
        if not path.exists():
            return None
        record, arrays = _read(path)
        if record.get("key") != key:
            raise StoreError(f"{path} does not hold the trial that its name says.")
        try:
            result = TrialResult(record["history"], record["scalars"], arrays)
            return Entry(record["ingredients"], record["label"], Cost(**record["cost"]), result)
        except (KeyError, TypeError) as error:
            raise StoreError(f"{path}/trial.json lacks {error}.") from error

    def put(self, experiment: str, key: str, entry: Entry) -> None:
        """Keep a finished trial, in place of what stood there; its checkpoint goes."""
        record = {
            "version": VERSION,
            "key": key,
            "label": entry.label,
            "ingredients": entry.ingredients,
            "cost": asdict(entry.cost),
            "history": entry.result.history,
            "scalars": entry.result.scalars,
        }
        _write(self.path(experiment, key), record, entry.result.arrays)
        self.discard_checkpoint(key)

    def discard(self, experiment: str, key: str) -> None:
        """Remove a trial, such as a damaged one."""
        shutil.rmtree(self.path(experiment, key), ignore_errors=True)

    def kept(self) -> list[Kept]:
        """What is kept, by name; reads no arrays, and passes over what is damaged."""
        found = []
        for path in sorted(self.folder.glob("[!.]*/trial.json")):
            try:
                record = json.loads(_verified(path))
                entry = dict(record["ingredients"]), record["label"], Cost(**record["cost"])
                found.append(Kept(*entry, path.stat().st_mtime_ns))
            except (StoreError, OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def discard_checkpoint(self, key: str) -> None:
        """Remove the checkpoint of a trial, so that it starts from its beginning."""
        shutil.rmtree(self.checkpoint_path(key), ignore_errors=True)

    def checkpoint_path(self, key: str) -> Path:
        """The folder of the checkpoint of a trial that is not finished."""
        return self.folder / "running" / key[:16]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store alone, against other builds. RequestError if another one holds it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = open(self.folder / "lock", "a+")  # noqa: SIM115  (closed below)
        except OSError as error:
            raise RequestError(
                f"The output folder {self.folder.parent} can't be written: {error.strerror}. "
                "Choose another one with --out."
            ) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                handle.seek(0)
                raise RequestError(
                    f"Another build (process {handle.read().strip() or 'unknown'}) is writing to "
                    f"{self.folder.parent}; wait for it, or choose another folder with --out."
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            self._tidy()
            yield

    def _tidy(self) -> None:
        """Bring to its end what a killed build left half done. Only for who holds the lock."""
        running = self.folder / "running"
        for folder in (self.folder, running):
            for leftover in [*folder.glob(".*.new"), *folder.glob(".*.old")]:
                _settle(leftover.with_name(leftover.stem.removeprefix(".")))
        for checkpoint in running.glob("[!.]*"):
            if any(map(_is_whole, self.folder.glob(f"*-{checkpoint.name}"))):
                shutil.rmtree(checkpoint, ignore_errors=True)


def load_checkpoint(path: Path) -> tuple[Checkpoint, Cost] | None:
    """The checkpoint kept at ``path``, and what the trial had taken until then.

    None if there is none or it is damaged. Changes nothing.

    If the process that wrote it was killed between two renames, it stands beside ``path``.
    """
    for place in (path, *_beside(path)):
        try:
            record, arrays = _read(place)
            checkpoint = Checkpoint(record["epoch"], record["scalars"], arrays)
            return checkpoint, Cost(**record["cost"])
        except (StoreError, KeyError, TypeError):
            continue
    return None


def save_checkpoint(path: Path, checkpoint: Checkpoint, cost: Cost) -> None:
    """Keep a checkpoint at ``path``, in place of an earlier one; ``cost`` is that until now."""
    record = {"epoch": checkpoint.epoch, "scalars": checkpoint.scalars, "cost": asdict(cost)}
    _write(path, record, checkpoint.arrays)


# ----------------------------------------------------------------------------- folders of files


def _write(path: Path, record: Mapping[str, Json], arrays: Mapping[str, Array]) -> None:
    """Write a folder that is either whole or not there, even if the power fails."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{name: np.asarray(a) for name, a in arrays.items()})
    files = {
        "trial.json": json.dumps(record, indent=1, allow_nan=False).encode(),
        "arrays.npz": buffer.getvalue(),
    }
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files["SHA256SUMS"] = sums.encode()
    _settle(path)
    new, old = _beside(path)
    new.mkdir(parents=True)
    for name, data in files.items():
        with open(new / name, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    if path.exists():
        path.rename(old)
    new.rename(path)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path) -> tuple[Path, Path]:
    """The temporary names of what takes a folder's place, and of what stood there."""
    return path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")


def _settle(path: Path) -> None:
    """End a write that was cut off: the newest whole folder comes to stand at ``path``.

    What is left over goes. A kill between the two renames of a write loses nothing that way.
    """
    for leftover in _beside(path):
        if not path.exists() and _is_whole(leftover):
            leftover.rename(path)
        shutil.rmtree(leftover, ignore_errors=True)


def _is_whole(path: Path) -> bool:
    try:
        _read(path)
    except StoreError:
        return False
    return True


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Arrays(Mapping[str, Array]):
    """The arrays of a verified archive, each read when it is first asked for.

    A build from which nothing changed asks for none, and has many archives.
    """

    def __init__(self, archive: bytes) -> None:
        self._archive = np.load(io.BytesIO(archive), allow_pickle=False)
        self._read: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._read:
            self._read[name] = self._archive[name]
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._archive.files)

    def __len__(self) -> int:
        return len(self._archive.files)


def _read(path: Path) -> tuple[dict[str, Any], Mapping[str, Array]]:
    """The record and the arrays of a folder, verified. Raises StoreError."""
    try:
        record = json.loads(_verified(path / "trial.json"))
        return record, _Arrays(_verified(path / "arrays.npz"))
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error


def _verified(file: Path) -> bytes:
    """The contents of a file, after a look at the checksum that stands beside it."""
    sums = (file.parent / "SHA256SUMS").read_text("utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split("  ") for line in sums)}
    contents = file.read_bytes()
    if hashlib.sha256(contents).hexdigest() != expected[file.name]:
        raise StoreError(f"{file} is damaged: its checksum differs.")
    return contents
