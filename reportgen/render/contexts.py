"""What each template is given: one dataclass a template, its fields the names the template sees.

The template of a class is ``<class name in lower case>.html.j2``. Classes without a template are
parts of those that have one. All text is raw; templates escape it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reportgen.results import Scalar

# ------------------------------------------------------------------------------ inline content


@dataclass(frozen=True)
class Text:
    """A stretch of plain text."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Link:
    """A mention of a numbered table or figure."""

    kind: ClassVar[str] = "link"
    text: str
    """What the reader sees: ``Figure 3``."""
    target: str
    """The id that it leads to."""


@dataclass(frozen=True)
class NumberView:
    """A number and where it comes from."""

    kind: ClassVar[str] = "number"
    value: Scalar
    """The value as the results object has it."""
    format: str
    """Its format specification."""
    origin: str
    """Where it comes from, for programs: ``experiment.table[1].column``."""
    explanation: str
    """Where it comes from, for readers."""
    trial: str = ""
    """The trials with their seeds that it comes from; empty if from none."""


Run = Text | Link | NumberView


@dataclass(frozen=True)
class Fragment:
    """Runs that are set alike: as code, or as ordinary text."""

    code: bool
    runs: tuple[Run, ...]


Inline = tuple[Fragment, ...]
"""The content of a paragraph or caption."""


# -------------------------------------------------------------------------------------- blocks


@dataclass(frozen=True)
class Notice:
    """What a reader must not miss, as a box. Template: ``notice.html.j2``."""

    level: str
    """``warning``, ``error`` or ``remark``; picks colour and mark."""
    title: str
    """The notice in a few words."""
    text: str
    """What it means for the reader."""
    details: tuple[str, ...]
    """Further lines, such as the chapters that are affected."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of prose. Template: ``paragraph.html.j2``."""

    content: Inline
    """Its text, numbers and links, in order."""


@dataclass(frozen=True)
class Head:
    """The head of a table's column."""

    title: str
    unit: str
    description: str
    """What the column holds; empty if its title says it all."""
    numeric: bool
    """Whether its cells are numbers, which are set to the right."""
    breakable: bool
    """Whether its words may be broken, being too long for a line."""


@dataclass(frozen=True)
class CellView:
    """A cell of a table: text, or a number with what is known of how sure it is."""

    text: str
    """The text of a cell that holds no number."""
    number: NumberView | None
    interval: tuple[NumberView, NumberView] | None
    """The lower and upper end of the interval around it."""
    spread: NumberView | None
    """The standard deviation, if the number is a mean."""
    numeric: bool
    breakable: bool


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    cells: tuple[CellView, ...]
    highlight: bool
    """Whether the reader should find it first."""


@dataclass(frozen=True)
class TableView:
    """A numbered table with its caption and notes. Template: ``tableview.html.j2``."""

    id: str
    """Its id in the document."""
    label: str
    """``Table 3``."""
    caption: Inline
    """What it shows, above it."""
    heads: tuple[Head, ...]
    """Its columns."""
    rows: tuple[Row, ...]
    """Its rows."""
    notes: tuple[tuple[str, str], ...]
    """Titles and descriptions of the columns that need explaining, below it."""
    size: str
    """How much room it needs: ``narrow``, ``full``, ``wide`` or ``dense``."""
    breakable: bool
    """Whether it is long enough to be split over pages."""


@dataclass(frozen=True)
class FigureView:
    """A numbered figure with its caption. Template: ``figureview.html.j2``."""

    id: str
    """Its id in the document."""
    label: str
    """``Figure 3``."""
    caption: Inline
    """What to see in it, below it."""
    alt: str
    """What is drawn, for those who can't see it."""
    source: str
    """The picture as a data URI."""
    wide: bool
    """Whether it takes the full width between the page's margins."""


BlockView = Paragraph | TableView | FigureView


# ------------------------------------------------------------------------------------ chapters


@dataclass(frozen=True)
class PartView:
    """A headed part of a chapter."""

    id: str
    number: str
    title: str
    blocks: tuple[BlockView, ...]


@dataclass(frozen=True)
class DataView:
    """The data on which a chapter rests."""

    title: str
    origin: str
    """How true they are: ``published``, ``not the published data``, ``embedded sample``."""
    source: str
    fingerprint: str
    note: str


@dataclass(frozen=True)
class Chapter:
    """A chapter or the appendix. Template: ``chapter.html.j2``."""

    id: str
    """Its id in the document."""
    number: str
    """``2`` for a chapter, ``A`` for the appendix."""
    kicker: str
    """What stands above the title: the question it answers, as the assignment calls it."""
    title: str
    """Its title."""
    data: DataView | None
    """The data, or None where there are none."""
    notices: tuple[Notice, ...]
    """What must be known before reading on."""
    parts: tuple[PartView, ...]
    """Its parts in reading order."""


# ---------------------------------------------------------------------------------- first pages


@dataclass(frozen=True)
class FindingsView:
    """The findings of one chapter, for the first page."""

    chapter: Link
    number: str
    sentences: tuple[Inline, ...]


@dataclass(frozen=True)
class ClaimView:
    """A claim with its evidence and the verdict."""

    chapter: Link | None
    """The chapter that judges it; None if it is the author's own."""
    statement: Inline
    evidence: Inline
    rule: Inline
    """By what rule the verdict follows; empty if the evidence says so."""
    verdict: str
    """``supported``, ``not supported`` or ``can't be told``."""
    sign: str
    """``yes``, ``no`` or ``open``; picks colour and mark."""


@dataclass(frozen=True)
class Claims:
    """All claims and their verdicts. Template: ``claims.html.j2``."""

    id: str
    """Its id in the document."""
    claims: tuple[ClaimView, ...]
    """The claims, chapter by chapter, the author's own last."""


@dataclass(frozen=True)
class Cover:
    """The first page: what it is, by whom, and what came out. Template: ``cover.html.j2``."""

    title: str
    """The report's title."""
    long_title: bool
    """Whether the title is set smaller, because it is long."""
    course: str
    """The course, above the title; may be empty."""
    details: tuple[tuple[str, str], ...]
    """Labels and values below the title: author, student id, date; those that are known."""
    notices: tuple[Notice, ...]
    """What must be known before reading on."""
    findings: tuple[FindingsView, ...]
    """The key results, chapter by chapter."""


@dataclass(frozen=True)
class Entry:
    """A line of the contents, with the lines below it."""

    id: str
    number: str
    title: str
    entries: tuple[Entry, ...]
    page: str = ""
    """The page on which it begins; empty where there are no pages."""


@dataclass(frozen=True)
class Contents:
    """The table of contents. Template: ``contents.html.j2``."""

    title: str
    """The report's title, which leads back to the first page on screen."""
    entries: tuple[Entry, ...]
    """Chapters, with their parts."""


@dataclass(frozen=True)
class About:
    """What a file says of itself, and the heads of its pages. Has no template of its own."""

    window_title: str
    """For the browser's tab and the PDF's metadata; names sample data."""
    author: str
    """For the metadata; may be empty."""
    description: str
    """For the metadata: what this is and on what data it was built."""
    keywords: str
    """For the metadata, separated by commas."""
    running_title: str
    """The report's title, for the head of every page."""
    running_notice: str
    """What the head of every page warns of; mostly empty."""


@dataclass(frozen=True)
class Document(About):
    """The whole file. Template: ``document.html.j2``."""

    cover: Cover
    """The first page."""
    contents: Contents
    """The table of contents."""
    claims: Claims | None
    """What was claimed beforehand, judged; None if nothing was."""
    chapters: tuple[Chapter, ...]
    """Chapters and appendix, in reading order."""


# ---------------------------------------------------------------------------------- on paper


@dataclass(frozen=True)
class Piece:
    """Some pages that are set by themselves, without heads. Template: ``piece.html.j2``."""

    views: tuple[Cover | Contents | Claims | Chapter, ...]
    """What stands on them."""


@dataclass(frozen=True)
class Sheets(About):
    """All pages without what stands on them: heads and page numbers, and the file's metadata.

    Template: ``sheets.html.j2``.
    """

    chapters: tuple[str, ...]
    """For each page what its head says on the right; mostly the chapter's title."""
