"""Where data are looked for, what is said about it, and what is kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.data.download import RemoteFile
from experiments.data.imdb import ImdbSource
from experiments.data.mnist import MnistSource
from reportgen.errors import DataError
from reportgen.experiment import Array, DataOptions

Options = Callable[..., DataOptions]


def put(folder: Path, digits: dict[str, Array], brightness: int) -> None:
    """An ``mnist.npz`` that can be told from others by its first pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    images = digits["x_train"].copy()
    images[0, 0, 0] = brightness
    np.savez(folder / "mnist.npz", **(digits | {"x_train": images}))


def test_your_folder_comes_before_keras_cache_and_that_before_ours(
    tmp_path: Path, digits: dict[str, Array], options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "mine", tmp_path / "keras" / "datasets", tmp_path / "cache" / "downloads"]
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for brightness, folder in enumerate(folders):
        put(folder, digits, brightness)
    for brightness, folder in enumerate(folders):
        dataset = MnistSource().prepare(options(directory=folders[0]))
        assert dataset.array("x_train")[0, 0] == brightness
        (folder / "mnist.npz").unlink()


def test_keras_cache_is_in_the_home_folder_unless_keras_home_is_set(
    tmp_path: Path, digits: dict[str, Array], options: Options
) -> None:
    put(tmp_path / "home" / ".keras" / "datasets", digits, 7)
    assert MnistSource().prepare(options("real")).array("x_train")[0, 0] == 7


def test_sample_mode_takes_the_sample_whatever_else_there_is(
    mnist_folder: Path, options: Options
) -> None:
    dataset = MnistSource().prepare(options("sample", mnist_folder))
    assert dataset.summary.origin == "sample"


def test_a_folder_without_the_dataset_is_named_and_the_search_goes_on(
    tmp_path: Path, digits: dict[str, Array], options: Options, heard: list[str]
) -> None:
    put(tmp_path / "home" / ".keras" / "datasets", digits, 7)
    (tmp_path / "mine").mkdir()
    dataset = MnistSource().prepare(options(directory=tmp_path / "mine"))
    assert dataset.array("x_train")[0, 0] == 7
    assert heard[0] == (
        f"No MNIST handwritten digits in your data folder {tmp_path / 'mine'}: "
        "no mnist.npz, no IDX files. Looking elsewhere."
    )


@pytest.mark.parametrize("mode", ["auto", "real"])
def test_a_data_folder_that_does_not_exist_is_an_error(
    tmp_path: Path, options: Options, mode: str
) -> None:
    with pytest.raises(DataError, match=r"does not exist.*--data-dir"):
        MnistSource().prepare(options(mode, tmp_path / "nowhere"))


def test_a_file_in_place_of_a_data_folder_is_an_error(mnist_folder: Path, options: Options) -> None:
    with pytest.raises(DataError, match="is a file, not a folder"):
        MnistSource().prepare(options(directory=mnist_folder / "mnist.npz"))


@pytest.mark.parametrize("mode", ["auto", "real"])
def test_a_damaged_file_is_never_passed_over(
    mnist_folder: Path, options: Options, mode: str
) -> None:
    (mnist_folder / "mnist.npz").write_bytes(b"")
    with pytest.raises(DataError, match="it is empty"):
        MnistSource().prepare(options(mode, mnist_folder))


# ------------------------------------------------------------------------------------- no network


def test_offline_the_sample_is_used_and_said_so(options: Options, heard: list[str]) -> None:
    dataset = MnistSource().prepare(options())
    assert dataset.summary.origin == "sample"
    assert any("was not reached" in told and "sample is used" in told for told in heard)


def test_offline_real_mode_says_where_it_looked_and_what_to_do(
    tmp_path: Path, options: Options
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError) as error:
        MnistSource().prepare(options("real", tmp_path / "mine"))
    message = str(error.value)
    assert error.value.exit_code == 2
    for named in (tmp_path / "mine", tmp_path / "home/.keras/datasets", tmp_path / "cache"):
        assert str(named) in message
    assert "127.0.0.1:9/mnist.npz was not reached: Connection refused" in message
    assert "`reportgen data fetch`" in message
    assert "--data-dir" in message


def test_a_failed_download_is_tried_again_only_after_an_hour(
    tmp_path: Path, options: Options, heard: list[str]
) -> None:
    def tries() -> int:
        heard.clear()
        MnistSource().prepare(options())
        return sum("Downloading" in told for told in heard)

    assert tries() == 1
    assert tries() == 0
    assert any("not tried again within the hour" in told for told in heard)
    mark = tmp_path / "cache" / "downloads" / ".mnist-unreachable"
    an_hour_ago = mark.stat().st_mtime - 3601
    os.utime(mark, (an_hour_ago, an_hour_ago))
    assert tries() == 1


def test_status_lists_the_places_in_order_and_what_is_there(
    tmp_path: Path, mnist_folder: Path, idx_folder: Path, options: Options
) -> None:
    shutil.copytree(idx_folder, tmp_path / "cache" / "downloads")
    places = MnistSource().status(options(directory=mnist_folder))
    assert [(place.place.split(" /")[0], place.found) for place in places] == [
        ("your data folder", True),
        ("Keras' cache", False),
        ("reportgen's cache", True),
        ("download from 127.0.0.1:9", False),
        ("embedded sample", True),
    ]
    assert [place.detail for place in places[:3]] == [
        "mnist.npz",
        "no such folder",
        "the four IDX files",
    ]


# --------------------------------------------------------------------------------- prepared arrays


def test_unchanged_files_are_prepared_once(
    mnist_folder: Path, options: Options, heard: list[str]
) -> None:
    first = MnistSource().prepare(options(directory=mnist_folder))
    assert [told for told in heard if told.startswith("Preparing")]
    heard.clear()
    assert MnistSource().prepare(options(directory=mnist_folder)) == first
    assert heard == []


def test_a_changed_file_is_prepared_again(
    mnist_folder: Path, digits: dict[str, Array], options: Options
) -> None:
    first = MnistSource().prepare(options(directory=mnist_folder))
    put(mnist_folder, digits, 255 - int(digits["x_train"][0, 0, 0]))
    second = MnistSource().prepare(options(directory=mnist_folder))
    assert second.fingerprint != first.fingerprint
    assert first.array("x_train")[0, 0] != second.array("x_train")[0, 0]


def test_the_fingerprint_is_that_of_the_contents_not_of_the_file(
    mnist_folder: Path, idx_folder: Path, options: Options
) -> None:
    prints = {
        MnistSource().prepare(options(directory=f)).fingerprint for f in (mnist_folder, idx_folder)
    }
    assert len(prints) == 1


@pytest.mark.parametrize("damage", ["cut short", "array missing", "description broken"])
def test_a_damaged_prepared_folder_is_made_again(
    mnist_folder: Path, options: Options, damage: str
) -> None:
    first = MnistSource().prepare(options(directory=mnist_folder))
    whole = np.array(first.array("x_test"))
    if damage == "cut short":
        os.truncate(first.folder / "x_test.npy", 200)
    elif damage == "array missing":
        (first.folder / "x_test.npy").unlink()
    else:
        (first.folder / "dataset.json").write_text("{")
    second = MnistSource().prepare(options(directory=mnist_folder))
    assert np.array_equal(second.array("x_test"), whole)
    assert [path.name for path in first.folder.parent.iterdir()] == [first.folder.name]


def test_a_cache_that_cannot_be_written_is_replaced_for_this_run_and_said_so(
    tmp_path: Path, mnist_folder: Path, options: Options, heard: list[str]
) -> None:
    (tmp_path / "file").touch()
    dataset = MnistSource().prepare(options(directory=mnist_folder, cache=tmp_path / "file"))
    assert dataset.array("x_test").shape == (20, 784)
    assert any("can't be written" in told and "only for this run" in told for told in heard)


def test_no_place_of_this_machine_is_named_in_what_the_report_gets(
    tmp_path: Path, mnist_folder: Path, options: Options
) -> None:
    dataset = MnistSource().prepare(options(directory=mnist_folder))
    told = [dataset.summary.source, dataset.summary.note, json.dumps(dict(dataset.facts))]
    assert not any(str(tmp_path) in text for text in told)


def test_an_unchanged_build_loads_nothing_that_takes_long(
    tmp_path: Path, mnist_folder: Path, write_tokens: Callable[[Path], Path], options: Options
) -> None:
    write_tokens(mnist_folder)
    for source in (MnistSource(), ImdbSource()):
        source.prepare(options("real", mnist_folder))
    cache = tmp_path / "cache"
    program = (
        "import sys; from pathlib import Path\n"
        "from reportgen.experiment import DataOptions\n"
        "from experiments.data.imdb import ImdbSource\n"
        "from experiments.data.mnist import MnistSource\n"
        f"options = DataOptions('real', Path({str(mnist_folder)!r}), Path({str(cache)!r}), print)\n"
        "for source in (MnistSource(), ImdbSource()): source.prepare(options)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    slow = {"pooch", "requests", "rich", "mlxtend", "pandas", "scipy", "sklearn", "tensorflow"}
    assert slow.isdisjoint(answer.stdout.split())
    assert "Preparing" not in answer.stdout


# --------------------------------------------------------------------------------------- downloads


def test_what_is_nowhere_else_is_downloaded(
    mnist_folder: Path, options: Options, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (mnist_folder / "mnist.npz").read_bytes()
    server.files["mnist.npz"] = content
    remote = RemoteFile(server.url + "mnist.npz", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(MnistSource, "downloads", ((remote,),))
    assert MnistSource().prepare(options("real")).array("x_test").shape == (20, 784)
    MnistSource().prepare(options("real"))
    assert server.asked == ["mnist.npz"]


def test_what_is_downloaded_is_used_even_where_the_cache_cannot_be_written(
    tmp_path: Path,
    mnist_folder: Path,
    options: Options,
    heard: list[str],
    server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = (mnist_folder / "mnist.npz").read_bytes()
    server.files["mnist.npz"] = content
    remote = RemoteFile(server.url + "mnist.npz", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(MnistSource, "downloads", ((remote,),))
    (tmp_path / "file").touch()
    dataset = MnistSource().prepare(options(cache=tmp_path / "file"))
    assert dataset.array("x_test").shape == (20, 784)
    assert any("downloads are kept only for this run" in told for told in heard)


def test_a_download_with_a_wrong_checksum_stops_even_where_a_sample_would_do(
    options: Options, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["mnist.npz"] = b"<html>Please log in to this network</html>"
    remote = RemoteFile(server.url + "mnist.npz", "sha256:" + "0" * 64)
    monkeypatch.setattr(MnistSource, "downloads", ((remote,),))
    with pytest.raises(DataError, match=r"did not give the published file.*expected.*got"):
        MnistSource().prepare(options())
