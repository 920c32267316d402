"""Renders the report as one HTML file that needs nothing else; the only importer of Jinja."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import fields
from functools import cache, partial
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reportgen.render.compose import document as compose
from reportgen.render.contexts import (
    Chapter,
    Claims,
    Contents,
    Cover,
    Document,
    FigureView,
    Notice,
    Paragraph,
    Piece,
    Sheets,
    TableView,
)
from reportgen.render.text import clean, formatted
from reportgen.results import Report

Part = Cover | Contents | Claims | Chapter | Notice | Paragraph | TableView | FigureView
View = Document | Piece | Sheets | Part
"""What has a template of its own."""

FACES = (
    ("Report Serif", 400, "normal", "literata-400"),
    ("Report Serif", 400, "italic", "literata-400-italic"),
    ("Report Serif", 600, "normal", "literata-600"),
    ("Report Display", 500, "normal", "literata-display-500"),
    ("Report Sans", 400, "normal", "inter-400"),
    ("Report Sans", 600, "normal", "inter-600"),
    ("Report Mono", 400, "normal", "jetbrains-mono-400"),
)
"""Family, weight, style and file of the fonts that travel in the document."""


def document(report: Report, figures: Mapping[tuple[str, str], str]) -> str:
    """The report as HTML. ``figures`` has the SVG of every figure by (experiment, figure id).

    The experiment of the appendix's figures is the appendix section's own. Raises KeyError if a
    figure is missing and RenderError if a number does not fit its format.
    """
    return str(rendered(compose(report, figures)))


def template_of(view: type[View]) -> str:
    """The file name of the template that shows a view."""
    return f"{view.__name__.lower()}.html.j2"


def rendered(view: View, *, on_paper: bool = False) -> Markup:
    """A view, shown by its template, which is given the view's fields and nothing else.

    ``on_paper`` leaves out what can be pointed at only on a screen.
    """
    template = environment(on_paper).get_template(template_of(type(view)))
    content = {field.name: getattr(view, field.name) for field in fields(view)}
    return Markup(template.render(content).strip())


@cache
def environment(on_paper: bool = False) -> Environment:
    """The templates' environment: everything is escaped, an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("reportgen", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_cleaned,
    )
    made.filters["number"] = formatted
    made.filters["rendered"] = partial(rendered, on_paper=on_paper)
    made.filters["short"] = _short
    made.filters["unbroken"] = _unbroken
    made.globals["style"] = style
    made.globals["on_paper"] = on_paper
    return made


@cache
def style(name: str) -> Markup:
    """A style sheet, ``report.css`` or ``sheets.css``, with the fonts that it names."""
    rules = (files("reportgen") / "templates" / name).read_text("utf-8").strip()
    faces = [_face(*face) for face in FACES if f'"{face[0]}"' in rules]
    return Markup("\n".join([*faces, rules]))


def _face(family: str, weight: int, slant: str, name: str) -> str:
    # WOFF, not WOFF2: it is a third larger, but unpacked fifty times faster when the PDF is made.
    font = (files("reportgen") / "templates" / "fonts" / f"{name}.woff").read_bytes()
    source = f"data:font/woff;base64,{base64.b64encode(font).decode('ascii')}"
    return (
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {slant}; '
        f'font-display: swap; src: url("{source}") format("woff"); }}'
    )


def _cleaned(value: object) -> object:
    """What a template is about to write, without characters that no document may hold."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _short(fingerprint: str) -> str:
    """The beginning of a fingerprint, enough to tell two apart."""
    return fingerprint[:12]


def _unbroken(text: str) -> str:
    """The text with spaces at which no line ends."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
