"""The made-up reviews; their module, beside this file, can be imported by the tests here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reportgen.experiment import Dataset

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Labels, review texts ``Test review 0`` and so on, and words: every fourth negates."""
    from made_up_reviews import dataset_in

    return dataset_in(tmp_path)
