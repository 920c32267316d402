"""The command line: parses, calls, prints. The only module that prints, or knows exit codes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

import reportgen
from reportgen.errors import ReportgenError, RequestError

if TYPE_CHECKING:
    from rich.console import Console

    from reportgen.documents import Built
    from reportgen.engine.progress import Observer
    from reportgen.experiment import DataOptions
    from reportgen.registry import Registry
    from reportgen.results import Report, Table
    from reportgen.settings import Settings

INTERRUPTED = 130

Command = TypeVar("Command", bound=Callable[..., Any])


def main() -> None:
    """Run the command line and exit with its code; a user's mistake never shows a traceback."""
    try:
        code = commands.main(standalone_mode=False)
    except ReportgenError as error:
        click.echo(f"Error: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except OSError as error:
        click.echo(f"Error: {error.filename or 'a file'}: {error.strerror or error}.", err=True)
        code = ReportgenError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. Finished trainings are kept; the next build goes on.", err=True)
        code = INTERRUPTED
    sys.exit(code or 0)


# ------------------------------------------------------------------------------ shared options


def options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several click options as one decorator, in the order in which help shows them."""

    def apply(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file.  [default: reportgen.toml, if it is there]",
)
out_option = click.option(
    "--out",
    envvar="REPORTGEN_OUT",
    show_envvar=True,
    metavar="FOLDER",
    help="Folder for everything that is written.  [default: build]",
)
identity_options = options(
    click.option("--title", metavar="TEXT", help="Title on the cover."),
    click.option("--author", metavar="TEXT", help="Author on the cover."),
    click.option("--student-id", metavar="TEXT", help="Student id on the cover."),
    click.option("--course", metavar="TEXT", help="Course on the cover."),
    click.option("--date", metavar="TEXT", help="Date on the cover.  [default: today]"),
)
data_options = options(
    click.option(
        "--data",
        envvar="REPORTGEN_DATA",
        show_envvar=True,
        metavar="auto|real|sample",
        help="'real' never falls back to the embedded sample; 'sample' uses it at once."
        "  [default: auto]",
    ),
    click.option(
        "--data-dir",
        envvar="REPORTGEN_DATA_DIR",
        show_envvar=True,
        metavar="FOLDER",
        help="Folder with your copy of the datasets; looked into first.",
    ),
    click.option(
        "--cache-dir",
        envvar="REPORTGEN_CACHE_DIR",
        show_envvar=True,
        metavar="FOLDER",
        help="Folder for downloads and prepared data.  [default: the system's cache folder]",
    ),
)
device_option = click.option(
    "--device",
    envvar="REPORTGEN_DEVICE",
    show_envvar=True,
    metavar="auto|cpu|gpu",
    help="Where to train: 'cpu' is the processor; 'auto' takes a GPU if one is visible and "
    "TensorFlow is installed with CUDA. On a GPU, one model is trained at a time.  [default: auto]",
)
claim_option = click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="TEXT",
    help="Judge this claim of yours, a comparison over table cells; repeatable.",
)
format_option = click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="html|pdf",
    help="Render only this format; repeatable.  [default: both]",
)
open_option = click.option(
    "--open", "open_it", is_flag=True, help="Open the report when it is done."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(reportgen.__version__, "-V", "--version", message="%(prog)s %(version)s")
def commands() -> None:
    """Run deep-learning lab experiments and write the report.

    'reportgen build' trains what is not trained yet and writes report.html and report.pdf.
    """


# ------------------------------------------------------------------------------------ commands


@commands.command()
@click.option(
    "--only", multiple=True, metavar="NAME", help="Build only this experiment; repeatable."
)
@click.option(
    "--preset",
    envvar="REPORTGEN_PRESET",
    show_envvar=True,
    metavar="quick|standard|thorough",
    help="'quick' takes subsets and few epochs, to try out; 'thorough' trains each model six "
    "times.  [default: standard]",
)
@click.option(
    "--seed",
    type=int,
    envvar="REPORTGEN_SEED",
    show_envvar=True,
    metavar="N",
    help="Seed of every random choice.  [default: 0]",
)
@click.option(
    "--seeds",
    type=int,
    envvar="REPORTGEN_SEEDS",
    show_envvar=True,
    metavar="N",
    help="Train each model N times, to tell results from chance.  [default: 1; thorough: 6]",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change any setting, such as build.seed=3; repeatable. "
    "'reportgen list --settings' names them.",
)
@click.option(
    "--jobs",
    type=int,
    envvar="REPORTGEN_JOBS",
    show_envvar=True,
    metavar="N",
    help="Trainings at a time, of one thread each.  [default: one a core; with --cluster, "
    "one a worker]",
)
@device_option
@click.option(
    "--cluster",
    envvar="REPORTGEN_CLUSTER",
    show_envvar=True,
    metavar="ADDRESS",
    help="Train on the workers of this Dask scheduler, such as tcp://host:8786.",
)
@out_option
@format_option
@data_options
@identity_options
@config_option
@open_option
@claim_option
@click.option("--strict", is_flag=True, help="Exit with 1 if a claim is not supported.")
@click.option("--fresh", is_flag=True, help="Train everything again, whatever is kept.")
@click.option(
    "--explain",
    "only_explain",
    is_flag=True,
    help="Say for each training why it is kept or would run, and stop.",
)
@click.option(
    "--watch",
    "watch_it",
    is_flag=True,
    help="Build again whenever a template, the settings or an experiment is saved, until Ctrl-C.",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more: every epoch as a line.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def build(
    only: tuple[str, ...],
    assignments: tuple[str, ...],
    formats: tuple[str, ...],
    config: Path | None,
    open_it: bool,
    claims: tuple[str, ...],
    strict: bool,
    fresh: bool,
    only_explain: bool,
    watch_it: bool,
    verbose: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Build the report: train what is missing, then write HTML and PDF.

    Trained models are kept in the output folder; what did not change is not trained again.
    """
    from reportgen import registry
    from reportgen.build import build as build_report
    from reportgen.build import on_device

    began = time.monotonic()
    experiments = registry.installed()
    if watch_it:
        return _watch(experiments, config, flags, assignments, quiet)
    settings = _settings(
        experiments, config, flags, assignments, only=only, format=formats, claims=claims
    )
    settings = on_device(settings)
    if only_explain:
        return _explain(settings, experiments, _observer(settings, verbose, quiet), fresh)
    observer = _observer(settings, verbose, quiet)
    built = build_report(settings, experiments, observer, fresh=fresh)
    code = _conclude(built, settings, time.monotonic() - began, quiet=quiet, open_it=open_it)
    if strict:
        for claim in built.unsupported:
            click.echo(f"Error: {claim}", err=True)
    return 1 if strict and built.unsupported else code


@commands.command()
@out_option
@format_option
@identity_options
@claim_option
@config_option
@open_option
def render(
    formats: tuple[str, ...],
    claims: tuple[str, ...],
    config: Path | None,
    open_it: bool,
    **flags: Any,
) -> int:
    """Write HTML and PDF again from results.json, without TensorFlow.

    Title, author and the like can be given anew; all else is as it was built.
    """
    from reportgen import build as building
    from reportgen import registry

    began = time.monotonic()
    settings = _settings(
        registry.installed(), config, flags, format=formats, claims=claims, with_experiments=False
    )
    built = building.render(settings)
    return _conclude(built, settings, time.monotonic() - began, quiet=False, open_it=open_it)


@commands.command()
@out_option
@data_options
@config_option
def verify(config: Path | None, **flags: Any) -> int:
    """Derive every number again from the kept predictions, and compare.

    Nothing is trained and nothing is written. Compares results.json and report.html with what
    follows from the predictions; the exit code is 1 where they differ.
    """
    from reportgen import registry
    from reportgen import verify as verifying

    experiments = registry.installed()
    given = _settings(experiments, config, flags, with_experiments=False)

    def settings_of(report: Report) -> Settings:
        return _settings_of_command(report.command, experiments, flags)

    observer = _observer(given, False, False)
    found = verifying.verify(given.out, settings_of, experiments, observer)
    for difference in found.differences:
        click.echo(str(difference))
    names = " and ".join(str(path) for path in found.files)
    if found.differences:
        places = "1 place" if len(found.differences) == 1 else f"{len(found.differences)} places"
        click.echo(f"Error: {names}: differs in {places}.", err=True)
        return 1
    click.echo(f"{names}: all tables, findings and verdicts follow from the predictions.")
    return 0


@commands.command()
@out_option
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON: {experiment: {table: rows}}.")
@click.option("--all", "all_tables", is_flag=True, help="Show every table, not just the key ones.")
@click.option("--only", multiple=True, metavar="NAME", help="Show this experiment; repeatable.")
def show(
    only: tuple[str, ...], config: Path | None, as_json: bool, all_tables: bool, **flags: Any
) -> None:
    """Show the key tables of the last build."""
    from reportgen import registry, results
    from reportgen.errors import did_you_mean

    settings = _settings(registry.installed(), config, flags, with_experiments=False)
    report = results.read(settings.out / "results.json")
    for name in only:
        if name not in report.experiments:
            hint = did_you_mean(name, report.experiments)
            raise RequestError(f"The report has no experiment '{name}'.{hint}")
    chosen = _chosen_tables(report, only, all_tables)
    if as_json:
        import json

        rows = {name: {t.id: list(t.rows) for t in tables} for name, tables in chosen.items()}
        click.echo(json.dumps(rows, indent=2))
        return
    _print_tables(report, chosen)


@commands.command(name="list")
@click.option("--settings", "with_settings", is_flag=True, help="Also list every setting.")
@click.option(
    "--preset", default="standard", show_default=True, help="Preset whose defaults are shown."
)
def list_experiments(with_settings: bool, preset: str) -> None:
    """List the experiments, and with --settings what can be set."""
    from rich.table import Table

    from reportgen import registry
    from reportgen.errors import did_you_mean
    from reportgen.settings import PRESETS, default_of, fields_of, type_name

    if preset not in PRESETS:
        raise RequestError(f"There is no preset '{preset}'.{did_you_mean(preset, PRESETS)}")
    experiments = registry.installed()
    console = _console()
    broken = experiments.broken(experiments)
    table = Table("name", "question", "what it does", "data", "from", box=None, pad_edge=False)
    usable = experiments.in_order(set(experiments) - set(broken))
    for e in usable:
        table.add_row(e.name, e.question, e.summary, e.source.name, experiments.origin(e.name))
    console.print(table)
    for message in broken.values():
        click.echo(f"Warning: {message}", err=True)
    if not with_settings:
        click.echo("\n'reportgen list --settings' shows what can be set for each.")
        return
    for e in usable:
        table = Table("setting", "default", "meaning", box=None, pad_edge=False)
        for name, (field, kind) in fields_of(e.settings).items():
            default = default_of(field, preset)
            shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
            table.add_row(
                f"{e.name}.{name}", shown, f"{field.metadata['help']} ({type_name(kind)})"
            )
        console.print()
        console.print(table)


@commands.group()
def data() -> None:
    """Show and get the datasets."""


@data.command()
@data_options
@config_option
def status(config: Path | None, **flags: Any) -> None:
    """Show where each dataset is looked for, and what is there."""
    from rich.markup import escape

    from reportgen import registry

    experiments = registry.installed()
    settings = _settings(experiments, config, flags)
    options = _data_options(settings)
    console = _console()
    for source in _sources(experiments).values():
        console.print(f"[bold]{escape(source.title)}[/bold] ({escape(source.name)})")
        for place in source.status(options):
            sign = "[green]✓[/green]" if place.found else "[dim]·[/dim]"
            console.print(
                f"  {sign} {escape(place.place)}: {escape(place.detail)}", highlight=False
            )


@data.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@data_options
@config_option
def fetch(names: tuple[str, ...], config: Path | None, **flags: Any) -> None:
    """Download the datasets into the cache, verified. All of them, or those named."""
    from reportgen import registry
    from reportgen.errors import did_you_mean

    experiments = registry.installed()
    settings = _settings(experiments, config, flags)
    known = _sources(experiments)
    for name in names:
        if name not in known:
            raise RequestError(f"There is no dataset '{name}'.{did_you_mean(name, known)}")
    for name in names or known:
        path = known[name].fetch(_data_options(settings))
        click.echo(f"{known[name].title}: {path}")


@commands.command()
@out_option
@data_options
@device_option
@config_option
def doctor(config: Path | None, **flags: Any) -> int:
    """Check what a build needs, and say what to install."""
    from rich.markup import escape

    from reportgen import doctor as doctor_module
    from reportgen import registry

    experiments = registry.installed()
    settings = _settings(experiments, config, flags)
    console, faults = _console(), 0
    data, device = _data_options(settings), settings.build.device
    for check in doctor_module.examine(experiments, data, settings.out, device):
        sign = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]·[/yellow]"}
        console.print(
            f"{sign[check.ok]} {escape(check.name)}: {escape(check.detail)}",
            highlight=False,
            soft_wrap=True,
        )
        faults += check.ok is False
    click.echo("Everything is in place." if not faults else f"{faults} to mend.")
    return 1 if faults else 0


@commands.command()
@out_option
@config_option
@click.option("--cache", is_flag=True, help="Also remove downloads and prepared data.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--cache-dir", envvar="REPORTGEN_CACHE_DIR", metavar="FOLDER", help="The cache to remove."
)
def clean(config: Path | None, cache: bool, dry_run: bool, **flags: Any) -> None:
    """Remove what builds wrote into the output folder: report, results, trained models."""
    from reportgen import clean as cleaning
    from reportgen import registry

    settings = _settings(registry.installed(), config, flags, with_experiments=False)
    found = cleaning.products(settings.out)
    if cache:
        found += cleaning.cache(_data_options(settings))
    for path in found:
        click.echo(f"{'Would remove' if dry_run else 'Removing'} {path}")
    if not found:
        click.echo(f"There is nothing to remove in {settings.out}.")
    if not dry_run:
        cleaning.remove(found, settings.out)


# ------------------------------------------------------------------------------------- details


def _settings(
    experiments: Registry,
    config: Path | None,
    flags: dict[str, Any],
    assignments: Sequence[str] = (),
    *,
    with_experiments: bool = True,
    **lists: tuple[str, ...],
) -> Settings:
    """The settings from the options of a command; empty lists are not given."""
    from reportgen.settings import ReportOptions, fields_of, load

    cover = fields_of(ReportOptions)
    given: dict[str, Any] = {
        f"{'report' if name in cover else 'build'}.{name}": value for name, value in flags.items()
    }
    for name, value in lists.items():
        given[f"{'report' if name in cover else 'build'}.{name}"] = value or None
    return load(experiments, config, given, assignments, with_experiments=with_experiments)


def _settings_of_command(command: str, experiments: Registry, flags: dict[str, Any]) -> Settings:
    """The settings that a report's command gives, without a file; ``flags`` say where things are.

    The data are those of ``flags``, if it names any.
    """
    import shlex

    try:
        words = shlex.split(command)[2:]
        params = dict(build.make_context("build", words).params)
    except (ValueError, click.ClickException) as error:
        raise RequestError(f"The command that the report names can't be read: {error}.") from error
    assignments, only = params.pop("assignments"), params.pop("only")
    names = ("preset", "seed", "seeds", "data", "data_dir", "device")
    known = {name: params[name] for name in names}
    where = {name: value for name, value in flags.items() if value is not None}
    return _settings(experiments, Path(os.devnull), known | where, assignments, only=only)


def _observer(settings: Settings, verbose: bool, quiet: bool) -> Observer:
    from reportgen.build import jobs_of
    from reportgen.engine.progress import LiveObserver, Observer, PlainObserver

    console = _console(stderr=True)
    if quiet:
        return Observer()
    if console.is_terminal and not verbose:
        return LiveObserver(console, jobs_of(settings))
    return PlainObserver(console, jobs_of(settings), verbose)


def _explain(settings: Settings, experiments: Registry, observer: Observer, fresh: bool) -> int:
    """Print why each training is kept or would run; the exit code."""
    from reportgen import build as building
    from reportgen.engine.explain import told

    explanations = building.explain(settings, experiments, observer, fresh=fresh)
    for line in told(explanations, building.jobs_of(settings)):
        click.echo(line)
    for message in settings.broken.values():
        click.echo(f"Warning: {message}", err=True)
    left_out = sorted(set(experiments) - set(settings.selected))
    if settings.build.only and left_out:
        click.echo(f"Left out by --only: {', '.join(left_out)}.")
    return 0


def _watch(
    experiments: Registry,
    config: Path | None,
    flags: dict[str, Any],
    assignments: Sequence[str],
    quiet: bool,
) -> int:
    """Build again and again until Ctrl-C; the exit code.

    Experiments and their settings are left to each build: a mistake there can be mended meanwhile.
    """
    from reportgen import watch

    def say(message: str) -> None:
        if not quiet:
            click.echo(message, err=True)

    settings = _settings(experiments, config, flags, assignments, with_experiments=False)
    sources = watch.watched(experiments, config, settings.out)
    try:
        watch.watch(watch.build_command(sys.orig_argv), sources, say)
    except KeyboardInterrupt:
        say("No longer watching.")
    return INTERRUPTED


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


def _data_options(settings: Settings) -> DataOptions:
    from reportgen.build import data_options

    return data_options(settings, lambda message: click.echo(message, err=True))


def _sources(experiments: Registry) -> dict[str, Any]:
    from reportgen.registry import sources

    return sources(experiments.in_order(set(experiments) - set(experiments.broken(experiments))))


def _conclude(
    built: Built, settings: Settings, seconds: float, *, quiet: bool, open_it: bool
) -> int:
    """Say what was written and what was not; the exit code."""
    from reportgen.engine.progress import duration

    if not quiet:
        click.echo(f"Done in {duration(seconds)}:")
        for path in built.written:
            click.echo(f"  {path}{'/' if path.is_dir() else ''}")
        for path in built.stale:
            click.echo(f"Note: {path} is from an earlier build; it was not written again.")
        for notice in built.notices:
            click.echo(f"Note: {notice}")
    for problem in built.problems:
        click.echo(f"Error: {problem}", err=True)
    if open_it:
        documents = [path for path in built.written if path.suffix in (".pdf", ".html")]
        if documents:
            click.launch(str(documents[-1]))
    return 1 if built.problems else 0


def _chosen_tables(report: Report, only: Sequence[str], all_tables: bool) -> dict[str, list[Table]]:
    return {
        name: [table for table in section.tables.values() if all_tables or table.key]
        for name, section in report.experiments.items()
        if not only or name in only
    }


def _print_tables(report: Report, chosen: dict[str, list[Table]]) -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from reportgen.render.text import formatted

    console = _console()
    for notice in report.notices:
        console.print(Text(notice, style="yellow"))
    for name, tables in chosen.items():
        section = report.experiments[name]
        console.print(Text(f"{section.question} {section.title}", style="bold"))
        if section.error:
            console.print(Text(f"failed: {section.error}", style="red"))
        for table in tables:
            console.print(Text(table.caption))
            grid = Grid(box=box.SIMPLE_HEAD, padding=0)
            for column in table.columns:
                heading = f"{column.title} ({column.unit})" if column.unit else column.title
                side: Literal["left", "right"] = "right" if column.format else "left"
                grid.add_column(Text(heading), justify=side, overflow="fold")
            for row in table.rows:
                grid.add_row(*(Text(formatted(row[c.name], c.format)) for c in table.columns))
            console.print(grid)
