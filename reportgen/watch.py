"""Builds again whenever a source is saved: which files count, and a fresh process a build."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reportgen.registry import Registry
from reportgen.settings import CONFIG_NAME

TEMPORARY = re.compile(r"[.#]|__pycache__$|4913$|.*(~|\.sw.|\.py[co]|\.tmp|___jb_(tmp|old)___)$")
"""Names of what is hidden, compiled, or written by an editor (Emacs, JetBrains, Vim) on its way."""

PAUSE = 100
"""Milliseconds without a further change that end one saving."""

ONCE = ("--open", "--fresh")
"""What is asked of the first report only."""

GRACE = 2
"""Seconds within which a build that heard Ctrl-C, too, ends by itself."""


@dataclass(frozen=True)
class Watched:
    """What a build is made of: whole packages, and single files; never its output."""

    packages: frozenset[Path]
    files: frozenset[Path]
    out: Path

    def folders(self) -> list[Path]:
        """The folders that hold all this, each to be watched without those in it.

        A file is watched by way of its folder, because many editors replace a file on saving.
        """
        found = {file.parent for file in self.files}
        for package in self.packages:
            found |= {package, *(p for p in package.rglob("*") if p.is_dir() and self.counts(p))}
        return sorted(folder for folder in found if folder.is_dir())

    def counts(self, path: Path) -> bool:
        """Whether a change there may change the report."""
        if path in self.files:
            return True
        return not path.is_relative_to(self.out) and any(
            path.is_relative_to(package)
            and not any(TEMPORARY.match(name) for name in path.relative_to(package).parts)
            for package in self.packages
        )


def watched(registry: Registry, config: Path | None, out: Path) -> Watched:
    """What builds with these experiments, this settings file and this output folder are made of.

    These are the engine with its templates, the package of each experiment (or its module, if it
    is in none), and the settings file, which need not be there yet. Imports no experiment.
    """
    packages, files = {Path(__file__).parent}, {config or Path(CONFIG_NAME)}
    for name in registry:
        top = registry.module(name).partition(".")[0]
        spec = importlib.util.find_spec(top)
        if spec is None:
            continue
        if spec.submodule_search_locations is not None:
            packages |= set(map(Path, spec.submodule_search_locations))
        elif spec.origin is not None:
            files.add(Path(spec.origin))
    return Watched(
        frozenset(path.resolve() for path in packages),
        frozenset(path.resolve() for path in files),
        out.resolve(),
    )


def build_command(words: Sequence[str]) -> list[str]:
    """The command line of one build, from ``sys.orig_argv`` of the one that watches."""
    return [sys.executable, *(word for word in words[1:] if word != "--watch")]


def watch(command: Sequence[str], sources: Watched, say: Callable[[str], None]) -> None:
    """Build now, and again after each change, until KeyboardInterrupt, which goes on to the caller.

    ``command`` builds once; each build is a fresh process, so that changed code is loaded, and
    what it returns ends nothing. A build in progress is finished first. ``say`` takes a sentence
    for the user.
    """
    for paths in changes(sources):
        if paths:
            say(f"{', '.join(path.name for path in paths)} changed: building again.")
        code = _run(command)
        if code in (0, 1):  # a report was written
            command = [word for word in command if word not in ONCE]
        say("Watching for changes, until Ctrl-C.")


def changes(sources: Watched) -> Iterator[list[Path]]:
    """An empty list as soon as the watching has begun, then what is saved, in groups."""
    from watchfiles import watch as batches

    begun = False
    for batch in batches(
        *sources.folders(),
        watch_filter=None,
        step=PAUSE,
        rust_timeout=PAUSE,
        yield_on_timeout=True,
        recursive=False,
    ):
        paths = saved(((change.name, Path(path)) for change, path in batch), sources)
        if paths or not begun:
            yield paths
        begun = True


def saved(batch: Iterable[tuple[str, Path]], sources: Watched) -> list[Path]:
    """The files of a batch of changes that count; a file that came and went does not."""
    kinds: dict[Path, set[str]] = {}
    for change, path in batch:
        if sources.counts(path) and not path.is_dir():
            kinds.setdefault(path, set()).add(change)
    return sorted(path for path, kind in kinds.items() if not kind >= {"added", "deleted"})


def _run(command: Sequence[str]) -> int:
    """Run a build to its end and return its exit code; KeyboardInterrupt ends it as well."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:  # the signal was for this process alone
                process.send_signal(signal.SIGINT)
                process.wait()
            raise
