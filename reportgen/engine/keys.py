"""What decides a trial's numbers, and the key that stands for it in the store."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from reportgen.errors import ReportgenError
from reportgen.experiment import Dataset, Json, Trial

LIBRARIES = ("tensorflow", "keras", "numpy")
"""The libraries whose version decides the numbers."""

Ingredients = Mapping[str, Json]


def ingredients(trial: Trial, dataset: Dataset) -> dict[str, Json]:
    """Everything that decides the trial's numbers, as JSON; the key is its hash."""
    return {
        "experiment": trial.experiment,
        "trainer": trial.trainer,
        "params": dict(trial.params),
        "seed": trial.seed,
        "data": {dataset.summary.name: dataset.fingerprint},
        "code": code_fingerprints(trial.trainer),
        "versions": {name: _version(name) for name in LIBRARIES},
    }


def key_of(ingredients: Ingredients) -> str:
    """The SHA-256 of the ingredients' canonical JSON, in hexadecimal."""
    text = json.dumps(ingredients, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def code_fingerprints(trainer: str) -> dict[str, str]:
    """A hash for each module of the trainer's own package that the trainer imports, by name.

    Follows import statements from the trainer's module, without importing it. Other packages are
    left out: of these, :data:`LIBRARIES` count by version. Comments, docstrings and layout do not
    count.
    """
    start = trainer.partition(":")[0]
    package = start.partition(".")[0]
    waiting, found = [start], dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source_of(name)
        if path is None:
            if name == start:
                raise ReportgenError(f"The trainer '{trainer}' is not an importable module.")
            continue
        tree = ast.parse(path.read_bytes(), str(path))
        found[name] = _hash_of(tree)
        waiting += [n for n in _imports(tree, name) if n.partition(".")[0] == package]
    return dict(sorted(found.items()))


def _imports(tree: ast.Module, module: str) -> Iterator[str]:
    """The names that the module imports, at its top or within functions; some may be attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parent = module.split(".")[: -node.level]
                origin = ".".join([*parent, origin]).rstrip(".")
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _source_of(name: str) -> Path | None:
    """The source file of a module, or None if there is none; found without importing anything."""
    package, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    if not rest:
        return origin
    module = origin.parent.joinpath(*rest)
    return next(
        (p for p in (module.with_suffix(".py"), module / "__init__.py") if p.exists()), None
    )


def _hash_of(tree: ast.Module) -> str:
    """A hash of what the code does: of its syntax tree, without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
