"""What everyday use costs: the unchanged build, small changes, the start, workers, arithmetic.

    python tests/benchmarks/daily.py [unchanged] [title] [template] [help] [workers] [arithmetic]
        [--json benchmarks.json] [--built FOLDER] [--cache-dir FOLDER] [--data-dir FOLDER]

``unchanged``, ``title`` and ``template`` build again what lies in ``--built``, by the command
that its ``results.json`` names; they work on a copy. Without ``--built`` they first build a quick
report on the embedded sample, which ``arithmetic`` does not take: it counts the operations of a
full build on the real data. With ``--built``, ``--cache-dir`` is the cache of that build, without
which the data are prepared again before the measuring. ``workers`` trains on ``--data-dir``, and
``--scale`` shortens its trainings. Named none, the four that need nothing are run.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measuring import (
    REPORTGEN,
    Figure,
    Trained,
    keep,
    machine_description,
    measured,
    surroundings,
    table,
    trained,
)
from threadpoolctl import threadpool_limits
from workload import scaled

import reportgen
from experiments.autoencoder import AutoencoderExperiment, AutoencoderSettings
from reportgen.engine.progress import Observer
from reportgen.engine.run import local_executors, plan, run
from reportgen.engine.store import Store
from reportgen.experiment import DataOptions

HEAVY = ("tensorflow", "keras", "matplotlib", "weasyprint")
"""The packages that an unchanged build must not import."""
PRODUCTS = ("results.json", "report.html", "report.pdf")
TIMES_UNCHANGED, TIMES_CHANGED, TIMES_HELP = 7, 3, 15
SEEDS = range(6)
IMAGES = 60_000


# -------------------------------------------------------------------------------- built reports


@dataclass(frozen=True)
class Report:
    """A built report, to build again: its folder, and the words of the command after ``build``."""

    out: Path
    words: tuple[str, ...]

    def command(self, *more: str) -> list[str]:
        """The command that builds it again."""
        return [REPORTGEN, "build", *self.words, *more]

    def contents(self) -> dict[str, bytes]:
        """The bytes of what was built."""
        return {name: (self.out / name).read_bytes() for name in PRODUCTS}


def report_to_measure(given: argparse.Namespace, place: Path) -> Report:
    """A copy of the given report, or a quick one of the sample, built up to date."""
    out, cache = place / "report", given.cache_dir or place / "cache"
    if given.built:
        shutil.copytree(given.built, out)
        named = json.loads((out / "results.json").read_text("utf-8"))["command"]
        words = shlex.split(named)[2:]
    else:
        words = ["--preset", "quick", "--data", "sample"]
    report = Report(out, (*words, "--out", str(out), "--cache-dir", str(cache)))
    kept = {training.finished for training in trained(out)}
    measured(report.command(), place / "build.log")
    if given.built and {training.finished for training in trained(out)} != kept:
        raise SystemExit(f"{given.built} was out of date: something had to be trained again.")
    return report


def timed(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> float:
    """The wall time of a command in seconds."""
    return round(measured(command, log, environment=environment).wall_seconds, 4)


def unchanged(report: Report, place: Path) -> Figure:
    """Build again with nothing changed; SystemExit if that writes other bytes."""
    before = report.contents()
    times = [timed(report.command(), place / "unchanged.log") for _ in range(TIMES_UNCHANGED)]
    imported = imported_packages(report, place / "imports.log")
    changed = [name for name, content in report.contents().items() if content != before[name]]
    if changed:
        names = ", ".join(changed)
        raise SystemExit(f"Built again, {names} changed. Was the program edited meanwhile?")
    heavy = [name for name in HEAVY if name in imported]
    if heavy:
        print(f"NOTE: the unchanged build imported {', '.join(heavy)}.")
    raw = {"seconds": times, "same_bytes": list(PRODUCTS), "imported_of_the_heavy": heavy}
    return Figure(median(times), raw)


def imported_packages(report: Report, log: Path) -> set[str]:
    """The top-level packages that building again imports, as the interpreter itself tells."""
    measured([sys.executable, "-X", "importtime", *report.command()], log)
    return packages_in(log.read_text("utf-8", "replace"))


def packages_in(importtime: str) -> set[str]:
    """The top-level packages in what ``-X importtime`` printed."""
    lines = (line for line in importtime.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def title_changed(report: Report, place: Path) -> Figure:
    """Build again with another title each time."""
    times = []
    for i in range(TIMES_CHANGED):
        command = report.command("--title", f"Title {i}")
        times.append(timed_change(report, command, place / "title.log"))
    return Figure(median(times), {"seconds": times})


def template_changed(report: Report, place: Path) -> Figure:
    """Build again after a change of the template of all chapters, in a copy of the program.

    It is the worst case: every page of the PDF but the first ones is set again.
    """
    copy = place / "program"
    root = Path(reportgen.__file__).parents[1]
    for package in ("reportgen", "experiments"):
        shutil.copytree(root / package, copy / package)
    environment = {**surroundings(), "PYTHONPATH": str(copy)}
    # -P: the current folder, which may be the checkout, must not come before the copy.
    program = [sys.executable, "-P", "-c"]
    where = [*program, "import reportgen; print(reportgen.__file__)"]
    found = subprocess.run(where, env=environment, capture_output=True, text=True, check=True)
    if Path(found.stdout.strip()).parents[1] != copy:
        raise SystemExit(f"The copy of the program is not the one that runs: {found.stdout}")
    main = "from reportgen.cli import main; main()"
    command = [*program, main, "build", *report.words]
    timed(command, place / "template.log", environment)  # the copy names no commit
    template = copy / "reportgen" / "templates" / "chapter.html.j2"
    text, times = template.read_text("utf-8"), []
    for i in range(TIMES_CHANGED):
        template.write_text(text.replace("</header>", f"<p>Changed: {i}.</p></header>"), "utf-8")
        times.append(timed_change(report, command, place / "template.log", environment))
    return Figure(median(times), {"seconds": times})


def timed_change(
    report: Report, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> float:
    """The wall time of a build in seconds; SystemExit if HTML and PDF are the same after it."""
    before = report.contents()
    seconds = timed(command, log, environment)
    after = report.contents()
    same = [name for name in ("report.html", "report.pdf") if after[name] == before[name]]
    if same:
        raise SystemExit(f"A change did not reach {', '.join(same)}.")
    return seconds


def help_started(place: Path) -> Figure:
    """Start the program for its help."""
    times = [timed([REPORTGEN, "--help"], place / "help.log") for _ in range(TIMES_HELP)]
    return Figure(median(times), {"seconds": times})


# -------------------------------------------------------------------------------------- workers


def two_workers(given: argparse.Namespace, place: Path) -> Figure:
    """Train six seeds of one autoencoder with one worker and with two, in turn: 1, 2, 2, 1."""
    experiment = AutoencoderExperiment()
    options = DataOptions("real", given.data_dir, given.cache_dir or place / "cache")
    dataset = experiment.source.prepare(options)
    standard = AutoencoderSettings(latent_dims=(32,))
    fitted = IMAGES - standard.validation_images
    epochs, images = scaled(standard.epochs, fitted, given.scale)
    settings = replace(standard, epochs=epochs, training_images=images)
    trials = [trial for seed in SEEDS for trial in experiment.trials(settings, seed, {})]

    def train(jobs: int, name: str) -> dict[str, Any]:
        store, observer = Store(place / name / "store"), Observer()
        planned = plan(((trial, dataset) for trial in trials), store, observer)
        began = time.perf_counter()
        outcome = run(planned, store, local_executors(jobs, 1, place / f"{name}.log"), observer)
        seconds = time.perf_counter() - began
        if outcome.failures:
            raise SystemExit(f"Trainings failed: {list(outcome.failures.values())}")
        costs = [entry.cost for entry in outcome.entries.values()]
        return {
            "workers": jobs,
            "wall_seconds": round(seconds, 3),
            "trainings_wall_seconds": [round(cost.wall_seconds, 3) for cost in costs],
            "trainings_cpu_seconds": [round(cost.cpu_seconds, 3) for cost in costs],
        }

    runs = [train(jobs, f"workers-{i}") for i, jobs in enumerate((1, 2, 2, 1))]
    one, two = (
        median(run["wall_seconds"] for run in runs if run["workers"] == jobs) for jobs in (1, 2)
    )
    return Figure(one / two, {"epochs": epochs, "images": images, "runs": runs})


# ----------------------------------------------------------------------------------- arithmetic


def arithmetic(given: argparse.Namespace) -> Figure:
    """How many times longer than its matrix multiplications alone the training took."""
    speed = multiplication_speed()
    rows: list[dict[str, Any]] = []
    for training in trained(given.built):
        if not training.epochs:  # a baseline, which has no steps to count
            continue
        least = operations(training) / speed
        rows.append(
            {
                "training": training.label,
                "gflop": round(operations(training) / 1e9, 1),
                "least_seconds": round(least, 3),
                "cpu_seconds": round(training.cpu_seconds, 3),
                "ratio": round(training.cpu_seconds / least, 3),
            }
        )
    least, cpu = (sum(row[name] for row in rows) for name in ("least_seconds", "cpu_seconds"))
    print(f"One core multiplies float32 matrices at {speed / 1e9:.1f} GFLOP/s.")
    headings = ["training", "GFLOP", "least (s)", "processor (s)", "ratio"]
    print(table(headings, [[str(value) for value in row.values()] for row in rows]), "\n")
    what = "processor time of all trainings over the least that their matrix products need"
    speed = round(speed / 1e9, 2)
    return Figure(cpu / least, {"what": what, "gflop_per_second": speed, "trainings": rows})


def multiplication_speed(size: int = 2048, times: int = 7) -> float:
    """Floating-point operations a second of a large float32 product on one core; the best of some.

    A product of n × n matrices takes 2n³ operations.
    """
    chance = np.random.default_rng(0)
    left, right = (chance.random((size, size), np.float32) for _ in range(2))
    seconds = []
    with threadpool_limits(1):
        for _ in range(times):
            began = time.perf_counter()
            left @ right
            seconds.append(time.perf_counter() - began)
    return float(2 * size**3 / min(seconds))


def operations(training: Trained) -> float:
    """The floating-point operations in the matrix products of a training's steps.

    For each example, or each word of a review, a weight takes 2 operations forwards and 4 back: 2
    for its own gradient and 2 for that of the layer's input, which the first layer of an
    autoencoder does not need. Validation, test, and all that is no matrix product count for
    nothing, nor does padding: so it is a lower bound for a training that computes every product
    of its layers once for every example.
    """
    params, scalars = training.params, training.scalars
    if "latent_dim" in params:
        units = [layer["units"] for layer in scalars["layers"]]
        first, *others = (a * b for a, b in pairwise(units))
        a_step = (4 * first + 6 * sum(others)) * min(
            params["batch_size"], scalars["training_images"]
        )
        return float(a_step * scalars["batches_per_epoch"] * training.epochs)
    gates = 4 * params["units"]
    weights = (params["embedding_dim"] + params["units"]) * gates
    words = scalars["fitted"]["reviews"] * scalars["fitted"]["mean_words_kept"]
    return float(6 * weights * words * training.epochs)


# ----------------------------------------------------------------------------------------- main

AGAIN = {"unchanged": unchanged, "title": title_changed, "template": template_changed}
NEEDS_NOTHING = (*AGAIN, "help")


def measure(given: argparse.Namespace, place: Path) -> dict[str, Figure]:
    """The figures that were asked for."""
    names, figures = given.names or NEEDS_NOTHING, dict[str, Figure]()
    if set(names) & set(AGAIN):
        report = report_to_measure(given, place)
        figures = {name: AGAIN[name](report, place) for name in AGAIN if name in names}
    if "help" in names:
        figures["help"] = help_started(place)
    if "workers" in names:
        name = "workers" if given.scale == 1 else f"workers at scale {given.scale:g}"
        figures[name] = two_workers(given, place)
    if "arithmetic" in names:
        figures["arithmetic"] = arithmetic(given)
    return figures


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choices = [*NEEDS_NOTHING, "workers", "arithmetic"]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(choices)}")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--built", type=Path, help="output folder of a build")
    parser.add_argument("--cache-dir", type=Path, help="cache of prepared data")
    parser.add_argument("--data-dir", type=Path, help="folder with the real data")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the workers' training")
    given = parser.parse_args()
    if unknown := set(given.names) - set(choices):
        parser.error(f"unknown: {', '.join(unknown)}")
    if "workers" in given.names and not given.data_dir:
        parser.error("workers needs --data-dir")
    if "arithmetic" in given.names and not given.built:
        parser.error("arithmetic needs --built")
    machine = machine_description()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(given, Path(temporary))
    keep(given.json, figures, machine)


if __name__ == "__main__":
    main()
