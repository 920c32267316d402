"""Says in one sentence what is wrong with a data file, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from reportgen.errors import DataError


def damaged(path: Path, what: str) -> DataError:
    """The error to raise about a file; ``what`` goes on from its name: "is cut short"."""
    return DataError(
        f"{path} {what}. "
        "Delete it and run `reportgen data fetch`, or put a whole copy in its place."
    )


def unreadable(path: Path, error: BaseException) -> DataError:
    """The error to raise when reading a file failed for reasons that a library gives."""
    return damaged(path, f"is damaged: {str(error).rstrip('. ') or type(error).__name__}")


def beginning(path: Path) -> str:
    """How a file begins that is not what its name says, for people."""
    try:
        with path.open("rb") as file:
            head = file.read(256)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    if not head:
        return "it is empty"
    if head.lstrip()[:1] == b"<":
        return "it holds a web page, such as a server sends in place of a missing file"
    return f"it begins with {head[:8]!r}"
