"""What the training of the review classifier leaves out at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.training.reviews import FIRST_WORD
from reportgen.experiment import Array, Json


@dataclass(frozen=True)
class Dropout:
    """What one batch leaves out while training.

    ``words`` bool (vocabulary,): words that are taken out of the reviews (Iyyer et al. 2015),
    wherever they stand. ``inputs`` float32 (embedding size,): factors of embedding features, the
    same at every time step and in all reviews (both after Gal & Ghahramani 2016). ``outputs``
    float32 (batch, units): factors of the last state. A factor is 0 or 1 / (1 - rate).
    """

    words: Array
    inputs: Array
    outputs: Array

    @classmethod
    def draw(cls, params: Mapping[str, Json], chance: np.random.Generator) -> Dropout:
        """Draw for one batch."""
        words = chance.random(params["vocabulary"], np.float32) < params["word_dropout"]
        words[:FIRST_WORD] = False
        inputs = _factors(params["input_dropout"], (params["embedding_dim"],), chance)
        batch = (params["batch_size"], params["units"])
        outputs = _factors(params["output_dropout"], batch, chance)
        return cls(words, inputs, outputs)


def _factors(rate: float, shape: tuple[int, ...], chance: np.random.Generator) -> Array:
    """Dropout as factors: 0 at the rate, otherwise 1 / (1 - rate)."""
    kept = chance.random(shape, np.float32) >= rate
    return (kept / (1 - rate)).astype(np.float32)
