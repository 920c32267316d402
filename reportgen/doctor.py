"""Checks what a build needs on this machine, and says what to install."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reportgen.engine import devices
from reportgen.errors import ReportgenError
from reportgen.experiment import CPU, GPU, DataOptions
from reportgen.registry import Registry, sources

FREE_BYTES = 500 * 2**20
"""What a build on the real data writes, cache included, with room to spare."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``ok`` is None where it is worth knowing, but not a fault."""

    name: str
    ok: bool | None
    detail: str


def examine(
    registry: Registry, options: DataOptions, out: Path, device: str = "auto"
) -> Iterator[Check]:
    """All checks, one after the other; those that import TensorFlow take some seconds.

    ``device`` is where the settings ask to train.
    """
    yield _python()
    yield _tensorflow()
    yield _gpu(device)
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
    done = _python_says(
        "import tensorflow, keras; print(tensorflow.__version__, keras.__version__)"
    )
    if done.returncode == 0:
        tensorflow, keras = done.stdout.split()[-2:]
        return Check("TensorFlow", True, f"{tensorflow}, Keras {keras}")
    reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return Check("TensorFlow", False, f"{reason}; run 'pip install tensorflow'")


def _gpu(device: str) -> Check:
    """Whether trainings would run on a GPU; if so, whether TensorFlow can use it."""
    if not devices.gpu_is_visible():
        fault = False if device == GPU else None
        return Check("GPU", fault, "none is visible; trainings run on the processor")
    if device == CPU:
        return Check("GPU", None, "one is visible; trainings run on the processor, as asked for")
    if device != GPU and not devices.cuda_is_installed():
        advice = "run 'pip install \"tensorflow[and-cuda]\"' to train on it"
        return Check("GPU", None, f"one is visible, but TensorFlow is without CUDA; {advice}")
    done = _python_says(
        "from tensorflow import config; [gpu, *_] = config.list_physical_devices('GPU');"
        "print(config.experimental.get_device_details(gpu).get('device_name', 'one is visible'))"
    )
    if done.returncode == 0:
        name = done.stdout.splitlines()[-1]
        return Check("GPU", True, f"{name}; trainings run on it, one at a time")
    advice = "run 'pip install \"tensorflow[and-cuda]\"', or build with '--device cpu'"
    return Check("GPU", False, f"one is visible, but TensorFlow can't use it; {advice}")


def _python_says(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: an import that crashes must not end the doctor."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


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
