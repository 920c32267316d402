"""Writes tables as CSV, for spreadsheets and programs."""

from __future__ import annotations

import csv as _csv
import io

from reportgen.results import Scalar, Table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv(table: Table) -> str:
    r"""The table by RFC 4180: a line of column names, then the rows, lines ended by ``\r\n``.

    Numbers have full precision, a missing value is an empty field. Text that a spreadsheet would
    take for a formula gets an apostrophe in front (OWASP, "CSV Injection").
    """
    out = io.StringIO(newline="")
    writer = _csv.writer(out)
    writer.writerow([_field(column.name) for column in table.columns])
    for row in table.rows:
        writer.writerow([_field(row[column.name]) for column in table.columns])
    return out.getvalue()


def _field(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value)
