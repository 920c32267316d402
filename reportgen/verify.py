"""Derives a report again from the kept predictions, without training, and says where it differs."""

from __future__ import annotations

import difflib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from reportgen import build as building
from reportgen import claims
from reportgen.chapters import Chapters, drawing
from reportgen.engine.progress import Observer
from reportgen.engine.run import Outcome, plan
from reportgen.engine.shelf import Shelf
from reportgen.engine.store import Store
from reportgen.errors import RequestError
from reportgen.experiment import Json
from reportgen.registry import Registry
from reportgen.results import Report, read, to_json
from reportgen.settings import Settings

DERIVED = ("experiments", "claims")
"""What of ``results.json`` follows from predictions and settings; all else tells of the build."""


class Difference(NamedTuple):
    """A place at which a file does not say what follows from the predictions."""

    place: str
    found: str
    derived: str

    def __str__(self) -> str:
        """As a line for the user."""
        return f"{self.place}: {self.found}, but {self.derived} follows from the predictions"


class Verified(NamedTuple):
    """What was compared, and where it differs."""

    files: tuple[Path, ...]
    differences: tuple[Difference, ...]


def verify(
    out: Path, settings_of: Callable[[Report], Settings], registry: Registry, observer: Observer
) -> Verified:
    """Derive the report in ``out`` again, and compare ``results.json`` and ``report.html`` with it.

    Args:
        out: the folder that a build wrote.
        settings_of: the settings of the build that wrote a report, by the command that it names.
        registry: the experiments that there are.
        observer: hears when data are prepared.

    Raises:
        RequestError: if there is no report, or a training that it rests on is not kept, is
            damaged, or was made by other code or libraries than those installed.
    """
    report = read(out / "results.json")
    settings = settings_of(report)
    with tempfile.TemporaryDirectory() as temporary:
        shelf = Shelf(Path(temporary))  # an empty one: nothing is taken from an earlier derivation
        derived = _derived(report, out, settings, registry, observer, shelf)
        compared = [out / "results.json"]
        differences = list(compare(_json(report), _json(derived)))
        document = out / "report.html"
        if document.exists():
            compared.append(document)
            differences += compare_texts(document.read_text("utf-8"), _html(derived, shelf))
    return Verified(tuple(compared), tuple(differences))


def _derived(
    report: Report,
    out: Path,
    settings: Settings,
    registry: Registry,
    observer: Observer,
    shelf: Shelf,
) -> Report:
    """The report with all that follows from the predictions derived anew."""
    store = Store(out / "store")
    experiments = registry.in_order(settings.selected)
    wanted = {e.name: building.trials_of(e, settings) for e in experiments}
    datasets = building.prepare_in_background(experiments, settings, observer)
    trials = ((t, datasets[e.source.name].result()) for e in experiments for t in wanted[e.name])
    planned = plan(trials, store, observer, device=settings.device)
    entries = {p.trial: p.stored for p in planned if p.stored is not None}
    missing = [p.trial.label for p in planned if p.stored is None]
    if missing:
        raise RequestError(
            f"{', '.join(missing)}: not kept in {store.folder} as this program would train it now. "
            "'reportgen build --explain' says why; build the report again to verify it."
        )
    log = building.log_of(store)
    chapters = Chapters(experiments, settings, wanted, datasets, shelf, log)
    sections = chapters.sections(Outcome(entries))
    absent = set(registry) - set(sections)
    own = (claims.claim(claim.statement.strip("`"), sections, absent) for claim in report.claims)
    return replace(report, experiments=sections, claims=tuple(own))


def _json(report: Report) -> Json:
    whole = json.loads(to_json(report))
    return {name: whole[name] for name in DERIVED}


def _html(report: Report, shelf: Shelf) -> str:
    from reportgen.render import html

    sections = (*report.sections, report.appendix)
    figures = {
        (section.experiment, figure.id): drawing(figure, shelf)
        for section in sections
        for figure in section.figures.values()
    }
    return html.document(report, figures)


# --------------------------------------------------------------------------------- comparing


def compare(found: Json, derived: Json, place: str = "results.json") -> Iterator[Difference]:
    """Where two JSON values differ, deepest first named: ``results.json: a.b[1].c``."""
    if isinstance(found, dict) and isinstance(derived, dict):
        for name in {**derived, **found}:
            yield from _compare_part(found, derived, name, f"{place}.{name}")
    elif isinstance(found, list) and isinstance(derived, list):
        for i in range(max(len(found), len(derived))):
            parts = dict(enumerate(found)), dict(enumerate(derived))
            yield from _compare_part(*parts, i, f"{place}[{i}]")
    elif found != derived or type(found) is not type(derived):
        yield Difference(place, _shown(found), _shown(derived))


def _compare_part(
    found: Mapping[Json, Json], derived: Mapping[Json, Json], name: Json, place: str
) -> Iterator[Difference]:
    if name in found and name in derived:
        yield from compare(found[name], derived[name], place)
    elif name in found:
        yield Difference(place, _shown(found[name]), "nothing")
    else:
        yield Difference(place, "nothing", _shown(derived[name]))


def compare_texts(found: str, derived: str) -> Iterator[Difference]:
    """Where the texts of two HTML documents differ, with what stands before."""
    ours, theirs = text_of(found), text_of(derived)
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind != "equal":
            before = " ".join(ours[max(0, i - 3) : i])[-60:]
            yield Difference(
                f"report.html, after {before!r}",
                _shown(" ".join(ours[i:j])),
                _shown(" ".join(theirs[k:m])),
            )


def text_of(html: str) -> list[str]:
    """What a reader or a program finds in an HTML document, in order.

    These are its words, pictures by their source, and what numbers say of their origin.
    """
    reader = _Words()
    reader.feed(html)
    reader.close()
    return reader.words


TELLING = ("src", "title", "alt", "data-origin", "data-trial")
"""The attributes whose values are compared."""


class _Words(HTMLParser):
    """Collects the words of a document, and what its numbers say of their origin."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what tells something without being text: pictures, and origins of numbers."""
        self._hidden += tag in ("style", "script")
        self.words += [value for name, value in attrs if name in TELLING and value]

    def handle_endtag(self, tag: str) -> None:
        """Go on after what is not shown."""
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        """Take the words."""
        if not self._hidden:
            self.words += data.split()


def _shown(value: Json) -> str:
    """A value for a message, shortened."""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:57]}..." if len(text) > 60 else text or "nothing"
