"""Finds a dataset: the user's folder, Keras' cache, ours, a download, the embedded sample."""

from __future__ import annotations

import contextlib
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from experiments.data import prepared
from experiments.data.download import RemoteFile, UnreachableError, download
from experiments.data.prepared import Contents, Stamp
from reportgen.errors import DataError
from reportgen.experiment import DataOptions, Dataset, DataSource, DataStatus

RETRY_SECONDS = 3600
"""How long a failed download is remembered, so that offline builds don't wait for it each time."""


@dataclass(frozen=True)
class Found:
    """A dataset in one place: what it is called there, by what it is recognised, how it is read.

    ``read`` raises DataError if the files are damaged or are not what their names promise.
    """

    form: str
    stamps: Sequence[Stamp]
    read: Callable[[], Contents]


@dataclass(frozen=True)
class Absent:
    """A place without the dataset: ``reason`` says what is there instead, or missing."""

    reason: str


@dataclass(frozen=True)
class Place:
    """A folder in which datasets are looked for, and what it is to the user."""

    title: str
    folder: Path

    def __str__(self) -> str:
        """For messages: what the folder is, and its path."""
        return f"{self.title} {self.folder}"


def places(options: DataOptions) -> Iterator[Place]:
    """The folders to look into, in order."""
    if options.directory is not None:
        yield Place("your data folder", options.directory)
    yield Place("Keras' cache", keras_home() / "datasets")
    yield Place("reportgen's cache", options.cache / "downloads")


def keras_home() -> Path:
    """Keras' own folder: the environment variable ``KERAS_HOME``, or ``~/.keras``."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


class LocatedSource(DataSource):
    """A data source over files: a subclass knows only how its own files look."""

    wanted: ClassVar[str]
    """The files that make up the dataset, for messages."""
    version: ClassVar[int]
    """Raised when the same files would be prepared differently."""
    downloads: ClassVar[Sequence[Sequence[RemoteFile]]]
    """Sets of published files, each a whole dataset; the next is for when one is unreachable."""

    @abstractmethod
    def find(self, folder: Path) -> Found | Absent:
        """The dataset in a folder, by the files' names; DataError if a file can't be looked at."""

    @abstractmethod
    def sample(self) -> Found:
        """The sample that travels with the program."""

    def prepare(self, options: DataOptions) -> Dataset:
        """The dataset from the first place that has it, ready to train on.

        Raises:
            DataError: if the user's folder does not exist; if files that were found are damaged;
                in mode ``real``, if the dataset is nowhere.
        """
        if options.mode == "sample":
            return self._ready(self.sample(), options)
        check_directory(options)
        missed = []
        for place in places(options):
            found = self.find(place.folder)
            if isinstance(found, Found):
                return self._ready(found, options)
            missed.append(f"{place} ({found.reason})")
            if place.folder == options.directory:
                options.notify(f"No {self.title} in {place}: {found.reason}. Looking elsewhere.")
        try:
            return self._ready(self._downloaded(options), options)
        except UnreachableError as error:
            if options.mode == "real":
                raise DataError(self._nowhere(missed, error)) from error
            options.notify(f"{self.title}: {error}. The embedded sample is used instead.")
            return self._ready(self.sample(), options)

    def status(self, options: DataOptions) -> Sequence[DataStatus]:
        """Every place in order, whether the dataset's files lie there, and which."""
        sample = DataStatus("embedded sample", True, self.sample().form)
        if options.mode == "sample":
            return [sample]
        result = [self._status_of(place) for place in places(options)]
        untried = "not tried now; `reportgen data fetch` does it"
        result.append(DataStatus(f"download from {self._hosts()}", False, untried))
        return result if options.mode == "real" else [*result, sample]

    def _status_of(self, place: Place) -> DataStatus:
        """Whether the dataset's files lie in a folder; damage that their names show is told."""
        try:
            found = self.find(place.folder)
        except DataError as error:
            return DataStatus(str(place), False, str(error))
        if isinstance(found, Found):
            return DataStatus(str(place), True, found.form)
        return DataStatus(str(place), False, found.reason)

    def fetch(self, options: DataOptions) -> Path:
        """Download the published files into the cache; the folder in which they are then.

        Raises:
            DataError: if no server is reached, a checksum is wrong, or the cache can't be written.
        """
        folder = options.cache / "downloads"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            download(self.downloads, folder, options.notify)
        except UnreachableError as error:
            raise DataError(
                f"{self.title} could not be downloaded: {error}. Try again when there is a "
                f"network, or copy {self.wanted} into {folder}, or name their folder with "
                "--data-dir."
            ) from error
        except OSError as error:
            raise DataError(f"{folder} can't be written: {error.strerror or error}.") from error
        self._failure_mark(options).unlink(missing_ok=True)
        return folder

    def _ready(self, found: Found, options: DataOptions) -> Dataset:
        """The prepared arrays of what was found: kept ones, or made now."""
        folder = prepared.folder_for(self.name, self.version, found.stamps, options)
        dataset = prepared.load(folder)
        if dataset is None:
            options.notify(f"Preparing {self.title} from {found.form}.")
            dataset = prepared.keep(self.name, self.title, found.read(), folder, options)
        return dataset

    def _downloaded(self, options: DataOptions) -> Found:
        """The dataset, downloaded into the cache; UnreachableError, also if it lately failed."""
        mark = self._failure_mark(options)
        if options.mode == "auto" and _seconds_since(mark) < RETRY_SECONDS:
            raise UnreachableError(
                f"{self._hosts()} could not be reached {_seconds_since(mark) / 60:.0f} minutes "
                "ago and is not tried again within the hour, but by `reportgen data fetch`"
            )
        folder = _download_folder(options)
        try:
            download(self.downloads, folder, options.notify)
        except UnreachableError:
            with contextlib.suppress(OSError):
                mark.touch()
            raise
        except OSError as error:
            raise UnreachableError(
                f"nothing can be downloaded into {folder} ({error.strerror or error})"
            ) from error
        found = self.find(folder)
        if isinstance(found, Absent):
            raise DataError(f"{folder} lacks what was just downloaded: {found.reason}.")
        return found

    def _failure_mark(self, options: DataOptions) -> Path:
        """An empty file whose time says when the download last failed."""
        return options.cache / "downloads" / f".{self.name}-unreachable"

    def _hosts(self) -> str:
        """The servers that have the published files."""
        hosts = [urlsplit(file.url).netloc for files in self.downloads for file in files]
        return " or ".join(dict.fromkeys(hosts))

    def _nowhere(self, missed: Sequence[str], error: UnreachableError) -> str:
        """That the dataset is nowhere: where it was looked for, and how to get it."""
        return (
            f"{self.title}: no data found, and --data real allows no sample. "
            f"Looked in {'; in '.join(missed)}; {error}. "
            "Run `reportgen data fetch` when there is a network, or put "
            f"{self.wanted} into a folder and name it with --data-dir."
        )


def _download_folder(options: DataOptions) -> Path:
    """Where downloads are kept: in the cache, or in a temporary folder if that can't be written."""
    folder = options.cache / "downloads"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    options.notify(f"{folder} can't be written: downloads are kept only for this run.")
    return prepared.temporary_folder()


def check_directory(options: DataOptions) -> None:
    """DataError if the user named a data folder that is none."""
    directory = options.directory
    if directory is None or directory.is_dir():
        return
    what = "is a file, not a folder" if directory.exists() else "does not exist"
    raise DataError(
        f"The data folder {directory} {what}. Name a folder that holds the datasets with "
        "--data-dir (or REPORTGEN_DATA_DIR), or leave it out."
    )


def _seconds_since(mark: Path) -> float:
    """The age of a file; infinite if there is none."""
    try:
        return max(0.0, time.time() - mark.stat().st_mtime)
    except OSError:
        return float("inf")
