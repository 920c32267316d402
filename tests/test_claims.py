"""Claims: what each comes to, what is refused, and that nothing in them is ever run."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from reportgen.claims import (
    MAX_LENGTH,
    Evidence,
    Judgement,
    Verdict,
    check_names,
    judge,
    parse,
)
from reportgen.errors import SettingsError
from reportgen.results import Cell, Column, Scalar, Table


def table(name: str, *rows: dict[str, Scalar]) -> Table:
    return Table(name, "Caption.", tuple(Column(column, column) for column in rows[0]), rows)


TABLES = {
    "denoising": {
        "denoising_mse": table(
            "denoising_mse",
            {"method": "noisy input", "test_mse": 0.0625, "model": "none", "epochs": None},
            {"method": "denoising autoencoder", "test_mse": 0.0175, "model": "dense", "epochs": 20},
        ),
    },
    "lstm": {
        "thresholds": table(
            "thresholds",
            {"threshold": 0.3, "recall": 0.92, "recall_low": 0.91, "recall_high": 0.93},
            {"threshold": 0.5, "recall": 0.88, "recall_low": 0.87, "recall_high": 0.89},
            {"threshold": 0.7, "recall": 0.86, "recall_low": 0.84, "recall_high": 0.87},
            {"threshold": 1, "recall": 0.0, "recall_low": None, "recall_high": None},
        ),
        "changes": table(
            "changes",
            {"step": -1, "change": 0.02, "change_low": -0.01, "change_high": 0.05},
            {"step": 2, "change": 0.0, "change_low": 0.0, "change_high": 0.0},
        ),
    },
}
MSE = "denoising.denoising_mse['denoising autoencoder'].test_mse"
NOISY = "denoising.denoising_mse['noisy input'].test_mse"
RECALL = "lstm.thresholds[0.5].recall"
CHANGE = "lstm.changes[-1].change"
ZERO = "lstm.changes[2].change"


def judged(text: str) -> Judgement:
    return judge(parse(text), TABLES)


def error(text: str) -> str:
    """The message with which the claim is refused before there is any table."""
    with pytest.raises(SettingsError) as refused:
        parse(text)
    return str(refused.value)


def error_of_names(text: str) -> str:
    """The message with which a well-formed claim is refused for what the tables have."""
    comparison = parse(text)
    with pytest.raises(SettingsError) as refused:
        judge(comparison, TABLES)
    return str(refused.value)


# ------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        # values without an interval
        (f"{MSE} < 0.02", "supported"),
        (f"{MSE} < 0.0175", "not supported"),
        (f"{MSE} <= 0.0175", "supported"),
        (f"{MSE} == 0.0175", "supported"),
        (f"{MSE} != 0.0175", "not supported"),
        (f"0.02 > {MSE}", "supported"),
        (f"{MSE} >= 2e-3", "supported"),
        (f"{MSE} > -.5", "supported"),
        # an interval, [0.87, 0.89], against a point
        (f"{RECALL} > 0.86", "supported"),
        (f"{RECALL} > 0.87", "can't be told"),
        (f"{RECALL} >= 0.87", "supported"),
        (f"{RECALL} >= 0.88", "can't be told"),
        (f"{RECALL} > 0.89", "not supported"),
        (f"{RECALL} >= 0.89", "can't be told"),
        (f"{RECALL} < 0.87", "not supported"),
        (f"{RECALL} == 0.88", "can't be told"),
        (f"{RECALL} == 0.9", "not supported"),
        (f"{RECALL} != 0.88", "can't be told"),
        (f"{RECALL} != 0.9", "supported"),
        (f"{ZERO} == 0", "supported"),
        # two intervals: apart, touching, and one with itself
        (f"lstm.thresholds[0.3].recall > {RECALL}", "supported"),
        (f"{RECALL} > lstm.thresholds[0.7].recall", "can't be told"),
        (f"{RECALL} >= lstm.thresholds[0.7].recall", "supported"),
        (f"{RECALL} == {RECALL}", "can't be told"),
        # an empty interval leaves the value
        ("lstm.thresholds[1].recall == 0", "supported"),
        # chains
        (f"0.85 < {RECALL} < 0.95", "supported"),
        (f"0.85 < {RECALL} < 0.88", "can't be told"),
        (f"0.90 < {RECALL} < 0.88", "not supported"),
        (f"0.02 > {MSE} < {NOISY} != 1", "supported"),
        # arithmetic: precedence, order, exact decimals
        (f"{NOISY} / {MSE} > 3.5", "supported"),
        (f"{NOISY} - {MSE} - 0.01 == 0.035", "supported"),
        (f"{NOISY} - ({MSE} - 0.01) == 0.055", "supported"),
        (f"1 + 2 * {ZERO} == 1", "supported"),
        (f"8 / 4 / 2 + {ZERO} == 1", "supported"),
        (f"-2 * -(3 - 1) - -{ZERO} == 4", "supported"),
        (f"0.1 + 0.2 + {ZERO} == 0.3", "supported"),
        (f"-{RECALL} < -0.86", "supported"),
        (f"{CHANGE} * {CHANGE} >= -0.0005", "supported"),
        (f"{CHANGE} - {CHANGE} == 0", "can't be told"),
        # no value, and divisors that may be 0
        ("denoising.denoising_mse['noisy input'].epochs < 5", "can't be told"),
        ("denoising.denoising_mse['noisy input'].epochs == 'x'", "can't be told"),
        (f"1 / {CHANGE} > -1000", "can't be told"),
        (f"{MSE} / 0 > 1", "can't be told"),
        (f"{MSE} / {ZERO} * 0 == 0", "can't be told"),
        (f"{MSE} > 1 != 1 / {ZERO}", "not supported"),
        # texts
        ("denoising.denoising_mse['noisy input'].model == 'none'", "supported"),
        ("denoising.denoising_mse['noisy input'].model != \"none\"", "not supported"),
        ("denoising.denoising_mse['noisy input'].model == 'None'", "not supported"),
    ],
)
def test_a_claim_has_the_verdict_that_its_cells_give(claim: str, verdict: str) -> None:
    assert judged(claim).verdict == Verdict(verdict)


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
@pytest.mark.parametrize(
    "formula",
    ["a + b", "a - b", "a * b", "a / (b + 5)", "a - b * 2", "-(a - 1) * b", "(a + b) / 4 - 1"],
)
def test_verdicts_are_those_of_trying_every_value_in_the_intervals(formula: str, sign: str) -> None:
    bounds = [(-3, -1), (-2, 0), (-1, 2), (0, 0), (1, 4)]
    comparison = parse(
        re.sub(r"\b([ab])\b", r"e.t['\1'].x", formula) + f" {sign} 1"  # each cell stands once
    )
    for (a_low, a_high), (b_low, b_high) in product(bounds, bounds):
        cells = table(
            "t",
            {"name": "a", "x": a_low, "x_low": a_low, "x_high": a_high},
            {"name": "b", "x": b_low, "x_low": b_low, "x_high": b_high},
        )
        tried = {
            eval(f"{formula} {sign} 1", {"a": Fraction(a, 2), "b": Fraction(b, 2)})
            for a in range(2 * a_low, 2 * a_high + 1)
            for b in range(2 * b_low, 2 * b_high + 1)
        }
        expected = {(True,): "supported", (False,): "not supported"}.get(
            tuple(tried), "can't be told"
        )
        assert judge(comparison, {"e": {"t": cells}}).verdict == Verdict(expected), cells.rows


def test_the_cells_with_their_intervals_are_the_evidence_in_reading_order() -> None:
    evidence = judged(f"{RECALL} > 0.5 + {MSE} < {RECALL}").evidence
    assert evidence == (
        Evidence("lstm", Cell("thresholds", 1, "recall"), 0.88, (0.87, 0.89)),
        Evidence("denoising", Cell("denoising_mse", 1, "test_mse"), 0.0175),
    )


def test_the_cells_that_a_claim_names_are_known_once_it_is_read() -> None:
    cells = parse(f"{RECALL} > 0.5 + {MSE} < {RECALL}").cells
    assert [(c.experiment, c.table, c.row, c.column) for c in cells] == [
        ("lstm", "thresholds", "0.5", "recall"),
        ("denoising", "denoising_mse", "denoising autoencoder", "test_mse"),
    ]


@pytest.mark.parametrize("row", ["1", "1.0", "1e0", "'1'", '"1.0"', " 1 "])
def test_a_row_is_found_however_its_number_is_written(row: str) -> None:
    assert judged(f"lstm.thresholds[{row}].recall == 0").evidence[0].cell.row == 3


def test_a_row_called_by_a_text_with_quotes_of_the_other_kind_is_found() -> None:
    tables = {"my-lab": {"t": table("t", {"name": "'naïve' Bayes", "x": 1})}}
    assert judge(parse("my-lab.t[\"'naïve' Bayes\"].x-1 == 0"), tables).verdict.value == "supported"


def test_an_experiment_that_was_left_out_leaves_the_verdict_open_without_evidence() -> None:
    comparison = parse(f"{RECALL} > {MSE}")
    without = judge(comparison, {"lstm": TABLES["lstm"]}, absent=["denoising"])
    assert without.verdict == Verdict.CANT_TELL
    assert [evidence.experiment for evidence in without.evidence] == ["lstm"]


# ---------------------------------------------------------------------------------- wrong names


@pytest.mark.parametrize(
    ("claim", "place", "problem"),
    [
        ("lsmt.thresholds[0.5].recall > 0", 1, "experiment called 'lsmt'. Did you mean 'lstm'?"),
        (
            "0 < lstm.threshold[0.5].recall",
            5,
            "table of 'lstm' called 'threshold'. Did you mean 'thresholds'?",
        ),
        (
            "denoising.denoising_mse['denoising autoencode'].test_mse < 1",
            1,
            "row of 'denoising_mse' called 'denoising autoencode'. "
            "Did you mean 'denoising autoencoder'?",
        ),
        ("lstm.thresholds[0.50001].recall < 1", 1, "called '0.50001'. Did you mean '0.5'?"),
        ("lstm.thresholds[44].recall < 1", 1, "called '44'. Known: 0.3, 0.5, 0.7, 1."),
        (
            "lstm.thresholds[0.5].recal < 1",
            1,
            "column of 'thresholds' called 'recal'. Did you mean 'recall'?",
        ),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest_right_one(
    claim: str, place: int, problem: str
) -> None:
    message = error_of_names(claim)
    assert message.startswith(f"The claim {claim!r}, character {place}: there is no ")
    assert message.endswith(problem)


def test_a_wrong_experiment_is_told_before_there_are_tables() -> None:
    check_names(parse(f"{RECALL} > {MSE}"), ["denoising", "lstm"])
    with pytest.raises(SettingsError, match=r"no experiment called 'lstm'. Did you mean 'lst'\?"):
        check_names(parse(f"{MSE} < {RECALL}"), ["denoising", "lst"])


def test_a_name_that_several_rows_have_is_refused() -> None:
    tables = {"e": {"t": table("t", {"name": 1, "x": 1}, {"name": 1.0, "x": 2})}}
    with pytest.raises(SettingsError, match=r"character 5: 't' has several rows called '1'"):
        judge(parse("3 > e.t[1].x"), tables)


@pytest.mark.parametrize(
    ("claim", "place"),
    [
        ("denoising.denoising_mse['noisy input'].model < 1", 46),
        ("denoising.denoising_mse['noisy input'].model == 1", 46),
        ("1 < denoising.denoising_mse['noisy input'].model + 1", 50),
        ("1 < -denoising.denoising_mse['noisy input'].model", 5),
    ],
)
def test_a_cell_with_a_text_is_refused_where_a_number_is_needed(claim: str, place: int) -> None:
    assert re.search(
        rf"character {place}: expected .*numbers.*, got a text\.$", error_of_names(claim)
    )


# ----------------------------------------------------------------------------- malformed claims


@pytest.mark.parametrize(
    ("claim", "place", "problem"),
    [
        ("", 1, "expected a number, a text in quotes, '(' or EXPERIMENT.TABLE["),
        ("   ", 4, "got the end."),
        (MSE, 58, "expected a comparison, got the end. Known: !=, <, <=, ==, >, >=."),
        (f"{MSE} <", 60, "got the end."),
        (f"{MSE} < <", 61, "got '<'."),
        (f"{MSE} = 0.02", 59, "expected a comparison, got '='. Did you mean '=='?"),
        (f"{MSE} <> 0.02", 59, "got '<>'. Did you mean '!='?"),
        (f"{MSE}≤0.02", 58, "got '≤'. Did you mean '<='?"),
        (f"{MSE} === 0.02", 59, "got '==='. Did you mean '=='?"),
        (f"{MSE} < 1 and {MSE} > 0", 63, "expected another comparison or the end, got 'and'."),
        (f"({MSE} < 0.02)", 60, "expected an operator or ')', got '<'."),
        (f"({MSE} + 1 < 0.02", 64, "expected an operator or ')', got '<'."),
        (f"{MSE}) < 0.02", 58, "expected a comparison, got ')'."),
        (f"{MSE} ** 2 < 1", 60, "got '*'."),
        (f"{MSE} + * 2 < 1", 61, "got '*'."),
        (f"{MSE} < 1e999", 61, "expected a number below 1e308, got '1e999'."),
        (f"{MSE} < 0x10", 62, "got 'x10'."),
        ("1 < 2", 6, "expected EXPERIMENT.TABLE[ROW].COLUMN somewhere before, got the end."),
        ("lstm.thresholds[recall].f1 > 1", 1, "got 'lstm.thresholds[recall].f1'."),
        ("1 > lstm.thresholds[0.5]", 5, "got 'lstm.thresholds[0.5]'."),
        ("lstm.thresholds['0.5].f1 > 1", 1, 'got "lstm.thresholds[\'0.5].f1".'),
        ("lstm.recall > 1", 1, "got 'lstm.recall'."),
        (f"'a' < {MSE}", 5, "got a text."),
        (f"{MSE} + 'a' < 1", 59, "got a text."),
        (f"{MSE} < 1 == 'a'", 63, "got a text."),
        (f"{MSE} < 'a'", 59, "got a text."),
    ],
)
def test_a_malformed_claim_is_told_with_its_place_and_what_was_expected(
    claim: str, place: int, problem: str
) -> None:
    message = error(claim)
    assert message.startswith(f"The claim {claim!r}, character {place}: expected ")
    assert problem in message


HOSTILE = [
    "__import__('pathlib').Path('run').touch()",
    "__import__('pathlib').Path('run').touch() < 1",
    "exec(\"open('run', 'w')\") == 0",
    "(lambda: open('run', 'w'))() == 0",
    "[open(f, 'w') for f in ['run']] == 0",
    "f'{open(\"run\", \"w\")}' == ''",
    "(x := open('run', 'w')) == 0",
    "lstm.thresholds[open('run', 'w')].recall < 1",
    "lstm.thresholds[0.5].recall.__class__ < 1",
    "lstm.thresholds[0.5].recall if 1 else 2",
    "10**10**10 < 1",
    f"{MSE} < 10**10**10",
    f"{MSE} < 9e99999999",
    f"{MSE} < {'9' * 400}",
    "(" * 300 + MSE + ")" * 300 + " < 1",
    "(" * 200 + MSE + " < 1",
    "-" * 400 + MSE + " < 1",
    "[" * 400,
    "'" * 399,
    "a." * 249,
    "a" * 499,
    "a-" * 249,
    f"{MSE} < 1\0",
    "\0",
    "\ud800",
    "\\",
    f"{MSE} < ٣",
    f"{MSE} \N{FULLWIDTH LESS-THAN SIGN} 1",
    f"{MSE}\N{NO-BREAK SPACE}< 1",
    f"{MSE} < 1 # open",
    f"{MSE} < 1; import os",
    f"{MSE} < 1\n__import__('os')",
    "{{ config }} < 1",
    "<script>alert(1)</script>",
    f"{MSE} < 1 " * 100_000,
    "(" * 1_000_000,
]


@pytest.mark.parametrize("claim", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_ends_in_a_short_error_and_runs_nothing(claim: str) -> None:
    message = error(claim)
    assert re.match(r"The claim ['\"].*, character \d+: expected .*, got .*\.", message)
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 3 * MAX_LENGTH
    assert list(Path().iterdir()) == []


def test_the_longest_claims_allowed_are_judged() -> None:
    for claim in ("1+" * 220 + ZERO + "==220", "1<" * 2 + "1*" * 220 + ZERO + "<1"):
        assert len(claim) <= MAX_LENGTH
        judged(claim)


def test_large_numbers_are_reckoned_exactly() -> None:
    large = "*".join(["1e300"] * 30)
    assert judged(f"{large} - {large} + {ZERO} == 0").verdict == Verdict.SUPPORTED


def test_the_deepest_nesting_allowed_is_judged() -> None:
    assert judged("(" * 19 + f"-{MSE}" + ")" * 19 + " < 0").verdict == Verdict.SUPPORTED
