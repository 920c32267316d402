"""Claims that an author makes about table cells: read, checked and judged, never run as code.

::

    claim   = sum (("<" | "<=" | ">" | ">=" | "==" | "!=") sum)+
    sum     = product (("+" | "-") product)*
    product = factor (("*" | "/") factor)*
    factor  = "-" factor | "(" sum ")" | number | text | cell
    cell    = experiment "." table "[" (text | ["-"] number) "]" "." column

A row is named by the value in its table's first column; texts stand in single or double quotes.
The grammar is read by hand and not by :mod:`ast`, which takes many forms more, differs between
versions of Python, and can't say what it expected.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, NoReturn

from reportgen.errors import SettingsError, did_you_mean
from reportgen.results import Cell, Claim, Number, Scalar, Section, Table, Verdict, prose

MAX_LENGTH = 500
MAX_NESTING = 20
ARITHMETIC: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
COMPARISONS: Mapping[str, Callable[[Fraction, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MISTAKEN = {"=": "==", "=<": "<=", "=>": ">=", "<>": "!=", "≤": "<=", "≥": ">=", "≠": "!="}
"""Other ways to write comparisons, and what is meant; did_you_mean would guess at some."""


class Place(NamedTuple):
    """A character of a claim, counted from 0, to be named in errors."""

    claim: str
    at: int

    def fail(self, problem: str) -> NoReturn:
        """Raise the SettingsError that tells of a problem here."""
        raise SettingsError(f"The claim {self.claim!r}, character {self.at + 1}: {problem}")


@dataclass(frozen=True)
class CellName:
    """A cell as a claim names it, the row by its label; two mentions of one cell are equal."""

    experiment: str
    table: str
    row: str
    column: str
    place: Place = field(compare=False)


class Interval(NamedTuple):
    """All values from ``low`` to ``high``; a point if they are equal."""

    low: Fraction
    high: Fraction


@dataclass(frozen=True)
class Operation:
    """An arithmetic operation or a comparison; ``place`` is where its sign stands."""

    sign: str
    left: Operand
    right: Operand
    place: Place


Operand = Interval | str | CellName | Operation
Value = Interval | str | None
"""What an operand comes to; None if that can't be told."""


@dataclass(frozen=True)
class Comparison:
    """A claim as read. All ``links`` must hold (``a < b < c`` has two); ``cells`` are distinct."""

    text: str
    links: tuple[Operation, ...]
    cells: tuple[CellName, ...]


@dataclass(frozen=True)
class Evidence:
    """A cell that a claim rests on: what it holds, and its interval if it has one."""

    experiment: str
    cell: Cell
    value: Scalar
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the cells it rests on in the order in which the claim names them."""

    verdict: Verdict
    evidence: tuple[Evidence, ...]


def claim(text: str, sections: Mapping[str, Section], absent: Collection[str] = ()) -> Claim:
    """The author's claim ``text``, judged by the tables of the sections; see :func:`judge`."""
    comparison = parse(text)
    failed = [name for name, section in sections.items() if section.error]
    tables = {name: s.tables for name, s in sections.items() if name not in failed}
    judgement = judge(comparison, tables, [*absent, *failed])
    parts, values = [], dict[str, Number]()
    for i, found in enumerate(judgement.evidence):
        table = tables[found.experiment][found.cell.table]
        column = table.column(found.cell.column)
        name = f"{found.experiment}.{table.id}[{found.cell.row}].{column.name}"
        if found.value is None or isinstance(found.value, str):
            shown = found.value or "without a value"
            parts.append(f"`{name}` is {shown.replace('{', '{{').replace('}', '}}')}")
            continue
        trial = table.trials[found.cell.row] if table.trials else ""
        values[f"value{i}"] = Number(float(found.value), column.format, name, trial)
        parts.append(f"`{name}` is {{value{i}}}")
        if found.interval:
            for end, value in zip(("low", "high"), found.interval, strict=True):
                origin = f"{name}_{end}"
                values[f"{end}{i}"] = Number(value, column.format, origin, trial)
            parts[-1] += f" [{{low{i}}}, {{high{i}}}]"
    evidence = prose(f"{'; '.join(parts) or 'Its experiment is not in this report'}.", **values)
    return Claim(f"author-{text}", f"`{text}`", evidence, judgement.verdict)


def parse(text: str) -> Comparison:
    """The claim that ``text`` makes; SettingsError, with the position, if it makes none."""
    if len(text) > MAX_LENGTH:
        problem = f"expected the end by here, got {len(text)} characters in all."
        Place(f"{text[:40]}...", MAX_LENGTH).fail(problem)
    comparison = _Parser(text).claim()
    for link in comparison.links:
        _compare(link, {})  # with no cell known, this finds the quoted texts that are out of place
    return comparison


def check_names(comparison: Comparison, experiments: Iterable[str]) -> None:
    """Check that the claim is about these experiments only; SettingsError if it is not."""
    known = list(experiments)
    for name in comparison.cells:
        _check_known(name.experiment, known, "experiment", name.place)


def judge(
    comparison: Comparison,
    tables: Mapping[str, Mapping[str, Table]],
    absent: Collection[str] = (),
) -> Judgement:
    """Whether the cells bear the claim out.

    A cell of a column ``x`` stands for all values from ``x_low`` to ``x_high`` where its row has
    these, else for its value. A comparison is supported if it holds for all these values, not
    supported if it holds for none, else it can't be told; nor can it where a cell has no value or
    a divisor may be 0. A chain is supported if all its comparisons are, not supported if any is
    not. Numbers are taken as the decimals that they are stored as, and reckoned exactly.

    Where several cells meet, this is conservative. Interval arithmetic (Moore, *Interval
    Analysis*, 1966) lets them vary freely, so even ``x - x`` is not surely 0. Two estimates can
    be told apart though their intervals overlap (Schenker and Gentleman, *The American
    Statistician* 55, 2001), the more so if they come from the same examples and so rise and fall
    together. Where a table has paired differences with an interval, make the claim about these.

    Args:
        comparison: the claim.
        tables: the tables by experiment and id.
        absent: experiments without tables, as they failed or were not asked for. What is said of
            their cells can't be told, and they give no evidence.

    Raises:
        SettingsError: if an experiment, table, row or column does not exist, several rows have
            the name, or a text stands where a number is needed.
    """
    check_names(comparison, [*tables, *absent])
    evidence = {
        name: _look_up(name, tables[name.experiment])
        for name in comparison.cells
        if name.experiment not in absent
    }
    values = {name: _value_of(found) for name, found in evidence.items()}
    verdicts = [_compare(link, values) for link in comparison.links]
    decisive = (Verdict.NOT_SUPPORTED, Verdict.CANT_TELL, Verdict.SUPPORTED)
    return Judgement(min(verdicts, key=decisive.index), tuple(evidence.values()))


# ------------------------------------------------------------------------------------- reading

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TEXT = r"""'[^']*'|"[^"]*\""""
_ROW = rf"\[\s*({_TEXT}|-?{_NUMBER})\s*\]"
_CELL = rf"([A-Za-z_][\w-]*)\.([A-Za-z_][\w-]*){_ROW}\.([A-Za-z_]\w*)"
_TOKEN = re.compile(
    rf"\s*(?:(?P<cell>{_CELL})|(?P<number>{_NUMBER})|(?P<text>{_TEXT})"
    r"|(?P<sign>[<>=!≤≥≠]+|[-+*/()])|(?P<unknown>[^\s<>=!≤≥≠+*/()-]+)|(?P<end>\Z))",
    re.ASCII,
)
_OPERAND = "a number, a text in quotes, '(' or EXPERIMENT.TABLE[NUMBER or 'TEXT'].COLUMN"


class _Token(NamedTuple):
    kind: str
    text: str
    place: Place
    names: tuple[str, ...]
    """Of a cell: experiment, table, row as written, column."""


class _Parser:
    """A recursive descent that looks one token ahead: a method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matches = _TOKEN.finditer(text)
        self._token = self._following()
        self._cells: list[CellName] = []
        self._nesting = 0

    def claim(self) -> Comparison:
        left = self._sum()
        links: list[Operation] = []
        while not links or self._token.kind != "end":
            if self._token.text not in COMPARISONS:
                what = "another comparison or the end" if links else "a comparison"
                meant = MISTAKEN.get(self._token.text, self._token.text)
                self._expected(what, did_you_mean(meant, COMPARISONS))
            links.append(self._operation(left, self._sum))
            left = links[-1].right
        if not self._cells:
            self._expected("EXPERIMENT.TABLE[ROW].COLUMN somewhere before")
        return Comparison(self._text, tuple(links), tuple(dict.fromkeys(self._cells)))

    def _sum(self) -> Operand:
        left = self._product()
        while self._token.text in ("+", "-"):
            left = self._operation(left, self._product)
        return left

    def _product(self) -> Operand:
        left = self._factor()
        while self._token.text in ("*", "/"):
            left = self._operation(left, self._factor)
        return left

    def _operation(self, left: Operand, right: Callable[[], Operand]) -> Operation:
        sign = self._take()
        return Operation(sign.text, left, right(), sign.place)

    def _factor(self) -> Operand:
        kind, text, place, names = self._token
        if text in ("-", "("):
            return self._nested()
        if kind == "number" and math.isfinite(float(text)):
            operand: Operand = _point(float(text))
        elif kind == "text":
            operand = text[1:-1]
        elif kind == "cell":
            experiment, table, row, column = names
            label = _label(row[1:-1] if row[0] in "'\"" else row)
            operand = CellName(experiment, table, label, column, place)
            self._cells.append(operand)
        else:
            self._expected("a number below 1e308" if kind == "number" else _OPERAND)
        self._take()
        return operand

    def _nested(self) -> Operand:
        self._nesting += 1
        if self._nesting > MAX_NESTING:  # in the whole claim, which bounds the depth too
            self._expected(f"at most {MAX_NESTING} parentheses and signs before a number")
        if self._token.text == "-":
            return self._operation(_point(0), self._factor)
        self._take()
        inner = self._sum()
        if self._token.text != ")":
            self._expected("an operator or ')'")
        self._take()
        return inner

    def _take(self) -> _Token:
        taken, self._token = self._token, self._following()
        return taken

    def _following(self) -> _Token:
        match = next(self._matches)
        kind = match.lastgroup or ""
        return _Token(kind, match[kind], Place(self._text, match.start(kind)), match.groups()[1:5])

    def _expected(self, what: str, hint: str = "") -> NoReturn:
        got = repr(self._token.text) if self._token.text else "the end"
        self._token.place.fail(f"expected {what}, got {got}.{hint}")


# ---------------------------------------------------------------------------------- looking up


def _label(value: Scalar) -> str:
    """A row's name. Equal numbers have one: 32, 32.0 and '32' lead to the same row."""
    try:
        return repr(float(str(value))).removesuffix(".0")
    except ValueError:
        return str(value)


def _look_up(name: CellName, tables: Mapping[str, Table]) -> Evidence:
    """What the named cell holds; SettingsError if there is no such cell."""
    _check_known(name.table, tables, f"table of '{name.experiment}'", name.place)
    table = tables[name.table]
    columns = [column.name for column in table.columns]
    rows = [_label(row[columns[0]]) for row in table.rows]
    _check_known(name.row, rows, f"row of '{name.table}'", name.place)
    _check_known(name.column, columns, f"column of '{name.table}'", name.place)
    if rows.count(name.row) > 1:
        name.place.fail(f"'{name.table}' has several rows called '{name.row}'; expected one.")
    index = rows.index(name.row)
    row = table.rows[index]
    low, high = row.get(f"{name.column}_low"), row.get(f"{name.column}_high")
    interval = None
    if isinstance(low, int | float) and isinstance(high, int | float):
        interval = (low, high)
    cell = Cell(name.table, index, name.column)
    return Evidence(name.experiment, cell, row[name.column], interval)


def _check_known(name: str, known: Collection[str], what: str, place: Place) -> None:
    if name not in known:
        place.fail(f"there is no {what} called '{name}'.{did_you_mean(name, known)}")


# --------------------------------------------------------------------------------------- judging


def _point(number: float) -> Interval:
    """The decimal that the number is written as, so that 0.1 + 0.2 is 0.3."""
    exact = Fraction(str(float(number)))
    return Interval(exact, exact)


def _value_of(evidence: Evidence) -> Value:
    """What a cell stands for; None if it has no value."""
    value = evidence.value
    if value is None or isinstance(value, str):
        return value
    low, high = evidence.interval or (value, value)
    return Interval(_point(low).low, _point(high).high)


def _value(operand: Operand, values: Mapping[CellName, Value]) -> Value:
    """What an operand comes to; a cell that is not in ``values`` can't be told."""
    if isinstance(operand, CellName):
        return values.get(operand)
    if not isinstance(operand, Operation):
        return operand
    left, right = _value(operand.left, values), _value(operand.right, values)
    if isinstance(left, str) or isinstance(right, str):
        operand.place.fail(f"expected numbers on both sides of '{operand.sign}', got a text.")
    if left is None or right is None or (operand.sign == "/" and right.low <= 0 <= right.high):
        return None
    # In each operand the result only rises or only falls, so its ends come from their ends.
    ends = [ARITHMETIC[operand.sign](a, b) for a in left for b in right]
    return Interval(min(ends), max(ends))


def _compare(link: Operation, values: Mapping[CellName, Value]) -> Verdict:
    """Whether the comparison holds for all values of its sides, for none, or for some."""
    left, right = _value(link.left, values), _value(link.right, values)
    kinds = {isinstance(side, str) for side in (left, right) if side is not None}
    if kinds == {True, False} or (True in kinds and link.sign not in ("==", "!=")):
        link.place.fail("expected numbers, or two texts around '==' or '!=', got a text.")
    if left is None or right is None:
        return Verdict.CANT_TELL
    if isinstance(left, str) or isinstance(right, str):
        low = high = Fraction(left != right)
    else:
        low, high = left.low - right.high, left.high - right.low
    # The ends of the difference and its value nearest to 0 give every result that there can be.
    nearest = min(max(low, Fraction(0)), high)
    results = {COMPARISONS[link.sign](difference, 0) for difference in (low, nearest, high)}
    if len(results) == 2:
        return Verdict.CANT_TELL
    return Verdict.SUPPORTED if results == {True} else Verdict.NOT_SUPPORTED
