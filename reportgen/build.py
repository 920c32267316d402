"""The main job: settings in, trials run, chapters told, report written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from reportgen import claims, documents, provenance
from reportgen.chapters import Chapters
from reportgen.documents import Built
from reportgen.engine import devices
from reportgen.engine import explain as explaining
from reportgen.engine.background import in_background
from reportgen.engine.executors import available_cores
from reportgen.engine.explain import Explanation
from reportgen.engine.keys import source_fingerprint, versions
from reportgen.engine.progress import Observer
from reportgen.engine.run import Outcome, Planned, StartExecutor, local_executors, plan, run
from reportgen.engine.shelf import Shelf
from reportgen.engine.store import Store
from reportgen.errors import RequestError
from reportgen.experiment import GPU, DataOptions, Dataset, Experiment, Json, Trial
from reportgen.registry import Registry, sources
from reportgen.results import Identity, Report, Section, read
from reportgen.settings import ReportOptions, Settings, fields_of

THREADS = 1
"""Threads of each training, the same for all, so that their times can be compared."""

PROMPT = 0.5
"""Seconds after which trials whose data are ready do not wait for those of others."""

RENDERERS = ("jinja2", "weasyprint", "matplotlib")
"""The libraries that decide how the documents look."""


def build(
    settings: Settings, registry: Registry, observer: Observer, *, fresh: bool = False
) -> Built:
    """Build the report that the settings ask for; ``fresh`` trains again what is kept.

    The settings are those that :func:`on_device` gave, as for :func:`explain`.

    Raises RequestError, before anything is run or written, if the request can't be met; but trials
    whose data are ready do not wait to hear that others' data can't be read. What fails later is
    told in the report and in ``problems``.
    """
    store = Store(settings.out / "store")
    with store.lock(), observer:
        executors = executors_of(settings, store, observer)
        for claim in settings.report.claims:
            claims.check_names(claims.parse(claim), registry)
        experiments = registry.in_order(settings.selected)
        wanted = {e.name: trials_of(e, settings) for e in experiments}
        datasets = prepare_in_background(experiments, settings, observer)
        log, shelf = log_of(store), Shelf(store.folder / "derived")
        ahead = partial(documents.prepare, formats=settings.build.format, shelf=shelf)
        chapters = Chapters(experiments, settings, wanted, datasets, shelf, log, ahead)

        def explained(planned: Sequence[Planned]) -> None:
            reasons = why(planned, wanted, store, settings, registry, fresh=fresh)
            observer.explained(explaining.in_short(reasons))
            for p in planned if fresh else ():
                store.discard_checkpoint(p.key)

        prompt, late = plans(
            experiments,
            wanted,
            datasets,
            partial(plan, device=settings.device, fresh=fresh),
            store,
            observer,
        )
        log.unlink(missing_ok=True)
        outcome = run(
            prompt,
            store,
            executors,
            observer,
            later=late,
            on_planned=explained,
            on_done=chapters.begin,
        )
        ingredients = ingredients_of(settings, registry, chapters, outcome)
        built = ingredients and documents.unchanged(ingredients, settings.out, shelf)
        if built:
            observer.note("Nothing changed: the report is as it was.")
            return built
        observer.note("Writing the report.")
        sections = chapters.sections(outcome)
        for name, error in settings.broken.items():
            sections[name] = Section(name, name, "", error=error)
        report = assemble(settings, registry, sections, datasets, wanted, outcome)
        built = documents.write(report, settings.out, settings.build.format, shelf, log)
        documents.remember(built, ingredients, settings.out, shelf)
        shelf.prune()
        return built


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
    if own := given.pop("claims", ()):
        report = replace(report, claims=tuple(claims.claim(c, report.experiments) for c in own))
    report = replace(report, identity=replace(report.identity, **given))
    store = Store(settings.out / "store")
    shelf = Shelf(store.folder / "derived")
    return documents.write(report, settings.out, settings.build.format, shelf, log_of(store))


def explain(
    settings: Settings, registry: Registry, observer: Observer, *, fresh: bool = False
) -> list[Explanation]:
    """Why each training of this build is kept or would run; ``fresh`` as if none were kept.

    Runs nothing, takes no lock, and writes nothing but data into the cache, as far as they are
    not there yet. Raises RequestError if the request can't be met.
    """
    store = Store(settings.out / "store")
    experiments = registry.in_order(settings.selected)
    datasets = prepare_in_background(experiments, settings, observer)
    wanted = {e.name: trials_of(e, settings) for e in experiments}
    trials = ((t, datasets[e.source.name].result()) for e in experiments for t in wanted[e.name])
    silent = Observer()  # damage is told as a reason
    planned = plan(trials, store, silent, device=settings.device)
    return why(planned, wanted, store, settings, registry, fresh=fresh)


# ---------------------------------------------------------------------------- data and trials


def prepare_in_background(
    experiments: Sequence[Experiment[Any]], settings: Settings, observer: Observer
) -> dict[str, Future[Dataset]]:
    """The datasets that the experiments use, by name; a future may bring a DataError."""
    options = data_options(settings, observer.note)
    return {
        name: in_background(partial(source.prepare, options))
        for name, source in sources(experiments).items()
    }


def data_options(settings: Settings, notify: Callable[[str], None]) -> DataOptions:
    """Where data may come from, by the settings."""
    import platformdirs

    directory = Path(settings.build.data_dir) if settings.build.data_dir else None
    cache = settings.build.cache_dir or platformdirs.user_cache_dir("reportgen")
    return DataOptions(settings.build.data, directory, Path(cache), notify)


def trials_of(experiment: Experiment[Any], settings: Settings) -> list[Trial]:
    """The trainings that an experiment needs with these settings, its baselines last."""
    others = {name: settings.experiments[name] for name in experiment.reads}
    own, seeds = settings.experiments[experiment.name], settings.seeds_of(experiment.name)
    trainings = [trial for seed in seeds for trial in experiment.trials(own, seed, others)]
    if len(seeds) > 1:
        trainings = [replace(t, label=f"{t.label}, seed {t.seed}") for t in trainings]
    return [*trainings, *experiment.baselines(own, seeds[0], others)]


def plans(
    experiments: Sequence[Experiment[Any]],
    wanted: Mapping[str, Sequence[Trial]],
    datasets: Mapping[str, Future[Dataset]],
    plan: Callable[..., list[Planned]],
    store: Store,
    observer: Observer,
) -> tuple[list[Planned], list[Future[list[Planned]]]]:
    """The plan of the trials whose data are ready at once, and those that come later."""

    def of(name: str) -> list[Planned]:
        dataset = datasets[name].result()
        users = (e for e in experiments if e.source.name == name)
        return plan(((t, dataset) for e in users for t in wanted[e.name]), store, observer)

    coming = [in_background(partial(of, name)) for name in datasets]
    done, _ = wait(coming, timeout=PROMPT)
    prompt = [planned for future in coming if future in done for planned in future.result()]
    return prompt, [future for future in coming if future not in done]


def why(
    planned: Sequence[Planned],
    wanted: Mapping[str, Sequence[Trial]],
    store: Store,
    settings: Settings,
    registry: Registry,
    *,
    fresh: bool = False,
) -> list[Explanation]:
    """Why each planned trial is kept or runs; ``wanted`` has each experiment's trials."""
    values = {
        name: {
            f"{decisive}.{setting}": getattr(settings.experiments[decisive], setting)
            for decisive in (name, *registry[name].reads)
            if decisive in settings.experiments
            for setting in fields_of(registry[decisive].settings)
        }
        for name in settings.experiments
    }
    users = {p.trial: [n for n, trials in wanted.items() if p.trial in trials] for p in planned}
    return explaining.explain(planned, store, values, users, fresh=fresh)


def log_of(store: Store) -> Path:
    """The file that takes what trainings print, and the tracebacks of what failed."""
    return store.folder / "log.txt"


def on_device(settings: Settings) -> Settings:
    """The settings with ``gpu`` in place of ``auto`` where trainings will run on a GPU.

    So the report's command says it. Raises RequestError if a GPU is asked for and can't be had.
    """
    options = settings.build
    if options.cluster and options.device == GPU:
        raise RequestError(
            "--device gpu: with --cluster, trainings run on the processors of its workers only; "
            "leave one of the two out."
        )
    if options.cluster:
        return settings
    return replace(settings, build=replace(options, device=devices.settled(options.device)))


def jobs_of(settings: Settings) -> int:
    """How many trainings run at a time; on a GPU one, as two would compete for its memory."""
    if settings.device == GPU:
        return 1
    return settings.build.jobs or max(1, available_cores() // THREADS)


def executors_of(settings: Settings, store: Store, observer: Observer) -> StartExecutor:
    """Where trainings run: on this machine or the cluster. RequestError if it can't be reached."""
    options = settings.build
    if settings.device == GPU and options.jobs > 1:
        observer.note(f"On a GPU, one model is trained at a time, not {options.jobs} (--jobs).")
    if not options.cluster:
        return local_executors(jobs_of(settings), THREADS, log_of(store), settings.device)
    from reportgen.engine import cluster

    return cluster.executors(options.cluster, options.jobs, THREADS, log_of(store), observer)


# --------------------------------------------------------------------------------- the report


def ingredients_of(
    settings: Settings, registry: Registry, chapters: Chapters, outcome: Outcome
) -> Json:
    """All that decides what is written; None if something failed, which is tried again.

    A date that nobody gave is not among them: a report keeps the day of its last change.
    """
    if outcome.failures or settings.broken:
        return None
    return {
        "chapters": chapters.ingredients(outcome),
        "cover": asdict(settings.report),
        "command": provenance.command(settings),
        "left out": _titles(registry, set(registry) - set(settings.selected)),
        "formats": settings.build.format,
        "environment": provenance.environment(),
        "program": source_fingerprint("reportgen"),
        "renderers": versions(RENDERERS),
    }


def assemble(
    settings: Settings,
    registry: Registry,
    sections: Mapping[str, Section],
    datasets: Mapping[str, Future[Dataset]],
    wanted: Mapping[str, Sequence[Trial]],
    outcome: Outcome,
) -> Report:
    """The results object of the whole build."""
    cover = asdict(settings.report)
    own, absent = cover.pop("claims"), set(registry) - set(sections)
    command = provenance.command(settings)
    trials = dict.fromkeys(trial for trials in wanted.values() for trial in trials)
    entries = {trial: outcome.entries[trial] for trial in trials if trial in outcome.entries}
    data = [dataset.result() for dataset in datasets.values()]
    return Report(
        Identity(**{**cover, "date": cover["date"] or _today()}),
        settings.build.preset,
        settings.build.seed,
        command,
        sections,
        provenance.appendix(command, settings.build.seed, data, entries),
        _titles(registry, absent),
        tuple(claims.claim(claim, sections, absent) for claim in own),
        settings.build.seeds,
    )


def _titles(registry: Registry, names: set[str]) -> tuple[str, ...]:
    """The titles of the experiments in reading order; those that can't be imported are left out."""
    usable = names - set(registry.broken(names))
    return tuple(experiment.title for experiment in registry.in_order(usable))


def _today() -> str:
    today = date.today()
    return f"{today.day} {today:%B %Y}"
