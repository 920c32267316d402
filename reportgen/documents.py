"""Writes the report's files, unless they stand there as they would be written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reportgen.chapters import drawing
from reportgen.engine.shelf import Shelf
from reportgen.errors import ReportgenError
from reportgen.experiment import Json
from reportgen.press import Press, helpers_here
from reportgen.render.files import write_file, write_report
from reportgen.results import Report, Section, Verdict, to_json
from reportgen.settings import FORMATS


@dataclass(frozen=True)
class Built:
    """What a build left: the files, what to know of them, and what could not be done."""

    written: tuple[Path, ...]
    """Files and folders of the report."""
    notices: tuple[str, ...]
    """What a reader must know, see :attr:`reportgen.results.Report.notices`."""
    unsupported: tuple[str, ...] = ()
    """The claims that the numbers do not bear out, each with its verdict."""
    problems: tuple[str, ...] = ()
    stale: tuple[Path, ...] = ()
    """Documents of an earlier build that were not written again."""


def write(report: Report, folder: Path, formats: tuple[str, ...], shelf: Shelf, log: Path) -> Built:
    """Write ``results.json`` and, as ``formats`` asks, the documents into ``folder``."""
    results = folder / "results.json"
    write_file(results, to_json(report))
    written, problems = [results], []
    for section in report.failed:
        problems.append(
            f"The experiment '{section.experiment}' failed: {section.error}. Details are in {log}."
        )
    with Press(shelf, helpers_here() if "pdf" in formats else 0) as press:
        draw = partial(drawing, shelf=shelf)
        for product in write_report(report, folder, formats, draw, press.typeset):
            if isinstance(product, ReportgenError):
                problems.append(str(product))
            else:
                written.append(product)
    unsupported = tuple(
        f"{claim.statement}: {claim.verdict.value}"
        for claim in report.all_claims
        if claim.verdict is not Verdict.SUPPORTED
    )
    stale = _stale(folder, written)
    return Built(tuple(written), report.notices, unsupported, tuple(problems), stale)


def prepare(sections: Sequence[Section], formats: tuple[str, ...], shelf: Shelf) -> None:
    """Set the first chapters of a report ahead, so that writing it finds them on the shelf."""
    if "pdf" not in formats:
        return
    from reportgen.render import compose, paper
    from reportgen.render.contexts import Piece

    drawn = {(s.experiment, f.id): drawing(f, shelf) for s in sections for f in s.figures.values()}
    with Press(shelf) as press:
        chapters = compose.chapters(sections, drawn)
        press.typeset([paper.manuscript(Piece((chapter,))) for chapter in chapters])


def remember(built: Built, ingredients: Json, folder: Path, shelf: Shelf) -> None:
    """Note what was written from these ingredients; an incomplete build is not noted."""
    if not built.problems:
        record = {
            "written": [path.relative_to(folder).as_posix() for path in built.written],
            "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in _files(built)},
            "notices": built.notices,
            "unsupported": built.unsupported,
        }
        shelf.put(ingredients, json.dumps(record).encode())


def unchanged(ingredients: Json, folder: Path, shelf: Shelf) -> Built | None:
    """The earlier build from the same ingredients, if each of its files is as it was written."""
    known = shelf.get(ingredients)
    if known is None:
        return None
    record = json.loads(known)
    try:
        if any(_sha256(folder / name) != digest for name, digest in record["files"].items()):
            return None
    except OSError:
        return None
    written = tuple(folder / name for name in record["written"])
    notices, unsupported = tuple(record["notices"]), tuple(record["unsupported"])
    return Built(written, notices, unsupported, (), _stale(folder, written))


def _files(built: Built) -> Iterator[Path]:
    for path in built.written:
        yield from sorted(path.iterdir()) if path.is_dir() else [path]


def _stale(folder: Path, written: tuple[Path, ...] | list[Path]) -> tuple[Path, ...]:
    documents = (folder / f"report.{name}" for name in FORMATS)
    return tuple(path for path in documents if path.exists() and path not in written)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
