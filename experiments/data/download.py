"""Downloads published files, checks them, and shows how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reportgen.errors import DataError

if TYPE_CHECKING:
    from requests.exceptions import RequestException

CONNECT_SECONDS = 3.0
"""How long a server may take to answer at all, so that a machine without network goes on soon."""
READ_SECONDS = 30.0
"""How long it may then fall silent."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file: where it is, and its checksum as ``sha256:...`` or ``md5:...``."""

    url: str
    checksum: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[1]


class UnreachableError(DataError):
    """A server did not answer, or not with the file."""


def download(
    alternatives: Sequence[Sequence[RemoteFile]], folder: Path, notify: Callable[[str], None]
) -> None:
    """Download the files of the first alternative that can be reached into ``folder``.

    A file gets its name when it is whole and its checksum right; one that is there is kept.

    Raises:
        UnreachableError: if no alternative could be reached; says what was tried.
        DataError: if a file has another checksum than the published one.
        OSError: if ``folder`` can't be written.
    """
    failures = []
    for files in alternatives:
        try:
            for file in files:
                _retrieve(file, folder, notify)
            return
        except UnreachableError as error:
            failures.append(str(error))
    raise UnreachableError("; ".join(failures))


def _retrieve(file: RemoteFile, folder: Path, notify: Callable[[str], None]) -> None:
    """Download one file unless it is there with the right checksum."""
    import pooch  # takes as long to import as everything else in an unchanged build
    from requests.exceptions import RequestException

    pooch.get_logger().setLevel("WARNING")  # its notes on single files would break ours
    if not (folder / file.name).exists():
        notify(f"Downloading {file.url}.")
    try:
        with closing(_Bar(file.name)) as bar:
            pooch.retrieve(
                url=file.url,
                known_hash=file.checksum,
                fname=file.name,
                path=folder,
                downloader=pooch.HTTPDownloader(
                    progressbar=bar,
                    chunk_size=1 << 16,
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                ),
            )
    except RequestException as error:
        raise UnreachableError(f"{file.url} was not reached: {_reason(error)}") from error
    except ValueError as error:
        raise DataError(
            f"{file.url} did not give the published file. {error} Try again later, "
            "or get the file elsewhere and name its folder with --data-dir."
        ) from error


def _reason(error: RequestException) -> str:
    """Why a request failed, in a few words: the server's answer, or the innermost cause."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


class _Bar:
    """A progress bar on a terminal's stderr, as pooch drives one: set ``total``, then update."""

    width = 30

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = 0
        self.done = 0
        self.shown = ""

    def update(self, size: int) -> None:
        """So many bytes more have come."""
        self.done = min(self.done + size, self.total)
        share = self.done / self.total if self.total else 0.0
        full = "#" * round(self.width * share)
        self._show(f"{self.name} [{full:.<{self.width}}] {share:4.0%} of {self.total / 1e6:.1f} MB")

    def reset(self) -> None:
        """Back to nothing; pooch calls it before it fills the bar at the end."""
        self.done = 0

    def close(self) -> None:
        """Take the bar off the screen, whether all has come or not."""
        self._show("")

    def _show(self, line: str) -> None:
        """Put the line in place of the one shown before."""
        if line != self.shown and sys.stderr.isatty():
            sys.stderr.write(f"\r{line:<{len(self.shown)}}" + ("" if line else "\r"))
            sys.stderr.flush()
        self.shown = line
