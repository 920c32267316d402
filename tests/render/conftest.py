"""The example reports, drawn and rendered once for all tests of the renderer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from reportgen.render import figures, html
from reportgen.results import Report


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """The module ``example.py`` beside this file."""
    path = Path(__file__).with_name("example.py")
    spec = importlib.util.spec_from_file_location("render_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Rendered:
    """A report, the HTML it became, and its figures."""

    report: Report
    html: str
    figures: dict[tuple[str, str], str]
    """The SVG of each figure, by experiment and id."""

    @property
    def page(self) -> Page:
        return Page(self.html)


@pytest.fixture(scope="session")
def rendered(example: ModuleType) -> Callable[[str], Rendered]:
    """Render the example report of a name: ``report``, ``troubled`` or ``hostile``."""
    drawn: dict[tuple[str, str], str] = {}

    @cache
    def render(name: str) -> Rendered:
        report: Report = getattr(example, name)()
        for section in (*report.sections, report.appendix):
            for figure in section.figures.values():
                key = (section.experiment, figure.id)
                drawn[key] = drawn.get(key) or figures.svg(figure)
        own = {
            (s.experiment, i): drawn[s.experiment, i] for s in report.sections for i in s.figures
        }
        return Rendered(report, html.document(report, own), own)

    return render


@pytest.fixture(scope="session")
def page() -> type[Page]:
    """Reads HTML into elements with their attributes and texts."""
    return Page


@dataclass
class Element:
    """An element: its tag, attributes, the ids and classes around it, and all text within."""

    tag: str
    attributes: dict[str, str]
    around: tuple[Element, ...]
    text: str = ""

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def within(self, ancestor: Element) -> bool:
        return any(element is ancestor for element in self.around)


class Page(HTMLParser):
    """A parsed document: ``elements`` in order; raises if a tag is closed that is not open."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open))
        self.elements.append(found)
        if tag not in self.VOID:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str = "", kind: str = "") -> list[Element]:
        """The elements of a tag and a class, in document order."""
        return [
            element
            for element in self.elements
            if (not tag or element.tag == tag) and (not kind or kind in element.classes)
        ]

    def one(self, tag: str = "", kind: str = "") -> Element:
        (element,) = self.all(tag, kind)
        return element

    def by_id(self, name: str) -> Element:
        (element,) = [e for e in self.elements if e.attributes.get("id") == name]
        return element
