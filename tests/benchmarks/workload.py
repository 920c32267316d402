"""How much of the full work a short benchmark does: a share of the epochs and of the examples."""

from __future__ import annotations

import math


def scaled(epochs: int, examples: int, scale: float) -> tuple[int, int]:
    """Epochs and training examples whose product is ``scale`` of the full one.

    Both shrink by the square root of ``scale``: few epochs on all examples would hide what an
    epoch costs to start, many epochs on few examples what it costs to go through them. There is
    at least one epoch and one example, and the product is as near as whole numbers allow. Raises
    ValueError unless 0 < scale <= 1.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"the scale must be above 0 and at most 1: it is {scale}")
    fewer = max(1, round(epochs * math.sqrt(scale)))
    return fewer, min(examples, max(1, round(examples * scale * epochs / fewer)))
