"""``reportgen verify``: what it derives, and what it finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reportgen.verify import compare, compare_texts, text_of

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("toys")
BUILD = ("build", "--format", "html")


def edit(name: str, old: str, new: str) -> None:
    path = Path("build", name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_report_follows_from_its_predictions(run: Run) -> None:
    run(*BUILD, "--seeds", "2", "--claim", "toy.errors[2].error < 1", "--title", "Mine")
    before = {p: p.stat().st_mtime_ns for p in Path("build").rglob("*") if p.is_file()}
    ran = run("verify")
    assert ran.code == 0, ran.out + ran.err
    assert "build/results.json and build/report.html: all tables" in ran.out
    assert {p: p.stat().st_mtime_ns for p in Path("build").rglob("*") if p.is_file()} == before


def test_a_number_edited_by_hand_in_the_results_is_found(run: Run) -> None:
    run(*BUILD)
    rows = json.loads(Path("build/results.json").read_text())
    error = rows["experiments"]["toy"]["tables"]["errors"]["rows"][1]["error"]
    edit("results.json", f'"error": {error}', '"error": 0.123')
    ran = run("verify")
    assert ran.code == 1
    place = "results.json.experiments.toy.tables.errors.rows[1].error"
    assert f"{place}: 0.123, but {error} follows from the predictions" in ran.out
    assert "differs in 1 place" in ran.err


def test_a_number_edited_by_hand_in_the_document_is_found(run: Run) -> None:
    run(*BUILD)
    error = json.loads(run("show", "--json", "--only", "toy").out)["toy"]["errors"][0]["error"]
    edit("report.html", f">{error:.4f}<", ">0.1230<")
    ran = run("verify")
    assert ran.code == 1
    assert "0.1230" in ran.out
    assert f"but {error:.4f} follows" in ran.out


def test_an_origin_edited_by_hand_is_found(run: Run) -> None:
    run(*BUILD)
    edit("report.html", 'data-origin="toy.errors[0].error"', 'data-origin="toy.errors[1].error"')
    ran = run("verify")
    assert ran.code == 1
    assert "toy.errors[1].error, but toy.errors[0].error follows from the predictions" in ran.out


def test_a_verdict_edited_by_hand_is_found(run: Run) -> None:
    run(*BUILD)
    verdict = json.loads(Path("build/results.json").read_text())["experiments"]["toy"]["claims"]
    other = {"supported": "not supported", "not supported": "supported"}
    found = verdict[0]["verdict"]
    edit("results.json", f'"verdict": "{found}"', f'"verdict": "{other[found]}"')
    ran = run("verify")
    assert ran.code == 1
    assert f"claims[0].verdict: {other[found]}, but {found} follows" in ran.out


def test_changed_predictions_are_named_as_damage(run: Run) -> None:
    run(*BUILD, "--only", "toy")
    path = next(Path("build/store").glob("toy-*/trial.json"))
    path.write_text(path.read_text().replace('"error"', '"eror"', 1))
    ran = run("verify")
    assert ran.code == 2
    assert "damaged" in ran.err
    assert "build the report again to verify it" in ran.err


def test_a_report_of_another_programs_trainings_is_not_verified(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*BUILD, "--only", "toy")
    monkeypatch.setattr("reportgen.engine.keys.library_versions", lambda trainer: {"numpy": "0"})
    ran = run("verify")
    assert ran.code == 2
    assert "'reportgen build --explain' says why" in ran.err


def test_verifying_nothing_says_so(run: Run) -> None:
    ran = run("verify")
    assert ran.code == 2
    assert ran.err.count("\n") == 1


def test_a_partial_report_is_verified_as_it_was_asked_for(run: Run) -> None:
    run(*BUILD, "--only", "other", "--set", "toy.rate=0.25", "--preset", "quick")
    Path("reportgen.toml").write_text("[toy]\nrate = 0.75\n")
    assert run("verify").code == 0


@pytest.mark.parametrize(
    ("found", "derived", "differences"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["x.a[1].b: 2, but 3"]),
        ({"a": 1}, {}, ["x.a: 1, but nothing"]),
        ([1], [1, 2], ["x[1]: nothing, but 2"]),
        ({"a": 1}, {"a": 1.0}, ["x.a: 1, but 1.0"]),
        ({"a": None}, {"a": "None"}, ["x.a: null, but None"]),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, []),
    ],
)
def test_json_is_compared_place_by_place(
    found: object, derived: object, differences: list[str]
) -> None:
    told = [str(difference) for difference in compare(found, derived, "x")]
    assert told == [f"{line} follows from the predictions" for line in differences]


def test_what_no_reader_sees_of_a_document_does_not_count() -> None:
    one = '<style>p { color: red }</style><p class="a">Two  words</p>'
    assert text_of(one) == ["Two", "words"]
    assert not list(compare_texts(one, "<p>Two\nwords</p>"))
    [difference] = compare_texts(one, "<p>Two birds</p>")
    assert (difference.found, difference.derived) == ("words", "birds")
