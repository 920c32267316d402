"""The results object: what can't be said wrongly, and what comes back from JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reportgen.errors import RequestError
from reportgen.results import (
    Cell,
    Claim,
    Column,
    DataSummary,
    Figure,
    Finding,
    HeatMap,
    Histogram,
    Identity,
    Images,
    LinePanel,
    Lines,
    Marker,
    Number,
    Prose,
    Report,
    Section,
    Series,
    Table,
    Verdict,
    from_json,
    prose,
    read,
    ref,
    section_with,
    to_json,
)

TABLE = Table(
    "errors",
    "Errors.",
    (Column("size", "Size", format="d"), Column("error", "Error", "Mean.", "bit", ".3f")),
    ({"size": 2, "error": 0.25}, {"size": 3, "error": None}),
    key=True,
)
DRAWINGS = (
    Lines(
        "x", "y", (LinePanel((Series("a", (1, 2), (0.5, 0.25)),), markers=(Marker(1, 2, "m"),)),)
    ),
    Images(("row",), ("one", "two"), np.arange(2 * 784, dtype=np.uint8).reshape(1, 2, 28, 28)),
    HeatMap("predicted", "actual", ("no", "yes"), ("no", "yes"), ((5, 1), (2, 4))),
    Histogram("p", "reviews", (0.0, 0.5, 1.0), (("negative", (3, 1)),), (Marker(0.5, 0, "t"),)),
    Histogram("p", "reviews", (0.0, 0.5, 1.0), (("positive", (0, 900)),), y_scale="log"),
)


def section(**changes: object) -> Section:
    figures = [Figure(f"f{i}", "Caption.", "alt", drawing) for i, drawing in enumerate(DRAWINGS)]
    text = prose(
        "{error} in {table} and {figure}, {ratio} in all.",
        error=TABLE.cell("error", size=2),
        table=ref(TABLE),
        figure=ref(figures[0]),
        ratio=Number(0.5, ".1%", "0.25 / 0.5"),
    )
    summary = DataSummary("numbers", "Numbers", str(changes.get("origin", "published")), "s", "f")
    return section_with(
        "toy", "Toy", "T1", summary, [("Results", [text, TABLE, *figures])], [Finding("one", text)]
    )


def report(**changes: object) -> Report:
    fields: dict = {
        "identity": Identity("Title", "A. Student"),
        "preset": "standard",
        "seed": 0,
        "command": "reportgen build",
        "experiments": {"toy": section()},
        "appendix": Section("appendix", "Provenance", "Appendix"),
    }
    return Report(**fields | changes)


def test_a_report_comes_back_from_json_as_it_was() -> None:
    text = to_json(report())
    assert from_json(text) == report()
    assert to_json(from_json(text)) == text


def test_a_claim_of_a_file_from_before_there_were_rules_has_none() -> None:
    claim = Claim("c", "It is small.", prose("Yes."), Verdict.SUPPORTED, prose("If it is."))
    whole = report(claims=(claim,))
    assert from_json(to_json(whole)).claims == (claim,)
    older = json.loads(to_json(whole))
    del older["claims"][0]["rule"]
    assert from_json(json.dumps(older)).claims[0].rule is None


def test_a_rule_that_names_a_table_that_is_not_there_is_refused() -> None:
    rule = prose("As {table} says.", table=ref(TABLE))
    claim = Claim("c", "It is small.", prose("Yes."), Verdict.SUPPORTED, rule)
    with pytest.raises(KeyError, match="errors"):
        Section("toy", "Toy", "T1", claims=(claim,))


def test_json_has_the_contract_that_others_read() -> None:
    data = json.loads(to_json(report()))
    assert data["schema_version"] == 1
    table = data["experiments"]["toy"]["tables"]["errors"]
    assert (
        table["columns"][1] | {"name": "error", "unit": "bit", "description": "Mean."}
        == (table["columns"][1])
    )
    assert table["rows"] == [{"size": 2, "error": 0.25}, {"size": 3, "error": None}]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"row": 0', '"row": 7', "experiments['toy']"),
        ('"caption": "Errors."', '"kaption": "Errors."', "caption"),
        ('"type": "Cell"', '"type": "Os.System"', "experiments['toy']"),
        ('"schema_version": 1', '"schema_version": 2', "schema version 2"),
        ('"identity": {', '"identity": {,', "not valid JSON"),
    ],
)
def test_a_broken_results_file_is_told_in_a_sentence(old: str, new: str, told: str) -> None:
    text = to_json(report())
    assert old in text
    with pytest.raises(RequestError) as caught:
        from_json(text.replace(old, new))
    assert told in str(caught.value)
    assert str(caught.value).startswith("results.json ")


def test_a_missing_results_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="run 'reportgen build' first"):
        read(tmp_path / "results.json")


def test_a_sentence_needs_a_value_for_every_place() -> None:
    with pytest.raises(ValueError, match="places"):
        prose("The error is {error}.")
    with pytest.raises(ValueError, match="places"):
        Prose("Nothing.", {"error": Number(1.0, "d", "counted")})


def test_a_sentence_cannot_name_a_cell_that_is_not_there() -> None:
    text = prose("{error}", error=Cell("errors", 5, "error"))
    with pytest.raises(IndexError):
        section_with("toy", "Toy", "T1", None, [("Results", [text, TABLE])])
    with pytest.raises(KeyError):
        TABLE.cell("eror", size=2)
    with pytest.raises(KeyError):
        TABLE.cell("error", size=9)


def test_every_table_and_figure_stands_exactly_once() -> None:
    with pytest.raises(ValueError, match="shows"):
        section_with("toy", "Toy", "T1", None, [("Results", [TABLE, TABLE])])
    with pytest.raises(ValueError, match="shows"):
        Section("toy", "Toy", "T1", tables={"errors": TABLE})


@pytest.mark.parametrize(
    "row",
    [
        {"size": 2},
        {"size": 2, "error": 0.1, "more": 1},
        {"size": 2, "error": float("nan")},
        {"size": 2, "error": np.float32(0.5)},
        {"size": [2], "error": 0.5},
    ],
)
def test_a_table_holds_complete_rows_of_plain_values(row: dict) -> None:
    with pytest.raises(ValueError, match="table errors"):
        Table("errors", "Errors.", TABLE.columns, (row,))


def test_a_report_says_what_its_reader_must_know() -> None:
    assert report().notices == ()
    failed = Section("other", "Other", "T2", error="it broke")
    told = report(
        preset="quick",
        omitted=("Third",),
        experiments={"toy": section(origin="sample"), "other": failed},
    ).notices
    assert [notice.split()[0] for notice in told] == ["Built", "Incomplete:", "Built", "Partial"]
    assert "sample data (Numbers)" in told[0]
    assert "Other failed" in told[1]
