"""A trainer that trains as another does, but whose process is killed in its second epoch."""

from __future__ import annotations

import os
import pkgutil
import signal
from collections.abc import Mapping
from typing import Any

from reportgen.experiment import Checkpoint, Dataset, Progress, TrainingContext, TrialResult


class Mortal:
    """A context in which nobody lives to see the end of the second epoch."""

    def __init__(self, context: TrainingContext) -> None:
        self.context, self.threads, self.device = context, context.threads, context.device

    def progress(self, progress: Progress) -> None:
        self.context.progress(progress)
        if progress.epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def load_checkpoint(self) -> Checkpoint | None:
        return None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.context.save_checkpoint(checkpoint)


def train(
    params: Mapping[str, Any], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    if context.load_checkpoint() is None:
        context = Mortal(context)
    trainer = pkgutil.resolve_name(params["trainer"])
    result: TrialResult = trainer(params["params"], seed, dataset, context)
    return result
