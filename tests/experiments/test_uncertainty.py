"""How tables and prose say how sure numbers are."""

from __future__ import annotations

import pytest

from experiments import uncertainty
from reportgen.experiment import Trial
from reportgen.results import Column, Table
from reportgen.statistics import Interval

ERROR = Column("error", "Error", "mean over images", "nats", ".4f")


def test_an_interval_and_a_spread_make_the_columns_that_belong_together() -> None:
    columns = (*uncertainty.interval_columns(ERROR, "images"), *uncertainty.seed_columns(ERROR))
    row = uncertainty.interval_cells("error", 0.5, Interval(0.25, 0.75))
    row |= uncertainty.seed_cells("error", [1.0, 2.0, 3.0])
    table = Table("t", "", columns, (row,))
    assert table.rows[0] == {
        "error": 0.5,
        "error_low": 0.25,
        "error_high": 0.75,
        "error_mean": 2.0,
        "error_sd": 1.0,
    }
    assert "95 % interval over images" in table.column("error_low").description


def test_an_interval_that_does_not_exist_is_empty() -> None:
    cells = uncertainty.interval_cells("error", 0.5, None)
    assert cells == {"error": 0.5, "error_low": None, "error_high": None}


def test_one_seed_has_no_deviation() -> None:
    with pytest.raises(ValueError, match="one value"):
        uncertainty.seed_cells("error", [1.0])


def test_a_value_that_one_seed_lacks_has_no_spread() -> None:
    assert uncertainty.seed_cells("error", [1.0, None]) == {"error_mean": None, "error_sd": None}


def test_a_trial_is_named_with_its_seed_once() -> None:
    plain = Trial("lstm", "module:train", {}, 3, "LSTM")
    labelled = Trial("lstm", "module:train", {}, 4, "LSTM, seed 4")
    assert uncertainty.named(plain, labelled) == "LSTM, seed 3; LSTM, seed 4"


@pytest.mark.parametrize(
    ("seeds", "said"),
    [((3,), "trained once"), ((3, 4, 5), "Every model was trained {count} times")],
)
def test_what_seeds_cover_is_said(seeds: tuple[int, ...], said: str) -> None:
    text = uncertainty.about_seeds(seeds)
    assert said in text.text
    assert [v.value for v in text.values.values()] == ([3] if len(seeds) == 1 else [3, 3, 5])
