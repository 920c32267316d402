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


@dataclass(frozen=True)
class Entry:
    """A finished trial as the store keeps it."""

    ingredients: Mapping[str, Json]
    label: str
    cost: Cost
    result: TrialResult


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
        shutil.rmtree(self.checkpoint_path(key), ignore_errors=True)

    def discard(self, experiment: str, key: str) -> None:
        """Remove a trial, such as a damaged one."""
        shutil.rmtree(self.path(experiment, key), ignore_errors=True)

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
            yield


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint kept at ``path``; None if there is none or it is damaged."""
    if not path.exists():
        return None
    try:
        record, arrays = _read(path)
        return Checkpoint(record["epoch"], record["scalars"], arrays)
    except (StoreError, KeyError):
        return None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint at ``path``, in place of an earlier one."""
    _write(path, {"epoch": checkpoint.epoch, "scalars": checkpoint.scalars}, checkpoint.arrays)


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
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    for name, data in files.items():
        with open(new / name, "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
    if path.exists():
        path.rename(old)
    new.rename(path)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The record and the arrays of a folder, verified. Raises StoreError."""
    contents = {}
    try:
        sums = (path / "SHA256SUMS").read_text("utf-8").splitlines()
        expected = {name: digest for digest, name in (line.split("  ") for line in sums)}
        for name in ("trial.json", "arrays.npz"):
            contents[name] = (path / name).read_bytes()
            if hashlib.sha256(contents[name]).hexdigest() != expected[name]:
                raise StoreError(f"{path}/{name} is damaged: its checksum differs.")
        record = json.loads(contents["trial.json"])
        with np.load(io.BytesIO(contents["arrays.npz"]), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{path} is damaged: {error}.") from error
    return record, arrays
