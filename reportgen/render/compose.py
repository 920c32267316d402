"""Turns the results object into what the templates show: numbering, links, notices, formats."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reportgen.render.contexts import (
    BlockView,
    CellView,
    Chapter,
    Claims,
    ClaimView,
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
    Claim,
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
    Verdict,
)

Figures = Mapping[tuple[str, str], str]
"""SVG texts by (experiment, figure id)."""

LONG_WORD = 18
"""Words of more characters may be broken in a table, so that they can't push it off the page."""
LONG_TABLE = 14
"""Tables of more rows may be split over pages."""

LONG_TITLE = 80
"""Titles of more characters are set smaller on the cover."""

CLAIMS = "claims"
"""The id of the part in which claims are judged."""
_SIGNS = {Verdict.SUPPORTED: "yes", Verdict.NOT_SUPPORTED: "no", Verdict.CANT_TELL: "open"}

_ORIGINS = {
    "published": "published data",
    "other": "not the published data",
    "sample": "embedded sample",
}


def document(report: Report, figures: Figures) -> Document:
    """Everything the templates show of a report. ``figures`` has an SVG for each figure."""
    composers = _composers((*report.sections, report.appendix), figures, report.appendix)
    chapters = tuple(composer.chapter() for composer in composers)
    claims = _claims(report, composers)
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
            (
                *([Entry(claims.id, "", "Claims and verdicts", ())] if claims else ()),
                *(
                    Entry(
                        c.id,
                        c.number,
                        c.title,
                        tuple(Entry(p.id, p.number, p.title, ()) for p in c.parts),
                    )
                    for c in chapters
                ),
            ),
        ),
        claims=claims,
        chapters=chapters,
    )


def chapters(sections: Sequence[Section], figures: Figures) -> list[Chapter]:
    """The first chapters of a report as they stand in it, whatever comes after them."""
    return [composer.chapter() for composer in _composers(sections, figures)]


def _composers(
    sections: Sequence[Section], figures: Figures, appendix: Section | None = None
) -> list[_Composer]:
    labels = _Labels.of(sections, appendix)
    return [_Composer(section, labels, figures) for section in sections]


def _claims(report: Report, composers: Sequence[_Composer]) -> Claims | None:
    """All claims of the chapters, then the author's own; None if there are none."""
    views = [view for composer in composers for view in composer.claims()]
    views += [_claim_view(claim, None, _of_no_section) for claim in report.claims]
    return Claims(CLAIMS, tuple(views)) if views else None


def _of_no_section(paragraph: Prose) -> Inline:
    """Prose that stands in no section, whose pieces therefore are no cells and no references."""
    runs: list[Run] = []
    for piece in paragraph.pieces():
        if isinstance(piece, str):
            runs.append(Text(piece))
        elif isinstance(piece, Number):
            runs.append(_number_view(piece))
    return _fragments(runs)


def _claim_view(claim: Claim, chapter: Link | None, inline: Callable[[Prose], Inline]) -> ClaimView:
    """A claim, its prose composed by ``inline``."""
    return ClaimView(
        chapter,
        _fragments([Text(claim.statement)]),
        inline(claim.evidence),
        inline(claim.rule) if claim.rule else (),
        claim.verdict.value,
        _SIGNS[claim.verdict],
    )


def _number_view(number: Number) -> NumberView:
    """A number that stands in no table, with its origin."""
    explanation = f"{number.origin} ({number.trial})" if number.trial else number.origin
    return NumberView(number.value, number.format, number.origin, explanation, number.trial)


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
        ("Seed", str(report.seed)) if report.seeds == 1 else ("Seeds", _span(report)),
    )
    return tuple((label, value) for label, value in known if value)


def _span(report: Report) -> str:
    """The seeds of a report that has several."""
    return f"{report.seed} to {report.seed + report.seeds - 1}"


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
    def of(cls, sections: Sequence[Section], appendix: Section | None) -> _Labels:
        """Numbers in reading order: chapters for themselves, tables and figures throughout."""
        labels = cls()
        for place, section in enumerate(sections):
            number = "A" if section is appendix else str(place + 1)
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

    def claims(self) -> Iterator[ClaimView]:
        """The claims that the section judges."""
        chapter = Link(self.section.question, self.id)
        for claim in self.section.claims:
            yield _claim_view(claim, chapter, self._inline)

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
            return _number_view(piece)
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
        trial = table.trials[row] if table.trials else ""
        if trial:
            explanation += f" ({trial})"
        origin = f"{self.section.experiment}.{table.id}[{row}].{column.name}"
        return NumberView(table.rows[row][column.name], column.format, origin, explanation, trial)

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
        shown, partners = _shown_columns(table)
        heads = tuple(_head(table, column) for column in shown)
        rows = tuple(
            Row(
                tuple(
                    self._cell(table, row, column, head, partners.get(column.name, ()))
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
            tuple(_notes(table, shown, partners)),
            _size(heads, rows),
            len(rows) > LONG_TABLE or _letters(rows) > 1500,
        )

    def _cell(
        self,
        table: Table,
        row: int,
        column: Column,
        head: Head,
        partners: tuple[Column, ...],
    ) -> CellView:
        value = table.rows[row][column.name]
        if not _is_number(value):
            text = formatted(value, column.format)
            longest = longest_word(text)
            # Prose gets a wide column, in which no word needs to be broken to make it narrow.
            breakable = longest > LONG_WORD and len(text) < 5 * longest
            return CellView(text, None, None, None, head.numeric, breakable)
        interval = spread = None
        found = [self._number(table, row, partner) for partner in partners]
        if found and all(view.value is not None for view in found):
            if len(found) == 2:
                interval = (found[0], found[1])
            else:
                spread = found[0]
        number = self._number(table, row, column)
        return CellView("", number, interval, spread, head.numeric, False)


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


def _shown_columns(table: Table) -> tuple[list[Column], dict[str, tuple[Column, ...]]]:
    """The columns to show, and by name of the column those that are shown in its cells.

    These are the two ends of an interval, or the standard deviation that goes with a mean.
    """
    names = {column.name: column for column in table.columns}
    partners: dict[str, tuple[Column, ...]] = {}
    for name in names:
        mean = name.removesuffix("_mean")
        if f"{name}_low" in names and f"{name}_high" in names:
            partners[name] = (names[f"{name}_low"], names[f"{name}_high"])
        elif mean != name and f"{mean}_sd" in names:
            partners[name] = (names[f"{mean}_sd"],)
    within = {partner.name for found in partners.values() for partner in found}
    return [column for column in table.columns if column.name not in within], partners


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
    table: Table, shown: Sequence[Column], partners: Mapping[str, tuple[Column, ...]]
) -> Iterator[tuple[str, str]]:
    told = ((column.title, column.description) for column in shown if not _obvious(column))
    yield from dict.fromkeys(told)
    for sign, count in (("[low, high]", 2), ("±", 1)):
        first = (found[0] for found in partners.values() if len(found) == count)
        for description in dict.fromkeys(column.description for column in first):
            if description:
                yield sign, description


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
    if cell.spread:
        shown += len(formatted(cell.spread.value, cell.spread.format)) + 3
    return shown


def _letters(rows: Sequence[Row]) -> int:
    return sum(len(cell.text) for row in rows for cell in row.cells)
