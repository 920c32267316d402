"""Loads TensorFlow and Keras, and nothing that Keras loads for wrappers that nobody uses here.

Where scikit-learn, matplotlib and pandas are installed, Keras imports them. That takes a quarter of
a worker's start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _as_if_missing(*names: str) -> Iterator[None]:
    """Importing these packages fails, as it does where they are not installed."""
    modules: dict[str, Any] = sys.modules
    blocked = [name for name in names if name not in modules]
    for name in blocked:
        modules[name] = None
    try:
        yield
    finally:
        for name in blocked:
            del modules[name]


with _as_if_missing("matplotlib", "pandas", "sklearn"):
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
