"""What the benchmarks share: measured processes, figures with goals, and ``benchmarks.json``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reportgen import provenance

REPORTGEN = str(Path(sysconfig.get_path("scripts")) / "reportgen")
"""The command that a user calls."""

SAMPLING_SECONDS = 0.25
GIB = 1 << 30

# ----------------------------------------------------------------------------------- processes


@dataclass(frozen=True)
class Run:
    """What a command took, with all processes that it started.

    ``cpu_seconds`` is processor time, user and system. ``peak_bytes`` is the largest sum, over
    the processes alive at one moment, of their proportional set sizes (PSS: shared pages count
    once, shared out among those who use them); None where the system does not tell. ``began`` is
    in seconds since 1970.
    """

    began: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int | None

    def record(self) -> dict[str, Any]:
        """As it stands in ``benchmarks.json``."""
        gib = None if self.peak_bytes is None else round(self.peak_bytes / GIB, 3)
        return {
            "wall_seconds": round(self.wall_seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "peak_gib": gib,
        }


def surroundings() -> dict[str, str]:
    """The environment without what would limit threads, choose a backend, or set up a build.

    Nor has it what keeps Python from compiling modules once and for all, as it does for a user.
    """
    unwanted = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS"}
    unwanted |= {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    prefixes = ("REPORTGEN_", "TF_", "KERAS_BACKEND")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not name.startswith(prefixes)
    }


def measured(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
) -> Run:
    """Run a command to its end; its output goes to ``log``. SystemExit if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        began, start = time.time(), time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=surroundings() if environment is None else environment,
            start_new_session=True,  # by its session, every process of the tree can be found
        )
        try:
            with _memory_watched(process.pid) as peak:
                _, status, usage = os.wait4(process.pid, 0)
                wall = time.perf_counter() - start
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{end}")
    return Run(began, wall, usage.ru_utime + usage.ru_stime, max(peak, default=None))


@contextmanager
def _memory_watched(session: int) -> Iterator[list[int]]:
    """The memory of a session's processes in bytes, a value each time it was looked at."""
    values: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLING_SECONDS):
            if used := session_memory(session):
                values.append(used)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield values
    finally:
        over.set()
        watching.join()


def session_memory(session: int) -> int:
    """The sum of the proportional set sizes of a session's processes, in bytes; 0 if unknown."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which stands in parentheses: state, parent, group, session.
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += proportional_size((folder / "smaps_rollup").read_text("ascii"))
        except OSError:  # it has just ended
            continue
    return total


def proportional_size(rollup: str) -> int:
    """The PSS in bytes that a ``smaps_rollup`` file tells."""
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def warm_up() -> None:
    """Load the libraries once, so that whoever comes first does not read them from a cold disk."""
    libraries = "import keras, matplotlib.pyplot, sklearn.metrics, tensorflow, weasyprint"
    subprocess.run(
        [sys.executable, "-c", libraries], env=surroundings(), capture_output=True, check=True
    )


# ------------------------------------------------------------------------------------- figures


@dataclass(frozen=True)
class Goal:
    """What a figure measures, and the value that it should reach."""

    what: str
    unit: str
    limit: float
    at_most: bool = True

    def reached_by(self, value: float) -> bool:
        """Whether the value is on the right side of the limit."""
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g} {self.unit}".rstrip()


GOALS = {
    "build": Goal("full standard build, wall time against plain Keras", "", 0.20),
    "three_seeds": Goal("full build with 3 seeds, wall time against one plain Keras run", "", 0.60),
    "memory": Goal("peak memory of the full build, all processes", "GiB", 3.0),
    "overhead": Goal("share of everything but training in the full build", "", 0.08),
    "unchanged": Goal("unchanged build again", "s", 0.5),
    "title": Goal("title changed: HTML and PDF again", "s", 4.0),
    "template": Goal("template changed: HTML and PDF again", "s", 4.0),
    "help": Goal("start of reportgen --help", "s", 0.15),
    "workers": Goal("two workers against one, six seeds of autoencoder", "×", 1.8, at_most=False),
}
"""The figures to reach, by the name under which ``benchmarks.json`` keeps them."""


@dataclass(frozen=True)
class Figure:
    """A measured value with the raw values behind it."""

    value: float
    raw: Mapping[str, Any]


def figure_record(name: str, figure: Figure, machine: Mapping[str, str]) -> dict[str, Any]:
    """A figure as it stands in ``benchmarks.json``; one without a goal has only its values."""
    record: dict[str, Any] = {"value": round(figure.value, 4)}
    if goal := GOALS.get(name):
        record = {"what": goal.what, **record, "unit": goal.unit, "goal": str(goal)}
        record["reached"] = goal.reached_by(figure.value)
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    return record | {"measured": measured_at, "raw": dict(figure.raw), "machine": dict(machine)}


def merged(before: Mapping[str, Any], records: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of ``benchmarks.json`` with new records in place of those of the same names."""
    return {"figures": dict(sorted({**before.get("figures", {}), **records}.items()))}


def keep(path: Path, figures: Mapping[str, Figure], machine: Mapping[str, str]) -> None:
    """Put figures of a machine into ``benchmarks.json``, and print them with their goals."""
    records = {name: figure_record(name, figure, machine) for name, figure in figures.items()}
    before = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(merged(before, records), indent=1) + "\n", "utf-8")
    rows = []
    for name, figure in figures.items():
        goal = GOALS.get(name)
        verdict = ("reached" if goal.reached_by(figure.value) else "MISSED") if goal else ""
        rows.append([name, f"{figure.value:.3f}", str(goal or ""), verdict])
    print(table(["figure", "measured", "goal", ""], rows))
    print(f"Kept in {path}.")


def machine_description() -> dict[str, str]:
    """Processor, cores, memory, system, versions, commit; and how busy it was, so ask first."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    load = os.getloadavg()[0]
    extra = {"Memory": f"{memory:.1f} GiB", "Load before": f"{load:.2f}"}
    return provenance.environment() | extra


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text in columns: the first to the left, the others to the right."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    shown = [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([shown[0], "-" * max(map(len, shown)), *shown[1:]])


# ----------------------------------------------------------------------------- trained models


@dataclass(frozen=True)
class Trained:
    """A finished training as a build's store tells of it; ``finished`` in seconds since 1970.

    A baseline is among them: it has no epochs, but is fitted to the same data.
    """

    label: str
    params: Mapping[str, Any]
    epochs: int
    scalars: Mapping[str, Any]
    wall_seconds: float
    cpu_seconds: float
    finished: float


def trained(out: Path, since: float = 0.0) -> list[Trained]:
    """The trainings in a build's folder that ended after ``since``."""
    found = []
    for path in sorted((out / "store").glob("[!.]*/trial.json")):
        record, finished = json.loads(path.read_text("utf-8")), path.stat().st_mtime
        if finished < since:
            continue
        found.append(
            Trained(
                record["label"],
                record["ingredients"]["params"],
                max(map(len, record["history"].values()), default=0),
                record["scalars"],
                record["cost"]["wall_seconds"],
                record["cost"]["cpu_seconds"],
                finished,
            )
        )
    return found


def training_span(trainings: Sequence[Trained]) -> tuple[float, float]:
    """When the first training began, its libraries loaded, and the last one was kept."""
    began = min(training.finished - training.wall_seconds for training in trainings)
    return began, max(training.finished for training in trainings)
