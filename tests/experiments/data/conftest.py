"""Tiny datasets in every form, a place apart from the developer's own files, a local server."""

from __future__ import annotations

import http.server
import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.data.download import RemoteFile
from experiments.data.imdb import ImdbSource
from experiments.data.mnist import MnistSource
from reportgen.experiment import Array, DataOptions

CLOSED = "http://127.0.0.1:9/"
"""Nothing listens on the discard port of this machine."""


@pytest.fixture(autouse=True)
def away_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's own datasets, or leaves the machine."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for source in (MnistSource, ImdbSource):
        files = tuple(
            tuple(RemoteFile(CLOSED + file.name, file.checksum) for file in files)
            for files in source.downloads
        )
        monkeypatch.setattr(source, "downloads", files)


class Heard(list[str]):
    """The sentences that were told to the user."""

    def about(self, words: str) -> list[str]:
        return [sentence for sentence in self if words in sentence]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def options(tmp_path: Path, heard: Heard) -> Callable[..., DataOptions]:
    """Options with a cache of this test's own: ``options(mode="real", directory=...)``."""

    def make(mode: str = "auto", directory: Path | None = None, **more: Any) -> DataOptions:
        return DataOptions(mode, directory, more.get("cache", tmp_path / "cache"), heard.append)

    return make


# ------------------------------------------------------------------------------------------ MNIST


@pytest.fixture
def digits() -> dict[str, Array]:
    """Thirty training and twenty test images, each digit among them."""
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (30, 28, 28), np.uint8),
        "y_train": np.arange(30, dtype=np.uint8) % 10,
        "x_test": generator.integers(0, 256, (20, 28, 28), np.uint8),
        "y_test": np.arange(20, dtype=np.uint8) % 10,
    }


def idx_bytes(array: Array) -> bytes:
    """An array as the four original files have it."""
    head = b"\0\0\x08" + bytes([array.ndim])
    return head + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@pytest.fixture
def mnist_folder(tmp_path: Path, digits: dict[str, Array]) -> Path:
    """A folder with ``mnist.npz``."""
    folder = tmp_path / "digits"
    folder.mkdir()
    np.savez_compressed(folder / "mnist.npz", **digits)
    return folder


@pytest.fixture
def idx_folder(tmp_path: Path, digits: dict[str, Array]) -> Path:
    """A folder with the four IDX files, not gzipped."""
    folder = tmp_path / "idx"
    folder.mkdir()
    for name, stem in (("train", "train"), ("test", "t10k")):
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(digits[f"x_{name}"]))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(digits[f"y_{name}"]))
    return folder


# ------------------------------------------------------------------------------------------- IMDB

TEXTS = {
    "aclImdb/train/pos/0_9.txt": "A fine film.<br /><br />I don't think that the end is bad.",
    "aclImdb/train/pos/1_8.txt": "The end! The very end (of a fine café film).",
    "aclImdb/train/neg/0_2.txt": "Bad, bad, BAD: the film is not fine\x85it is the end.",
    "aclImdb/train/neg/1_1.txt": "Not a film at all; a bad end.",
    "aclImdb/test/pos/0_10.txt": "A film about the end.<br />Fine!",
    "aclImdb/test/pos/1_7.txt": "The very end of a fine zebra.",
    "aclImdb/test/neg/0_3.txt": "not a film, at all: a BAD end",
    "aclImdb/test/neg/1_4.txt": "It is bad.",
}


@pytest.fixture
def review_texts() -> dict[str, str]:
    """Eight reviews by their names in the archive; one test review repeats a training review."""
    return dict(TEXTS)


@pytest.fixture
def text_folder(tmp_path: Path, review_texts: dict[str, str]) -> Path:
    """A folder that holds ``aclImdb``."""
    for name, text in review_texts.items():
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path / "texts"


@pytest.fixture
def write_archive() -> Callable[[Path, dict[str, bytes]], None]:
    """Write an archive of regular files, in the given order."""
    return _write_archive


def _write_archive(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def archive_folder(tmp_path: Path, review_texts: dict[str, str]) -> Path:
    """A folder that holds ``aclImdb_v1.tar.gz``."""
    members = {name: text.encode() for name, text in review_texts.items()}
    _write_archive(tmp_path / "archive" / "aclImdb_v1.tar.gz", members)
    return tmp_path / "archive"


@pytest.fixture
def write_tokens() -> Callable[..., Path]:
    """Write Keras' two files into a folder, some arrays changed."""
    return _write_tokens


def _write_tokens(folder: Path, **changed: Any) -> Path:
    """``imdb.npz`` and its word index, as Keras would have made them of :data:`TEXTS`."""
    words = "the a end film bad fine is not br very of at all it i don't think that café"
    index = {word: rank for rank, word in enumerate(words.split(), 1)}
    arrays: dict[str, Any] = {}
    for part in ("train", "test"):
        names = sorted(name for name in TEXTS if f"/{part}/" in name)
        lists = np.empty(len(names), object)
        for i, name in enumerate(names):
            spaced = "".join(c if c.isalpha() or c == "'" else " " for c in TEXTS[name].lower())
            lists[i] = [index[word] for word in spaced.split() if word in index]
        arrays[f"x_{part}"] = lists
        arrays[f"y_{part}"] = np.array(["/pos/" in name for name in names]).astype(np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "imdb.npz", **(arrays | changed))
    (folder / "imdb_word_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def token_folder(tmp_path: Path) -> Path:
    """A folder that holds Keras' two files."""
    return _write_tokens(tmp_path / "tokens")


# ------------------------------------------------------------------------------ servers, real data


class Server:
    """A web server on this machine; ``files`` are what it serves, ``asked`` what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut_short = False
        self.asked: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                server.asked.append(name)
                if name not in server.files:
                    self.send_error(404)
                    return
                content = server.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if server.cut_short else content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server that has no files yet."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real datasets."""
    folder = os.environ.get("REPORTGEN_TEST_DATA")
    if not folder:
        pytest.skip("REPORTGEN_TEST_DATA does not name a folder with the real datasets")
    return Path(folder)
