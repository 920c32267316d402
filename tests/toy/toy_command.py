"""``reportgen`` in a process of its own, on the toy experiments, and perhaps with a fault.

The variable ``TOY_FAULT`` says where the fault is, at which call of what, and what happens before
that call: ``worker toy_arithmetic.step 3 die``, or ``parent os.fsync 2 wait:5000``. ``die`` kills
the whole process group, as ``kill -9`` would; ``wait`` connects to this port of the loopback
interface and goes on when the other side closes the connection.
"""

from __future__ import annotations

import os
import pkgutil
import signal
import socket
from importlib.metadata import EntryPoint
from typing import Any

from reportgen import cli, registry


def plant(fault: str) -> None:
    """Put the fault into this process, if it belongs here; workers import this module as well."""
    role, target, count, action = fault.split()
    if role != ("parent" if __name__ == "__main__" else "worker"):
        return
    place, _, name = target.rpartition(".")
    owner = pkgutil.resolve_name(place)
    original, left = getattr(owner, name), int(count)

    def faulty(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            happen(action)
        return original(*args, **kwargs)

    setattr(owner, name, faulty)


def happen(action: str) -> None:
    """Die or wait."""
    if action == "die":
        os.killpg(0, signal.SIGKILL)
    with socket.create_connection(("127.0.0.1", int(action.removeprefix("wait:")))) as waiting:
        waiting.recv(1)


if "TOY_FAULT" in os.environ:
    plant(os.environ["TOY_FAULT"])

if __name__ == "__main__":
    points = [
        EntryPoint("toy", "toy_experiment:ToyExperiment", registry.GROUP),
        EntryPoint("other", "toy_experiment:OtherExperiment", registry.GROUP),
    ]
    found = registry.Registry(points)
    registry.installed = lambda: found
    cli.main()
