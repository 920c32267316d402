"""What decides a trial's numbers, and the key that stands for it in the store."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import NamedTuple

from reportgen.errors import ReportgenError
from reportgen.experiment import CPU, GPU, Dataset, Json, Trial

OTHER_NAMES = {"sklearn": "scikit-learn", "PIL": "pillow", "skimage": "scikit-image"}
"""Packages that are imported by another name than they are installed by; only to find them fast."""
MISSING = "not installed"

Ingredients = Mapping[str, Json]


def ingredients(trial: Trial, dataset: Dataset, device: str = CPU) -> dict[str, Json]:
    """Everything that decides the trial's numbers, as JSON; the key is its hash.

    A GPU counts for every trial: nobody can tell from outside which trainers use it. The processor
    is not named.
    """
    return {
        "experiment": trial.experiment,
        "trainer": trial.trainer,
        "params": dict(trial.params),
        "seed": trial.seed,
        "data": {dataset.summary.name: dataset.fingerprint},
        "code": code_fingerprints(trial.trainer),
        "versions": library_versions(trial.trainer),
    } | ({"device": GPU} if device == GPU else {})


def key_of(ingredients: Ingredients) -> str:
    """The SHA-256 of the ingredients' canonical JSON, in hexadecimal."""
    text = json.dumps(ingredients, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def code_fingerprints(trainer: str) -> dict[str, str]:
    """A hash for each module of the trainer's own package that the trainer imports, by name.

    Follows import statements from the trainer's module, without importing it; the packages around
    a module count as well, because Python runs them first. Comments, docstrings and layout do not
    count. Raises ReportgenError if the trainer's module can't be found.
    """
    return {name: module.digest for name, module in _modules(trainer).items()}


def library_versions(trainer: str) -> dict[str, str]:
    """The version of each installed package that the modules of :func:`code_fingerprints` import.

    The engine itself is left out: it hands numbers on, but decides none.
    """
    imported = {name.partition(".")[0] for m in _modules(trainer).values() for name in m.imports}
    own = {trainer.partition(":")[0].partition(".")[0], __name__.partition(".")[0]}
    found = map(_distribution, imported - own - sys.stdlib_module_names)
    return versions(sorted(filter(None, found)))


def source_fingerprint(package: str) -> str:
    """A hash over all files of a module's top-level package, without importing it.

    For what is quickly made again: here every byte counts, and templates and fonts as well.
    """
    origin = _source_of(package.partition(".")[0])
    if origin is None:
        raise ReportgenError(f"The package '{package}' is not importable.")
    if origin.name != "__init__.py":
        return files_fingerprint([origin])
    inner = origin.parent.rglob("*")
    return files_fingerprint(f for f in inner if f.is_file() and "__pycache__" not in f.parts)


def files_fingerprint(files: Iterable[Path]) -> str:
    """A hash over names and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


class _Module(NamedTuple):
    """What counts of a module: a hash of what it does, and the names that it imports."""

    digest: str
    imports: tuple[str, ...]


def _modules(trainer: str) -> dict[str, _Module]:
    """The modules of the trainer's package that the trainer needs, by name, in their order."""
    start = trainer.partition(":")[0]
    package = start.partition(".")[0]
    waiting, found = [start], dict[str, _Module]()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source_of(name)
        if path is None:
            if name == start:
                raise ReportgenError(f"The trainer '{trainer}' is not an importable module.")
            continue
        status = path.stat()
        found[name] = _read_module(path, name, status.st_mtime_ns, status.st_size)
        waiting += [n for n in found[name].imports if n.partition(".")[0] == package]
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return dict(sorted(found.items()))


@cache
def _read_module(path: Path, name: str, changed: int, size: int) -> _Module:
    """Read a module, once as long as the file is the same."""
    tree = ast.parse(path.read_bytes(), str(path))
    return _Module(_hash_of(tree), tuple(_imports(tree, name, path.name == "__init__.py")))


def _imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    """The names that the module imports, at its top or within functions; some may be attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = module.split(".") + [""] * is_package
                origin = ".".join([*parts[: -node.level], origin]).rstrip(".")
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


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package, by name; nothing is imported."""
    return {name: _version(name) for name in packages}


@cache
def _distribution(name: str) -> str | None:
    """The name under which an imported package is installed; None if it is not."""
    for known in (OTHER_NAMES.get(name, name), name):
        if _version(known) != MISSING:
            return known
    return next(iter(packages_distributions().get(name, ())), None)


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING
