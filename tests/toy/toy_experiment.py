"""A complete experiment without TensorFlow: the engine's tests run on it, as a plug-in would."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.errors import DataError
from reportgen.experiment import (
    DataOptions,
    Dataset,
    DataSource,
    DataStatus,
    Evidence,
    Experiment,
    Trial,
    setting,
)
from reportgen.results import (
    Claim,
    Column,
    DataSummary,
    Figure,
    Finding,
    LinePanel,
    Lines,
    Section,
    Series,
    Table,
    Verdict,
    prose,
    ref,
    section_with,
)


@dataclass(frozen=True)
class ToySettings:
    sizes: tuple[int, ...] = setting((2, 3), "sizes to compare", minimum=1)
    epochs: int = setting(3, "passes over the data", minimum=1, maximum=100, quick=1)
    rate: float = setting(0.5, "learning rate", above=0, maximum=1)
    rule: str = setting(
        "plain", "update rule", choices=("plain", "crash", "die", "diverge", "sleep")
    )
    centred: bool = setting(False, "subtract the mean first")


class ToySource(DataSource):
    name = "numbers"
    title = "Ten numbers"

    def prepare(self, options: DataOptions) -> Dataset:
        origin = "sample"
        numbers = np.arange(10.0)
        if options.directory is not None:
            origin = "published"
            try:
                numbers = np.loadtxt(options.directory / "numbers.txt")
            except (OSError, ValueError) as error:
                raise DataError(f"numbers.txt can't be read: {error}.") from error
        elif options.mode == "real":
            raise DataError("The numbers are nowhere to be found; put them into --data-dir.")
        fingerprint = hashlib.sha256(numbers.tobytes()).hexdigest()
        folder = options.cache / "prepared" / fingerprint[:8]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "numbers.npy", numbers)
        summary = DataSummary(self.name, self.title, origin, "numbers.txt", fingerprint)
        return Dataset(summary, folder, {"count": len(numbers)})

    def status(self, options: DataOptions) -> Sequence[DataStatus]:
        place = options.directory or Path("nowhere")
        there = (place / "numbers.txt").exists()
        return [DataStatus(str(place), there, "numbers.txt" if there else "nothing")]

    def fetch(self, options: DataOptions) -> Path:
        options.cache.mkdir(parents=True, exist_ok=True)
        return options.cache


class ToyExperiment(Experiment[ToySettings]):
    name = "toy"
    title = "Means of numbers"
    question = "T1"
    summary = "finds the mean of numbers by steps"
    order = 1
    settings = ToySettings
    source = ToySource()

    def trial(self, settings: ToySettings, size: int, seed: int) -> Trial:
        params = {
            "size": size,
            "epochs": settings.epochs,
            "rate": settings.rate,
            "rule": settings.rule,
        }
        return Trial("toy", "toy_training:train", params, seed, f"mean, size {size}", cost=size)

    def trials(self, settings: ToySettings, seed: int, others: Mapping[str, Any]) -> list[Trial]:
        return [self.trial(settings, size, seed) for size in settings.sizes]

    def section(self, evidence: Evidence[ToySettings]) -> Section:
        told = evidence.of("toy_training:train", evidence.seed)
        rows = [
            {"size": trial.params["size"], "error": result.scalars["error"]}
            for trial, result in told.items()
        ]
        columns = (Column("size", "Size", format="d"), Column("error", "Error", format=".4f"))
        names = tuple(f"{trial.label}, seed {trial.seed}" for trial in told)
        table = Table("errors", "Errors by size.", columns, tuple(rows), key=True, trials=names)
        series = tuple(
            Series(t.label, tuple(range(1, len(r.history["loss"]) + 1)), tuple(r.history["loss"]))
            for t, r in evidence.trials.items()
        )
        figure = Figure(
            "losses",
            "Loss by epoch.",
            "falling lines",
            Lines("epoch", "loss", (LinePanel(series),)),
        )
        first = table.cell("error", size=rows[0]["size"])
        text = prose("The error is {error}, see {table}.", error=first, table=ref(table))
        errors = [row["error"] for row in rows]
        verdict = Verdict.SUPPORTED if errors == sorted(errors) else Verdict.NOT_SUPPORTED
        if len(errors) == 1:
            verdict = Verdict.CANT_TELL
        evidence_of_it = prose("At the first size it is {error}.", error=first)
        claim = Claim("rises", "The error rises with the size.", evidence_of_it, verdict)
        return section_with(
            self.name,
            self.title,
            self.question,
            evidence.dataset.summary,
            [("Results", [text, table, figure])],
            [Finding("error", prose("The error is {error}.", error=first))],
            [claim],
        )


class OtherExperiment(ToyExperiment):
    name = "other"
    title = "The same mean again"
    question = "T2"
    order = 2
    reads = ("toy",)

    def trials(self, settings: ToySettings, seed: int, others: Mapping[str, Any]) -> list[Trial]:
        shared = super().trial(others["toy"], 2, seed)
        own = Trial("other", "toy_training:train", {**shared.params, "size": 9}, seed, "own")
        return [shared, own]


class UntellableExperiment(ToyExperiment):
    name = "untellable"
    title = "A section that raises"
    question = "T3"

    def section(self, evidence: Evidence[ToySettings]) -> Section:
        raise RuntimeError(f"no words for it in {os.path.basename('here')}")
