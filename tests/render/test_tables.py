"""Tables as CSV: as spreadsheets and programs want them, and safe to open."""

from __future__ import annotations

import csv
import io

import pytest

from reportgen.render import tables
from reportgen.results import Column, Table


def test_names_and_numbers_come_back_in_full() -> None:
    table = Table(
        "t",
        "",
        (Column("name", "Name"), Column("value", "Value", "", "s", ".1f")),
        (
            {"name": 'says "hello, you"\nand goes', "value": 0.1 + 0.2},
            {"name": "gone", "value": None},
            {"name": "yes", "value": True},
        ),
    )
    text = tables.csv(table)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["name", "value"],
        ['says "hello, you"\nand goes', "0.30000000000000004"],
        ["gone", ""],
        ["yes", "true"],
    ]
    assert text.endswith("\r\n")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1"])
def test_text_is_never_taken_for_a_formula(text: str) -> None:
    table = Table("t", "", (Column("a", "A"), Column("n", "N")), ({"a": text, "n": -1.5},))
    (_, row) = csv.reader(io.StringIO(tables.csv(table), newline=""))
    assert row == [f"'{text}", "-1.5"]
