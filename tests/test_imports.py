"""Who may import whom, and what a bare command may load: DESIGN's import rules, held."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"tensorflow", "keras", "matplotlib", "seaborn", "weasyprint", "sklearn", "pandas"}
HEAVY |= {"pikepdf", "lxml"}
SURFACE = {"click", "jinja2", "matplotlib", "seaborn", "weasyprint", "rich"}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The dotted names of all modules that the file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def ours(path: Path) -> set[str]:
    """The project's modules that the file imports, such as ``reportgen.errors``."""
    names = {name for name in imports(path) if name.startswith(("reportgen.", "experiments."))}
    return {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()}


@pytest.mark.parametrize("path", modules("reportgen"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_engine_imports_no_experiment_and_no_tensorflow(path: Path) -> None:
    assert not packages(path) & {"experiments", "tensorflow", "keras"}


@pytest.mark.parametrize("path", modules("experiments"), ids=lambda p: str(p.relative_to(ROOT)))
def test_experiments_import_the_contract_and_no_surface(path: Path) -> None:
    assert not packages(path) & SURFACE
    allowed = {"experiment", "results", "statistics", "errors"}
    named = {name for name in ours(path) if name.startswith("reportgen.")}
    assert named <= {f"reportgen.{name}" for name in allowed}


@pytest.mark.parametrize("path", modules("experiments"), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_trainers_import_tensorflow(path: Path) -> None:
    if path.parent.name != "training":
        assert not packages(path) & {"tensorflow", "keras"}


@pytest.mark.parametrize("name", ["results", "statistics", "errors"])
def test_the_ground_floor_imports_nothing_but_errors(name: str) -> None:
    path = ROOT / "reportgen" / f"{name}.py"
    if path.exists():
        assert ours(path) <= {"reportgen.errors"}


@pytest.mark.parametrize("path", modules("reportgen/render"), ids=lambda p: p.name)
def test_the_renderer_imports_results_and_errors_only(path: Path) -> None:
    allowed = {"reportgen.results", "reportgen.errors"}
    assert {name for name in ours(path) if not name.startswith("reportgen.render")} <= allowed


@pytest.mark.parametrize("path", modules("reportgen/engine"), ids=lambda p: p.name)
def test_the_engine_room_imports_experiment_and_errors_only(path: Path) -> None:
    allowed = {"reportgen.experiment", "reportgen.errors"}
    assert {name for name in ours(path) if not name.startswith("reportgen.engine")} <= allowed


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("jinja2", "reportgen/render/html.py"),
        ("weasyprint", "reportgen/render/pdf.py"),
        ("pikepdf", "reportgen/render/binding.py"),
        ("click", "reportgen/cli.py"),
        ("distributed", "reportgen/engine/cluster.py"),
    ],
)
def test_a_library_of_the_surface_has_one_home(package: str, home: str) -> None:
    users = {str(p.relative_to(ROOT)) for p in modules("reportgen") if package in packages(p)}
    assert users == {home}


def test_matplotlib_stays_in_the_figures() -> None:
    users = {p.parent.name for p in modules("reportgen") if packages(p) & {"matplotlib", "seaborn"}}
    assert users == {"render"}


def test_only_the_command_line_prints() -> None:
    for path in [*modules("reportgen"), *modules("experiments")]:
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        # The worker writes tracebacks into its log, by way of its redirected standard error.
        assert "print" not in calls or path.name == "worker.py", path


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh process has loaded after ``code``."""
    return {name.partition(".")[0] for name in modules_loaded_by(code)}


def modules_loaded_by(code: str) -> set[str]:
    """The modules that a fresh process has loaded after ``code``."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_click_and_nothing_large() -> None:
    loaded = loaded_by("import reportgen.cli")
    assert "click" in loaded
    assert not loaded & (HEAVY | {"numpy", "rich", "jinja2", "scipy", "cattrs"})


def test_experiments_are_described_without_tensorflow() -> None:
    code = "from reportgen import registry; e = registry.installed(); e.in_order(e)"
    loaded = modules_loaded_by(code)
    assert "experiments.lstm" in loaded
    assert not loaded & (HEAVY | {"scipy.stats", "scipy.linalg", "scipy.ndimage"})


def test_trainers_load_no_more_than_they_train_with_and_leave_the_rest_to_others() -> None:
    code = "import experiments.training.recurrent, experiments.training.dense"
    unused = {"sklearn", "matplotlib", "pandas"}
    loaded = loaded_by(code)
    assert {"tensorflow", "keras"} <= loaded
    assert not loaded & unused
    assert unused <= loaded_by(f"{code}, {', '.join(sorted(unused))}")


def test_the_build_is_loaded_without_tensorflow_or_renderers() -> None:
    assert not loaded_by("import reportgen.build") & HEAVY


def test_the_engine_names_no_experiment() -> None:
    names = re.compile(r"\b(autoencoder|denoising|lstm)\b", re.IGNORECASE)
    sources = [*modules("reportgen"), *(ROOT / "reportgen" / "templates").glob("*.*")]
    assert {path.name for path in sources if names.search(path.read_text("utf-8"))} == set()
