"""The device that trainings run on: the processor, or a GPU if one is visible."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, requires, version

from reportgen.errors import RequestError
from reportgen.experiment import CPU, GPU

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""CUDA's variable: a list of the GPUs that programs may use, by index or UUID; all if not set."""
DRIVER_SECONDS = 10
"""How long the driver may take to list its GPUs; on a cold server that is some seconds."""


def settled(asked: str) -> str:
    """The device that is used where ``auto``, ``cpu`` or ``gpu`` is asked for.

    That is ``gpu`` if trainings are to run on one; otherwise what was asked. ``auto`` takes a GPU
    only if TensorFlow's libraries for it are installed, so that it never asks for what would fail.
    Raises RequestError if a GPU is asked for and none is visible.
    """
    if asked == CPU:
        return CPU
    visible = gpu_is_visible()
    if asked == GPU and not visible:
        raise RequestError(
            f"--device gpu: expected an NVIDIA GPU that 'nvidia-smi -L' lists and {VISIBLE} "
            "allows, found none; mend that, or give --device cpu."
        )
    return GPU if visible and (asked == GPU or cuda_is_installed()) else asked


def gpu_is_visible() -> bool:
    """Whether programs that are started here may use a GPU of NVIDIA's, as the driver says."""
    allowed = os.environ.get(VISIBLE)
    # CUDA takes the list up to its first wrong entry: '-1', or an empty text, hides all GPUs.
    if allowed is not None and not re.match(r"\s*(\d|GPU-|MIG-)", allowed):
        return False
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=DRIVER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "GPU 0:" in done.stdout


def cuda_is_installed() -> bool:
    """Whether the packages are installed that the extra ``tensorflow[and-cuda]`` asks for.

    CUDA may come by other ways as well, of which only TensorFlow could tell.
    """
    try:
        wanted = [line for line in requires("tensorflow") or () if "and-cuda" in line]
        names = [found[0] for line in wanted if (found := re.match(r"[\w.-]+", line))]
        return bool(names and all(map(version, names)))
    except PackageNotFoundError:
        return False


def variables(device: str) -> dict[str, str]:
    """What to put into the environment of a process that is to train on a device.

    On the processor, GPUs are hidden: they would give other numbers, and each of the workers would
    take all their memory. On a GPU, the process gets the first one that it may use, and takes
    memory as it needs it; the workspace makes cuDNN's recurrent layers give the same numbers again
    (cuDNN 8 release notes, known issues).
    """
    if device != GPU:
        return {VISIBLE: "-1"}
    first = os.environ.get(VISIBLE, "0").partition(",")[0].strip()
    return {
        VISIBLE: first,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:2",
    }
