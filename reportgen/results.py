"""The results object: what experiments found, as data that can be stored, checked and rendered.

A :class:`Report` holds one :class:`Section` an experiment. A section holds tables, figures *as
data*, and parts of prose. A number never stands in prose as text: a sentence names a
:class:`Cell` of a table or a :class:`Number`, and the renderer formats it. So whatever a reader
sees can be traced to a value in ``results.json``.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reportgen.errors import RequestError

SCHEMA_VERSION = 1

Scalar = None | bool | int | float | str
"""What a table's cell may hold; a missing value is None."""


# ------------------------------------------------------------------------------------- tables


@dataclass(frozen=True)
class Column:
    """A column: ``name`` is stable and for programs, ``title`` is what a reader sees.

    ``format`` is a format specification of Python's own mini-language (``",d"``, ``".4f"``,
    ``".1%"``), or ``"p"`` for p-values; empty for text. ``description`` says what the
    value is and over what it was taken.
    """

    name: str
    title: str
    description: str = ""
    unit: str = ""
    format: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under named columns. ``key`` tables are shown by ``reportgen show``.

    The columns ``x_low`` and ``x_high`` are the ends of the interval around ``x``; ``x_sd`` is
    the standard deviation that goes with ``x_mean``. A reader sees each pair in one cell.
    """

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Scalar], ...]
    key: bool = False
    highlight: tuple[int, ...] = ()
    """Indexes of the rows that the reader should find first."""
    trials: tuple[str, ...] = ()
    """For each row, the trials with their seeds that its numbers come from; empty if from none."""

    def __post_init__(self) -> None:
        """Check that every row has exactly the columns' names and only storable values."""
        if self.trials and len(self.trials) != len(self.rows):
            raise ValueError(
                f"table {self.id}: {len(self.trials)} trials for {len(self.rows)} rows"
            )
        names = {column.name for column in self.columns}
        for row in self.rows:
            if set(row) != names:
                raise ValueError(f"table {self.id}: a row has {sorted(row)}, not {sorted(names)}")
            for name, value in row.items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError(f"table {self.id}: {name} is {value}; use None")
                if not isinstance(value, None | bool | int | float | str):
                    raise ValueError(f"table {self.id}: {name} holds a {type(value).__name__}")

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.id} has no column {name!r}")

    def index(self, **where: Scalar) -> int:
        """The index of the only row whose cells equal ``where``; KeyError if not exactly one."""
        found = [
            i
            for i, row in enumerate(self.rows)
            if all(row[name] == value for name, value in where.items())
        ]
        if len(found) != 1:
            raise KeyError(f"table {self.id}: {len(found)} rows with {where}")
        return found[0]

    def cell(self, column: str, **where: Scalar) -> Cell:
        """A pointer to the cell in ``column`` of the only row that matches ``where``."""
        self.column(column)
        return Cell(self.id, self.index(**where), column)


# ----------------------------------------------------------------------------- figures as data


@dataclass(frozen=True)
class Series:
    """One line or set of points: ``x`` and ``y`` of equal length; ``style`` picks how it looks.

    ``style`` is ``line``, ``dashed``, ``dots`` (points only), ``marked`` (line with points) or
    ``step``. Series of one ``group`` share a colour, so that a training curve and its validation
    curve are seen as a pair. Between ``low`` and ``high``, if given, a band shows how sure ``y``
    is; the caption says what it covers.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    style: str = "line"
    group: str = ""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Marker:
    """A labelled point on a plot, such as a threshold on a precision-recall curve."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Lines:
    """Curves over a common axis, in one panel or several that share their axes' names."""

    kind: ClassVar[str] = "lines"
    x_label: str
    y_label: str
    panels: tuple[LinePanel, ...]
    share_y: bool = True


@dataclass(frozen=True)
class LinePanel:
    """One set of axes of a :class:`Lines` figure. ``y_label`` overrides the figure's."""

    series: tuple[Series, ...]
    title: str = ""
    markers: tuple[Marker, ...] = ()
    y_label: str = ""
    x_scale: str = "linear"
    """``linear``, ``log`` or ``log2`` (ticks at the data's own x values)."""
    y_scale: str = "linear"
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    vertical: tuple[Marker, ...] = ()
    """Vertical rules at ``x``, such as the chosen epoch; ``y`` is ignored."""


@dataclass(frozen=True)
class Images:
    """A grid of greyscale pictures: one labelled row a method, one column an example.

    ``pixels`` is uint8 of shape (rows, columns, height, width), 0 black to 255 white.
    """

    kind: ClassVar[str] = "images"
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    pixels: NDArray[np.uint8]

    def __eq__(self, other: object) -> bool:
        """Equal labels and equal pixels."""
        return (
            isinstance(other, Images)
            and self.row_labels == other.row_labels
            and self.column_labels == other.column_labels
            and np.array_equal(self.pixels, other.pixels)
        )

    __hash__ = None  # type: ignore[assignment]  # an array can't be hashed


@dataclass(frozen=True)
class HeatMap:
    """A matrix of non-negative counts; each cell shows its count and its share of the row."""

    kind: ClassVar[str] = "heatmap"
    x_label: str
    y_label: str
    column_labels: tuple[str, ...]
    row_labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Histogram:
    """Counts in common bins, one set a group: ``edges`` has one entry more than each ``counts``.

    ``y_scale`` is ``linear`` or ``log``; on a logarithmic axis an empty bin stands on its bottom.
    """

    kind: ClassVar[str] = "histogram"
    x_label: str
    y_label: str
    edges: tuple[float, ...]
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    vertical: tuple[Marker, ...] = ()
    y_scale: str = "linear"


Drawing = Lines | Images | HeatMap | Histogram


@dataclass(frozen=True)
class Figure:
    """A figure as data. The caption says what to see; ``alt`` what is drawn, for who can't see."""

    id: str
    caption: str
    alt: str
    drawing: Drawing


# --------------------------------------------------------------------------------------- prose


@dataclass(frozen=True)
class Cell:
    """A number's origin: table, index of the row, name of the column, within one section."""

    table: str
    row: int
    column: str


@dataclass(frozen=True)
class Number:
    """A number that stands in no table: its value, its format, and how it came about."""

    value: float
    format: str
    origin: str
    trial: str = ""
    """The trials with their seeds that it comes from; empty if from none."""


@dataclass(frozen=True)
class Reference:
    """A mention of a numbered table or figure: ``kind`` is ``table`` or ``figure``."""

    kind: str
    id: str


Value = Cell | Number | Reference


@dataclass(frozen=True)
class Prose:
    """A paragraph with named places: ``{name}`` is filled from ``values``; `code` in backticks."""

    text: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that places and values match one to one."""
        places = {name for _, name, _, _ in Formatter().parse(self.text) if name is not None}
        if places != set(self.values):
            raise ValueError(f"prose has places {sorted(places)} for {sorted(self.values)}")

    def pieces(self) -> Iterator[str | Value]:
        """The text in order: literal strings, and the values that stand between them."""
        for literal, name, _, _ in Formatter().parse(self.text):
            if literal:
                yield literal
            if name is not None:
                yield self.values[name]


def prose(text: str, /, **values: Value) -> Prose:
    """A paragraph: ``prose("Test MSE is {mse}.", mse=table.cell("test_mse", latent_dim=32))``."""
    return Prose(text, values)


def ref(target: Table | Figure) -> Reference:
    """A mention of a table or figure, rendered as "Table 3", linked."""
    return Reference("table" if isinstance(target, Table) else "figure", target.id)


@dataclass(frozen=True)
class Finding:
    """A sentence that the numbers support, short enough for the report's first page."""

    id: str
    sentence: Prose


class Verdict(Enum):
    """Whether the numbers bear a claim out."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    CANT_TELL = "can't be told"


@dataclass(frozen=True)
class Claim:
    """What somebody asserted beforehand, the numbers and tests that speak to it, the verdict."""

    id: str
    statement: str
    evidence: Prose
    verdict: Verdict
    rule: Prose | None = None
    """By what rule the verdict follows from the evidence, unless the evidence says so itself."""


Block = Prose | Reference
"""A paragraph, or the place at which a table or figure stands."""


@dataclass(frozen=True)
class Part:
    """A headed part of a section: paragraphs, tables and figures in reading order."""

    title: str
    blocks: tuple[Block, ...]


# ------------------------------------------------------------------------------ section, report


@dataclass(frozen=True)
class DataSummary:
    """Which data a section rests on. ``origin`` is ``published``, ``other`` or ``sample``."""

    name: str
    title: str
    origin: str
    source: str
    fingerprint: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One experiment's chapter. A failed one has an ``error`` and no parts."""

    experiment: str
    title: str
    question: str
    data: DataSummary | None = None
    parts: tuple[Part, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    claims: tuple[Claim, ...] = ()
    error: str = ""

    def __post_init__(self) -> None:
        """Check that every reference and cell leads somewhere, and each block stands once."""
        placed: list[Reference] = []
        for paragraph in self.paragraphs():
            for piece in paragraph.pieces():
                if not isinstance(piece, str):
                    self._check(piece)
        for part in self.parts:
            placed += [block for block in part.blocks if isinstance(block, Reference)]
        for reference in placed:
            self._check(reference)
        shown = [(reference.kind, reference.id) for reference in placed]
        wanted = [("table", i) for i in self.tables] + [("figure", i) for i in self.figures]
        if sorted(shown) != sorted(wanted):
            raise ValueError(f"section {self.experiment} shows {shown}, but holds {wanted}")

    def paragraphs(self) -> Iterator[Prose]:
        """All prose of the section: its parts' paragraphs in order, findings, claims."""
        for part in self.parts:
            yield from (block for block in part.blocks if isinstance(block, Prose))
        yield from (finding.sentence for finding in self.findings)
        for claim in self.claims:
            yield from (text for text in (claim.evidence, claim.rule) if text is not None)

    def _check(self, value: Value) -> None:
        if isinstance(value, Cell):
            table = self.tables[value.table]
            table.column(value.column)
            table.rows[value.row]
        elif isinstance(value, Reference):
            (self.tables if value.kind == "table" else self.figures)[value.id]


def section_with(
    experiment: str,
    title: str,
    question: str,
    data: DataSummary | None,
    parts: Sequence[tuple[str, Sequence[Prose | Table | Figure]]],
    findings: Sequence[Finding] = (),
    claims: Sequence[Claim] = (),
) -> Section:
    """A section from parts in which tables and figures stand at their places as themselves."""
    tables: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    built: list[Part] = []
    for heading, items in parts:
        blocks: list[Block] = []
        for item in items:
            if isinstance(item, Table):
                tables[item.id] = item
            elif isinstance(item, Figure):
                figures[item.id] = item
            blocks.append(item if isinstance(item, Prose) else ref(item))
        built.append(Part(heading, tuple(blocks)))
    return Section(
        experiment,
        title,
        question,
        data,
        tuple(built),
        tables,
        figures,
        tuple(findings),
        tuple(claims),
    )


@dataclass(frozen=True)
class Identity:
    """What the cover says of the submission; empty fields are left out."""

    title: str
    author: str = ""
    student_id: str = ""
    course: str = ""
    date: str = ""


@dataclass(frozen=True)
class Report:
    """All that is rendered. ``experiments`` stand in reading order; the appendix is a section."""

    identity: Identity
    preset: str
    seed: int
    command: str
    experiments: Mapping[str, Section]
    appendix: Section
    omitted: tuple[str, ...] = ()
    """Titles of the experiments that were not asked for; not empty in a partial report."""
    claims: tuple[Claim, ...] = ()
    """The author's own; their evidence names no cells, as these belong to sections."""
    seeds: int = 1
    """Trainings of each model, with seeds from ``seed`` up; an experiment may have had others."""
    schema_version: int = SCHEMA_VERSION

    @property
    def sections(self) -> tuple[Section, ...]:
        """The chapters in reading order."""
        return tuple(self.experiments.values())

    @property
    def all_claims(self) -> tuple[Claim, ...]:
        """The claims of all chapters in reading order, then the author's own."""
        of_chapters = (claim for section in self.sections for claim in section.claims)
        return (*of_chapters, *self.claims)

    @property
    def sampled(self) -> tuple[Section, ...]:
        """The chapters that rest on an embedded sample instead of the real data."""
        return tuple(s for s in self.sections if s.data is not None and s.data.origin == "sample")

    @property
    def failed(self) -> tuple[Section, ...]:
        """The chapters whose experiment failed."""
        return tuple(section for section in self.sections if section.error)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader must know before believing a number: sentences, the gravest first."""
        notices = []
        if self.sampled:
            names = ", ".join(dict.fromkeys(s.data.title for s in self.sampled if s.data))
            notices.append(
                f"Built on sample data ({names}), not on the real datasets: the numbers only "
                "show that everything works."
            )
        if self.failed:
            names = ", ".join(section.title for section in self.failed)
            notices.append(f"Incomplete: {names} failed; its chapter says why.")
        if self.preset == "quick":
            notices.append(
                "Built with the preset 'quick': subsets and few epochs, to try out. "
                "Build with the preset 'standard' for numbers to hand in."
            )
        if self.omitted:
            notices.append(f"Partial report, without: {', '.join(self.omitted)}.")
        return tuple(notices)


# ------------------------------------------------------------------------------ results.json


def to_json(part: Report | Section | Figure) -> str:
    """The report as the text of ``results.json``, or a part of it; equal ones give equal text."""
    return json.dumps(_converter().unstructure(part), indent=1, allow_nan=False) + "\n"


def section_from_json(text: str) -> Section:
    """The section that :func:`to_json` gave this text for."""
    section: Section = _converter().structure(json.loads(text), Section)
    return section


def from_json(text: str, where: str = "results.json") -> Report:
    """The report that ``text`` holds; ``where`` names the file in errors.

    Raises RequestError if the text is not JSON, of another schema version, or not a report.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{where} is not valid JSON (line {error.lineno}: {error.msg}); build it again."
        ) from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise RequestError(
            f"{where} has schema version {version}; this program reads {SCHEMA_VERSION}. "
            "Build it again."
        )
    import cattrs

    try:
        report: Report = _converter().structure(data, Report)
    except (cattrs.BaseValidationError, ValueError, KeyError, IndexError) as error:
        problems = "; ".join(cattrs.transform_error(error)[:3])
        raise RequestError(f"{where} is not a report: {problems}. Build it again.") from error
    return report


def read(path: Path) -> Report:
    """Read ``results.json``; RequestError if it is missing or broken."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RequestError(
            f"There is no {path}; run 'reportgen build' first, or name its folder with --out."
        ) from error
    return from_json(text, str(path))


@cache
def _converter() -> Any:
    """The converter between dataclasses and JSON: unions are tagged, pixels are base64."""
    import cattrs
    from cattrs.strategies import configure_tagged_union

    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook_func(lambda kind: kind == Scalar, lambda value, _: value)
    converter.register_unstructure_hook(float, float)
    converter.register_unstructure_hook(Images, _images_to_json)
    converter.register_structure_hook(Images, _images_from_json)
    for union in (Value, Block, Drawing):
        configure_tagged_union(union, converter, tag_name="type")
    return converter


def _images_to_json(images: Images) -> dict[str, Any]:
    return {
        "row_labels": list(images.row_labels),
        "column_labels": list(images.column_labels),
        "shape": list(images.pixels.shape),
        "pixels": base64.b64encode(np.ascontiguousarray(images.pixels).tobytes()).decode("ascii"),
    }


def _images_from_json(data: Mapping[str, Any], _: type) -> Images:
    raw = base64.b64decode(data["pixels"])
    pixels = np.frombuffer(raw, np.uint8).reshape(data["shape"])
    return Images(tuple(data["row_labels"]), tuple(data["column_labels"]), pixels)
