"""Checks what a build needs on this machine, and says what to install."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reportgen.errors import ReportgenError
from reportgen.experiment import DataOptions
from reportgen.registry import Registry, sources

FREE_BYTES = 500 * 2**20
"""What a build on the real data writes, cache included, with room to spare."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``ok`` is None where it is worth knowing, but not a fault."""

    name: str
    ok: bool | None
    detail: str


def examine(registry: Registry, options: DataOptions, out: Path) -> Iterator[Check]:
    """All checks, one after the other; those that import TensorFlow take some seconds."""
    yield _python()
    yield _tensorflow()
    yield _pango()
    yield _fonts()
    yield from _experiments(registry)
    yield from _data(registry, options)
    yield _disk("output", out)
    yield _disk("cache", options.cache)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    advice = "" if supported else "; reportgen is made for 3.11 to 3.13"
    return Check("Python", supported, version + advice)


def _tensorflow() -> Check:
    """Import it in a process of its own: an import that crashes must not end the doctor."""
    code = "import tensorflow, keras; print(tensorflow.__version__, keras.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        tensorflow, keras = done.stdout.split()[-2:]
        return Check("TensorFlow", True, f"{tensorflow}, Keras {keras}")
    reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return Check("TensorFlow", False, f"{reason}; run 'pip install tensorflow'")


def _pango() -> Check:
    from reportgen.render import pdf

    try:
        return Check("Pango", True, pdf.pango_version())
    except ReportgenError as error:
        return Check("Pango", False, str(error))


def _fonts() -> Check:
    from reportgen.render import html

    try:
        html.style("report.css")
    except OSError as error:
        return Check("Fonts", False, f"{error}; reinstall reportgen")
    return Check("Fonts", True, "the report's own, embedded in it")


def _experiments(registry: Registry) -> Iterator[Check]:
    for name in registry:
        try:
            yield Check(f"Experiment {name}", True, registry[name].title)
        except ReportgenError as error:
            yield Check(f"Experiment {name}", False, str(error))


def _data(registry: Registry, options: DataOptions) -> Iterator[Check]:
    usable = [
        check.name.removeprefix("Experiment ") for check in _experiments(registry) if check.ok
    ]
    for name, source in sources(registry[name] for name in usable).items():
        try:
            real = replace(options, mode="real")  # the embedded sample is always there
            places = [status for status in source.status(real) if status.found]
        except ReportgenError as error:
            yield Check(f"Data {name}", False, str(error))
            continue
        if places:
            yield Check(f"Data {name}", True, f"{places[0].detail} in {places[0].place}")
        else:
            advice = "only the embedded sample; 'reportgen data fetch' downloads the real data"
            yield Check(f"Data {name}", None, advice)


def _disk(name: str, folder: Path) -> Check:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    detail = f"{free / 2**30:.1f} GiB free for {folder}"
    enough = free >= FREE_BYTES
    return Check(f"Disk ({name})", enough, detail + ("" if enough else "; a build needs 0.5 GiB"))
