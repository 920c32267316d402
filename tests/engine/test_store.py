"""Trials on disk: whole or not there, and damage is noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from reportgen.engine import store as storage
from reportgen.engine.store import Cost, Entry, Store
from reportgen.errors import RequestError, StoreError
from reportgen.experiment import Checkpoint, TrialResult

KEY = "a1" * 32
RESULT = TrialResult(
    {"loss": [0.5, 1 / 3]}, {"epoch": 2}, {"weights": np.arange(6.0).reshape(2, 3)}
)
SPENT = Cost(2.5, 2.0, 1)
ENTRY = Entry({"seed": 0}, "a trial", Cost(1.5, 1.25, 1), RESULT)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.put("toy", KEY, ENTRY)
    return store


def test_a_kept_trial_comes_back_exactly(store: Store) -> None:
    entry = store.get("toy", KEY)
    assert entry is not None
    assert entry.cost == ENTRY.cost
    assert entry.ingredients == {"seed": 0}
    assert entry.result.history == {"loss": [0.5, 1 / 3]}
    assert entry.result.scalars == {"epoch": 2}
    np.testing.assert_array_equal(entry.result.arrays["weights"], RESULT.arrays["weights"])


def test_an_unknown_trial_is_none(store: Store) -> None:
    assert store.get("toy", "b2" * 32) is None


@pytest.mark.parametrize("name", ["trial.json", "arrays.npz"])
def test_a_changed_byte_is_noticed_and_named(store: Store, name: str) -> None:
    path = store.path("toy", KEY) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=rf"{name} is damaged"):
        store.get("toy", KEY)


@pytest.mark.parametrize("name", ["trial.json", "arrays.npz", "SHA256SUMS"])
def test_a_missing_file_is_noticed(store: Store, name: str) -> None:
    (store.path("toy", KEY) / name).unlink()
    with pytest.raises(StoreError, match="is damaged"):
        store.get("toy", KEY)


def test_a_trial_under_a_wrong_name_is_noticed(store: Store) -> None:
    shutil.copytree(store.path("toy", KEY), store.path("toy", "b2" * 32))
    with pytest.raises(StoreError, match="does not hold the trial"):
        store.get("toy", "b2" * 32)


def test_a_half_written_trial_is_not_there(store: Store) -> None:
    whole = store.path("toy", KEY)
    (whole / "SHA256SUMS").unlink()
    whole.rename(whole.with_name(f".{whole.name}.new"))
    assert store.get("toy", KEY) is None
    store.put("toy", KEY, ENTRY)
    assert store.get("toy", KEY) is not None
    assert [path.name for path in store.folder.iterdir()] == [whole.name]


def test_files_are_whole_when_the_disk_is_asked_to_hold_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, int] = {}

    def fsync(handle: int) -> None:
        status = os.fstat(handle)
        synced[status.st_ino] = status.st_size

    monkeypatch.setattr(os, "fsync", fsync)
    store.put("toy", KEY, ENTRY)
    files = [path.stat() for path in store.path("toy", KEY).iterdir()]
    assert [synced[file.st_ino] for file in files] == [file.st_size for file in files]


def test_checksums_are_those_of_the_standard_tool(store: Store) -> None:
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("this system has no sha256sum")
    path = store.path("toy", KEY)
    subprocess.run([tool, "--check", "SHA256SUMS"], cwd=path, check=True, capture_output=True)


def test_arrays_with_objects_are_refused(tmp_path: Path) -> None:
    result = TrialResult({}, {}, {"weights": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        Store(tmp_path).put("toy", KEY, Entry({}, "", Cost(0, 0, 1), result))


def test_keeping_a_trial_removes_its_checkpoint(store: Store) -> None:
    path = store.checkpoint_path(KEY)
    storage.save_checkpoint(path, Checkpoint(1, {"loss": [0.5]}, {"w": np.ones(2)}), SPENT)
    found = storage.load_checkpoint(path)
    assert found is not None
    loaded, spent = found
    assert (loaded.epoch, loaded.scalars, spent) == (1, {"loss": [0.5]}, SPENT)
    store.put("toy", KEY, ENTRY)
    assert storage.load_checkpoint(path) is None


def test_a_build_that_was_killed_after_a_trial_was_kept_leaves_no_checkpoint(store: Store) -> None:
    path = store.checkpoint_path(KEY)
    storage.save_checkpoint(path, Checkpoint(1, {}, {"w": np.ones(2)}), SPENT)
    (store.path("toy", KEY) / "trial.json").write_text("damaged, so it is trained again")
    with store.lock():
        assert path.exists()
    store.put("toy", KEY, ENTRY)
    storage.save_checkpoint(path, Checkpoint(1, {}, {"w": np.ones(2)}), SPENT)
    with store.lock():
        assert not path.exists()


def test_a_damaged_checkpoint_counts_as_none(tmp_path: Path) -> None:
    storage.save_checkpoint(tmp_path / "one", Checkpoint(1, {}, {"w": np.ones(2)}), SPENT)
    (tmp_path / "one" / "arrays.npz").write_bytes(b"short")
    assert storage.load_checkpoint(tmp_path / "one") is None


def test_a_second_build_into_the_folder_is_told_who_holds_it(store: Store) -> None:
    told = pytest.raises(RequestError, match=r"Another build \(process \d+\)")
    with store.lock(), told, Store(store.folder).lock():
        pass
    with store.lock():
        pass


def test_a_folder_that_cannot_be_written_is_a_wrong_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = pytest.raises(RequestError, match="can't be written")
    with told, Store(tmp_path / "file" / "store").lock():
        pass
