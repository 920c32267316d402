"""Where a report comes from: machine, versions, source state, data, trials; as its appendix."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import reportgen
from reportgen.engine.executors import available_cores
from reportgen.engine.store import Entry
from reportgen.experiment import Dataset, Trial
from reportgen.results import Column, Scalar, Section, Table, prose, ref, section_with
from reportgen.settings import BuildOptions, Settings, default_of, fields_of

WHERE_AND_HOW = ("out", "format", "cache_dir", "jobs", "cluster")
"""Options of a build that do not change its numbers."""
PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn", "matplotlib", "weasyprint")


def command(settings: Settings) -> str:
    """The command that builds these results again, with only what differs from the defaults."""
    words = ["reportgen", "build"]
    for name, (field, _) in fields_of(BuildOptions).items():
        value = getattr(settings.build, name)
        if name in WHERE_AND_HOW or value == default_of(field, settings.build.preset):
            continue
        for entry in value if isinstance(value, tuple) else (value,):
            words += ["--" + name.replace("_", "-"), str(entry)]
    for name, value in settings.changed.items():
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += ["--set", f"{name}={shown.lower() if isinstance(value, bool) else shown}"]
    return shlex.join(words)


def appendix(
    command: str,
    seed: int,
    datasets: Iterable[Dataset],
    entries: Mapping[Trial, Entry],
) -> Section:
    """The appendix: how to reproduce the report, on what it was made, what each trial took."""
    environment = _environment_table()
    data = _data_table(datasets)
    trials = _trials_table(seed, entries)
    on_gpu = any("gpu" in entry.result.scalars for entry in entries.values())
    reproduction = prose(
        f"The numbers of this report are reproduced by `{_escaped(command)}`, with the data of "
        "{data} and the versions of {environment}. On another processor the last digits of a "
        "training can differ.",
        data=ref(data),
        environment=ref(environment),
    )
    devices = prose(
        "{trials} also says which trainings ran on a GPU. The processor (`--device cpu`) or "
        "another GPU gives them other numbers.",
        trials=ref(trials),
    )
    times = prose(
        "{trials} lists every training with its seed and the time it took. Times are measured in "
        "the training process, after its libraries were loaded; processor time counts all its "
        "threads.",
        trials=ref(trials),
    )
    parts: list[tuple[str, list[Any]]] = [
        ("Reproduction", [reproduction, devices] if on_gpu else [reproduction]),
        ("Data", [data]),
        ("Trainings", [times, trials]),
        ("Environment", [environment]),
    ]
    return section_with("appendix", "Provenance", "Appendix", None, parts)


def environment() -> dict[str, str]:
    """The machine and the versions that decide numbers and times, by name."""
    facts = {
        "Operating system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "Processor": _processor(),
        "Cores used at most": str(available_cores()),
        "Python": platform.python_version(),
        "reportgen": reportgen.__version__ + _source_state(),
    }
    return facts | {package: _version(package) for package in PACKAGES}


def _environment_table() -> Table:
    return Table(
        "environment",
        "The machine and the software on which the report was built.",
        (Column("name", "Component"), Column("value", "Version or model")),
        tuple({"name": name, "value": value} for name, value in environment().items()),
    )


def _data_table(datasets: Iterable[Dataset]) -> Table:
    kinds = {"published": "as published", "other": "not the published data", "sample": "SAMPLE"}
    rows = [
        {
            "dataset": dataset.summary.title,
            "kind": kinds[dataset.summary.origin],
            "source": dataset.summary.source,
            "fingerprint": dataset.fingerprint,
        }
        for dataset in datasets
    ]
    return Table(
        "data",
        "The data, where they came from, and the SHA-256 of their contents after preparation.",
        (
            Column("dataset", "Dataset"),
            Column("kind", "Kind"),
            Column("source", "Source"),
            Column("fingerprint", "SHA-256"),
        ),
        tuple(rows),
    )


def _trials_table(seed: int, entries: Mapping[Trial, Entry]) -> Table:
    rows: list[dict[str, Scalar]] = [
        {
            "trial": entry.label,
            "seed": trial.seed,
            "epochs": max((len(values) for values in entry.result.history.values()), default=0),
            "wall_seconds": entry.cost.wall_seconds,
            "cpu_seconds": entry.cost.cpu_seconds,
            "threads": entry.cost.threads,
        }
        for trial, entry in entries.items()
    ]
    columns = [
        Column("trial", "Training"),
        Column("seed", "Seed", f"Seed of all its random choices; the build's is {seed}.", "", "d"),
        Column("epochs", "Epochs", "Epochs that were run.", "", "d"),
        Column("wall_seconds", "Wall time", "Training and evaluation.", "s", ".1f"),
        Column("cpu_seconds", "Processor time", "The same, over all threads.", "s", ".1f"),
        Column("threads", "Threads", "Threads that the training could use.", "", "d"),
    ]
    gpus = [entry.result.scalars.get("gpu") for entry in entries.values()]
    if any(gpus):
        columns.append(Column("device", "Device", "What it ran on, beside these threads."))
        for row, gpu in zip(rows, gpus, strict=True):
            row["device"] = gpu or "processor"
    caption = "Every training behind the report and what it took."
    return Table("trials", caption, tuple(columns), tuple(rows))


def _escaped(text: str) -> str:
    """Text as it can stand in prose, whose braces mark places and whose backticks mark code."""
    return text.replace("{", "{{").replace("}", "}}").replace("`", "'")


def _processor() -> str:
    """The processor's model as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _source_state() -> str:
    """The commit that the program runs from, if it runs from its own checkout."""
    root = Path(reportgen.__file__).parents[1]
    if not (root / ".git").exists():
        return ""
    git = ["git", "-C", str(root)]
    try:
        commit = _output([*git, "rev-parse", "--short=10", "HEAD"])
        changed = _output([*git, "status", "--porcelain", "--untracked-files=no"])
    except (OSError, subprocess.SubprocessError):
        return ""
    return f" (commit {commit}{', with changes' if changed else ''})"


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=5, check=True, env={**os.environ}
    )
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
