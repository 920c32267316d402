"""The appendix: enough to build the same numbers again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reportgen import provenance
from reportgen.engine.store import Cost, Entry
from reportgen.experiment import Dataset, Trial, TrialResult
from reportgen.registry import Registry
from reportgen.results import DataSummary
from reportgen.settings import load

DATASET = Dataset(DataSummary("numbers", "Ten numbers", "other", "n.txt", "ab" * 32), Path())
TRIAL = Trial("toy", "toy:train", {"size": 2}, 7, "a {trial}")
ENTRY = Entry({}, "a {trial}", Cost(12.25, 11.5, 1), TrialResult({"loss": [0.5, 0.25]}))


def test_the_command_has_what_differs_from_the_defaults(toys: Registry) -> None:
    assert provenance.command(load(toys)) == "reportgen build"
    flags = {"build.seed": 3, "build.only": ("toy",), "build.out": "x", "build.data_dir": "my data"}
    settings = load(toys, None, flags, ["toy.sizes=4,5", "toy.centred=true", "toy.epochs=3"])
    assert provenance.command(settings) == (
        "reportgen build --only toy --seed 3 --data-dir 'my data'"
        " --set toy.sizes=4,5 --set toy.centred=true"
    )


def test_the_command_gives_the_same_settings_again(toys: Registry) -> None:
    given = ["toy.sizes=4,5", "toy.rate=0.125", "toy.rule=crash", "other.centred=true"]
    settings = load(toys, assignments=given)
    words = provenance.command(settings).split()
    again = load(toys, assignments=words[words.index("--set") + 1 :: 2])
    assert again == settings


def test_the_appendix_tells_data_trials_and_versions() -> None:
    section = provenance.appendix("reportgen build", 7, [DATASET], {TRIAL: ENTRY})
    data, trials = section.tables["data"].rows[0], section.tables["trials"].rows[0]
    assert data["kind"] == "not the published data"
    assert data["fingerprint"] == "ab" * 32
    assert (trials["seed"], trials["epochs"], trials["wall_seconds"]) == (7, 2, 12.25)
    names = {row["name"] for row in section.tables["environment"].rows}
    assert names >= {"Python", "Processor", "tensorflow", "keras", "numpy"}


def test_a_gpu_is_named_beside_the_trainings_that_ran_on_it() -> None:
    on_gpu = replace(ENTRY, result=TrialResult({"loss": [0.5]}, {"gpu": "NVIDIA A100"}))
    entries = {TRIAL: on_gpu, replace(TRIAL, seed=8): ENTRY}
    section = provenance.appendix("reportgen build --device gpu", 7, [DATASET], entries)
    devices = [row["device"] for row in section.tables["trials"].rows]
    assert devices == ["NVIDIA A100", "processor"]
    told = "".join(p for para in section.paragraphs() for p in para.pieces() if isinstance(p, str))
    assert "The processor (`--device cpu`) or another GPU gives them other numbers." in told


def test_without_a_gpu_no_device_is_told() -> None:
    section = provenance.appendix("reportgen build", 7, [DATASET], {TRIAL: ENTRY})
    assert "device" not in section.tables["trials"].rows[0]
    told = "".join(p for para in section.paragraphs() for p in para.pieces() if isinstance(p, str))
    assert "GPU" not in told


def test_braces_and_backticks_in_a_command_do_not_break_its_sentence() -> None:
    section = provenance.appendix("reportgen build --set 'x={y}`z'", 0, [], {})
    pieces = "".join(p for p in next(section.paragraphs()).pieces() if isinstance(p, str))
    assert "x={y}'z'" in pieces
