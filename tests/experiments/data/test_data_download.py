"""`reportgen data fetch`: real downloads, from a server on this machine."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.data.download import RemoteFile, UnreachableError
from experiments.data.imdb import ImdbSource
from experiments.data.mnist import MnistSource
from reportgen.errors import DataError
from reportgen.experiment import DataOptions

Options = Callable[..., DataOptions]
CONTENT = b"a dataset " * 20_000


@pytest.fixture
def remote(server, monkeypatch: pytest.MonkeyPatch) -> RemoteFile:
    """The published file, served under its right checksum."""
    server.files["mnist.npz"] = CONTENT
    remote = RemoteFile(server.url + "mnist.npz", f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    monkeypatch.setattr(MnistSource, "downloads", ((remote,),))
    return remote


def test_fetch_puts_the_published_files_into_the_cache(
    tmp_path: Path, options: Options, remote: RemoteFile
) -> None:
    folder = MnistSource().fetch(options())
    assert folder == tmp_path / "cache" / "downloads"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"mnist.npz": CONTENT}


def test_fetch_leaves_a_whole_file_alone_and_replaces_a_damaged_one(
    options: Options, remote: RemoteFile, server
) -> None:
    folder = MnistSource().fetch(options())
    MnistSource().fetch(options())
    assert len(server.asked) == 1
    (folder / "mnist.npz").write_bytes(CONTENT[:100])
    MnistSource().fetch(options())
    assert (folder / "mnist.npz").read_bytes() == CONTENT


def test_a_wrong_checksum_is_told_with_both_and_nothing_is_kept(
    tmp_path: Path, options: Options, remote: RemoteFile, server
) -> None:
    server.files["mnist.npz"] = b"something else"
    with pytest.raises(DataError) as error:
        MnistSource().fetch(options())
    assert remote.checksum.removeprefix("md5:") in str(error.value)
    assert hashlib.md5(b"something else").hexdigest() in str(error.value)
    assert "--data-dir" in str(error.value)
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("missing", "the server answered 404"),
        ("cut short", "mnist.npz was not reached: .*IncompleteRead"),
    ],
)
def test_a_server_that_does_not_give_the_file_is_told_and_nothing_is_kept(
    tmp_path: Path, options: Options, remote: RemoteFile, server, trouble: str, told: str
) -> None:
    if trouble == "missing":
        server.files.clear()
    server.cut_short = trouble == "cut short"
    with pytest.raises(DataError, match=told):
        MnistSource().fetch(options())
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_an_unreachable_server_is_told_with_what_to_do(options: Options) -> None:
    with pytest.raises(DataError, match=r"could not be downloaded.*Connection refused.*--data-dir"):
        MnistSource().fetch(options())


def test_the_second_server_is_asked_when_the_first_cannot_be_reached(
    options: Options, remote: RemoteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    alternatives = (*ImdbSource.downloads[:1], (remote,))
    monkeypatch.setattr(ImdbSource, "downloads", alternatives)
    assert (ImdbSource().fetch(options()) / "mnist.npz").exists()


def test_fetching_into_a_cache_that_cannot_be_written_is_an_error(
    tmp_path: Path, options: Options, remote: RemoteFile
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="can't be written") as error:
        MnistSource().fetch(options(cache=tmp_path / "file"))
    assert not isinstance(error.value, UnreachableError)


def test_a_terminal_shows_how_far_the_download_is_and_a_pipe_does_not(
    tmp_path: Path,
    options: Options,
    remote: RemoteFile,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    MnistSource().fetch(options())
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    MnistSource().fetch(options(cache=tmp_path / "another"))
    shown = capsys.readouterr()
    assert "mnist.npz [##########....................]  33% of 0.2 MB" in shown.err
    assert "100% of 0.2 MB" in shown.err
    assert shown.out == ""
