"""The main job: settings in, trials run, sections told, report written."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from reportgen import provenance
from reportgen.engine.executors import available_cores
from reportgen.engine.progress import Observer
from reportgen.engine.run import Outcome, Planned, local_executors, plan, run
from reportgen.engine.store import Store
from reportgen.errors import ReportgenError
from reportgen.experiment import DataOptions, Dataset, Evidence, Experiment, Trial
from reportgen.registry import Registry, sources
from reportgen.render.files import write_report, write_text
from reportgen.results import Identity, Report, Section, read, to_json
from reportgen.settings import FORMATS, ReportOptions, Settings, fields_of

THREADS = 1
"""Threads of each training, the same for all, so that their times can be compared."""


@dataclass(frozen=True)
class Built:
    """What a build left: the report, the files written, and what could not be done."""

    report: Report
    written: tuple[Path, ...]
    problems: tuple[str, ...]
    stale: tuple[Path, ...] = ()
    """Documents of an earlier build that were not written again."""


def build(settings: Settings, registry: Registry, observer: Observer) -> Built:
    """Build the report that the settings ask for.

    Raises RequestError, before anything is run or written, if the request can't be met. What fails
    later is told in the report and in ``problems``.
    """
    store = Store(settings.out / "store")
    with store.lock(), observer:
        experiments = registry.in_order(settings.selected)
        datasets = prepare_data(experiments, settings, observer)
        wanted = {e.name: trials_of(e, settings) for e in experiments}
        planned = plan(
            ((t, datasets[e.source.name]) for e in experiments for t in wanted[e.name]),
            store,
            observer,
        )
        log_of(store).unlink(missing_ok=True)
        executors = local_executors(jobs_of(settings), THREADS, log_of(store))
        outcome = run(planned, store, executors, observer)
        observer.note("Writing the report.")
        sections = {
            e.name: tell(e, settings, datasets[e.source.name], wanted[e.name], outcome, store)
            for e in experiments
        }
        for name, error in settings.broken.items():
            sections[name] = Section(name, name, "", error=error)
        report = assemble(settings, registry, sections, datasets, planned, outcome)
        return _write(report, settings)


def render(settings: Settings) -> Built:
    """Write the report again from ``results.json``; what the settings say of the cover is new.

    Raises RequestError if there is no ``results.json``, or it is broken.
    """
    report = read(settings.out / "results.json")
    given = {
        name: value
        for name, (spec, _) in fields_of(ReportOptions).items()
        if (value := getattr(settings.report, name)) != spec.default
    }
    report = replace(report, identity=replace(report.identity, **given))
    return _write(report, settings)


def prepare_data(
    experiments: list[Experiment[Any]], settings: Settings, observer: Observer
) -> dict[str, Dataset]:
    """The datasets that the experiments use, found and ready, by name. Raises DataError."""
    options = data_options(settings, observer.note)
    return {name: source.prepare(options) for name, source in sources(experiments).items()}


def data_options(settings: Settings, notify: Callable[[str], None]) -> DataOptions:
    """Where data may come from, by the settings."""
    import platformdirs

    directory = Path(settings.build.data_dir) if settings.build.data_dir else None
    cache = settings.build.cache_dir or platformdirs.user_cache_dir("reportgen")
    return DataOptions(settings.build.data, directory, Path(cache), notify)


def trials_of(experiment: Experiment[Any], settings: Settings) -> list[Trial]:
    """The trainings that an experiment needs with these settings."""
    others = {name: settings.experiments[name] for name in experiment.reads}
    own = settings.experiments[experiment.name]
    return list(experiment.trials(own, settings.build.seed, others))


def tell(
    experiment: Experiment[Any],
    settings: Settings,
    dataset: Dataset,
    trials: list[Trial],
    outcome: Outcome,
    store: Store,
) -> Section:
    """The experiment's chapter; one that says what went wrong, if something did."""
    failures = [f"{t.label}: {outcome.failures[t]}" for t in trials if t in outcome.failures]
    if not failures:
        results = {trial: outcome.entries[trial].result for trial in trials}
        own = settings.experiments[experiment.name]
        build_options = settings.build
        evidence = Evidence(own, build_options.preset, build_options.seed, dataset, results)
        try:
            return experiment.section(evidence)
        except Exception as error:  # an experiment's error must not take the others with it
            with open(log_of(store), "a", encoding="utf-8") as log:
                traceback.print_exc(file=log)
            failures = [f"its results can't be told: {type(error).__name__}: {error}"]
    return Section(
        experiment.name,
        experiment.title,
        experiment.question,
        dataset.summary,
        error="; ".join(failures),
    )


def assemble(
    settings: Settings,
    registry: Registry,
    sections: Mapping[str, Section],
    datasets: Mapping[str, Dataset],
    planned: list[Planned],
    outcome: Outcome,
) -> Report:
    """The results object of the whole build."""
    identity = settings.report
    command = provenance.command(settings)
    entries = {p.trial: outcome.entries[p.trial] for p in planned if p.trial in outcome.entries}
    return Report(
        Identity(
            identity.title,
            identity.author,
            identity.student_id,
            identity.course,
            identity.date or _today(),
        ),
        settings.build.preset,
        settings.build.seed,
        command,
        sections,
        provenance.appendix(command, settings.build.seed, datasets.values(), entries),
        _titles(registry, set(registry) - set(sections)),
    )


def _titles(registry: Registry, names: set[str]) -> tuple[str, ...]:
    """The titles of the experiments in reading order; those that can't be imported are left out."""
    usable = names - set(registry.broken(names))
    return tuple(experiment.title for experiment in registry.in_order(usable))


def log_of(store: Store) -> Path:
    """The file that takes what trainings print, and the tracebacks of what failed."""
    return store.folder / "log.txt"


def jobs_of(settings: Settings) -> int:
    """How many trainings run at a time."""
    return settings.build.jobs or max(1, available_cores() // THREADS)


def _write(report: Report, settings: Settings) -> Built:
    results = settings.out / "results.json"
    write_text(results, to_json(report))
    written, problems = [results], []
    for section in report.failed:
        problems.append(
            f"The experiment '{section.experiment}' failed: {section.error}. "
            f"Details are in {log_of(Store(settings.out / 'store'))}."
        )
    for product in write_report(report, settings.out, settings.build.format):
        if isinstance(product, ReportgenError):
            problems.append(str(product))
        else:
            written.append(product)
    documents = [settings.out / f"report.{name}" for name in FORMATS]
    stale = (path for path in documents if path.exists() and path not in written)
    return Built(report, tuple(written), tuple(problems), tuple(stale))


def _today() -> str:
    today = date.today()
    return f"{today.day} {today:%B %Y}"
