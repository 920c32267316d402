"""Writes what a report consists of: HTML, PDF, figures, tables. Each file is whole or untouched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from reportgen.errors import ReportgenError
from reportgen.render.manuscript import Typeset
from reportgen.results import Figure, Report, Section


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file by way of a temporary name, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(temporary, path)


def write_report(
    report: Report,
    folder: Path,
    formats: Sequence[str],
    draw: Callable[[Figure], str],
    typeset: Typeset,
) -> Iterator[Path | ReportgenError]:
    """Write the report's files into ``folder``; yields each when it is written.

    ``draw`` gives a figure's SVG, ``typeset`` sets the PDF's pieces. Writes ``figures/*.svg`` and
    ``tables/*.csv``, then ``report.html`` and ``report.pdf`` as ``formats`` asks. A format that
    can't be made yields its error instead, and the others go on.
    """
    from reportgen.render import compose, html, tables

    drawn = {
        (section.experiment, figure.id): draw(figure)
        for section in _sections(report)
        for figure in section.figures.values()
    }
    yield _write_folder(folder / "figures", _named(drawn, "svg"))
    written = {
        (section.experiment, table.id): tables.csv(table)
        for section in _sections(report)
        for table in section.tables.values()
    }
    yield _write_folder(folder / "tables", _named(written, "csv"))
    document = compose.document(report, drawn)
    if "html" in formats:
        write_file(folder / "report.html", html.rendered(document))
        yield folder / "report.html"
    if "pdf" in formats:
        from reportgen.render import paper

        try:
            write_file(folder / "report.pdf", paper.pdf(document, typeset))
            yield folder / "report.pdf"
        except ReportgenError as error:
            yield error


def _sections(report: Report) -> tuple[Section, ...]:
    return (*report.sections, report.appendix)


def _named(texts: Mapping[tuple[str, str], str], suffix: str) -> dict[str, str]:
    return {f"{section}-{name}.{suffix}": text for (section, name), text in texts.items()}


def _write_folder(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files, and remove those of an earlier report that this one no longer has."""
    for name, text in files.items():
        write_file(folder / name, text)
    suffixes = {Path(name).suffix for name in files}
    for path in folder.glob("*") if folder.exists() else ():
        if path.suffix in suffixes and path.name not in files:
            path.unlink()
    return folder
