"""Tells the chapters of a build: each as soon as its trainings are done, and never twice."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from functools import cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import reportgen
from reportgen.engine.background import in_background
from reportgen.engine.keys import files_fingerprint, source_fingerprint, versions
from reportgen.engine.run import Outcome
from reportgen.engine.shelf import Shelf
from reportgen.engine.store import Entry
from reportgen.experiment import Dataset, Evidence, Experiment, Json, Trial
from reportgen.results import Figure, Section, section_from_json, to_json
from reportgen.settings import Settings

LIBRARIES = ("numpy", "scipy", "scikit-learn")
"""The libraries that chapters count and compare with."""


class Chapters:
    """The chapters of one build, and their figures, on a shelf."""

    def __init__(
        self,
        experiments: Sequence[Experiment[Any]],
        settings: Settings,
        wanted: Mapping[str, Sequence[Trial]],
        datasets: Mapping[str, Future[Dataset]],
        shelf: Shelf,
        log: Path,
        prepare: Callable[[Sequence[Section]], None] = lambda sections: None,
    ) -> None:
        """``prepare`` is given the first chapters of the report while others are trained."""
        self._experiments, self._settings, self._wanted = experiments, settings, wanted
        self._datasets, self._shelf, self._log = datasets, shelf, log
        self._prepare, self._preparing = prepare, True
        self._told: dict[str, Future[Section]] = {}
        self._one_at_a_time = threading.Lock()

    def begin(self, outcome: Outcome) -> None:
        """Begin to tell, in the background, the chapters whose trials are all done."""
        for experiment in self._experiments:
            trials = self._wanted[experiment.name]
            if experiment.name not in self._told and outcome.has(trials):
                done = Outcome(dict(outcome.entries), dict(outcome.failures))
                told = in_background(partial(self._tell, experiment, done))
                self._told[experiment.name] = told
                told.add_done_callback(self._look_ahead)

    def sections(self, outcome: Outcome) -> dict[str, Section]:
        """All chapters by experiment, in reading order; every trial is done."""
        self._preparing = False
        self.begin(outcome)
        told = {e.name: self._told[e.name].result() for e in self._experiments}
        with self._one_at_a_time:  # what is being prepared is of use when it is ready
            return told

    def ingredients(self, outcome: Outcome) -> Json:
        """All that decides what the chapters say."""
        return [self._ingredients(experiment, outcome) for experiment in self._experiments]

    def _tell(self, experiment: Experiment[Any], outcome: Outcome) -> Section:
        """One chapter, and its figures drawn."""
        trials, dataset = self._wanted[experiment.name], self._dataset(experiment)
        failures = [f"{t.label}: {outcome.failures[t]}" for t in trials if t in outcome.failures]
        if failures:
            return _failed(experiment, dataset, failures)
        with self._one_at_a_time:  # matplotlib's settings are those of the process
            ingredients = self._ingredients(experiment, outcome)
            try:
                text = self._shelf.text(
                    ingredients, lambda: to_json(self._section(experiment, dataset, outcome))
                )
                section = section_from_json(text)
                for figure in section.figures.values():
                    drawing(figure, self._shelf)
            except Exception as error:  # an experiment's error must not take the others with it
                with open(self._log, "a", encoding="utf-8") as log:
                    traceback.print_exc(file=log)
                return _failed(
                    experiment,
                    dataset,
                    [f"its results can't be told: {type(error).__name__}: {error}"],
                )
        return section

    def _look_ahead(self, _: Future[Section]) -> None:
        """Prepare the chapters that are told and before which none is missing."""
        with self._one_at_a_time:
            futures = (self._told.get(e.name) for e in self._experiments)
            told = takewhile(lambda future: future is not None and future.done(), futures)
            sections = [future.result() for future in told if future is not None]
            if self._preparing and sections:
                with suppress(Exception):  # what is wrong is told when the report is written
                    self._prepare(sections)

    def _section(self, experiment: Experiment[Any], dataset: Dataset, outcome: Outcome) -> Section:
        results = {t: outcome.entries[t].result for t in self._wanted[experiment.name]}
        own, preset = self._settings.experiments[experiment.name], self._settings.build.preset
        seeds = self._settings.seeds_of(experiment.name)
        return experiment.section(Evidence(own, preset, seeds, dataset, results))

    def _dataset(self, experiment: Experiment[Any]) -> Dataset:
        return self._datasets[experiment.source.name].result()

    def _ingredients(self, experiment: Experiment[Any], outcome: Outcome) -> Json:
        settings, dataset = self._settings, self._dataset(experiment)
        trials = [outcome.entries[t] for t in self._wanted[experiment.name]]
        return {
            "experiment": experiment.name,
            "settings": asdict(settings.experiments[experiment.name]),
            "preset": settings.build.preset,
            "seeds": settings.seeds_of(experiment.name),
            "data": [asdict(dataset.summary), dict(dataset.facts)],
            "trials": [_identity(entry) for entry in trials],
            "code": _code(type(experiment).__module__),
            "libraries": versions(LIBRARIES),
        }


def drawing(figure: Figure, shelf: Shelf) -> str:
    """The figure as SVG, drawn only if it was not drawn before."""

    def draw() -> str:
        from reportgen.render import figures

        return figures.svg(figure)

    return shelf.text({"figure": to_json(figure), "drawn by": _pens()}, draw)


def _failed(experiment: Experiment[Any], dataset: Dataset, failures: Iterable[str]) -> Section:
    """A chapter that says what went wrong."""
    name, title, question = experiment.name, experiment.title, experiment.question
    return Section(name, title, question, dataset.summary, error="; ".join(failures))


def _identity(entry: Entry) -> Json:
    """What tells a training's result from every other: its times are those of this one run."""
    return [dict(entry.ingredients), asdict(entry.cost), dict(entry.result.history)]


@cache
def _code(module: str) -> Json:
    """The source that tells chapters: the experiment's package, and what it is built on."""
    names = ("experiment.py", "results.py", "statistics.py")
    contracts = [_package() / name for name in names]
    return [source_fingerprint(module), files_fingerprint(contracts)]


@cache
def _pens() -> Json:
    """The source that draws figures, and what it draws with."""
    render = _package() / "render"
    source = [render / name for name in ("figures.py", "lean.py", "text.py")]
    fonts = (_package() / "templates" / "fonts").glob("*.ttf")
    return [files_fingerprint([*source, *fonts]), versions(("matplotlib", "numpy"))]


def _package() -> Path:
    return Path(reportgen.__file__).parent
