"""Experiments are found by entry points; a broken one is told, not fatal."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from reportgen import registry
from reportgen.errors import ReportgenError, RequestError
from reportgen.registry import GROUP, Registry


def test_the_built_in_experiments_come_through_entry_points() -> None:
    found = registry.installed()
    assert [e.name for e in found.in_order(found)] == ["autoencoder", "denoising", "lstm"]
    assert found.origin("lstm") == "reportgen"


def test_an_unknown_name_gets_the_nearest_right_one(toys: Registry) -> None:
    with pytest.raises(RequestError, match=r"no experiment 'toyy'\. Did you mean 'toy'\?"):
        toys["toyy"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "can't be imported: ModuleNotFoundError"),
        ("toy_experiment:NoSuchName", "can't be imported: AttributeError"),
        ("toy_experiment:ToySource", "is not an experiment of that name"),
        ("toy_experiment:OtherExperiment", "is not an experiment of that name"),
    ],
)
def test_a_broken_entry_point_is_told(toys: Registry, value: str, message: str) -> None:
    broken = Registry([EntryPoint("toy", value, GROUP)])
    assert message in broken.broken(broken)["toy"]
    with pytest.raises(ReportgenError, match="'toy'"):
        broken["toy"]


def test_two_experiments_of_one_name_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("toy", "a:A", GROUP), EntryPoint("toy", "b:B", GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with pytest.raises(ReportgenError, match="'toy' is offered by a:A and b:B"):
        registry.installed()
