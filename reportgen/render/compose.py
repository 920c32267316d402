"""Turns the results object into what the templates show: numbering, links, notices, formats."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reportgen.render.contexts import (
    BlockView,
    CellView,
    Chapter,
    Contents,
    Cover,
    DataView,
    Document,
    Entry,
    FigureView,
    FindingsView,
    Fragment,
    Head,
    Inline,
    Link,
    Notice,
    NumberView,
    Paragraph,
    PartView,
    Row,
    Run,
    TableView,
    Text,
)
from reportgen.render.text import formatted, longest_word, slug
from reportgen.results import (
    Block,
    Cell,
    Column,
    DataSummary,
    Figure,
    Number,
    Part,
    Prose,
    Reference,
    Report,
    Scalar,
    Section,
    Table,
)

Figures = Mapping[tuple[str, str], str]
"""SVG texts by (experiment, figure id)."""

LONG_WORD = 18
"""Words of more characters may be broken in a table, so that they can't push it off the page."""
LONG_TABLE = 14
"""Tables of more rows may be split over pages."""

LONG_TITLE = 80
"""Titles of more characters are set smaller on the cover."""

_ORIGINS = {
    "published": "published data",
    "other": "not the published data",
    "sample": "embedded sample",
}


def document(report: Report, figures: Figures) -> Document:
    """Everything the templates show of a report. ``figures`` has an SVG for each figure."""
    labels = _Labels.of(report)
    composers = [_Composer(section, labels, figures) for section in _chapters(report)]
    chapters = tuple(composer.chapter() for composer in composers)
    return Document(
        window_title=_window_title(report),
        author=report.identity.author,
        description=_description(report),
        keywords=", ".join(_keywords(report)),
        running_title=report.identity.title,
        running_notice="Built on sample data" if report.sampled else "",
        cover=Cover(
            title=report.identity.title,
            long_title=len(report.identity.title) > LONG_TITLE,
            course=report.identity.course,
            details=_details(report),
            notices=tuple(_cover_notices(report)),
            findings=tuple(c.findings() for c in composers if c.section.findings),
        ),
        contents=Contents(
            report.identity.title,
            tuple(
                Entry(
                    c.id,
                    c.number,
                    c.title,
                    tuple(Entry(p.id, p.number, p.title, ()) for p in c.parts),
                )
                for c in chapters
            ),
        ),
        chapters=chapters,
    )


def _chapters(report: Report) -> tuple[Section, ...]:
    return (*report.sections, report.appendix)


# ----------------------------------------------------------------------------------- metadata


def _window_title(report: Report) -> str:
    return f"SAMPLE DATA – {report.identity.title}" if report.sampled else report.identity.title


def _description(report: Report) -> str:
    """One sentence or two for the file's metadata."""
    kind = "Partial report" if report.omitted else "Report"
    titles = ", ".join(section.title for section in report.sections)
    sentence = f"{kind} on {titles}."
    if report.sampled:
        sampled = ", ".join(section.title for section in report.sampled)
        sentence += f" Built on sample data, not on the real ones: {sampled}."
    return sentence


def _keywords(report: Report) -> Iterator[str]:
    yield from (section.experiment for section in report.sections)
    yield f"preset {report.preset}"
    if report.sampled:
        yield "built on sample data"
    if report.omitted:
        yield "partial report"


def _details(report: Report) -> tuple[tuple[str, str], ...]:
    identity = report.identity
    known = (
        ("Author", identity.author),
        ("Student ID", identity.student_id),
        ("Date", identity.date),
        ("Preset", report.preset),
        ("Seed", str(report.seed)),
    )
    return tuple((label, value) for label, value in known if value)


# ------------------------------------------------------------------------------------ notices


def _cover_notices(report: Report) -> Iterator[Notice]:
    if report.sampled:
        yield Notice(
            "warning",
            "Built on sample data",
            "The numbers below come from a small sample that the program carries with it, not from "
            "the real data; they are no results for these datasets:",
            tuple(f"{s.title}: {s.data.title}" for s in report.sampled if s.data),
        )
    if report.failed:
        yield Notice(
            "error",
            "Not everything could be done",
            "These experiments failed; their chapters say why:",
            tuple(section.title for section in report.failed),
        )
    if report.omitted:
        yield Notice(
            "remark",
            "Partial report",
            "These experiments were left out on request:",
            report.omitted,
        )
    if report.preset == "quick":
        yield Notice(
            "warning",
            "Preset quick: subsets and few epochs",
            "Good for a first look, not for handing in: the final numbers will be others.",
            (),
        )
    elif report.preset != "standard":
        yield Notice("remark", f"Preset {report.preset}", "Not the standard settings.", ())


def _chapter_notices(section: Section) -> Iterator[Notice]:
    if section.data is not None and section.data.origin == "sample":
        yield Notice(
            "warning",
            "Built on sample data",
            f"All numbers in this chapter come from a small embedded sample, not from "
            f"{section.data.title}.",
            (),
        )
    if section.data is not None and section.data.origin == "other":
        yield Notice(
            "remark",
            "Not the published data",
            f"The data are of the right kind and shape, but their contents are not those of "
            f"{section.data.title} as published. Compare the numbers with nobody else's.",
            (),
        )
    if section.error:
        yield Notice(
            "error",
            "This experiment failed",
            "There are no results to show. What went wrong:",
            (section.error,),
        )


# -------------------------------------------------------------------- ids, numbers, references


@dataclass
class _Labels:
    """The number and the id of every chapter, table and figure, fixed before anything is told."""

    numbers: dict[str, str] = field(default_factory=dict)
    """By experiment: ``1``, ``2``, ``A``."""
    tables: dict[tuple[str, str], Link] = field(default_factory=dict)
    figures: dict[tuple[str, str], Link] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Report) -> _Labels:
        """Numbers in reading order: chapters for themselves, tables and figures throughout."""
        labels = cls()
        for place, section in enumerate(_chapters(report)):
            number = "A" if section is report.appendix else str(place + 1)
            labels.numbers[section.experiment] = number
            for part in section.parts:
                for block in part.blocks:
                    if isinstance(block, Reference):
                        labels._add(section.experiment, block)
        return labels

    def _add(self, experiment: str, placed: Reference) -> None:
        known = self._of_kind(placed.kind)
        label = f"{placed.kind.capitalize()} {len(known) + 1}"
        known[experiment, placed.id] = Link(label, slug(placed.kind, experiment, placed.id))

    def link(self, experiment: str, target: Reference) -> Link:
        """The label and the id of a table or figure."""
        return self._of_kind(target.kind)[experiment, target.id]

    def _of_kind(self, kind: str) -> dict[tuple[str, str], Link]:
        return self.tables if kind == "table" else self.figures


# ----------------------------------------------------------------------------------- chapters


@dataclass(frozen=True)
class _Composer:
    """Composes one section."""

    section: Section
    labels: _Labels
    figures: Figures

    @property
    def id(self) -> str:
        return slug("chapter", self.section.experiment)

    @property
    def number(self) -> str:
        return self.labels.numbers[self.section.experiment]

    def chapter(self) -> Chapter:
        """The section as a chapter."""
        section, data = self.section, self.section.data
        parts = tuple(
            PartView(
                f"{self.id}-{name}",
                f"{self.number}.{place}",
                part.title,
                tuple(self._block(block) for block in part.blocks),
            )
            for place, (name, part) in enumerate(_named(section.parts), 1)
        )
        return Chapter(
            self.id,
            self.number,
            section.question,
            section.title,
            None if data is None else _data(data),
            tuple(_chapter_notices(section)),
            parts,
        )

    def findings(self) -> FindingsView:
        """The section's findings, for the first page."""
        sentences = tuple(self._inline(finding.sentence) for finding in self.section.findings)
        return FindingsView(Link(self.section.title, self.id), self.number, sentences)

    def _block(self, block: Block) -> BlockView:
        if isinstance(block, Prose):
            return Paragraph(self._inline(block))
        if block.kind == "table":
            return self._table(self.section.tables[block.id])
        return self._figure(self.section.figures[block.id])

    # prose

    def _inline(self, paragraph: Prose) -> Inline:
        return _fragments([self._run(piece) for piece in paragraph.pieces()])

    def _run(self, piece: str | Cell | Number | Reference) -> Run:
        if isinstance(piece, str):
            return Text(piece)
        if isinstance(piece, Reference):
            return self.labels.link(self.section.experiment, piece)
        if isinstance(piece, Number):
            return NumberView(piece.value, piece.format, piece.origin, piece.origin)
        table = self.section.tables[piece.table]
        return self._number(table, piece.row, table.column(piece.column))

    def _number(self, table: Table, row: int, column: Column) -> NumberView:
        """A cell's number with its origin."""
        label = self.labels.link(self.section.experiment, Reference("table", table.id)).text
        first = table.columns[0]
        name = formatted(table.rows[row][first.name], first.format)
        explanation = f"{label}, row {row + 1} ({first.title} {name}), column {column.title}"
        if column.description:
            explanation += f": {column.description}"
        origin = f"{self.section.experiment}.{table.id}[{row}].{column.name}"
        return NumberView(table.rows[row][column.name], column.format, origin, explanation)

    # figures

    def _figure(self, figure: Figure) -> FigureView:
        svg = self.figures[self.section.experiment, figure.id]
        link = self.labels.link(self.section.experiment, Reference("figure", figure.id))
        encoded = base64.b64encode(svg.encode()).decode("ascii")
        return FigureView(
            link.target,
            link.text,
            _fragments([Text(figure.caption)]),
            figure.alt,
            f"data:image/svg+xml;base64,{encoded}",
            _width(svg) > 140,
        )

    # tables

    def _table(self, table: Table) -> TableView:
        link = self.labels.link(self.section.experiment, Reference("table", table.id))
        shown, intervals = _shown_columns(table)
        heads = tuple(_head(table, column) for column in shown)
        rows = tuple(
            Row(
                tuple(
                    self._cell(table, row, column, head, intervals)
                    for column, head in zip(shown, heads, strict=True)
                ),
                row in table.highlight,
            )
            for row in range(len(table.rows))
        )
        return TableView(
            link.target,
            link.text,
            _fragments([Text(table.caption)]),
            heads,
            rows,
            tuple(_notes(table, shown, intervals)),
            _size(heads, rows),
            len(rows) > LONG_TABLE or _letters(rows) > 1500,
        )

    def _cell(
        self,
        table: Table,
        row: int,
        column: Column,
        head: Head,
        intervals: Mapping[str, tuple[Column, Column]],
    ) -> CellView:
        value = table.rows[row][column.name]
        if not _is_number(value):
            text = formatted(value, column.format)
            return CellView(text, None, None, head.numeric, longest_word(text) > LONG_WORD)
        interval = None
        if column.name in intervals:
            low, high = (self._number(table, row, end) for end in intervals[column.name])
            interval = (low, high) if None not in (low.value, high.value) else None
        return CellView("", self._number(table, row, column), interval, head.numeric, False)


def _data(data: DataSummary) -> DataView:
    origin = _ORIGINS.get(data.origin, data.origin)
    return DataView(data.title, origin, data.source, data.fingerprint, data.note)


def _named(parts: Sequence[Part]) -> Iterator[tuple[str, Part]]:
    """The parts with names for their ids, each of which stands once."""
    seen: set[str] = set()
    for place, part in enumerate(parts, 1):
        name = slug(part.title)
        name = f"{name}-{place}" if name in seen else name
        seen.add(name)
        yield name, part


def _fragments(runs: Sequence[Run]) -> Inline:
    """Runs grouped into code, which stands in backticks, and ordinary text.

    A backtick that has no partner is an ordinary character.
    """
    ticks = sum(run.text.count("`") for run in runs if isinstance(run, Text))
    ticks -= ticks % 2
    fragments: list[tuple[bool, list[Run]]] = [(False, [])]
    for run in runs:
        if not isinstance(run, Text):
            fragments[-1][1].append(run)
            continue
        pieces = run.text.split("`", ticks)
        ticks -= len(pieces) - 1
        for place, piece in enumerate(pieces):
            if place:
                fragments.append((not fragments[-1][0], []))
            if piece:
                fragments[-1][1].append(Text(piece))
    return tuple(Fragment(code, tuple(content)) for code, content in fragments if content)


def _width(svg: str) -> float:
    """The width that an SVG asks for, in millimetres; 0 if it does not say in points."""
    found = re.search(r'<svg[^>]*?\swidth="([\d.]+)pt"', svg)
    return float(found[1]) / 72 * 25.4 if found else 0.0


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown_columns(table: Table) -> tuple[list[Column], dict[str, tuple[Column, Column]]]:
    """The columns to show, and by column name the two that hold the interval around its value.

    The ends of an interval stand under their value, not in columns of their own.
    """
    names = {column.name: column for column in table.columns}
    intervals = {
        name: (names[f"{name}_low"], names[f"{name}_high"])
        for name in names
        if f"{name}_low" in names and f"{name}_high" in names
    }
    ends = {end.name for pair in intervals.values() for end in pair}
    return [column for column in table.columns if column.name not in ends], intervals


def _head(table: Table, column: Column) -> Head:
    values = [row[column.name] for row in table.rows]
    numeric = any(_is_number(v) for v in values) and not any(isinstance(v, str) for v in values)
    description = "" if _obvious(column) else column.description
    breakable = longest_word(column.title) > LONG_WORD
    return Head(column.title, column.unit, description, numeric, breakable)


def _obvious(column: Column) -> bool:
    """Whether a column's description says nothing that its title has not said."""
    return column.description.casefold().strip(" .") in column.title.casefold()


def _notes(
    table: Table, shown: Sequence[Column], intervals: Mapping[str, tuple[Column, Column]]
) -> Iterator[tuple[str, str]]:
    for column in shown:
        if not _obvious(column):
            yield column.title, column.description
    for description in dict.fromkeys(low.description for low, _ in intervals.values()):
        if description:
            yield "[low, high]", description


def _size(heads: Sequence[Head], rows: Sequence[Row]) -> str:
    """How much room a table needs, by the characters of its widest line."""
    widths = [len(f"{head.title} {head.unit}") if len(rows) == 0 else 0 for head in heads]
    for place, head in enumerate(heads):
        cells = [_characters(row.cells[place]) for row in rows]
        widths[place] = min(60, max([longest_word(head.title), *cells])) + 3
    total = sum(widths)
    if total < 42:
        return "narrow"
    return "full" if total <= 84 else "wide" if total <= 112 else "dense"


def _characters(cell: CellView) -> int:
    if cell.number is None:
        return len(cell.text)
    shown = len(formatted(cell.number.value, cell.number.format))
    if cell.interval:
        ends = (formatted(end.value, end.format) for end in cell.interval)
        shown = max(shown, sum(map(len, ends)) + 3)
    return shown


def _letters(rows: Sequence[Row]) -> int:
    return sum(len(cell.text) for row in rows for cell in row.cells)
