"""Pieces of prose that the chapters share."""

from __future__ import annotations

import pytest

from experiments.wording import p_is
from reportgen.render.text import formatted


@pytest.mark.parametrize(
    ("p_value", "expected"),
    [
        (0.25, "p = 0.250"),
        (0.001, "p = 0.001"),
        (0.00099, "p < 0.001"),
        (0.0, "p < 0.001"),
        (1.0, "p = 1.000"),
    ],
)
def test_a_p_value_is_a_sentence_that_reads(p_value: float, expected: str) -> None:
    assert f"{p_is(p_value)} {formatted(p_value, 'p')}" == expected
