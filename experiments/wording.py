"""Pieces of prose, tables and figures that the chapters share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from reportgen.results import Column, LinePanel, Scalar, Series, Table, Value

Course = Literal["falls", "rises", "varies"]


def hyperparameters(settings: Any, caption: str) -> Table:
    """The table ``hyperparameters``: every field of a settings dataclass, its value and meaning."""
    columns = (
        Column("setting", "Setting", "name on the command line and in the settings file"),
        Column("value", "Value", "value in this report"),
        Column("meaning", "Meaning"),
    )
    rows = tuple(
        {
            "setting": field.name,
            "value": _plain(getattr(settings, field.name)),
            "meaning": field.metadata["help"],
        }
        for field in dataclasses.fields(settings)
    )
    return Table("hyperparameters", caption, columns, rows)


def _plain(value: Any) -> Scalar:
    """A setting's value as a table's cell: several values as one text."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


def loss_panel(title: str, history: Mapping[str, Sequence[float]]) -> LinePanel:
    """Training and validation loss by epoch, from 1."""
    epochs = tuple(float(epoch + 1) for epoch in range(len(history["loss"])))
    return LinePanel(
        (
            Series("training", epochs, tuple(history["loss"])),
            Series("validation", epochs, tuple(history["val_loss"]), "dashed", "validation"),
        ),
        title,
    )


def course(values: Sequence[float]) -> Course:
    """Whether the values fall at every step, rise at every step, or neither."""
    steps = list(pairwise(values))
    if all(after < before for before, after in steps):
        return "falls"
    return "rises" if all(after > before for before, after in steps) else "varies"


LEAST_P = 0.001
"""The format for p-values shows smaller ones as ``< 0.001``."""


def p_is(p_value: float) -> str:
    """What stands before a p-value in a sentence, so that it reads ``p = 0.012``, ``p < 0.001``."""
    return "p" if p_value < LEAST_P else "p ="


def listing(name: str, values: Sequence[Value]) -> tuple[str, dict[str, Value]]:
    """Places for values in a sentence, ``{name0}, {name1} and {name2}``, and what fills them."""
    places = {f"{name}{index}": value for index, value in enumerate(values)}
    return joined([f"{{{place}}}" for place in places]), places


def joined(words: Sequence[str]) -> str:
    """Words as English lists them: ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
