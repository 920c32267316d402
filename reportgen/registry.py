"""Finds experiments by their entry points and imports each when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from reportgen.errors import ReportgenError, RequestError, did_you_mean
from reportgen.experiment import DataSource, Experiment

GROUP = "reportgen.experiments"


class Registry(Mapping[str, Experiment[Any]]):
    """Experiments by name. Naming them imports nothing; asking for one imports its module."""

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points = {point.name: point for point in points}
        self._loaded: dict[str, Experiment[Any]] = {}

    def __getitem__(self, name: str) -> Experiment[Any]:
        """The experiment called ``name``.

        Raises RequestError if there is none, ReportgenError if it can't be imported.
        """
        if name not in self._points:
            raise RequestError(f"There is no experiment '{name}'.{did_you_mean(name, self)}")
        if name not in self._loaded:
            self._loaded[name] = _load(self._points[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        """Whether an experiment of this name is offered; imports nothing."""
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        """The names, sorted."""
        return iter(sorted(self._points))

    def __len__(self) -> int:
        """How many experiments are offered."""
        return len(self._points)

    def in_order(self, names: Iterable[str]) -> list[Experiment[Any]]:
        """The named experiments in the order in which the report shows them."""
        return sorted((self[name] for name in names), key=lambda e: (e.order, e.name))

    def broken(self, names: Iterable[str]) -> dict[str, str]:
        """Which of the named experiments can't be imported, and why."""
        problems = {}
        for name in names:
            try:
                self[name]
            except RequestError:
                raise
            except ReportgenError as error:
                problems[name] = str(error)
        return problems

    def module(self, name: str) -> str:
        """The module that holds the experiment, such as ``my_lab.means``; imports nothing."""
        return self._points[name].module

    def origin(self, name: str) -> str:
        """The distribution that offers the experiment, such as ``reportgen``."""
        distribution = self._points[name].dist
        return distribution.name if distribution is not None else ""


def installed() -> Registry:
    """The experiments of all installed packages; two of one name are an error."""
    points = list(entry_points(group=GROUP))
    names = [point.name for point in points]
    for name in set(names):
        rivals = {point.value for point in points if point.name == name}
        if len(rivals) > 1:
            raise ReportgenError(
                f"The experiment '{name}' is offered by {' and '.join(sorted(rivals))}; "
                "uninstall one of the packages."
            )
    return Registry(points)


def sources(experiments: Iterable[Experiment[Any]]) -> dict[str, DataSource]:
    """The data sources that the experiments use, by name."""
    return {experiment.source.name: experiment.source for experiment in experiments}


def _load(point: EntryPoint) -> Experiment[Any]:
    try:
        kind = point.load()
        experiment = kind()
    except Exception as error:
        raise ReportgenError(
            f"The experiment '{point.name}' ({point.value}) can't be imported: {error!r}. "
            "Reinstall or uninstall its package."
        ) from error
    if not isinstance(experiment, Experiment) or experiment.name != point.name:
        raise ReportgenError(
            f"The entry point '{point.name}' ({point.value}) is not an experiment of that name."
        )
    return experiment
