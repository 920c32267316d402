"""What is shipped: a wheel that needs no checkout, and exact versions for all it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*command, "--directory", str(folder)], cwd=ROOT, check=True, capture_output=True
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_templates_fonts_samples_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    suffixes = {Path(name).suffix for name in names if name.startswith("reportgen/templates/")}
    assert suffixes >= {".j2", ".css", ".ttf"}
    assert any(name.startswith("experiments/data/reviews") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "reportgen",
        "experiments",
    }


@pytest.mark.slow
def test_the_wheel_alone_builds_a_sample_report_from_any_folder(
    wheel: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    # The libraries of this environment, but not the checkout that is linked into it.
    paths = os.pathsep.join([str(site), sysconfig.get_paths()["purelib"]])
    code = "import reportgen.cli; print(reportgen.__file__); reportgen.cli.main()"
    words = ["build", "--preset", "quick", "--data", "sample", "--only", "autoencoder"]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, *words],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site))
    assert Path("build/report.pdf").exists()


def test_every_dependency_has_an_exact_version() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = {re.split("==", line)[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert len(pinned) == len([line for line in lines if line and not line.startswith("#")])
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in wanted}  # type: ignore[index]
    assert names <= pinned


def test_python_3_11_to_3_13_are_supported() -> None:
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
