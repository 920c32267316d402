"""Plain Keras and reportgen on the same data, one after the other: times, memory, test metrics.

    python tests/benchmarks/side_by_side.py --data-dir FOLDER [--scale 0.1] [--seeds 3]
        [--json benchmarks.json] [--out FOLDER] [--fail-above 0.5]

Runs ``plain_keras.py``, then ``reportgen build --fresh`` with an empty output folder and an empty
cache, so that preparing the data counts. Both are processes of their own with the machine to
themselves and no limit on threads but their own; the libraries are read from disk once before.

``--scale`` shortens the training of both to that share of the epochs and of the examples (see
``workload.scaled``); the test data stay whole, and what does not depend on the training, such as
loading libraries and writing the report, takes as long as ever. A short run's ratio is therefore
not the full one's, and is kept under another name.

``--seeds N`` goes on with ``reportgen build --fresh --seeds N``, from nothing as well, into another
folder: every model trained N times in one report, against one run of plain Keras.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import (
    GIB,
    REPORTGEN,
    SAMPLING_SECONDS,
    Figure,
    Run,
    keep,
    machine_description,
    measured,
    table,
    trained,
    training_span,
    warm_up,
)
from workload import scaled

from experiments.autoencoder import AutoencoderSettings
from experiments.denoising import DenoisingSettings
from experiments.lstm import LstmSettings

IMAGES, REVIEWS = 60_000, 25_000
"""The training parts of MNIST and IMDB."""

HIGHER_IS_BETTER = {"test_bce": False, "test_mse": False, "accuracy": True, "f1": True}
"""Precision and recall are not judged: at a threshold, each can be bought with the other."""

# ------------------------------------------------------------------------------------- workload


def scaled_settings(scale: float) -> dict[str, int]:
    """The settings that make reportgen do that share of its training; none at scale 1."""
    if scale == 1:
        return {}
    settings: dict[str, int] = {}
    dense = {"autoencoder": AutoencoderSettings(), "denoising": DenoisingSettings()}
    for name, images in dense.items():
        settings |= _scaled(name, "images", images.epochs, IMAGES, images.validation_images, scale)
    reviews = LstmSettings()
    return settings | _scaled(
        "lstm", "reviews", reviews.epochs, REVIEWS, reviews.validation_reviews, scale
    )


def _scaled(
    experiment: str, kind: str, epochs: int, count: int, validation: int, scale: float
) -> dict[str, int]:
    fewer, fitted = scaled(epochs, count - validation, scale)
    return {
        f"{experiment}.epochs": fewer,
        f"{experiment}.training_{kind}": fitted,
        f"{experiment}.validation_{kind}": round(validation * fitted / (count - validation)),
    }


# -------------------------------------------------------------------------------------- metrics


@dataclass(frozen=True)
class Compared:
    """A test metric of both programs."""

    name: str
    plain: float
    own: float
    higher_is_better: bool | None

    @property
    def verdict(self) -> str:
        """What the second one's value is: better, worse, equal, or empty if it is not judged."""
        if self.higher_is_better is None:
            return ""
        if self.own == self.plain:
            return "equal"
        return "better" if (self.own > self.plain) == self.higher_is_better else "WORSE"


def metrics_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """The test metrics in ``results.json``: experiment, then row, then metric."""
    keys = {
        "autoencoder": ("latent_comparison", "latent_dim", ("test_bce", "test_mse")),
        "denoising": ("denoising_mse", "method", ("test_mse",)),
        "lstm": ("thresholds", "threshold", ("accuracy", "precision", "recall", "f1")),
    }
    return {
        name: {
            str(row[key]): {metric: row[metric] for metric in metrics}
            for row in results["experiments"][name]["tables"][id]["rows"]
        }
        for name, (id, key, metrics) in keys.items()
    }


def compared(plain: Mapping[str, Any], own: Mapping[str, Any]) -> list[Compared]:
    """The metrics that both have."""
    found = []
    for experiment, rows in plain.items():
        for row, metrics in rows.items():
            for metric, value in metrics.items():
                other = own[experiment].get(row, {}).get(metric)
                if other is not None:
                    better = None if row == "noisy input" else HIGHER_IS_BETTER.get(metric)
                    name = f"{experiment} {row}: {metric}"
                    found.append(Compared(name, value, other, better))
    return found


# ----------------------------------------------------------------------------------------- runs


def run_plain(given: argparse.Namespace, out: Path) -> tuple[Run, dict[str, Any]]:
    """Run plain Keras; what it took, and its ``metrics.json``."""
    script = Path(__file__).with_name("plain_keras.py")
    command = [sys.executable, str(script), "--data-dir", str(given.data_dir)]
    command += ["--out", str(out), "--scale", str(given.scale)]
    run = measured(command, out.with_suffix(".log"))
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text("utf-8"))
    return run, metrics


def run_reportgen(given: argparse.Namespace, out: Path, seeds: int = 1) -> Run:
    """Build the report from nothing, every model with so many seeds; what it took."""
    command = [REPORTGEN, "build", "--fresh", "--seeds", str(seeds)]
    command += ["--data", "real", "--data-dir", str(given.data_dir)]
    command += ["--out", str(out), "--cache-dir", str(out.with_name(f"{out.name}-cache"))]
    for name, value in scaled_settings(given.scale).items():
        command += ["--set", f"{name}={value}"]
    return measured(command, out.with_name(f"{out.name}.log"))


def overhead(run: Run, out: Path) -> Figure:
    """The share of a build's wall time in which no training ran."""
    trainings = trained(out, since=run.began)
    began, ended = training_span(trainings)
    raw = {
        "wall_seconds": round(run.wall_seconds, 3),
        "seconds_before_training": round(began - run.began, 3),
        "seconds_of_training": round(ended - began, 3),
        "seconds_after_training": round(run.began + run.wall_seconds - ended, 3),
        "trainings": {t.label: round(t.wall_seconds, 3) for t in trainings},
    }
    return Figure(1 - (ended - began) / run.wall_seconds, raw)


def compare(given: argparse.Namespace, place: Path) -> dict[str, Figure]:
    """Run both programs and print them side by side; the figures."""
    warm_up()
    plain, plain_record = run_plain(given, place / "plain")
    report = place / "report"
    builds = {"reportgen": run_reportgen(given, report)}
    results = json.loads((report / "results.json").read_text("utf-8"))
    metrics = compared(plain_record["test"], metrics_of(results))
    if given.seeds > 1:
        title = f"reportgen, {given.seeds} seeds"
        builds[title] = run_reportgen(given, place / "report-seeds", given.seeds)
    print_comparison({"plain Keras": plain, **builds}, metrics)

    own, *more = builds.values()
    figures = {"build": ratio(given.scale, plain, plain_record, own, metrics)}
    figures["overhead"] = overhead(own, report)
    if own.peak_bytes is not None:
        how = {"how": f"sum of PSS over all processes, every {SAMPLING_SECONDS} s"}
        figures["memory"] = Figure(own.peak_bytes / GIB, how | own.record())
    for run in more:
        name = "three_seeds" if given.seeds == 3 else f"{given.seeds}_seeds"
        raw = {"plain": plain.record(), "reportgen": run.record()}
        figures[name] = Figure(run.wall_seconds / plain.wall_seconds, raw)
    if given.scale == 1:
        return figures
    return {f"{name} at scale {given.scale:g}": figure for name, figure in figures.items()}


def ratio(
    scale: float, plain: Run, plain_record: Mapping[str, Any], own: Run, metrics: Sequence[Compared]
) -> Figure:
    """The wall time of one build against plain Keras, with all that was compared."""
    raw = {
        "scale": scale,
        "plain": plain.record() | {"seconds_by_stage": plain_record["seconds"]},
        "reportgen": own.record() | {"settings": scaled_settings(scale)},
        "cpu_ratio": round(own.cpu_seconds / plain.cpu_seconds, 4),
        "metrics": [
            {"name": m.name, "plain": m.plain, "reportgen": m.own, "reportgen_is": m.verdict}
            for m in metrics
        ],
    }
    return Figure(own.wall_seconds / plain.wall_seconds, raw)


def print_comparison(runs: Mapping[str, Run], metrics: Sequence[Compared]) -> None:
    """The times of all runs against the first one's, and the test metrics, side by side."""
    first = next(iter(runs.values()))
    rows = []
    for name, run in runs.items():
        row = [name, f"{run.wall_seconds:.1f}", f"{run.wall_seconds / first.wall_seconds:.3f}"]
        row += [f"{run.cpu_seconds:.1f}", f"{run.cpu_seconds / first.cpu_seconds:.3f}"]
        rows.append([*row, "" if run.peak_bytes is None else f"{run.peak_bytes / GIB:.2f}"])
    headings = ["", "wall (s)", "ratio", "processor (s)", "ratio", "peak memory (GiB)"]
    print(table(headings, rows), "\n")
    shown = [[m.name, f"{m.plain:.5f}", f"{m.own:.5f}", m.verdict] for m in metrics]
    print(table(["test metric (seed 0)", "plain Keras", "reportgen", "reportgen is"], shown))
    judged = [m.verdict for m in metrics if m.verdict]
    held = len(judged) - judged.count("WORSE")
    print(f"{held} of {len(judged)} judged metrics are equal or better.\n")


def main() -> int:
    """Compare, keep the figures; 1 if the ratio is above the given one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the real data")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the training to do")
    parser.add_argument("--seeds", type=int, default=1, help="also build with so many seeds")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--out", type=Path, help="empty folder for what both write, to keep it")
    parser.add_argument("--fail-above", type=float, help="exit with 1 if the ratio is above this")
    given = parser.parse_args()
    if given.out and given.out.exists() and any(given.out.iterdir()):
        parser.error(f"{given.out} is not empty")
    machine = machine_description()
    with tempfile.TemporaryDirectory() as temporary:
        figures = compare(given, given.out or Path(temporary))
    keep(given.json, figures, machine)
    [reached] = [figure.value for name, figure in figures.items() if name.startswith("build")]
    if given.fail_above is not None and reached > given.fail_above:
        print(f"The ratio {reached:.3f} is above {given.fail_above:g}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
