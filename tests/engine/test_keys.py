"""What decides a trial's key."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from reportgen.engine import keys
from reportgen.errors import ReportgenError
from reportgen.experiment import Dataset, Trial
from reportgen.results import DataSummary

TOY = Path(__file__).parents[1] / "toy"
DATASET = Dataset(DataSummary("numbers", "Numbers", "sample", "", "abc"), Path())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of a trainer, a module that it imports, and one that it does not."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "train.py").write_text("from lab.maths import double\nimport numpy\n")
    (folder / "maths.py").write_text("def double(x):\n    return 2 * x\n")
    (folder / "words.py").write_text("TITLE = 'A lab'\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def trial(**changes: object) -> Trial:
    base = Trial("lab", "lab.train:train", {"epochs": 3}, 0, "a trial")
    return replace(base, **changes)  # type: ignore[arg-type]


def key(trial: Trial, dataset: Dataset = DATASET) -> str:
    return keys.key_of(keys.ingredients(trial, dataset))


def test_parameters_seed_data_and_trainer_change_the_key(package: Path) -> None:
    other_data = replace(DATASET, summary=replace(DATASET.summary, fingerprint="def"))
    found = {
        key(trial()),
        key(trial(params={"epochs": 4})),
        key(trial(seed=1)),
        key(trial(trainer="lab.maths:double")),
        key(trial(), other_data),
    }
    assert len(found) == 5


def test_a_gpu_changes_the_key_and_the_processor_leaves_it(package: Path) -> None:
    found = keys.ingredients(trial(), DATASET)
    assert "device" not in found
    assert keys.ingredients(trial(), DATASET, "cpu") == found
    assert keys.ingredients(trial(), DATASET, "gpu") == found | {"device": "gpu"}


def test_label_cost_and_order_of_parameters_do_not_change_the_key(package: Path) -> None:
    one = trial(params={"a": 1, "b": 2})
    two = trial(params={"b": 2, "a": 1}, label="another name", cost=9.0)
    assert key(one) == key(two)
    assert one == two


def test_a_changed_module_that_the_trainer_imports_changes_the_key(package: Path) -> None:
    before = key(trial())
    (package / "maths.py").write_text("def double(x):\n    return x + x\n")
    assert key(trial()) != before


def test_a_changed_module_that_the_trainer_does_not_import_leaves_the_key(package: Path) -> None:
    before = key(trial())
    (package / "words.py").write_text("TITLE = 'Another lab'\n")
    assert key(trial()) == before


def test_comments_docstrings_and_layout_leave_the_key(package: Path) -> None:
    before = key(trial())
    (package / "maths.py").write_text(
        'def double(x):\n    """Twice."""\n    # easy\n    return 2*x'
    )
    assert key(trial()) == before


def test_relative_imports_and_imports_within_functions_are_followed(package: Path) -> None:
    (package / "train.py").write_text(
        "def train():\n    from . import words\n    from .maths import x\n"
    )
    assert set(keys.code_fingerprints("lab.train:train")) >= {"lab.words", "lab.maths", "lab"}


def test_fingerprinting_imports_none_of_the_code(package: Path) -> None:
    (package / "maths.py").write_text("raise RuntimeError('imported')\n")
    assert "lab.maths" in keys.code_fingerprints("lab.train:train")


def test_the_libraries_that_the_trainer_imports_count_by_version(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "maths.py").write_text("import json\nimport sklearn.svm\nimport reportgen.errors\n")
    assert keys.library_versions("lab.train:train") == {
        "numpy": version("numpy"),
        "scikit-learn": version("scikit-learn"),
    }
    before = key(trial())
    installed = {"numpy": "99.0", "scikit-learn": version("scikit-learn")}
    monkeypatch.setattr(keys, "_version", installed.__getitem__)
    assert key(trial()) != before


def test_a_library_that_is_installed_by_another_name_is_found(package: Path) -> None:
    (package / "maths.py").write_text("import dateutil\nimport not_there\n")
    found = keys.library_versions("lab.train:train")
    assert found == {"numpy": version("numpy"), "python-dateutil": version("python-dateutil")}


def test_a_trainer_that_does_not_exist_is_named() -> None:
    with pytest.raises(ReportgenError, match=r"'nowhere\.train:train' is not an importable module"):
        keys.code_fingerprints("nowhere.train:train")


def test_the_key_of_equal_ingredients_is_the_same_in_another_process(tmp_path: Path) -> None:
    shutil.copytree(TOY, tmp_path / "toy")
    code = (
        "from reportgen.engine import keys\n"
        "print(keys.key_of({'code': keys.code_fingerprints('toy_training:train'), 'x': 0.1}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path / "toy",
            env={"PYTHONPATH": str(tmp_path / "toy"), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
