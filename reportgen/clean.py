"""Removes what builds wrote, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from reportgen.errors import RequestError
from reportgen.experiment import DataOptions

FILES = ("report.html", "report.pdf", "results.json")
LEFTOVERS = tuple(f".{name}.new" for name in FILES)
"""What a build that was killed may leave of them."""
FOLDERS = ("figures", "tables", "store")


def products(out: Path) -> list[Path]:
    """What a build wrote into the folder. RequestError if the folder is not one of a build."""
    found = [out / name for name in (*FILES, *LEFTOVERS, *FOLDERS) if (out / name).exists()]
    ours = (out / "results.json").exists() or (out / "store").exists()
    if found and not ours:
        raise RequestError(
            f"{out} does not look like the folder of a build: it has neither results.json nor "
            "store/. Nothing was removed; name the right folder with --out."
        )
    return found


def cache(options: DataOptions) -> list[Path]:
    """The downloads and prepared data in the cache."""
    return [
        options.cache / name
        for name in ("downloads", "prepared")
        if (options.cache / name).exists()
    ]


def remove(paths: list[Path], out: Path) -> None:
    """Remove the paths, and the output folder if nothing is left in it."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
