"""Keeps what can be made again, such as chapters and drawings, by what it is made of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reportgen.experiment import Json

MOST = 500
"""Entries that are kept; those used longest ago go first. A full report has about thirty."""


class Shelf:
    """Entries in one folder, each under the SHA-256 of its ingredients and with a checksum.

    What is damaged or can't be written is made again: nothing is lost but time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, ingredients: Json, make: Callable[[], str]) -> str:
        """The text that was made of these ingredients before, or else ``make()``, which is kept."""
        known = self.get(ingredients)
        if known is not None:
            return known.decode()
        made = make()
        self.put(ingredients, made.encode())
        return made

    def get(self, ingredients: Json) -> bytes | None:
        """What was made of these ingredients; None if there is nothing, or it is damaged."""
        path = self._path(ingredients)
        try:
            checksum, _, content = path.read_bytes().partition(b"\n")
            if checksum != _sha256(content):
                return None
            os.utime(path)
        except OSError:
            return None
        return content

    def put(self, ingredients: Json, content: bytes) -> None:
        """Keep what was made."""
        path = self._path(ingredients)
        temporary = path.with_name(f".{path.name}.new")
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(_sha256(content) + b"\n" + content)
            os.replace(temporary, path)

    def prune(self) -> None:
        """Remove what was used longest ago, if there is too much."""
        by_use = sorted(self.folder.glob("*"), key=lambda path: -path.stat().st_mtime_ns)
        for path in by_use[MOST:]:
            path.unlink(missing_ok=True)

    def _path(self, ingredients: Json) -> Path:
        canonical = json.dumps(ingredients, sort_keys=True, allow_nan=False)
        return self.folder / _sha256(canonical.encode())[:32].decode()


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
