"""Parts the training images into those that are fitted and those that validate."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.training.fitting import generator
from reportgen.experiment import Array


@dataclass(frozen=True)
class Parts:
    """The training part of the data in random order, uint8 (n, pixels): to fit, to validate."""

    fitted: Array
    validation: Array


def split(images: Array, validation: int, limit: int, seed: int) -> Parts:
    """Part the training images at random.

    The validation part has ``validation`` images, but at most a fifth of all. ``limit`` is the
    most images to fit; 0 for all that are left.
    """
    validation = min(validation, len(images) // 5)
    order = generator(seed, "validation part").permutation(len(images))
    end = validation + limit if limit else len(images)
    return Parts(images[order[validation:end]], images[order[:validation]])
